// SPDX-License-Identifier: GPL-2.0-or-later
#include <fnmatch.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "synthetic.h"
#include "util.h"

struct maker {
	const struct synth *s;
	struct matrix *matrix;
	struct plan *plan;
	struct store *store;
	gsl_rng *r;
	double drift;
	double *shift;	/* of this boot, by rule and cell */
	unsigned *turn; /* how often each cell has run in this boot */
};

static json_t *parse(const char *text)
{
	json_t *o = text ? json_loads(text, 0, NULL) : NULL;

	assert_true(!text || o);
	return o;
}

static bool applies(const struct synth_rule *r, const struct sample *smp, unsigned turn)
{
	return (!r->every || turn % r->every == 0) && (!r->arm || !strcmp(r->arm, smp->arm)) &&
	       (!r->cell || !fnmatch(r->cell, smp->cell, 0)) && smp->block >= r->from_block &&
	       (!r->to_block || smp->block < r->to_block);
}

static double warmup_factor(const struct maker *m, const struct sample *smp)
{
	return smp->warmup && m->s->warmup_factor != 0 ? m->s->warmup_factor : 1;
}

/* Of the machine, for one sample in this turn of this block. */
static double slowness(const struct maker *m, unsigned block, unsigned turn)
{
	uint32_t scattered = (block * 1000 + turn) * 2654435761u;
	bool slow;

	if (m->s->slow_turns == 0)
		return 0;
	slow = scattered >> 31;
	return (gsl_rng_uniform(m->r) < 0.125 ? !slow : slow) ? m->s->slow_turns : 0;
}

static void follow(const struct maker *m, size_t rule, size_t cell, struct sample *smp)
{
	const struct synth_rule *r = &m->s->rules[rule];
	double shift = m->shift[rule * m->plan->ncells + cell],
	       noise = gsl_ran_gaussian(m->r, r->sample_sd);

	if (!applies(r, smp, m->turn[cell]))
		return;
	if (r->status != SAMPLE_OK) {
		smp->status = r->status;
		free(smp->reason);
		smp->reason = r->reason ? xstrdup(r->reason) : NULL;
	}
	if (r->metric && !strcmp(r->metric, "ops"))
		smp->ops = (uint64_t)(r->mean * exp(noise));
	else if (r->a_sample)
		sample_set_metric(smp, r->metric, round(r->mean * exp(noise)) / (double)smp->ops);
	/* A count that never varies stays what it is. */
	else if (r->metric && r->boot_sd == 0 && r->sample_sd == 0 && r->slope == 0)
		sample_set_metric(smp, r->metric, r->mean * warmup_factor(m, smp));
	else if (r->metric)
		sample_set_metric(smp, r->metric,
			warmup_factor(m, smp) * r->mean *
				exp(m->drift + shift + noise + r->slope * m->turn[cell] -
					slowness(m, smp->block, m->turn[cell])));
}

static void add_sample(struct maker *m, const struct plan_boot *b, const struct plan_sample *ps)
{
	struct sample smp = {
		.id = xstrdup(ps->id),
		.boot_id = xstrdup(b->id),
		.arm = xstrdup(m->plan->matrix->arms[b->arm].label),
		.cell = xstrdup(m->plan->cells[ps->cell].id),
		.started = xstrdup("2026-01-31T12:00:00Z"),
		.block = b->block,
		.boot = b->number,
		.seq = ps->seq,
		.turn = m->matrix->together ? ps->turn + 1 : 0,
		.life = b->number == 1 ? m->s->life : 0,
		.warmup = ps->warmup,
		.ops = 1000,
		.elapsed_ns = 100000000,
	};
	struct error err;

	for (size_t i = 0; i < m->s->nrules; i++)
		follow(m, i, ps->cell, &smp);
	m->turn[ps->cell]++;
	assert_int_equal(store_append(m->store, &smp, &err), 0);
	sample_clear(&smp);
}

static void write_env(struct maker *m, const struct plan_boot *b)
{
	const char *env = m->s->arm_env[b->arm];
	__free_char char *dir = NULL, *text = NULL;

	if (!env)
		return;
	dir = store_boot_dir(m->store, b->number, b->number == 1 ? m->s->life : 0, NULL);
	assert_non_null(dir);
	text = xasprintf("{\"env\": %s}", env);
	fixture_write(dir, "boot.json", text);
}

static void add_boot(struct maker *m, const struct plan_boot *b)
{
	size_t cells = m->plan->ncells;

	for (size_t i = 0; i < m->s->nrules; i++)
		for (size_t j = 0; j < cells; j++)
			m->shift[i * cells + j] = gsl_ran_gaussian(m->r, m->s->rules[i].boot_sd);
	memset(m->turn, 0, cells * sizeof(*m->turn));
	write_env(m, b);
	for (size_t i = 0; i < b->nsamples; i++)
		if (!m->s->measured ||
			!fnmatch(m->s->measured, m->plan->cells[b->samples[i].cell].id, 0))
			add_sample(m, b, &b->samples[i]);
}

static void make(struct maker *m)
{
	const struct synth *s = m->s;
	json_t *finished = json_pack("{s:s}", "state", "finished");
	unsigned block = 0;

	m->r = gsl_rng_alloc(gsl_rng_mt19937);
	gsl_rng_set(m->r, s->seed);
	m->shift = xcalloc(s->nrules * m->plan->ncells, sizeof(*m->shift));
	m->turn = xcalloc(m->plan->ncells, sizeof(*m->turn));
	for (size_t i = 0; i < m->plan->nboots; i++) {
		if (m->plan->boots[i].block != block)
			m->drift += gsl_ran_gaussian(m->r, s->drift_sd);
		block = m->plan->boots[i].block;
		add_boot(m, &m->plan->boots[i]);
	}
	if (!s->unfinished)
		assert_int_equal(store_update(m->store, finished, NULL), 0);
	json_decref(finished);
	gsl_rng_free(m->r);
	free(m->shift);
	free(m->turn);
}

char *synth_results(void)
{
	char memory[] = "/dev/shm/kab-test-XXXXXX", disk[] = "/tmp/kab-test-XXXXXX";
	const char *made = mkdtemp(memory);

	made = made ? made : mkdtemp(disk);
	assert_non_null(made);
	return xstrdup(made);
}

char *synth_run(const char *results, const struct synth *s)
{
	json_t *options = s->aa		? json_pack("{s:b}", "aa", 1)
			  : s->only ? json_pack("{s:s}", "only", s->only)
				    : NULL,
	       *arms = parse(s->arms), *host = parse(s->host);
	/* The order takes part in what the generator gives to whom. */
	const struct plan_options opt = {.aa = s->aa, .only = s->only, .seed = s->seed + 1};
	struct maker m = {.s = s};
	struct error err;
	char *path;

	m.matrix = matrix_parse("synthetic.yaml", s->matrix, &err);
	if (!m.matrix)
		fail_msg("%s", err.text);
	m.plan = plan_make(m.matrix, &opt, &err);
	if (!m.plan)
		fail_msg("%s", err.text);
	m.store = store_create(results, m.plan, options, arms, host, &err);
	if (!m.store)
		fail_msg("%s", err.text);
	make(&m);
	path = xstrdup(store_path(m.store));
	store_close(m.store);
	plan_free(m.plan);
	matrix_free(m.matrix);
	json_decref(options);
	json_decref(arms);
	json_decref(host);
	return path;
}
