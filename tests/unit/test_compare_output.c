// SPDX-License-Identifier: GPL-2.0-or-later
/* The table and the JSON of a comparison, and the verb that prints them. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands.h"
#include "compare.h"
#include "synthetic.h"
#include "util.h"

#define QUIET .boot_sd = 0.003, .sample_sd = 0.003
#define STEADY .boot_sd = 0

static const char matrix[] =
	"base: {package: linux-source-6.1}\n"
	"baseline: stock\n"
	"arms: {stock: {}, patched: {series: [thing]}}\n"
	"executor: {vm: {cpus: 2, nodes: 1, memory: 512M}}\n"
	"blocks: 10\nsamples: 3\nwarmup: 1\nseed: 7\n"
	"workloads: [{name: pipe, mode: [process, thread]}, {name: localcpu}]\n";

/* Pipes a tenth faster between processes, as fast between threads; localcpu lacks its device on
 * stock. */
static const struct synth_rule rules[] = {
	{"stock", "pipe*", "ops_per_s", 10000, QUIET},
	{"patched", "pipe/mode=process", "ops_per_s", 11000, QUIET},
	{"patched", "pipe/mode=thread", "ops_per_s", 10000, QUIET},
	{"stock", "pipe*", "ctx_switches_per_op", 2, STEADY},
	{"patched", "pipe/mode=process", "ctx_switches_per_op", 1, STEADY},
	{"patched", "pipe/mode=thread", "ctx_switches_per_op", 2, STEADY},
	{"patched", "localcpu", "ops_per_s", 500, QUIET},
	{"stock", "localcpu", NULL, .status = SAMPLE_SKIPPED, .reason = "no \033[2Jdevice"},
};

struct world {
	char *results, *path;
	struct comparison *c;
};

static int setup(void **state)
{
	const struct synth s = {
		.matrix = matrix, .rules = rules, .nrules = ARRAY_SIZE(rules), .seed = 5};
	struct world *w = xcalloc(1, sizeof(*w));
	struct store *run;

	w->results = synth_results();
	w->path = synth_run(w->results, &s);
	run = store_open(w->path, false, NULL, NULL);
	assert_non_null(run);
	w->c = compare_runs(run, NULL, &(struct compare_options){}, NULL);
	assert_non_null(w->c);
	/* Nothing of the run is needed any more. */
	store_close(run);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	comparison_free(w->c);
	assert_int_equal(dir_remove(w->results, NULL), 0);
	free(w->results);
	free(w->path);
	free(w);
	return 0;
}

static size_t count_of(const char *text, const char *words)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, words)); at++)
		n++;
	return n;
}

static void expect_line(const char *text, const char *first, const char *second)
{
	const char *at = strstr(text, first), *end;

	if (!at)
		fail_msg("no \"%s\" in:\n%s", first, text);
	end = strchr(at, '\n');
	if (!memmem(at, end - at, second, strlen(second)))
		fail_msg("no \"%s\" after \"%s\" in:\n%s", second, first, text);
}

static void test_table_has_verdicts_and_counts(void **state)
{
	const struct world *w = *state;
	__free_char char *text = comparison_table(w->c, false, false);

	expect_line(text, "pipe/mode=process  ops_per_s", "improvement");
	expect_line(text, "pipe/mode=process  ops_per_s", "+10.");
	expect_line(text, "pipe/mode=thread   ops_per_s", "same (");
	expect_line(text, "localcpu", "  skipped on stock: no ");
	assert_non_null(
		strstr(text, "improvement: 1, same: 1, skipped: 1 (Holm over 2 comparisons"));
	assert_non_null(
		strstr(text, "10 blocks; samples: 150 compared, 50 warm-up, 0 failed, 40 skipped"));
	assert_non_null(strstr(text, "warning: No A/A control"));
	/* Without colours asked for, and whatever a reason says, nothing moves the cursor. */
	assert_null(strchr(text, '\033'));
}

static void test_table_keeps_secondary_metrics_back(void **state)
{
	const struct world *w = *state;
	__free_char char *brief = comparison_table(w->c, false, false);
	__free_char char *full = comparison_table(w->c, false, true);

	/* But for those that changed. */
	assert_int_equal(count_of(brief, "ctx_switches_per_op"), 1);
	expect_line(brief, "ctx_switches_per_op", "-1.00");
	assert_non_null(strstr(brief, "1 more row of secondary metrics: -v"));
	assert_int_equal(count_of(full, "ctx_switches_per_op"), 2);
	assert_null(strstr(full, "more row"));
	/* Of one there is nothing to be said. */
	assert_null(strstr(full, "other figures"));
}

static void test_table_is_ascii_unless_the_locale_is_utf8(void **state)
{
	const struct world *w = *state;
	__free_char char *ascii = NULL, *utf8 = NULL;

	setenv("LC_ALL", "C", 1);
	ascii = comparison_table(w->c, false, true);
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	utf8 = comparison_table(w->c, false, true);
	unsetenv("LC_ALL");
	for (const char *s = ascii; *s; s++)
		assert_in_range((unsigned char)*s, 1, 127);
	assert_non_null(strstr(ascii, "same (+-2 %)"));
	assert_non_null(strstr(utf8, "same (\u00b12 %)"));
}

static void test_table_is_coloured_on_request(void **state)
{
	const struct world *w = *state;
	__free_char char *text = comparison_table(w->c, true, false);

	assert_non_null(strstr(text, "\033[32mimprovement\033[0m"));
	assert_null(strstr(text, "\033[2J"));
}

static void test_table_names_its_metrics_only_where_there_are_several(void **state)
{
	struct world *w = *state;
	struct comparison primary = *w->c;
	__free_char char *text = NULL;

	primary.nrows = 3;
	text = comparison_table(&primary, false, false);
	assert_null(strstr(text, "ops_per_s"));
	assert_null(strstr(text, "metric "));
	expect_line(text, "pipe/mode=process", "improvement");
}

static void test_table_of_nothing(void **state)
{
	struct comparison c = {
		.baseline = "stock", .alpha = 0.05, .threshold = 0.02, .correction = "Holm"};
	__free_char char *text = comparison_table(&c, false, false);

	(void)state;
	assert_non_null(strstr(text, "(Holm over 0 comparisons"));
}

static void test_json_is_complete(void **state)
{
	const struct world *w = *state;
	json_t *o = comparison_to_json(w->c), *rows = json_object_get(o, "rows"), *row, *e;
	__free_char char *text = json_dumps(o, 0);

	assert_non_null(text);
	assert_int_equal(json_array_size(rows), w->c->nrows);
	assert_int_equal(json_array_size(json_object_get(o, "warnings")), w->c->nwarnings);
	assert_int_equal(json_integer_value(json_object_get(o, "comparisons")), 2);
	assert_int_equal(json_integer_value(json_object_get(o, "status")), KAB_OK);
	row = json_array_get(rows, 0);
	e = json_object_get(row, "estimate");
	assert_string_equal(json_string_value(json_object_get(row, "verdict")), "improvement");
	assert_true(json_real_value(json_object_get(e, "effect")) == w->c->rows[0].e.effect);
	assert_true(json_real_value(json_object_get(e, "lo")) == w->c->rows[0].e.lo);
	assert_true(json_is_null(json_object_get(row, "note")));
	/* The skipped row was never estimated: null, not a made-up number. */
	row = json_array_get(rows, 2);
	assert_string_equal(json_string_value(json_object_get(row, "verdict")), "skipped");
	assert_true(json_is_null(json_object_get(row, "p_adj")));
	assert_true(json_is_null(json_object_get(json_object_get(row, "estimate"), "effect")));
	json_decref(o);
}

/* Runs the verb; what it printed on standard output in *@out. */
static int run_verb(char **argv, char **out)
{
	char name[] = "/tmp/kab-test-XXXXXX";
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int to = mkstemp(name), keep_out = dup(1), keep_err = dup(2), argc = 0, status;
	struct error err;

	assert_true(to >= 0 && keep_out >= 0 && keep_err >= 0);
	while (argv[argc])
		argc++;
	fflush(NULL);
	dup2(to, 1);
	dup2(null, 2);
	status = cmd_compare(argc, argv);
	fflush(NULL);
	dup2(keep_out, 1);
	dup2(keep_err, 2);
	close(keep_out);
	close(keep_err);
	close(to);
	close(null);
	*out = file_read(name, NULL, &err);
	unlink(name);
	assert_non_null(*out);
	return status;
}

#define VERB(...) run_verb((char *[]){"compare", __VA_ARGS__, NULL}, &out)

static void test_verb_prints_and_exits_by_verdict(void **state)
{
	const struct world *w = *state;
	char *out;

	assert_int_equal(VERB(w->path), KAB_OK);
	assert_non_null(strstr(out, "improvement"));
	free(out);
	assert_int_equal(VERB(w->path, "--json", "--baseline=patched", "--fail-on=none"), KAB_OK);
	assert_int_equal(out[0], '{');
	assert_non_null(strstr(out, "\"exit\": 0,"));
	assert_non_null(strstr(out, "\"status\": 1"));
	assert_non_null(strstr(out, w->path));
	free(out);
	/* Seen from the patched kernel, stock is worse. */
	assert_int_equal(VERB("--baseline=patched", w->path), KAB_REGRESSION);
	free(out);
	assert_int_equal(
		VERB("--baseline=patched", w->path, "--fail-on", "unclear,failed"), KAB_OK);
	free(out);
	assert_int_equal(VERB(w->path, "--threshold", "0.01%", "--alpha", "0.1%"), KAB_UNCLEAR);
	free(out);
	assert_int_equal(VERB(w->path, "--threshold", "0.01%", "--alpha", "0.1%", "--bisect"), 125);
	free(out);
	assert_int_equal(VERB("--baseline=patched", w->path, "--bisect"), KAB_REGRESSION);
	free(out);
	assert_int_equal(VERB(w->path, "--cover-letter"), KAB_OK);
	assert_non_null(strstr(out, "patched against stock: operations a second, more is better\n"));
	assert_non_null(strstr(out, "\nReproduce:\n\n  kab run "));
	free(out);
	assert_int_equal(VERB(w->path, "--cover-letter", "--json"), KAB_USAGE);
	free(out);
	assert_int_equal(VERB(w->path, "--cover-letter", "--draws", "3"), KAB_USAGE);
	free(out);
	assert_int_equal(VERB(w->path, "--correction", "bh"), KAB_OK);
	assert_non_null(strstr(out, "Benjamini-Hochberg"));
	free(out);
}

static void test_verb_refuses_bad_usage(void **state)
{
	const struct world *w = *state;
	__free_char char *with_slash = xasprintf("%s/", w->path);
	char *out;

	/* git bisect would take 2 for a bad revision; a mistake is the same at each: git is to stop. */
	assert_int_equal(run_verb((char *[]){"compare", "--bisect", NULL}, &out), 130);
	free(out);
	assert_int_equal(VERB(w->results, "--bisect"), 125);
	free(out);
	assert_int_equal(VERB("--baseline", "nosuch", "--bisect", w->path), 130);
	free(out);
	assert_int_equal(VERB("--bisect", w->path, w->path), 130);
	free(out);
	assert_int_equal(VERB("--alpha", "7", "--bisect", w->path), 130);
	free(out);
	assert_int_equal(VERB("--bisect", "--nosuch", w->path), 130);
	free(out);
	assert_int_equal(VERB(w->path, w->path, w->path), KAB_USAGE);
	free(out);
	/* A run measured apart from itself: every difference would be none. */
	assert_int_equal(VERB(w->path, w->path), KAB_USAGE);
	free(out);
	assert_int_equal(VERB(w->path, with_slash), KAB_USAGE);
	free(out);
	assert_int_equal(VERB(w->results), KAB_USAGE);
	free(out);
	assert_int_equal(VERB(w->path, "--baseline", "nobody"), KAB_USAGE);
	free(out);
	assert_int_equal(VERB(w->path, "--fail-on", "everything"), KAB_USAGE);
	free(out);
	assert_int_equal(VERB(w->path, "--correction", "bonferroni"), KAB_USAGE);
	free(out);
	assert_int_equal(VERB(w->path, "--threshold", "200%"), KAB_USAGE);
	assert_string_equal(out, "");
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_has_verdicts_and_counts),
		cmocka_unit_test(test_table_keeps_secondary_metrics_back),
		cmocka_unit_test(test_table_is_ascii_unless_the_locale_is_utf8),
		cmocka_unit_test(test_table_is_coloured_on_request),
		cmocka_unit_test(test_table_names_its_metrics_only_where_there_are_several),
		cmocka_unit_test(test_table_of_nothing),
		cmocka_unit_test(test_json_is_complete),
		cmocka_unit_test(test_verb_prints_and_exits_by_verdict),
		cmocka_unit_test(test_verb_refuses_bad_usage),
	};

	return cmocka_run_group_tests_name("compare output", tests, setup, teardown);
}
