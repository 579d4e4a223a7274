// SPDX-License-Identifier: GPL-2.0-or-later
/* kab doctor: what works on this machine, and what each lack costs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "doctor.h"
#include "report_text.h"
#include "util.h"

#define TITLE_WIDTH 14
#define WIDTH 100 /* of the text; costs are wrapped to it */

static const struct {
	const char *level, *color;
} colors[] = {{"ok", "32"}, {"note", "36"}, {"costs", "33"}, {"stops", "31"}};

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static const char *color_of(const char *level)
{
	for (size_t i = 0; i < ARRAY_SIZE(colors); i++)
		if (!strcmp(colors[i].level, level))
			return colors[i].color;
	return "0";
}

static void print_finding(const json_t *f, bool color)
{
	const char *level = text_at(f, "level");
	struct buf b = {}, value = {};
	const unsigned indent = 8 + TITLE_WIDTH;

	/* The first line starts beside the title: the indent of the wrapped text makes room for it.
	 */
	text_add_ascii(&value, text_at(f, "value"));
	text_wrap(&b, value.data, indent, WIDTH);
	if (color)
		printf("\033[%sm%-6s\033[0m", color_of(level), level);
	else
		printf("%-6s", level);
	printf("  %-*s%s", TITLE_WIDTH, text_at(f, "title"),
		b.len > indent ? b.data + indent : "\n");
	buf_free(&b);
	if (json_object_get(f, "cost")) {
		buf_free(&value);
		text_add_ascii(&value, text_at(f, "cost"));
		text_wrap(&b, value.data, indent + 2, WIDTH);
		fputs(b.data, stdout);
		buf_free(&b);
	}
	buf_free(&value);
}

static void print_summary(const json_t *findings)
{
	size_t stops = doctor_count(findings, "stops"), costs = doctor_count(findings, "costs");

	if (stops)
		printf("\nA default run cannot work here yet: see what says 'stops'.\n");
	else if (costs)
		printf("\nAll that a default run needs is here; %zu thing%s will cost it "
		       "precision or meaning.\n",
			costs, costs == 1 ? "" : "s");
	else
		printf("\nAll that a default run needs is here.\n");
}

static void print_text(const json_t *findings, const struct cli_common *c)
{
	bool color = cli_color(c);

	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		const char *level = text_at(f, "level");

		if (!c->quiet || (strcmp(level, "ok") && strcmp(level, "note")))
			print_finding(f, color);
	}
	if (!c->quiet)
		print_summary(findings);
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor_options opt = {.try_kvm = true, .look_for_kernels = true};
	bool no_try = false;
	const struct option_spec options[] = {
		{"no-try", 0, OPT_FLAG, NULL,
			"do not boot a guest to try KVM; tell what is known of it", &no_try},
	};
	const struct usage usage = {
		.verb = "doctor",
		.synopsis = "[options]",
		.summary = "Tells what works on this machine, and what each lack costs a "
			   "measurement.\n"
			   "Levels: ok; note; costs (precision or meaning); stops (a default run "
			   "cannot work).\n"
			   "With --quiet only the last two. Exit status 4 when something stops.",
		.options = options,
		.noptions = ARRAY_SIZE(options),
	};
	struct cli_common common = {0};
	struct error err = {0};
	json_t *facts, *findings;
	size_t stops;
	int n, parsed = cli_parse(&usage, argc, argv, &common, &n, &err);

	if (parsed)
		return parsed > 0 ? KAB_OK : cli_fail("doctor", &err);
	if (n) {
		error_set(&err, KAB_USAGE, "it takes no operand, and '%s' is one", argv[0]);
		return cli_fail("doctor", &err);
	}
	opt.try_kvm = !no_try;
	facts = doctor_facts(&opt, &err);
	if (!facts)
		return cli_fail("doctor", &err);
	findings = doctor_judge(facts);
	stops = doctor_count(findings, "stops");
	if (common.json) {
		cli_print_json(json_pack("{s:o,s:O}", "findings", findings, "facts", facts));
	} else {
		print_text(findings, &common);
		json_decref(findings);
	}
	json_decref(facts);
	return stops ? KAB_ENVIRONMENT : KAB_OK;
}
