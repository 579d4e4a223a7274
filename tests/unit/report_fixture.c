// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "histogram.h"
#include "report_fixture.h"
#include "util.h"

const char report_matrix[] =
	"base: {package: linux-source-6.1}\n"
	"baseline: stock\n"
	"arms:\n"
	"  stock: {series: ['vm-local-cpu:1']}\n"
	"  patched: {series: [vm-local-cpu]}\n"
	"  flag-off: {series: [vm-local-cpu], params: {localcpu: {flag: 'off'}}}\n"
	"  again: {series: ['vm-local-cpu:1']}\n"
	"executor: {vm: {cpus: [1, 2, 4], nodes: 1, memory: 512M}}\n"
	"blocks: 12\n"
	"samples: 3\n"
	"warmup: 1\n"
	"seed: 7\n"
	"workloads:\n"
	"  - {name: localcpu}\n"
	"  - {name: pipe, mode: [process, thread]}\n"
	"  - {name: messaging, groups: [1, 4]}\n";

/* A number between -1 and 1 that the arguments alone decide, so that every run of the test sees the
 * same. */
static double wobble(unsigned a, unsigned b, unsigned c)
{
	uint64_t x =
		a * 0x9e3779b97f4a7c15ull + b * 0xc2b2ae3d27d4eb4full + c * 0x165667b19e3779f9ull;

	x ^= x >> 31;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 29;
	return (double)(x % 20001) / 10000 - 1;
}

static unsigned hash(const char *s)
{
	unsigned h = 5381;

	while (*s)
		h = h * 33 + (unsigned char)*s++;
	return h;
}

static void add_latency(struct sample *s, double median, unsigned operations)
{
	struct histogram *h = &s->latency;

	h->n = HIST_BUCKETS;
	h->bucket = xcalloc(HIST_BUCKETS, sizeof(*h->bucket));
	h->min = UINT64_MAX;
	for (unsigned i = 0; i < operations; i++) {
		double tail = i % 50 ? 1 : 3 + i % 7;
		uint64_t v = (uint64_t)(median * tail * (1 + 0.3 * wobble(i, s->seq, s->block)));

		h->bucket[hist_index(v)]++;
		h->min = v < h->min ? v : h->min;
		h->max = v > h->max ? v : h->max;
		h->sum += v;
		h->count++;
	}
	sample_set_metric(
		s, "latency_p50_ns", (double)hist_percentile(h->bucket, h->n, h->min, h->max, 0.5));
	sample_set_metric(s, "latency_p99_ns",
		(double)hist_percentile(h->bucket, h->n, h->min, h->max, 0.99));
	sample_set_metric(s, "latency_p99_9_ns",
		(double)hist_percentile(h->bucket, h->n, h->min, h->max, 0.999));
}

static void add_figures(struct sample *s, const struct report_effects *e, unsigned cpus)
{
	bool patched = !strcmp(s->arm, "patched"), local = !strncmp(s->cell, "localcpu", 8);
	double block = wobble(s->block, hash(s->cell), 3), boot = wobble(s->boot, hash(s->cell), 5);
	double rate = (local ? 150000 : 20000) * pow(cpus, 0.6) *
		      (1 + 0.05 * block + 0.006 * boot + 0.004 * wobble(s->seq, s->boot, 7));

	if (patched && local)
		rate *= e->factor;
	sample_set_metric(s, "ops_per_s", rate);
	if (!strncmp(s->cell, "other", 5))
		sample_set_metric(s, "marks_per_s", rate / 7);
	sample_set_metric(s, "ctx_switches_per_op", local ? 0 : 2 + 0.01 * boot);
	sample_set_metric(
		s, "tlb_shootdowns_per_op", local && !patched ? e->shootdowns * (cpus - 1) : 0);
	if (e->latency)
		add_latency(s, 1e9 * cpus / rate, e->operations ? e->operations : 2000);
}

static struct sample make_sample(
	const struct run_fixture *f, size_t boot, size_t seq, const struct report_effects *e)
{
	const struct plan_boot *b = &f->plan->boots[boot];
	const struct params *params = &f->plan->cells[b->samples[seq].cell].params;
	unsigned cpus = f->matrix->machines[b->machine].cpus;
	struct sample s = fixture_sample(f, boot, seq);

	s.params = json_object();
	for (size_t i = 0; i < params->n; i++)
		json_object_set_new(s.params, params->v[i].key, json_string(params->v[i].value));
	s.env = json_pack("{s:s,s:s}", "accelerator", "tcg", "kernel_release",
		strcmp(s.arm, "patched") ? "6.1.0-stock" : "6.1.0-patched");
	s.status = e->status;
	if (s.status != SAMPLE_OK) {
		s.reason = xstrdup("it said: <no> & \"never\"");
		return s;
	}
	s.nworkers = cpus;
	s.workers = xcalloc(cpus, sizeof(*s.workers));
	add_figures(&s, e, cpus);
	return s;
}

/* What the arms were built from; equal keys make a control. */
static json_t *arm_records(const struct matrix *m)
{
	json_t *arms = json_array();

	for (size_t i = 0; i < m->narms; i++) {
		const struct arm *a = &m->arms[i];
		bool whole = a->nseries && !a->series[0].patches;

		json_array_append_new(
			arms, json_pack("{s:s,s:s,s:s,s:[s]}", "label", a->label, "key",
				      whole ? "aaaa1111" : "bbbb2222", "base_version", "6.1.192",
				      "series", whole ? "vm-local-cpu" : "vm-local-cpu:1"));
	}
	return arms;
}

char *report_run(struct run_fixture *f, const char *matrix, const struct report_effects *effects)
{
	json_t *arms, *env = json_pack("{s:s,s:s}", "cpu_model", "A \"CPU\" of <some> kind",
			      "executor", "vm");
	json_t *end =
		json_pack("{s:s,s:s}", "state", "finished", "finished", "2026-01-31T12:30:00Z");
	struct error err = {0};
	struct store *s;
	char *path;

	fixture_make(f, matrix);
	arms = arm_records(f->matrix);
	s = store_create(f->results, f->plan, NULL, arms, env, &err);
	if (!s)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < f->plan->nboots; i++)
		for (size_t k = 0; k < f->plan->boots[i].nsamples; k++) {
			struct sample smp;

			if (effects->blocks && f->plan->boots[i].block >= effects->blocks)
				continue;
			smp = make_sample(f, i, k, effects);
			if (store_append(s, &smp, &err))
				fail_msg("%s", err.text);
			sample_clear(&smp);
		}
	assert_int_equal(store_update(s, end, &err), 0);
	path = xstrdup(store_path(s));
	store_close(s);
	json_decref(arms);
	json_decref(env);
	json_decref(end);
	return path;
}
