// SPDX-License-Identifier: GPL-2.0-or-later
/* The bucket rule that workloads and runner share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "histogram.h"

/* Numbers that stand in result files must never change their meaning. */
static void test_known_values_have_their_buckets(void **state)
{
	static const struct {
		uint64_t value;
		unsigned index;
	} known[] = {
		{0, 0},
		{1, 1},
		{15, 15},
		{16, 16},
		{31, 31},
		{32, 32},
		{33, 32},
		{34, 33},
		{63, 47},
		{64, 48},
		{1000, 111},
		{1023, 111},
		{1024, 112},
		{1000000, 270},
		{UINT64_MAX, HIST_BUCKETS - 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_int_equal(hist_index(known[i].value), known[i].index);
}

static void test_buckets_cover_all_values_without_gap_or_overlap(void **state)
{
	(void)state;
	assert_int_equal(hist_low(0), 0);
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		assert_int_equal(hist_index(hist_low(i)), i);
		assert_int_equal(hist_index(hist_high(i)), i);
		if (i + 1 < HIST_BUCKETS)
			assert_true(hist_low(i + 1) == hist_high(i) + 1);
	}
	assert_true(hist_high(HIST_BUCKETS - 1) == UINT64_MAX);
}

static void test_a_bucket_is_at_most_a_sixteenth_of_its_lower_bound_wide(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		uint64_t low = hist_low(i), width = hist_high(i) - low + 1;

		if (i < HIST_SUB)
			assert_int_equal(width, 1);
		else
			assert_true(width <= low / 16);
		assert_true(hist_value(i) >= low && hist_value(i) <= hist_high(i));
		assert_true(hist_value(i) - low <= width / 2);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Against the exact answer from sorted values, which span all magnitudes. */
static void test_percentiles_are_within_a_thirtysecond(void **state)
{
	static const double points[] = {0, 0.01, 0.5, 0.9, 0.99, 0.999, 1};
	enum { N = 5000 };
	uint64_t bucket[HIST_BUCKETS] = {0}, *value = calloc(N, sizeof(*value));

	(void)state;
	srandom(42);
	for (unsigned i = 0; i < N; i++) {
		value[i] = (uint64_t)random() >> (random() % 31);
		bucket[hist_index(value[i])]++;
	}
	qsort(value, N, sizeof(*value), by_value);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		double rank = points[i] * N;
		unsigned at = rank > (unsigned)rank ? (unsigned)rank
			      : rank		    ? (unsigned)rank - 1
						    : 0;
		uint64_t got =
			hist_percentile(bucket, HIST_BUCKETS, value[0], value[N - 1], points[i]);
		uint64_t off = got > value[at] ? got - value[at] : value[at] - got;

		assert_true(off <= value[at] / 32);
	}
	free(value);
}

static void test_percentiles_at_the_edges(void **state)
{
	uint64_t bucket[HIST_BUCKETS] = {0};

	(void)state;
	assert_int_equal(hist_percentile(bucket, HIST_BUCKETS, 0, 0, 0.5), 0);

	bucket[hist_index(1001)] = 1;
	assert_int_equal(hist_percentile(bucket, HIST_BUCKETS, 1001, 1001, 0), 1001);
	assert_int_equal(hist_percentile(bucket, HIST_BUCKETS, 1001, 1001, 1), 1001);

	/* One in a thousand is slow: it is the p99.9's neighbour, and the maximum. */
	bucket[hist_index(1001)] = 999;
	bucket[hist_index(70000)] = 1;
	assert_int_equal(hist_percentile(bucket, HIST_BUCKETS, 1001, 70000, 0.999), 1007);
	assert_int_equal(hist_percentile(bucket, HIST_BUCKETS, 1001, 70000, 0.9991), 70000);
	assert_int_equal(hist_percentile(bucket, HIST_BUCKETS, 1001, 70000, 1), 70000);
}

static void test_merging_adds_counts(void **state)
{
	uint64_t a[HIST_BUCKETS] = {0}, b[HIST_BUCKETS] = {0};

	(void)state;
	a[3] = 5;
	b[3] = 2;
	b[HIST_BUCKETS - 1] = 7;
	hist_merge(a, b, HIST_BUCKETS);
	assert_int_equal(a[3], 7);
	assert_int_equal(a[HIST_BUCKETS - 1], 7);
	assert_int_equal(hist_count(a, HIST_BUCKETS), 14);
	assert_int_equal(hist_count(b, HIST_BUCKETS), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_values_have_their_buckets),
		cmocka_unit_test(test_buckets_cover_all_values_without_gap_or_overlap),
		cmocka_unit_test(test_a_bucket_is_at_most_a_sixteenth_of_its_lower_bound_wide),
		cmocka_unit_test(test_percentiles_are_within_a_thirtysecond),
		cmocka_unit_test(test_percentiles_at_the_edges),
		cmocka_unit_test(test_merging_adds_counts),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
