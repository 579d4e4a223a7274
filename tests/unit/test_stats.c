// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "rank.h"
#include "simulate.h"
#include "stats.h"
#include "util.h"

#define near(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))

static const struct stats_options ratio = {.ratio = true, .alpha = 0.05};
static const struct stats_options difference = {.alpha = 0.05};

/* Blocks of one sample a side. */
static int compare_singles(const double *base, const double *arm, size_t n,
	const struct stats_options *opt, struct estimate *e)
{
	struct pair pairs[n];

	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct pair){{.v = &base[i], .n = 1}, {.v = &arm[i], .n = 1}};
	return stats_compare(pairs, n, opt, e);
}

/* The statistic of the signed-rank test, by its definition: larger magnitudes share the middle
 * rank. */
static double signed_rank_sum(const double *d, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		double rank = 0.5;

		for (size_t j = 0; j < n; j++)
			rank += fabs(d[j]) < fabs(d[i]) ? 1 : fabs(d[j]) == fabs(d[i]) ? 0.5 : 0;
		rank = fmin(rank, (n + 1) / 2.0);
		sum += d[i] > 0 ? rank : d[i] < 0 ? -rank : 0;
	}
	return sum;
}

/* Every exchange of the two sides within blocks, one by one. */
static double signed_p_by_hand(const double *d, size_t n)
{
	double observed = fabs(signed_rank_sum(d, n)), flipped[n];
	size_t extreme = 0;

	for (size_t mask = 0; mask < (size_t)1 << n; mask++) {
		for (size_t i = 0; i < n; i++)
			flipped[i] = mask >> i & 1 ? -d[i] : d[i];
		extreme += fabs(signed_rank_sum(flipped, n)) >= observed - 1e-9;
	}
	return extreme / (double)((size_t)1 << n);
}

static void test_signed_rank_is_all_exchanges(void **state)
{
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t n = 1 + gsl_rng_uniform_int(r, 9);
		double d[9];

		/* Whole numbers near 0: ties and zeros in plenty. */
		for (size_t i = 0; i < n; i++)
			d[i] = (double)gsl_rng_uniform_int(r, 9) - 3;
		near(rank_signed_p(d, n), signed_p_by_hand(d, n), 1e-12);
	}
	gsl_rng_free(r);
}

static void test_signed_rank_of_darwins_maize(void **state)
{
	/* Charles Darwin's 15 pairs of plants. Two far ones that disagree no longer outweigh the
	 * others. */
	static const double d[] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
	double p = rank_signed_p(d, ARRAY_SIZE(d));

	(void)state;
	near(p, signed_p_by_hand(d, ARRAY_SIZE(d)), 1e-12);
	assert_true(p < 0.04126); /* Wilcoxon's */
}

static double rank_sum(const double *all, size_t n, size_t mask)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (!(mask >> i & 1))
			continue;
		sum += 0.5;
		for (size_t j = 0; j < n; j++)
			sum += all[j] < all[i] ? 1 : all[j] == all[i] ? 0.5 : 0;
	}
	return sum;
}

/* Every choice of @na of the values, one by one. */
static double sum_p_by_hand(const double *all, size_t na, size_t n)
{
	double observed = rank_sum(all, n, ((size_t)1 << na) - 1);
	size_t ways = 0, below = 0, above = 0;

	for (size_t mask = 0; mask < (size_t)1 << n; mask++) {
		double sum;

		if ((size_t)__builtin_popcountl(mask) != na)
			continue;
		sum = rank_sum(all, n, mask);
		ways++;
		below += sum <= observed + 1e-9;
		above += sum >= observed - 1e-9;
	}
	return fmin(1, 2.0 * (below < above ? below : above) / ways);
}

static void test_rank_sum_is_all_deals(void **state)
{
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t na = 1 + gsl_rng_uniform_int(r, 5), nb = 1 + gsl_rng_uniform_int(r, 5);
		double all[10];

		for (size_t i = 0; i < na + nb; i++)
			all[i] = (double)gsl_rng_uniform_int(r, 7);
		near(rank_sum_p(all, na, all + na, nb), sum_p_by_hand(all, na, na + nb), 1e-9);
	}
	gsl_rng_free(r);
}

static void test_critical_indices_are_the_tables(void **state)
{
	/* Two-sided 5 % points as printed in tables. */
	static const struct {
		size_t na, nb;
		long k;
	} mann_whitney[] = {{3, 3, -1}, {4, 4, 0}, {5, 5, 2}, {3, 5, 0}, {8, 8, 13}, {10, 10, 23},
		{20, 20, 127}};
	double attained;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mann_whitney); i++)
		assert_int_equal(
			rank_sum_k(mann_whitney[i].na, mann_whitney[i].nb, 0.05, &attained),
			mann_whitney[i].k);
	assert_int_equal(rank_signed_reach(5, 0.05, &attained), -1);
	assert_int_equal(rank_signed_reach(6, 0.05, &attained), 0);
	near(attained, 2.0 / 64, 1e-15);
}

/* What lies inside the interval is not rejected, what lies outside is. */
static void test_signed_interval_inverts_the_test(void **state)
{
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t n = 6 + gsl_rng_uniform_int(r, 30);
		double base[36] = {}, arm[36], moved[36];
		const double eps = 1e-9;
		struct estimate e;

		for (size_t i = 0; i < n; i++)
			arm[i] = gsl_ran_tdist(r, 2);
		compare_singles(base, arm, n, &difference, &e);
		for (int side = -1; side <= 1; side += 2) {
			double end = side < 0 ? e.lo : e.hi;

			for (size_t i = 0; i < n; i++)
				moved[i] = arm[i] - end - side * eps;
			assert_true(rank_signed_p(moved, n) <= 0.05);
			for (size_t i = 0; i < n; i++)
				moved[i] = arm[i] - end + side * eps;
			assert_true(rank_signed_p(moved, n) > 0.05);
		}
		assert_true(e.lo <= e.effect && e.effect <= e.hi);
	}
	gsl_rng_free(r);
}

/* Where the exact distribution ends and its limit begins, nothing jumps. */
static void test_limits_join_exact_distributions(void **state)
{
	double d[301], a[31], b[31], p300, p301, attained;

	(void)state;
	for (int i = 0; i < 300; i++)
		d[i] = (i % 16 < 9 ? 1 : -1) * (1 + i * 37 % 300);
	d[300] = 0.5; /* the least of all hardly moves p */
	p300 = rank_signed_p(d, 300);
	p301 = rank_signed_p(d, 301);
	assert_true(p300 > 0.001 && p300 < 0.5);
	near(p301 / p300, 1, 0.05);
	assert_int_equal(rank_signed_reach(301, 0.05, &attained), 0);
	near(attained, 0.05, 1e-12);
	for (int i = 0; i < 31; i++) {
		a[i] = i * 7 % 31;
		b[i] = i * 7 % 31 + 4.5;
	}
	near(rank_sum_p(a, 31, b, 31), rank_sum_p(a, 30, b, 30), 0.02);
	near(rank_sum_k(31, 31, 0.05, &attained) / (31.0 * 31),
		rank_sum_k(30, 30, 0.05, &attained) / (30.0 * 30), 0.005);
}

static void test_effect_is_hodges_lehmann(void **state)
{
	static const double base[] = {0, 0, 0}, arm[] = {1, 2, 10};
	struct estimate e;

	(void)state;
	/* Walsh averages 1, 1.5, 2, 5.5, 6, 10. */
	assert_int_equal(compare_singles(base, arm, 3, &difference, &e), 0);
	near(e.effect, 3.75, 1e-12);
	near(e.p, 0.25, 1e-12);
	near(e.p_floor, 0.25, 1e-12);
	assert_int_equal(e.blocks, 3);
	assert_int_equal(e.samples, 6);
	assert_true(e.paired);
}

static void test_pairing_removes_what_both_share(void **state)
{
	double base[8], arm[8];
	struct estimate e;

	(void)state;
	for (int i = 0; i < 8; i++) {
		base[i] = 100 * exp(i);
		arm[i] = 110 * exp(i);
	}
	assert_int_equal(compare_singles(base, arm, 8, &ratio, &e), 0);
	near(e.effect, 1.1, 1e-9);
	near(e.lo, 1.1, 1e-9);
	near(e.hi, 1.1, 1e-9);
	near(e.p, 2.0 / 256, 1e-12);
}

static void test_equal_constants_are_exactly_no_effect(void **state)
{
	static const double zero[6], seven[6] = {7, 7, 7, 7, 7, 7};
	struct estimate e;

	(void)state;
	assert_int_equal(compare_singles(zero, zero, 6, &difference, &e), 0);
	assert_true(e.effect == 0 && e.lo == 0 && e.hi == 0 && e.p == 1 && e.constant);
	assert_true(e.boot_sd == 0 && e.detectable == 0);
	assert_int_equal(compare_singles(seven, seven, 6, &ratio, &e), 0);
	assert_true(e.effect == 1 && e.lo == 1 && e.hi == 1 && e.p == 1 && e.constant);
	/* And where blocks are too few for ranks. */
	assert_int_equal(compare_singles(seven, seven, 2, &ratio, &e), 0);
	assert_true(e.effect == 1 && e.lo == 1 && e.hi == 1 && e.p == 1);
}

static void test_different_constants_have_the_smallest_p(void **state)
{
	static const double three[10] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3}, zero[10];
	struct estimate e;

	(void)state;
	assert_int_equal(compare_singles(three, zero, 10, &difference, &e), 0);
	assert_true(e.effect == -3 && e.lo == -3 && e.hi == -3 && e.constant);
	near(e.p, 2.0 / 1024, 1e-15);
	assert_true(e.p == e.p_floor);
}

static void test_one_block_has_no_interval(void **state)
{
	static const double base[] = {10, 11, 12}, arm[] = {20, 21, 22};
	const struct pair one = {{.v = base, .n = 3}, {.v = arm, .n = 3}};
	struct estimate e;

	(void)state;
	assert_int_equal(stats_compare(&one, 1, &difference, &e), 0);
	near(e.effect, 10, 1e-12);
	assert_true(isnan(e.lo) && isnan(e.hi) && isnan(e.boot_sd) && isnan(e.detectable));
	assert_true(e.p == 1 && e.p_floor == 1);
	assert_int_equal(stats_blocks_needed(&e, 1, 0.05, 1, false), 0);
}

static void test_what_cannot_be_estimated_is_refused(void **state)
{
	static const double good[] = {1, 2, 3}, zero[] = {1, 0, 3}, hole[] = {1, NAN, 3};
	const struct pair empty = {{.v = good, .n = 0}, {.v = good, .n = 3}};
	const struct group side = {.v = good, .n = 3}, bad = {.v = zero, .n = 3};
	struct estimate e;

	(void)state;
	assert_int_equal(stats_compare(NULL, 0, &ratio, &e), -1);
	assert_int_equal(stats_compare(&empty, 1, &ratio, &e), -1);
	assert_int_equal(compare_singles(good, zero, 3, &ratio, &e), -1);
	assert_int_equal(compare_singles(zero, good, 3, &ratio, &e), -1);
	assert_int_equal(compare_singles(good, zero, 3, &difference, &e), 0);
	assert_int_equal(compare_singles(good, hole, 3, &difference, &e), -1);
	assert_int_equal(stats_compare_unpaired(&side, 1, &bad, 1, &ratio, &e), -1);
	assert_int_equal(stats_compare_unpaired(&bad, 1, &side, 1, &ratio, &e), -1);
	assert_int_equal(stats_compare_unpaired(&side, 1, NULL, 0, &ratio, &e), -1);
}

/* One that is fast in its first two turns and one that came for the last two of these and two more. */
static void test_turns_in_common_are_compared(void **state)
{
	static const double base[] = {10, 10, 5, 5}, arm[] = {4.75, 4.75, 4.75, 4.75};
	static const unsigned first[] = {1, 2, 3, 4}, later[] = {3, 4, 5, 6}, last[] = {4, 5, 6, 7}, alone[] = {3, 0, 0, 0};
	struct pair p = {{.v = base, .turn = first, .n = 4}, {.v = arm, .turn = later, .n = 4}};
	struct estimate e;
	double d[4];

	(void)state;
	assert_int_equal(stats_compare(&p, 1, &ratio, &e), 0);
	near(e.effect, 0.95, 1e-12);
	assert_int_equal(e.samples, 8);
	assert_int_equal(stats_turn_shifts(&p, d), 2);
	near(d[0], log(0.95), 1e-12);
	/* One of these two was taken alone, in a later life of its machine. */
	p.arm.turn = alone;
	assert_int_equal(stats_turn_shifts(&p, d), 0);
	/* Less than half in common, and none known. */
	p.arm.turn = last;
	assert_int_equal(stats_compare(&p, 1, &ratio, &e), 0);
	near(e.effect, 0.95 / sqrt(2), 1e-12);
	assert_int_equal(stats_turn_shifts(&p, d), 0);
	p.arm.turn = NULL;
	assert_int_equal(stats_compare(&p, 1, &ratio, &e), 0);
	near(e.effect, 0.95 / sqrt(2), 1e-12);
}

static void test_blocks_with_one_side_are_left_out(void **state)
{
	static const double base[] = {1, 2, 3}, arm[] = {2, 3, 100};
	const struct pair pairs[] = {{{.v = base, .n = 1}, {.v = arm, .n = 1}},
		{{.v = base + 1, .n = 1}, {.v = arm + 1, .n = 1}},
		{{.v = base + 2, .n = 0}, {.v = arm + 2, .n = 1}}};
	struct estimate e;

	(void)state;
	assert_int_equal(stats_compare(pairs, 3, &difference, &e), 0);
	assert_int_equal(e.blocks, 2);
	near(e.effect, 1, 1e-12);
	near(e.arm_median, 2.5, 1e-12);
}

static void test_interval_and_p_agree(void **state)
{
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);
	unsigned above = 0, below = 0;

	(void)state;
	for (int round = 0; round < 500; round++) {
		size_t n = 6 + gsl_rng_uniform_int(r, 10);
		double base[15] = {}, arm[15];
		struct estimate e;

		for (size_t i = 0; i < n; i++)
			arm[i] = gsl_ran_gaussian(r, 1) + (round % 2 ? 0.5 : -0.5);
		assert_int_equal(compare_singles(base, arm, n, &difference, &e), 0);
		assert_int_equal(e.p <= 0.05, e.lo > 0 || e.hi < 0);
		assert_true(e.lo <= e.effect && e.effect <= e.hi);
		above += e.lo > 0;
		below += e.hi < 0;
	}
	assert_in_range(above, 25, 225);
	assert_in_range(below, 25, 225);
	gsl_rng_free(r);
}

static void test_unpaired_interval_and_p_agree(void **state)
{
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);
	unsigned above = 0, below = 0;

	(void)state;
	for (int round = 0; round < 500; round++) {
		size_t na = 4 + gsl_rng_uniform_int(r, 6), nb = 4 + gsl_rng_uniform_int(r, 6);
		struct group a[10], b[10];
		double va[10], vb[10];
		struct estimate e;

		for (size_t i = 0; i < na; i++) {
			va[i] = gsl_ran_gaussian(r, 1);
			a[i] = (struct group){.v = &va[i], .n = 1};
		}
		for (size_t i = 0; i < nb; i++) {
			vb[i] = gsl_ran_gaussian(r, 1) + (round % 2 ? 1 : -1);
			b[i] = (struct group){.v = &vb[i], .n = 1};
		}
		assert_int_equal(stats_compare_unpaired(a, na, b, nb, &difference, &e), 0);
		assert_false(e.paired);
		assert_int_equal(e.blocks, na < nb ? na : nb);
		assert_int_equal(e.p <= 0.05 + 1e-12, e.lo > 0 || e.hi < 0);
		above += e.lo > 0;
		below += e.hi < 0;
	}
	assert_in_range(above, 25, 225);
	assert_in_range(below, 25, 225);
	gsl_rng_free(r);
}

static void test_outliers_are_kept_and_counted(void **state)
{
	double base[10], arm[10];
	struct estimate e;

	(void)state;
	for (int i = 0; i < 10; i++) {
		base[i] = 100 + i;
		arm[i] = 100 + i;
	}
	base[4] = 1000;
	assert_int_equal(compare_singles(base, arm, 10, &ratio, &e), 0);
	assert_int_equal(e.outliers, 1);
	assert_int_equal(e.base_outliers, 1);
	assert_int_equal(e.samples, 20);
	near(e.effect, 1, 1e-9);
}

static void test_detectable_effect_is_found_four_times_in_five(void **state)
{
	static const struct {
		unsigned blocks, comparisons;
	} cases[] = {{8, 1}, {10, 1}, {10, 20}, {13, 20}, {20, 20}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_model m = {
			.blocks = cases[i].blocks,
			.samples = 3,
			.boot_sd = 0.04,
			.sample_sd = 0.04,
			.comparisons = cases[i].comparisons,
		};
		struct sim_result r;

		simulate(&m, 300, 1, &r);
		m.effect = r.detectable;
		simulate(&m, 600, 2, &r);
		if (r.changed < 0.70 || r.changed > 0.90)
			fail_msg("%u blocks, %u comparisons: %.3f of %.3f %% were found",
				cases[i].blocks, cases[i].comparisons, r.changed, m.effect * 100);
	}
}

static void test_below_the_floor_nothing_is_detectable(void **state)
{
	static const double base[] = {10, 10.1, 10.2, 10.3, 10.4},
			    arm[] = {12, 12.3, 12.1, 12, 12.2};
	struct estimate e;

	(void)state;
	assert_int_equal(compare_singles(base, arm, 5, &ratio, &e), 0);
	assert_true(isinf(e.detectable));
	assert_true(e.p_floor > 0.05);
	assert_true(isfinite(e.lo) && e.lo > 1);
	near(stats_p_floor(5, true), 2.0 / 32, 1e-15);
	near(stats_p_floor(4, false), 2.0 / 70, 1e-12);
	assert_true(stats_p_floor(1, true) == 1 && stats_p_floor(0, false) == 1);
}

static void test_blocks_needed_suffice_and_are_fewest(void **state)
{
	const struct estimate e = {.boot_sd = 0.05, .paired = true};
	unsigned five = stats_blocks_needed(&e, 0.05, 0.05, 1, true);
	unsigned one = stats_blocks_needed(&e, 0.01, 0.05, 1, true);
	unsigned many = stats_blocks_needed(&e, 0.05, 0.05, 20, true);
	struct sim_model m = {.samples = 1, .boot_sd = 0.05 / sqrt(2), .effect = 0.05};
	struct sim_result r;

	(void)state;
	assert_true(many > five && one > 15 * five && one < 40 * five);
	m.blocks = five;
	simulate(&m, 800, 3, &r);
	assert_true(r.changed > 0.72);
	m.blocks = five - 2;
	simulate(&m, 800, 4, &r);
	assert_true(r.changed < 0.80);
	/* Never fewer than what the floor wants, even without any spread. */
	assert_int_equal(
		stats_blocks_needed(&(struct estimate){.paired = true}, 0.01, 0.05, 20, true), 10);
	assert_int_equal(stats_blocks_needed(&e, 1e-6, 0.05, 1, true), 0);
	assert_int_equal(stats_blocks_needed(&e, 0, 0.05, 1, true), 0);
}

static void test_holm_steps_down(void **state)
{
	double p[] = {0.01, 0.04, NAN, 0.03, 0.005}, one = 0.2, large[] = {0.6, 0.9};

	(void)state;
	stats_holm(p, 5);
	near(p[0], 0.03, 1e-12);
	near(p[1], 0.06, 1e-12);
	assert_true(isnan(p[2]));
	near(p[3], 0.06, 1e-12);
	near(p[4], 0.02, 1e-12);
	stats_holm(&one, 1);
	near(one, 0.2, 1e-15);
	stats_holm(large, 2);
	assert_true(large[0] == 1 && large[1] == 1);
	stats_holm(NULL, 0);
}

static void test_bh_steps_up(void **state)
{
	double p[] = {0.01, 0.04, NAN, 0.03, 0.005}, tail[] = {0.9, 0.02, 0.02};

	(void)state;
	stats_bh(p, 5);
	near(p[0], 0.02, 1e-12);
	near(p[1], 0.04, 1e-12);
	assert_true(isnan(p[2]));
	near(p[3], 0.04, 1e-12);
	near(p[4], 0.02, 1e-12);
	stats_bh(tail, 3);
	near(tail[0], 0.9, 1e-12);
	near(tail[1], 0.03, 1e-12);
	near(tail[2], 0.03, 1e-12);
}

static void test_drift_inside_a_boot(void **state)
{
	static const double up[] = {1, 2, 3, 5, 8}, flat[] = {4, 4, 4, 4}, two[] = {1, 2};
	static const double noise[] = {3, 1, 4, 2, 5, 3.5, 1.5, 4.5, 2.5, 3.2};
	double p, down[20];

	(void)state;
	near(stats_drift(up, 5, &p), 1, 1e-12);
	near(p, 2.0 / 120, 1e-12);
	assert_true(stats_drift(flat, 4, &p) == 0 && p == 1);
	assert_true(stats_drift(two, 2, &p) == 0 && p == 1);
	for (int i = 0; i < 20; i++)
		down[i] = -i;
	near(stats_drift(down, 20, &p), -1, 1e-12);
	assert_true(p < 1e-10);
	stats_drift(noise, 10, &p);
	assert_true(p > 0.3);
}

static void test_proportion_is_clopper_pearson(void **state)
{
	double lo, hi;

	(void)state;
	stats_proportion(0, 10, 0.05, &lo, &hi);
	assert_true(lo == 0);
	near(hi, 0.3085, 0.0001);
	stats_proportion(10, 10, 0.05, &lo, &hi);
	near(lo, 0.6915, 0.0001);
	assert_true(hi == 1);
	stats_proportion(5, 10, 0.05, &lo, &hi);
	near(lo, 0.1871, 0.0001);
	near(hi, 0.8129, 0.0001);
	stats_proportion(0, 0, 0.05, &lo, &hi);
	assert_true(lo == 0 && hi == 1);
	/* Parts of one: between what whole numbers give, from end to end. */
	for (double k = 0; k <= 2; k += 0.01) {
		double below, above, unused;

		stats_proportion(k, 2, 0.05, &lo, &hi);
		stats_proportion(floor(k), 2, 0.05, &below, &unused);
		stats_proportion(ceil(k), 2, 0.05, &unused, &above);
		assert_true(lo >= below && hi <= above && lo <= k / 2 && hi >= k / 2);
	}
}

/*
 * The small form of tests/bench/sim_verdicts.c. 1000 experiments with a fixed seed: a share of 95 %
 * has a standard error of 0.7 points.
 */
static void test_simulated_coverage_and_false_positives(void **state)
{
	static const struct sim_model models[] = {
		{.blocks = 3, .samples = 3, .boot_sd = 0.04, .sample_sd = 0.04, .drift_sd = 0.05},
		{.blocks = 5, .samples = 3, .boot_sd = 0.04, .sample_sd = 0.04, .drift_sd = 0.05},
		{.blocks = 8, .samples = 3, .boot_sd = 0.04, .sample_sd = 0.04, .drift_sd = 0.05},
		{.blocks = 10,
			.samples = 3,
			.boot_sd = 0.04,
			.sample_sd = 0.04,
			.drift_sd = 0.05,
			.effect = 0.1},
		{.blocks = 20, .samples = 3, .boot_sd = 0.04, .sample_sd = 0.04, .drift_sd = 0.05},
		{.blocks = 5,
			.samples = 3,
			.boot_sd = 0.02,
			.sample_sd = 0.04,
			.shape = SHAPE_BIMODAL},
		{.blocks = 10,
			.samples = 3,
			.boot_sd = 0.02,
			.sample_sd = 0.04,
			.shape = SHAPE_BIMODAL},
		{.blocks = 10,
			.samples = 3,
			.boot_sd = 0.04,
			.sample_sd = 0.04,
			.shape = SHAPE_HEAVY},
		{.blocks = 3, .samples = 3, .boot_sd = 0.04, .sample_sd = 0.04, .unpaired = true},
		{.blocks = 8, .samples = 3, .boot_sd = 0.04, .sample_sd = 0.04, .unpaired = true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		struct sim_result r;

		simulate(&models[i], 1000, 100 + i, &r);
		if (r.covered < 0.93 || (models[i].effect == 0 && r.below_alpha > 0.065))
			fail_msg("model %zu: covered %.3f, p < 0.05 in %.3f", i, r.covered,
				r.below_alpha);
		assert_true(r.covered < 0.985);
	}
}

static void test_simulated_power(void **state)
{
	struct sim_model m = {
		.samples = 3, .boot_sd = 0.04, .sample_sd = 0.04, .drift_sd = 0.05, .blocks = 20};
	struct sim_result r;

	(void)state;
	m.effect = 0.1;
	simulate(&m, 500, 5, &r);
	assert_true(r.changed > 0.97 && r.wrong_way == 0);
	m.effect = -0.1;
	simulate(&m, 500, 6, &r);
	assert_true(r.changed > 0.97 && r.wrong_way == 0);
	m.effect = 0.05;
	simulate(&m, 500, 7, &r);
	assert_true(r.changed > 0.75 && r.changed < 0.95);
	/* A quiet machine proves sameness, also of a true change that is too small to matter. */
	m = (struct sim_model){
		.blocks = 10, .samples = 3, .boot_sd = 0.004, .sample_sd = 0.004, .effect = 0.008};
	simulate(&m, 500, 8, &r);
	assert_true(r.below_alpha > 0.8 && r.same > 0.95);
	/* Five blocks never call a change, however large: their smallest p is 0.0625. */
	m = (struct sim_model){
		.blocks = 5, .samples = 3, .boot_sd = 0.004, .sample_sd = 0.004, .effect = 0.5};
	simulate(&m, 100, 9, &r);
	assert_true(r.changed == 0 && r.unclear == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signed_rank_is_all_exchanges),
		cmocka_unit_test(test_signed_rank_of_darwins_maize),
		cmocka_unit_test(test_rank_sum_is_all_deals),
		cmocka_unit_test(test_critical_indices_are_the_tables),
		cmocka_unit_test(test_signed_interval_inverts_the_test),
		cmocka_unit_test(test_limits_join_exact_distributions),
		cmocka_unit_test(test_effect_is_hodges_lehmann),
		cmocka_unit_test(test_pairing_removes_what_both_share),
		cmocka_unit_test(test_equal_constants_are_exactly_no_effect),
		cmocka_unit_test(test_different_constants_have_the_smallest_p),
		cmocka_unit_test(test_one_block_has_no_interval),
		cmocka_unit_test(test_what_cannot_be_estimated_is_refused),
		cmocka_unit_test(test_turns_in_common_are_compared),
		cmocka_unit_test(test_blocks_with_one_side_are_left_out),
		cmocka_unit_test(test_interval_and_p_agree),
		cmocka_unit_test(test_unpaired_interval_and_p_agree),
		cmocka_unit_test(test_outliers_are_kept_and_counted),
		cmocka_unit_test(test_detectable_effect_is_found_four_times_in_five),
		cmocka_unit_test(test_below_the_floor_nothing_is_detectable),
		cmocka_unit_test(test_blocks_needed_suffice_and_are_fewest),
		cmocka_unit_test(test_holm_steps_down),
		cmocka_unit_test(test_bh_steps_up),
		cmocka_unit_test(test_drift_inside_a_boot),
		cmocka_unit_test(test_proportion_is_clopper_pearson),
		cmocka_unit_test(test_simulated_coverage_and_false_positives),
		cmocka_unit_test(test_simulated_power),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
