// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the tests of the series make of self-tests that pass, skip, fail, do not start or take their guest along. The
 * programs here are scripts of known outcome. KAB_TEST_ONLY=test_NAME runs one of these tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels.h"
#include "kvm_probe.h"
#include "selftests.h"
#include "skip.h"
#include "util.h"

static char folder[] = "/tmp/kab-selftests-XXXXXX";

static int setup(void **state)
{
	return read_kernels(state) || !mkdtemp(folder) ? -1 : 0;
}

static int teardown(void **state)
{
	free_kernels(state);
	return dir_remove(folder, NULL);
}

struct program {
	const char *name, *script;
};

#define PASSES { "passes", "echo 1..2; echo ok 1 - a; echo ok 2 '# SKIP b'" }

/* Runs @n programs in a small guest, with the result of selftests_run(). */
static int run(const struct program *programs, size_t n, bool first_failure, struct results *r)
{
	const struct selection selected = { .folder = folder, .first_failure = first_failure };
	const struct machine small = { .cpus = 1, .nodes = 1, .memory = 512ull << 20 };
	__free_char char *sub = xasprintf("%s/t", folder);
	struct buf list = {};
	int ret;

	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(dir_make(sub, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		__free_char char *name = xasprintf("t/%s", programs[i].name);
		__free_char char *text = xasprintf("#!/bin/sh\n%s\n", programs[i].script);

		selftests_write(folder, name, text, 0755);
		buf_addf(&list, "t:%s\n", programs[i].name);
	}
	selftests_write(folder, "kselftest-list.txt", list.data, 0644);
	buf_free(&list);
	ret = selftests_run(find_arm("stock"), &small, &selected, r);
	dir_remove(sub, NULL);
	return ret;
}

static const struct program mixed[] = {
	PASSES,
	{ "skips", "exit 4" },
	{ "fails", "echo 1..2; echo not ok 1 - c; echo ok 2 - d; exit 1" },
	{ "exits", "exit 1" },
	{ "last", "echo 1..1; echo ok 1 - e" },
};

static void test_outcomes_are_counted(void **state)
{
	struct results r;

	(void)state;
	assert_int_equal(run(mixed, ARRAY_SIZE(mixed), false, &r), 0);
	assert_int_equal(r.passed, 3);
	assert_int_equal(r.skipped, 2);
	assert_int_equal(r.failed, 2);
	assert_int_equal(r.not_started, 0);
	assert_false(r.oops);
}

static void test_up_to_the_first_failure(void **state)
{
	struct results r;

	(void)state;
	assert_int_equal(run(mixed, ARRAY_SIZE(mixed), true, &r), 0);
	assert_int_equal(r.passed, 2);
	assert_int_equal(r.failed, 1);
}

/* Results told twice, as by a child that prints its parent's buffer, none told, and a plan begun anew. */
static void test_not_what_was_planned(void **state)
{
	const struct program programs[] = {
		PASSES,
		{ "more", "echo 1..1; echo ok 1 - f; echo ok 1 - f" },
		{ "fewer", "echo 1..2; echo ok 1 - g" },
		{ "anew", "echo 1..1; echo 1..1; echo ok 1 - h" },
		{ "without", "echo ok 1 - i" },
	};
	struct results r;

	(void)state;
	assert_int_equal(run(programs, ARRAY_SIZE(programs), false, &r), 0);
	assert_int_equal(r.failed, 4);
	assert_int_equal(r.not_started, 0);
}

/* A panic has been noticed, and nothing runs after it. */
static void test_a_guest_that_dies(void **state)
{
	const struct program programs[] = {
		PASSES, { "dies", "echo c > /proc/sysrq-trigger; sleep 60" }, mixed[4] };
	struct results r;

	(void)state;
	assert_int_equal(run(programs, ARRAY_SIZE(programs), false, &r), 0);
	assert_int_equal(r.passed, 1);
	assert_int_equal(r.failed, 1);
	assert_int_equal(r.not_started, 0);
	assert_true(r.oops);
}

/* A write that the emulator loses again and again is nobody's failure, and no result either. */
static void test_a_guest_that_keeps_losing_writes(void **state)
{
	const struct program program = { "loses",
		"echo '<1>int3: 0000 [#1] SMP' > /dev/kmsg; echo b > /proc/sysrq-trigger; sleep 60" };
	struct kvm_probe kvm;
	struct results r;
	int ret = run(&program, 1, true, &r);

	(void)state;
	/* Asked afterwards: by then it is settled whether that guest was emulated. */
	assert_int_equal(kvm_probe(NULL, &kvm, NULL), 0);
	if (kvm.works)
		skip_because("the guests were not emulated");
	assert_int_equal(ret, -1);
	assert_int_equal(r.failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes_are_counted),
		cmocka_unit_test(test_up_to_the_first_failure),
		cmocka_unit_test(test_not_what_was_planned),
		cmocka_unit_test(test_a_guest_that_dies),
		cmocka_unit_test(test_a_guest_that_keeps_losing_writes),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("running self-tests", tests, setup, teardown);
}
