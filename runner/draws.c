// SPDX-License-Identifier: GPL-2.0-or-later
#include "draws.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "compare_rows.h"
#include "tally.h"
#include "util.h"
#include "verdict.h"

/* One cell and arm of the pool, while comparisons are drawn from it. */
struct pool {
	const struct row *row;
	struct pairs pairs;
	const struct draw_options *opt;
	double alpha, threshold;
};

static size_t add_values(const struct group *g, double *to)
{
	memcpy(to, g->v, g->n * sizeof(*to));
	return g->n;
}

static size_t count_values(const struct pair *pairs, size_t n)
{
	size_t values = 0;

	for (size_t i = 0; i < n; i++)
		values += pairs[i].base.n + pairs[i].arm.n;
	return values;
}

static void judge_by_rules(const struct pair *pairs, size_t n, struct draw_row *to)
{
	size_t all = count_values(pairs, n), na = 0, nb = 0;
	double *a = xcalloc(all, sizeof(*a)), *b = xcalloc(all, sizeof(*b));

	for (size_t i = 0; i < n; i++) {
		na += add_values(&pairs[i].base, a + na);
		nb += add_values(&pairs[i].arm, b + nb);
	}
	for (size_t i = 0; i < RULES && na > 1 && nb > 1; i++)
		to->by_rule[i] += rules[i].judge(a, na, b, nb) != 0;
	free(a);
	free(b);
}

static void judge(const struct pool *p, const struct pair *pairs, struct draw_row *to)
{
	const struct verdict_rule rule = {p->alpha, p->threshold, 1};
	const struct stats_options opt = {
		.ratio = p->row->metric.scale == SCALE_RATIO, .alpha = p->alpha};
	struct row row = {.metric = p->row->metric, .layout_effect = NAN};
	double none = opt.ratio ? 1 : 0;

	to->draws++;
	judge_by_rules(pairs, p->opt->blocks, to);
	if (stats_compare(pairs, p->opt->blocks, &opt, &row.e))
		return;
	row.p_adj = row.e.p;
	verdict_judge(&row, &rule);
	free(row.note);
	if (!verdict_is_change(row.verdict))
		return;
	to->changed++;
	to->wrong_way += (row.e.effect - none) * (to->effect - none) < 0;
}

/* Deals the blocks out into as many comparisons as there are blocks for. */
static void deal(const struct pool *p, gsl_rng *r, struct draw_row *to)
{
	struct pair *pairs = xcalloc(p->pairs.n, sizeof(*pairs));
	size_t sets = p->pairs.n / p->opt->blocks;

	memcpy(pairs, p->pairs.v, p->pairs.n * sizeof(*pairs));
	gsl_ran_shuffle(r, pairs, p->pairs.n, sizeof(*pairs));
	for (size_t i = 0; i < sets; i++)
		judge(p, pairs + i * p->opt->blocks, to);
	to->disjoint = sets;
	free(pairs);
}

/* The share is that of all draws, the number that of the disjoint ones. */
static void set_interval(struct draw_row *r)
{
	double n = r->disjoint;

	stats_proportion(r->draws ? n * r->changed / r->draws : 0, n, 0.05, &r->lo, &r->hi);
}

static struct draw_row *add_row(struct draws *d)
{
	d->v = xrealloc_array(d->v, d->n + 1, sizeof(*d->v));
	d->v[d->n] = (struct draw_row){.effect = NAN};
	return &d->v[d->n++];
}

static void draw(struct pool *p, gsl_rng *r, struct draws *d)
{
	struct draw_row *to;

	if (p->pairs.n < p->opt->blocks)
		return;
	to = add_row(d);
	to->cell = xstrdup(p->row->cell);
	to->arm = xstrdup(p->row->arm);
	/* Another layout is another kernel: what it shows is no false alarm. */
	to->control = p->row->control && !p->row->layout && p->opt->inject == 0;
	to->effect = p->row->metric.scale == SCALE_RATIO && p->opt->inject != 0 ? 1 + p->opt->inject : p->row->e.effect;
	while (to->draws < p->opt->draws && !kab_interrupted)
		deal(p, r, to);
	set_interval(to);
}

/*
 * The arm's values are in an array of their own. What the arms of the run differ by already is taken out, so that what is
 * looked for is @share and no more.
 */
static void inject(const struct groups *arm, const struct row *row, double share)
{
	double by = row->metric.scale == SCALE_RATIO ? (1 + share) / row->e.effect : 1 + share;

	for (size_t i = 0; i < arm->n && share != 0; i++)
		for (size_t k = 0; k < arm->v[i].n; k++)
			((double *)arm->v[i].v)[k] *= by;
}

static void draw_row(const struct comparison *c, const struct row *row, const struct tallies *t,
	const struct draw_options *opt, gsl_rng *r, struct draws *d)
{
	struct pool p = {.row = row, .opt = opt, .alpha = c->alpha, .threshold = c->threshold};
	struct groups base, arm;

	groups_make(tallies_find(t, row->cell, c->baseline), row->metric.name, UNIT_BLOCK, &base);
	groups_make(tallies_find(t, row->cell, row->arm), row->metric.name, UNIT_BLOCK, &arm);
	inject(&arm, row, opt->inject);
	pairs_make(&base, &arm, &p.pairs);
	draw(&p, r, d);
	pairs_clear(&p.pairs);
	groups_clear(&base);
	groups_clear(&arm);
}

/* All rows of @arm, or with NULL all controls, as one. */
static void add_sum(struct draws *d, size_t rows, bool control, const char *arm)
{
	struct draw_row sum = {.control = control, .effect = NAN};
	size_t n = 0;

	for (size_t i = 0; i < rows; i++) {
		const struct draw_row *r = &d->v[i];

		if (r->control != control || (arm && strcmp(arm, r->arm)))
			continue;
		n++;
		sum.draws += r->draws;
		/* Cells share boots, so that they do not count as so many more. */
		sum.disjoint = fmax(sum.disjoint, r->disjoint);
		sum.changed += r->changed;
		sum.wrong_way += r->wrong_way;
		for (size_t k = 0; k < RULES; k++)
			sum.by_rule[k] += r->by_rule[k];
	}
	if (n < 2)
		return;
	set_interval(&sum);
	sum.arm = arm ? xstrdup(arm) : NULL;
	*add_row(d) = sum;
}

static void add_sums(struct draws *d)
{
	size_t rows = d->n;

	add_sum(d, rows, true, NULL);
	for (size_t i = 0; i < rows; i++) {
		bool seen = d->v[i].control;

		for (size_t k = 0; k < i && !seen; k++)
			seen = !d->v[k].control && !strcmp(d->v[k].arm, d->v[i].arm);
		if (!seen)
			add_sum(d, rows, false, d->v[i].arm);
	}
}

static double seconds_of(const struct store *run, unsigned blocks)
{
	const json_t *o = store_run(run);
	json_int_t wall =
		json_integer_value(json_object_get(json_object_get(o, "overhead"), "wall_ns"));
	json_int_t boots = json_integer_value(json_object_get(json_object_get(o, "plan"), "boots"));

	if (!wall || !boots || !store_finished(o))
		return NAN;
	return wall / 1e9 / boots * 2 * blocks;
}

int draws_make(
	const struct store *run, const struct draw_options *opt, struct draws *d, struct error *err)
{
	struct comparison *c = compare_runs(run, NULL,
		&(struct compare_options){.alpha = opt->alpha, .threshold = opt->threshold}, err);
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);
	struct tallies t;

	*d = (struct draws){.blocks = opt->blocks, .seconds = seconds_of(run, opt->blocks)};
	if (!c) {
		gsl_rng_free(r);
		return -1;
	}
	tallies_collect(run, false, &t);
	for (size_t i = 0; i < c->nrows; i++)
		if (c->rows[i].primary && isfinite(c->rows[i].e.effect))
			draw_row(c, &c->rows[i], &t, opt, r, d);
	add_sums(d);
	tallies_clear(&t);
	gsl_rng_free(r);
	comparison_free(c);
	if (kab_interrupted)
		return error_set(err, KAB_INTERRUPTED, "interrupted");
	if (d->n)
		return 0;
	return error_set(err, KAB_USAGE,
		"%s: no cell has the %u blocks of one comparison; --draw-blocks takes fewer",
		store_path(run), opt->blocks);
}

void draws_clear(struct draws *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].cell);
		free(d->v[i].arm);
	}
	free(d->v);
	*d = (struct draws){};
}
