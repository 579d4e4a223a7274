/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rank tests with their exact permutation distribution, ties included, and the order statistics that invert
 * them into intervals. The numbers ranked are boots or blocks, never samples of one boot.
 */
#ifndef KAB_RANK_H
#define KAB_RANK_H

#include <stddef.h>

/*
 * Two-sided p of Wilcoxon's signed-rank test of @d around 0, exact given |d|: all 2^n ways to exchange the two
 * kernels within blocks. Zeros are ranked and then carry no sign (Pratt 1959). 1 when all are 0.
 */
double rank_signed_p(const double *d, size_t n);
/*
 * Two-sided p of the rank-sum (Mann-Whitney) test that @a and @b are of one distribution, exact given the
 * values: all ways to deal them out anew.
 */
double rank_sum_p(const double *a, size_t na, const double *b, size_t nb);

/*
 * The largest k for which [w(k), w(N-1-k)] of the N sorted Walsh averages of @n blocks (from 0) is an interval of
 * level 1 - @alpha, and in *@attained the level alpha that it really has; -1 where @n blocks cannot reach @alpha.
 */
long rank_signed_k(size_t n, double alpha, double *attained);
/* The same for the @na x @nb sorted differences of two independent sets. */
long rank_sum_k(size_t na, size_t nb, double alpha, double *attained);

#endif
