// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From captures to figures. tests/data: /proc files of a guest of Linux 6.1 before and after 300
 * times mmap, touch and munmap of two pages beside three spinning threads, and 500 round trips over
 * pipes; output of perf 6.1 on a machine without a PMU.
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
#include "util.h"

static char *data(const char *name)
{
	__free_char char *path = xasprintf("%s/tests/data/%s", kab_home(), name);
	struct error err;
	char *text = file_read(path, NULL, &err);

	if (!text)
		fail_msg("%s", err.text);
	return text;
}

static const struct observer *find(const char *name)
{
	for (size_t i = 0; i < nobservers; i++)
		if (!strcmp(observers[i].name, name))
			return &observers[i];
	fail_msg("no observer %s", name);
	return NULL;
}

/* Every figure has its unit and direction in the table of metrics. */
static void expect_known_metrics(const struct sample *s)
{
	size_t n, j;
	const struct metric *table = metric_table(&n);

	for (size_t i = 0; i < s->nmetrics; i++) {
		for (j = 0; j < n && strcmp(table[j].name, s->metrics[i].name); j++)
			;
		if (j == n)
			fail_msg("%s is no metric of the table", s->metrics[i].name);
	}
}

/* Figures of texts that are well-formed. */
static json_t *figures(
	const char *observer, const char *before, const char *after, struct sample *s)
{
	const struct observer *o = find(observer);
	struct error err;
	json_t *json = o->figures(o->name, before, after, s, &err);

	if (!json)
		fail_msg("%s", err.text);
	expect_known_metrics(s);
	return json;
}

static json_t *figures_of_files(
	const char *observer, const char *before, const char *after, struct sample *s)
{
	__free_char char *b = before ? data(before) : NULL, *a = data(after);

	return figures(observer, b, a, s);
}

static void expect_refused(
	const char *observer, const char *before, const char *after, const char *message)
{
	const struct observer *o = find(observer);
	struct sample s = {.ops = 1};
	struct error err = {0};

	if (o->figures(o->name, before, after, &s, &err))
		fail_msg("taken: %s", after);
	if (strncmp(err.text, message, strlen(message)))
		fail_msg("'%s', expected '%s'", err.text, message);
	assert_int_equal(err.status, KAB_USAGE);
	sample_clear(&s);
}

static void expect_metric(const struct sample *s, const char *name, double value)
{
	if (!(fabs(sample_metric(s, name) - value) < 1e-9))
		fail_msg("%s is %.9g, not %.9g", name, sample_metric(s, name), value);
}

static void expect_integer(const json_t *o, const char *key, json_int_t value)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) != value)
		fail_msg("%s is %lld, not %lld", key, (long long)json_integer_value(v),
			(long long)value);
}

static void test_table(void **state)
{
	unsigned bits = 0;

	(void)state;
	for (size_t i = 0; i < nobservers; i++) {
		assert_int_equal(bits & observers[i].bit, 0);
		bits |= observers[i].bit;
	}
	assert_int_equal(bits, OBSERVE_SCHEDSTAT | OBSERVE_PERF_STAT | OBSERVE_INTERRUPTS |
			OBSERVE_VMSTAT | OBSERVE_FUNCTIONS | OBSERVE_PERF_RECORD);
	assert_string_equal(find("schedstat")->path, "/proc/schedstat");
	assert_null(find("perf-stat")->path);
}

static void test_unavailable(void **state)
{
	(void)state;
	for (size_t i = 0; i < nobservers; i++) {
		struct sample s = {.ops = 10};
		json_t *o;

		if (!observers[i].figures) {
			assert_true(observers[i].bit & (OBSERVE_FUNCTIONS | OBSERVE_PERF_RECORD));
			continue;
		}
		o = figures(observers[i].name, NULL, NULL, &s);
		assert_true(json_is_string(json_object_get(o, "unavailable")));
		assert_int_equal(s.nmetrics, 0);
		json_decref(o);
		sample_clear(&s);
	}
}

static void test_schedstat(void **state)
{
	struct sample s = {.ops = 1000};
	json_t *o =
		figures_of_files("schedstat", "schedstat/6.1.before", "schedstat/6.1.after", &s);

	(void)state;
	expect_metric(&s, "ctx_switches_per_op", 1.728);
	expect_metric(&s, "wakeups_per_op", 1.384);
	expect_metric(&s, "remote_wakeups_per_op", 1.005);
	expect_metric(&s, "run_ns_per_op", 155290745.277);
	assert_true(isnan(sample_metric(&s, "vcpu_single_thread_share")));
	expect_integer(o, "version", 15);
	expect_integer(o, "sched_count", 2753);
	expect_integer(json_array_get(json_object_get(o, "domains"), 1), "ttwu_wake_remote", 37);
	json_decref(o);
	sample_clear(&s);
}

/* Without schedstats=enable, what was not counted is not given out as 0. */
static void test_schedstat_off(void **state)
{
	struct sample s = {.ops = 1000};
	json_t *o = figures_of_files(
		"schedstat", "schedstat/6.1-off.before", "schedstat/6.1-off.after", &s);

	(void)state;
	expect_metric(&s, "ctx_switches_per_op", 1.901);
	assert_true(isnan(sample_metric(&s, "wakeups_per_op")));
	assert_true(json_is_string(json_object_get(o, "off")));
	json_decref(o);
	sample_clear(&s);
}

static void test_schedstat_vcpu(void **state)
{
	struct sample s = {.ops = 10};
	json_t *o = figures("schedstat",
		"version 15\ntimestamp 1\ncpu0 0 0 1 1 1 1 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0\n",
		"version 15\ntimestamp 2\ncpu0 0 0 9 1 9 1 1 1 9 70 20 5 1 0 3 9 9 9 9 1 0\n", &s);

	(void)state;
	expect_metric(&s, "vcpu_single_thread_share", 0.70);
	expect_metric(&s, "vcpu_cache_hit_share", 0.05);
	expect_metric(&s, "vcpu_no_atomic_share", 0.95);
	json_decref(o);
	sample_clear(&s);
}

static void test_schedstat_malformed(void **state)
{
	static const char good[] = "version 15\ntimestamp 1\ncpu0 0 0 1 1 1 1 1 1 5\n";

	(void)state;
	expect_refused("schedstat", "version 9\n", good, "schedstat.before:1: schedstat version 9");
	expect_refused("schedstat", good, "version 15\ntimestamp 1\ncpu0 0\n",
		"schedstat.after:3: cpu0 has 1 columns");
	expect_refused("schedstat", good, "version 15\ntimestamp 1\ncpu0 0 0 1 1 1 1 1 1 4\n",
		"schedstat: cpu0: pcount went back from 5 to 4");
}

/* 300 munmaps, three other CPUs busy: three shootdowns each, and one more for the threads' own end.
 */
static void test_interrupts(void **state)
{
	struct sample s = {.ops = 300};
	json_t *o =
		figures_of_files("interrupts", "interrupts/6.1.before", "interrupts/6.1.after", &s);

	(void)state;
	expect_integer(o, "cpus", 4);
	assert_true(json_integer_value(json_object_get(o, "tlb_shootdowns")) >= 900);
	assert_true(json_integer_value(json_object_get(o, "tlb_shootdowns")) <= 915);
	expect_metric(&s, "tlb_shootdowns_per_op",
		json_integer_value(json_object_get(o, "tlb_shootdowns")) / 300.0);
	assert_null(json_object_get(o, "cpus_left_out"));
	json_decref(o);
	sample_clear(&s);
}

/* CPU 2 has gone, and the columns behind it moved up. */
static void test_interrupts_hotplug(void **state)
{
	struct sample s = {.ops = 1};
	json_t *o = figures_of_files(
		"interrupts", "interrupts/6.1.after", "interrupts/6.1.cpu2-off", &s);

	(void)state;
	expect_integer(o, "cpus", 3);
	expect_integer(o, "cpus_left_out", 1);
	expect_integer(o, "tlb_shootdowns", (93 - 3) + (565 - 304) + (549 - 304));
	expect_integer(o, "reschedule_ipis", (22 - 11) + (34 - 7) + (9 - 7));
	expect_integer(o, "call_function_ipis", (606 - 51) + (1095 - 348) + (1076 - 796));
	expect_metric(&s, "timer_interrupts_per_op", (1981 - 1087) + (1914 - 991));
	json_decref(o);
	sample_clear(&s);
}

static void test_interrupts_wrap_and_lack(void **state)
{
	struct sample s = {.ops = 0};
	json_t *o = figures("interrupts", " CPU0\nTLB: 4294967295\nERR: 0\n",
		" CPU0\nTLB: 4 TLB shootdowns\nERR: 0\n", &s);

	(void)state;
	expect_integer(o, "tlb_shootdowns", 5);
	assert_null(json_object_get(o, "reschedule_ipis"));
	assert_int_equal(s.nmetrics, 0); /* no operations, nothing an operation */
	json_decref(o);
}

static void test_interrupts_malformed(void **state)
{
	static const char good[] = " CPU0 CPU1\nTLB: 1 2\n";

	(void)state;
	expect_refused("interrupts", "", good, "interrupts.before:1: expected a header");
	expect_refused("interrupts", good, "TLB: 1 2\n", "interrupts.after:1: expected a header");
	expect_refused("interrupts", good, " CPU1 CPU0\n", "interrupts.after:1: expected a header");
	expect_refused("interrupts", good, " CPU0 CPU1\nTLB: 1 TLB shootdowns\n",
		"interrupts.after:2: TLB: expected 2 counts of 32 bits, found 1");
	expect_refused("interrupts", good, " CPU0 CPU1\nTLB: 1 2 3\n",
		"interrupts.after:2: TLB: more counts than");
	expect_refused("interrupts", good, " CPU0 CPU1\nTLB: 1 4294967296\n",
		"interrupts.after:2: TLB: expected 2");
	expect_refused("interrupts", good, " CPU0 CPU1\nTLB: 1 2\nTLB: 1 2\n",
		"interrupts.after:3: a second line TLB");
	expect_refused("interrupts", good, " CPU0 CPU1\nnonsense\n",
		"interrupts.after:2: expected a label and a colon");
	expect_refused("interrupts", good, " CPU0 CPU1\nTLB: 1 2",
		"interrupts.after:2: the capture ends inside a line");
}

static void test_vmstat(void **state)
{
	struct sample s = {.ops = 300};
	json_t *o = figures_of_files("vmstat", "vmstat/6.1.before", "vmstat/6.1.after", &s);

	(void)state;
	expect_integer(o, "pgfault", 651 - 30);
	expect_integer(o, "numa_hit", 2030 - 1356);
	assert_null(json_object_get(o, "nr_free_pages")); /* a gauge */
	assert_null(json_object_get(o, "pgmajfault"));	  /* did not move */
	expect_metric(&s, "page_faults_per_op", 621 / 300.0);
	assert_int_equal(s.nmetrics, 1); /* the rest is the workload's own to tell */
	json_decref(o);
	sample_clear(&s);
}

/* Looked-up vmas that were gone are among the aborted ones. */
static void test_vma_lock_share(void **state)
{
	struct sample s = {.ops = 10};
	json_t *o = figures("vmstat",
		"vma_lock_success 5\nvma_lock_abort 1\nvma_lock_retry 0\nvma_lock_miss 0\n",
		"vma_lock_success 101\nvma_lock_abort 4\nvma_lock_retry 1\nvma_lock_miss 2\n", &s);

	(void)state;
	expect_metric(&s, "vma_lock_share", 0.96);
	json_decref(o);
	sample_clear(&s);
}

static void test_vmstat_malformed(void **state)
{
	(void)state;
	expect_refused("vmstat", "pgfault 1\n", "pgfault\n",
		"vmstat.after:1: expected 'name value', found 'pgfault'");
	expect_refused(
		"vmstat", "pgfault 1\n", "pgfault 2 3\n", "vmstat.after:1: expected 'name value'");
	expect_refused(
		"vmstat", "pgfault -1\n", "pgfault 2\n", "vmstat.before:1: expected 'name value'");
	expect_refused("vmstat", "pgfault 1\n", "", "vmstat.after:1: the capture is empty");
	expect_refused("vmstat", "pgfault 1\n", "pgfault 2",
		"vmstat.after:1: the capture ends inside a line");
	expect_refused(
		"vmstat", "pgfault 5\n", "pgfault 4\n", "vmstat: pgfault went back from 5 to 4");
}

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

/* The line "# started on", values as strings, and what this machine cannot count. */
static void test_perf_with_o(void **state)
{
	struct sample s = {.ops = 10};
	json_t *o = figures_of_files("perf-stat", NULL, "perf/6.1-with-o.json", &s);

	(void)state;
	assert_true(fabs(number(o, "task-clock_msec") - 0.543395) < 1e-9);
	assert_true(number(o, "page-faults") == 50);
	assert_string_equal(json_string_value(json_object_get(o, "cycles")), "not supported");
	assert_string_equal(
		json_string_value(json_object_get(o, "branch-misses")), "not supported");
	assert_int_equal(s.nmetrics, 0);
	json_decref(o);
	sample_clear(&s);
}

static void test_perf_captures(void **state)
{
	struct sample s = {.ops = 10};
	json_t *o = figures_of_files("perf-stat", NULL, "perf/6.1-stderr.json", &s);

	(void)state;
	assert_true(number(o, "tlb:tlb_flush") == 13);
	json_decref(o);
	o = figures_of_files("perf-stat", NULL, "perf/6.1-null-unit.json", &s);
	assert_true(number(o, "duration_time_ns") == 1153168);
	assert_true(number(o, "page-faults:k") == 3);
	json_decref(o);
	o = figures_of_files("perf-stat", NULL, "perf/6.1-repeat.json", &s);
	assert_true(number(o, "page-faults") == 48);
	json_decref(o);
	sample_clear(&s);
}

/* What a machine with a PMU prints, and the oddities of which there is no capture. */
static void test_perf_oddities(void **state)
{
	static const char text[] =
		"{\"counter-value\" : \"5000.0\", \"unit\" : \"\", \"event\" : \"instructions:u\", "
		"\"metric-value\" : nan}\n"
		"{\"counter-value\" : \"9000.0\", \"unit\" : \"(null)\", \"event\" : \"cycles\", "
		"\"metric-value\" : -inf, "
		"\"metric-unit\" : \"(null)\"}\n"
		"{\"counter-value\" : \"(null)\", \"unit\" : \"\", \"event\" : \"branches\"}\n"
		"{\"counter-value\" : \"<not counted>\", \"unit\" : \"\", \"event\" : \"a \\\" : "
		"nan,\"}\n"
		"{\"metric-value\" : 1.5, \"metric-unit\" : \"insn per cycle\"}\n";
	struct sample s = {.ops = 10};
	json_t *o = figures("perf-stat", NULL, text, &s);

	(void)state;
	expect_metric(&s, "instructions_per_op", 500);
	expect_metric(&s, "cycles_per_op", 900);
	assert_true(number(o, "cycles") == 9000);
	assert_string_equal(json_string_value(json_object_get(o, "branches")), "no value");
	assert_int_equal(json_object_size(o), 4);
	json_decref(o);
	sample_clear(&s);
}

static void test_perf_malformed(void **state)
{
	(void)state;
	expect_refused("perf-stat", NULL, "", "perf-stat.json:1: no event");
	expect_refused("perf-stat", NULL, "# started on Sat\n\n", "perf-stat.json:2: no event");
	expect_refused("perf-stat", NULL, "# started\nWorkload failed: No such file\n",
		"perf-stat.json:2: expected a JSON object, found 'Workload failed");
	expect_refused("perf-stat", NULL, "[1]\n", "perf-stat.json:1: expected a JSON object");
	expect_refused("perf-stat", NULL, "{\"counter-value\" : \"1,5\", \"event\" : \"cycles\"}\n",
		"perf-stat.json:1: cycles: expected a number in \"counter-value\", found '1,5'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_unavailable),
		cmocka_unit_test(test_schedstat),
		cmocka_unit_test(test_schedstat_off),
		cmocka_unit_test(test_schedstat_vcpu),
		cmocka_unit_test(test_schedstat_malformed),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_interrupts_hotplug),
		cmocka_unit_test(test_interrupts_wrap_and_lack),
		cmocka_unit_test(test_interrupts_malformed),
		cmocka_unit_test(test_vmstat),
		cmocka_unit_test(test_vma_lock_share),
		cmocka_unit_test(test_vmstat_malformed),
		cmocka_unit_test(test_perf_with_o),
		cmocka_unit_test(test_perf_captures),
		cmocka_unit_test(test_perf_oddities),
		cmocka_unit_test(test_perf_malformed),
	};

	return cmocka_run_group_tests_name("observers", tests, NULL, NULL);
}
