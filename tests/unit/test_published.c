// SPDX-License-Identifier: GPL-2.0-or-later
/* Published tables: their file format, and which of a run's figures stand beside theirs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "published.h"
#include "report_fixture.h"
#include "util.h"

static const char table[] = "# a comment\n"
			    "title\tRates\n"
			    "source\tA posting\n"
			    "machine\t40 cores\n"
			    "note\tone\n"
			    "note\ttwo\n"
			    "shape\tthreads\top/s\tops_per_s\n"
			    "select\tworkload=localcpu\n"
			    "column\tstock\tarm=baseline metric=ops_per_s\n"
			    "column\tpatched\tarm=series metric=ops_per_s scale=0.001\n"
			    "row\t1\tworkers=1\t10\t20\n"
			    "row\t4\tworkers=4\t30\t-\n"
			    "row\t48\tworkers=48\t50\t60\n";

/* The other way round: rows are figures, columns are cells. */
static const char breakdown[] = "title\tShares\nsource\tA posting\nselect\tarm=series cpus=2\n"
				"column\tpipe, processes\tworkload=pipe mode=process\n"
				"column\tmessaging, 4 groups\tworkload=messaging groups=4\n"
				"row\tswitches\tmetric=ctx_switches_per_op\t99.9\t0.1\n"
				"row\tnever counted\tmetric=nr_of_nothing\t0\t-\n";

static void parse(const char *text, struct published *p)
{
	struct error err = {0};

	if (published_parse("p.tsv", text, p, &err))
		fail_msg("%s", err.text);
	p->series = xstrdup("vm-local-cpu");
}

static void test_parse(void **state)
{
	struct published p;

	(void)state;
	parse(table, &p);
	assert_string_equal(p.title, "Rates");
	assert_string_equal(p.machine, "40 cores");
	assert_int_equal(p.decimals, -1);
	assert_int_equal(p.nvariants, 0);
	assert_int_equal(p.nnotes, 2);
	assert_string_equal(p.shape_metric, "ops_per_s");
	assert_int_equal(p.ncolumns, 2);
	assert_int_equal(p.nrows, 3);
	assert_true(p.rows[1].v[0].theirs == 30 && isnan(p.rows[1].v[1].theirs));
	assert_string_equal(params_get(&p.columns[1].select.words, "scale"), "0.001");
	published_clear(&p);
}

static void test_mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"title\ta\ntitle\tb\n", "p.tsv:2: a second 'title'"},
		{"colour\tred\n", "p.tsv:1: 'colour': expected title"},
		{"title\n", "p.tsv:1: 'title' with 0 fields"},
		{"title\ta\tb\n", "p.tsv:1: 'title' with 2 fields"},
		{"select\tworkload\n", "p.tsv:1: 'workload' in a selector: expected KEY=VALUE"},
		{"column\ta\tx=1\nrow\t1\ty=1\t3\t4\n",
			"p.tsv:2: a row of 2 values: expected one for each of 1 columns"},
		{"column\ta\tx=1\nrow\t1\ty=1\tthree\n",
			"p.tsv:2: 'three': expected a number or '-'"},
		{"column\ta\tx=1\nrow\t1\ty=1\t1e999\n", "p.tsv:2: '1e999'"},
		{"column\ta\tx=1\nrow\t1\ty=1\t3\ncolumn\tb\tx=2\n",
			"p.tsv:3: a 'column' after the first 'row'"},
		{"title\ta\n", "p.tsv: expected a title, a source, columns and rows"},
		{"title\ta\nsource\tb\nshape\tx\ty\tm\ncolumn\ta\tx=1\nrow\tone\ty=1\t3\n",
			"p.tsv: row 'one': a shape needs rows named by numbers above 0"},
		{"decimals\t10\n", "p.tsv:1: decimals '10': expected 0 to 9"},
		{"decimals\t-\n", "p.tsv:1: decimals '-': expected 0 to 9"},
		{"variant\ta\n", "p.tsv:1: 'variant' with 1 fields"},
		{"variant\ta\tcpus\n", "p.tsv:1: 'cpus' in a selector: expected KEY=VALUE"},
		{"title\ta\nsource\tb\nshape\tx\ty\tm\nvariant\tv\tcpus=1\n"
		 "column\ta\tx=1\nrow\t1\ty=1\t3\n",
			"p.tsv: a shape and variants: expected one of them"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {0};
		struct published p;

		assert_int_equal(published_parse("p.tsv", cases[i].text, &p, &err), -1);
		assert_int_equal(err.status, KAB_USAGE);
		if (!strstr(err.text, cases[i].message))
			fail_msg("'%s' instead of '%s'", err.text, cases[i].message);
	}
}

struct opened {
	struct run_fixture f;
	char *path;
	struct store *run;
};

static void open_run(struct opened *o)
{
	const struct report_effects effects = {.factor = 2, .shootdowns = 1};
	struct error err = {0};

	o->path = report_run(&o->f, report_matrix, &effects);
	o->run = store_open(o->path, false, NULL, &err);
	if (!o->run)
		fail_msg("%s", err.text);
}

static void close_run(struct opened *o)
{
	store_close(o->run);
	fixture_drop(&o->f);
	free(o->path);
}

static void test_ours(void **state)
{
	struct published p;
	struct opened o;

	(void)state;
	open_run(&o);
	parse(table, &p);
	published_fill(&p, o.run, o.f.plan);
	/* 150000 a second on one CPU, within 6 % of block and boot; the arm of the series has twice
	 * that, in thousands. */
	assert_true(fabs(p.rows[0].v[0].ours / 150000 - 1) < 0.06);
	assert_true(p.rows[0].v[0].lo <= p.rows[0].v[0].ours &&
		    p.rows[0].v[0].ours <= p.rows[0].v[0].hi);
	assert_true(fabs(p.rows[0].v[1].ours / 300 - 1) < 0.06);
	assert_string_equal(p.rows[1].v[0].cell, "localcpu/cpus=4");
	assert_int_equal(p.rows[1].v[0].candidates, 1);
	assert_true(isnan(p.rows[2].v[0].ours)); /* nobody had 48 threads */
	assert_null(p.rows[2].v[0].cell);
	assert_int_equal(p.measured, 4);
	published_clear(&p);
	close_run(&o);
}

static void test_breakdown(void **state)
{
	struct published p;
	struct opened o;

	(void)state;
	open_run(&o);
	parse(breakdown, &p);
	published_fill(&p, o.run, o.f.plan);
	assert_true(fabs(p.rows[0].v[0].ours - 2) < 0.05);
	assert_string_equal(p.rows[0].v[0].cell, "pipe/mode=process/cpus=2");
	assert_string_equal(p.rows[0].v[1].cell, "messaging/groups=4/cpus=2");
	assert_true(isnan(p.rows[1].v[0].ours)); /* no sample has that figure */
	assert_int_equal(p.measured, 2);
	published_clear(&p);
	close_run(&o);
}

static void test_ambiguous_selectors(void **state)
{
	static const char text[] =
		"title\tT\nsource\tS\nselect\tarm=series workload=messaging\n"
		"column\tany\tcpus=2\nrow\tswitches\tmetric=ctx_switches_per_op\t2\n";
	struct published p;
	struct opened o;

	(void)state;
	open_run(&o);
	parse(text, &p);
	published_fill(&p, o.run, o.f.plan);
	assert_int_equal(p.rows[0].v[0].candidates, 2);
	assert_string_equal(p.rows[0].v[0].cell, "messaging/groups=1/cpus=2");
	assert_true(fabs(p.rows[0].v[0].ours - 2) < 0.05);
	published_clear(&p);
	close_run(&o);
}

/* Columns are any of the run's arms; of what was argued without a figure there is ours. */
static void test_arms_by_label(void **state)
{
	static const char text[] = "title\tT\nsource\tS\nselect\tworkload=localcpu metric=ops_per_s\n"
				   "column\tstock\tarm=stock\ncolumn\tpatched\tarm=patched\n"
				   "column\tnone\tarm=nobody\ncolumn\teither\tarm=nobody|series\n"
				   "row\tit pays\tcpus=1\t-\t-\t-\t-\n";
	struct published p;
	struct opened o;

	(void)state;
	open_run(&o);
	parse(text, &p);
	assert_false(published_has_figures(&p));
	published_fill(&p, o.run, o.f.plan);
	assert_true(fabs(p.rows[0].v[0].ours / 150000 - 1) < 0.06);
	assert_true(fabs(p.rows[0].v[1].ours / 300000 - 1) < 0.06);
	assert_true(isnan(p.rows[0].v[2].ours)); /* the run has no such arm */
	assert_true(fabs(p.rows[0].v[3].ours / 300000 - 1) < 0.06); /* the first that it has */
	assert_int_equal(p.measured, 3);
	published_clear(&p);
	parse(table, &p);
	assert_true(published_has_figures(&p));
	published_clear(&p);
	close_run(&o);
}

/* The arm that stands for the series carries all of it, and overrides nothing. */
static void test_the_series_arm(void **state)
{
	struct published p = {.series = xstrdup("vm-local-cpu")};
	struct run_fixture f;
	const struct arm *arm;

	(void)state;
	fixture_make(&f, report_matrix);
	arm = published_arm(&p, f.matrix);
	assert_non_null(arm);
	assert_string_equal(arm->label, "patched");
	free(p.series);
	p.series = xstrdup("another");
	assert_null(published_arm(&p, f.matrix));
	published_clear(&p);
	fixture_drop(&f);
}

static void test_collect(void **state)
{
	struct published_list list = {0};
	struct error err = {0};
	struct opened o;

	(void)state;
	open_run(&o);
	if (published_collect(o.run, o.f.plan, &list, &err))
		fail_msg("%s", err.text);
	/* Three arms carry the series; its table stands there once. */
	assert_int_equal(list.n, 1);
	assert_int_equal(list.v[0].nrows, 9);
	assert_true(list.v[0].rows[8].v[2].theirs == 1741873);
	assert_true(list.v[0].measured >= 6);
	published_list_clear(&list);
	close_run(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_breakdown),
		cmocka_unit_test(test_ambiguous_selectors),
		cmocka_unit_test(test_arms_by_label),
		cmocka_unit_test(test_the_series_arm),
		cmocka_unit_test(test_collect),
	};

	return cmocka_run_group_tests_name("published", tests, NULL, NULL);
}
