// SPDX-License-Identifier: GPL-2.0-or-later
/* Which run a command line means. The executor is local, which needs no kernel; nothing is run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "run_fixture.h"
#include "run_order.h"
#include "util.h"

static const char matrix_text[] = "arms:\n"
				  "  stock: {}\n"
				  "executor: {local: {label: here}}\n"
				  "blocks: 3\n"
				  "samples: 1\n"
				  "warmup: 0\n"
				  "workloads:\n"
				  "  - {name: 'null', workers: 1, duration: 100ms}\n";

struct fixture {
	struct run_fixture run;
	char *matrix; /* its file */
	char *path;   /* a run of it, just begun */
};

/* A command line as cmd_run() leaves it, taken as far as it goes without running. */
static int settle(struct fixture *f, struct run_order *o, const char *operand, struct error *err)
{
	o->operand = operand;
	o->opt.results = f->run.results;
	return run_order_settle(o, err);
}

static unsigned blocks_of(const struct run_order *o)
{
	return o->plan->boots[o->plan->nboots - 1].block + 1;
}

/* What cmd_run() does with a run before the first boot, or after the last. */
static void mark(const char *path, const char *state, unsigned blocks)
{
	struct error err = {};
	struct store *s = store_open(path, true, NULL, &err);
	json_t *patch = json_pack("{s:s,s:{s:i}}", "state", state, "plan", "blocks", (int)blocks);

	if (!s)
		fail_msg("%s", err.text);
	assert_int_equal(store_update(s, patch, &err), 0);
	json_decref(patch);
	store_close(s);
}

static int setup(void **state)
{
	__free_char char *build = xasprintf("%s/build", kab_home());
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct run_order o = {};
	struct error err = {};
	struct store *s;

	setenv("KAB_LIBEXEC", build, 0);
	fixture_make(&f->run, matrix_text);
	f->matrix = xasprintf("%s/m.yaml", f->run.results);
	fixture_write(f->run.results, "m.yaml", matrix_text);
	if (settle(f, &o, f->matrix, &err))
		fail_msg("%s", err.text);
	assert_null(o.store);
	s = store_create(f->run.results, o.plan, o.options, o.arms_json, o.host, &err);
	assert_non_null(s);
	f->path = xstrdup(store_path(s));
	store_close(s);
	run_order_clear(&o);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fixture_drop(&f->run);
	free(f->matrix);
	free(f->path);
	free(f);
	return 0;
}

/* The command means the fixture's run, with @blocks blocks. */
static void expect_run(
	struct fixture *f, struct run_options opt, const char *operand, unsigned blocks)
{
	struct run_order o = {.opt = opt};
	struct error err = {};

	if (settle(f, &o, operand, &err))
		fail_msg("%s", err.text);
	assert_non_null(o.store);
	assert_string_equal(store_path(o.store), f->path);
	assert_int_equal(blocks_of(&o), blocks);
	run_order_clear(&o);
}

static void expect_refusal(
	struct fixture *f, struct run_options opt, const char *operand, const char *words)
{
	struct run_order o = {.opt = opt};
	struct error err = {};

	assert_int_equal(settle(f, &o, operand, &err), -1);
	assert_int_equal(err.status, KAB_USAGE);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	run_order_clear(&o);
}

static void test_unfinished_run_goes_on(void **state)
{
	struct fixture *f = *state;
	struct run_order o = {.opt.fresh = true};

	expect_run(f, (struct run_options){}, f->matrix, 3);
	expect_run(f, (struct run_options){}, f->path, 3);
	assert_int_equal(settle(f, &o, f->matrix, NULL), 0);
	assert_null(o.store);
	run_order_clear(&o);
}

static void test_more_boots_for_a_finished_run(void **state)
{
	const struct run_options more = {.more_boots = 2};
	struct fixture *f = *state;

	expect_refusal(f, more, f->matrix, "no finished run");
	expect_refusal(f, more, NULL, "no finished run");
	expect_refusal(f, more, f->path, "not finished");
	mark(f->path, "finished", 3);
	expect_run(f, more, f->matrix, 5);
	expect_run(f, more, f->path, 5);
	expect_run(f, more, NULL, 5);
	expect_refusal(f, (struct run_options){}, f->path, "is finished");
}

/* Two programs by the same name: samples of both may not stand side by side. */
static void test_another_workload_program_is_another_load(void **state)
{
	struct fixture *f = *state;
	__free_char char *libexec = xstrdup(getenv("KAB_LIBEXEC"));
	__free_char char *program = kab_program("kab-workload");
	__free_char char *text = xasprintf("#!/bin/sh\nexec '%s' \"$@\"\n", program);
	__free_char char *wrapper = xasprintf("%s/kab-workload", f->run.results);
	struct run_order o = {};
	struct error err = {};

	fixture_write(f->run.results, "kab-workload", text);
	assert_int_equal(chmod(wrapper, 0755), 0);
	setenv("KAB_LIBEXEC", f->run.results, 1);
	if (settle(f, &o, f->matrix, &err))
		fail_msg("%s", err.text);
	assert_null(o.store);
	assert_non_null(o.notes.data);
	assert_non_null(strstr(o.notes.data, "kab-workload"));
	run_order_clear(&o);
	o = (struct run_order){};
	assert_int_equal(settle(f, &o, f->path, &err), -1);
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	run_order_clear(&o);
	setenv("KAB_LIBEXEC", libexec, 1);
	expect_run(f, (struct run_options){}, f->path, 3);
}

/* The same command goes on with what it was at, and adds nothing to it. */
static void test_interrupted_more_boots_go_on(void **state)
{
	const struct run_options more = {.more_boots = 2};
	struct fixture *f = *state;

	mark(f->path, "finished", 3);
	mark(f->path, "running", 5);
	expect_run(f, more, f->matrix, 5);
	expect_run(f, more, f->path, 5);
	expect_run(f, more, NULL, 5);
	expect_run(f, (struct run_options){}, f->matrix, 5);
	expect_run(f, (struct run_options){}, f->path, 5);
	mark(f->path, "finished", 5);
	expect_run(f, more, f->matrix, 7);
}

static void test_blocks_are_bounded(void **state)
{
	struct fixture *f = *state;

	expect_refusal(f, (struct run_options){.blocks = 1001}, f->matrix, "at most 1000");
	mark(f->path, "finished", 3);
	expect_refusal(
		f, (struct run_options){.more_boots = 998}, f->path, "3 blocks and 998 more");
	expect_refusal(f, (struct run_options){.more_boots = 4294967295}, f->path, "at most 1000");
	expect_run(f, (struct run_options){.more_boots = 997}, f->path, 1000);
}

static void test_options_that_exclude_each_other(void **state)
{
	struct fixture *f = *state;

	expect_refusal(f, (struct run_options){.fresh = true, .more_boots = 1}, f->matrix, "--new");
	expect_refusal(f, (struct run_options){.seed = "0"}, f->matrix, "--seed 0");
	expect_refusal(f, (struct run_options){.only = "null"}, f->path, "settled");
}

static void test_torn_line_is_told(void **state)
{
	struct fixture *f = *state;
	struct run_order o = {};
	struct error err = {};

	fixture_write(f->path, "samples.jsonl", "{\"half");
	assert_int_equal(settle(f, &o, f->path, &err), 0);
	assert_non_null(o.notes.data);
	assert_non_null(strstr(o.notes.data, "torn (6 bytes)"));
	run_order_clear(&o);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unfinished_run_goes_on),
		TEST(test_more_boots_for_a_finished_run),
		TEST(test_another_workload_program_is_another_load),
		TEST(test_interrupted_more_boots_go_on),
		TEST(test_blocks_are_bounded),
		TEST(test_options_that_exclude_each_other),
		TEST(test_torn_line_is_told),
	};

	return cmocka_run_group_tests_name("run_order", tests, NULL, NULL);
}
