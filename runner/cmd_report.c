// SPDX-License-Identifier: GPL-2.0-or-later
/* kab report: the report of a run, and its figures, drawn again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "report.h"
#include "util.h"

struct report_options {
	const char *out, *baseline;
	double threshold;
};

static void tell(const struct store *run, const struct store *other, const struct comparison *c, const char *dir,
	const struct cli_common *common)
{
	if (common->json) {
		json_t *o = json_pack("{s:s,s:s,s:o}", "run", store_path(run), "report", dir, "comparison",
			comparison_to_json(c));

		if (other)
			json_object_set_new(o, "other", json_string(store_path(other)));
		cli_print_json(o);
	} else if (!common->quiet) {
		printf("%s/report.html\n%s/report.md\n%s/cover-letter.txt\n", dir, dir, dir);
	}
}

static int report_runs(const struct store *run, const struct store *other, const struct report_options *o,
	const struct cli_common *common, struct error *err)
{
	struct compare_options how = {.baseline = o->baseline, .threshold = o->threshold};
	struct comparison *c = compare_runs(run, other, &how, err);
	__free_char char *dir = o->out ? xstrdup(o->out) : report_folder(run, other);
	int ret = c ? report_write(run, other, c, o->out, err) : -1;

	if (!ret)
		tell(run, other, c, dir, common);
	comparison_free(c);
	return ret;
}

static int open_and_report(char **paths, int npaths, const struct report_options *o, const struct cli_common *common,
	struct error *err)
{
	struct store *run = store_open(paths[0], false, NULL, err), *other = NULL;
	int ret = -1;

	if (run && npaths == 2 && !cli_same_run(paths[0], paths[1], err))
		other = store_open(paths[1], false, NULL, err);
	if (run && (npaths == 1 || other))
		ret = report_runs(run, other, o, common, err);
	store_close(other);
	store_close(run);
	return ret;
}

int cmd_report(int argc, char **argv)
{
	struct report_options o = {0};
	const struct option_spec options[] = {
		{"out", 'o', OPT_STRING, "DIR", "write there instead of into the run's folder",
			&o.out},
		{"baseline", 0, OPT_STRING, "ARM", "compare with this arm", &o.baseline},
		{"threshold", 0, OPT_PERCENT, "SHARE", "what counts as the same, such as 2%",
			&o.threshold},
	};
	const struct usage usage = {
		.verb = "report",
		.synopsis = "[RUN [RUN2]] [options]",
		.summary = "Writes a run's report: report.html, report.md, cover-letter.txt and "
			   "figures as SVG and PNG.\n"
			   "Of two runs: of RUN2 against RUN's baseline, into RUN2's folder.\n"
			   "Without RUN: the newest finished run, else the reference run.",
		.options = options,
		.noptions = ARRAY_SIZE(options),
	};
	struct cli_common common = {0};
	struct error err = {0};
	__free_char char *newest = NULL;
	int n, parsed = cli_parse(&usage, argc, argv, &common, &n, &err);

	if (parsed)
		return parsed > 0 ? KAB_OK : cli_fail("report", &err);
	if (n > 2) {
		error_set(&err, KAB_USAGE, "expected one or two run folders, got %d; see kab report --help", n);
		return cli_fail("report", &err);
	}
	if (!n)
		newest = cli_newest_run("report", &common, &err);
	if (!n && !newest)
		return cli_fail("report", &err);
	if (open_and_report(n ? argv : &newest, n ? n : 1, &o, &common, &err))
		return cli_fail("report", &err);
	return KAB_OK;
}
