/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The samples of a run sorted out by cell and arm: which of them are compared, and what became of the rest. */
#ifndef KAB_TALLY_H
#define KAB_TALLY_H

#include <stdbool.h>
#include <stddef.h>

#include "sample.h"
#include "stats.h"
#include "store.h"

/* Samples of one arm in one cell. Strings and samples are borrowed from the run. */
struct tally {
	const char *cell, *arm;
	const struct sample **ok; /* status ok and no warm-up; sorted by block, boot, seq */
	size_t nok;
	size_t warmups;		/* of status ok */
	size_t passes;		/* the same, under perf record */
	bool apart;		/* to be compared as if the arms of a block had not been up together */
	size_t failed, skipped; /* warm-ups included: an oops in one is an oops */
	const struct sample *failure, *skip; /* the first of each, for its reason; NULL: none */
};

struct tallies {
	struct tally *v;
	size_t n;
};

/* Of all of @run's samples, which must outlive @t; @apart is that of struct tally. */
void tallies_collect(const struct store *run, bool apart, struct tallies *t);
void tallies_clear(struct tallies *t);
/* NULL where that arm has no sample at all in that cell. */
const struct tally *tallies_find(const struct tallies *t, const char *cell, const char *arm);

/* What counts as one draw: see "unit of replication" in kab-compare's part of kab(1). */
enum unit { UNIT_BLOCK, UNIT_BOOT, UNIT_SAMPLE };

/* Values of one metric, grouped by unit in ascending order; samples without the metric are left out. */
struct groups {
	struct group *v;
	unsigned *number; /* of block or boot; for samples their position */
	size_t n;
	double *values;
	unsigned *turns; /* of the values, 0: none; groups of blocks point into them */
};

/* @t may be NULL: no groups. */
void groups_make(const struct tally *t, const char *metric, enum unit unit, struct groups *g);
/* Of a count an operation, without the @fixed of them that a sample has whatever it does. */
void groups_make_without(const struct tally *t, const char *metric, double fixed, enum unit unit, struct groups *g);
void groups_clear(struct groups *g);

#endif
