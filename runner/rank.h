/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rank tests with their exact permutation distribution, ties included, and the order statistics that invert
 * them into intervals. The numbers ranked are boots or blocks, never samples of one boot.
 */
#ifndef KAB_RANK_H
#define KAB_RANK_H

#include <stddef.h>

/*
 * Two-sided p of the signed-rank test of @d around 0, exact given |d|: all 2^n ways to exchange the two kernels within blocks.
 * Ranks are Wilcoxon's up to the middle one, which all larger magnitudes share: a block in which the machine was busy with
 * something else is far off in a random direction, and by its rank alone would outweigh four that agree. For normal
 * data that costs a tenth of the blocks; among 50 pairs of real boots on a busy machine 5 % of a pipe's rate were
 * found in 40 instead of 23 % of comparisons of ten blocks. Zeros
 * are ranked and then carry no sign (Pratt 1959). 1 when all are 0.
 */
double rank_signed_p(const double *d, size_t n);
/*
 * Two-sided p of the rank-sum (Mann-Whitney) test that @a and @b are of one distribution, exact given the
 * values: all ways to deal them out anew.
 */
double rank_sum_p(const double *a, size_t na, const double *b, size_t nb);

/*
 * All shifts that this test of level @alpha does not reject: between two of the @count sorted Walsh averages @w
 * of @d. *@attained: the level that it really has. -1 where @n blocks cannot reach @alpha.
 */
int rank_signed_interval(const double *d, size_t n, const double *w, size_t count, double alpha,
	double *lo, double *hi, double *attained);
/* 0, or -1 where @n blocks cannot reach @alpha; *@attained as above. */
int rank_signed_reach(size_t n, double alpha, double *attained);
/*
 * The largest k for which [w(k), w(N-1-k)] of the N = @na x @nb sorted differences of two independent sets (from 0) is an interval of level
 * 1 - @alpha, and in *@attained the level alpha that it really has; -1 where they cannot reach @alpha.
 */
long rank_sum_k(size_t na, size_t nb, double alpha, double *attained);

#endif
