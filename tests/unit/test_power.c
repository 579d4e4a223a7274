// SPDX-License-Identifier: GPL-2.0-or-later
/* What an earlier run says of how many blocks another matrix needs. */
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

#include "power.h"
#include "run.h"
#include "stats.h"
#include "synthetic.h"
#include "util.h"

#define BOOT_SD 0.03
#define SAMPLE_SD 0.05

#define HEAD \
	"arms: {stock: {}, patched: {series: x}}\nexecutor: {vm: {cpus: 2}}\nseed: 7\nwarmup: 0\n"
static const char earlier[] = HEAD
	"blocks: 200\nsamples: 3\n"
	"workloads: [{name: pipe}, {name: make, command: make, figure: {regex: '([0-9]+)', name: "
	"files, unit: files, better: more}}]\n";
/* Other blocks and samples, a cell that the earlier run lacks, and one that is not primary. */
static const char wanted[] =
	HEAD "blocks: 10\nsamples: 12\n"
	     "workloads: [{name: pipe}, {name: spawn}, {name: 'null', primary: false}, {name: "
	     "make, command: "
	     "make, figure: {regex: '([0-9]+)', name: files, unit: files, better: more}}]\n";

struct world {
	char *results, *path;
	struct store *run;
	struct matrix *m;
	struct plan *plan;
};

static int setup(void **state)
{
	static const struct synth_rule rules[] = {
		{NULL, "pipe", "ops_per_s", 1000, .boot_sd = BOOT_SD, .sample_sd = SAMPLE_SD},
		{NULL, "make", "files", 500, .boot_sd = BOOT_SD, .sample_sd = SAMPLE_SD},
	};
	const struct synth s = {
		.matrix = earlier, .rules = rules, .nrules = 2, .drift_sd = 0.05, .seed = 5};
	struct world *w = xcalloc(1, sizeof(*w));
	struct error err;

	w->results = synth_results();
	w->path = synth_run(w->results, &s);
	w->run = store_open(w->path, false, NULL, &err);
	w->m = matrix_parse("wanted.yaml", wanted, &err);
	w->plan = plan_make(w->m, NULL, &err);
	assert_true(w->run && w->plan);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	store_close(w->run);
	plan_free(w->plan);
	matrix_free(w->m);
	assert_int_equal(dir_remove(w->results, NULL), 0);
	free(w->results);
	free(w->path);
	free(w);
	return 0;
}

static void test_variances_are_taken_apart(void **state)
{
	const struct world *w = *state;
	/* Twelve samples in each boot instead of three, and twice the boots' variance in a block.
	 */
	const double sd = sqrt(2 * (BOOT_SD * BOOT_SD + SAMPLE_SD * SAMPLE_SD / 12));
	const struct estimate e = {.paired = true, .boot_sd = sd};
	struct error err;
	struct power p;

	assert_int_equal(power_make(w->plan, w->run, 0, &p, &err), 0);
	assert_int_equal(p.n, 3);
	assert_string_equal(p.v[0].cell, "pipe");
	assert_true(fabs(p.v[0].block_sd / sd - 1) < 0.15);
	for (size_t i = 0; i < p.neffects; i++) {
		double blocks = stats_blocks_needed(&e, p.effects[i], 0.05, 3, true);

		assert_true(fabs(p.v[0].blocks[i] / blocks - 1) < 0.35);
		/* The largest of all cells. */
		assert_true(p.blocks[i] >= p.v[0].blocks[i] && p.blocks[i] >= p.v[2].blocks[i]);
	}
	assert_true(p.v[0].blocks[0] > p.v[0].blocks[1]);
	assert_true(p.v[0].visible > 0.03 && p.v[0].visible < 0.10);
	/* A cell that nothing is known of holds nothing up. */
	assert_string_equal(p.v[1].cell, "spawn");
	assert_true(isnan(p.v[1].block_sd));
	assert_true(p.blocks[2] > 0);
	assert_int_equal(p.from_blocks, 200);
	assert_true(p.at_most == power_at_most(200));
	/* The figure of another program as well. */
	assert_true(p.v[2].visible > 0.03 && p.v[2].visible < 0.12);
	power_clear(&p);
}

/* Of @runs runs of @blocks normal blocks, the share whose estimate, times at_most, is not below the truth. */
static double coverage(size_t blocks, unsigned runs, gsl_rng *r)
{
	struct pair *p = xcalloc(blocks, sizeof(*p));
	double *v = xcalloc(blocks, sizeof(*v));
	static const double one[] = {0};
	unsigned held = 0;

	for (unsigned k = 0; k < runs; k++) {
		struct estimate e;

		for (size_t i = 0; i < blocks; i++) {
			v[i] = gsl_ran_gaussian(r, 1);
			p[i] = (struct pair){{.v = one, .n = 1}, {.v = &v[i], .n = 1}};
		}
		assert_int_equal(stats_compare(p, blocks, &(struct stats_options){.alpha = 0.05}, &e), 0);
		held += e.boot_sd * e.boot_sd * power_at_most(blocks) >= 1;
	}
	free(v);
	free(p);
	return (double)held / runs;
}

static void test_what_blocks_tell_of_a_variance(void **state)
{
	static const size_t blocks[] = {8, 15, 20, 40, 80};
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		double share = coverage(blocks[i], 2000, r);

		if (share < 0.93 || share > 0.985)
			fail_msg("%zu blocks: %.3f", blocks[i], share);
	}
	gsl_rng_free(r);
	assert_true(isinf(power_at_most(1)));
}

#define TURNS_SD 0.02

/* @samples: of the earlier run; what it tells of blocks with @turns. */
static double told_by(unsigned samples, bool together, unsigned turns)
{
	__free_char char *text = xasprintf(HEAD "blocks: 60\nsamples: %u\n%sworkloads: [{name: pipe}]\n", samples,
		together ? "together: true\n" : "");
	static const struct synth_rule rule = {NULL, "pipe", "ops_per_s", 1000, .boot_sd = 0.01, .sample_sd = TURNS_SD};
	const struct synth s = {.matrix = text, .rules = &rule, .nrules = 1, .slow_turns = 0.7, .seed = 9};
	__free_char char *results = synth_results(), *path = synth_run(results, &s);
	struct error err = {};
	struct store *run = store_open(path, false, NULL, &err);
	__free_char char *planned =
		xasprintf(HEAD "blocks: 10\nsamples: %u\ntogether: true\nworkloads: [{name: pipe}]\n", turns);
	struct matrix *m = matrix_parse("wanted.yaml", planned, &err);
	struct plan *plan = plan_make(m, NULL, &err);
	struct power p;
	double sd = NAN;

	if (power_make(plan, run, 0, &p, &err)) {
		assert_int_equal(err.status, KAB_USAGE);
		assert_non_null(strstr(err.text, "together: true"));
	} else {
		sd = p.v[0].block_sd;
	}
	power_clear(&p);
	plan_free(plan);
	matrix_free(m);
	store_close(run);
	dir_remove(results, NULL);
	return sd;
}

/* On a machine of two speeds; the boots vary by 1.4 % from each other, a turn by 2.8 %. */
static void test_turns(void **state)
{
	double few = told_by(6, true, 10), same = told_by(10, true, 10), many = told_by(60, true, 10);

	(void)state;
	if (!(few > 0.014 && few < 0.03 && same > 0.014 && same < 0.03 && many > 0.014 && many < 0.03))
		fail_msg("%g %g %g", few, same, many);
	/* More turns tell more, whatever the earlier run had of them. */
	if (!(few < 0.95 * told_by(6, true, 6) && many > 1.1 * told_by(60, true, 60)))
		fail_msg("%g of %g, %g of %g", few, told_by(6, true, 6), many, told_by(60, true, 60));
	/* Of boots that were not up together nothing follows for turns. */
	assert_true(isnan(told_by(10, false, 10)));
}

/* How long blocks take goes by what the earlier run took, as a multiple of what would have been told of it. */
static void test_pace_of_the_earlier_run(void **state)
{
	const struct world *w = *state;
	struct plan *plan = plan_make(store_matrix(w->run), NULL, NULL);
	json_int_t twice = (json_int_t)(2e9 * run_estimate_s(plan));
	struct error err;
	struct power p;

	assert_int_equal(power_make(w->plan, w->run, 0, &p, &err), 0);
	assert_true(p.pace == 1);
	power_clear(&p);
	json_object_set_new((json_t *)store_run(w->run), "overhead", json_pack("{s:I}", "wall_ns", twice));
	assert_int_equal(power_make(w->plan, w->run, 0, &p, &err), 0);
	assert_true(fabs(p.pace - 2) < 1e-6);
	power_clear(&p);
	plan_free(plan);
}

static void test_output(void **state)
{
	const struct world *w = *state;
	struct error err;
	struct power p;
	json_t *o;

	assert_int_equal(power_make(w->plan, w->run, 0.03, &p, &err), 0);
	assert_int_equal(p.neffects, 1);
	__free_char char *text = power_table(&p, w->plan);
	__free_char char *sum =
		xasprintf("3 %% in every cell: %u blocks, %u boots", p.blocks[0], 2 * p.blocks[0]);

	assert_non_null(strstr(text, sum));
	assert_non_null(strstr(text, "spawn  not in that run"));
	__free_char char *doubt = xasprintf("%zu blocks told the variance", p.from_blocks);
	assert_non_null(strstr(text, doubt));
	o = power_to_json(&p, w->plan);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(o, "effects"), 0), "boots")),
		2 * p.blocks[0]);
	assert_true(json_is_null(
		json_object_get(json_array_get(json_object_get(o, "cells"), 1), "block_sd")));
	json_decref(o);
	/* Where nothing boots. */
	enum executor_kind kind = w->m->executor;
	w->m->executor = EXECUTOR_LOCAL;
	__free_char char *local = power_table(&p, w->plan);
	w->m->executor = kind;
	assert_non_null(strstr(local, " visits, about "));
	power_clear(&p);
}

static void test_nothing_in_common(void **state)
{
	const struct world *w = *state;
	struct error err;
	struct matrix *m = matrix_parse("other.yaml", HEAD "workloads: [{name: spawn}]\n", &err);
	struct plan *plan = plan_make(m, NULL, &err);
	struct power p;

	assert_int_equal(power_make(plan, w->run, 0, &p, &err), -1);
	assert_int_equal(err.status, KAB_USAGE);
	assert_non_null(strstr(err.text, "of no cell of this matrix"));
	power_clear(&p);
	plan_free(plan);
	matrix_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_variances_are_taken_apart, setup, teardown),
		cmocka_unit_test(test_what_blocks_tell_of_a_variance),
		cmocka_unit_test(test_turns),
		cmocka_unit_test_setup_teardown(test_pace_of_the_earlier_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_in_common, setup, teardown),
	};

	return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
