// SPDX-License-Identifier: GPL-2.0-or-later
#include "verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_text.h"
#include "util.h"

static const char *const names[VERDICTS] = {
	[VERDICT_SAME] = "same",
	[VERDICT_IMPROVEMENT] = "improvement",
	[VERDICT_REGRESSION] = "regression",
	[VERDICT_CHANGED] = "changed",
	[VERDICT_UNCLEAR] = "unclear",
	[VERDICT_SHOWN] = "shown",
	[VERDICT_SKIPPED] = "skipped",
	[VERDICT_FAILED] = "failed",
};

const char *verdict_name(enum verdict v)
{
	return names[v];
}

bool verdict_is_change(enum verdict v)
{
	return v == VERDICT_IMPROVEMENT || v == VERDICT_REGRESSION || v == VERDICT_CHANGED;
}

/* The effect that is none at all. */
static double none(const struct row *r)
{
	return r->metric.scale == SCALE_RATIO ? 1 : 0;
}

/*
 * A difference has no threshold of its own, so that of the ratios is taken of the baseline's size,
 * and where the baseline is next to nothing, the least that means anything (metric_floor()).
 */
double verdict_limit(const struct row *r, double threshold)
{
	if (r->metric.scale == SCALE_RATIO)
		return threshold;
	return fmax(threshold * fabs(r->e.base_median), metric_floor(&r->metric));
}

/* False where there is no interval, as all comparisons with NAN are. */
static bool within_limit(const struct row *r)
{
	return r->e.lo >= none(r) - r->limit && r->e.hi <= none(r) + r->limit;
}

/* A change must show beyond what another layout of the same kernel may do; without that, beyond none.
 */
static bool interval_excludes_none(const struct row *r)
{
	double by = isnan(r->layout_effect) ? 0 : r->layout_effect;
	double below = r->metric.scale == SCALE_RATIO ? 1 / (1 + by) : -by;

	return r->e.lo > none(r) + by || r->e.hi < below;
}

static void explain_layout(struct row *r)
{
	if (r->metric.scale == SCALE_RATIO)
		r->note = xasprintf("not shown to be more than layout alone may do, %.2g %%",
			r->layout_effect * 100);
	else
		r->note = xasprintf("not shown to be more than layout alone may do, %.2g%s%s",
			r->layout_effect, *r->metric.unit ? " " : "", r->metric.unit);
}

static enum verdict direction(const struct row *r)
{
	bool more = r->e.effect > none(r);

	switch (r->metric.better) {
	case BETTER_MORE:
		return more ? VERDICT_IMPROVEMENT : VERDICT_REGRESSION;
	case BETTER_LESS:
		return more ? VERDICT_REGRESSION : VERDICT_IMPROVEMENT;
	case BETTER_NONE:
		break;
	}
	return VERDICT_CHANGED;
}

/* Fewest blocks whose smallest adjusted p is below alpha. */
static unsigned blocks_to_decide(const struct row *r, const struct verdict_rule *rule)
{
	unsigned blocks = 2;

	while (stats_p_floor(blocks, r->e.paired) * rule->comparisons >= rule->alpha)
		blocks++;
	return blocks;
}

/* Blocks that can see an effect as large as the one observed, or as the limit if that is larger. */
static unsigned blocks_to_see(const struct row *r, const struct verdict_rule *rule)
{
	double target = fmax(fabs(r->e.effect - none(r)), r->limit);

	return stats_blocks_needed(
		&r->e, target, rule->alpha, rule->comparisons, r->metric.scale == SCALE_RATIO);
}

/* A quarter more: what there is would have been enough by itself. */
static unsigned quarter_more(const struct row *r)
{
	return (unsigned)(r->e.blocks + 3) / 4;
}

/* Blocks whose floor lies above alpha: whatever was measured, they could not have told a change. */
static void explain_floor(struct row *r, const struct verdict_rule *rule)
{
	unsigned decide = blocks_to_decide(r, rule), see = blocks_to_see(r, rule), need = see > decide ? see : decide;
	__free_char char *units = comparison_units(r->e.unit, r->e.blocks);

	r->more_blocks = need > r->e.blocks ? need - (unsigned)r->e.blocks : quarter_more(r);
	if (r->e.blocks >= decide)
		/* The floor is that of an early look, which may spend but little of alpha. */
		r->note = xasprintf("%zu %s cannot decide at this look (adjusted p >= %.2g); a later one can", r->e.blocks,
			units, fmin(1, r->e.p_floor * rule->comparisons));
	else if (r->e.blocks == 1)
		r->note = xasprintf("1 %s cannot decide: how %ss differ is unknown; %u can", units,
			r->e.unit ? r->e.unit : "block", decide);
	else
		r->note = xasprintf("%zu %s cannot decide (adjusted p >= %.2g); %u can",
			r->e.blocks, units, fmin(1, r->e.p_floor * rule->comparisons), decide);
}

static char *effect_size(const struct row *r)
{
	char value[TEXT_NUMBER];

	if (r->metric.scale == SCALE_RATIO)
		return xasprintf(r->e.detectable >= 0.995 ? "%.0f %%" : "%.2g %%", r->e.detectable * 100);
	if (!strcmp(r->metric.unit, "share"))
		return xasprintf("%.2g pp", r->e.detectable * 100);
	return xasprintf("%s", text_value(value, r->e.detectable, r->metric.unit, true));
}

static void explain_unclear(struct row *r, const struct verdict_rule *rule)
{
	__free_char char *size = effect_size(r), *units = NULL;
	unsigned see = blocks_to_see(r, rule);

	if (!see) {
		r->note = xasprintf("could have seen %s", size);
		return;
	}
	/* There were enough for four times in five, and this was the fifth: a quarter more. */
	r->more_blocks = see > r->e.blocks ? see - (unsigned)r->e.blocks : quarter_more(r);
	units = comparison_units(r->e.unit, r->more_blocks);
	r->note = xasprintf("could have seen %s; needs %u more %s", size, r->more_blocks, units);
}

/*
 * Now and then the arm is far slower, or faster, and the baseline never is: ranks bear such blocks, so that the interval
 * does not show them, but the kernels are not the same.
 */
static bool some_blocks_far_off(const struct row *r)
{
	double least = r->metric.scale == SCALE_RATIO ? expm1(r->e.far_least) : r->e.far_least;

	return r->e.far > 1 && least > r->limit;
}

/*
 * The median of turns bears what hits less than half of them, which is well where it comes from the machine, and hits the
 * baseline as well. Where it hits the arm alone, boots as a whole differ.
 */
static bool boots_differ(const struct row *r)
{
	return r->e.turn_blocks && (r->e.apart_lo > none(r) + r->limit || r->e.apart_hi < none(r) - r->limit);
}

static void explain_boots(struct row *r)
{
	r->note = xasprintf("most turns are the same, and boots as a whole differ by %+.2g %%, at least %.2g %%: some samples "
			    "are far off, all the same way",
		(r->e.apart - 1) * 100, 100 * fmin(fabs(r->e.apart_lo - 1), fabs(r->e.apart_hi - 1)));
}

static void explain_far(struct row *r)
{
	char value[TEXT_NUMBER];

	r->more_blocks = quarter_more(r);
	if (r->metric.scale == SCALE_RATIO)
		r->note = xasprintf("%zu of %zu blocks are off by more than %.2g %%, all the same way; the others are the same", r->e.far,
			r->e.blocks, 100 * expm1(r->e.far_least) * 0.999);
	else
		r->note = xasprintf("%zu of %zu blocks are off by %s or more, all the same way; the others are the same", r->e.far,
			r->e.blocks, text_value(value, r->e.far_least, r->metric.unit, true));
}

void verdict_judge(struct row *r, const struct verdict_rule *rule)
{
	r->limit = verdict_limit(r, rule->threshold);
	if (within_limit(r) && some_blocks_far_off(r)) {
		r->verdict = VERDICT_UNCLEAR;
		explain_far(r);
	} else if (within_limit(r) && boots_differ(r)) {
		r->verdict = VERDICT_UNCLEAR;
		explain_boots(r);
	} else if (within_limit(r)) {
		r->verdict = VERDICT_SAME;
	} else if (r->p_adj < rule->alpha && interval_excludes_none(r) && r->each_sample_s) {
		r->verdict = VERDICT_UNCLEAR;
		r->note = xasprintf("not shown to be %s than what comes with each sample, whatever it does, among %s operations",
			r->e.effect < 0 ? "less" : "more", r->e.effect < 0 ? "more" : "fewer");
	} else if (r->p_adj < rule->alpha && interval_excludes_none(r)) {
		r->verdict = direction(r);
	} else {
		r->verdict = VERDICT_UNCLEAR;
		if (r->p_adj < rule->alpha && r->layout_effect > 0)
			explain_layout(r);
		else if (r->e.p_floor * rule->comparisons >= rule->alpha)
			explain_floor(r, rule);
		else
			explain_unclear(r, rule);
	}
}
