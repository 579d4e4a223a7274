// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Samples -> verdicts: rows are drafted, counted, estimated, corrected in families, judged.
 *
 * A family is what one correction goes over: all primary metrics together, and each other metric by
 * itself, over cells and arms; A/A controls are families apart. Only the first has to do with the
 * exit status. Were all secondary metrics one family, its hundreds of comparisons would leave none
 * of them decidable with the blocks that the primary ones need.
 */
#include "compare.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare_rows.h"
#include "conditions.h"
#include "doubts.h"
#include "util.h"
#include "verdict.h"

#define DEFAULT_ALPHA 0.05
#define DEFAULT_THRESHOLD 0.02
#define EXACT_THRESHOLD 0.002 /* exact mode repeats within 0.1-0.2 % */

const char *comparison_keep(struct comparison *c, const char *text)
{
	for (size_t i = 0; i < c->nstrings; i++)
		if (!strcmp(c->strings[i], text))
			return c->strings[i];
	c->strings = xrealloc_array(c->strings, c->nstrings + 1, sizeof(*c->strings));
	return c->strings[c->nstrings++] = xstrdup(text);
}

void comparison_warn(struct comparison *c, const char *fmt, ...)
{
	va_list ap;

	c->warnings = xrealloc_array(c->warnings, c->nwarnings + 1, sizeof(*c->warnings));
	va_start(ap, fmt);
	c->warnings[c->nwarnings++] = xvasprintf(fmt, ap);
	va_end(ap);
}

char *comparison_units(const char *unit, size_t n)
{
	return xasprintf("%s%s%s", unit ? unit : "block", n == 1 ? "" : "s", unit ? " a side" : "");
}

char *comparison_left_out(const struct comparison *c)
{
	size_t n = c->percentiles_left_out;

	return n ? xasprintf("%zu latency percentile%s left out: 99 %% takes 100 operations a "
			     "sample, "
			     "99.9 %% takes 1000",
			   n, n == 1 ? "" : "s")
		 : NULL;
}

void comparison_free(struct comparison *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nrows; i++)
		free(c->rows[i].note);
	for (size_t i = 0; i < c->nwarnings; i++)
		free(c->warnings[i]);
	for (size_t i = 0; i < c->nstrings; i++)
		free(c->strings[i]);
	free(c->rows);
	free(c->warnings);
	free(c->strings);
	free(c->baseline);
	looks_free(c->looks);
	free(c);
}

static bool same_family(const struct row *a, const struct row *b)
{
	if (a->primary != b->primary || a->control != b->control || a->layout != b->layout)
		return false;
	return a->primary || !strcmp(a->metric.name, b->metric.name);
}

/* Comparisons in the family of the @i-th draft. */
static size_t family_size(const struct drafts *d, size_t i)
{
	size_t n = 0;

	for (size_t j = 0; j < d->n; j++)
		n += d->v[j].testable && same_family(&d->v[i].row, &d->v[j].row);
	return n;
}

static void measure_families(struct drafts *d)
{
	for (size_t i = 0; i < d->n; i++)
		d->v[i].comparisons = family_size(d, i);
}

static void estimate(const struct comparison *c, struct drafts *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].testable)
			d->v[i].testable = draft_estimate(c, &d->v[i]);
}

static bool is_adjusted(const struct draft *d)
{
	return !isnan(d->row.p_adj);
}

/* The family of the @first draft. */
static void adjust_family(struct drafts *d, size_t first, bool bh)
{
	double *p = xcalloc(d->n, sizeof(*p));

	for (size_t i = 0; i < d->n; i++)
		p[i] = d->v[i].testable && same_family(&d->v[first].row, &d->v[i].row)
			       ? d->v[i].row.e.p
			       : NAN;
	if (bh)
		stats_bh(p, d->n);
	else
		stats_holm(p, d->n);
	for (size_t i = 0; i < d->n; i++)
		if (!isnan(p[i]))
			d->v[i].row.p_adj = p[i];
	free(p);
}

static void adjust(struct drafts *d, bool bh)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].testable && !is_adjusted(&d->v[i]))
			adjust_family(d, i, bh);
}

/* For want of a good sample on one side. */
static void tell_left_out(struct draft *d)
{
	char *note = d->row.note;

	d->row.note = xasprintf("%s%s%u block%s left out", note ? note : "", note ? "; " : "",
		d->left_out, d->left_out == 1 ? "" : "s");
	free(note);
}

static double size_of(const struct row *r, double effect)
{
	return r->metric.scale == SCALE_RATIO ? expm1(fabs(log(effect))) : fabs(effect);
}

/* What layout may do: up to the far end of its interval, where there is one. */
static double size_at_most(const struct row *r)
{
	return fmax(size_of(r, r->e.effect), fmax(size_of(r, r->e.lo), size_of(r, r->e.hi)));
}

/* Hands each row what the layout arm showed of its cell and metric. */
static void learn_layout(struct drafts *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct row *layout = &d->v[i].row;

		for (size_t j = 0; layout->layout && d->v[i].testable && j < d->n; j++) {
			struct row *r = &d->v[j].row;

			if (!r->control && r->cell == layout->cell &&
				!strcmp(r->metric.name, layout->metric.name))
				r->layout_effect = size_at_most(layout);
		}
	}
}

/* A layout arm that failed in a cell leaves its changes as they are, but not without a word. */
static void tell_layout_unknown(const struct drafts *d, struct row *r)
{
	char *note = r->note;

	if (r->control || !isnan(r->layout_effect) || !verdict_is_change(r->verdict))
		return;
	for (size_t i = 0; i < d->n; i++) {
		const struct row *layout = &d->v[i].row;

		if (!layout->layout || layout->cell != r->cell)
			continue;
		r->note = xasprintf("%s%swhat layout alone does was not measured", note ? note : "", note ? "; " : "");
		free(note);
		return;
	}
}

static void judge(const struct comparison *c, struct drafts *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct verdict_rule rule = {
			.alpha = c->alpha,
			.threshold = c->threshold,
			.comparisons = d->v[i].comparisons,
		};

		if (!d->v[i].testable)
			continue;
		verdict_judge(&d->v[i].row, &rule);
		tell_layout_unknown(d, &d->v[i].row);
		if (d->v[i].left_out)
			tell_left_out(&d->v[i]);
	}
}

/* Primary rows first, otherwise in the order of the drafts. */
static void take_rows(struct comparison *c, const struct drafts *d)
{
	c->rows = xcalloc(d->n, sizeof(*c->rows));
	for (int primary = 1; primary >= 0; primary--)
		for (size_t i = 0; i < d->n; i++)
			if (d->v[i].row.primary == primary)
				c->rows[c->nrows++] = d->v[i].row;
}

/* Samples of no arm of the matrix: somebody edited them, or they are of another run. */
static void warn_of_stranger(struct comparison *c, const struct tally *t)
{
	size_t n = t->nok + t->warmups + t->passes + t->skipped + t->failed;

	comparison_warn(c, "%zu sample%s of %s %s of the arm '%s', which the matrix does not have, and left out.", n, n == 1 ? "" : "s",
		t->cell, n == 1 ? "is" : "are", t->arm);
}

static void count_samples(struct comparison *c, const struct matrix *m, const struct tallies *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (!matrix_arm(m, t->v[i].arm)) {
			warn_of_stranger(c, &t->v[i]);
			continue;
		}
		c->ok += t->v[i].nok;
		c->warmups += t->v[i].warmups;
		c->skipped += t->v[i].skipped;
		c->failed += t->v[i].failed;
	}
}

/* The baseline's side of a cell stands in several rows, but its outliers count once. */
static void count_outliers(struct comparison *c)
{
	const char *cell = NULL, *metric = NULL;

	for (size_t i = 0; i < c->nrows && c->rows[i].primary; i++) {
		const struct row *r = &c->rows[i];
		bool same_base = cell == r->cell && metric == r->metric.name;

		c->outliers += r->e.outliers - (same_base ? r->e.base_outliers : 0);
		cell = r->cell;
		metric = r->metric.name;
	}
}

static void count_controls(struct comparison *c)
{
	for (size_t i = 0; i < c->nrows; i++) {
		const struct row *r = &c->rows[i];

		if (!r->control || r->layout || !r->primary || isnan(r->p_adj))
			continue;
		c->control_total++;
		c->control_changed += verdict_is_change(r->verdict);
		c->control_below_alpha += r->e.p < c->alpha;
	}
}

static void take_blocks(struct comparison *c, const struct estimate *e)
{
	c->blocks = e->blocks;
	c->unit = e->unit;
}

static void measure_floor(struct comparison *c)
{
	double floor = NAN;

	for (size_t i = 0; i < c->nrows && c->rows[i].primary; i++) {
		floor = fmin(floor, c->rows[i].e.p_floor);
		if (c->rows[i].e.blocks > c->blocks)
			take_blocks(c, &c->rows[i].e);
	}
	for (size_t i = 0; i < c->nrows && !c->blocks; i++)
		if (c->rows[i].e.blocks)
			take_blocks(c, &c->rows[i].e);
	c->p_floor = isnan(floor) ? 1 : fmin(1, floor * c->primary_count);
}

/* The arm that others are compared with; NULL with KAB_USAGE where there is none of that name. */
static const struct arm *find_baseline(
	const struct store *run, const struct matrix *m, const char *wanted, struct error *err)
{
	const char *label = wanted ? wanted : m->baseline;
	const struct arm *arm = matrix_arm(m, label);
	struct buf known = {};

	if (arm)
		return arm;
	for (size_t i = 0; i < m->narms; i++)
		buf_addf(&known, "%s%s", i ? ", " : "", m->arms[i].label);
	error_set(err, KAB_USAGE, "%s: no arm '%s' to be the baseline; it has %s", store_path(run),
		label, known.data ? known.data : "none");
	buf_free(&known);
	return NULL;
}

static double threshold_of(const struct matrix *m, double wanted)
{
	if (wanted > 0)
		return wanted;
	if (m->threshold > 0)
		return m->threshold;
	return m->executor == EXECUTOR_EXACT ? EXACT_THRESHOLD : DEFAULT_THRESHOLD;
}

/* The run's cells and arms; one block does, since only those are wanted. */
static struct plan *plan_of(const struct store *run, struct error *err)
{
	const json_t *options = json_object_get(store_run(run), "options");
	const struct plan_options opt = {
		.only = json_string_value(json_object_get(options, "only")),
		.blocks = 1,
		.aa = json_is_true(json_object_get(options, "aa")),
		.seed = 1,
	};

	return plan_make(store_matrix(run), &opt, err);
}

/* m of the correction that the exit status hangs on; where all arms are controls, theirs. */
static size_t primary_comparisons(const struct drafts *d)
{
	size_t arms = 0, controls = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct row *r = &d->v[i].row;

		arms += d->v[i].testable && r->primary && !r->control;
		controls += d->v[i].testable && r->primary && r->control;
	}
	return arms ? arms : controls;
}

static void compare(struct comparison *c, const struct row_source *src, bool bh)
{
	struct drafts d;

	drafts_make(c, src, &d);
	measure_families(&d);
	estimate(c, &d);
	/* Those that turned out to have no estimate take no part in the correction. */
	measure_families(&d);
	adjust(&d, bh);
	learn_layout(&d);
	judge(c, &d);
	take_rows(c, &d);
	c->primary_count = primary_comparisons(&d);
	free(d.v);
}

static void sum_up(struct comparison *c, const struct row_source *src)
{
	count_samples(c, src->plan->matrix, src->base);
	if (src->other)
		count_samples(c, src->other_plan->matrix, src->arm);
	count_outliers(c);
	count_controls(c);
	measure_floor(c);
	doubts_warn(c, src->base, src->other ? src->arm : NULL);
	conditions_warn(c, src->run, src->other);
}

static const char *correction_name(bool bh, const struct looks *looks)
{
	if (bh)
		return looks ? "group-sequential, Benjamini-Hochberg" : "Benjamini-Hochberg";
	return looks ? "group-sequential, Holm" : "Holm";
}

static struct comparison *comparison_alloc(
	const struct store *run, const struct compare_options *opt, bool paired)
{
	const struct matrix *m = store_matrix(run);
	struct comparison *c = xcalloc(1, sizeof(*c));

	c->alpha = opt->alpha > 0 ? opt->alpha : DEFAULT_ALPHA;
	c->threshold = threshold_of(m, opt->threshold);
	c->looks = paired ? looks_of_run(store_run(run)) : NULL;
	c->correction = correction_name(opt->bh, c->looks);
	c->executor = executor_kind_name(m->executor);
	c->boot = executor_boot_name(m->executor);
	c->paired = paired;
	c->unit = paired ? NULL : c->boot;
	return c;
}

static void warn_of_nothing(struct comparison *c, const struct row_source *src)
{
	if (c->nrows)
		return;
	if (src->arms->narms == 1)
		comparison_warn(c,
			"The run has one arm, %s, and nothing to compare it with; name a second "
			"run.",
			src->baseline);
	else
		comparison_warn(c, "The run has no samples to compare.");
}

struct comparison *compare_runs(const struct store *run, const struct store *other,
	const struct compare_options *opt, struct error *err)
{
	struct comparison *c = comparison_alloc(run, opt, !other);
	struct plan *plan = plan_of(run, err), *other_plan = other ? plan_of(other, err) : NULL;
	const struct arm *baseline =
		plan ? find_baseline(run, plan->matrix, opt->baseline, err) : NULL;
	struct tallies base = {}, arm = {};
	struct row_source src = {
		.run = run, .other = other, .plan = plan, .base = &base, .arm = &base,
		.primary = opt->primary};

	if (!baseline || (other && !other_plan))
		goto fail;
	if (other && other_plan->matrix->executor != plan->matrix->executor) {
		error_set(err, KAB_USAGE, "%s is of the executor %s, %s of %s: expected two runs of one kind", store_path(run),
			executor_kind_name(plan->matrix->executor), store_path(other),
			executor_kind_name(other_plan->matrix->executor));
		goto fail;
	}
	src.arms = other ? other_plan->matrix : plan->matrix;
	src.other_plan = other_plan;
	src.baseline = baseline->label;
	c->baseline = xstrdup(row_shown_label(other ? run : NULL, plan->matrix, baseline->label));
	tallies_collect(run, opt->apart, &base);
	if (other) {
		tallies_collect(other, true, &arm);
		src.arm = &arm;
	}
	compare(c, &src, opt->bh);
	if (other && !c->nrows) {
		error_set(err, KAB_USAGE, "%s and %s have no cell in common", store_path(run),
			store_path(other));
		goto fail;
	}
	warn_of_nothing(c, &src);
	sum_up(c, &src);
out:
	tallies_clear(&base);
	tallies_clear(&arm);
	plan_free(plan);
	plan_free(other_plan);
	return c;
fail:
	comparison_free(c);
	c = NULL;
	goto out;
}
