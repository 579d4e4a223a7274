// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The self-tests of every series, in guests: on stock each passes or skips, on "all" each passes, and so it does under
 * lockdep and KASAN, and under KCSAN, without a word from them. The kernels are the arms of kernels.yaml. Where CPUs
 * are set apart, the rules of sched_pair_cpu() are asked once more.
 * KAB_TEST_ONLY=test_NAME runs one of these tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "kernel.h"
#include "kernels.h"
#include "minutes.h"
#include "selftests.h"
#include "skip.h"

/* Stock has the providers but not the features: the tests of "all" skip there, and nothing fails. */
static void test_stock(void **state)
{
	struct kernel all = {};
	struct selection of_all = {};
	struct results r;
	struct error err;

	(void)state;
	if (kernel_build(find_arm("all"), &all, NULL, NULL, &err))
		fail_msg("all: %s", err.text);
	assert_non_null(all.selftests);
	of_all.folder = all.selftests;
	assert_int_equal(selftests_run(find_arm("stock"), &kernels->machines[0], &of_all, &r), 0);
	kernel_clear(&all);
	assert_int_equal(r.failed, 0);
	assert_true(r.skipped > 0);
}

static void passes_everything(const char *label)
{
	const struct arm *arm = find_arm(label);
	struct results r;

	need_minutes(minutes_on(arm, 9), label);
	assert_int_equal(selftests_run(arm, &kernels->machines[0], NULL, &r), 0);
	assert_int_equal(r.failed, 0);
	assert_false(r.oops);
	assert_true(r.passed > 0);
}

static void test_all(void **state)
{
	(void)state;
	passes_everything("all");
}

/* The CPUs of isolcpus= and nohz_full= have tests that skip elsewhere. */
static void test_isolated(void **state)
{
	const struct selection rules = { .program = "task_pair:rules" };
	struct results r;

	(void)state;
	assert_int_equal(selftests_run(find_arm("isolated"), &kernels->machines[0], &rules, &r), 0);
	assert_int_equal(r.failed, 0);
	assert_int_equal(r.skipped, 0);
	assert_true(r.passed > 0);
}

static void test_lockdep_kasan(void **state)
{
	(void)state;
	passes_everything("lockdep-kasan");
}

static void test_kcsan(void **state)
{
	(void)state;
	passes_everything("kcsan");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stock),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_isolated),
		cmocka_unit_test(test_lockdep_kasan),
		cmocka_unit_test(test_kcsan),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("series", tests, read_kernels, free_kernels);
}
