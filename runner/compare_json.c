// SPDX-License-Identifier: GPL-2.0-or-later
/* A comparison for programs: every field by its own name. */
#include <math.h>

#include "compare.h"
#include "util.h"

static const char *const betters[] = {
	[BETTER_NONE] = "none",
	[BETTER_MORE] = "more",
	[BETTER_LESS] = "less",
};

static const char *const scales[] = {
	[SCALE_RATIO] = "ratio",
	[SCALE_DIFFERENCE] = "difference",
	[SCALE_PATCHED_ONLY] = "patched-only",
};

/* JSON has no NAN. */
static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *count(size_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *text(const char *s)
{
	json_t *o = s ? json_string(s) : json_null();

	return o ? o : json_string("(not valid UTF-8)");
}

static json_t *metric_json(const struct metric *m)
{
	return json_pack("{s:o,s:o,s:o,s:s,s:s}", "name", text(m->name), "unit", text(m->unit),
		"title", text(m->title), "better", betters[m->better], "scale", scales[m->scale]);
}

static json_t *estimate_json(const struct estimate *e)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:b}", "effect",
		number(e->effect), "lo", number(e->lo), "hi", number(e->hi), "p", number(e->p),
		"p_floor", number(e->p_floor), "detectable", number(e->detectable), "boot_sd",
		number(e->boot_sd), "base_median", number(e->base_median), "arm_median",
		number(e->arm_median), "blocks", count(e->blocks), "samples", count(e->samples),
		"outliers", count(e->outliers), "base_outliers", count(e->base_outliers),
		"far", count(e->far), "far_least", number(e->far_least), "turn_blocks", count(e->turn_blocks), "apart", number(e->apart), "apart_lo", number(e->apart_lo),
		"apart_hi", number(e->apart_hi), "constant", e->constant, "paired", e->paired);
}

static json_t *row_json(const struct row *r)
{
	return json_pack("{s:o,s:o,s:o,s:b,s:b,s:b,s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "cell",
		text(r->cell), "arm", text(r->arm), "metric", metric_json(&r->metric), "primary",
		r->primary, "control", r->control, "layout", r->layout, "layout_effect",
		number(r->layout_effect), "verdict", verdict_name(r->verdict), "estimate",
		estimate_json(&r->e), "p_adj", number(r->p_adj), "limit", number(r->limit),
		"more_blocks", count(r->more_blocks), "base_failed", count(r->base_failed),
		"arm_failed", count(r->arm_failed), "note", text(r->note));
}

static json_t *samples_json(const struct comparison *c)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o}", "compared", count(c->ok), "warmup",
		count(c->warmups), "failed", count(c->failed), "skipped", count(c->skipped),
		"outliers", count(c->outliers));
}

static json_t *control_json(const struct comparison *c)
{
	double lo, hi;

	stats_proportion(c->control_changed, c->control_total, 0.05, &lo, &hi);
	return json_pack("{s:o,s:o,s:o,s:o,s:o}", "comparisons", count(c->control_total), "changed",
		count(c->control_changed), "below_alpha", count(c->control_below_alpha), "rate_lo",
		number(lo), "rate_hi", number(hi));
}

json_t *comparison_to_json(const struct comparison *c)
{
	json_t *rows = json_array(), *warnings = json_array();

	for (size_t i = 0; i < c->nrows; i++)
		json_array_append_new(rows, row_json(&c->rows[i]));
	for (size_t i = 0; i < c->nwarnings; i++)
		json_array_append_new(warnings, text(c->warnings[i]));
	return json_pack("{s:o,s:o,s:o,s:s,s:o,s:s,s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:i}", "baseline",
		text(c->baseline), "alpha", number(c->alpha), "threshold", number(c->threshold),
		"correction", c->correction, "comparisons", count(c->primary_count), "executor",
		c->executor, "paired", c->paired, "blocks", count(c->blocks), "p_floor",
		number(c->p_floor), "samples", samples_json(c), "control", control_json(c), "rows",
		rows, "percentiles_left_out", count(c->percentiles_left_out), "warnings", warnings,
		"status", (int)comparison_status(c));
}
