// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a run with a budget goes on, with an executor of the test's own, whose figures follow
 * from arm, cell and the job's name; and what is recorded of it on the way.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "compare.h"
#include "run.h"
#include "run_adaptive.h"
#include "synthetic.h"
#include "util.h"

#define MATRIX(limits)                                                                  \
	"arms: {stock: {}, patched: {cmdline: x}}\naa: ['null']\n"                      \
	"executor: {vm: {cpus: 2}}\nobservers: none\nseed: 3\nblocks: 10\nsamples: 1\n" \
	"warmup: 0\n" limits "workloads:\n"                                             \
	"  - {name: 'null'}\n" /* exactly alike */                                      \
	"  - {name: pipe}\n"   /* alike, and too noisy to tell */                       \
	"  - {name: spawn}\n"  /* twice as fast */

static int jobs_left; /* until Ctrl-C; -1: for ever */

struct executor {
	bool patched;
	json_t *env;
};

static struct executor *script_boot(const struct boot_request *req, struct error *err)
{
	struct executor *ex = xcalloc(1, sizeof(*ex));

	(void)err;
	ex->patched = !strcmp(req->arm->label, "patched");
	ex->env = json_pack("{s:s}", "accelerator", "tcg");
	return ex;
}

/* Between -1 and 1, from the job's name. */
static double noise(const char *id)
{
	char hex[65];

	sha256_hex(id, strlen(id), hex);
	hex[8] = '\0';
	return (double)strtoul(hex, NULL, 16) / 2147483648.0 - 1;
}

static int script_run(
	struct executor *ex, const struct job *job, struct job_result *res, struct error *err)
{
	const char *name = job->argv[2];
	double rate = 1000;

	if (jobs_left >= 0 && !jobs_left--)
		return error_set(err, KAB_INTERRUPTED, "interrupted");
	if (!strcmp(name, "pipe"))
		rate *= exp(0.3 * noise(job->id));
	if (!strcmp(name, "zerocopy"))
		rate = 0;
	if (!strcmp(name, "spawn"))
		rate *= (ex->patched ? 2 : 1) * exp(0.05 * noise(job->id));
	res->out = xasprintf("{\"ops\":10,\"elapsed_ns\":1000,\"ops_per_s\":%.17g}", rate);
	res->elapsed_ns = 1000;
	return 0;
}

static json_t *script_env(struct executor *ex)
{
	return ex->env;
}

static void script_shutdown(struct executor *ex)
{
	json_decref(ex->env);
	free(ex);
}

static const struct executor_ops script_executor = {
	.name = "script",
	.boot = script_boot,
	.run = script_run,
	.env = script_env,
	.shutdown = script_shutdown,
};

struct world {
	char *results;
	struct matrix *m;
	struct plan *p;
	struct store *s;
	struct run_arm arms[3];
};

static void start(struct world *w, const char *text, unsigned max_blocks)
{
	json_t *patch = json_pack("{s:{s:i}}", "plan", "max_blocks", (int)max_blocks);
	struct error err;

	*w = (struct world){.results = synth_results()};
	jobs_left = -1;
	w->m = matrix_parse("m.yaml", text, &err);
	if (!w->m)
		fail_msg("%s", err.text);
	w->p = plan_make(w->m, NULL, &err);
	w->s = store_create(w->results, w->p, NULL, NULL, NULL, &err);
	assert_non_null(w->s);
	if (max_blocks)
		assert_int_equal(store_update(w->s, patch, &err), 0);
	json_decref(patch);
	for (size_t i = 0; i < w->m->narms; i++)
		w->arms[i] = (struct run_arm){.arm = &w->m->arms[i]};
}

static void finish(struct world *w)
{
	store_close(w->s);
	plan_free(w->p);
	matrix_free(w->m);
	assert_int_equal(dir_remove(w->results, NULL), 0);
	free(w->results);
}

static int execute(struct world *w)
{
	struct run r = {.store = w->s, .plan = w->p, .ops = &script_executor, .arms = w->arms};
	struct error err = {};
	int ret = run_execute(&r, &err);

	if (ret && err.status != KAB_INTERRUPTED)
		fail_msg("%s", err.text);
	return ret;
}

static json_t *plan_of(const struct world *w)
{
	return json_object_get(store_run(w->s), "plan");
}

static unsigned blocks_of_cell(const struct world *w, const char *cell)
{
	size_t n, blocks = 0;
	const struct sample *s = store_samples(w->s, &n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(s[i].cell, cell) && s[i].block >= blocks)
			blocks = s[i].block + 1;
	return blocks;
}

static void expect_looks(const struct world *w, const char *text)
{
	__free_char char *looks = json_dumps(json_object_get(plan_of(w), "looks"), JSON_COMPACT);

	assert_string_equal(looks, text);
}

/* What is decided is left out; what is not, goes on until the budget is spent. */
static void test_cells_end_when_they_are_decided(void **state)
{
	struct world w;
	struct comparison *c;
	struct error err;

	(void)state;
	start(&w, MATRIX("budget: 1h\n"), 30);
	assert_int_equal(execute(&w), 0);
	assert_int_equal(blocks_of_cell(&w, "null"), 10);
	assert_int_equal(blocks_of_cell(&w, "spawn"), 10);
	assert_int_equal(blocks_of_cell(&w, "pipe"), 30);
	expect_looks(&w, "[10,15,23,30]");
	assert_int_equal(json_integer_value(json_object_get(plan_of(&w), "blocks")), 30);
	assert_true(store_finished(store_run(w.s)));

	c = compare_runs(w.s, NULL, &(struct compare_options){}, &err);
	assert_non_null(strstr(c->correction, "group-sequential"));
	for (size_t i = 0; i < c->nrows; i++) {
		const struct row *r = &c->rows[i];

		if (r->control)
			assert_string_equal(r->cell, "null");
		else if (!strcmp(r->cell, "spawn"))
			assert_int_equal(r->verdict, VERDICT_IMPROVEMENT);
		else if (!strcmp(r->cell, "null"))
			assert_int_equal(r->verdict, VERDICT_SAME);
		/* A p of one look is no p of four. */
		if (!r->control && !strcmp(r->cell, "spawn"))
			assert_true(r->e.p > 2.0 / 1024 && r->p_adj < 0.05);
	}
	comparison_free(c);
	finish(&w);
}

/* A precision asks for narrow intervals, whatever the verdict. */
static void test_precision(void **state)
{
	struct world w;

	(void)state;
	start(&w, MATRIX("precision: 3%\nbudget: 1h\n"), 40);
	assert_int_equal(execute(&w), 0);
	assert_int_equal(blocks_of_cell(&w, "null"), 10);
	assert_true(blocks_of_cell(&w, "spawn") > 10);
	assert_true(blocks_of_cell(&w, "spawn") < 40);
	assert_int_equal(blocks_of_cell(&w, "pipe"), 40);
	finish(&w);
}

/* What has no ratio has none with more blocks, either. */
static void test_a_rate_of_nothing(void **state)
{
	struct world w;

	(void)state;
	start(&w, MATRIX("budget: 1h\n") "  - {name: zerocopy}\n", 40);
	assert_int_equal(execute(&w), 0);
	assert_int_equal(blocks_of_cell(&w, "zerocopy"), 10);
	assert_int_equal(blocks_of_cell(&w, "pipe"), 40);
	finish(&w);
}

/* Five comparisons, of which an early look spends too little alpha to call any a change. */
#define MORE_CELLS "  - {name: messaging}\n  - {name: switch}\n  - {name: fault}\n"

static const struct row *row_of(const struct comparison *c, const char *cell)
{
	for (size_t i = 0; i < c->nrows; i++)
		if (c->rows[i].primary && !c->rows[i].control && !strcmp(c->rows[i].cell, cell))
			return &c->rows[i];
	fail_msg("no %s", cell);
	return NULL;
}

/* What an early look cannot decide is not given up, however narrow its interval. */
static void test_precise_before_it_can_be_decided(void **state)
{
	struct compare_options options = {};
	struct comparison *c;
	const struct row *r;
	struct error err;
	struct world w;

	(void)state;
	start(&w, MATRIX("precision: 20%\nbudget: 1h\n") MORE_CELLS, 60);
	/* Ten blocks of two arms in six cells and of the control in one, and the look at them. */
	jobs_left = 10 * (2 * 6 + 1);
	assert_int_equal(execute(&w), -1);
	expect_looks(&w, "[10]");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(plan_of(&w), "closed"), "spawn")), 0);
	c = compare_runs(w.s, NULL, &options, &err);
	r = row_of(c, "spawn");
	assert_int_equal(r->verdict, VERDICT_UNCLEAR);
	assert_true(r->more_blocks >= 1 && r->more_blocks < 60);
	assert_non_null(strstr(r->note, "at this look"));
	for (size_t i = 0; i < c->nwarnings; i++)
		assert_null(strstr(c->warnings[i], "; 10 can"));
	comparison_free(c);
	finish(&w);

	start(&w, MATRIX("precision: 20%\nbudget: 1h\n") MORE_CELLS, 60);
	assert_int_equal(execute(&w), 0);
	c = compare_runs(w.s, NULL, &options, &err);
	assert_int_equal(row_of(c, "spawn")->verdict, VERDICT_IMPROVEMENT);
	comparison_free(c);
	finish(&w);
}

static void test_without_budget_nothing_is_added(void **state)
{
	struct world w;

	(void)state;
	start(&w, MATRIX(""), 0);
	assert_int_equal(execute(&w), 0);
	assert_int_equal(blocks_of_cell(&w, "pipe"), 10);
	assert_null(json_object_get(plan_of(&w), "looks"));
	finish(&w);
}

/* How many blocks there can be is settled at the first look, by the time that the first ones took.
 */
static void test_budget_bounds_the_blocks(void **state)
{
	struct world w;

	(void)state;
	start(&w, MATRIX("budget: 1\n"), 0);
	assert_int_equal(json_real_value(json_object_get(
				 json_object_get(json_object_get(store_run(w.s), "matrix"), "json"),
				 "budget_s")),
		1);
	w.m->budget_s = 1e-9;
	assert_int_equal(execute(&w), 0);
	assert_int_equal(blocks_of_cell(&w, "pipe"), 10);
	assert_int_equal(json_integer_value(json_object_get(plan_of(&w), "max_blocks")), 10);
	expect_looks(&w, "[10]");
	finish(&w);
}

/* Stopped anywhere, and continued by what is on disk alone, it ends as if it had not been. */
static void test_resumed(void **state)
{
	struct world whole, w;
	struct error err;
	size_t all, n;

	(void)state;
	start(&whole, MATRIX("budget: 1h\n"), 30);
	assert_int_equal(execute(&whole), 0);
	store_samples(whole.s, &all);
	start(&w, MATRIX("budget: 1h\n"), 30);
	for (;;) {
		__free_char char *path = xstrdup(store_path(w.s));

		jobs_left = 17;
		if (!execute(&w))
			break;
		store_close(w.s);
		plan_free(w.p);
		w.s = store_open(path, true, NULL, &err);
		assert_non_null(w.s);
		w.p = plan_make(w.m, NULL, &err);
		run_adaptive_restore(w.p, store_run(w.s));
		plan_extend(w.p, json_integer_value(json_object_get(plan_of(&w), "blocks")));
	}
	store_samples(w.s, &n);
	assert_int_equal(n, all);
	for (size_t i = 0; i < n; i++)
		assert_true(store_has(w.s, store_samples(whole.s, &all)[i].id));
	assert_true(json_equal(json_object_get(plan_of(&w), "closed"),
		json_object_get(plan_of(&whole), "closed")));
	expect_looks(&w, "[10,15,23,30]");
	finish(&w);
	finish(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells_end_when_they_are_decided),
		cmocka_unit_test(test_precision),
		cmocka_unit_test(test_a_rate_of_nothing),
		cmocka_unit_test(test_precise_before_it_can_be_decided),
		cmocka_unit_test(test_without_budget_nothing_is_added),
		cmocka_unit_test(test_budget_bounds_the_blocks),
		cmocka_unit_test(test_resumed),
	};

	return cmocka_run_group_tests_name("run_adaptive", tests, NULL, NULL);
}
