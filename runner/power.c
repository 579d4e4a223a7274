// SPDX-License-Identifier: GPL-2.0-or-later
#include "power.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_rng.h>
#include <gsl/gsl_statistics.h>

#include "compare_rows.h"
#include "run.h"
#include "run_text.h"
#include "tally.h"
#include "util.h"

#define ALPHA 0.05
#define RESAMPLES 40

/* Variances of one cell, over the arms of the earlier run. */
struct variances {
	/* Of arms whose boots have their samples to themselves. */
	double spread;	/* sum of squares of struct estimate.boot_sd */
	double blocks;	/* sum of variances of a block's effect, outliers and all */
	double within;	/* sum of variances of one sample in its boot */
	double samples; /* sum of samples a boot */
	size_t narms, nboots;
	/* Of arms whose blocks take turns. */
	double in_turns; /* sum of variances of a block's effect that is the median of the plan's number of turns */
	size_t nturns;	 /* arms of which that is known */
};

static double in_scale(double v, bool ratio)
{
	return ratio ? log(v) : v;
}

/* Returns the boot's mean; what its samples vary by is added where there are two or more. */
static double add_boot(const struct group *g, bool ratio, struct variances *s)
{
	double *v = xcalloc(g->n, sizeof(*v)), mean;

	for (size_t i = 0; i < g->n; i++)
		v[i] = in_scale(g->v[i], ratio);
	mean = gsl_stats_mean(v, 1, g->n);
	if (g->n > 1) {
		s->within += gsl_stats_variance(v, 1, g->n);
		s->samples += g->n;
		s->nboots++;
	}
	free(v);
	return mean;
}

/* The square of struct estimate.boot_sd, of blocks with these effects. */
static double squared_spread(const double *effect, size_t n)
{
	static const double nothing = 0;
	struct pair *p = xcalloc(n, sizeof(*p));
	struct estimate e;

	for (size_t i = 0; i < n; i++)
		p[i] = (struct pair){{.v = &nothing, .n = 1}, {.v = &effect[i], .n = 1}};
	if (stats_compare(p, n, &(struct stats_options){.alpha = ALPHA}, &e))
		e.boot_sd = NAN;
	free(p);
	return e.boot_sd * e.boot_sd;
}

/* The turns of each block of one arm. */
struct turns {
	struct {
		double *d;
		size_t n;
	} *v;
	size_t n;
};

static void turns_make(const struct pairs *pairs, struct turns *t)
{
	*t = (struct turns){.v = xcalloc(pairs->n + 1, sizeof(*t->v))};
	for (size_t i = 0; i < pairs->n; i++) {
		double *d = xcalloc(pairs->v[i].base.n, sizeof(*d));
		size_t n = stats_turn_shifts(&pairs->v[i], d);

		if (n) {
			t->v[t->n].d = d;
			t->v[t->n++].n = n;
		} else {
			free(d);
		}
	}
}

static void turns_clear(struct turns *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].d);
	free(t->v);
}

/* How much blocks vary if each is the median of @n (0: as many as it has) of its turns, drawn with replacement. */
static double resampled(const struct turns *t, size_t n, gsl_rng *r)
{
	double *effect = xcalloc(t->n, sizeof(*effect)), sum = 0;

	for (unsigned k = 0; k < RESAMPLES; k++) {
		for (size_t i = 0; i < t->n; i++) {
			size_t draw = n ? n : t->v[i].n;
			double *d = xcalloc(draw, sizeof(*d));

			for (size_t j = 0; j < draw; j++)
				d[j] = t->v[i].d[gsl_rng_uniform_int(r, t->v[i].n)];
			effect[i] = gsl_stats_median(d, 1, draw);
			free(d);
		}
		sum += squared_spread(effect, t->n);
	}
	free(effect);
	return sum / RESAMPLES;
}

/*
 * What blocks in turns would vary by with @samples of these: resampled() has what turns vary by twice, once as they were
 * measured and once as they are drawn, and how much that is in the blocks as they are tells by what they vary less. A
 * formula would not do: on a machine of two speeds turns are far from normal, and a median of few of them, too.
 */
static double turns_variance(const struct turns *t, double spread, unsigned samples)
{
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);
	double as_it_is = resampled(t, 0, r), wanted = resampled(t, samples, r);

	gsl_rng_free(r);
	return fmax(wanted - fmax(as_it_is - spread, 0), 0);
}

/* Of an arm whose blocks take turns. */
static void add_turns(const struct pairs *pairs, double spread, unsigned samples, struct variances *s)
{
	struct turns t;

	turns_make(pairs, &t);
	if (t.n > 1)
		s->in_turns += turns_variance(&t, spread, samples);
	s->nturns += t.n > 1;
	turns_clear(&t);
}

/* Of an arm whose boots have their samples to themselves: effects of blocks are of means. */
static void add_boots(const struct pairs *pairs, double spread, bool ratio, struct variances *s)
{
	double *effect = xcalloc(pairs->n, sizeof(*effect));

	for (size_t i = 0; i < pairs->n; i++)
		effect[i] = add_boot(&pairs->v[i].arm, ratio, s) - add_boot(&pairs->v[i].base, ratio, s);
	s->blocks += gsl_stats_variance(effect, 1, pairs->n);
	s->spread += spread;
	s->narms++;
	free(effect);
}

static void add_arm(const struct tallies *t, const struct comparison *c, const struct row *row, unsigned samples,
	struct variances *s)
{
	double spread = row->e.boot_sd * row->e.boot_sd;
	struct groups base, arm;
	struct pairs pairs;

	groups_make(tallies_find(t, row->cell, c->baseline), row->metric.name, UNIT_BLOCK, &base);
	groups_make(tallies_find(t, row->cell, row->arm), row->metric.name, UNIT_BLOCK, &arm);
	pairs_make(&base, &arm, &pairs);
	if (row->e.turn_blocks)
		add_turns(&pairs, spread, samples, s);
	else
		add_boots(&pairs, spread, row->metric.scale == SCALE_RATIO, s);
	pairs_clear(&pairs);
	groups_clear(&base);
	groups_clear(&arm);
}

/*
 * What a block's effect varies by with @samples in each boot: the samples' part shrinks with their
 * number, the boots' part does not. The earlier run's blocks hold both, and the ratio of variances
 * before and after is taken for true of the spread, which outliers have no part in.
 */
static double block_sd(const struct variances *s, unsigned samples)
{
	double all = s->blocks / s->narms, spread = sqrt(s->spread / s->narms), within, before;

	if (s->nturns)
		return sqrt(s->in_turns / s->nturns);
	if (!s->nboots || !(all > 0))
		return spread;
	within = 2 * s->within / s->nboots;
	before = s->samples / s->nboots;
	return spread * sqrt((fmax(all - within / before, 0) + within / samples) /
				fmax(all, within / before));
}

/* The first primary row of @cell; its metric stands for the cell. */
static const struct row *row_of(const struct comparison *c, const char *cell)
{
	for (size_t i = 0; i < c->nrows; i++)
		if (c->rows[i].primary && !strcmp(c->rows[i].cell, cell) &&
			isfinite(c->rows[i].e.boot_sd))
			return &c->rows[i];
	return NULL;
}

static void fill_row(const struct plan *plan, const struct comparison *c, const struct tallies *t,
	struct power *p, struct power_row *to)
{
	const struct row *first = row_of(c, to->cell);
	size_t m = plan_primary_comparisons(plan);
	struct estimate e = {.paired = true, .blocks = plan_blocks(plan)};
	struct variances s = {};
	bool ratio;
	double unit;

	if (!first)
		return;
	for (size_t i = 0; i < c->nrows; i++)
		if (row_of(c, to->cell) && !strcmp(c->rows[i].cell, to->cell) &&
			!strcmp(c->rows[i].metric.name, first->metric.name) &&
			isfinite(c->rows[i].e.boot_sd))
			add_arm(t, c, &c->rows[i], plan->matrix->samples, &s);
	if (!p->from_blocks || first->e.blocks < p->from_blocks)
		p->from_blocks = first->e.blocks;
	ratio = first->metric.scale == SCALE_RATIO;
	unit = ratio ? 1 : fabs(first->e.base_median);
	e.boot_sd = to->block_sd = block_sd(&s, plan->matrix->samples);
	to->metric = xstrdup(first->metric.name);
	to->visible = stats_detectable(&e, ALPHA, m, ratio) / unit;
	for (size_t i = 0; i < p->neffects; i++)
		to->blocks[i] = stats_blocks_needed(&e, p->effects[i] * unit, ALPHA, m, ratio);
}

/*
 * Variances of normal values go by chi-square, and blocks by variances. From 20 blocks on the spread is read off an interval
 * (struct estimate.boot_sd), which knows about half as much of it: by simulation, see test_power.c.
 */
double power_at_most(size_t blocks)
{
	double degrees = blocks < 20 ? (double)blocks - 1 : blocks / 2.0;

	return blocks > 1 ? degrees / gsl_cdf_chisq_Pinv(0.05, degrees) : INFINITY;
}

static void sum_up(struct power *p)
{
	p->at_most = power_at_most(p->from_blocks);
	for (size_t k = 0; k < p->neffects; k++) {
		bool known = true;

		for (size_t i = 0; i < p->n; i++) {
			if (isnan(p->v[i].block_sd))
				continue;
			known &= p->v[i].blocks[k] > 0;
			if (p->v[i].blocks[k] > p->blocks[k])
				p->blocks[k] = p->v[i].blocks[k];
		}
		p->blocks[k] = known ? p->blocks[k] : 0;
	}
}

static bool any_known(const struct power *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!isnan(p->v[i].block_sd))
			return true;
	return false;
}

static void set_effects(struct power *p, double effect)
{
	static const double usual[] = {0.01, 0.02, 0.05, 0.1};

	p->neffects = effect > 0 ? 1 : ARRAY_SIZE(usual);
	memcpy(p->effects, effect > 0 ? &effect : usual, p->neffects * sizeof(*usual));
}

/* What the run took, as a multiple of what would have been told of it beforehand; 1: it does not say. */
static double pace_of(const struct store *run)
{
	const json_t *o = store_run(run);
	double wall_s = (double)json_integer_value(json_object_get(json_object_get(o, "overhead"), "wall_ns")) / 1e9;
	const struct plan_options opt = {
		.only = json_string_value(json_object_get(json_object_get(o, "options"), "only")),
		.blocks = (unsigned)json_integer_value(json_object_get(json_object_get(o, "plan"), "blocks")),
		.aa = json_is_true(json_object_get(json_object_get(o, "options"), "aa")),
		.seed = 1,
	};
	struct plan *plan = plan_make(store_matrix(run), &opt, NULL);
	double told = plan ? run_estimate_s(plan) : 0;

	plan_free(plan);
	return told > 0 && wall_s > 0 ? wall_s / told : 1;
}

int power_make(const struct plan *plan, const struct store *earlier, double effect, struct power *p,
	struct error *err)
{
	bool apart = !plan->matrix->together;
	struct comparison *c =
		compare_runs(earlier, NULL, &(struct compare_options){.alpha = ALPHA, .apart = apart}, err);
	struct tallies t;

	*p = (struct power){.run = xstrdup(store_path(earlier)), .pace = pace_of(earlier)};
	if (!c)
		return -1;
	if (store_matrix(earlier)->executor != plan->matrix->executor) {
		comparison_free(c);
		return error_set(err, KAB_USAGE, "%s: is of the executor %s, the matrix of %s; expected a run of the same kind", p->run,
			executor_kind_name(store_matrix(earlier)->executor), executor_kind_name(plan->matrix->executor));
	}
	if (plan->matrix->together && !store_matrix(earlier)->together) {
		comparison_free(c);
		return error_set(err, KAB_USAGE,
			"%s: its arms were not up together, as those of the matrix will be; expected a run with together: true", p->run);
	}
	set_effects(p, effect);
	tallies_collect(earlier, apart, &t);
	p->v = xcalloc(plan->ncells, sizeof(*p->v));
	for (size_t i = 0; i < plan->ncells; i++) {
		if (plan->matrix->workloads[plan->cells[i].workload].secondary)
			continue;
		p->v[p->n] = (struct power_row){
			.cell = xstrdup(plan->cells[i].id), .block_sd = NAN, .visible = NAN};
		fill_row(plan, c, &t, p, &p->v[p->n++]);
	}
	sum_up(p);
	tallies_clear(&t);
	comparison_free(c);
	if (any_known(p))
		return 0;
	return error_set(err, KAB_USAGE,
		"%s: has two blocks or more of no cell of this matrix; 'kab show' lists its own",
		p->run);
}

void power_clear(struct power *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].cell);
		free(p->v[i].metric);
	}
	free(p->v);
	free(p->run);
	*p = (struct power){};
}

static size_t boots_a_block(const struct plan *plan)
{
	return plan->nboots / plan_blocks(plan);
}

static double minutes(const struct power *p, const struct plan *plan, unsigned blocks)
{
	return p->pace * run_estimate_s(plan) / plan_blocks(plan) * blocks / 60;
}

static void add_row(struct buf *b, const struct power *p, const struct power_row *r, int width)
{
	buf_addf(b, "  %-*s", width, r->cell);
	if (isnan(r->block_sd)) {
		buf_addstr(b, "  not in that run\n");
		return;
	}
	for (size_t i = 0; i < p->neffects; i++) {
		if (r->blocks[i])
			buf_addf(b, " %8u", r->blocks[i]);
		else
			buf_addf(b, " %8s", ">10000");
	}
	if (isinf(r->visible))
		buf_addstr(b, "   nothing\n");
	else
		buf_addf(b, "   %.2g %%\n", r->visible * 100);
}

char *power_table(const struct power *p, const struct plan *plan)
{
	int width = strlen("cell");
	struct buf b = {};

	for (size_t i = 0; i < p->n; i++)
		width = (int)strlen(p->v[i].cell) > width ? (int)strlen(p->v[i].cell) : width;
	buf_addf(&b,
		"Blocks that find an effect with 80 %% power, corrected over %zu comparison%s,\n"
		"from the variance in %s:\n  %-*s",
		plan_primary_comparisons(plan), plan_primary_comparisons(plan) == 1 ? "" : "s",
		p->run, width, "cell");
	for (size_t i = 0; i < p->neffects; i++)
		buf_addf(&b, " %6.3g %%", p->effects[i] * 100);
	buf_addf(&b, "   %u blocks see\n", plan_blocks(plan));
	for (size_t i = 0; i < p->n; i++)
		add_row(&b, p, &p->v[i], width);
	for (size_t i = 0; i < p->neffects; i++) {
		char time[32];

		if (!p->blocks[i])
			continue;
		run_text_duration(minutes(p, plan, p->blocks[i]) * 60, time, sizeof(time));
		buf_addf(&b, "  %.3g %% in every cell: %u blocks, %zu %ss, about %s\n",
			p->effects[i] * 100, p->blocks[i], p->blocks[i] * boots_a_block(plan),
			executor_boot_name(plan->matrix->executor), time);
	}
	buf_addf(&b, "  %zu blocks told the variance, which may be greater: it may take up to %.2g times as many (95 %%)\n",
		p->from_blocks, p->at_most);
	return b.data;
}

/* JSON has no NAN. */
static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *count(unsigned n)
{
	return n ? json_integer(n) : json_null();
}

json_t *power_to_json(const struct power *p, const struct plan *plan)
{
	json_t *effects = json_array(), *cells = json_array();

	for (size_t k = 0; k < p->neffects; k++)
		json_array_append_new(
			effects, json_pack("{s:f,s:o,s:o,s:o}", "effect", p->effects[k], "blocks",
					 count(p->blocks[k]), "boots",
					 count(p->blocks[k] * boots_a_block(plan)), "minutes",
					 p->blocks[k] ? json_real(minutes(p, plan, p->blocks[k])) : json_null()));
	for (size_t i = 0; i < p->n; i++) {
		const struct power_row *r = &p->v[i];
		json_t *blocks = json_array();

		for (size_t k = 0; k < p->neffects; k++)
			json_array_append_new(blocks, count(r->blocks[k]));
		json_array_append_new(
			cells, json_pack("{s:s,s:s?,s:o,s:o,s:o}", "cell", r->cell, "metric",
				       r->metric, "block_sd", number(r->block_sd), "visible",
				       number(r->visible), "blocks", blocks));
	}
	return json_pack("{s:s,s:I,s:o,s:o,s:o}", "run", p->run, "from_blocks", (json_int_t)p->from_blocks, "at_most",
		number(p->at_most), "effects", effects, "cells", cells);
}
