/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run whose arms are one series, cut after one patch and after another: which of them moved what?
 */
#ifndef KAB_ALONG_H
#define KAB_ALONG_H

#include "compare.h"
#include "util.h"

/* One arm: the one before it, and some patches more. */
struct along_step {
	const char *arm;   /* borrowed from the run */
	const char *patch; /* file name of the last of these patches; likewise */
};

/* One primary figure along the series. Both arrays have an entry for each step; NULL: not measured.
 */
struct along_figure {
	const struct row **whole; /* against the baseline */
	struct row *
		moved; /* against the arm before; all of a run's are one family of the correction */
	bool *measured; /* @moved holds something */
};

struct along {
	struct along_step *steps;
	size_t nsteps;
	struct along_figure *figures;
	size_t nfigures;
	struct comparison **comparisons; /* against each arm that one follows, the baseline first */
};

/*
 * nsteps is 0 where the arms are no such series: each has to have all patches of the one before it,
 * the baseline first, and some more. The run has to outlive it. -1: an error. along_clear() in any
 * case.
 */
int along_make(const struct store *run, struct along *a, struct error *err);
/* The step made some figure worse. */
bool along_is_guilty(const struct along *a, size_t step);
/* A row of @f, for what all of its steps share: cell and metric. NULL: it has none. */
const struct row *along_row(const struct along *a, const struct along_figure *f);
/* A table with a bar for each step; ASCII. */
void along_text(const struct along *a, struct buf *b);
/* {"guilty": [patch], "figures": [{cell, metric, patches: [{patch, effect, moved, verdict ...}]}]}.
 * New reference. */
json_t *along_to_json(const struct along *a);
void along_clear(struct along *a);

#endif
