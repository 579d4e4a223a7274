// SPDX-License-Identifier: GPL-2.0-or-later
/* One planned sample -> a job -> a line in the store, with its captures beside it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "functions.h"
#include "lockwait.h"
#include "observer.h"
#include "profile.h"
#include "proto.h"
#include "run.h"
#include "util.h"

#define MAX_CAPTURES 8

static const struct workload_spec *spec_of(const struct plan *plan, size_t cell)
{
	return &plan->matrix->workloads[plan->cells[cell].workload];
}

bool run_needs_root(const struct plan *plan)
{
	const struct matrix *m = plan->matrix;

	if (m->observers & (OBSERVE_PERF_STAT | OBSERVE_PERF_RECORD) || m->tracepoints)
		return true;
	for (size_t i = 0; i < plan->ncells; i++)
		if (spec_of(plan, i)->command)
			return true;
	return false;
}

double run_seconds(const char *text)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}};
	char *end;
	double v = text ? strtod(text, &end) : 0;

	if (!text || end == text || !isfinite(v) || v < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(end, units[i].unit))
			return v * units[i].seconds;
	return 0;
}

unsigned run_timeout_s(const struct workload_spec *w, const struct params *params)
{
	double timed = run_seconds(params_get(params, "duration")) +
		       run_seconds(params_get(params, "warmup"));
	bool counted = w->command || params_get(params, "ops");

	/* What runs for a number of operations may take minutes where each CPU is an interpreter.
	 */
	return (unsigned)ceil((counted ? 300 : 60) + 10 * timed);
}

/*
 * A cell's own parameters, the arm's on top, and a seed: the same for all arms of a block, so that
 * they draw the same random numbers; with the exact executor for those of all blocks, whose boots
 * are to repeat each other.
 */
static struct params merge_params(
	const struct run *r, const struct plan_boot *boot, const struct plan_sample *ps)
{
	const struct cell *cell = &r->plan->cells[ps->cell];
	const struct workload_spec *w = spec_of(r->plan, ps->cell);
	const struct arm *arm = r->arms[boot->arm].arm;
	struct params merged = {};

	for (size_t i = 0; i < cell->params.n; i++)
		params_set(&merged, cell->params.v[i].key, cell->params.v[i].value);
	for (size_t i = 0; i < arm->nparams; i++) {
		const struct params *own = &arm->params[i].params;

		for (size_t j = 0; !strcmp(arm->params[i].workload, w->name) && j < own->n; j++)
			params_set(&merged, own->v[j].key, own->v[j].value);
	}
	if (!w->command && !params_get(&merged, "seed")) {
		__free_char char *key =
			xasprintf("%llu.%u.%u.%s.%u", (unsigned long long)r->plan->seed,
				r->plan->matrix->executor == EXECUTOR_EXACT ? 0 : boot->block,
				(unsigned)boot->machine, cell->id, ps->turn);
		char hex[65], seed[24];

		sha256_hex(key, strlen(key), hex);
		hex[8] = '\0';
		snprintf(seed, sizeof(seed), "%lu", strtoul(hex, NULL, 16));
		params_set(&merged, "seed", seed);
	}
	return merged;
}

/* NULL-terminated; the strings and the array are the caller's. */
static char **make_argv(const struct workload_spec *w, const struct params *params)
{
	char **argv = xcalloc(2 * params->n + 4, sizeof(*argv));
	size_t n = 0;

	if (w->command) {
		argv[n++] = xstrdup("sh");
		argv[n++] = xstrdup("-c");
		argv[n++] = xstrdup(w->command);
		return argv;
	}
	argv[n++] = xstrdup("kab-workload");
	argv[n++] = xstrdup("run");
	argv[n++] = xstrdup(w->name);
	for (size_t i = 0; i < params->n; i++) {
		argv[n++] = xasprintf("--%s", params->v[i].key);
		argv[n++] = xstrdup(params->v[i].value);
	}
	return argv;
}

static void free_argv(char **argv)
{
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	free(argv);
}

static json_t *params_json(const struct params *p)
{
	json_t *o = json_object();

	for (size_t i = 0; i < p->n; i++)
		json_object_set_new(o, p->v[i].key, json_string(p->v[i].value));
	return o;
}

static void sample_init(struct sample *s, const struct run *r, const struct plan_boot *boot,
	const struct plan_sample *ps, unsigned life, const char *id)
{
	char now[32];

	time_iso(now, sizeof(now));
	*s = (struct sample){
		.id = xstrdup(id),
		.boot_id = xstrdup(boot->id),
		.arm = xstrdup(r->plan->matrix->arms[boot->arm].label),
		.cell = xstrdup(r->plan->cells[ps->cell].id),
		.started = xstrdup(now),
		.block = boot->block,
		.boot = boot->number,
		.seq = ps->seq,
		.life = life,
		.warmup = ps->warmup,
		.pass = ps->pass ? xstrdup(pass_name(ps->pass)) : NULL,
	};
}

static const char *text_of(const json_t *captures, const char *path)
{
	return json_string_value(json_object_get(captures, path));
}

static json_t **figures_at(struct sample *s, enum observer_bit bit)
{
	switch (bit) {
	case OBSERVE_SCHEDSTAT:
		return &s->schedstat;
	case OBSERVE_PERF_STAT:
		return &s->perf;
	case OBSERVE_INTERRUPTS:
		return &s->interrupts;
	case OBSERVE_VMSTAT:
		return &s->vmstat;
	case OBSERVE_FUNCTIONS:
	case OBSERVE_PERF_RECORD:
		break;
	}
	return NULL;
}

static bool observes(const struct run *r, const struct observer *o)
{
	return r->plan->matrix->observers & o->bit;
}

/* Captures that cannot be read make the sample a failed one: a figure is missing that was asked
 * for. */
static void observe(const struct run *r, const struct plan_sample *ps, const struct job_result *res,
	struct sample *s)
{
	for (size_t i = 0; i < nobservers && s->status == SAMPLE_OK; i++) {
		const struct observer *o = &observers[i];
		const char *before = o->path ? text_of(res->before, o->path) : NULL;
		const char *after = o->path ? text_of(res->after, o->path) : res->perf;
		struct error err;

		if (!observes(r, o) || !o->figures || (!o->path && !ps->perf_stat))
			continue;
		*figures_at(s, o->bit) = o->figures(o->name, before, after, s, &err);
		if (*figures_at(s, o->bit))
			continue;
		s->status = SAMPLE_FAILED;
		s->reason = xasprintf("capture %s", err.text);
	}
}

static int keep_text(struct run *r, const char *id, const char *name, const char *suffix,
	const char *text, struct error *err)
{
	__free_char char *file = xasprintf("%s%s", name, suffix);

	return text && *text ? store_raw(r->store, id, file, text, strlen(text), err) : 0;
}

/* Captures always; what the job printed where the figures do not tell it all. */
static int keep_raw(struct run *r, const struct workload_spec *w, const struct job_result *res,
	const struct sample *s, struct error *err)
{
	for (size_t i = 0; i < nobservers; i++) {
		const struct observer *o = &observers[i];

		if (observes(r, o) && o->path &&
			(keep_text(r, s->id, o->name, ".before", text_of(res->before, o->path),
				 err) ||
				keep_text(r, s->id, o->name, ".after", text_of(res->after, o->path),
					err)))
			return -1;
	}
	if ((!s->pass && keep_text(r, s->id, "perf-stat", ".json", res->perf, err)) ||
		keep_text(r, s->id, "functions", ".txt", res->functions, err))
		return -1;
	if (s->status == SAMPLE_OK && !w->command)
		return 0;
	return keep_text(r, s->id, "stdout", "", res->out, err) ||
			       keep_text(r, s->id, "stderr", "", res->err_out, err)
		       ? -1
		       : 0;
}

/*
 * What perf recorded, as it came and folded by symbol. perf script runs here, where a second is a
 * second; a guest's vmlinux has the symbols. -1: it could not be written.
 */
static int keep_profile(struct run *r, const struct plan_boot *boot, const struct job_result *res,
	struct sample *s, struct error *err)
{
	bool profile = s->pass && !strcmp(s->pass, pass_name(PASS_RECORD));
	size_t len = 0;
	__free_char char *data = res->perf ? proto_from_bytes(res->perf, &len) : NULL;
	__free_char char *folded = NULL, *path = NULL;
	struct error why;

	if (s->status != SAMPLE_OK)
		return 0;
	if (!data) {
		s->status = SAMPLE_FAILED;
		s->reason = xstrdup("perf record left no file that could be taken over");
		return 0;
	}
	if (store_raw(r->store, s->id, PROFILE_DATA, data, len, err))
		return -1;
	path = xasprintf("%s/raw/%s/" PROFILE_DATA, store_path(r->store), s->id);
	folded = profile ? profile_fold_file(path, r->arms[boot->arm].kernel.vmlinux, &why)
			 : profile_events(path, r->arms[boot->arm].kernel.vmlinux, &why);
	if (!folded) {
		s->status = SAMPLE_FAILED;
		s->reason = xstrdup(why.text);
		return 0;
	}
	return store_raw(r->store, s->id, profile ? PROFILE_FOLDED : PROFILE_EVENTS, folded,
		strlen(folded), err);
}

static int record(
	struct run *r, const struct plan_boot *boot, const struct sample *s, struct error *err)
{
	__free_char char *dir = store_boot_path(r->store, boot->number, s->life);

	if (store_append(r->store, s, err))
		return -1;
	if (r->progress && s->status != SAMPLE_OK && s->status != SAMPLE_SKIPPED)
		progress_note(r->progress, "%s, arm %s: %s: %s (see %s)", s->cell, s->arm,
			sample_status_name(s->status), s->reason ? s->reason : "no reason given",
			dir);
	return 0;
}

/* Hands the job over and waits; times go to @r->times. */
static int run_job(struct run *r, const struct boot_life *life, const struct plan_sample *ps,
	const char *id, const struct params *params, bool warmup_again, struct job_result *res,
	struct error *err)
{
	const struct workload_spec *w = spec_of(r->plan, ps->cell);
	const char *capture[MAX_CAPTURES + 1] = {};
	char **argv = make_argv(w, params);
	__free_char char *events = ps->pass == PASS_TRACE ? lockwait_events(r->plan->matrix->tracepoints) : NULL;
	uint64_t start = now_ns();
	size_t n = 0;
	int ret;

	for (size_t i = 0; i < nobservers && n < MAX_CAPTURES; i++)
		if (observes(r, &observers[i]) && observers[i].path)
			capture[n++] = observers[i].path;
	ret = r->ops->run(life->ex,
		&(struct job){
			.id = id,
			.argv = (const char *const *)argv,
			.host_root = w->command != NULL,
			.perf_stat = ps->perf_stat && !warmup_again,
			.record = ps->pass == PASS_RECORD ? JOB_PROFILE : events,
			.capture = capture,
			.timeout_s = run_timeout_s(w, params) * life->timeout_factor,
		},
		res, err);
	start = now_ns() - start;
	r->times.job += start;
	/* Waiting for what hangs or has died is no work of the runner's. */
	r->times.workload += !ret && res->status == SAMPLE_OK ? res->elapsed_ns : start;
	free_argv(argv);
	return ret;
}

/* Nothing of it is kept but the console, in the folder of the life that ended. */
static bool run_again(struct run *r, const struct boot_life *life, const struct job_result *res,
	const struct sample *s)
{
	__free_char char *dir = NULL;

	if (!res->lost_write || !life->spares_lost_writes)
		return false;
	dir = store_boot_path(r->store, life->boot->number, life->life);
	if (r->progress)
		progress_note(r->progress,
			"%s, arm %s: the emulator lost a write, again in another guest: %s (see %s)",
			s->cell, s->arm, res->reason, dir);
	return true;
}

int run_sample(struct run *r, const struct boot_life *life, const struct plan_sample *ps,
	const char *id, bool warmup_again, struct error *err)
{
	const struct workload_spec *w = spec_of(r->plan, ps->cell);
	struct params params = merge_params(r, life->boot, ps);
	struct job_result res = {};
	struct sample s;
	int ret;

	sample_init(&s, r, life->boot, ps, life->life, id);
	s.params = params_json(&params);
	s.turn = life->in_turns ? ps->turn + 1 : 0;
	s.env = json_incref(life->env);
	ret = run_job(r, life, ps, id, &params, warmup_again, &res, err);
	if (!ret && run_again(r, life, &res, &s)) {
		ret = RUN_AGAIN;
	} else if (!ret) {
		figures_of_result(w, &res, &s);
		functions_set_metrics(res.functions, &s);
		observe(r, ps, &res, &s);
		if (ps->pass)
			ret = keep_profile(r, life->boot, &res, &s, err);
		/* Captures first: a line in the store vouches for all that belongs to it. */
		ret = ret || keep_raw(r, w, &res, &s, err) || record(r, life->boot, &s, err)
			      ? -1
			      : (res.machine_lost ? RUN_LOST : 0);
	}
	job_result_clear(&res);
	sample_clear(&s);
	params_free(&params);
	return ret;
}

int run_give_up(struct run *r, const struct plan_boot *boot, const struct plan_sample *ps,
	unsigned life, enum sample_status status, const char *reason, struct error *err)
{
	struct params params = merge_params(r, boot, ps);
	struct sample s;
	int ret;

	sample_init(&s, r, boot, ps, life, ps->id);
	s.params = params_json(&params);
	s.status = status;
	s.reason = xstrdup(reason);
	ret = store_append(r->store, &s, err);
	sample_clear(&s);
	params_free(&params);
	return ret;
}
