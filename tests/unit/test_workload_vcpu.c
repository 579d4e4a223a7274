// SPDX-License-Identifier: GPL-2.0-or-later
/* Workloads vcpu and switch, on whatever kernel the tests run on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "skip.h"
#include "workload_child.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static double figure(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(json_object_get(o, "figures"), name);

	if (!json_is_number(v))
		fail_msg("no figure %s", name);
	return json_number_value(v);
}

static unsigned usable_cpus(void)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	return CPU_COUNT(&set);
}

/* Bytes of struct rseq that this kernel fills in; 0: those of before there were node and virtual
 * CPU ids. */
static unsigned long feature_size(void)
{
	return getauxval(27);
}

static void test_operations_are_exact_and_nothing_is_violated(void **state)
{
	json_t *o = workload_result("run vcpu --index cpu_id --ops 100001 --workers 3");

	(void)state;
	assert_int_equal(json_uint_of(o, "ops"), 100001);
	assert_true(figure(o, "uniqueness_violations") == 0);
	assert_true(figure(o, "node_violations") == 0);
	assert_true(figure(o, "ids_seen") >= 1 && figure(o, "ids_seen") <= usable_cpus());
	assert_true(figure(o, "arena_bytes") >= figure(o, "cached_bytes"));
	assert_null(json_object_get(json_object_get(o, "figures"), "moves"));
	json_decref(o);
}

/* All that was allocated is released again: what lies in lists is whole objects, two batches in
 * each at most. */
static void test_lists_hold_two_batches_at_most(void **state)
{
	json_t *o = workload_result("run vcpu --index cpu_id --ops 50000 --workers 2 --batch 8 "
				    "--size 128 --hold 500");
	double cached = figure(o, "cached_bytes");

	(void)state;
	assert_true(cached > 0 && cached <= figure(o, "ids_seen") * 16 * 128);
	assert_int_equal((uint64_t)cached % 128, 0);
	json_decref(o);
}

static void test_workers_stay_in_their_cpuset(void **state)
{
	json_t *o = workload_result("run vcpu --index cpu_id --ops 50000 --workers 4 --cpuset 0 "
				    "--wander 100");

	(void)state;
	assert_true(figure(o, "ids_seen") == 1);
	assert_true(figure(o, "id_max") == 0);
	json_decref(o);
}

static void test_wandering_workers_come_to_every_cpu(void **state)
{
	json_t *o =
		workload_result("run vcpu --index cpu_id --ops 200000 --workers 1 --wander 500");

	(void)state;
	assert_true(figure(o, "ids_seen") == usable_cpus());
	json_decref(o);
}

/* One thread that wanders has one virtual CPU id, or the kernel has none and says so. */
static void test_one_thread_has_one_virtual_cpu_id(void **state)
{
	static const char command[] = "run vcpu --ops 200000 --workers 1 --wander 500";
	json_t *o;

	(void)state;
	if (feature_size() < 28) {
		workload_refuses(command, 77, "AT_RSEQ_FEATURE_SIZE");
		return;
	}
	o = workload_result(command);
	assert_true(figure(o, "uniqueness_violations") == 0);
	/* The main thread sleeps, but is a second one. */
	assert_in_range(figure(o, "ids_seen"), 1, 2);
	json_decref(o);
}

/* What sanitizers lock stays locked in a process that is forked while another thread holds it. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

static void test_verify_passes_by_cpu_id(void **state)
{
	static const char *const counts[] = {"moves", "forks", "execs", "threads", "borrowings"};
	json_t *o;

	(void)state;
	if (SANITIZED)
		skip_because("a sanitized program of several threads cannot be forked");
	o = workload_result("run vcpu --verify --index cpu_id --duration 2s");
	assert_true(json_uint_of(o, "ops") > 0);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (!(figure(o, counts[i]) > 0))
			fail_msg("no %s", counts[i]);
	assert_null(json_object_get(json_object_get(o, "figures"), "ids_seen"));
	json_decref(o);
}

/* What Linux promises since 6.3. */
static void test_verify_passes_by_mainline_ids(void **state)
{
	(void)state;
	if (feature_size() < 28)
		skip_because("this kernel has no virtual CPU ids");
	json_decref(workload_result(
		SANITIZED ? "run vcpu --verify --expect unique --duration 2s --disturb none"
			  : "run vcpu --verify --expect unique --duration 2s"));
}

static void test_verify_notices_ids_that_threads_share(void **state)
{
	(void)state;
	if (feature_size() < 24)
		skip_because("this kernel has no node ids in struct rseq");
	if (usable_cpus() < 2)
		skip_because("one CPU never runs two threads at once");
	workload_refuses("run vcpu --verify --index node_id --disturb none --duration 20", 1,
		"not unique: thread ");
}

static void test_bad_usage(void **state)
{
	static const struct {
		const char *command, *part;
	} bad[] = {
		{"run vcpu --index node_id", "--index node_id: with --verify alone"},
		{"run vcpu --index cpu", "cpu_id, vm_vcpu_id or node_id"},
		{"run vcpu --index cpu_id --disturb none", "--disturb and --expect go with"},
		{"run vcpu --index cpu_id --wander 5 --pin 0", "--wander 5: not with --pin"},
		{"run vcpu --index cpu_id --cpuset 0 --pin 0", "--cpuset 0: not with --pin"},
		{"run vcpu --index cpu_id --cpuset 8191", "--cpuset 8191: CPU 8191 is not among"},
		{"run vcpu --index cpu_id --cpuset 0,", "none, spread, compact"},
		{"run vcpu --index cpu_id --size 16", "from 32 to 4096"},
		{"run switch --mode idle", "two-processes, use-mm, exit or exec"},
		{"run switch --mode exit --threads 2", "--threads 2: not with --mode exit"},
		{"run switch --mode exec --borrowers 2", "--borrowers: with --mode exit alone"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		workload_refuses(bad[i].command, 2, bad[i].part);
}

/* A worker that has asked a kernel thread sleeps until that is done: but for preemption, one switch
 * each. */
static void test_a_trip_to_a_kernel_thread_is_a_switch(void **state)
{
	json_t *o = workload_result("run switch --mode user-kernel --ops 2000"), *switches;

	(void)state;
	assert_int_equal(json_uint_of(o, "ops"), 2000);
	switches = json_object_get(o, "ctx_switches");
	assert_true(
		json_uint_of(switches, "voluntary") + json_uint_of(switches, "involuntary") > 1000);
	json_decref(o);
}

static void test_a_sleep_takes_its_time(void **state)
{
	json_t *o = workload_result("run switch --mode user-idle --ops 500");

	(void)state;
	/* On a busy CPU the time may be over before the worker gets to sleep. */
	assert_true(json_uint_of(json_object_get(o, "ctx_switches"), "voluntary") > 100);
	assert_true(json_uint_of(o, "elapsed_ns") >= 500 * 100000);
	json_decref(o);
}

/* Four threads on one CPU block once each in a round. */
static void test_a_round_of_two_processes_is_four_switches(void **state)
{
	json_t *o = workload_result("run switch --mode two-processes --ops 1000"), *switches;

	(void)state;
	assert_int_equal(json_uint_of(o, "ops"), 1000);
	assert_int_equal(json_array_size(json_object_get(o, "cpus")), 4);
	switches = json_object_get(o, "ctx_switches");
	assert_in_range(json_uint_of(switches, "voluntary"), 4 * 900, 4 * 1100);
	json_decref(o);
}

/* Threads on two CPUs: each sleeps by itself, and what they cost is known of both; on one CPU it is not. */
static void test_threads_sleep_side_by_side(void **state)
{
	json_t *o, *same;

	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip_because("one CPU");
	o = workload_result("run switch --mode user-idle --threads 2 --pin 0,1 --ops 400");
	same = workload_result("run switch --mode user-idle --threads 2 --pin 0 --ops 100");
	assert_int_equal(json_uint_of(o, "ops"), 400);
	assert_int_equal(json_array_size(json_object_get(o, "workers")), 2);
	if (!geteuid())
		assert_true(figure(o, "busy_ns_per_op") > 0);
	assert_null(json_object_get(json_object_get(same, "figures"), "busy_ns_per_op"));
	json_decref(o);
	json_decref(same);
}

/* Every process comes to its end, and the end is all that is timed: not the pause before it. */
static void test_an_end_is_timed_by_itself(void **state)
{
	json_t *o = workload_result("run switch --mode exit --borrowers 0 --ops 50 --latency on"), *latency;

	(void)state;
	latency = json_object_get(o, "latency_ns");
	assert_int_equal(json_uint_of(o, "ops"), 50);
	assert_int_equal(json_uint_of(latency, "count"), 50);
	assert_true(json_uint_of(latency, "min") > 0);
	assert_true(json_uint_of(latency, "min") < json_uint_of(o, "elapsed_ns") / 50);
	json_decref(o);
}

static void test_borrowers_need_cpus(void **state)
{
	(void)state;
	workload_refuses("run switch --mode exit --borrowers 1023", 77, "one of which is the worker's");
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		json_decref(workload_result("run switch --mode exit --borrowers 1 --ops 20"));
}

static void test_programs_are_executed(void **state)
{
	json_t *o = workload_result("run switch --mode exec --threads 2 --pin none --ops 20 --latency on");

	(void)state;
	assert_int_equal(json_uint_of(o, "ops"), 20);
	assert_int_equal(json_uint_of(json_object_get(o, "latency_ns"), "count"), 20);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations_are_exact_and_nothing_is_violated),
		cmocka_unit_test(test_lists_hold_two_batches_at_most),
		cmocka_unit_test(test_workers_stay_in_their_cpuset),
		cmocka_unit_test(test_wandering_workers_come_to_every_cpu),
		cmocka_unit_test(test_one_thread_has_one_virtual_cpu_id),
		cmocka_unit_test(test_verify_passes_by_cpu_id),
		cmocka_unit_test(test_verify_passes_by_mainline_ids),
		cmocka_unit_test(test_verify_notices_ids_that_threads_share),
		cmocka_unit_test(test_bad_usage),
		cmocka_unit_test(test_a_trip_to_a_kernel_thread_is_a_switch),
		cmocka_unit_test(test_a_sleep_takes_its_time),
		cmocka_unit_test(test_a_round_of_two_processes_is_four_switches),
		cmocka_unit_test(test_threads_sleep_side_by_side),
		cmocka_unit_test(test_an_end_is_timed_by_itself),
		cmocka_unit_test(test_borrowers_need_cpus),
		cmocka_unit_test(test_programs_are_executed),
	};

	return cmocka_run_group_tests_name("workload vcpu", tests, NULL, NULL);
}
