// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "metric.h"

static void test_table_is_sound(void **state)
{
	size_t n;
	const struct metric *table = metric_table(&n);

	(void)state;
	assert_true(n > 20);
	for (size_t i = 0; i < n; i++) {
		assert_true(*table[i].name && *table[i].unit && *table[i].title);
		/* What is tested for a verdict of better or worse says which is which, and no name
		 * stands twice. */
		if (table[i].primary)
			assert_int_not_equal(table[i].better, BETTER_NONE);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(table[i].name, table[j].name);
	}
}

static void test_known_metrics_have_their_properties(void **state)
{
	struct metric rate = metric_find("ops_per_s"), tail = metric_find("latency_p99_ns");
	struct metric flushes = metric_find("tlb_shootdowns_per_op");

	(void)state;
	assert_true(rate.primary && rate.scale == SCALE_RATIO && rate.better == BETTER_MORE);
	assert_true(!tail.primary && tail.scale == SCALE_RATIO && tail.better == BETTER_LESS);
	assert_true(!flushes.primary && flushes.scale == SCALE_DIFFERENCE &&
		    flushes.better == BETTER_LESS);
	assert_int_equal(metric_find("vcpu_single_thread_share").scale, SCALE_PATCHED_ONLY);
}

static void test_unknown_metric_is_neutral(void **state)
{
	const char name[] = "nobody_knows_it";
	struct metric m = metric_find(name);

	(void)state;
	assert_ptr_equal(m.name, name);
	assert_true(m.better == BETTER_NONE && m.scale == SCALE_DIFFERENCE && !m.primary);
	assert_string_equal(m.unit, "");
}

static void test_definition_is_copied(void **state)
{
	char name[] = "marks_per_s", unit[] = "marks/s";
	struct metric m;

	(void)state;
	metric_define(&(struct metric){name, unit, NULL, BETTER_MORE, SCALE_RATIO, true, false});
	memset(unit, 'x', sizeof(unit) - 1);
	name[0] = 'x';
	m = metric_find("marks_per_s");
	assert_string_equal(m.unit, "marks/s");
	assert_string_equal(m.title, "marks_per_s");
	assert_true(m.primary && m.scale == SCALE_RATIO);
}

static void test_last_definition_wins_over_table_and_earlier(void **state)
{
	(void)state;
	metric_define(
		&(struct metric){"elapsed_ns", "ns", "how long", BETTER_LESS, SCALE_RATIO, true, false});
	assert_true(metric_find("elapsed_ns").primary);
	metric_define(
		&(struct metric){"elapsed_ns", "ns", "how long", BETTER_MORE, SCALE_RATIO, false, false});
	assert_false(metric_find("elapsed_ns").primary);
	assert_int_equal(metric_find("elapsed_ns").better, BETTER_MORE);
}

static void test_same_definition_again_changes_nothing(void **state)
{
	const struct metric m = {"again", "1", "again", BETTER_LESS, SCALE_RATIO, true, false};
	const char *first;

	(void)state;
	metric_define(&m);
	first = metric_find("again").name;
	metric_define(&m);
	assert_ptr_equal(metric_find("again").name, first);
}

static void test_neutral_definition_of_new_name_is_kept(void **state)
{
	(void)state;
	/* The same as what an unknown name gets, but its strings must outlive the caller's. */
	char name[] = "neutral_one";
	metric_define(&(struct metric){name, "", name, BETTER_NONE, SCALE_DIFFERENCE, false, false});
	assert_ptr_not_equal(metric_find("neutral_one").name, name);
	assert_string_equal(metric_find("neutral_one").name, "neutral_one");
}

static void test_floor_follows_unit(void **state)
{
	struct metric count = metric_find("ctx_switches_per_op"),
		      time = metric_find("user_ns_per_op");
	struct metric share = metric_find("fairness");

	(void)state;
	assert_true(metric_floor(&count) == 0.001);
	assert_true(metric_floor(&share) == 0.001);
	assert_true(metric_floor(&time) == 0);
}

/* Whatever the name says: recycles an operation would be events. */
static void test_instructions_and_cycles_are_no_events(void **state)
{
	static const char *const no_events[] = {"kernel_instructions_per_op", "user_instructions_per_op",
		"instructions_per_op", "cycles_per_op", "ops_per_s", "run_ns_per_op", "vma_lock_share", "nobody_knows_it"};

	(void)state;
	for (size_t i = 0; i < sizeof(no_events) / sizeof(*no_events); i++)
		assert_false(metric_find(no_events[i]).counts_events);
	assert_true(metric_find("page_faults_per_op").counts_events);
	assert_true(metric_find("tlb_shootdowns_per_op").counts_events);
	metric_define(&(struct metric){"recycles_per_op", "1/op", NULL, BETTER_LESS, SCALE_DIFFERENCE, false, true});
	assert_true(metric_find("recycles_per_op").counts_events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_sound),
		cmocka_unit_test(test_known_metrics_have_their_properties),
		cmocka_unit_test(test_unknown_metric_is_neutral),
		cmocka_unit_test(test_definition_is_copied),
		cmocka_unit_test(test_last_definition_wins_over_table_and_earlier),
		cmocka_unit_test(test_same_definition_again_changes_nothing),
		cmocka_unit_test(test_neutral_definition_of_new_name_is_kept),
		cmocka_unit_test(test_floor_follows_unit),
		cmocka_unit_test(test_instructions_and_cycles_are_no_events),
	};

	return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}
