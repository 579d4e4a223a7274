// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of series rseq-vcpu-id from end to end: captures of /proc/schedstat with known events
 * become samples, and those the lines of the report, each beside the published one.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "observer.h"
#include "published.h"
#include "report.h"
#include "run_fixture.h"
#include "util.h"

/* The matrix that repeats the table, without what has no line in it. */
static const char matrix[] = "base: {package: linux-source-6.1}\n"
			     "baseline: stock\n"
			     "arms:\n"
			     "  stock: {}\n"
			     "  patched: {series: [rseq-vcpu-id]}\n"
			     "executor: {vm: {cpus: 8, nodes: [1, 2], memory: 512M}}\n"
			     "blocks: 4\n"
			     "samples: 1\n"
			     "warmup: 0\n"
			     "seed: 7\n"
			     "workloads:\n"
			     "  - {name: messaging, mode: process, instances: 1}\n"
			     "  - {name: messaging, mode: thread, instances: [1, 2]}\n"
			     "  - {name: pipe, mode: process}\n";

#define COUNTERS 12

/* Events of all samples, in the order of the columns: 100000 in the eight lines. */
static const unsigned threads[COUNTERS] = {100, 98000, 1200, 7, 3, 400, 380, 19, 1, 0, 190, 100};
/* 1000000, of which all but 16 are single-threaded. */
static const unsigned processes[COUNTERS] = {999984, 0, 15, 0, 0, 1, 1, 0, 0, 0, 0, 0};

/* Two CPUs, whose events add up to @events, counted on from @base. */
static char *capture(const unsigned events[COUNTERS], unsigned base)
{
	struct buf b = {0};

	buf_addstr(&b, "version 15\ntimestamp 1\n");
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		buf_addf(&b, "cpu%u 0 0 1 1 1 1 1 1 1", cpu);
		for (unsigned i = 0; i < COUNTERS; i++) {
			unsigned half = events ? events[i] / 2 : 0;

			buf_addf(&b, " %u", base + i + (events && cpu ? events[i] - half : half));
		}
		buf_addstr(&b, "\n");
	}
	return b.data;
}

/* As run_sample.c does it: the observer turns the two captures into metrics. */
static void observe(struct sample *s, const unsigned events[COUNTERS])
{
	__free_char char *before = capture(NULL, 1000), *after = capture(events, 1000);
	struct error err = {0};

	s->schedstat = observers[0].figures("schedstat", before, after, s, &err);
	if (!s->schedstat)
		fail_msg("%s", err.text);
}

static void append(struct run_fixture *f, struct store *store, size_t boot, size_t seq)
{
	const struct plan_boot *b = &f->plan->boots[boot];
	const struct params *params = &f->plan->cells[b->samples[seq].cell].params;
	struct sample s = fixture_sample(f, boot, seq);
	bool thread = params_get(params, "mode") && !strcmp(params_get(params, "mode"), "thread");
	struct error err = {0};

	s.params = json_object();
	for (size_t i = 0; i < params->n; i++)
		json_object_set_new(s.params, params->v[i].key, json_string(params->v[i].value));
	s.status = SAMPLE_OK;
	if (!strcmp(s.arm, "patched"))
		observe(&s, thread ? threads : processes);
	if (store_append(store, &s, &err))
		fail_msg("%s", err.text);
	sample_clear(&s);
}

struct made {
	struct run_fixture f;
	char *path;
	struct store *run;
};

static void make_run(struct made *m)
{
	struct error err = {0};
	struct store *s;

	fixture_make(&m->f, matrix);
	s = store_create(m->f.results, m->f.plan, NULL, NULL, NULL, &err);
	if (!s)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < m->f.plan->nboots; i++)
		for (size_t k = 0; k < m->f.plan->boots[i].nsamples; k++)
			append(&m->f, s, i, k);
	m->path = xstrdup(store_path(s));
	store_close(s);
	m->run = store_open(m->path, false, NULL, &err);
	if (!m->run)
		fail_msg("%s", err.text);
}

static void drop_run(struct made *m)
{
	store_close(m->run);
	fixture_drop(&m->f);
	free(m->path);
}

static void expect_field(
	const struct published *p, size_t row, size_t column, double theirs, double ours)
{
	const struct published_value *v = &p->rows[row].v[column];

	if (fabs(v->theirs - theirs) > 1e-9 || fabs(v->ours - ours) > 1e-9 || v->candidates != 1)
		fail_msg("%s, %s: %g and %.9g (%zu cells) instead of %g and %.9g",
			p->rows[row].name, p->columns[column].name, v->theirs, v->ours,
			v->candidates, theirs, ours);
}

/* Everything that was published has a figure of ours beside it, for one node and for two. */
static void test_each_line_has_ours(void **state)
{
	static const double shares[] = {0.1, 98, 1.2, 0.007, 0.003, 0.4, 0.19, 0.1};
	static const double theirs[] = {0.128, 98.26, 1.075, 0.001, 0, 0.269, 0.161, 0.107};
	struct published_list list = {0};
	struct error err = {0};
	struct made m;

	(void)state;
	make_run(&m);
	if (published_collect(m.run, m.f.plan, &list, &err))
		fail_msg("%s", err.text);
	assert_int_equal(list.n, 2);
	for (size_t i = 0; i < list.n; i++) {
		const struct published *p = &list.v[i];

		assert_non_null(strstr(p->title, i ? "two nodes" : "one node"));
		assert_int_equal(p->ncolumns, 4);
		assert_int_equal(p->nrows, 8 + 1 + 4);
		assert_int_equal(p->measured, 4 * p->nrows);
		for (size_t row = 0; row < ARRAY_SIZE(shares); row++)
			expect_field(p, row, 1, theirs[row], shares[row]);
		expect_field(p, 8, 1, 99.463, 99.3); /* no atomic operation */
		expect_field(p, 0, 0, 99.985, 99.9984);
		expect_field(p, 0, 3, 99.993, 99.9984);
		assert_true(isnan(p->rows[9].v[1].theirs));
		assert_true(fabs(p->rows[9].v[1].ours - 0.38) < 1e-9);
		assert_string_equal(
			p->rows[0].v[2].cell, i ? "messaging/instances=2/mode=thread/nodes=2"
						: "messaging/instances=2/mode=thread/nodes=1");
	}
	published_list_clear(&list);
	drop_run(&m);
}

static void expect_line(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("'%s' is not in: %.4000s", line, text);
}

/* Three decimals, so that 99.985 does not read as 100. */
static void test_the_report_prints_them(void **state)
{
	struct compare_options opt = {0};
	struct error err = {0};
	struct made m;
	__free_char char *md = NULL, *html = NULL, *folder = NULL;
	struct comparison *c;

	(void)state;
	make_run(&m);
	c = compare_runs(m.run, NULL, &opt, &err);
	if (!c || report_write(m.run, NULL, c, NULL, &err))
		fail_msg("%s", err.text);
	folder = xasprintf("%s/report", m.path);
	md = fixture_read(folder, "report.md");
	expect_line(md, "8 CPUs in two nodes");
	expect_line(md, "| switch: single-threaded | 99.985 | **99.998** | 0.128 | **0.100** |");
	expect_line(md, "| 100.000 | **100.000** | 99.463 | **99.300** | 99.252 | **99.300** |");
	expect_line(md, " - | **0.001** | - | **0.001** |"); /* rebalanced, not published */
	html = fixture_read(folder, "report.html");
	expect_line(html, "<td class=\"n\">99.985</td>");
	expect_line(html, "<b>98.000</b>");
	comparison_free(c);
	drop_run(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_line_has_ours),
		cmocka_unit_test(test_the_report_prints_them),
	};

	return cmocka_run_group_tests_name("breakdown", tests, NULL, NULL);
}
