// SPDX-License-Identifier: GPL-2.0-or-later
#include "run_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "util.h"

#define ALPHA 0.05
#define KERNEL_BUILD_MINUTES 5 /* where none was built yet */

void run_text_duration(double seconds, char *out, size_t size)
{
	unsigned long s = (unsigned long)(seconds + 0.5);

	if (s >= 3600)
		snprintf(out, size, "%lu h %lu min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(out, size, "%lu min %lu s", s / 60, s % 60);
	else
		snprintf(out, size, "%lu s", s);
}

static size_t plan_samples(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nboots; i++)
		n += p->boots[i].nsamples;
	return n;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* Two arms that share a kernel need one build. */
static size_t builds_needed(const struct matrix *m, const struct run_arm *arms)
{
	size_t n = 0;

	for (size_t i = 0; i < m->narms; i++) {
		bool again = m->executor == EXECUTOR_LOCAL || arms[i].kernel.built;

		for (size_t j = 0; j < i && !again; j++)
			again = !strcmp(arms[i].kernel.key, arms[j].kernel.key);
		n += !again;
	}
	return n;
}

static void text_machines(struct buf *b, const struct matrix *m)
{
	buf_addf(b, "  on %s", executor_kind_name(m->executor));
	for (size_t i = 0; i < m->nmachines && m->executor != EXECUTOR_LOCAL; i++)
		buf_addf(b, "%s %u CPU%s, %u node%s, %llu MiB", i ? ";" : ":", m->machines[i].cpus,
			plural(m->machines[i].cpus), m->machines[i].nodes,
			plural(m->machines[i].nodes),
			(unsigned long long)(m->machines[i].memory >> 20));
	buf_addstr(b, "\n");
}

static void text_budget(struct buf *b, const struct matrix *m)
{
	char time[32];

	run_text_duration(m->budget_s, time, sizeof(time));
	if (m->precision > 0)
		buf_addf(b,
			"  then more blocks of each cell until its intervals are no wider than %.2g %% "
			"to either side, for %s at most\n",
			m->precision * 100, time);
	else
		buf_addf(b, "  then more blocks of each cell until it is decided, for %s at most\n",
			time);
}

static bool has_controls(const struct matrix *m)
{
	for (size_t i = 0; i < m->narms; i++)
		if (m->arms[i].role == ARM_CONTROL)
			return true;
	return false;
}

/* What the number of blocks means for the verdicts, before anybody waits for them. */
static void text_floor(struct buf *b, const struct plan *plan)
{
	size_t m = plan_primary_comparisons(plan);
	unsigned blocks = plan_blocks(plan), needed;

	if (m && plan->matrix->budget_s > 0) {
		text_budget(b, plan->matrix);
		return;
	}
	if (!m) {
		buf_addstr(b, has_controls(plan->matrix)
				      ? "  the baseline against itself alone: how often is it called a change?\n"
				      : "  one arm, or no primary metric: figures, and nothing to compare them with\n");
		return;
	}
	if (plan->matrix->together && plan->matrix->samples % 2)
		buf_addstr(b, "  note: an even number of samples would have each arm first and last in a turn equally often\n");
	needed = plan_blocks_needed(m, ALPHA);
	if (blocks >= needed)
		buf_addf(b,
			"  %u blocks can reach p < %.2g with %zu primary comparison%s (smallest p: "
			"%.2g)\n",
			blocks, ALPHA / (double)m, m, plural(m), plan_p_floor(blocks));
	else
		buf_addf(b,
			"  warning: %u block%s cannot reach p < %.2g with %zu primary "
			"comparison%s: %u can (--blocks %u)\n",
			blocks, plural(blocks), ALPHA / (double)m, m, plural(m), needed, needed);
}

void run_text_plan(struct buf *b, const struct plan *plan, const struct run_arm *arms)
{
	const struct matrix *m = plan->matrix;
	size_t builds = builds_needed(m, arms);
	double minutes = builds ? kernel_build_minutes() : 0;
	unsigned blocks = plan_blocks(plan);
	char time[32];

	buf_addf(b, "%s: arms", m->name);
	for (size_t i = 0; i < m->narms; i++)
		buf_addf(b, "%s %s%s", i ? "," : "", m->arms[i].label,
			!strcmp(m->arms[i].label, m->baseline) ? " (baseline)" : "");
	buf_addf(b, "\n  %zu cell%s, %u block%s: %zu %ss, %zu samples\n", plan->ncells,
		plural(plan->ncells), blocks, plural(blocks), plan->nboots, executor_boot_name(m->executor),
		plan_samples(plan));
	text_machines(b, m);
	if (builds)
		buf_addf(b, "  %zu kernel%s to build first, about %.0f minutes%s\n", builds, plural(builds),
			minutes > 0 ? ceil(minutes) : KERNEL_BUILD_MINUTES, builds == 1 ? "" : " each");
	run_text_duration(run_estimate_s(plan), time, sizeof(time));
	buf_addf(b, "  about %s of measuring\n", time);
	text_floor(b, plan);
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

char *run_text_arm(const json_t *arm)
{
	const char *version = text_at(arm, "base_version"), *cmdline = text_at(arm, "cmdline");
	const json_t *item;
	struct buf b = {};
	size_t i;

	buf_addstr(&b, *version ? version : "the running kernel");
	json_array_foreach (json_object_get(arm, "series"), i, item) {
		const char *name = json_string_value(item), *slash = name ? strrchr(name, '/') : NULL;

		buf_addf(&b, " + %s", slash ? slash + 1 : name);
	}
	json_array_foreach (json_object_get(arm, "config"), i, item)
		buf_addf(&b, ", config %s", json_string_value(item));
	if (*cmdline)
		buf_addf(&b, ", cmdline \"%s\"", cmdline);
	return b.data;
}

struct times_sampled {
	unsigned timed, warmups, passes;
};

static struct times_sampled count_in(const struct plan_boot *boot, size_t cell)
{
	struct times_sampled t = {};

	for (size_t i = 0; i < boot->nsamples; i++) {
		const struct plan_sample *s = &boot->samples[i];

		t.timed += s->cell == cell && !s->warmup;
		t.warmups += s->cell == cell && s->warmup && !s->pass;
		t.passes += s->cell == cell && s->pass;
	}
	return t;
}

/* In the first boot that has it: arms that are controls may leave cells out. */
void run_text_cells(struct buf *b, const struct plan *plan)
{
	const char *boot = executor_boot_name(plan->matrix->executor);

	for (size_t c = 0; c < plan->ncells; c++) {
		struct times_sampled t = {};

		for (size_t i = 0; i < plan->nboots && !t.timed; i++)
			t = count_in(&plan->boots[i], c);
		buf_addf(b, "  %s: %u sample%s in each %s that has it, after %u warm-up%s", plan->cells[c].id, t.timed,
			plural(t.timed), boot, t.warmups, plural(t.warmups));
		if (t.passes)
			buf_addf(b, ", and %u for captures alone", t.passes);
		buf_addstr(b, "\n");
	}
	buf_addf(b, "  each block has an order of its own: -v tells it, %s by %s\n", boot, boot);
}

void run_text_order(struct buf *b, const struct plan *plan)
{
	for (size_t i = 0; i < plan->nboots; i++) {
		const struct plan_boot *boot = &plan->boots[i];

		buf_addf(b, "%s\n", boot->id);
		for (size_t j = 0; j < boot->nsamples; j++) {
			const struct plan_sample *s = &boot->samples[j];

			buf_addf(b, "  %3u %s%s%s%s%s\n", s->seq, plan->cells[s->cell].id,
				s->warmup && !s->pass ? " warm-up" : "",
				s->perf_stat ? " perf-stat" : "", s->pass ? " " : "",
				s->pass ? pass_name(s->pass) : "");
		}
	}
}

static json_t *boots_json(const struct plan *plan)
{
	json_t *boots = json_array();

	for (size_t i = 0; i < plan->nboots; i++) {
		const struct plan_boot *b = &plan->boots[i];
		json_t *samples = json_array();

		for (size_t j = 0; j < b->nsamples; j++)
			json_array_append_new(
				samples, json_pack("{s:s,s:s,s:b,s:b,s:s*}", "id", b->samples[j].id,
						 "cell", plan->cells[b->samples[j].cell].id,
						 "warmup", b->samples[j].warmup, "perf_stat",
						 b->samples[j].perf_stat, "pass",
						 pass_name(b->samples[j].pass)));
		json_array_append_new(
			boots, json_pack("{s:s,s:i,s:i,s:s,s:o}", "id", b->id, "number",
				       (int)b->number, "block", (int)b->block, "arm",
				       plan->matrix->arms[b->arm].label, "samples", samples));
	}
	return boots;
}

json_t *run_json_plan(const struct plan *plan, const struct run_arm *arms)
{
	__free_char char *seed = xasprintf("%llu", (unsigned long long)plan->seed);
	size_t m = plan_primary_comparisons(plan);

	return json_pack("{s:s,s:s,s:s,s:I,s:i,s:I,s:I,s:f,s:I,s:f,s:i,s:o}", "matrix",
		plan->matrix->name, "hash", plan->hash, "seed", seed, "cells",
		(json_int_t)plan->ncells, "blocks", (int)plan_blocks(plan), "samples",
		(json_int_t)plan_samples(plan), "kernels_to_build",
		(json_int_t)builds_needed(plan->matrix, arms), "estimated_s", run_estimate_s(plan),
		"primary_comparisons", (json_int_t)m, "p_floor", plan_p_floor(plan_blocks(plan)),
		"blocks_needed", m ? (int)plan_blocks_needed(m, ALPHA) : 0, "boots",
		boots_json(plan));
}

struct tally {
	size_t by_status[SAMPLE_STATUSES], all;
};

static struct tally count(const struct store *s)
{
	struct tally t = {};
	const struct sample *samples = store_samples(s, &t.all);

	for (size_t i = 0; i < t.all; i++)
		t.by_status[samples[i].status]++;
	return t;
}

size_t run_failed_samples(const struct store *s)
{
	struct tally t = count(s);

	return t.all - t.by_status[SAMPLE_OK] - t.by_status[SAMPLE_SKIPPED];
}

static double seconds_at(const json_t *o, const char *key)
{
	return (double)json_integer_value(json_object_get(o, key)) / 1e9;
}

void run_text_summary(struct buf *b, const struct store *s)
{
	const json_t *overhead = json_object_get(store_run(s), "overhead");
	struct tally t = count(s);
	char wall[32], boots[32];

	buf_addf(b, "%zu samples:", t.all);
	for (size_t i = 0, n = 0; i < SAMPLE_STATUSES; i++)
		if (t.by_status[i])
			buf_addf(b, "%s %zu %s", n++ ? "," : "", t.by_status[i],
				sample_status_name((enum sample_status)i));
	if (overhead) {
		run_text_duration(seconds_at(overhead, "wall_ns"), wall, sizeof(wall));
		run_text_duration(seconds_at(overhead, "boot_ns"), boots, sizeof(boots));
		buf_addf(b, "; %s, ", wall);
		if (store_matrix(s)->executor != EXECUTOR_LOCAL)
			buf_addf(b, "%s of it boots, ", boots);
		buf_addf(b, "%.1f %% the runner's own", 100 * json_number_value(json_object_get(overhead, "rest_share")));
	}
	buf_addstr(b, "\n");
}

json_t *run_json_summary(const struct store *s)
{
	struct tally t = count(s);
	json_t *samples = json_object(), *o;

	for (size_t i = 0; i < SAMPLE_STATUSES; i++)
		json_object_set_new(samples, sample_status_name((enum sample_status)i),
			json_integer((json_int_t)t.by_status[i]));
	o = json_pack("{s:s,s:O,s:o,s:I}", "run", store_path(s), "state",
		json_object_get(store_run(s), "state"), "samples", samples, "failed",
		(json_int_t)run_failed_samples(s));
	if (json_object_get(store_run(s), "overhead"))
		json_object_set(o, "overhead", json_object_get(store_run(s), "overhead"));
	return o;
}
