/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A long run as a pool: short comparisons drawn from it, judged by kab's rule and by others. Of two
 * names for one kernel the share called a change is the rate of false positives; of a known
 * slowdown it is the power.
 *
 * The pool's blocks are dealt out at random into disjoint comparisons of so many blocks, every
 * block with both boots as they were run, again and again until there are enough. Comparisons of
 * one dealing share no block, those of different ones do, so that intervals count the disjoint ones
 * alone.
 */
#ifndef KAB_DRAWS_H
#define KAB_DRAWS_H

#include "compare.h"
#include "rules.h"

struct draw_options {
	unsigned draws;		 /* of each cell and arm, at least */
	unsigned blocks;	 /* of each comparison */
	double alpha, threshold; /* as of struct compare_options */
	double inject; /* values of arms are made greater by this share first, as a change of that size would; 0: as
			* they were */
};

struct draw_row {
	char *cell, *arm; /* NULL: all controls, or all others, of the run together */
	bool control;
	size_t draws, disjoint;
	size_t changed,
		wrong_way; /* by kab's rule; against the direction that the whole pool shows */
	size_t by_rule[RULES];
	double effect; /* of the whole pool, as struct estimate.effect; NAN for a sum */
	double lo, hi; /* 95 % interval of changed / draws, as if the disjoint ones were all */
};

struct draws {
	struct draw_row *v; /* cells and arms in the comparison's order, then the sums of several */
	size_t n;
	unsigned blocks;
	double seconds; /* that one comparison of two arms takes, from what the run took; NAN:
			   unknown */
};

/* KAB_USAGE where no cell has blocks for one comparison. draws_clear() frees. */
int draws_make(const struct store *run, const struct draw_options *opt, struct draws *d,
	struct error *err);
void draws_clear(struct draws *d);
/* Table for people; caller frees. New reference. */
char *draws_table(const struct draws *d);
json_t *draws_to_json(const struct draws *d);

#endif
