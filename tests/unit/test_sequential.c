// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "looks.h"
#include "rank.h"
#include "sequential.h"
#include "util.h"

#define near(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))

/* One look is no different from a test that looks once. */
static void test_one_look(void **state)
{
	struct sequential *s = sequential_new((double[]){1}, 1);
	static const double p[] = {0.4, 0.05, 0.012, 1e-6, 1e-12};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		near(sequential_level(s, 0, p[i]), p[i], 1e-6 * p[i]);
		near(sequential_p(s, &p[i], 1), p[i], 1e-6 * p[i]);
	}
	near(sequential_p(s, (double[]){0.7}, 1), 1, 0);
	sequential_free(s);
}

/*
 * Five looks at equal steps, alpha 0.05: the boundaries of the linear spending function as Lan and
 * DeMets (1983) and the standard programs give them.
 */
static void test_known_boundaries(void **state)
{
	static const double z[] = {2.576, 2.491, 2.414, 2.346, 2.286};
	struct sequential *s = sequential_new((double[]){0.2, 0.4, 0.6, 0.8, 1}, 5);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(z); i++)
		near(gsl_cdf_ugaussian_Qinv(sequential_level(s, i, 0.05) / 2), z[i], 0.02);
	sequential_free(s);
}

/* Of Brownian motions with no effect, alpha are rejected by some look, whatever the looks. */
static void test_simulated_motions(void **state)
{
	static const double alphas[] = {0.2, 0.05, 0.01};
	static const double looks[][6] = {
		{0.25, 0.375, 0.575, 0.875, 1}, {0.1, 0.11, 0.5, 0.9, 0.95, 1}};
	static const size_t n[] = {5, 6};
	const unsigned rounds = 100000;
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);

	(void)state;
	for (size_t set = 0; set < 2; set++) {
		struct sequential *s = sequential_new(looks[set], n[set]);
		unsigned rejected[3] = {};

		for (unsigned i = 0; i < rounds; i++) {
			double b = 0, t = 0, p[6];

			for (size_t k = 0; k < n[set]; k++) {
				b += gsl_ran_gaussian(r, sqrt(looks[set][k] - t));
				t = looks[set][k];
				p[k] = 2 * gsl_cdf_ugaussian_Q(fabs(b) / sqrt(t));
			}
			for (size_t a = 0; a < 3; a++)
				rejected[a] += sequential_p(s, p, n[set]) < alphas[a];
		}
		/* Four standard errors. */
		for (size_t a = 0; a < 3; a++)
			near(rejected[a] / (double)rounds, alphas[a],
				4 * sqrt(alphas[a] * (1 - alphas[a]) / rounds));
		sequential_free(s);
	}
	gsl_rng_free(r);
}

/* A sequential p is small where some look's is below that look's level, and at no other. */
static void test_p_and_level_agree(void **state)
{
	struct sequential *s = sequential_new((double[]){0.3, 0.6, 1}, 3);

	(void)state;
	for (double alpha = 0.3; alpha > 1e-7; alpha *= 0.37) {
		for (size_t k = 0; k < 3; k++) {
			double p[3] = {1, 1, 1};

			p[k] = sequential_level(s, k, alpha);
			near(sequential_p(s, p, 3), alpha, 1e-9 * alpha + 1e-15);
			/* A look that is still to come does not count. */
			near(sequential_p(s, p, k), 1, 0);
		}
		assert_true(sequential_level(s, 2, alpha) < alpha);
	}
	sequential_free(s);
}

/* Rows of one run, by blocks: which looks they went through, and that their intervals are wider for
 * it. */
static void test_looks_compare(void **state)
{
	const struct stats_options opt = {.alpha = 0.05};
	static const unsigned looked[] = {10, 15, 23};
	struct looks *l = looks_new(looked, 3, 40);
	struct estimate fixed, e;
	struct pair pairs[23];
	unsigned number[23];
	double base[23] = {}, arm[23];

	(void)state;
	for (unsigned i = 0; i < 23; i++) {
		/* An effect in the first ten blocks alone. */
		arm[i] = (i < 10 ? 1 : 0) + 0.01 * (i + 1) * (i % 2 ? 1 : -1);
		pairs[i] = (struct pair){{.v = &base[i], .n = 1}, {.v = &arm[i], .n = 1}};
		number[i] = i;
	}
	assert_int_equal(looks_compare(l, pairs, number, 10, &opt, &e), 0);
	stats_compare(pairs, 10, &opt, &fixed);
	assert_true(e.p > fixed.p && e.p < 0.05);
	assert_true(e.p_floor > fixed.p_floor);
	assert_true(e.lo <= fixed.lo && e.hi >= fixed.hi);
	near(e.effect, fixed.effect, 0);

	/* What the first look rejected stays rejected, though the estimate moves on. */
	assert_int_equal(looks_compare(l, pairs, number, 23, &opt, &e), 0);
	assert_int_equal(e.blocks, 23);
	assert_true(e.p < 0.05);
	assert_true(e.effect < fixed.effect && e.lo < fixed.lo);
	looks_free(l);

	/* A block that lacks a side is none of the ten. */
	l = looks_new(looked, 3, 40);
	number[9] = 10;
	assert_int_equal(looks_compare(l, pairs, number, 10, &opt, &e), 0);
	assert_true(e.p >= fixed.p);
	looks_free(l);
}

static void test_looks_of_run(void **state)
{
	json_t *run = json_loads("{\"plan\": {\"looks\": [10, 15], \"max_blocks\": 30}}", 0, NULL),
	       *plain = json_loads("{\"plan\": {\"blocks\": 10}}", 0, NULL);
	struct looks *l = looks_of_run(run);

	(void)state;
	assert_non_null(l);
	looks_free(l);
	assert_null(looks_of_run(plain));
	json_decref(run);
	json_decref(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_look),
		cmocka_unit_test(test_known_boundaries),
		cmocka_unit_test(test_simulated_motions),
		cmocka_unit_test(test_p_and_level_agree),
		cmocka_unit_test(test_looks_compare),
		cmocka_unit_test(test_looks_of_run),
	};

	return cmocka_run_group_tests_name("sequential", tests, NULL, NULL);
}
