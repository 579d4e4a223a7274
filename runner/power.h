/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many blocks a matrix needs to see an effect, from the variance that an earlier run showed. */
#ifndef KAB_POWER_H
#define KAB_POWER_H

#include "plan.h"
#include "store.h"

#define POWER_EFFECTS_MAX 4

struct power_row {
	char *cell, *metric;
	double block_sd; /* of one block's effect with the plan's samples a boot: log, or the
			  * metric's unit; NAN: the earlier run lacks the cell */
	double visible;	 /* smallest effect that the plan's blocks find with 80 % power, as a share;
			    INFINITY: none */
	unsigned blocks[POWER_EFFECTS_MAX]; /* that find each effect with 80 % power; 0: more than
					       10000 */
};

struct power {
	double effects[POWER_EFFECTS_MAX]; /* shares */
	size_t neffects;
	struct power_row *v; /* primary cells of the plan, in its order */
	size_t n;
	unsigned blocks[POWER_EFFECTS_MAX]; /* that find it in every cell; 0: not to be told */
	char *run;			    /* path of the earlier run */
	double pace;	 /* how long it took, as a multiple of what a plan tells; 1: it does not say */
	size_t from_blocks;		    /* of the cell that the fewest blocks of it tell of */
	double at_most; /* times as many blocks it may take, since those may have varied by less than they do: the upper
			   95 % limit of a normal variance */
};

/*
 * By how many times a variance may exceed what @blocks blocks tell of it (95 %). INFINITY: of one block nothing is known.
 */
double power_at_most(size_t blocks);
/*
 * @effect: a share, or 0 for 1, 2, 5 and 10 %. The variance between boots and that of samples in
 * one boot are told apart, so that the earlier run may have had other numbers of blocks and
 * samples; cells go by their names. -1 with KAB_USAGE where the runs have no cell in common.
 * power_clear() frees.
 */
int power_make(const struct plan *plan, const struct store *earlier, double effect, struct power *p,
	struct error *err);
void power_clear(struct power *p);
/* Table for people, with boots and minutes; caller frees. New reference. */
char *power_table(const struct power *p, const struct plan *plan);
json_t *power_to_json(const struct power *p, const struct plan *plan);

#endif
