// SPDX-License-Identifier: GPL-2.0-or-later
/* kab-workload by its command line: what it says of itself, what it takes, what a run reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "histogram.h"
#include "workload_child.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MS 1000000ULL

static uint64_t now_ns_monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static json_t *catalog(void)
{
	return workload_result("describe --json");
}

/* What is there */

static void test_list_names_each_workload_of_the_catalogue(void **state)
{
	json_t *all = catalog(), *w;
	struct workload_outcome o = workload_call("list");
	const char *line = o.out;
	size_t i;

	(void)state;
	assert_int_equal(o.status, 0);
	json_array_foreach (all, i, w) {
		const char *name = json_string_value(json_object_get(w, "name"));

		assert_int_equal(strncmp(line, name, strlen(name)), 0);
		assert_text_has(line, json_string_value(json_object_get(w, "summary")));
		line = strchr(line, '\n') + 1;
	}
	assert_int_equal(*line, '\0');
	assert_text_has(o.out, "null ");
	assert_text_has(o.out, "pipe ");
	assert_text_has(o.out, "messaging ");
	workload_outcome_free(&o);
	json_decref(all);
}

static void check_param(const json_t *param)
{
	const char *kind = json_string_value(json_object_get(param, "kind"));

	assert_non_null(json_string_value(json_object_get(param, "name")));
	assert_non_null(json_string_value(json_object_get(param, "default")));
	assert_non_null(json_string_value(json_object_get(param, "help")));
	assert_non_null(kind);
	if (!strcmp(kind, "uint") || !strcmp(kind, "duration")) {
		assert_true(strtoull(json_string_value(json_object_get(param, "min")), NULL, 10) <=
			    strtoull(json_string_value(json_object_get(param, "max")), NULL, 10));
	} else if (!strcmp(kind, "choice")) {
		assert_true(json_array_size(json_object_get(param, "choices")) >= 2);
	} else {
		assert_string_equal(kind, "cpus");
	}
}

static void test_the_catalogue_describes_each_parameter(void **state)
{
	static const char *const common[] = {"duration", "ops", "warmup", "pin", "seed"};
	json_t *all = catalog(), *w, *param;
	size_t i, j;

	(void)state;
	json_array_foreach (all, i, w) {
		unsigned found = 0;

		json_array_foreach (json_object_get(w, "params"), j, param) {
			const char *name = json_string_value(json_object_get(param, "name"));

			check_param(param);
			for (unsigned k = 0; k < ARRAY_SIZE(common); k++)
				found += !strcmp(name, common[k]);
		}
		assert_int_equal(found, ARRAY_SIZE(common));
	}
	json_decref(all);
}

static void test_describe_tells_people_defaults_and_choices(void **state)
{
	struct workload_outcome o = workload_call("describe messaging");

	(void)state;
	assert_int_equal(o.status, 0);
	assert_text_has(o.out, "same as: perf bench sched messaging");
	assert_text_has(o.out, "--groups");
	assert_text_has(o.out, "[10]");
	assert_text_has(o.out, "a whole number from 1 to 1024");
	assert_text_has(o.out, "socketpair or pipe");
	workload_outcome_free(&o);
}

static void test_the_manual_has_each_workload_and_parameter(void **state)
{
	json_t *all = catalog(), *w, *param;
	FILE *f = fopen("docs/kab-workload.1", "r");
	char page[20000] = "", expected[100];
	size_t i, j;

	(void)state;
	assert_non_null(f);
	assert_in_range(fread(page, 1, sizeof(page), f), 1, sizeof(page) - 1);
	fclose(f);
	json_array_foreach (all, i, w) {
		snprintf(expected, sizeof(expected), ".Ss %s\n",
			json_string_value(json_object_get(w, "name")));
		assert_text_has(page, expected);
		json_array_foreach (json_object_get(w, "params"), j, param) {
			snprintf(expected, sizeof(expected), ".It Fl Fl %s",
				json_string_value(json_object_get(param, "name")));
			assert_text_has(page, expected);
		}
	}
	json_decref(all);
}

/* Bad usage */

static void test_bad_usage_exits_2_and_says_what_is_allowed(void **state)
{
	static const struct {
		const char *command, *part[3];
	} bad[] = {
		{"", {"expected list, describe, run"}},
		{"walk", {"walk", "list, describe, run"}},
		{"list pipe", {"list pipe"}},
		{"--help me", {"--help me"}},
		{"run", {"name of a workload"}},
		{"run nil", {"nil: no such workload", "null", "pipe"}},
		{"describe pipe nil", {"nil: no such workload"}},
		{"run null --groups 1", {"--groups: no such parameter", "--workers", "--pin"}},
		{"run null workers 2", {"workers: expected --parameter value"}},
		{"run null --workers", {"--workers needs a value"}},
		{"run null --workers 1 --workers=1", {"--workers is given twice"}},
		{"run null --workers 0", {"--workers 0", "a whole number from 1 to 4096"}},
		{"run null --workers 4097", {"--workers 4097", "from 1 to 4096"}},
		{"run null --workers -1", {"--workers -1", "from 1 to 4096"}},
		{"run null --workers 1x", {"--workers 1x", "a whole number"}},
		{"run null --workers=", {"--workers : expected a whole number"}},
		{"run null --seed 18446744073709551616",
			{"--seed 18446744073709551616", "to 18446744073709551615"}},
		{"run null --duration 0", {"--duration 0", "a time from 0.001s", "200ms"}},
		{"run null --duration 1h", {"--duration 1h", "a time from"}},
		{"run null --duration 1.2.3", {"--duration 1.2.3", "a time from"}},
		{"run null --duration ms", {"--duration ms", "a time from"}},
		{"run null --duration 1e3", {"--duration 1e3", "a time from"}},
		{"run null --warmup -1", {"--warmup -1", "a time from 0s"}},
		{"run null --mode fork", {"--mode fork", "thread or process"}},
		{"run null --latency maybe", {"--latency maybe", "off or on"}},
		{"run null --verify", {"--verify: no such parameter"}},
		{"run null --ops 5 --duration 1", {"--ops 5", "--duration 1", "one or the other"}},
		{"run null --pin near", {"--pin near", "none, spread, compact", "0,2-3"}},
		{"run null --pin 0,", {"--pin 0,", "none, spread, compact"}},
		{"run null --pin 1-0", {"--pin 1-0", "none, spread, compact"}},
		{"run null --pin 0-18446744069414584321", {"none, spread, compact"}},
		{"run null --pin 8191", {"--pin 8191", "CPU 8191 is not among", "(0"}},
		{"run messaging --loops 3 --ops 3", {"--loops 3", "not with --ops or --duration"}},
		{"run messaging --groups 1024", {"--groups", "40960", "at most 32768"}},
		{"run pipe --workers 2", {"--workers: no such parameter"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct workload_outcome o = workload_call(bad[i].command);

		if (!WIFEXITED(o.status) || WEXITSTATUS(o.status) != 2)
			fail_msg("%s: wait status %d: %s", bad[i].command, o.status, o.err);
		assert_string_equal(o.out, "");
		assert_text_has(o.err, "kab-workload: ");
		for (unsigned j = 0; j < ARRAY_SIZE(bad[i].part) && bad[i].part[j]; j++)
			assert_text_has(o.err, bad[i].part[j]);
		workload_outcome_free(&o);
	}
}

/* What a run reports */

static void test_a_run_reports_parameters_as_strings_and_sums_that_agree(void **state)
{
	static const char *const commands[] = {
		"run null --workers 3 --duration 50ms",
		"run null --workers 3 --duration 50ms --mode=process --latency",
		"run pipe --duration 0.05 --mode thread",
		"run pipe --duration 50000us --mode process --latency on",
		"run messaging --groups 2 --senders 3 --receivers 4 --duration 0.05s",
	};
	json_t *r, *v;
	const char *key;
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		uint64_t ops = 0;
		double rate;

		r = workload_result(commands[i]);
		json_object_foreach (json_object_get(r, "params"), key, v)
			assert_true(json_is_string(v));
		assert_true(json_object_size(json_object_get(r, "params")) >= 5);
		json_array_foreach (json_object_get(r, "workers"), j, v)
			ops += json_integer_value(v);
		assert_true(ops > 0);
		assert_int_equal(json_uint_of(r, "ops"), ops);
		assert_true(json_uint_of(r, "elapsed_ns") >= 50 * MS);
		rate = json_number_value(json_object_get(r, "ops_per_s"));
		assert_true(fabs(rate * (double)json_uint_of(r, "elapsed_ns") / 1e9 / (double)ops -
				    1) < 1e-6);
		json_uint_of(json_object_get(r, "cpu"), "user_ns");
		json_uint_of(json_object_get(r, "cpu"), "system_ns");
		json_uint_of(json_object_get(r, "ctx_switches"), "voluntary");
		json_uint_of(json_object_get(r, "ctx_switches"), "involuntary");
		json_uint_of(json_object_get(r, "faults"), "minor");
		json_uint_of(json_object_get(r, "faults"), "major");
		assert_true(json_is_object(json_object_get(r, "figures")));
		json_decref(r);
	}
}

static void test_params_name_what_ended_the_run(void **state)
{
	json_t *by_ops = workload_result("run null --ops 10"),
	       *by_time = workload_result("run null --duration 1ms");
	json_t *ops = json_object_get(by_ops, "params"), *time = json_object_get(by_time, "params");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(ops, "ops")), "10");
	assert_null(json_object_get(ops, "duration"));
	assert_string_equal(json_string_value(json_object_get(time, "duration")), "1ms");
	assert_null(json_object_get(time, "ops"));
	json_decref(by_ops);
	json_decref(by_time);
}

static void test_ops_are_exact_and_shared_out(void **state)
{
	static const char *const modes[] = {"thread", "process"};
	char command[100];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		json_t *r, *w;

		snprintf(command, sizeof(command), "run null --ops 11 --workers 3 --mode %s",
			modes[i]);
		r = workload_result(command);
		w = json_object_get(r, "workers");
		assert_int_equal(json_uint_of(r, "ops"), 11);
		assert_int_equal(json_array_size(w), 3);
		assert_int_equal(json_integer_value(json_array_get(w, 0)), 4);
		assert_int_equal(json_integer_value(json_array_get(w, 1)), 4);
		assert_int_equal(json_integer_value(json_array_get(w, 2)), 3);
		json_decref(r);
	}
}

/* They never end by themselves, and are told to in either way of ending a run. */
static void test_bystanders_run_uncounted_until_the_workers_end(void **state)
{
	static const char *const commands[] = {
		"run null --ops 30000000 --workers 2 --bystanders 2",
		"run null --duration 100ms --workers 2 --bystanders 2 --warmup 20ms --mode process",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		json_t *r = workload_result(commands[i]);
		json_t *workers = json_object_get(r, "workers");

		assert_int_equal(json_array_size(workers), 2);
		assert_int_equal(json_uint_of(r, "ops"),
			json_integer_value(json_array_get(workers, 0)) +
				json_integer_value(json_array_get(workers, 1)));
		json_decref(r);
	}
}

static void test_warmup_takes_its_time_and_counts_for_nothing(void **state)
{
	uint64_t begin = now_ns_monotonic(), wall;
	json_t *r = workload_result("run pipe --ops 50 --warmup 300ms --latency on");

	(void)state;
	wall = now_ns_monotonic() - begin;
	assert_true(wall >= 300 * MS);
	assert_int_equal(json_uint_of(r, "ops"), 50);
	assert_int_equal(json_uint_of(json_object_get(r, "latency_ns"), "count"), 50);
	assert_true(json_uint_of(r, "elapsed_ns") <= wall - 300 * MS);
	json_decref(r);
}

static void test_latencies_add_up(void **state)
{
	static const char *const order[] = {"min", "p50", "p90", "p99", "p99_9", "max"};
	json_t *r = workload_result("run pipe --ops 3000 --latency on"), *l, *b;
	uint64_t count = 0, last = 0, low = 0, high = 0;
	size_t i;

	(void)state;
	l = json_object_get(r, "latency_ns");
	json_array_foreach (json_object_get(l, "buckets"), i, b) {
		unsigned index = json_integer_value(json_array_get(b, 0));
		uint64_t n = json_integer_value(json_array_get(b, 1));

		assert_true(index < HIST_BUCKETS && n > 0);
		count += n;
		low += n * hist_low(index);
		high += n * hist_high(index);
	}
	assert_int_equal(count, 3000);
	assert_int_equal(json_uint_of(l, "count"), 3000);
	assert_true(json_uint_of(l, "sum") >= low && json_uint_of(l, "sum") <= high);
	assert_true(json_uint_of(l, "sum") <= json_uint_of(r, "elapsed_ns"));
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		assert_true(json_uint_of(l, order[i]) >= last);
		last = json_uint_of(l, order[i]);
	}
	json_decref(r);

	r = workload_result("run pipe --ops 10");
	assert_null(json_object_get(r, "latency_ns"));
	json_decref(r);
}

/* In CPU time, which others on this machine do not add to. */
static void test_null_costs_less_than_a_clock_read(void **state)
{
	json_t *bare = workload_result("run null --ops 3000000");
	json_t *timed = workload_result("run null --ops 3000000 --latency on");

	(void)state;
	assert_true(json_uint_of(json_object_get(bare, "cpu"), "user_ns") <
		    json_uint_of(json_object_get(timed, "cpu"), "user_ns"));
	json_decref(bare);
	json_decref(timed);
}

/* The workloads */

static void test_a_round_trip_on_one_cpu_is_two_switches(void **state)
{
	static const char *const commands[] = {
		"run pipe --ops 2000 --pin 0 --mode thread",
		"run pipe --ops 2000 --pin 0 --mode process",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		json_t *r = workload_result(commands[i]), *s = json_object_get(r, "ctx_switches");
		uint64_t switches = json_uint_of(s, "voluntary") + json_uint_of(s, "involuntary");

		/* Two at least; others that run here add some. */
		assert_int_equal(json_uint_of(r, "ops"), 2000);
		assert_in_range(switches, 2 * 2000 - 10, 4 * 2000);
		json_decref(r);
	}
}

static void test_a_delay_slows_the_pipe_by_its_size(void **state)
{
	json_t *r = workload_result("run pipe --ops 20 --delay-loops 10000000");

	(void)state;
	assert_int_equal(json_uint_of(r, "ops"), 20);
	/* 400 million turns of at least two instructions, by two tasks that never run at once */
	assert_true(json_uint_of(r, "elapsed_ns") >= 20 * MS);
	json_decref(r);
}

static void test_messaging_delivers_loops_times_pairs(void **state)
{
	static const char *const transports[] = {"socketpair", "pipe"}, *const modes[] = {"process",
										"thread"};
	static const char *const checks[] = {"off", "on"};
	char command[200];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		json_t *r;

		snprintf(command, sizeof(command),
			"run messaging --groups 2 --instances 2 --senders 3 --receivers 5 --loops "
			"7 "
			"--transport %s --mode %s --verify %s",
			transports[i & 1], modes[i >> 1 & 1], checks[i >> 2]);
		r = workload_result(command);
		assert_int_equal(json_uint_of(r, "ops"), 2 * 2 * 3 * 5 * 7);
		assert_int_equal(json_array_size(json_object_get(r, "workers")), 2 * 2 * 3);
		json_decref(r);
	}
}

static void test_messaging_rounds_ops_up_to_whole_rounds(void **state)
{
	json_t *r = workload_result("run messaging --groups 1 --senders 2 --receivers 4 --ops 9");

	(void)state;
	/* 5 and 4 messages to send, in rounds of 4. */
	assert_int_equal(json_uint_of(r, "ops"), 8 + 4);
	json_decref(r);
}

static void test_verify_passes_where_nothing_is_wrong(void **state)
{
	json_t *r = workload_result("run pipe --verify --ops 2000 --mode thread --warmup 10ms");

	(void)state;
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(r, "params"), "verify")), "on");
	assert_int_equal(json_uint_of(r, "ops"), 2000);
	json_decref(r);
}

static void test_cpus_are_dealt_out_in_turn(void **state)
{
	json_t *list = workload_result("run null --ops 9 --workers 3 --pin 0,0-0");
	json_t *spread = workload_result("run null --ops 9 --workers 2 --pin spread");
	json_t *compact = workload_result("run null --ops 9 --workers 2 --pin compact");
	json_t *none = workload_result("run null --ops 9 --workers 2");
	json_t *cpus = json_object_get(spread, "cpus");
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(list, "cpus")), 3);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(list, "cpus"), 2)), 0);
	assert_int_equal(json_array_size(cpus), 2);
	if (online > 1)
		assert_int_not_equal(json_integer_value(json_array_get(cpus, 0)),
			json_integer_value(json_array_get(cpus, 1)));
	assert_int_equal(json_array_size(json_object_get(compact, "cpus")), 2);
	assert_null(json_object_get(none, "cpus"));
	json_decref(list);
	json_decref(spread);
	json_decref(compact);
	json_decref(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_names_each_workload_of_the_catalogue),
		cmocka_unit_test(test_the_catalogue_describes_each_parameter),
		cmocka_unit_test(test_describe_tells_people_defaults_and_choices),
		cmocka_unit_test(test_the_manual_has_each_workload_and_parameter),
		cmocka_unit_test(test_bad_usage_exits_2_and_says_what_is_allowed),
		cmocka_unit_test(test_a_run_reports_parameters_as_strings_and_sums_that_agree),
		cmocka_unit_test(test_params_name_what_ended_the_run),
		cmocka_unit_test(test_ops_are_exact_and_shared_out),
		cmocka_unit_test(test_bystanders_run_uncounted_until_the_workers_end),
		cmocka_unit_test(test_warmup_takes_its_time_and_counts_for_nothing),
		cmocka_unit_test(test_latencies_add_up),
		cmocka_unit_test(test_null_costs_less_than_a_clock_read),
		cmocka_unit_test(test_a_round_trip_on_one_cpu_is_two_switches),
		cmocka_unit_test(test_a_delay_slows_the_pipe_by_its_size),
		cmocka_unit_test(test_messaging_delivers_loops_times_pairs),
		cmocka_unit_test(test_messaging_rounds_ops_up_to_whole_rounds),
		cmocka_unit_test(test_verify_passes_where_nothing_is_wrong),
		cmocka_unit_test(test_cpus_are_dealt_out_in_turn),
	};

	return cmocka_run_group_tests_name("workloads", tests, NULL, NULL);
}
