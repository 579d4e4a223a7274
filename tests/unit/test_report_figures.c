// SPDX-License-Identifier: GPL-2.0-or-later
/* What a report's figures hold, before anything draws them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "report_data.h"
#include "report_fixture.h"
#include "report_plots.h"
#include "report_text.h"
#include "util.h"

static const struct report_effects plain = {.factor = 2.1, .shootdowns = 1, .latency = true};

/* A run and the figures of its report. */
struct figures {
	struct run_fixture f;
	char *path;
	struct store *run;
	struct comparison *c;
	struct report r;
};

static void make_figures(
	struct figures *m, const char *matrix, const struct report_effects *effects)
{
	const struct compare_options opt = {0};
	struct error err = {0};

	m->path = report_run(&m->f, matrix, effects);
	m->run = store_open(m->path, false, NULL, &err);
	m->c = m->run ? compare_runs(m->run, NULL, &opt, &err) : NULL;
	if (!m->c || report_data_make(m->run, NULL, m->c, &m->r, &err))
		fail_msg("%s", err.text);
	report_plots(&m->r);
}

static void drop_figures(struct figures *m)
{
	report_data_clear(&m->r);
	comparison_free(m->c);
	store_close(m->run);
	fixture_drop(&m->f);
	free(m->path);
}

static const struct plot *find_figure(const struct figures *m, const char *stem)
{
	for (size_t i = 0; i < m->r.plots.n; i++)
		if (!strcmp(m->r.plots.v[i].stem, stem))
			return &m->r.plots.v[i];
	return NULL;
}

/* Arms stock and patched on @cpus, and @workloads. Caller frees. */
static char *matrix_of(const char *cpus, const char *workloads)
{
	return xasprintf("base: {package: linux-source-6.1}\n"
			 "baseline: stock\n"
			 "arms:\n"
			 "  stock: {series: ['vm-local-cpu:1']}\n"
			 "  patched: {series: [vm-local-cpu]}\n"
			 "executor: {vm: {cpus: %s, nodes: 1, memory: 512M}}\n"
			 "blocks: 8\nsamples: 2\nwarmup: 1\nseed: 7\nworkloads:\n%s",
		cpus, workloads);
}

static void test_titles_differ(void **state)
{
	__free_char char *matrix =
		matrix_of("2", "  - {name: localcpu}\n  - {name: null, primary: false}\n");
	const struct plot *first, *second;
	struct figures m;

	(void)state;
	make_figures(&m, matrix, &plain);
	first = find_figure(&m, "ratio");
	second = find_figure(&m, "ratio-ops_per_s");
	assert_non_null(first);
	assert_non_null(second);
	assert_string_equal(first->title, "patched against stock: operations a second");
	for (size_t i = 0; i < m.r.plots.n; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(m.r.plots.v[i].title, m.r.plots.v[k].title);
	drop_figures(&m);
}

static const struct row *find_row(const struct figures *m, const char *cell, const char *metric)
{
	for (size_t i = 0; i < m->c->nrows; i++)
		if (!strcmp(m->c->rows[i].cell, cell) && !strcmp(m->c->rows[i].metric.name, metric))
			return &m->c->rows[i];
	fail_msg("no %s of %s", metric, cell);
	return NULL;
}

static size_t count_rows(const struct figures *m, const char *metric)
{
	size_t n = 0;

	for (size_t i = 0; i < m->c->nrows; i++)
		n += !strcmp(m->c->rows[i].metric.name, metric);
	return n;
}

/* Of 30 operations the worst is every percentile from the 97th on. */
static void test_percentiles_need_operations(void **state)
{
	static const struct {
		unsigned operations;
		size_t p99, p99_9, left_out;
		const char *words;
	} cases[] = {
		{30, 0, 0, 4, "4 latency percentiles left out: 99 % takes 100 operations"},
		{100, 2, 0, 2, "2 latency percentiles left out"},
		{999, 2, 0, 2, "2 latency percentiles left out"},
		{1000, 2, 2, 0, NULL},
	};
	__free_char char *matrix = matrix_of("2", "  - {name: localcpu}\n  - {name: pipe}\n");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct report_effects effects = plain;
		__free_char char *words = NULL, *table = NULL;
		struct figures m;

		effects.operations = cases[i].operations;
		make_figures(&m, matrix, &effects);
		words = comparison_left_out(m.c);
		table = comparison_table(m.c, false, false);
		assert_int_equal(count_rows(&m, "latency_p50_ns"), 2);
		assert_int_equal(count_rows(&m, "latency_p99_ns"), cases[i].p99);
		assert_int_equal(count_rows(&m, "latency_p99_9_ns"), cases[i].p99_9);
		assert_int_equal(m.c->percentiles_left_out, cases[i].left_out);
		assert_int_equal(!words, !cases[i].words);
		assert_int_equal(!strstr(table, "percentiles left out"), !cases[i].words);
		if (words)
			assert_non_null(strstr(words, cases[i].words));
		drop_figures(&m);
	}
}

/* Three boots whose samples lie so that the median of medians is another than that of all. */
static void test_median_of_all_samples(void **state)
{
	struct reading one[] = {{"a", 1, 0, 0}, {"b", 2, 0, 0}, {"c", 9, 0, 0}},
		       two[] = {{"d", 3, 0, 0}, {"e", 4, 0, 0}, {"f", 5, 0, 0}},
		       three[] = {{"g", 6, 0, 0}, {"h", 7, 0, 0}, {"i", 8, 0, 0}};
	struct block_values v[] = {{.base = {one, 3, 2}, .arm.median = NAN},
		{.base = {two, 3, 4}, .arm.median = NAN},
		{.base = {three, 3, 7}, .arm.median = NAN}};
	struct blocks b = {v, ARRAY_SIZE(v)};
	struct spread s = spread_of_blocks(&b, false);

	(void)state;
	assert_true(s.median == 5 && s.lo == 2 && s.hi == 7 && s.boots == 3 && s.range);
	assert_true(isnan(spread_of_blocks(&b, true).median));
}

/* What stands beside a point is what the table has. */
static void test_counts_agree_with_the_table(void **state)
{
	__free_char char *matrix = matrix_of("2", "  - {name: localcpu}\n  - {name: pipe}\n");
	const struct plot *p;
	const struct row *row;
	char text[TEXT_NUMBER];
	__free_char char *line = NULL;
	struct figures m;

	(void)state;
	make_figures(&m, matrix, &plain);
	p = find_figure(&m, "counts-ctx_switches_per_op");
	row = find_row(&m, "pipe", "ctx_switches_per_op");
	assert_non_null(p);
	line = xasprintf("\t%.10g\t", row->e.arm_median);
	assert_non_null(strstr(p->data.data, line));
	assert_non_null(strstr(p->data.data, text_value(text, row->e.arm_median, "1/op", false)));
	drop_figures(&m);
}

/* The line of index @index that starts with @x: its second number; NAN: no such line. */
static double value_at(const struct plot *p, unsigned index, double x)
{
	const char *at = p->data.data;

	for (unsigned i = 0; i < index; i++) {
		at = strstr(at, "\n\n\n") + 3;
		assert_true(at > p->data.data + 2);
	}
	for (; *at && *at != '\n'; at = strchr(at, '\n') + 1) {
		char *end;

		if (strtod(at, &end) == x)
			return strtod(end, NULL);
	}
	return NAN;
}

static void test_published_curves_meet_at_an_x_of_all(void **state)
{
	__free_char char *matrix = matrix_of("[2, 4]", "  - {name: localcpu}\n");
	const struct plot *p;
	struct figures m;

	(void)state;
	make_figures(&m, matrix, &plain);
	p = find_figure(&m, "published-vm-local-cpu");
	assert_non_null(p);
	assert_non_null(strstr(p->caption, "its own value at 2:"));
	/* Theirs starts at 1 thread, ours at 2. */
	assert_true(value_at(p, 0, 1) > 0 && value_at(p, 0, 1) < 1);
	assert_true(value_at(p, 0, 2) == 1 && value_at(p, 1, 2) == 1);
	assert_true(isnan(value_at(p, 1, 1)) && value_at(p, 1, 4) > 1.3);
	drop_figures(&m);
}

/* A point has no shape; the table has it nevertheless. */
static void test_one_point_is_no_curve(void **state)
{
	__free_char char *matrix = matrix_of("4", "  - {name: localcpu}\n");
	struct figures m;

	(void)state;
	make_figures(&m, matrix, &plain);
	assert_null(find_figure(&m, "published-vm-local-cpu"));
	assert_int_equal(m.r.published.n, 1);
	assert_int_equal(m.r.published.v[0].measured, 4);
	drop_figures(&m);
}

static void test_one_arm_is_against_nothing(void **state)
{
	static const char matrix[] = "base: {package: linux-source-6.1}\narms: {stock: {}}\n"
				     "executor: {vm: {cpus: 2}}\nblocks: 2\nseed: 7\n"
				     "workloads:\n  - {name: localcpu}\n";
	__free_char char *summary = NULL;
	struct figures m;

	(void)state;
	make_figures(&m, matrix, &plain);
	summary = report_summary(&m.r);
	assert_string_equal(m.r.title, "stock alone");
	assert_string_equal(summary, "no primary comparison");
	drop_figures(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_titles_differ),
		cmocka_unit_test(test_percentiles_need_operations),
		cmocka_unit_test(test_median_of_all_samples),
		cmocka_unit_test(test_counts_agree_with_the_table),
		cmocka_unit_test(test_published_curves_meet_at_an_x_of_all),
		cmocka_unit_test(test_one_point_is_no_curve),
		cmocka_unit_test(test_one_arm_is_against_nothing),
	};

	return cmocka_run_group_tests_name("report figures", tests, NULL, NULL);
}
