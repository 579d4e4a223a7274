// SPDX-License-Identifier: GPL-2.0-or-later
#include "compare_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>

#include "fixed_part.h"
#include "util.h"
#include "verdict.h"

/* One arm in one cell, against the baseline. */
struct meeting {
	const struct cell *cell;
	const struct workload_spec *workload;
	const struct tally *base, *arm;	 /* NULL: no sample at all */
	const char *cell_id, *arm_label; /* kept by the comparison */
	bool control, layout;
};

/* The figure that a workload is there for. */
static const char *main_metric(const struct workload_spec *w)
{
	return w->command ? w->figure.name : "ops_per_s";
}

static bool is_primary(const struct workload_spec *w, const struct metric *m)
{
	if (w->secondary)
		return false;
	return !strcmp(m->name, main_metric(w)) || (!w->command && m->primary);
}

static const struct estimate nothing = {
	.effect = NAN,
	.lo = NAN,
	.hi = NAN,
	.p = NAN,
	.p_floor = NAN,
	.detectable = NAN,
	.boot_sd = NAN,
	.far_least = NAN,
	.apart = NAN,
	.apart_lo = NAN,
	.apart_hi = NAN,
	.base_median = NAN,
	.arm_median = NAN,
};

static struct draft *add_draft(
	struct comparison *c, const struct meeting *at, const char *metric, struct drafts *to)
{
	struct metric m = metric_find(comparison_keep(c, metric));
	struct draft *d;

	to->v = xrealloc_array(to->v, to->n + 1, sizeof(*to->v));
	d = &to->v[to->n++];
	*d = (struct draft){
		.row =
			{
				.cell = at->cell_id,
				.arm = at->arm_label,
				.metric = m,
				.primary = is_primary(at->workload, &m),
				.control = at->control,
				.verdict = VERDICT_SHOWN,
				.e = nothing,
				.p_adj = NAN,
				.limit = NAN,
				.layout_effect = NAN,
				.layout = at->layout,
				.base_failed = at->base ? at->base->failed : 0,
				.arm_failed = at->arm ? at->arm->failed : 0,
			},
		.base = at->base,
		.arm = at->arm,
	};
	return d;
}

/* Why one side has nothing to compare, the less telling first. */
enum emptiness { HAS_SAMPLES, NOT_MEASURED, ALL_SKIPPED, ALL_FAILED };

static enum emptiness emptiness_of(const struct tally *t)
{
	if (t && t->nok)
		return HAS_SAMPLES;
	if (!t || !(t->failure || t->skip))
		return NOT_MEASURED;
	return t->failure ? ALL_FAILED : ALL_SKIPPED;
}

static char *tell_sample(const struct sample *s, const char *label)
{
	return xasprintf("%s on %s: %s", sample_status_name(s->status), label,
		s->reason ? s->reason : "no reason given");
}

/* One row stands for all metrics where a side has no good sample. */
static void add_empty(struct comparison *c, const struct meeting *at, struct drafts *to)
{
	struct row *r = &add_draft(c, at, main_metric(at->workload), to)->row;
	enum emptiness base = emptiness_of(at->base), arm = emptiness_of(at->arm);
	const struct tally *t = base > arm ? at->base : at->arm;
	const char *label = base > arm ? c->baseline : at->arm_label;

	switch (base > arm ? base : arm) {
	case HAS_SAMPLES:
	case NOT_MEASURED:
		r->verdict = VERDICT_UNCLEAR;
		r->note = base == arm ? xstrdup("not measured yet")
				      : xasprintf("not measured yet on %s", label);
		break;
	case ALL_SKIPPED:
		r->verdict = VERDICT_SKIPPED;
		r->note = tell_sample(t->skip, label);
		break;
	case ALL_FAILED:
		r->verdict = VERDICT_FAILED;
		r->note = tell_sample(t->failure, label);
		break;
	}
}

struct names {
	const char **v;
	size_t n;
};

static void add_names(struct names *names, const struct tally *t)
{
	for (size_t i = 0; i < t->nok; i++) {
		for (size_t j = 0; j < t->ok[i]->nmetrics; j++) {
			const char *name = t->ok[i]->metrics[j].name;
			size_t k = 0;

			while (k < names->n && strcmp(names->v[k], name))
				k++;
			if (k < names->n)
				continue;
			names->v = xrealloc_array(names->v, names->n + 1, sizeof(*names->v));
			names->v[names->n++] = name;
		}
	}
}

static size_t table_position(const char *name)
{
	size_t n, i = 0;
	const struct metric *table = metric_table(&n);

	while (i < n && strcmp(table[i].name, name))
		i++;
	return i;
}

/* As the table of metrics has them, then those it does not know by name. */
static int by_table(const void *left, const void *right)
{
	const char *a = *(const char *const *)left, *b = *(const char *const *)right;
	size_t at_a = table_position(a), at_b = table_position(b);

	return at_a != at_b ? (at_a > at_b) - (at_a < at_b) : strcmp(a, b);
}

/* Median of all values of @metric; NAN if there is none. */
static double median_of(const struct tally *t, const char *metric)
{
	double *v = xcalloc(t->nok, sizeof(*v)), median = NAN;
	size_t n = 0;

	for (size_t i = 0; i < t->nok; i++) {
		v[n] = sample_metric(t->ok[i], metric);
		n += isfinite(v[n]) != 0;
	}
	if (n) {
		gsl_sort(v, 1, n);
		median = gsl_stats_median_from_sorted_data(v, 1, n);
	}
	free(v);
	return median;
}

static void add_metric(
	struct comparison *c, const struct meeting *at, const char *name, struct drafts *to)
{
	struct draft *d = add_draft(c, at, name, to);
	struct estimate *e = &d->row.e;

	e->base_median = median_of(d->base, name);
	e->arm_median = median_of(d->arm, name);
	if (d->row.metric.scale == SCALE_PATCHED_ONLY)
		return;
	d->testable = isfinite(e->base_median) && isfinite(e->arm_median);
	if (d->testable)
		return;
	d->row.note = xasprintf("only %s has it", isfinite(e->arm_median) ? d->row.arm : c->baseline);
	/* What was to be decided and cannot be. */
	if (d->row.primary)
		d->row.verdict = VERDICT_UNCLEAR;
}

/* A percentile of fewer operations than it is a share of is their worst one under another name. */
static bool lacks_operations(const struct tally *t, const char *metric)
{
	uint64_t least = metric_least_ops(metric);

	for (size_t i = 0; i < t->nok; i++)
		if (t->ok[i]->latency.count && t->ok[i]->latency.count < least)
			return true;
	return false;
}

static void add_metrics(
	struct comparison *c, const struct meeting *at, bool primary_only, struct drafts *to)
{
	struct names names = {};

	add_names(&names, at->base);
	add_names(&names, at->arm);
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_table);
	for (size_t i = 0; i < names.n; i++) {
		const struct metric m = metric_find(names.v[i]);

		if (primary_only && !is_primary(at->workload, &m))
			continue;
		if (lacks_operations(at->base, names.v[i]) || lacks_operations(at->arm, names.v[i]))
			c->percentiles_left_out++;
		else
			add_metric(c, at, names.v[i], to);
	}
	free(names.v);
}

static bool same_kernel(const struct row_source *src, const char *arm)
{
	const struct store *other = src->other ? src->other : src->run;
	const char *base_key =
		json_string_value(json_object_get(store_arm(src->run, src->baseline), "key"));
	const char *arm_key = json_string_value(json_object_get(store_arm(other, arm), "key"));

	/* Local runs have no keys: within one of them the kernel is the same, of two nothing is
	 * known. */
	if (!base_key || !arm_key || !*base_key || !*arm_key)
		return !src->other && src->plan->matrix->executor == EXECUTOR_LOCAL;
	return !strcmp(base_key, arm_key);
}

static const struct params *params_of(const struct arm *arm, const char *workload)
{
	static const struct params none;

	for (size_t i = 0; i < arm->nparams; i++)
		if (!strcmp(arm->params[i].workload, workload))
			return &arm->params[i].params;
	return &none;
}

/* Same kernel, command line and parameters: any difference found is the harness's own. */
static bool is_control(const struct row_source *src, const struct arm *arm, const char *workload)
{
	const struct arm *base = matrix_arm(src->plan->matrix, src->baseline);

	return same_kernel(src, arm->label) &&
	       !strcmp(base->cmdline ? base->cmdline : "", arm->cmdline ? arm->cmdline : "") &&
	       params_equal(params_of(base, workload), params_of(arm, workload));
}

/* It is the one arm of its matrix; kab's own controls are none. */
static bool is_alone(const struct matrix *m, const char *label)
{
	const struct arm *arm = matrix_arm(m, label);
	size_t compared = 0;

	for (size_t i = 0; i < m->narms; i++)
		compared += m->arms[i].role == ARM_COMPARED;
	return compared == 1 && arm && arm->role == ARM_COMPARED;
}

const char *row_shown_label(const struct store *apart, const struct matrix *m, const char *arm)
{
	const json_t *env = apart ? json_object_get(store_run(apart), "env") : NULL;
	const char *label = json_string_value(json_object_get(env, "label"));

	return label && is_alone(m, arm) ? label : arm;
}

char *row_arm_name(const struct store *apart, const struct matrix *m, const char *arm, const char *baseline)
{
	const char *label = row_shown_label(apart, m, arm);

	return xasprintf("%s%s", apart && !strcmp(label, baseline) ? "second run's " : "", label);
}

/* An arm that copies the matrix's baseline says nothing of another one, and may leave cells out. */
static bool is_met(const struct row_source *src, const struct cell *cell, const struct arm *arm)
{
	const struct arm *base = src->other ? NULL : matrix_arm(src->arms, src->baseline);

	if (!src->other && !strcmp(arm->label, src->baseline))
		return false;
	/* A control as the baseline has cells of its own alone. */
	if (base && !arm_runs(base, cell->id))
		return false;
	if (arm->role == ARM_COMPARED)
		return true;
	return !src->other && !strcmp(src->baseline, src->plan->matrix->baseline) &&
	       arm_runs(arm, cell->id);
}

/* Text that both may lack. */
static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/*
 * The first parameter in which @a and @b differ, NULL: none. How long a sample takes is no matter of what is measured.
 */
static const char *different_key(const struct params *a, const struct params *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].key, "duration") && !same_text(a->v[i].value, params_get(b, a->v[i].key)))
			return a->v[i].key;
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->v[i].key, "duration") && !params_get(a, b->v[i].key))
			return b->v[i].key;
	return NULL;
}

/*
 * Names leave out what does not vary in a matrix, so that cells of two runs may share one and be two things: "mode", "command",
 * ...; NULL where they are one.
 */
static const char *difference(const struct row_source *src, const struct cell *cell)
{
	const struct matrix *m = src->plan->matrix, *other_m = src->other_plan->matrix;
	const struct workload_spec *w = &m->workloads[cell->workload];

	for (size_t i = 0; i < src->other_plan->ncells; i++) {
		const struct cell *o = &src->other_plan->cells[i];
		const struct workload_spec *other = &other_m->workloads[o->workload];

		if (strcmp(o->id, cell->id))
			continue;
		if (!same_text(w->command, other->command))
			return "command";
		if (!same_text(w->figure.expr, other->figure.expr))
			return "figure";
		if (m->machines[cell->machine].cpus != other_m->machines[o->machine].cpus)
			return "cpus";
		if (m->machines[cell->machine].nodes != other_m->machines[o->machine].nodes)
			return "nodes";
		return different_key(&cell->params, &o->params);
	}
	return NULL;
}

static void add_meeting(struct comparison *c, const struct row_source *src, const struct cell *cell,
	const struct arm *arm, struct drafts *to)
{
	__free_char char *name = row_arm_name(src->other, src->arms, arm->label, c->baseline);
	struct meeting at = {
		.workload = &src->plan->matrix->workloads[cell->workload],
		.base = tallies_find(src->base, cell->id, src->baseline),
		.arm = tallies_find(src->arm, cell->id, arm->label),
	};

	/* Of two runs only what both have; in one run, what has not been measured is told. */
	if (src->other && (!at.base || !at.arm))
		return;
	if (src->other && difference(src, cell)) {
		comparison_warn(c, "%s is not the same in the two runs, which differ in \"%s\": left out.", cell->id, difference(src, cell));
		return;
	}
	at.cell_id = comparison_keep(c, cell->id);
	at.arm_label = comparison_keep(c, name);
	at.layout = arm->role == ARM_LAYOUT;
	at.control = arm->role != ARM_COMPARED || is_control(src, arm, at.workload->name);
	if (emptiness_of(at.base) == HAS_SAMPLES && emptiness_of(at.arm) == HAS_SAMPLES)
		add_metrics(c, &at, src->primary, to);
	else
		add_empty(c, &at, to);
}

void drafts_make(struct comparison *c, const struct row_source *src, struct drafts *d)
{
	*d = (struct drafts){};
	if (!src->base->n)
		return;
	for (size_t i = 0; i < src->plan->ncells; i++)
		for (size_t j = 0; j < src->arms->narms; j++)
			if (is_met(src, &src->plan->cells[i], &src->arms->arms[j]))
				add_meeting(c, src, &src->plan->cells[i], &src->arms->arms[j], d);
}

void pairs_make(const struct groups *base, const struct groups *arm, struct pairs *p)
{
	*p = (struct pairs){
		.v = xcalloc(base->n, sizeof(*p->v)),
		.number = xcalloc(base->n, sizeof(*p->number)),
	};
	for (size_t i = 0, j = 0; i < base->n; i++) {
		while (j < arm->n && arm->number[j] < base->number[i])
			j++;
		if (j == arm->n || arm->number[j] != base->number[i])
			continue;
		p->number[p->n] = base->number[i];
		p->v[p->n++] = (struct pair){base->v[i], arm->v[j]};
	}
}

void pairs_clear(struct pairs *p)
{
	free(p->v);
	free(p->number);
	*p = (struct pairs){};
}

#define NO_PAIRS 1

static int estimate_paired(struct looks *looks, const struct draft *d, double fixed,
	const struct stats_options *opt, struct estimate *e, unsigned *left_out)
{
	struct groups base, arm;
	struct pairs pairs;
	int ret;

	groups_make_without(d->base, d->row.metric.name, fixed, UNIT_BLOCK, &base);
	groups_make_without(d->arm, d->row.metric.name, fixed, UNIT_BLOCK, &arm);
	pairs_make(&base, &arm, &pairs);
	*left_out = base.n + arm.n - 2 * pairs.n;
	if (!pairs.n)
		ret = NO_PAIRS;
	else if (looks)
		ret = looks_compare(looks, pairs.v, pairs.number, pairs.n, opt, e);
	else
		ret = stats_compare(pairs.v, pairs.n, opt, e);
	pairs_clear(&pairs);
	groups_clear(&base);
	groups_clear(&arm);
	return ret;
}

static int estimate_unpaired(const struct draft *d, double fixed, enum unit unit, const struct stats_options *opt,
	struct estimate *e)
{
	struct groups base, arm;
	int ret;

	groups_make_without(d->base, d->row.metric.name, fixed, unit, &base);
	groups_make_without(d->arm, d->row.metric.name, fixed, unit, &arm);
	ret = stats_compare_unpaired(base.v, base.n, arm.v, arm.n, opt, e);
	groups_clear(&base);
	groups_clear(&arm);
	return ret;
}

static int estimate(const struct comparison *c, struct looks *looks, const struct draft *d, double fixed,
	const struct stats_options *opt, struct estimate *e, unsigned *left_out)
{
	int ret;

	if (c->paired)
		ret = estimate_paired(looks, d, fixed, opt, e, left_out);
	else
		ret = estimate_unpaired(d, fixed, UNIT_BOOT, opt, e);
	e->unit = c->paired ? NULL : c->boot;
	/* On one machine that never reboots, visits do for boots, and where there is one, samples
	 * for visits. */
	if (!ret && !strcmp(c->executor, "local") && e->blocks < 2) {
		ret = estimate_unpaired(d, fixed, UNIT_SAMPLE, opt, e);
		e->unit = "sample";
	}
	return ret;
}

/*
 * Is a change of the same direction, and of some size, not shown without what may come with each sample whatever it does? An arm of
 * more operations has less of that an operation.
 */
static bool may_be_each_sample_s(const struct comparison *c, const struct draft *d)
{
	const struct stats_options opt = {.alpha = c->alpha, .comparisons = 1};
	const struct estimate *e = &d->row.e;
	double least = e->effect < 0 ? -e->hi : e->lo, fixed;
	struct estimate rest;
	unsigned left_out;

	if (!d->row.metric.counts_events || !(e->p < c->alpha))
		return false;
	fixed = fmax(fixed_part_at_most(d->base, d->row.metric.name), fixed_part_at_most(d->arm, d->row.metric.name));
	if (fixed == 0 || estimate(c, NULL, d, fixed, &opt, &rest, &left_out))
		return false;
	return !((e->effect < 0 ? -rest.hi : rest.lo) > fmin(verdict_limit(&d->row, c->threshold), least / 2));
}

bool draft_estimate(const struct comparison *c, struct draft *d)
{
	const struct stats_options opt = {
		.ratio = d->row.metric.scale == SCALE_RATIO,
		.alpha = c->alpha,
		.comparisons = d->comparisons,
	};
	struct estimate e;
	int ret = estimate(c, c->looks, d, 0, &opt, &e, &d->left_out);

	if (!ret) {
		d->row.e = e;
		d->row.each_sample_s = may_be_each_sample_s(c, d);
		return true;
	}
	d->row.verdict = VERDICT_UNCLEAR;
	d->row.no_ratio = ret != NO_PAIRS;
	d->row.note = xstrdup(ret == NO_PAIRS ? "no block has a good sample of both arms"
					      : "a value that is not above 0 has no ratio");
	return false;
}
