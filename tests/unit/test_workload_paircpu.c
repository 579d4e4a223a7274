// SPDX-License-Identifier: GPL-2.0-or-later
/* Workload paircpu, on whatever kernel the tests run on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "skip.h"
#include "workload_child.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NR_SCHED_PAIR_CPU 548

static double figure(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(json_object_get(o, "figures"), name);

	if (!json_is_number(v))
		fail_msg("no figure %s", name);
	return json_number_value(v);
}

/* Also over a warm-up, whose changes are there as well. */
static void test_safe_methods_lose_nothing(void **state)
{
	static const char *const methods[] = {"setaffinity", "lock"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		char command[200];
		json_t *o;

		snprintf(command, sizeof(command),
			"run paircpu --method %s --ops 60 --workers 2 --warmup 50ms --delay 500", methods[i]);
		o = workload_result(command);
		assert_int_equal(json_uint_of(o, "ops"), 60);
		assert_true(figure(o, "lost_updates") == 0);
		assert_true(figure(o, "refused_per_op") == 0);
		assert_null(json_object_get(json_object_get(o, "figures"), "hotplugs"));
		json_decref(o);
	}
}

/* Two threads that run at the same time lose updates sooner or later, and are caught at it. */
static void test_without_a_right_it_fails(void **state)
{
	bool lost = false;

	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip_because("one CPU never runs two threads at once");
	for (int i = 0; i < 50 && !lost; i++) {
		json_t *o = workload_result("run paircpu --method none --delay 5000 --duration 200ms");

		lost = figure(o, "lost_updates") > 0;
		json_decref(o);
	}
	assert_true(lost);
	workload_refuses("run paircpu --method none --verify --duration 30", 1, "at the same time");
}

static void test_verify_passes_with_a_right(void **state)
{
	(void)state;
	json_decref(workload_result("run paircpu --method setaffinity --verify --ops 40"));
	json_decref(workload_result("run paircpu --method lock --verify --ops 2000"));
}

static void test_a_kernel_without_the_calls_is_skipped(void **state)
{
	(void)state;
	if (syscall(NR_SCHED_PAIR_CPU, 0, 0, 0) == 3) {
		json_decref(workload_result("run paircpu --method pair --verify --ops 500"));
		json_decref(workload_result("run paircpu --method setaffinity2 --verify --ops 500"));
		return;
	}
	workload_refuses("run paircpu --method pair", 77, "no sched_pair_cpu()");
	workload_refuses("run paircpu --method setaffinity2", 77, "no sched_setaffinity2()");
}

static void test_bad_usage(void **state)
{
	(void)state;
	workload_refuses("run paircpu --method pairing", 2, "pair, setaffinity, setaffinity2, lock or none");
	workload_refuses("run paircpu --burst 0", 2, "--burst 0");
	workload_refuses("run paircpu --delay 0", 2, "--delay 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe_methods_lose_nothing),
		cmocka_unit_test(test_without_a_right_it_fails),
		cmocka_unit_test(test_verify_passes_with_a_right),
		cmocka_unit_test(test_a_kernel_without_the_calls_is_skipped),
		cmocka_unit_test(test_bad_usage),
	};

	return cmocka_run_group_tests_name("workload paircpu", tests, NULL, NULL);
}
