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

/* Samples of one boot of one arm. */
struct group {
	const double *v;
	size_t n;
};

/* One block: the same metric from the baseline's boot and the arm's. */
struct pair {
	struct group base, arm;
};

struct estimate {
	double effect;	  /* ratio scale: arm / baseline; difference: arm - baseline */
	double lo, hi;	  /* 95 % (1 - alpha) interval of it */
	double p;	  /* two-sided, unadjusted */
	double p_floor;	  /* the smallest p these blocks could have given */
	double detectable; /* smallest true effect, as |ratio - 1| or |difference|, found with 80 % power at alpha */
	double boot_sd;	  /* sd between blocks of the paired effect (log scale for ratios) */
	double base_median, arm_median;
	size_t blocks, samples; /* used */
	size_t outliers;	/* beyond 1.5 IQR within their arm, kept and counted */
	bool constant;		/* both sides never varied */
};

struct stats_options {
	bool ratio;   /* logs of positive values; else differences */
	double alpha; /* 0.05 */
	unsigned resamples; /* 0: default */
	uint64_t seed;
};

/* 0, or -1 when there is nothing to estimate (no block with both sides; a ratio of values <= 0). */
int stats_compare(const struct pair *pairs, size_t n, const struct stats_options *opt, struct estimate *e);
/* Boots measured apart (two local runs): no pairing; groups are boots of each side. */
int stats_compare_unpaired(const struct group *base, size_t nbase, const struct group *arm, size_t narm,
			   const struct stats_options *opt, struct estimate *e);
/* Holm 1979 step-down; @p is replaced by adjusted values (NAN stays out). */
void stats_holm(double *p, size_t n);
/* Benjamini & Hochberg 1995. */
void stats_bh(double *p, size_t n);
/* Blocks needed so that @detectable shrinks to @effect, from the spread between blocks. 0: cannot be told. */
unsigned stats_blocks_needed(const struct estimate *e, double effect, double alpha, size_t comparisons, bool ratio);
/* Spearman's rho of value against position and its two-sided p: a drift inside a boot. */
double stats_drift(const double *v, size_t n, double *p);
/* Clopper-Pearson 95 % interval of k out of n. */
void stats_proportion(size_t k, size_t n, double alpha, double *lo, double *hi);

#endif
