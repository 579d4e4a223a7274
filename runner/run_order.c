// SPDX-License-Identifier: GPL-2.0-or-later
#include "run_order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_adaptive.h"
#include "util.h"

static int parse_seed(const char *text, uint64_t *seed, struct error *err)
{
	char *end;

	errno = 0;
	*seed = text ? strtoull(text, &end, 10) : 0;
	if (text && (errno || *end || end == text || *text == '-' || !*seed))
		return error_set(err, KAB_USAGE,
			"--seed %s: expected a number from 1 to 18446744073709551615", text);
	return 0;
}

static bool is_run_folder(const char *path)
{
	__free_char char *file = path ? xasprintf("%s/run.json", path) : NULL;

	return file && !access(file, F_OK);
}

static const char *stored_text(const json_t *run, const char *object, const char *key)
{
	return json_string_value(json_object_get(json_object_get(run, object), key));
}

static unsigned stored_number(const json_t *run, const char *object, const char *key)
{
	return (unsigned)json_integer_value(json_object_get(json_object_get(run, object), key));
}

/* The plan that a run was started with, before any more boots. */
static struct plan *plan_of_run(const struct matrix *m, const json_t *run, struct error *err)
{
	const char *seed = stored_text(run, "plan", "seed");
	struct plan_options popt = {
		.only = stored_text(run, "options", "only"),
		.blocks = stored_number(run, "options", "blocks"),
		.aa = json_is_true(json_object_get(json_object_get(run, "options"), "aa")),
		.seed = seed ? strtoull(seed, NULL, 10) : 0,
	};

	return plan_make(m, &popt, err);
}

static json_t *options_json(const struct run_options *opt)
{
	json_t *o = json_object();

	if (opt->only)
		json_object_set_new(o, "only", json_string(opt->only));
	if (opt->aa)
		json_object_set_new(o, "aa", json_true());
	if (opt->blocks)
		json_object_set_new(o, "blocks", json_integer(opt->blocks));
	if (opt->label)
		json_object_set_new(o, "label", json_string(opt->label));
	return o;
}

/*
 * It was finished once. One that is not so now was interrupted with more boots on their way, and has
 * their number in its plan.
 */
static bool has_been_finished(const json_t *run)
{
	return json_object_get(run, "finished_ns");
}

/* What a run must look like to be the one that this command means. */
struct wanted {
	const struct run_order *o;
	uint64_t seed; /* 0: any */
	char *difference; /* of the last candidate that was all right but for arms or host */
};

static bool is_wanted(void *arg, const json_t *run)
{
	struct wanted *w = arg;
	const char *hash = stored_text(run, "plan", "hash"),
		   *seed = stored_text(run, "plan", "seed");
	char *difference;
	struct plan *plan;
	bool same;

	if ((w->o->opt.more_boots ? !has_been_finished(run) : store_finished(run)) || !hash || !seed ||
		!json_equal(json_object_get(run, "options"), w->o->options) ||
		(w->seed && strtoull(seed, NULL, 10) != w->seed))
		return false;
	plan = plan_of_run(w->o->matrix, run, NULL);
	same = plan && !strcmp(plan->hash, hash);
	plan_free(plan);
	difference = same ? run_difference(run, w->o->arms_json, w->o->host) : NULL;
	if (difference) {
		free(w->difference);
		w->difference = difference;
	}
	return same && !difference;
}

/* The running kernel is what it is: no arm can ask for another. */
static int check_local(const struct matrix *m, struct error *err)
{
	for (size_t i = 0; i < m->narms; i++) {
		const struct arm *a = &m->arms[i];

		if (a->nseries || a->nconfig || a->align || a->mutation ||
			(a->cmdline && *a->cmdline))
			return error_set(err, KAB_USAGE,
				"%s: arm '%s' asks for a kernel of its own, but the executor local "
				"measures the "
				"running one",
				a->place, a->label);
	}
	return 0;
}

static int check_matrix(struct run_order *o, struct error *err)
{
	const struct matrix *m = o->matrix;
	struct utsname u;

	if (m->budget_s > 0 && o->opt.more_boots)
		return error_set(err, KAB_USAGE,
			"%s ends by its own budget, of which its levels are shares; --more-boots "
			"would break them. Give it a larger budget and run it anew",
			m->path);
	if (m->executor != EXECUTOR_LOCAL) {
		if (o->opt.label)
			return error_set(err, KAB_USAGE,
				"--label is for the executor local; %s uses %s", m->path,
				executor_kind_name(m->executor));
		return 0;
	}
	if (check_local(m, err))
		return -1;
	uname(&u);
	snprintf(o->release, sizeof(o->release), "%s", u.release);
	o->label = o->opt.label ? o->opt.label : m->local_label ? m->local_label : o->release;
	return 0;
}

/* Arms looked up, nothing built: enough to tell whether a run found is of the same sources. */
static int look_up(struct run_order *o, struct error *err)
{
	o->arms = run_arms(
		o->matrix, json_is_true(json_object_get(o->options, "aa")), false, NULL, err);
	if (!o->arms)
		return -1;
	o->arms_json = run_arms_json(o->arms, o->matrix);
	o->host = run_host_json(o->matrix, o->label);
	return 0;
}

/* Opens the run at @path: for writing unless nothing will be. */
static int open_run(struct run_order *o, const char *path, struct error *err)
{
	size_t torn;

	o->store = store_open(path, !o->opt.dry_run, &torn, err);
	if (!o->store)
		return -1;
	if (torn)
		buf_addf(&o->notes,
			"%s: the last line was torn (%zu bytes); that sample runs again\n", path,
			torn);
	return 0;
}

/*
 * Makes the plan of the run that is open, with the blocks it has got since, and those that are asked
 * for now: but where they were on their way already, the same command goes on with them.
 */
static int plan_open_run(struct run_order *o, struct error *err)
{
	const json_t *run = store_run(o->store);
	const char *hash = stored_text(run, "plan", "hash");
	unsigned blocks = stored_number(run, "plan", "blocks");
	unsigned more = store_finished(run) ? o->opt.more_boots : 0;

	if (more > RUN_MAX_BLOCKS || (more && blocks + more > RUN_MAX_BLOCKS))
		return error_set(err, KAB_USAGE, "%s: %u blocks and %u more; expected at most %d",
			store_path(o->store), blocks, more, RUN_MAX_BLOCKS);
	blocks += more;
	o->plan = plan_of_run(o->matrix, run, err);
	if (!o->plan)
		return -1;
	if (!hash || strcmp(o->plan->hash, hash))
		return error_set(err, KAB_ENVIRONMENT,
			"%s: this version of kab plans that matrix in another way, so the run "
			"cannot be continued; "
			"start a new one",
			store_path(o->store));
	run_adaptive_restore(o->plan, run);
	plan_extend(o->plan, blocks);
	return 0;
}

/* A run named by its folder: everything comes from there. */
static int take_folder(struct run_order *o, const char *path, struct error *err)
{
	const struct run_options *opt = &o->opt;
	char *difference;

	if (opt->only || opt->seed || opt->blocks || opt->aa || opt->label || opt->fresh)
		return error_set(err, KAB_USAGE,
			"%s is a run: its matrix and options are settled; only --more-boots can be "
			"given",
			path);
	if (open_run(o, path, err))
		return -1;
	if (store_finished(store_run(o->store)) && !opt->more_boots)
		return error_set(err, KAB_USAGE, "%s is finished; --more-boots N adds to it", path);
	if (opt->more_boots && !has_been_finished(store_run(o->store)))
		return error_set(err, KAB_USAGE,
			"%s is not finished: continue it first, without --more-boots", path);
	o->matrix = store_matrix(o->store);
	json_decref(o->options);
	o->options = json_incref(json_object_get(store_run(o->store), "options"));
	o->opt.label = json_string_value(json_object_get(o->options, "label"));
	if (check_matrix(o, err) || look_up(o, err))
		return -1;
	difference = run_difference(store_run(o->store), o->arms_json, o->host);
	if (difference) {
		error_set(err, KAB_ENVIRONMENT, "%s cannot be continued: %s", path, difference);
		free(difference);
		return -1;
	}
	return plan_open_run(o, err);
}

static bool can_get_more(void *arg, const json_t *run)
{
	(void)arg;
	return has_been_finished(run);
}

/* --more-boots without an operand: the newest run that was finished. */
static int take_newest(struct run_order *o, struct error *err)
{
	__free_char char *path = store_find(o->results, can_get_more, NULL);

	if (!path)
		return error_set(err, KAB_USAGE,
			"%s holds no finished run that --more-boots could add to", o->results);
	return take_folder(o, path, err);
}

/* A matrix file: its unfinished run (with --more-boots its finished one), else a new one. */
static int take_matrix(struct run_order *o, struct error *err)
{
	struct wanted w = {.o = o};
	__free_char char *file = path_of_matrix(o->operand);
	char *path = NULL;
	int ret;

	o->own_matrix = matrix_read(file, err);
	o->matrix = o->own_matrix;
	if (!o->matrix || parse_seed(o->opt.seed, &w.seed, err) || check_matrix(o, err) ||
		look_up(o, err))
		return -1;
	if (!o->opt.fresh)
		path = store_find(o->results, is_wanted, &w);
	if (!path && w.difference)
		buf_addf(&o->notes, "not continuing an earlier run of this matrix: %s\n",
			w.difference);
	free(w.difference);
	if (path) {
		ret = open_run(o, path, err) || plan_open_run(o, err) ? -1 : 0;
		free(path);
		return ret;
	}
	if (o->opt.more_boots)
		return error_set(err, KAB_USAGE,
			"%s holds no finished run of %s that --more-boots could add to", o->results,
			o->operand);
	o->plan = plan_make(o->matrix,
		&(struct plan_options){
			.only = o->opt.only,
			.blocks = o->opt.blocks,
			.aa = o->opt.aa,
			.seed = w.seed,
		},
		err);
	return o->plan ? 0 : -1;
}

static int check_options(const struct run_options *opt, struct error *err)
{
	if (opt->fresh && opt->more_boots)
		return error_set(err, KAB_USAGE,
			"--new starts a run, --more-boots adds to one: expected one of them");
	if (opt->blocks > RUN_MAX_BLOCKS)
		return error_set(err, KAB_USAGE, "--blocks %u: expected at most %d", opt->blocks,
			RUN_MAX_BLOCKS);
	return 0;
}

int run_order_settle(struct run_order *o, struct error *err)
{
	if (check_options(&o->opt, err))
		return -1;
	o->results = o->opt.results ? xstrdup(o->opt.results) : store_default_results();
	o->options = options_json(&o->opt);
	if (!o->operand)
		return take_newest(o, err);
	return is_run_folder(o->operand) ? take_folder(o, o->operand, err) : take_matrix(o, err);
}

void run_order_clear(struct run_order *o)
{
	plan_free(o->plan);
	run_arms_free(o->arms, o->matrix ? o->matrix->narms : 0);
	store_close(o->store);
	matrix_free(o->own_matrix);
	json_decref(o->options);
	json_decref(o->arms_json);
	json_decref(o->host);
	buf_free(&o->notes);
	free(o->results);
}
