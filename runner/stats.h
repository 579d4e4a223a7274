/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers -> estimates, intervals, p-values. Knows nothing of arms and files. GSL does distributions, ranks and
 * random numbers. Each function's comment names its source.
 */
#ifndef KAB_STATS_H
#define KAB_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Samples of one boot of one arm; all finite. */
struct group {
	const double *v;
	const unsigned *turn; /* of each sample, ascending; 0, or all of it NULL: its block's arms were not up at once */
	size_t n;
};

/* One block: the same metric from the baseline's boot and the arm's. Samples of one turn were taken one soon after the other. */
struct pair {
	struct group base, arm;
};

struct estimate {
	double effect;	   /* ratio scale: arm / baseline; difference: arm - baseline */
	double lo, hi;	   /* interval of level 1 - alpha; NAN where there is none (one block) */
	double p;	   /* two-sided, unadjusted */
	double p_floor;	   /* the smallest p these blocks could have given */
	double detectable; /* smallest true effect, as |ratio - 1| or |difference|, found with 80 % power
			    * at alpha / comparisons; INFINITY below the p floor; NAN: one block */
	double boot_sd;	   /* how much one block's effect varies (log scale for ratios): its sd, or with 20 blocks or
			    * more the sd of normal blocks with an interval as wide; NAN: one block */
	double base_median, arm_median; /* of all samples */
	size_t blocks, samples;		/* used; unpaired: boots of the smaller side */
	size_t outliers;		/* beyond 1.5 IQR within their arm, kept and counted; */
	size_t base_outliers;		/* ... of which on the baseline's side */
	size_t far;			/* paired: blocks beyond 3 IQR of the others', if all are so on one side; else 0 */
	double far_least;		/* ... how far the least far of them is from the median: a shift, of logs for ratios */
	size_t turn_blocks;		/* of the blocks those whose effect is that of turns; where there are any, ... */
	double apart, apart_lo, apart_hi; /* ... the effect and its interval by the difference of boots; else NAN */
	bool constant;			/* both sides never varied */
	bool paired;			/* within blocks */
	const char *unit;		/* unpaired: what @blocks are, "boot", "visit" or "sample"; NULL: blocks */
};

struct stats_options {
	bool ratio;	    /* logs of positive values; else differences */
	double alpha;	    /* 0.05 */
	size_t comparisons; /* that alpha is shared by, for estimate.detectable; 0 is 1 */
};

/*
 * Compares within blocks. The location of a boot is the Hodges-Lehmann estimate of its samples; a block's effect is
 * the difference of its two boots, or on the ratio scale, where these took turns, the median difference of a turn: what
 * disturbs a machine for longer than that disturbs both sides alike. (Counts do not depend on its speed, and are 0 in most
 * short samples where they are rare, so that a median says little of them.) The estimate is Hodges-Lehmann's over blocks, p is the
 * signed-rank test's of rank.h with its exact permutation distribution, and the interval inverts that test (order statistics
 * of the Walsh averages; Tukey 1949), so that the two agree. Fewer than 6 blocks cannot reach 95 % that way and get
 * Student's t over blocks.
 *
 * Returns 0, or -1 when there is nothing to estimate (no block with both sides; a ratio of values <= 0).
 */
int stats_compare(const struct pair *pairs, size_t n, const struct stats_options *opt, struct estimate *e);
/*
 * By how much the arm's sample differs from the baseline's, as the log of the quotient of values, all positive, in each turn
 * that both of @p's boots have: into @d, which has room for as many as either has samples. Their number; 0 where boots did not
 * take turns, or less than half of what the shorter one has was taken in such.
 */
size_t stats_turn_shifts(const struct pair *p, double *d);
/*
 * Boots measured apart (two local runs): no pairing; groups are boots of each side. Hodges-Lehmann shift, rank-sum
 * test and its inversion; Welch's t where there are too few boots for 1 - alpha.
 */
int stats_compare_unpaired(const struct group *base, size_t nbase, const struct group *arm, size_t narm,
			   const struct stats_options *opt, struct estimate *e);
/* The smallest two-sided p that @blocks blocks (unpaired: boots of either side) can give. */
double stats_p_floor(size_t blocks, bool paired);
/* Holm 1979 step-down; @p is replaced by adjusted values (NAN stays out). */
void stats_holm(double *p, size_t n);
/* Benjamini & Hochberg 1995; NAN stays out. */
void stats_bh(double *p, size_t n);
/*
 * Fewest blocks in all (unpaired: boots of either side), of the spread that @e has, with which an effect of
 * @effect or less is found with 80 % power at @alpha / @comparisons. 0: cannot be told, or more than 10000.
 */
unsigned stats_blocks_needed(const struct estimate *e, double effect, double alpha, size_t comparisons, bool ratio);
/* Smallest effect that @e->blocks blocks of the spread @e->boot_sd find with 80 % power; as estimate.detectable. */
double stats_detectable(const struct estimate *e, double alpha, size_t comparisons, bool ratio);
/*
 * Spearman's rho of value against position and its two-sided p: a drift inside a boot. All permutations up
 * to 7 values, Student's t beyond; 0 and p = 1 where nothing varies.
 */
double stats_drift(const double *v, size_t n, double *p);
/* Clopper-Pearson interval of level 1 - @alpha of k out of n, which need not be whole numbers; 0 and 1 for n = 0. */
void stats_proportion(double k, double n, double alpha, double *lo, double *hi);

#endif
