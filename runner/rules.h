/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How others tell two sets of runs apart: to be judged beside kab's own rule, on the same data. All
 * take every sample as an independent one.
 */
#ifndef KAB_RULES_H
#define KAB_RULES_H

#include <stddef.h>

struct rule {
	const char *name;
	/* 1: @b is greater, -1: smaller, 0: no difference told. There are two values or more on
	 * either side. */
	int (*judge)(const double *a, size_t na, const double *b, size_t nb);
};

enum { RULES = 4 };
/*
 * mean +- sigma: the two intervals do not meet. Welch's t, Mann-Whitney: p < 0.05. Range: nor do
 * the ranges of values, after a 32nd of them was cut off at either end, which is what the kernel
 * test robot (lkp) looks at.
 */
extern const struct rule rules[RULES];

#endif
