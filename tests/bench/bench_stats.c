// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Time of the statistics of one comparison: what kab compare spends a row on. Fails when a
 * comparison of 10 blocks of 3 samples, with the number of blocks still needed, takes longer than
 * the limit: 1000 rows are to take a blink.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "stats.h"
#include "util.h"

#define ROUNDS 51
#define LIMIT_NS 1000000
#define LIMITED_BLOCKS 10

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double *draw_values(size_t n)
{
	double *v = xcalloc(n, sizeof(*v));
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);

	for (size_t i = 0; i < n; i++)
		v[i] = exp(gsl_ran_gaussian(r, 0.05));
	gsl_rng_free(r);
	return v;
}

static uint64_t time_one(const struct pair *pairs, size_t blocks)
{
	const struct stats_options opt = {.ratio = true, .alpha = 0.05, .comparisons = 20};
	uint64_t begin = now_ns();
	struct estimate e;

	stats_compare(pairs, blocks, &opt, &e);
	stats_blocks_needed(&e, 0.02, opt.alpha, opt.comparisons, true);
	return now_ns() - begin;
}

/* Median time of one comparison in ns. */
static uint64_t measure(size_t blocks, size_t samples)
{
	double *v = draw_values(2 * blocks * samples);
	struct pair *pairs = xcalloc(blocks, sizeof(*pairs));
	uint64_t ns[ROUNDS];

	for (size_t i = 0; i < blocks; i++)
		pairs[i] = (struct pair){
			.base = {.v = v + 2 * i * samples, .n = samples}, .arm = {.v = v + (2 * i + 1) * samples, .n = samples}};
	for (int i = 0; i < ROUNDS; i++)
		ns[i] = time_one(pairs, blocks);
	qsort(ns, ROUNDS, sizeof(*ns), by_value);
	free(pairs);
	free(v);
	return ns[ROUNDS / 2];
}

int main(void)
{
	static const struct {
		size_t blocks, samples;
	} sizes[] = {{5, 3}, {10, 3}, {20, 3}, {20, 30}, {100, 3}, {300, 3}, {1000, 3}};
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t ns = measure(sizes[i].blocks, sizes[i].samples);

		good &= sizes[i].blocks > LIMITED_BLOCKS || ns <= LIMIT_NS;
		printf("%4zu blocks of %2zu samples: %9.3f ms a comparison\n", sizes[i].blocks,
			sizes[i].samples, (double)ns / 1e6);
	}
	printf("limit: %.3f ms up to %d blocks\n", LIMIT_NS / 1e6, LIMITED_BLOCKS);
	return good ? 0 : 1;
}
