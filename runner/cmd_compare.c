// SPDX-License-Identifier: GPL-2.0-or-later
/* kab compare RUN [RUN2]: the verdict table, and an exit status for scripts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "compare.h"
#include "draws.h"
#include "report_data.h"
#include "report_format.h"
#include "util.h"

/* What git bisect run takes as "cannot be tested". */
#define BISECT_SKIP 125
#define DEFAULT_DRAW_BLOCKS 10
#define MAX_DRAWS 1000000u

struct arguments {
	struct cli_common common;
	struct compare_options compare;
	const char *correction, *fail_on;
	bool bisect, letter;
	unsigned draws, draw_blocks;
	double inject;
	unsigned fail_bits;
	bool mistake; /* what is wrong is the command, and not a run */
};

static int check_options(struct arguments *a, struct error *err)
{
	a->fail_bits = FAIL_ON_ALL;
	if ((a->draw_blocks || a->inject > 0) && !a->draws)
		return error_set(err, KAB_USAGE, "--draw-blocks and --inject go with --draws");
	if (a->draws > MAX_DRAWS)
		return error_set(err, KAB_USAGE, "--draws: %u: expected %u or fewer", a->draws, MAX_DRAWS);
	if (a->draws && (a->fail_on || a->correction || a->bisect || a->letter))
		return error_set(err, KAB_USAGE, "--fail-on, --correction, --bisect and --cover-letter do not go with --draws, which judges no arm");
	if (a->letter && a->common.json)
		return error_set(err, KAB_USAGE, "--cover-letter is text: it does not go with --json");
	a->draw_blocks = a->draw_blocks ? a->draw_blocks : DEFAULT_DRAW_BLOCKS;
	if (a->fail_on && fail_on_parse(a->fail_on, &a->fail_bits, err))
		return -1;
	if (!a->correction || !strcmp(a->correction, "holm"))
		return 0;
	a->compare.bh = !strcmp(a->correction, "bh");
	return a->compare.bh ? 0
			     : error_set(err, KAB_USAGE, "--correction: '%s': expected holm or bh",
				       a->correction);
}

static int parse(struct arguments *a, int argc, char **argv, int *nargs, struct error *err)
{
	const struct option_spec options[] = {
		{"baseline", 0, OPT_STRING, "ARM", "compare with this arm (default: the matrix's)",
			&a->compare.baseline},
		{"threshold", 0, OPT_PERCENT, "SHARE",
			"same means within this (default 2%; exact mode 0.2%)",
			&a->compare.threshold},
		{"alpha", 0, OPT_PERCENT, "SHARE",
			"chance of a false change allowed over all (default 5%)",
			&a->compare.alpha},
		{"correction", 0, OPT_STRING, "NAME",
			"holm (default) or bh, the false discovery rate", &a->correction},
		{"fail-on", 0, OPT_STRING, "LIST",
			"what makes the exit status other than 0: regression,failed,unclear "
			"(default) or none",
			&a->fail_on},
		{"bisect", 0, OPT_FLAG, NULL,
			"exit 125 where git bisect run should skip: unclear, or a broken run",
			&a->bisect},
		{"cover-letter", 0, OPT_FLAG, NULL, "print the letter that kab report writes; also of two runs", &a->letter},
		{"draws", 0, OPT_COUNT, "N",
			"draw N short comparisons from the run and tell how many are called a "
			"change",
			&a->draws},
		{"draw-blocks", 0, OPT_UINT, "N", "blocks of each of them (default 10)",
			&a->draw_blocks},
		{"inject", 0, OPT_PERCENT, "SHARE",
			"with --draws: make the arms' values greater by this share first",
			&a->inject},
	};
	const struct usage usage = {
		.verb = "compare",
		.synopsis = "[RUN [RUN2]] [options]",
		.summary = "Compares the arms of a run with its baseline, or those of RUN2 with "
			   "RUN's baseline.\n"
			   "Without RUN: the newest finished run, else the reference run.\n"
			   "Exit status: 0 nothing worse and nothing unclear, 1 a regression or "
			   "failed samples, 3 unclear.",
		.options = options,
		.noptions = ARRAY_SIZE(options),
	};
	int ret = cli_parse(&usage, argc, argv, &a->common, nargs, err);

	if (ret)
		return ret;
	if (*nargs > 2)
		return error_set(err, KAB_USAGE, "expected one or two run folders, got %d", *nargs);
	/* Another run than the one that was just made would be a wrong answer to git bisect. */
	if (!*nargs && a->bisect)
		return error_set(err, KAB_USAGE, "--bisect needs a run folder");
	if (a->draws && (*nargs > 1 || a->compare.baseline))
		return error_set(
			err, KAB_USAGE, "--draws takes one run, whose baseline is its own");
	return check_options(a, err);
}

/*
 * git takes all but 0, 125 and those above 127 for a bad revision, a run that cannot be read, too. A mistake in the command is
 * the same at each revision: git is to stop, and not to skip them all.
 */
static int for_bisect(bool mistake, int status)
{
	if (mistake)
		return KAB_INTERRUPTED;
	return status == KAB_OK || status == KAB_REGRESSION || status == KAB_INTERRUPTED ? status : BISECT_SKIP;
}

static void print(const struct arguments *a, char **paths, int npaths, const struct comparison *c, int status)
{
	char *text;

	if (a->common.json) {
		json_t *o = comparison_to_json(c);

		json_object_set_new(o, "run", json_string(paths[0]));
		if (npaths > 1)
			json_object_set_new(o, "other", json_string(paths[1]));
		json_object_set_new(o, "exit", json_integer(a->bisect ? for_bisect(false, status) : status));
		text = json_dumps(o, JSON_INDENT(1) | JSON_SORT_KEYS);
		json_decref(o);
		puts(text);
	} else {
		text = comparison_table(c, cli_color(&a->common), a->common.verbose);
		fputs(text, stdout);
	}
	free(text);
}

/* What the run says of the rules, instead of what they say of it. */
static int draw_and_print(const struct arguments *a, const char *path, struct error *err)
{
	const struct draw_options opt = {
		a->draws, a->draw_blocks, a->compare.alpha, a->compare.threshold, a->inject};
	struct store *run = store_open(path, false, NULL, err);
	struct draws d = {};
	int ret = run ? draws_make(run, &opt, &d, err) : -1;
	char *text = NULL;

	if (!ret && a->common.json) {
		json_t *o = draws_to_json(&d);

		text = json_dumps(o, JSON_INDENT(1) | JSON_SORT_KEYS);
		json_decref(o);
		puts(text);
	} else if (!ret) {
		text = draws_table(&d);
		fputs(text, stdout);
	}
	free(text);
	draws_clear(&d);
	store_close(run);
	return ret;
}

static int print_letter(const struct store *run, const struct store *other, const struct comparison *c, struct error *err)
{
	struct report r;
	struct buf b = {};
	int ret = report_data_make(run, other, c, &r, err) || report_cover(&r, NULL, &b, err);

	if (!ret)
		fputs(b.data, stdout);
	buf_free(&b);
	report_data_clear(&r);
	return ret ? -1 : 0;
}

static int compare_and_print(struct arguments *a, char **paths, int npaths, struct error *err)
{
	struct store *run = store_open(paths[0], false, NULL, err), *other = NULL;
	struct comparison *c = NULL;
	int status = -1;

	a->mistake = run && npaths == 2 && cli_same_run(paths[0], paths[1], err);
	if (run && npaths == 2 && !a->mistake)
		other = store_open(paths[1], false, NULL, err);
	if (run && (npaths == 1 || other)) {
		c = compare_runs(run, other, &a->compare, err);
		a->mistake = !c && err->status == KAB_USAGE;
	}
	if (c) {
		status = comparison_status_for(c, a->fail_bits);
		if (!a->letter)
			print(a, paths, npaths, c, status);
		else if (print_letter(run, other, c, err))
			status = -1;
	}
	comparison_free(c);
	store_close(other);
	store_close(run);
	return status;
}

/* Also where a mistake before it kept the option from being read. */
static bool asks_for_bisect(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--bisect"))
			return true;
	return false;
}

int cmd_compare(int argc, char **argv)
{
	struct arguments a = {};
	struct error err = {};
	bool bisect = asks_for_bisect(argc, argv);
	int nargs, ret = parse(&a, argc, argv, &nargs, &err);
	char *newest = NULL, *only[1];

	if (ret > 0)
		return KAB_OK;
	a.mistake = ret < 0;
	if (!ret && !nargs) {
		newest = cli_newest_run("compare", &a.common, &err);
		only[0] = newest;
		argv = only;
		nargs = 1;
		ret = newest ? 0 : -1;
	}
	if (!ret && a.draws)
		ret = draw_and_print(&a, argv[0], &err);
	else if (!ret)
		ret = compare_and_print(&a, argv, nargs, &err);
	if (ret < 0)
		ret = cli_fail("compare", &err);
	free(newest);
	return bisect || a.bisect ? for_bisect(a.mistake, ret) : ret;
}
