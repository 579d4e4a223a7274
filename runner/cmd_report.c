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

static void tell(const struct store *run, const struct comparison *c, const char *dir,
	const struct cli_common *common)
{
	if (common->json)
		cli_print_json(json_pack("{s:s,s:s,s:o}", "run", store_path(run), "report", dir,
			"comparison", comparison_to_json(c)));
	else if (!common->quiet)
		printf("%s/report.html\n%s/report.md\n%s/cover-letter.txt\n", dir, dir, dir);
}

static int report_run(const char *path, const struct report_options *o,
	const struct cli_common *common, struct error *err)
{
	struct compare_options how = {.baseline = o->baseline, .threshold = o->threshold};
	struct store *run = store_open(path, false, NULL, err);
	struct comparison *c = run ? compare_runs(run, NULL, &how, err) : NULL;
	__free_char char *dir =
		run ? o->out ? xstrdup(o->out) : xasprintf("%s/report", store_path(run)) : NULL;
	int ret = -1;

	if (c && !report_write(run, c, o->out, err)) {
		tell(run, c, dir, common);
		ret = 0;
	}
	if (c)
		comparison_free(c);
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
		.synopsis = "[RUN] [options]",
		.summary = "Writes a run's report: report.html, report.md, cover-letter.txt and "
			   "figures as SVG and PNG.\n"
			   "Without RUN: the newest finished run, else the reference run.",
		.options = options,
		.noptions = ARRAY_SIZE(options),
	};
	struct cli_common common = {0};
	struct error err = {0};
	__free_char char *path = NULL;
	int n, parsed = cli_parse(&usage, argc, argv, &common, &n, &err);

	if (parsed)
		return parsed > 0 ? KAB_OK : cli_fail("report", &err);
	if (n > 1) {
		error_set(&err, KAB_USAGE, "one run, not %d; see kab report --help", n);
		return cli_fail("report", &err);
	}
	path = n ? xstrdup(argv[0]) : cli_newest_run("report", &common, &err);
	if (!path || report_run(path, &o, &common, &err))
		return cli_fail("report", &err);
	return KAB_OK;
}
