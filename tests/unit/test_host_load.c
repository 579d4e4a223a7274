// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "host_load.h"
#include "util.h"

/* Keeps a CPU busy for @seconds of CPU time. */
static void spin(double seconds)
{
	struct timespec t;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	while (t.tv_sec + t.tv_nsec / 1e9 < seconds);
}

/* A child's time is ours once it has ended, and part of what the machine was busy with. */
static void test_own_time(void **state)
{
	struct host_load before = host_load_read(), after;
	pid_t child = fork();

	(void)state;
	if (!child) {
		spin(0.3);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	after = host_load_read();
	assert_true(after.own - before.own >= 0.29);
	assert_true(after.own - before.own < 0.6);
	/* Ticks are coarse. */
	assert_true(after.busy - before.busy >= 0.25);
	assert_true(after.all - before.all >= after.busy - before.busy - 0.1);
}

static void test_sums(void **state)
{
	const struct host_load a = {.all = 10, .busy = 5, .stolen = 1, .own = 1},
			       b = {.all = 110, .busy = 65, .stolen = 3, .own = 31};
	json_t *first = host_load_json(&a, &b, NULL), *both = host_load_json(&a, &b, first);

	(void)state;
	assert_true(fabs(host_load_others(first) - 0.30) < 1e-9);
	assert_true(fabs(host_load_stolen(first) - 0.02) < 1e-9);
	assert_true(fabs(json_number_value(json_object_get(both, "all_s")) - 200) < 1e-9);
	assert_true(fabs(json_number_value(json_object_get(both, "own_s")) - 60) < 1e-9);
	assert_true(fabs(host_load_others(both) - 0.30) < 1e-9);
	/* Runs of earlier versions do not tell. */
	assert_true(host_load_others(NULL) == 0 && host_load_stolen(NULL) == 0);
	json_decref(first);
	json_decref(both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_time),
		cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests_name("host_load", tests, NULL, NULL);
}
