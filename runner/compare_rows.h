/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rows a comparison has: cells x arms x metrics, and what each is estimated from. */
#ifndef KAB_COMPARE_ROWS_H
#define KAB_COMPARE_ROWS_H

#include "compare.h"
#include "tally.h"

/* Where rows come from; all of it borrowed. */
struct row_source {
	const struct store *run, *other; /* @other: NULL for one run */
	const struct plan *plan; /* of @run: cells in the matrix's order, its matrix as run (--aa) */
	const struct plan *other_plan; /* of @other */
	const struct matrix *arms; /* the matrix whose arms are compared: @plan's, or @other's own */
	const struct tallies *base, *arm; /* of @run, and of @other if there is one */
	const char *baseline;
	bool primary; /* no other metrics */
};

/* A row in the making. */
struct draft {
	struct row row; /* note owned by the draft until the row is moved on */
	const struct tally *base, *arm;
	bool testable; /* both sides have values of a metric that is tested */
	size_t comparisons; /* m of the correction it takes part in; the maker leaves it 0 */
	unsigned left_out; /* blocks that lack a good sample on one side */
};

struct drafts {
	struct draft *v;
	size_t n;
};

/* What both sides have by block. Groups' values are borrowed. */
struct pairs {
	struct pair *v;
	unsigned *number; /* of the block, ascending */
	size_t n;
};
void pairs_make(const struct groups *base, const struct groups *arm, struct pairs *p);
void pairs_clear(struct pairs *p);

/*
 * Every row in order of cell, arm and metric, with cell, arm, metric, primary and control set. Where nothing can be
 * tested, verdict and note say why; else the row is VERDICT_SHOWN with nothing estimated. Strings of rows
 * are kept by @c. Caller frees d->v.
 */
void drafts_make(struct comparison *c, const struct row_source *src, struct drafts *d);
/*
 * Estimates a testable draft. False: it could not be tested after all, and
 * the row's verdict and note say why.
 */
bool draft_estimate(const struct comparison *c, struct draft *d);

/*
 * What to call @arm of the matrix @m: a run of one arm goes by the name that the user gave to the kernel it ran
 * on. @apart: its run where two are compared, else NULL.
 */
const char *row_shown_label(const struct store *apart, const struct matrix *m, const char *arm);
/*
 * The same of an arm that is compared with @baseline, as that is shown: "second run's stock" where both have one name.
 * Caller frees.
 */
char *row_arm_name(const struct store *apart, const struct matrix *m, const char *arm, const char *baseline);

#endif
