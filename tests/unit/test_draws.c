// SPDX-License-Identifier: GPL-2.0-or-later
/* Comparisons drawn from a pool of known truth, and the rules they are judged by. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "draws.h"
#include "synthetic.h"
#include "util.h"

static const char matrix[] =
	"arms: {stock: {}, patched: {series: x}}\nexecutor: {vm: {cpus: 2}}\nseed: 7\n"
	"aa: true\nblocks: 45\nsamples: 2\nwarmup: 0\n"
	"workloads: [{name: pipe}, {name: messaging}, {name: spawn, primary: false}]\n";

struct world {
	char *results, *path;
	struct store *run;
};

static int setup(void **state)
{
	static const struct synth_rule rules[] = {
		{NULL, NULL, "ops_per_s", 1000, .boot_sd = 0.01, .sample_sd = 0.01},
		{"patched", "pipe", "ops_per_s", 1100, .boot_sd = 0.01, .sample_sd = 0.01},
	};
	const struct synth s = {
		.matrix = matrix, .rules = rules, .nrules = 2, .drift_sd = 0.03, .seed = 5};
	struct world *w = xcalloc(1, sizeof(*w));
	struct error err;

	w->results = synth_results();
	w->path = synth_run(w->results, &s);
	w->run = store_open(w->path, false, NULL, &err);
	assert_non_null(w->run);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	store_close(w->run);
	assert_int_equal(dir_remove(w->results, NULL), 0);
	free(w->results);
	free(w->path);
	free(w);
	return 0;
}

static const struct draw_row *find(const struct draws *d, const char *cell, const char *arm)
{
	for (size_t i = 0; i < d->n; i++)
		if ((cell ? d->v[i].cell && !strcmp(d->v[i].cell, cell) : !d->v[i].cell) &&
			(arm ? d->v[i].arm && !strcmp(d->v[i].arm, arm) : !d->v[i].arm))
			return &d->v[i];
	fail_msg("no row %s %s", cell ? cell : "-", arm ? arm : "-");
	return NULL;
}

static void test_rates(void **state)
{
	const struct world *w = *state;
	const struct draw_row *r;
	struct error err;
	struct draws d;

	assert_int_equal(
		draws_make(w->run, &(struct draw_options){.draws = 50, .blocks = 10}, &d, &err), 0);
	assert_int_equal(d.n, 4 + 2); /* two cells, two arms; the controls' sum and the arm's */
	r = find(&d, "pipe", "patched");
	assert_false(r->control);
	assert_int_equal(r->disjoint, 4); /* of 45 blocks */
	assert_int_equal(r->draws, 52);	  /* thirteen dealings */
	assert_int_equal(r->changed, 52);
	assert_int_equal(r->wrong_way, 0);
	assert_true(fabs(r->effect - 1.1) < 0.01);
	/* All of four: 40-100 %. */
	assert_true(fabs(r->lo - 0.398) < 0.001 && r->hi == 1);
	r = find(&d, NULL, NULL);
	assert_true(r->control && isnan(r->effect));
	assert_int_equal(r->draws, 104);
	assert_int_equal(r->disjoint, 4); /* the two cells are of the same boots */
	assert_true(r->changed <= 10);
	assert_int_equal(find(&d, NULL, "patched")->draws, 104);
	draws_clear(&d);
}

/* A change made up in the data of two names for one kernel is found, and is no control. */
static void test_inject(void **state)
{
	const struct world *w = *state;
	const struct draw_row *r;
	struct error err;
	struct draws d;

	assert_int_equal(
		draws_make(w->run,
			&(struct draw_options){.draws = 40, .blocks = 10, .inject = 0.08}, &d, &err),
		0);
	r = find(&d, "messaging", "stock-again");
	assert_false(r->control);
	assert_true(fabs(r->effect - 1.08) < 0.01);
	assert_int_equal(r->changed, r->draws);
	assert_int_equal(r->wrong_way, 0);
	draws_clear(&d);
}

static void test_output(void **state)
{
	const struct world *w = *state;
	struct error err;
	struct draws d;
	json_t *o;

	assert_int_equal(
		draws_make(w->run, &(struct draw_options){.draws = 8, .blocks = 10}, &d, &err), 0);
	__free_char char *text = draws_table(&d);

	assert_non_null(strstr(text, "comparisons of 10 blocks, drawn"));
	assert_non_null(strstr(text, "all controls"));
	assert_non_null(strstr(text, "Mann-Whitney"));
	o = draws_to_json(&d);
	assert_int_equal(json_array_size(json_object_get(o, "rows")), d.n);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(o, "rows"), 0), "draws")),
		8);
	json_decref(o);
	draws_clear(&d);
}

static void test_too_few_blocks(void **state)
{
	const struct world *w = *state;
	struct error err;
	struct draws d;

	assert_int_equal(
		draws_make(w->run, &(struct draw_options){.draws = 8, .blocks = 46}, &d, &err), -1);
	assert_int_equal(err.status, KAB_USAGE);
	assert_non_null(strstr(err.text, "the 46 blocks of one comparison"));
	draws_clear(&d);
}

/* Each rule where it tells a difference, and where it does not. */
static void test_rules(void **state)
{
	static const struct {
		double a[4], b[4];
		int expected[RULES]; /* mean+-sigma, Welch, Mann-Whitney, range */
	} cases[] = {
		{{1, 2, 3, 4}, {11, 12, 13, 14}, {1, 1, 1, 1}},
		{{11, 12, 13, 14}, {1, 2, 3, 4}, {-1, -1, -1, -1}},
		{{1, 2, 3, 4}, {1.5, 2.5, 3.5, 3.9}, {0, 0, 0, 0}},
		/* Ranks and ranges differ, one far value spoils mean and sigma. */
		{{1, 2, 3, 4}, {5, 6, 7, 900}, {0, 0, 1, 1}},
		{{1, 1, 1, 1}, {2, 2, 2, 2}, {1, 1, 1, 1}},
		{{1, 1, 1, 1}, {1, 1, 1, 1}, {0, 0, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t k = 0; k < RULES; k++)
			assert_int_equal(
				rules[k].judge(cases[i].a, 4, cases[i].b, 4), cases[i].expected[k]);
}

/* A 32nd at either end does not count: one value in 64 for either side. */
static void test_range_is_trimmed(void **state)
{
	double a[64], b[64];

	(void)state;
	for (int i = 0; i < 64; i++) {
		a[i] = i;
		b[i] = 100 + i;
	}
	b[0] = b[1] = 5;
	assert_int_equal(rules[3].judge(a, 64, b, 64), 1);
	b[2] = 5;
	assert_int_equal(rules[3].judge(a, 64, b, 64), 0);
}

/* Ctrl-C ends what may take hours. */
static void test_interrupted(void **state)
{
	const struct world *w = *state;
	const struct draw_options opt = {.draws = 5, .blocks = 10, .alpha = 0.05, .threshold = 0.02};
	struct error err = {};
	struct draws d;

	kab_interrupted = 1;
	assert_int_equal(draws_make(w->run, &opt, &d, &err), -1);
	kab_interrupted = 0;
	assert_int_equal(err.status, KAB_INTERRUPTED);
	draws_clear(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inject, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_few_blocks, setup, teardown),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_range_is_trimmed),
		cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
	};

	return cmocka_run_group_tests_name("draws", tests, NULL, NULL);
}
