// SPDX-License-Identifier: GPL-2.0-or-later
/* kab try SERIES: a stranger's patches -> a verdict, and with --each the patch that is behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "along.h"
#include "commands.h"
#include "compare.h"
#include "kernel.h"
#include "options.h"
#include "report.h"
#include "series_import.h"
#include "try.h"

#define STOCK "stock"
#define PATCHED "patched"

struct try_options {
	const char *base, *rev;
	bool each;
	struct try_order order;
};

static int parse(struct try_options *o, int argc, char **argv, int *nargs, struct error *err)
{
	const struct option_spec options[] = {
		OPTION_BASE(o),
		OPTION_REV(o),
		OPTION_CONFIG(&o->order),
		OPTION_MATRIX(&o->order),
		OPTION_EXACT(&o->order),
		{"each", 0, OPT_FLAG, NULL, "measure after every patch: which one did it?",
			&o->each},
		OPTION_ONLY(&o->order),
		OPTION_BLOCKS(&o->order),
		OPTION_SEED(&o->order),
		OPTION_NEW(&o->order),
		OPTION_DRY_RUN(&o->order),
		OPTION_RESULTS(&o->order),
		OPTION_YES(&o->order),
	};
	const struct usage usage = {
		.verb = "try",
		.synopsis = "SERIES [options]",
		.summary = "Builds the base with and without SERIES, measures both and says what "
			   "it found.\n"
			   "SERIES is a folder of patches, a file of mails, or git:TREE:RANGE.\n"
			   "Exit status: as of kab compare.",
		.options = options,
		.noptions = ARRAY_SIZE(options),
	};
	int ret = cli_parse(&usage, argc, argv, &o->order.common, nargs, err);

	if (!ret && *nargs != 1)
		return error_set(err, KAB_USAGE, "expected one series, found %d operands", *nargs);
	return ret ? ret : try_check(&o->order, err);
}

/* ---- the arms ---- */

static int make_order(struct try_options *o, const struct series_import *s, struct error *err)
{
	__free_char char *name = xasprintf("%s%s", s->name, o->each ? "-each" : "");
	struct arm holder = {};
	int ret = base_from_options(o->base, o->rev, &holder.base, err);

	if (!ret) {
		try_start(&o->order, "try", &holder.base, name, STOCK);
		for (size_t i = 1; o->each && i < s->patches.n; i++) {
			/* "p03": the kernel with the first three patches. */
			__free_char char *label = xasprintf("p%02zu", i);

			try_add_series(&o->order, label, s->folder, i);
		}
		try_add_series(&o->order, PATCHED, s->folder, 0);
	}
	arm_clear(&holder);
	return ret;
}

/* ---- what was found ---- */

static void print_json(const struct store *run, const struct comparison *c, const struct along *a,
	const struct series_import *s, enum kab_exit status)
{
	json_t *all = json_pack("{s:s, s:s, s:s, s:i, s:o}", "run", store_path(run), "series",
		s->folder, "name", s->name, "status", (int)status, "comparison",
		comparison_to_json(c));

	if (a->nsteps)
		json_object_set_new(all, "each", along_to_json(a));
	cli_print_json(all);
}

/* And not, say, skipped. */
static bool some_primary_unclear(const struct comparison *c)
{
	for (size_t i = 0; i < c->nrows; i++)
		if (c->rows[i].primary && !c->rows[i].control && c->rows[i].verdict == VERDICT_UNCLEAR)
			return comparison_status(c) == KAB_UNCLEAR;
	return false;
}

static void print_text(const struct try_options *o, const struct store *run,
	const struct comparison *c, const struct along *a)
{
	const struct cli_common *common = &o->order.common;
	__free_char char *table = comparison_table(c, cli_color(common), common->verbose);
	struct buf each = {};

	fputs(table, stdout);
	if (o->each) {
		along_text(a, &each);
		printf("\n%s", each.data ? each.data : "");
		buf_free(&each);
	}
	if (some_primary_unclear(c) && !o->order.exact && !o->order.matrix)
		printf("\nnot clear by time: kab try --exact counts instructions, and tells "
		       "smaller changes\n");
	printf("\n%s/report/cover-letter.txt\n%s/report/report.html\n", store_path(run),
		store_path(run));
}

static void add_words(json_t *words, const char *option, const char *value)
{
	__free_char char *shown = value ? path_without_home(value) : NULL;

	if (!shown)
		return;
	if (option)
		json_array_append_new(words, json_string(option));
	json_array_append_new(words, json_string(shown));
}

/* What the report tells others to repeat: the matrix that was made is nowhere but here. */
static int record_command(
	struct store *run, const struct try_options *o, const char *what, struct error *err)
{
	json_t *words = json_array(), *patch = json_pack("{s:o}", "tried", words);
	int ret;

	add_words(words, NULL, what);
	add_words(words, "--base", o->base);
	add_words(words, "--rev", o->rev);
	add_words(words, "--config", o->order.config);
	add_words(words, "--matrix", o->order.matrix);
	if (o->order.exact)
		json_array_append_new(words, json_string("--exact"));
	if (o->each)
		json_array_append_new(words, json_string("--each"));
	ret = store_update(run, patch, err);
	json_decref(patch);
	return ret;
}

static int tell(const struct try_options *o, const struct series_import *s, const char *what,
	const char *path, struct error *err)
{
	const struct compare_options opt = {};
	struct store *run = store_open(path, true, NULL, err);
	struct comparison *c = run && !record_command(run, o, what, err)
				       ? compare_runs(run, NULL, &opt, err)
				       : NULL;
	struct along along = {};
	int status = -1;

	if (c && !report_write(run, NULL, c, NULL, err) && !(o->each && along_make(run, &along, err))) {
		status = comparison_status(c);
		if (o->order.common.json)
			print_json(run, c, &along, s, status);
		else
			print_text(o, run, c, &along);
	}
	along_clear(&along);
	comparison_free(c);
	store_close(run);
	return status;
}

/* ---- before anything is built ---- */

static void say_extract(void *quiet, const char *stage, unsigned long done, unsigned long total)
{
	(void)done;
	(void)total;
	if (!*(bool *)quiet && !strcmp(stage, "extract"))
		fprintf(stderr, "kab try: unpacking the base\n");
}

/* Kernels take minutes, and the last arm would tell only then. */
static int check_patches(struct try_options *o, const struct series_import *s, struct error *err)
{
	struct series_ref ref = {.name = s->folder};
	struct arm arm = {.label = (char *)PATCHED, .series = &ref, .nseries = 1}, holder = {};
	int ret = base_from_options(o->base, o->rev, &holder.base, err);

	arm.base = holder.base;
	if (!ret)
		ret = kernel_check_patches(&arm, say_extract, &o->order.common.quiet, err);
	arm_clear(&holder);
	return ret;
}

static int carry_out(struct try_options *o, const char *what, struct error *err)
{
	__free_char char *run = NULL;
	struct series_import s;
	int status = series_import(what, &s, err);

	if (status)
		return -1;
	if (!o->order.common.quiet) {
		fprintf(stderr, "kab try: %s: %zu patch%s\n", what, s.patches.n,
			s.patches.n == 1 ? "" : "es");
		if (s.notes.len)
			fputs(s.notes.data, stderr);
	}
	status = check_patches(o, &s, err) || make_order(o, &s, err) ? -1 : 0;
	if (!status)
		status = try_run(&o->order, &run, err);
	/* Failed samples are no reason not to say what the others show. */
	if ((status == KAB_OK || status == KAB_REGRESSION) && run)
		status = tell(o, &s, what, run, err);
	series_import_clear(&s);
	return status;
}

int cmd_try(int argc, char **argv)
{
	struct try_options o = {};
	struct error err = {};
	int nargs, ret = parse(&o, argc, argv, &nargs, &err);

	if (ret > 0)
		return KAB_OK;
	if (!ret)
		ret = carry_out(&o, argv[0], &err);
	try_order_clear(&o.order);
	return ret < 0 ? cli_fail("try", &err) : ret;
}
