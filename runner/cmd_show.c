// SPDX-License-Identifier: GPL-2.0-or-later
/* kab show: what was measured. Each view is made as JSON; the text is a rendering of that. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "compare.h"
#include "functions.h"
#include "profile.h"
#include "run_text.h"
#include "util.h"

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static void count_up(json_t *counts, const char *key)
{
	json_object_set_new(
		counts, key, json_integer(json_integer_value(json_object_get(counts, key)) + 1));
}

/* The object at @key of @o, made if need be. Borrowed. */
static json_t *object_at(json_t *o, const char *key)
{
	if (!json_object_get(o, key))
		json_object_set_new(o, key, json_object());
	return json_object_get(o, key);
}

/* {cell: {arm: {status: samples}}}, warm-ups apart as "warm-up". */
static json_t *cells_json(const struct store *s)
{
	const struct sample *samples;
	json_t *cells = json_object();
	size_t n;

	samples = store_samples(s, &n);
	for (size_t i = 0; i < n; i++) {
		const struct sample *smp = &samples[i];
		bool ok = smp->status == SAMPLE_OK;

		count_up(object_at(object_at(cells, smp->cell), smp->arm),
			ok && smp->pass	    ? smp->pass
			: ok && smp->warmup ? "warm-up"
					    : sample_status_name(smp->status));
	}
	return cells;
}

static json_t *run_json(const struct store *s)
{
	json_t *run = store_run(s), *o = run_json_summary(s);
	static const char *const kept[] = {
		"name", "created", "finished", "plan", "options", "arms", "env"};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (json_object_get(run, kept[i]))
			json_object_set(o, kept[i], json_object_get(run, kept[i]));
	json_object_set_new(o, "baseline", json_string(store_matrix(s)->baseline));
	json_object_set_new(o, "cells", cells_json(s));
	return o;
}

static void text_counts(struct buf *b, const json_t *counts)
{
	const char *status;
	json_t *n;
	unsigned shown = 0;

	json_object_foreach ((json_t *)counts, status, n) {
		if (!json_integer_value(n))
			continue;
		buf_addf(b, "%s%lld %s", shown++ ? ", " : "", (long long)json_integer_value(n),
			status);
	}
}

static void text_arm(struct buf *b, const json_t *arm, const char *baseline)
{
	__free_char char *made_of = run_text_arm(arm);

	buf_addf(b, "  %-12s %s", text_at(arm, "label"), made_of);
	if (*text_at(arm, "key"))
		buf_addf(b, ", kernel %.12s", text_at(arm, "key"));
	buf_addf(b, "%s\n", strcmp(text_at(arm, "label"), baseline) ? "" : " (baseline)");
}

static void text_run(struct buf *b, const json_t *o)
{
	const json_t *plan = json_object_get(o, "plan"), *env = json_object_get(o, "env"), *arm;
	const char *cell, *label;
	json_t *arms, *counts;
	size_t i;

	buf_addf(b, "%s: %s, %s, begun %s\n", text_at(o, "run"), text_at(o, "name"),
		text_at(o, "state"), text_at(o, "created"));
	buf_addf(b, "executor %s%s%s on %s, kernel %s; %lld blocks, seed %s\n",
		text_at(env, "executor"), *text_at(env, "label") ? ", label " : "",
		text_at(env, "label"), text_at(env, "cpu_model"), text_at(env, "kernel_release"),
		(long long)json_integer_value(json_object_get(plan, "blocks")),
		text_at(plan, "seed"));
	if (json_is_true(json_object_get(json_object_get(o, "options"), "aa")))
		buf_addstr(b, "every arm is the baseline (--aa)\n");
	buf_addstr(b, "arms\n");
	json_array_foreach (json_object_get(o, "arms"), i, arm)
		text_arm(b, arm, text_at(o, "baseline"));
	buf_addstr(b, "samples\n  ");
	text_counts(b, json_object_get(o, "samples"));
	buf_addstr(b, "\ncells\n");
	json_object_foreach (json_object_get(o, "cells"), cell, arms) {
		buf_addf(b, "  %s\n", cell);
		json_object_foreach (arms, label, counts) {
			buf_addf(b, "    %-12s ", label);
			text_counts(b, counts);
			buf_addstr(b, "\n");
		}
	}
}

/* The entry of @smp's boot and life at the end of @boots, made if it is a new one. Borrowed. */
static json_t *boot_entry(json_t *boots, const struct sample *smp)
{
	json_t *last = json_array_get(boots, json_array_size(boots) - 1);

	if (last && json_integer_value(json_object_get(last, "boot")) == smp->boot &&
		json_integer_value(json_object_get(last, "life")) == smp->life)
		return last;
	last = json_pack("{s:i,s:i,s:i,s:[]}", "block", (int)smp->block, "boot", (int)smp->boot,
		"life", (int)smp->life, "values");
	json_array_append_new(boots, last);
	return last;
}

static void add_metrics(json_t *metrics, const struct sample *smp)
{
	static const char *const better[] = {"none", "more", "less"};

	for (size_t i = 0; i < smp->nmetrics; i++) {
		struct metric m = metric_find(smp->metrics[i].name);
		json_t *entry = object_at(metrics, m.name), *arms = object_at(entry, "arms");

		json_object_set_new(entry, "unit", json_string(m.unit));
		json_object_set_new(entry, "better", json_string(better[m.better]));
		if (!json_object_get(arms, smp->arm))
			json_object_set_new(arms, smp->arm, json_array());
		json_array_append_new(
			json_object_get(boot_entry(json_object_get(arms, smp->arm), smp), "values"),
			json_real(smp->metrics[i].value));
	}
}

/*
 * {cell, metrics: {name: {unit, better, arms: {label: [{block, boot, life, values}]}}}, failed:
 * [{id, arm, status, reason}]}: timed samples by boot, in file order. NULL: no such cell.
 */
static json_t *cell_json(const struct store *s, const char *cell)
{
	const struct sample *samples;
	json_t *metrics = json_object(), *failed = json_array();
	bool found = false;
	size_t n;

	samples = store_samples(s, &n);
	for (size_t i = 0; i < n; i++) {
		const struct sample *smp = &samples[i];

		if (strcmp(smp->cell, cell))
			continue;
		found = true;
		if (smp->status != SAMPLE_OK)
			json_array_append_new(
				failed, json_pack("{s:s,s:s,s:s,s:s}", "id", smp->id, "arm",
						smp->arm, "status", sample_status_name(smp->status),
						"reason", smp->reason ? smp->reason : ""));
		if (!smp->warmup)
			add_metrics(metrics, smp);
	}
	if (!found) {
		json_decref(metrics);
		json_decref(failed);
		return NULL;
	}
	return json_pack("{s:s,s:o,s:o}", "cell", cell, "metrics", metrics, "failed", failed);
}

static void text_boot(struct buf *b, const char *arm, const json_t *boot)
{
	const json_t *value;
	size_t i;

	buf_addf(b, "    %-12s block %lld", arm,
		(long long)json_integer_value(json_object_get(boot, "block")));
	if (json_integer_value(json_object_get(boot, "life")))
		buf_addf(b, " life %lld",
			(long long)json_integer_value(json_object_get(boot, "life")));
	buf_addstr(b, ":");
	json_array_foreach (json_object_get(boot, "values"), i, value)
		buf_addf(b, " %.6g", json_number_value(value));
	buf_addstr(b, "\n");
}

static void text_cell(struct buf *b, const json_t *o)
{
	const char *name, *arm;
	json_t *metric, *boots, *item;
	size_t i;

	buf_addf(b, "%s\n", text_at(o, "cell"));
	json_object_foreach (json_object_get(o, "metrics"), name, metric) {
		buf_addf(b, "  %s%s%s%s%s\n", name, *text_at(metric, "unit") ? ", " : "",
			text_at(metric, "unit"),
			strcmp(text_at(metric, "better"), "none") ? ", better: " : "",
			strcmp(text_at(metric, "better"), "none") ? text_at(metric, "better") : "");
		json_object_foreach (json_object_get(metric, "arms"), arm, boots)
			json_array_foreach (boots, i, item)
				text_boot(b, arm, item);
	}
	json_array_foreach (json_object_get(o, "failed"), i, item)
		buf_addf(b, "  %s (arm %s): %s: %s\n", text_at(item, "id"), text_at(item, "arm"),
			text_at(item, "status"), text_at(item, "reason"));
}

/* Paths of what was captured with sample @id, sorted. New reference. */
static json_t *raw_json(const struct store *s, const char *id)
{
	__free_char char *dir = xasprintf("%s/raw/%s", store_path(s), id);
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort);
	json_t *list = json_array();

	for (int i = 0; i < n; i++) {
		__free_char char *path = xasprintf("%s/%s", dir, names[i]->d_name);

		if (names[i]->d_name[0] != '.')
			json_array_append_new(list, json_string(path));
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return list;
}

/* The line in the store, with "raw" and "console"; NULL: no such sample. */
static json_t *sample_json(const struct store *s, const char *id)
{
	const struct sample *samples;
	size_t n;

	samples = store_samples(s, &n);
	for (size_t i = 0; i < n; i++) {
		__free_char char *dir = store_boot_path(s, samples[i].boot, samples[i].life);
		__free_char char *console = xasprintf("%s/console.log", dir);
		json_t *o;

		if (strcmp(samples[i].id, id))
			continue;
		o = sample_to_json(&samples[i]);
		json_object_set_new(o, "raw", raw_json(s, id));
		json_object_set_new(o, "console", json_string(console));
		return o;
	}
	return NULL;
}

/* One key a line; what is not a plain value, as JSON. */
static void text_sample(struct buf *b, const json_t *o)
{
	const char *key;
	json_t *v, *item;
	size_t i;

	json_object_foreach ((json_t *)o, key, v) {
		char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_SORT_KEYS);

		if (!strcmp(key, "raw") || !strcmp(key, "metrics")) {
			buf_addf(b, "%s\n", key);
			json_array_foreach (v, i, item) {
				if (json_is_string(item))
					buf_addf(b, "  %s\n", json_string_value(item));
				else
					buf_addf(b, "  %-28s %.10g\n", text_at(item, "name"),
						json_number_value(json_object_get(item, "value")));
			}
		} else {
			buf_addf(
				b, "%s %s\n", key, json_is_string(v) ? json_string_value(v) : text);
		}
		free(text);
	}
}

static int show(
	const struct store *s, const char *cell, const char *sample, bool json, struct error *err)
{
	void (*render)(struct buf *, const json_t *) = sample ? text_sample
						       : cell ? text_cell
							      : text_run;
	json_t *o = sample ? sample_json(s, sample) : cell ? cell_json(s, cell) : run_json(s);
	struct buf b = {};

	if (!o && !cell && !sample)
		return error_set(err, KAB_USAGE, "%s/run.json lacks what a run has: its arms, its state or its plan", store_path(s));
	if (!o)
		return error_set(err, KAB_USAGE,
			"%s holds no %s '%s'; \"kab show %s\" lists its cells", store_path(s),
			sample ? "sample" : "cell", sample ? sample : cell, store_path(s));
	if (json) {
		cli_print_json(o);
		return 0;
	}
	render(&b, o);
	fputs(b.data, stdout);
	buf_free(&b);
	json_decref(o);
	return 0;
}

static int show_list(bool json)
{
	__free_char char *results = store_default_results();
	json_t *list = store_list(results), *run;
	size_t i;

	if (json) {
		cli_print_json(list);
		return KAB_OK;
	}
	json_array_foreach (list, i, run)
		printf("%s  %-9s %-6s %s\n", text_at(run, "created"), text_at(run, "state"), text_at(run, "executor"),
			text_at(run, "run"));
	if (!json_array_size(list))
		fprintf(stderr, "kab show: no run in %s; compare, report and show take the reference run\n", results);
	json_decref(list);
	return KAB_OK;
}

#define FUNCTIONS_SHOWN 30

/* Prints @table, of functions by arm, and drops it; NULL: it could not be made. */
static int show_table(json_t *table, char *(*text)(const json_t *table, size_t most),
	const struct cli_common *common)
{
	if (!table)
		return -1;
	if (common->json) {
		cli_print_json(table);
	} else {
		__free_char char *shown = text(table, common->verbose ? 0 : FUNCTIONS_SHOWN);

		fputs(shown, stdout);
		json_decref(table);
	}
	return 0;
}

int cmd_show(int argc, char **argv)
{
	const char *sample = NULL;
	bool functions = false, symbols = false, events = false, list = false;
	__free_char char *path = NULL;
	const struct option_spec table[] = {
		{"sample", 0, OPT_STRING, "ID", "one sample whole, and where its captures lie",
			&sample},
		{"functions", 0, OPT_FLAG, NULL,
			"of a cell: instructions an operation by kernel function, arm by arm",
			&functions},
		{"symbols", 0, OPT_FLAG, NULL,
			"of a cell: time by kernel function, arm by arm, from perf record", &symbols},
		{"events", 0, OPT_FLAG, NULL, "of a cell: what tracepoints recorded, arm by arm",
			&events},
		{"list", 0, OPT_FLAG, NULL, "the runs there are, oldest first", &list},
	};
	const struct usage usage = {
		.verb = "show",
		.synopsis = "[RUN [CELL]]",
		.summary = "What was measured: a run, a cell of it, or one sample.\n"
			   "Without RUN: the newest finished run, else the reference run.",
		.options = table,
		.noptions = ARRAY_SIZE(table),
	};
	struct cli_common common = {};
	struct store *s;
	struct error err;
	int nargs, ret = cli_parse(&usage, argc, argv, &common, &nargs, &err);

	if (ret)
		return ret < 0 ? cli_fail("show", &err) : KAB_OK;
	if (list && (nargs || sample || functions || symbols || events)) {
		error_set(&err, KAB_USAGE, "--list takes no run and goes with no other option");
		return cli_fail("show", &err);
	}
	if (list)
		return show_list(common.json);
	if (nargs > 2 || (nargs == 2 && sample)) {
		error_set(&err, KAB_USAGE,
			"expected a run folder, and a cell or --sample ID at most");
		return cli_fail("show", &err);
	}
	if (functions + symbols + events > (nargs == 2)) {
		error_set(&err, KAB_USAGE,
			"one of --functions, --symbols and --events goes with a run folder and a cell");
		return cli_fail("show", &err);
	}
	path = nargs ? xstrdup(argv[0]) : cli_newest_run("show", &common, &err);
	s = path ? store_open(path, false, NULL, &err) : NULL;
	if (!s)
		return cli_fail("show", &err);
	if (functions)
		ret = show_table(functions_table(s, argv[1], &err), functions_text, &common);
	else if (symbols || events)
		ret = show_table(
			profile_table(s, argv[1], symbols ? PASS_RECORD : PASS_TRACE, &err),
			profile_text, &common);
	else
		ret = show(s, nargs == 2 ? argv[1] : NULL, sample, common.json, &err);
	store_close(s);
	return ret ? cli_fail("show", &err) : KAB_OK;
}
