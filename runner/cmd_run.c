// SPDX-License-Identifier: GPL-2.0-or-later
/* kab run: which run is meant, what it will do, whether it may, and off it goes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "commands.h"
#include "run.h"
#include "run_text.h"
#include "util.h"

struct options {
	const char *only, *seed, *label, *results;
	unsigned blocks, more_boots;
	bool dry_run, fresh, aa, yes;
	struct cli_common common;
};

/* Everything one kab run holds. What is borrowed from where is said at each. */
struct job_order {
	struct options opt;
	const char *operand; /* a matrix file, a run folder or NULL */
	char *results;
	struct matrix *own_matrix;   /* as read from a file */
	const struct matrix *matrix; /* that, or the store's */
	struct plan *plan;
	struct store *store; /* NULL until it is made or found */
	struct run_arm *arms;
	json_t *options, *arms_json, *host;
	const char *label;
	char release[sizeof(((struct utsname *)0)->release)];
	struct progress *progress;
};

static int parse(int argc, char **argv, struct job_order *o, struct error *err)
{
	struct options *opt = &o->opt;
	const struct option_spec table[] = {
		{"dry-run", 'n', OPT_FLAG, NULL, "print the plan, run nothing", &opt->dry_run},
		{"only", 0, OPT_STRING, "GLOB", "only cells whose name matches, as 'pipe/*'",
			&opt->only},
		{"new", 0, OPT_FLAG, NULL, "start a new run even if one is unfinished",
			&opt->fresh},
		{"more-boots", 0, OPT_UINT, "N", "add N blocks to a run", &opt->more_boots},
		{"aa", 0, OPT_FLAG, NULL,
			"make every arm the baseline: how often is nothing called a change?",
			&opt->aa},
		{"blocks", 0, OPT_UINT, "N", "instead of the matrix's", &opt->blocks},
		{"seed", 0, OPT_STRING, "N", "instead of the matrix's or a drawn one", &opt->seed},
		{"label", 0, OPT_STRING, "NAME", "executor local: what to call the running kernel",
			&opt->label},
		{"results", 0, OPT_STRING, "DIR", "where run folders lie", &opt->results},
		{"yes", 'y', OPT_FLAG, NULL, "run the commands of a matrix without asking",
			&opt->yes},
	};
	const struct usage usage = {
		.verb = "run",
		.synopsis = "MATRIX|RUN [options]",
		.summary = "Runs a matrix, or continues the unfinished run of it.",
		.options = table,
		.noptions = ARRAY_SIZE(table),
	};
	int nargs, ret = cli_parse(&usage, argc, argv, &opt->common, &nargs, err);

	if (ret)
		return ret;
	if (nargs > 1 || (!nargs && !opt->more_boots))
		return error_set(err, KAB_USAGE,
			"expected one matrix file or run folder, found %d operands", nargs);
	o->operand = nargs ? argv[0] : NULL;
	return 0;
}

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

static json_t *options_json(const struct options *opt)
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

/* What a run must look like to be the one that this command means. */
struct wanted {
	const struct job_order *o;
	uint64_t seed; /* 0: any */
	bool finished;
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

	if (store_finished(run) != w->finished || !hash || !seed ||
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
				m->path, a->label);
	}
	return 0;
}

static int check_matrix(struct job_order *o, struct error *err)
{
	const struct matrix *m = o->matrix;
	struct utsname u;

	if (m->precision > 0 || m->budget_s > 0)
		return error_set(err, KAB_USAGE,
			"%s: key '%s': this version runs a fixed number of blocks; give 'blocks' "
			"(and later "
			"--more-boots) instead",
			m->path, m->precision > 0 ? "precision" : "budget");
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
static int look_up(struct job_order *o, struct error *err)
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
static int open_run(struct job_order *o, const char *path, struct error *err)
{
	size_t torn;

	o->store = store_open(path, !o->opt.dry_run, &torn, err);
	if (!o->store)
		return -1;
	if (torn)
		fprintf(stderr,
			"kab run: %s: the last line was torn (%zu bytes); that sample runs again\n",
			path, torn);
	return 0;
}

/* Makes the plan of the run that is open, with the blocks it has got since, and those that are
 * asked for now. */
static int plan_open_run(struct job_order *o, struct error *err)
{
	const json_t *run = store_run(o->store);
	const char *hash = stored_text(run, "plan", "hash");
	unsigned blocks = stored_number(run, "plan", "blocks") + o->opt.more_boots;

	o->plan = plan_of_run(o->matrix, run, err);
	if (!o->plan)
		return -1;
	if (!hash || strcmp(o->plan->hash, hash))
		return error_set(err, KAB_ENVIRONMENT,
			"%s: this version of kab plans that matrix in another way, so the run "
			"cannot be continued; "
			"start a new one",
			store_path(o->store));
	plan_extend(o->plan, blocks);
	return 0;
}

/* A run named by its folder: everything comes from there. */
static int take_folder(struct job_order *o, const char *path, struct error *err)
{
	const struct options *opt = &o->opt;
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

static bool is_finished(void *arg, const json_t *run)
{
	(void)arg;
	return store_finished(run);
}

/* --more-boots without an operand: the newest finished run. */
static int take_newest(struct job_order *o, struct error *err)
{
	__free_char char *path = store_find(o->results, is_finished, NULL);

	if (!path)
		return error_set(err, KAB_USAGE,
			"%s holds no finished run that --more-boots could add to", o->results);
	return take_folder(o, path, err);
}

/* A matrix file: its unfinished run (with --more-boots its finished one), else a new one. */
static int take_matrix(struct job_order *o, struct error *err)
{
	struct wanted w = {.o = o, .finished = o->opt.more_boots};
	char *path = NULL;
	int ret;

	o->own_matrix = matrix_read(o->operand, err);
	o->matrix = o->own_matrix;
	if (!o->matrix || parse_seed(o->opt.seed, &w.seed, err) || check_matrix(o, err) ||
		look_up(o, err))
		return -1;
	if (!o->opt.fresh)
		path = store_find(o->results, is_wanted, &w);
	if (!path && w.difference)
		fprintf(stderr, "kab run: not continuing an earlier run of this matrix: %s\n",
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

static int find_out(struct job_order *o, struct error *err)
{
	o->results = o->opt.results ? xstrdup(o->opt.results) : store_default_results();
	o->options = options_json(&o->opt);
	if (!o->operand)
		return take_newest(o, err);
	return is_run_folder(o->operand) ? take_folder(o, o->operand, err) : take_matrix(o, err);
}

/* The matrix is, word for word, one of those that came with kab. */
static bool came_with_kab(const struct matrix *m)
{
	__free_char char *folder = xasprintf("%s/matrix", kab_home());
	__free_char char *home = realpath(folder, NULL);
	__free_char char *path = realpath(m->path, NULL);
	__free_char char *text = NULL;

	if (!home || !path || strncmp(path, home, strlen(home)) || path[strlen(home)] != '/')
		return false;
	text = file_read(path, NULL, NULL);
	return text && !strcmp(text, m->text);
}

static int ask_for_commands(const struct job_order *o, struct error *err)
{
	const struct matrix *m = o->matrix;
	int answer;

	if (!m->has_commands || o->opt.yes || came_with_kab(m))
		return 0;
	fprintf(stderr, "%s runs these commands, %s:\n", m->path,
		m->executor == EXECUTOR_LOCAL
			? "with your rights on this machine"
			: "as root of a guest that can read this machine's files");
	for (size_t i = 0; i < m->nworkloads; i++)
		if (m->workloads[i].command)
			fprintf(stderr, "  %s\n", m->workloads[i].command);
	if (!isatty(STDIN_FILENO))
		return error_set(err, KAB_USAGE,
			"%s holds commands and did not come with kab: look at them and give --yes",
			m->path);
	fprintf(stderr, "Run them? [y/N] ");
	answer = getchar();
	if (answer != 'y' && answer != 'Y')
		return error_set(err, KAB_USAGE, "the commands of %s were not agreed to", m->path);
	return 0;
}

static void say_plan(const struct job_order *o)
{
	struct buf b = {};
	size_t n;

	run_text_plan(&b, o->plan, o->arms);
	if (o->store) {
		store_samples(o->store, &n);
		buf_addf(&b, "  continuing %s, which has %zu samples\n", store_path(o->store), n);
	}
	if (o->opt.dry_run)
		run_text_order(&b, o->plan);
	fputs(b.data, o->opt.dry_run ? stdout : stderr);
	buf_free(&b);
}

static void print_json(json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(o);
}

static int build(struct job_order *o, struct error *err)
{
	struct run_arm *built = run_arms(
		o->matrix, json_is_true(json_object_get(o->options, "aa")), true, o->progress, err);

	if (!built)
		return -1;
	run_arms_free(o->arms, o->matrix->narms);
	o->arms = built;
	json_decref(o->arms_json);
	o->arms_json = run_arms_json(o->arms, o->matrix);
	return 0;
}

/* The folder: new, or told that it goes on. */
static int settle_store(struct job_order *o, struct error *err)
{
	json_t *patch;
	int ret;

	if (!o->store) {
		o->store =
			store_create(o->results, o->plan, o->options, o->arms_json, o->host, err);
		return o->store ? 0 : -1;
	}
	patch = json_pack("{s:s,s:{s:i,s:I}}", "state", "running", "plan", "blocks",
		(int)o->plan->boots[o->plan->nboots - 1].block + 1, "boots",
		(json_int_t)o->plan->nboots);
	ret = store_update(o->store, patch, err);
	json_decref(patch);
	return ret;
}

static int execute(struct job_order *o, struct error *err)
{
	struct run r = {
		.plan = o->plan,
		.ops = executor_find(o->matrix->executor),
		.label = o->label,
		.progress = o->progress,
	};

	if (run_check_space(o->plan, o->store, o->store ? store_path(o->store) : o->results, err) ||
		build(o, err) || settle_store(o, err))
		return -1;
	r.store = o->store;
	r.arms = o->arms;
	if (!run_execute(&r, err))
		return 0;
	if (err->status == KAB_INTERRUPTED)
		error_set(err, KAB_INTERRUPTED,
			"interrupted, %zu of %zu samples done; \"kab run %s\" continues", r.done,
			r.total, store_path(o->store));
	return -1;
}

static enum kab_exit say_result(const struct job_order *o)
{
	struct buf b = {};

	if (o->opt.common.json) {
		print_json(run_json_summary(o->store));
	} else {
		run_text_summary(&b, o->store);
		fputs(b.data, stderr);
		buf_free(&b);
		puts(store_path(o->store));
	}
	return run_failed_samples(o->store) ? KAB_REGRESSION : KAB_OK;
}

static int carry_out(struct job_order *o, struct error *err)
{
	int ret;

	if (find_out(o, err))
		return cli_fail("run", err);
	if (o->opt.dry_run) {
		if (o->opt.common.json)
			print_json(run_json_plan(o->plan, o->arms));
		else
			say_plan(o);
		return KAB_OK;
	}
	if (!o->opt.common.quiet)
		say_plan(o);
	if (ask_for_commands(o, err))
		return cli_fail("run", err);
	o->progress = progress_start(&o->opt.common);
	ret = execute(o, err);
	progress_end(o->progress);
	return ret ? cli_fail("run", err) : (int)say_result(o);
}

static void release(struct job_order *o)
{
	plan_free(o->plan);
	run_arms_free(o->arms, o->matrix ? o->matrix->narms : 0);
	store_close(o->store);
	matrix_free(o->own_matrix);
	json_decref(o->options);
	json_decref(o->arms_json);
	json_decref(o->host);
	free(o->results);
}

int cmd_run(int argc, char **argv)
{
	struct job_order o = {};
	struct error err;
	int ret = parse(argc, argv, &o, &err);

	if (ret)
		return ret < 0 ? cli_fail("run", &err) : KAB_OK;
	ret = carry_out(&o, &err);
	release(&o);
	return ret;
}
