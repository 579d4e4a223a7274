// SPDX-License-Identifier: GPL-2.0-or-later
/* kab run: what it will do, whether it may, and off it goes. run_order.c finds out which run is
 * meant. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "doctor.h"
#include "options.h"
#include "power.h"
#include "run_order.h"
#include "run_text.h"
#include "util.h"

static int parse(int argc, char **argv, struct run_order *o, struct error *err)
{
	struct run_options *opt = &o->opt;
	const struct option_spec table[] = {
		OPTION_DRY_RUN(opt),
		OPTION_ONLY(opt),
		OPTION_NEW(opt),
		{"more-boots", 0, OPT_COUNT, "N", "add N blocks to a run", &opt->more_boots},
		{"aa", 0, OPT_FLAG, NULL,
			"make every arm the baseline: how often is nothing called a change?",
			&opt->aa},
		OPTION_BLOCKS(opt),
		OPTION_SEED(opt),
		{"label", 0, OPT_STRING, "NAME", "executor local: what to call the running kernel",
			&opt->label},
		OPTION_RESULTS(opt),
		{"power-from", 0, OPT_STRING, "RUN",
			"with --dry-run: how many boots an effect needs, from that run's variance",
			&opt->power_from},
		{"effect", 0, OPT_PERCENT, "SHARE",
			"with --power-from: this effect (default: 1, 2, 5 and 10 %)", &opt->effect},
		OPTION_YES(opt),
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
	if (opt->power_from && !opt->dry_run)
		return error_set(err, KAB_USAGE, "--power-from goes with --dry-run");
	if (opt->effect > 0 && !opt->power_from)
		return error_set(err, KAB_USAGE, "--effect goes with --power-from");
	o->operand = nargs ? argv[0] : NULL;
	return 0;
}

/* The matrix is, word for word, one of those that came with kab. */
static bool came_with_kab(const struct matrix *m)
{
	__free_char char *text = NULL;

	if (!path_is_own_matrix(m->path))
		return false;
	text = file_read(m->path, NULL, NULL);
	return text && !strcmp(text, m->text);
}

/* Waits for the terminal's line or for a signal, one that came before included. */
static void wait_for_answer(void)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	if (!kab_interrupted)
		ppoll(&fd, 1, NULL, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static int ask_for_commands(const struct run_order *o, struct error *err)
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
	wait_for_answer();
	if (kab_interrupted)
		return error_set(err, KAB_INTERRUPTED, "interrupted; nothing was run");
	answer = getchar();
	if (answer != 'y' && answer != 'Y')
		return error_set(err, KAB_USAGE, "the commands of %s were not agreed to", m->path);
	return 0;
}

static void say_plan(const struct run_order *o)
{
	struct buf b = {};
	size_t n;

	run_text_plan(&b, o->plan, o->arms);
	if (o->store) {
		store_samples(o->store, &n);
		buf_addf(&b, "  continuing %s, which has %zu samples\n", store_path(o->store), n);
	}
	if (o->opt.dry_run && o->opt.common.verbose)
		run_text_order(&b, o->plan);
	else if (o->opt.dry_run)
		run_text_cells(&b, o->plan);
	fputs(b.data, o->opt.dry_run ? stdout : stderr);
	buf_free(&b);
}

static int build(struct run_order *o, struct error *err)
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
static int settle_store(struct run_order *o, struct error *err)
{
	bool fresh = !o->store;
	json_t *patch;
	int ret;

	if (fresh)
		o->store =
			store_create(o->results, o->plan, o->options, o->arms_json, o->host, err);
	if (!o->store)
		return -1;
	/* Looking takes a while, in which the session that created the run may have been killed. */
	if (!json_object_get(store_run(o->store), "doctor") &&
		doctor_record(o->store, o->arms[0].kernel.image, o->matrix->executor == EXECUTOR_VM, err))
		return -1;
	if (fresh)
		return 0;
	patch = json_pack("{s:s,s:{s:i,s:I}}", "state", "running", "plan", "blocks",
		(int)o->plan->boots[o->plan->nboots - 1].block + 1, "boots",
		(json_int_t)o->plan->nboots);
	ret = store_update(o->store, patch, err);
	json_decref(patch);
	return ret;
}

static int execute(struct run_order *o, struct error *err)
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

static enum kab_exit say_result(const struct run_order *o)
{
	struct buf b = {};

	if (o->opt.common.json) {
		cli_print_json(run_json_summary(o->store));
	} else {
		run_text_summary(&b, o->store);
		fputs(b.data, stderr);
		buf_free(&b);
		if (!o->opt.folder)
			puts(store_path(o->store));
	}
	return run_failed_samples(o->store) ? KAB_REGRESSION : KAB_OK;
}

/* Boots that the plan's cells need, instead of the order that they would run in. */
static int say_power(const struct run_order *o, struct error *err)
{
	struct store *earlier = store_open(o->opt.power_from, false, NULL, err);
	struct power p = {};
	int ret = earlier ? power_make(o->plan, earlier, o->opt.effect, &p, err) : -1;

	if (!ret && o->opt.common.json) {
		cli_print_json(power_to_json(&p, o->plan));
	} else if (!ret) {
		__free_char char *text = power_table(&p, o->plan);

		fputs(text, stdout);
	}
	power_clear(&p);
	store_close(earlier);
	return ret ? cli_fail("run", err) : KAB_OK;
}

static int carry_out(struct run_order *o, struct error *err)
{
	int ret;

	ret = run_order_settle(o, err);
	if (o->notes.len)
		fprintf(stderr, "kab run: %s", o->notes.data);
	if (ret)
		return cli_fail("run", err);
	if (o->opt.power_from)
		return say_power(o, err);
	if (o->opt.dry_run) {
		if (o->opt.common.json)
			cli_print_json(run_json_plan(o->plan, o->arms));
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

int run_matrix(int argc, char **argv, char **folder)
{
	struct run_order o = {.opt.folder = folder};
	struct error err;
	int ret = parse(argc, argv, &o, &err);

	if (ret)
		return ret < 0 ? cli_fail("run", &err) : KAB_OK;
	ret = carry_out(&o, &err);
	if (folder)
		*folder = o.store ? xstrdup(store_path(o.store)) : NULL;
	run_order_clear(&o);
	return ret;
}

int cmd_run(int argc, char **argv)
{
	return run_matrix(argc, argv, NULL);
}
