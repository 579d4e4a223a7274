// SPDX-License-Identifier: GPL-2.0-or-later
#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "run_adaptive.h"
#include "sysinfo.h"
#include "util.h"

/* What a run leaves on disk, by experience: captures of a sample, console of a boot; and some air.
 */
#define BYTES_PER_SAMPLE (64u << 10)
#define BYTES_PER_BOOT (512u << 10)
#define BYTES_SPARE (16u << 20)

/* Checksum of kab-workload in a run's env. Runs that were made before it was kept have none. */
#define WORKLOAD_SUM "workload_sha256"

/* What one boot and one sample cost beside the workload itself, in seconds; rough. */
static const struct {
	double boot, sample, slowness;
} costs[] = {
	[EXECUTOR_VM] = {1.5, 0.04, 1},
	[EXECUTOR_EXACT] = {8, 0.1, 5},
	[EXECUTOR_LOCAL] = {0, 0.02, 1},
};

struct build_note {
	struct progress *progress;
	char label[64];
};

static void show_build(void *arg, const char *stage, unsigned long done, unsigned long total)
{
	struct build_note *note = arg;
	__free_char char *text = xasprintf("kernel %s: %s", note->label, stage);

	if (note->progress)
		progress_update(note->progress, text, "", done, total);
}

struct run_arm *run_arms(
	const struct matrix *m, bool aa, bool build, struct progress *progress, struct error *err)
{
	struct run_arm *arms = xcalloc(m->narms, sizeof(*arms));

	for (size_t i = 0; i < m->narms; i++) {
		struct build_note note = {.progress = progress};
		int ret = 0;

		arms[i].arm = aa ? matrix_arm(m, m->baseline) : &m->arms[i];
		snprintf(note.label, sizeof(note.label), "%s", m->arms[i].label);
		if (m->executor != EXECUTOR_LOCAL)
			ret = build ? kernel_build(
					      arms[i].arm, &arms[i].kernel, show_build, &note, err)
				    : kernel_resolve(arms[i].arm, &arms[i].kernel, err);
		if (ret) {
			/* What is found out before a build names the arm already, and its place. */
			if (build && err && err->status != KAB_INTERRUPTED &&
				(!arms[i].arm->place || strncmp(err->text, arms[i].arm->place, strlen(arms[i].arm->place))))
				error_prefix(err, "arm %s", note.label);
			run_arms_free(arms, m->narms);
			return NULL;
		}
	}
	return arms;
}

void run_arms_free(struct run_arm *arms, size_t n)
{
	for (size_t i = 0; arms && i < n; i++)
		kernel_clear(&arms[i].kernel);
	free(arms);
}

static json_t *arm_json(const struct run_arm *a, const char *label)
{
	const struct arm *arm = a->arm;
	const struct kernel *k = &a->kernel;
	json_t *series = json_array(), *config = json_array(), *o;

	for (size_t i = 0; i < arm->nseries; i++)
		json_array_append_new(series, series_ref_json(&arm->series[i]));
	for (size_t i = 0; i < arm->nconfig; i++)
		json_array_append_new(config, json_path(arm->config[i]));
	o = json_pack("{s:s,s:s,s:o,s:o,s:s,s:i}", "label", label, "key", k->key, "series", series,
		"config", config, "cmdline", arm->cmdline ? arm->cmdline : "", "align",
		(int)arm->align);
	if (k->base_version)
		json_object_set_new(o, "base_version", json_string(k->base_version));
	json_object_set_new(o, "debug", json_boolean(k->debug));
	if (k->meta)
		json_object_set(o, "meta", k->meta);
	return o;
}

json_t *run_arms_json(const struct run_arm *arms, const struct matrix *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->narms; i++)
		json_array_append_new(list, arm_json(&arms[i], m->arms[i].label));
	return list;
}

json_t *run_host_json(const struct matrix *m, const char *label)
{
	__free_char char *workload = kab_program("kab-workload");
	json_t *o = sysinfo_read();
	char sum[65];

	if (workload && !sha256_file(workload, sum, NULL))
		json_object_set_new(o, WORKLOAD_SUM, json_string(sum));
	/* Volatile, or of no meaning to a guest and nobody's business in a run that is handed on.
	 */
	json_object_del(o, "uptime_ms");
	if (m->executor != EXECUTOR_LOCAL)
		json_object_del(o, "cmdline");
	json_object_set_new(o, "executor", json_string(executor_kind_name(m->executor)));
	if (label)
		json_object_set_new(o, "label", json_string(label));
	return o;
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

char *run_difference(const json_t *run, const json_t *arms, const json_t *host)
{
	static const char *const must_agree[] = {
		"executor", "label", "cpu_model", "kernel_release"};
	const json_t *old_arms = json_object_get(run, "arms"),
		     *old_host = json_object_get(run, "env");

	if (json_array_size(old_arms) != json_array_size(arms))
		return xstrdup("its arms are others");
	for (size_t i = 0; i < json_array_size(arms); i++) {
		const json_t *was = json_array_get(old_arms, i), *is = json_array_get(arms, i);

		if (strcmp(text_at(was, "key"), text_at(is, "key")))
			return xasprintf(
				"arm %s was built from other sources (key %.12s, now %.12s)",
				text_at(is, "label"), text_at(was, "key"), text_at(is, "key"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(must_agree); i++) {
		const char *was = text_at(old_host, must_agree[i]),
			   *is = text_at(host, must_agree[i]);

		if (strcmp(was, is))
			return xasprintf(
				"this machine's %s was \"%s\", now \"%s\"", must_agree[i], was, is);
	}
	/* The same load by another program is another load. */
	if (*text_at(old_host, WORKLOAD_SUM) &&
		strcmp(text_at(old_host, WORKLOAD_SUM), text_at(host, WORKLOAD_SUM)))
		return xstrdup("kab-workload has been built anew since, and is another program");
	return NULL;
}

double run_estimate_s(const struct plan *plan)
{
	enum executor_kind kind = plan->matrix->executor;
	double total = 0;

	for (size_t i = 0; i < plan->nboots; i++) {
		const struct plan_boot *b = &plan->boots[i];

		total += costs[kind].boot;
		for (size_t j = 0; j < b->nsamples; j++) {
			const struct params *p = &plan->cells[b->samples[j].cell].params;
			double timed = run_seconds(params_get(p, "duration"));

			total +=
				costs[kind].sample + costs[kind].slowness * (timed > 0 ? timed : 1);
		}
	}
	return total;
}

int run_check_space(
	const struct plan *plan, const struct store *store, const char *folder, struct error *err)
{
	uint64_t needed = BYTES_SPARE, free_bytes;
	struct statvfs fs;

	for (size_t i = 0; i < plan->nboots; i++) {
		const struct plan_boot *b = &plan->boots[i];
		size_t missing = 0;

		for (size_t j = 0; j < b->nsamples; j++)
			missing += !store || !store_has(store, b->samples[j].id);
		needed += missing * (uint64_t)BYTES_PER_SAMPLE + (missing ? BYTES_PER_BOOT : 0);
	}
	if (dir_make(folder, err))
		return -1;
	if (statvfs(folder, &fs))
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", folder, strerror(errno));
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (free_bytes >= needed)
		return 0;
	return error_set(err, KAB_ENVIRONMENT,
		"%s: %llu MiB free, but this run may need %llu MiB: make room there, or name "
		"another folder with --results",
		folder, (unsigned long long)(free_bytes >> 20),
		(unsigned long long)(needed >> 20) + 1);
}

/* What the store knows already: samples done, arms that came up. */
static void take_stock(struct run *r)
{
	const struct plan *p = r->plan;
	const struct sample *samples;
	size_t n;

	r->done = r->total = 0;
	for (size_t i = 0; i < p->nboots; i++)
		for (size_t j = 0; j < p->boots[i].nsamples; j++) {
			r->total++;
			r->done += store_has(r->store, p->boots[i].samples[j].id);
		}
	samples = store_samples(r->store, &n);
	for (size_t i = 0; i < n; i++)
		for (size_t a = 0; a < p->matrix->narms; a++)
			if (samples[i].status != SAMPLE_NO_BOOT &&
				!strcmp(samples[i].arm, p->matrix->arms[a].label))
				r->arms[a].booted = true;
}

static uint64_t ns_at(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

/*
 * The runner's own overhead, over all sessions of the run: wall time less boots and workloads.
 * Guest time of the exact executor counts instructions, so there the time spent waiting for jobs
 * stands for them.
 */
static json_t *overhead_json(const struct run *r, const struct host_load *now)
{
	const json_t *before = json_object_get(store_run(r->store), "overhead");
	struct run_times t = {
		.wall = r->times.wall + ns_at(before, "wall_ns"),
		.boot = r->times.boot + ns_at(before, "boot_ns"),
		.job = r->times.job + ns_at(before, "job_ns"),
		.workload = r->times.workload + ns_at(before, "workload_ns"),
	};
	uint64_t useful =
		t.boot + (r->plan->matrix->executor == EXECUTOR_EXACT ? t.job : t.workload);
	double rest = (double)t.wall - (double)useful;

	return json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:f}", "host",
		host_load_json(&r->load, now, json_object_get(before, "host")), "wall_ns", (json_int_t)t.wall, "boot_ns",
		(json_int_t)t.boot, "job_ns", (json_int_t)t.job, "workload_ns",
		(json_int_t)t.workload, "rest_ns", (json_int_t)rest, "rest_share",
		t.wall ? rest / (double)t.wall : 0.0);
}

static void start_clock(struct run *r, uint64_t now, struct host_load load)
{
	r->times = (struct run_times){0};
	r->since_ns = now;
	r->load = load;
}

/*
 * Writes down the time since the last call; a session that is killed has lost what it spent after it. What the writing
 * takes counts to what follows.
 */
static int note_times(struct run *r, bool finished, struct error *err)
{
	struct host_load load = host_load_read();
	uint64_t now = now_ns();
	json_t *patch;
	int ret;

	r->times.wall = now - r->since_ns;
	patch = json_pack("{s:o}", "overhead", overhead_json(r, &load));
	if (finished) {
		size_t n;

		store_samples(r->store, &n);
		json_object_update_new(patch, json_pack("{s:s,s:I}", "state", "finished", "samples", (json_int_t)n));
	}
	ret = store_update(r->store, patch, err);
	json_decref(patch);
	start_clock(r, now, load);
	return ret;
}

/* Records how the session ended; the first error stays the one that is told. */
static int close_session(struct run *r, int ret, struct error *err)
{
	int failed = note_times(r, !ret, ret ? NULL : err);

	return ret || failed ? -1 : 0;
}

/* Boots from @first on that are of one block and machine. */
static size_t group_size(const struct plan *p, size_t first)
{
	const struct plan_boot *b = &p->boots[first];
	size_t n = 1;

	while (first + n < p->nboots && b[n].block == b->block && b[n].machine == b->machine)
		n++;
	return n;
}

int run_execute(struct run *r, struct error *err)
{
	int ret, more = 1;

	start_clock(r, now_ns(), host_load_read());
	for (ret = 0; more > 0 && !ret;) {
		take_stock(r);
		for (size_t i = 0, n; i < r->plan->nboots && !ret; i += n) {
			n = group_size(r->plan, i);
			ret = run_group(r, &r->plan->boots[i], n, err);
			if (!ret && r->times.boot)
				ret = note_times(r, false, err);
		}
		more = ret ? 0 : run_adaptive_next(r, err);
	}
	return close_session(r, ret || more < 0 ? -1 : 0, err);
}
