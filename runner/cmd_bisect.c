// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kab bisect: a step of "git bisect run". git takes 0 as good, 1 to 127 as bad but for 125, which
 * skips, and stops at all else: what is neither a verdict nor this revision's fault must be all
 * else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "commands.h"
#include "compare.h"
#include "kernel.h"
#include "options.h"
#include "series_import.h"
#include "try.h"

enum bisect_exit { BISECT_GOOD = 0, BISECT_BAD = 1, BISECT_SKIP = 125, BISECT_STOP = 128 + 2 };

#define GOOD "good"
#define HERE "here"

struct bisect_options {
	const char *good;
	struct try_order order;
};

static int parse(struct bisect_options *o, int argc, char **argv, int *nargs, struct error *err)
{
	const struct option_spec options[] = {
		{"good", 0, OPT_STRING, "REV",
			"compare with this revision (default: git bisect's good one)", &o->good},
		OPTION_CONFIG(&o->order),
		OPTION_MATRIX(&o->order),
		OPTION_EXACT(&o->order),
		OPTION_ONLY(&o->order),
		OPTION_BLOCKS(&o->order),
		OPTION_RESULTS(&o->order),
		OPTION_YES(&o->order),
	};
	const struct usage usage = {
		.verb = "bisect",
		.synopsis = "[TREE] [options]",
		.summary =
			"A step of git bisect run: measures the revision that is checked out "
			"against a good one.\n"
			"Exit status: 0 not worse, 1 a regression, 125 unclear or it does not "
			"build or boot;\n"
			"130, which stops git bisect: a mistake, no good kernel, or interrupted.",
		.options = options,
		.noptions = ARRAY_SIZE(options),
	};
	int ret = cli_parse(&usage, argc, argv, &o->order.common, nargs, err);

	if (!ret && *nargs > 1)
		return error_set(
			err, KAB_USAGE, "expected one git tree, found %d operands", *nargs);
	return ret ? ret : try_check(&o->order, err);
}

/* The first line that git prints. Caller frees; NULL: nothing, or an error. */
static char *git_line(const char *tree, const char *a, const char *b, const char *c)
{
	const char *const argv[] = {
		"sh", "-c", "exec git \"$@\" 2>/dev/null", "sh", "-C", tree, a, b, c, NULL};
	struct buf out = {};
	int status = run_capture(argv, NULL, &out, NULL);

	if (status || !out.data || !*out.data) {
		buf_free(&out);
		return NULL;
	}
	out.data[strcspn(out.data, "\n")] = '\0';
	return out.data;
}

/*
 * The first revision that was called good: those that the bisection itself found to be are no
 * baseline, or a slowdown in many small steps would pass. Caller frees; NULL: none.
 */
static char *first_good(const char *tree)
{
	static const char mark[] = "# good: [";
	const char *const argv[] = {
		"sh", "-c", "exec git -C \"$1\" bisect log 2>/dev/null", "sh", tree, NULL};
	struct buf out = {};
	const char *p =
		run_capture(argv, NULL, &out, NULL) || !out.data ? NULL : strstr(out.data, mark);
	char *good = p ? xstrndup(p + strlen(mark), strcspn(p + strlen(mark), "]\n")) : NULL;

	buf_free(&out);
	return good;
}

/*
 * The revision @here, as the good one and a patch where that can be said so: then its kernel comes
 * of the tree that the last one was built in, in a minute instead of ten.
 */
static void add_here(struct try_order *o, const struct base *good, const char *here)
{
	struct base own = {.tree = good->tree, .rev = (char *)here};
	struct series_ref ref = {};
	struct arm arm = {.label = (char *)HERE, .base = *good, .series = &ref, .nseries = 1};
	struct series_import s;
	bool patch = !series_between(good->tree, good->rev, here, &s, NULL);

	ref.name = s.folder;
	if (patch && !kernel_check_patches(&arm, NULL, NULL, NULL))
		try_add_series(o, HERE, s.folder, 0);
	else
		try_add_base(o, HERE, &own);
	series_import_clear(&s);
}

static int make_order(struct bisect_options *o, const char *where, struct error *err)
{
	__free_char char *tree = git_line(where, "rev-parse", "--show-toplevel", NULL);
	__free_char char *here = NULL, *good = NULL, *name = NULL;
	struct base base = {};

	if (!tree)
		return error_set(err, KAB_USAGE, "%s: no git tree, or git is not there", where);
	here = git_line(tree, "rev-parse", "HEAD", NULL);
	if (o->good) {
		__free_char char *spec = xasprintf("%s^{commit}", o->good);

		good = git_line(tree, "rev-parse", "--verify", spec);
	} else {
		good = first_good(tree);
	}
	if (!here || !good)
		return error_set(err, KAB_USAGE, "%s: %s%s", tree,
			o->good ? "no revision "
				: "no bisection under way; name the good revision: --good REV",
			o->good ? o->good : "");
	base = (struct base){.tree = tree, .rev = good};
	name = xasprintf("%.12s", here);
	try_start(&o->order, "bisect", &base, name, GOOD);
	add_here(&o->order, &base, here);
	return 0;
}

static void print_json(const char *run, const struct comparison *c, int status)
{
	cli_print_json(json_pack("{s:s, s:i, s:o}", "run", run, "status", status, "comparison",
		comparison_to_json(c)));
}

static int judge(const char *path, const struct cli_common *common, struct error *err)
{
	const struct compare_options opt = {};
	struct store *run = store_open(path, false, NULL, err);
	struct comparison *c = run ? compare_runs(run, NULL, &opt, err) : NULL;
	int status = -1;

	if (c) {
		/* A regression that was seen is one, whatever else failed; failed samples alone
		 * decide nothing. */
		status = comparison_status_for(c, FAIL_ON_REGRESSION) == KAB_REGRESSION ? BISECT_BAD
			 : comparison_status(c) == KAB_OK ? BISECT_GOOD
							  : BISECT_SKIP;
		if (common->json) {
			print_json(path, c, status);
		} else {
			__free_char char *table =
				comparison_table(c, cli_color(common), common->verbose);

			fputs(table, stdout);
		}
	}
	comparison_free(c);
	store_close(run);
	return status;
}

int cmd_bisect(int argc, char **argv)
{
	__free_char char *run = NULL;
	struct bisect_options o = {};
	struct error err = {};
	int nargs, status, ret = parse(&o, argc, argv, &nargs, &err);

	if (ret > 0)
		return KAB_OK;
	if (!ret)
		ret = make_order(&o, nargs ? argv[0] : ".", &err) || try_prepare(&o.order, &err);
	/* A mistake that is the same at each revision must not make git skip them all. */
	if (!ret && o.order.asks)
		ret = error_set(&err, KAB_USAGE,
			"%s holds commands and did not come with kab: look at them and give --yes", o.order.matrix);
	/* With nothing to compare every revision would be good. */
	if (!ret && !o.order.comparisons)
		ret = error_set(&err, KAB_USAGE, "%s: no primary figure to judge a revision by",
			o.order.only ? o.order.only : o.order.path);
	if (ret) {
		cli_fail("bisect", &err);
		try_order_clear(&o.order);
		return BISECT_STOP;
	}
	status = try_run(&o.order, &run, &err);
	if (status < 0)
		status = cli_fail("bisect", &err);
	if ((status == KAB_OK || status == KAB_REGRESSION) && run) {
		status = judge(run, &o.order.common, &err);
		if (status < 0)
			cli_fail("bisect", &err), status = BISECT_SKIP;
	} else {
		/* Without the good kernel there is nothing that any revision could be compared
		 * with. */
		status = status == KAB_INTERRUPTED || !try_baseline_is_built(&o.order)
				 ? BISECT_STOP
				 : BISECT_SKIP;
	}
	try_order_clear(&o.order);
	return status;
}
