// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * False positives and power of kab's rules and of others, on the same data. A row is 10,000
 * comparisons with a known truth; boots and samples vary as measured under TCG unless it says
 * otherwise (boots by 2.5 %, the three samples of each by 4.5 %, the machine drifts by 3 % from
 * block to block). "Changed" is p < 0.05 and nothing else: no threshold below which a change is
 * called the same.
 *
 *   kab       20 blocks, paired signed-rank test
 *   adaptive  looks after 10, 15, 23 and 35 blocks of at most 40, stops at the first change; alpha
 * is spent over the looks peeking   the same looks, stops at the first p < 0.05: what the levels of
 * the looks are for bootstrap 20 blocks, percentile interval of blocks resampled, and samples in
 * them (of the first 1000 comparisons) others    see runner/rules.h, on all samples of the 20
 * blocks
 *
 * Exits 1 if kab or adaptive is wrong in more than 5.5 % of the comparisons of a kernel with itself
 * (the standard error is 0.2), or if adaptive misses more than a twentieth of what the fixed 20
 * blocks find.
 */
#include <stdio.h>
#include <stdlib.h>

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>

/* Programs in this folder are linked with the runner alone; the unit tests share the file. */
#include "simulate.c"

#include "looks.h"
#include "rules.h"

#define COMPARISONS 10000
#define BOOTSTRAPPED 1000
#define RESAMPLES 400
#define FIXED 20
#define MAX_BLOCKS 40
#define SAMPLES 3

static const unsigned looks[] = {10, 15, 23, 35, MAX_BLOCKS};

struct scenario {
	const char *name;
	struct sim_model model;
	bool turns;
};

#define MODEL(boot, sample, drift, ...)                                                         \
	{                                                                                       \
		.blocks = MAX_BLOCKS, .samples = SAMPLES, .boot_sd = boot, .sample_sd = sample, \
		.drift_sd = drift, __VA_ARGS__                                                  \
	}
#define TCG(...) MODEL(0.025, 0.045, 0.03, __VA_ARGS__)

static const struct scenario scenarios[] = {
	{"null", TCG(.effect = 0), false},
	{"null, heavy tails", TCG(.shape = SHAPE_HEAVY), false},
	{"null, bimodal boots", TCG(.shape = SHAPE_BIMODAL), false},
	{"null, disturbed boots", TCG(.shape = SHAPE_DISTURBED), false},
	{"null, boots vary by 6 %", MODEL(0.06, 0.045, 0.03, .effect = 0), false},
	{"null, drift of 10 %", MODEL(0.025, 0.045, 0.10, .effect = 0), false},
	{"null, in turns", TCG(.effect = 0), true},
	{"1 %", TCG(.effect = 0.01), false},
	{"2 %", TCG(.effect = 0.02), false},
	{"5 %", TCG(.effect = 0.05), false},
	{"5 %, in turns", TCG(.effect = 0.05), true},
	{"1 %, quiet machine", MODEL(0.005, 0.01, 0.005, .effect = 0.01), false},
	{"2 %, heavy tails", TCG(.effect = 0.02, .shape = SHAPE_HEAVY), false},
	{"5 %, heavy tails", TCG(.effect = 0.05, .shape = SHAPE_HEAVY), false},
	{"5 %, bimodal boots", TCG(.effect = 0.05, .shape = SHAPE_BIMODAL), false},
	{"5 %, disturbed boots", TCG(.effect = 0.05, .shape = SHAPE_DISTURBED), false},
	{"5 %, boots vary by 6 %", MODEL(0.06, 0.045, 0.03, .effect = 0.05), false},
	{"2 %, drift of 10 %", MODEL(0.025, 0.045, 0.10, .effect = 0.02), false},
	{"5 %, drift of 10 %", MODEL(0.025, 0.045, 0.10, .effect = 0.05), false},
};

/* Of the comparisons of one scenario: how many were called a change. */
struct counts {
	unsigned kab, adaptive, peeking, bootstrap, rules[RULES];
	double blocks; /* sum of what adaptive used */
};

/* All blocks of one comparison. */
struct data {
	double values[2 * MAX_BLOCKS * SAMPLES];
	struct pair pairs[MAX_BLOCKS];
};

/* A machine of two speeds, one twice the other. Both arms meet the same in a turn, but for one sample in eight. */
static void take_turns(gsl_rng *r, struct pair *p)
{
	static const unsigned turn[] = {1, 2, 3};

	for (unsigned k = 0; k < SAMPLES; k++) {
		bool slow = gsl_rng_uniform(r) < 0.5;

		((double *)p->base.v)[k] *= slow ^ (gsl_rng_uniform(r) < 0.125) ? 1 : 2;
		((double *)p->arm.v)[k] *= slow ^ (gsl_rng_uniform(r) < 0.125) ? 1 : 2;
	}
	p->base.turn = p->arm.turn = turn;
}

static void draw_data(gsl_rng *r, const struct scenario *s, struct data *d)
{
	const struct sim_model *m = &s->model;
	double drift = 0, *values = d->values;

	for (unsigned i = 0; i < MAX_BLOCKS; i++, values += 2 * SAMPLES) {
		drift += gsl_ran_gaussian(r, m->drift_sd);
		d->pairs[i].base = draw_group(r, m, drift, values);
		d->pairs[i].arm = draw_group(r, m, drift + log1p(m->effect), values + SAMPLES);
		if (s->turns)
			take_turns(r, &d->pairs[i]);
	}
}

static const struct stats_options options = {.ratio = true, .alpha = ALPHA};

static void judge_adaptive(const struct data *d, struct looks *l, struct counts *n)
{
	unsigned number[MAX_BLOCKS];
	bool decided = false, peeked = false;

	for (unsigned i = 0; i < MAX_BLOCKS; i++)
		number[i] = i;
	for (size_t i = 0; i < ARRAY_SIZE(looks) && !(decided && peeked); i++) {
		struct estimate e;

		stats_compare(d->pairs, looks[i], &options, &e);
		peeked |= e.p < ALPHA;
		if (decided)
			continue;
		looks_compare(l, d->pairs, number, looks[i], &options, &e);
		decided = e.p < ALPHA;
		n->blocks += decided || looks[i] == MAX_BLOCKS ? looks[i] : 0;
	}
	n->adaptive += decided;
	n->peeking += peeked;
}

static void judge_rules(const struct data *d, struct counts *n)
{
	double a[FIXED * SAMPLES], b[FIXED * SAMPLES];

	for (size_t i = 0; i < FIXED; i++) {
		memcpy(a + i * SAMPLES, d->pairs[i].base.v, SAMPLES * sizeof(*a));
		memcpy(b + i * SAMPLES, d->pairs[i].arm.v, SAMPLES * sizeof(*b));
	}
	for (size_t i = 0; i < RULES; i++)
		n->rules[i] += rules[i].judge(a, ARRAY_SIZE(a), b, ARRAY_SIZE(b)) != 0;
}

static double resampled_log_mean(gsl_rng *r, const struct group *g)
{
	double sum = 0;

	for (size_t i = 0; i < g->n; i++)
		sum += g->v[gsl_rng_uniform_int(r, g->n)];
	return log(sum / g->n);
}

static void judge_bootstrap(const struct data *d, gsl_rng *r, struct counts *n)
{
	double shift[RESAMPLES];

	for (size_t i = 0; i < RESAMPLES; i++) {
		double sum = 0;

		for (size_t k = 0; k < FIXED; k++) {
			const struct pair *p = &d->pairs[gsl_rng_uniform_int(r, FIXED)];

			sum += resampled_log_mean(r, &p->arm) - resampled_log_mean(r, &p->base);
		}
		shift[i] = sum;
	}
	gsl_sort(shift, 1, RESAMPLES);
	n->bootstrap += gsl_stats_quantile_from_sorted_data(shift, 1, RESAMPLES, 0.025) > 0 ||
			gsl_stats_quantile_from_sorted_data(shift, 1, RESAMPLES, 0.975) < 0;
}

static bool report(const struct scenario *s, const struct counts *n)
{
	const double share = 100.0 / COMPARISONS;
	bool null = s->model.effect == 0, good;

	good = null ? share * n->kab <= 5.5 && share * n->adaptive <= 5.5
		    : n->adaptive >= 0.95 * n->kab;
	printf("%-24s %5.1f %9.1f %7.1f %8.1f %10.1f", s->name, share * n->kab, share * n->adaptive,
		n->blocks / COMPARISONS, share * n->peeking, 100.0 / BOOTSTRAPPED * n->bootstrap);
	for (size_t i = 0; i < RULES; i++)
		printf(" %12.1f", share * n->rules[i]);
	printf("%s\n", good ? "" : "  <- out of bounds");
	return good;
}

static bool simulate_scenario(
	const struct scenario *s, struct looks *l, gsl_rng *r, gsl_rng *resample)
{
	struct counts n = {};
	struct estimate e;
	struct data d;

	for (unsigned i = 0; i < COMPARISONS; i++) {
		draw_data(r, s, &d);
		stats_compare(d.pairs, FIXED, &options, &e);
		n.kab += e.p < ALPHA;
		judge_adaptive(&d, l, &n);
		judge_rules(&d, &n);
		if (i < BOOTSTRAPPED)
			judge_bootstrap(&d, resample, &n);
	}
	return report(s, &n);
}

int main(void)
{
	struct looks *l = looks_new(looks, ARRAY_SIZE(looks), MAX_BLOCKS);
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937), *resample = gsl_rng_alloc(gsl_rng_mt19937);
	bool good = true;

	printf("called a change, %% of %d\n%-24s %5s %9s %7s %8s %10s", COMPARISONS, "truth", "kab",
		"adaptive", "blocks", "peeking", "bootstrap");
	for (size_t i = 0; i < RULES; i++)
		printf(" %12s", rules[i].name);
	printf("\n");
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		good &= simulate_scenario(&scenarios[i], l, r, resample);
	gsl_rng_free(r);
	gsl_rng_free(resample);
	looks_free(l);
	return good ? 0 : 1;
}
