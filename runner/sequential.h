/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests that look at their data more than once. Whoever stops at the first p below 5 % is wrong far
 * more often than that, so each look gets a level of its own, such that all looks together are
 * wrong with probability alpha.
 *
 * Alpha is spent in proportion to information (Lan and DeMets 1983; the power family of Kim and
 * DeMets 1987 with exponent 1): by the time a share t of all the blocks that the budget allows is
 * there, alpha * t. When the looks are may be settled on the way, but not by the effect seen.
 */
#ifndef KAB_SEQUENTIAL_H
#define KAB_SEQUENTIAL_H

#include <stddef.h>

struct sequential;

/* Looks at the shares @t of all information, ascending, in (0, 1]; @n from 1. Caller frees. */
struct sequential *sequential_new(const double *t, size_t n);
void sequential_free(struct sequential *s);

/* The two-sided level of look @look (from 0), if all looks together are to have @alpha (up to 0.5).
 */
double sequential_level(const struct sequential *s, size_t look, double alpha);
/*
 * The smallest alpha at which one of the first @n looks would have rejected, given the p of each: a
 * p-value that can be corrected and compared like any other (Liu and Anderson 2008). 1 where alpha
 * would have to be beyond 0.5.
 */
double sequential_p(const struct sequential *s, const double *p, size_t n);

#endif
