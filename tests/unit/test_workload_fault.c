// SPDX-License-Identifier: GPL-2.0-or-later
/* The workloads fault, spawn and zerocopy by their command lines: what they count, and what
 * --verify sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "workload_child.h"

static uint64_t minor_faults(const json_t *r)
{
	return json_uint_of(json_object_get(r, "faults"), "minor");
}

static double figure(const json_t *r, const char *name)
{
	return json_number_value(json_object_get(json_object_get(r, "figures"), name));
}

/* Each operation is a page fault, and but for the program's start there are no others. */
static void test_an_operation_is_a_page_fault(void **state)
{
	static const char *const how[] = {
		"",
		" --drop munmap",
		" --access read",
		" --backing file",
		" --backing shared --drop munmap",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		char command[100];
		json_t *r;

		snprintf(command, sizeof(command), "run fault --ops 5000%s", how[i]);
		r = workload_result(command);
		assert_int_equal(json_uint_of(r, "ops"), 5000);
		/* Faults around a page of a file bring its neighbours. */
		if (i < 3)
			assert_in_range(minor_faults(r), 5000, 5100);
		else
			assert_in_range(minor_faults(r), 5000 / 16, 5100);
		json_decref(r);
	}
}

static void test_mappers_are_counted_apart(void **state)
{
	json_t *beside = workload_result("run fault --faulters 2 --mappers 1 --duration 100ms");
	json_t *none = workload_result("run fault --faulters 1 --ops 100");
	json_t *alone =
		workload_result("run fault --faulters 0 --mappers 2 --change madvise --ops 400");
	json_t *paused = workload_result(
		"run fault --mappers 1 --change mprotect --pause 10ms --duration 200ms");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(beside, "workers")), 2);
	assert_true(figure(beside, "map_changes_per_s") > 0);
	assert_null(json_object_get(json_object_get(none, "figures"), "map_changes_per_s"));
	assert_int_equal(json_uint_of(alone, "ops"), 400);
	assert_int_equal(json_array_size(json_object_get(alone, "workers")), 2);
	assert_true(figure(paused, "map_changes_per_s") > 0);
	assert_true(figure(paused, "map_changes_per_s") <= 101);
	json_decref(beside);
	json_decref(none);
	json_decref(alone);
	json_decref(paused);
}

static void test_fault_refuses_what_makes_no_sense(void **state)
{
	struct workload_outcome idle = workload_call("run fault --faulters 0");
	struct workload_outcome huge = workload_call("run fault --thp --backing file");

	(void)state;
	assert_int_equal(WEXITSTATUS(idle.status), 2);
	assert_text_has(idle.err, "--faulters 0 --mappers 0");
	assert_int_equal(WEXITSTATUS(huge.status), 2);
	assert_text_has(huge.err, "--backing file: expected --backing anon");
	workload_outcome_free(&idle);
	workload_outcome_free(&huge);
}

static void test_fault_verify_passes_where_nothing_is_wrong(void **state)
{
	static const char *const how[] = {
		"--backing anon --mode process",
		"--backing anon --drop munmap",
		"--backing file",
		"--backing shared --drop munmap",
		"--backing shared",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		char command[140];
		json_t *r;

		snprintf(command, sizeof(command),
			"run fault --verify --faulters 2 --mappers 1 --duration 50ms --warmup 5ms "
			"%s",
			how[i]);
		r = workload_result(command);
		assert_true(json_uint_of(r, "ops") > 0);
		json_decref(r);
	}
}

/* Writes into each page of the file that a running "fault --backing shared" has mapped; false if it
 * is gone. */
static bool spoil_pages(pid_t pid)
{
	unsigned long start, end;
	char line[300], path[40];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, "memfd:kab-fault") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		for (; start < end; start += 4096) {
			uint64_t rubbish = 0xdeadbeef;
			struct iovec here = {&rubbish, 8}, there = {(void *)start, 8};

			found |= process_vm_writev(pid, &here, 1, &there, 1, 0) == 8;
		}
	}
	if (f)
		fclose(f);
	return found;
}

static bool is_over(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

static void test_fault_verify_sees_a_page_that_somebody_else_wrote(void **state)
{
	struct workload_child c =
		workload_start("run fault --verify --backing shared --pages 512 --duration 20s");
	struct workload_outcome o;

	(void)state;
	for (int tries = 0; tries < 200 && !is_over(c.pid); tries++) {
		spoil_pages(c.pid);
		sleep_ms(20);
	}
	o = workload_finish(c);
	assert_int_equal(WEXITSTATUS(o.status), 1);
	assert_text_has(o.err, "found 0xdeadbeef, expected ");
	workload_outcome_free(&o);
}

static void test_spawn_counts_threads_that_came_and_went(void **state)
{
	json_t *r = workload_result("run spawn --spawners 2 --burst 100 --ops 350 --latency on");

	(void)state;
	assert_int_equal(json_uint_of(r, "ops"), 350);
	assert_int_equal(json_uint_of(json_object_get(r, "latency_ns"), "count"), 350);
	json_decref(r);
	r = workload_result(
		"run spawn --verify --burst 20 --stack-touch 0 --heap 0 --ops 45 --mode process");
	assert_int_equal(json_uint_of(r, "ops"), 45);
	json_decref(r);
	r = workload_result("run spawn --verify --burst 10 --stack-touch 100 --heap 300 --ops 50");
	assert_int_equal(json_uint_of(r, "ops"), 50);
	json_decref(r);
}

/* A burst of threads that stay is over when the last one is. */
static void test_spawned_threads_stay_for_their_lifetime(void **state)
{
	static const char *const commands[] = {
		"run spawn --burst 4 --ops 12 --lifetime 20ms",
		"run spawn --burst 4 --ops 12 --lifetime 20ms --heap 0",
		NULL,
	};

	(void)state;
	for (size_t i = 0; commands[i]; i++) {
		json_t *r = workload_result(commands[i]);

		assert_in_range(json_uint_of(r, "elapsed_ns"), 60000000, UINT64_C(10000000000));
		json_decref(r);
	}
}

/* NULL if it needs what this machine does not give: root, or a kernel that can. */
static json_t *zerocopy_result(const char *command)
{
	struct workload_outcome o = workload_call(command);
	json_t *r = NULL;

	if (WEXITSTATUS(o.status) != 77) {
		assert_int_equal(o.status, 0);
		r = json_loads(o.out, 0, NULL);
		assert_non_null(r);
	}
	workload_outcome_free(&o);
	return r;
}

static void test_zerocopy_maps_all_that_it_receives(void **state)
{
	static const char *const how[] = {
		"--ops 300 --receivers 2 --warmup 10ms",
		"--ops 100 --message 262144 --writers 0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		char command[100];
		json_t *r;

		snprintf(command, sizeof(command), "run zerocopy --verify %s", how[i]);
		r = zerocopy_result(command);
		if (!r)
			skip(); /* no root, or a kernel without network namespaces */
		assert_int_equal(json_uint_of(r, "ops"), i ? 100 : 300);
		assert_true(figure(r, "mapped_share") == 1);
		assert_int_equal(
			!json_object_get(json_object_get(r, "figures"), "map_changes_per_s"), i);
		json_decref(r);
	}
}

static void test_zerocopy_refuses_parts_of_a_page(void **state)
{
	struct workload_outcome o = workload_call("run zerocopy --message 5000");

	(void)state;
	assert_int_equal(WEXITSTATUS(o.status), 2);
	assert_text_has(o.err, "--message 5000: expected a multiple of a page");
	workload_outcome_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_operation_is_a_page_fault),
		cmocka_unit_test(test_mappers_are_counted_apart),
		cmocka_unit_test(test_fault_refuses_what_makes_no_sense),
		cmocka_unit_test(test_fault_verify_passes_where_nothing_is_wrong),
		cmocka_unit_test(test_fault_verify_sees_a_page_that_somebody_else_wrote),
		cmocka_unit_test(test_spawn_counts_threads_that_came_and_went),
		cmocka_unit_test(test_spawned_threads_stay_for_their_lifetime),
		cmocka_unit_test(test_zerocopy_maps_all_that_it_receives),
		cmocka_unit_test(test_zerocopy_refuses_parts_of_a_page),
	};

	return cmocka_run_group_tests_name(
		"workloads fault, spawn and zerocopy", tests, NULL, NULL);
}
