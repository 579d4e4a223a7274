/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rule that makes a verdict of an estimate. */
#ifndef KAB_VERDICT_H
#define KAB_VERDICT_H

#include "compare.h"

struct verdict_rule {
	double alpha, threshold;
	size_t comparisons; /* m of the correction that p_adj went through */
};

/* What a row's effect may be and still be "same", as |ratio - 1| or |difference|; @threshold: a share. */
double verdict_limit(const struct row *r, double threshold);
/*
 * Sets @r's verdict, limit, more_blocks and note from its estimate, p_adj and metric.
 *
 * A whole interval within the limit is "same", even where it excludes no effect: a change that small does not
 * matter; but not where some blocks, or some samples of many, are far off and all the same way. A change needs p_adj < alpha and an interval that excludes no effect, or, where there is a layout arm, all
 * effects up to that of another layout. All else is "unclear".
 */
void verdict_judge(struct row *r, const struct verdict_rule *rule);

#endif
