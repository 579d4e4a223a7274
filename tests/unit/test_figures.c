// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "figures.h"
#include "util.h"

static const char workload_object[] =
	"{\"workload\":\"pipe\",\"params\":{\"mode\":\"thread\"},\"ops\":1000,\"elapsed_ns\":"
	"500000000,"
	"\"ops_per_s\":2000.0,"
	"\"latency_ns\":{\"buckets\":[[10,98],[12,2]],\"count\":100,\"sum\":1004,\"min\":10,"
	"\"p50\":10,\"p99\":12,"
	"\"max\":12},"
	"\"workers\":[600,400],\"cpu\":{\"user_ns\":5000,\"system_ns\":20000},"
	"\"ctx_switches\":{\"voluntary\":2000,\"involuntary\":10},\"faults\":{\"minor\":3,"
	"\"major\":0},"
	"\"figures\":{\"marks_per_op\":0.5}}";

static void expect_metric(const struct sample *s, const char *name, double value)
{
	double got = sample_metric(s, name);

	if (!(fabs(got - value) < 1e-9))
		fail_msg("%s is %g, not %g", name, got, value);
}

static void test_own_workload(void **state)
{
	struct sample s = {};
	struct error err;

	(void)state;
	assert_int_equal(figures_of_workload(workload_object, &s, &err), 0);
	assert_int_equal(s.ops, 1000);
	assert_int_equal(s.elapsed_ns, 500000000);
	assert_int_equal(s.nworkers, 2);
	assert_int_equal(s.latency.bucket[10], 98);
	expect_metric(&s, "ops_per_s", 2000);
	expect_metric(&s, "latency_p50_ns", 10);
	expect_metric(&s, "latency_p99_ns", 12);
	expect_metric(&s, "latency_max_ns", 12);
	expect_metric(&s, "system_ns_per_op", 20);
	expect_metric(&s, "voluntary_switches_per_op", 2);
	expect_metric(&s, "minor_faults_per_op", 0.003);
	expect_metric(&s, "fairness", 400.0 / 600);
	expect_metric(&s, "marks_per_op", 0.5);
	sample_clear(&s);
}

static void expect_refused(const char *out, const char *words)
{
	struct sample s = {};
	struct error err = {};

	if (figures_of_workload(out, &s, &err) == 0)
		fail_msg("taken: %s", out);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	sample_clear(&s);
}

static void test_own_workload_malformed(void **state)
{
	(void)state;
	expect_refused("", "no JSON object");
	expect_refused("[]", "no JSON object");
	expect_refused("{\"ops\":1,", "no JSON object");
	expect_refused("{}", "'ops'");
	expect_refused("{\"ops\":-1,\"elapsed_ns\":1,\"ops_per_s\":1}", "'ops'");
	expect_refused("{\"ops\":1,\"ops_per_s\":1}", "'elapsed_ns'");
	expect_refused("{\"ops\":1,\"elapsed_ns\":1}", "'ops_per_s'");
	expect_refused(
		"{\"ops\":1,\"elapsed_ns\":1,\"ops_per_s\":1,\"workers\":[\"x\"]}", "workers");
	expect_refused(
		"{\"ops\":1,\"elapsed_ns\":1,\"ops_per_s\":1,\"latency_ns\":{}}", "latency_ns");
	expect_refused(
		"{\"ops\":1,\"elapsed_ns\":1,\"ops_per_s\":1,\"figures\":{\"x\":null}}", "'x'");
}

static struct figure figure(enum figure_kind kind, const char *expr)
{
	return (struct figure){.kind = kind, .expr = (char *)expr, .name = "rate", .unit = "1/s"};
}

static void expect_figure(enum figure_kind kind, const char *expr, const char *out, double value)
{
	struct figure f = figure(kind, expr);
	struct sample s = {};
	struct error err = {};

	if (figures_of_command(out, &f, &s, &err))
		fail_msg("%s", err.text);
	expect_metric(&s, "rate", value);
	sample_clear(&s);
}

static void expect_no_figure(
	enum figure_kind kind, const char *expr, const char *out, const char *words)
{
	struct figure f = figure(kind, expr);
	struct sample s = {};
	struct error err = {};

	if (figures_of_command(out, &f, &s, &err) == 0)
		fail_msg("%s found in: %s", expr, out);
	if (!strstr(err.text, "rate") || !strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	sample_clear(&s);
}

static void test_regex(void **state)
{
	static const char perf_bench[] =
		"# Running 'sched/pipe' benchmark:\n"
		"# Executed 20000 pipe operations between two processes\n\n"
		"     Total time: 0.153 [sec]\n\n"
		"       7.664450 usecs/op\n"
		"         130472 ops/sec\n";

	(void)state;
	expect_figure(FIGURE_REGEX, "([0-9]+) ops/sec", perf_bench, 130472);
	expect_figure(FIGURE_REGEX, "^ *([0-9.]+) usecs/op$", perf_bench, 7.66445);
	expect_no_figure(FIGURE_REGEX, "([0-9]+) ops/min", perf_bench, "finds no figure");
	expect_no_figure(FIGURE_REGEX, "([a-z]+) benchmark", "pipe benchmark", "no number");
	expect_no_figure(FIGURE_REGEX, "x(1)?y", "xy", "finds no figure");
	expect_no_figure(FIGURE_REGEX, "[0-9]+ ops", "12 ops", "finds no figure");
	/* What a program prints that divided by nothing. */
	expect_no_figure(FIGURE_REGEX, "([a-z]+) ops", "inf ops", "finite");
	expect_no_figure(FIGURE_REGEX, "([-a-z]+) ops", "-nan ops", "finite");
	expect_no_figure(FIGURE_REGEX, "([0-9e]+) ops", "1e999 ops", "finite");
	expect_no_figure(FIGURE_YAML, "/rate", "rate: .nan\n", "rate");
}

static void test_json_pointer(void **state)
{
	static const char text[] =
		"{\"results\":[{\"mean\":0.25},{\"mean\":\"7\"}],\"a/b\":{\"m~n\":3},\"s\":\"x\"}";

	(void)state;
	expect_figure(FIGURE_JSON, "/results/0/mean", text, 0.25);
	expect_figure(FIGURE_JSON, "/results/1/mean", text, 7);
	expect_figure(FIGURE_JSON, "/a~1b/m~0n", text, 3);
	expect_no_figure(FIGURE_JSON, "/results/2/mean", text, "no \"2\" at /results");
	expect_no_figure(FIGURE_JSON, "/results/00/mean", text, "no \"00\"");
	expect_no_figure(FIGURE_JSON, "/nothing", text, "no \"nothing\" at /");
	expect_no_figure(FIGURE_JSON, "/results", text, "no number at /results");
	expect_no_figure(FIGURE_JSON, "/s", text, "no number");
	expect_no_figure(FIGURE_JSON, "/s", "{\"s\":", "line 1");
}

static void test_yaml_pointer(void **state)
{
	static const char text[] =
		"---\nsystem-info:\n  cpus: 2\nmetrics:\n"
		"    - stressor: pipe\n      bogo-ops-per-second-real-time: 812345.678\n";

	(void)state;
	expect_figure(FIGURE_YAML, "/metrics/0/bogo-ops-per-second-real-time", text, 812345.678);
	expect_no_figure(FIGURE_YAML, "/metrics/1/stressor", text, "no \"1\" at /metrics");
	expect_no_figure(FIGURE_YAML, "/metrics/0/stressor", text, "no number");
	expect_no_figure(FIGURE_YAML, "/metrics", "a: [1", "no YAML");
	expect_no_figure(FIGURE_YAML, "/metrics", "", "no YAML document");
}

static struct sample result_of(const struct workload_spec *w, struct job_result res)
{
	struct sample s = {};

	figures_of_result(w, &res, &s);
	return s;
}

static void expect_result(struct job_result res, enum sample_status status, const char *reason)
{
	const struct workload_spec own = {.name = (char *)"pipe"};
	struct sample s = result_of(&own, res);

	assert_int_equal(s.status, status);
	if (!reason)
		assert_null(s.reason);
	else if (!s.reason || !strstr(s.reason, reason))
		fail_msg("\"%s\" does not say \"%s\"", s.reason, reason);
	sample_clear(&s);
}

static void test_results(void **state)
{
	char *good = (char *)workload_object;

	(void)state;
	expect_result((struct job_result){.out = good}, SAMPLE_OK, NULL);
	expect_result((struct job_result){.exit_status = 77,
			      .err_out = (char *)"\nno such driver\nmore\n"},
		SAMPLE_SKIPPED, "no such driver");
	expect_result((struct job_result){.exit_status = 77}, SAMPLE_SKIPPED, "no reason");
	/* Figures of a run that failed are no figures. */
	expect_result(
		(struct job_result){
			.out = good, .exit_status = 1, .err_out = (char *)"pipe: broken"},
		SAMPLE_FAILED, "exit status 1: pipe: broken");
	expect_result(
		(struct job_result){.exit_status = 128 + 9}, SAMPLE_FAILED, "signal 9 (Killed)");
	expect_result(
		(struct job_result){.out = (char *)"rubbish"}, SAMPLE_FAILED, "no JSON object");
	expect_result(
		(struct job_result){
			.status = SAMPLE_HANG, .reason = (char *)"no heartbeat", .out = good},
		SAMPLE_HANG, "no heartbeat");
	/* What a program says goes into JSON, whatever bytes it is made of. */
	expect_result((struct job_result){.exit_status = 1, .err_out = (char *)"bad \xff byte"},
		SAMPLE_FAILED, "bad ? byte");
}

static void test_command_result(void **state)
{
	struct workload_spec w = {.name = (char *)"count",
		.command = (char *)"x",
		.figure = figure(FIGURE_REGEX, "([0-9]+) marks")};
	struct sample s =
		result_of(&w, (struct job_result){.out = (char *)"9 marks", .elapsed_ns = 5});

	(void)state;
	assert_int_equal(s.status, SAMPLE_OK);
	assert_int_equal(s.elapsed_ns, 5);
	expect_metric(&s, "rate", 9);
	sample_clear(&s);

	s = result_of(&w, (struct job_result){.out = (char *)"none"});
	assert_int_equal(s.status, SAMPLE_FAILED);
	sample_clear(&s);
}

static void test_metrics_of_a_matrix(void **state)
{
	static const char text[] =
		"base: {package: linux-source-6.1}\nbaseline: stock\narms: {stock: {}}\n"
		"executor: {vm: {cpus: 1, nodes: 1, memory: 512M}}\nblocks: 1\nsamples: 1\n"
		"workloads:\n"
		"  - {name: a, command: 'x', figure: {regex: '(1)', name: fig_a, unit: s, better: "
		"less}}\n"
		"  - {name: b, command: 'x', primary: false, figure: {regex: '(1)', name: fig_b, "
		"unit: s, better: more}}\n";
	struct error err;
	struct matrix *m = matrix_parse("x.yaml", text, &err);

	(void)state;
	if (!m)
		fail_msg("%s", err.text);
	figures_define(m);
	matrix_free(m);
	assert_int_equal(metric_find("fig_a").better, BETTER_LESS);
	assert_int_equal(metric_find("fig_a").scale, SCALE_RATIO);
	assert_string_equal(metric_find("fig_a").unit, "s");
	assert_true(metric_find("fig_a").primary);
	assert_false(metric_find("fig_b").primary);
	assert_int_equal(metric_find("fig_b").better, BETTER_MORE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_workload),
		cmocka_unit_test(test_own_workload_malformed),
		cmocka_unit_test(test_regex),
		cmocka_unit_test(test_json_pointer),
		cmocka_unit_test(test_yaml_pointer),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_command_result),
		cmocka_unit_test(test_metrics_of_a_matrix),
	};

	return cmocka_run_group_tests_name("figures", tests, NULL, NULL);
}
