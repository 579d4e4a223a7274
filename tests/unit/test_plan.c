// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "matrix.h"
#include "plan.h"
#include "util.h"

struct planned {
	struct matrix *m;
	struct plan *p;
};

static struct planned make(const char *text, const struct plan_options *opt)
{
	struct planned r;
	struct error err;

	r.m = matrix_parse("m.yaml", text, &err);
	if (!r.m)
		fail_msg("%s", err.text);
	r.p = plan_make(r.m, opt, &err);
	if (!r.p)
		fail_msg("%s", err.text);
	return r;
}

static void drop(struct planned *r)
{
	plan_free(r->p);
	matrix_free(r->m);
}

static const char machines[] =
	"arms: {stock: {}, patched: {series: x}, off: {series: x, params: {pipe: {pin: none}}}}\n"
	"executor: {vm: {cpus: [2, 4], nodes: [1, 2]}}\n"
	"blocks: 4\n"
	"samples: 3\n"
	"warmup: 2\n"
	"seed: 7\n"
	"workloads:\n"
	"  - {name: pipe, mode: [process, thread], pin: spread, duration: 1s}\n"
	"  - {name: 'null', primary: false}\n";

static bool has_cell(const struct plan *p, const char *id)
{
	for (size_t i = 0; i < p->ncells; i++)
		if (!strcmp(p->cells[i].id, id))
			return true;
	return false;
}

static void test_cells(void **state)
{
	struct planned r = make(machines, NULL);

	(void)state;
	assert_int_equal(r.p->ncells, 3 * 4);
	assert_true(has_cell(r.p, "pipe/mode=process/cpus=2/nodes=1"));
	assert_true(has_cell(r.p, "null/cpus=4/nodes=2"));
	assert_string_equal(params_get(&r.p->cells[0].params, "mode"), "process");
	assert_string_equal(params_get(&r.p->cells[0].params, "pin"), "spread");
	assert_string_equal(params_get(&r.p->cells[0].params, "duration"), "1s");
	assert_int_equal(plan_primary_comparisons(r.p),
		2 * 4 * 2); /* null is not primary; two arms beside stock */
	drop(&r);
}

/* The id says no more than tells cells apart, and nothing that an arm overrides. */
static void test_cell_ids(void **state)
{
	struct planned r = make("arms: {a: {}, b: {params: {localcpu: {flag: off}}}}\n"
				"workloads:\n"
				"  - {name: localcpu, flag: on, threads: 3}\n"
				"  - {name: pipe, mode: process, pin: none}\n"
				"  - {name: pipe, mode: thread}\n"
				"  - {name: messaging, mode: [thread, process], groups: [1, 4]}\n",
		NULL);

	(void)state;
	assert_true(has_cell(r.p, "localcpu"));
	assert_true(has_cell(r.p, "pipe/mode=process/pin=none"));
	assert_true(has_cell(r.p, "pipe/mode=thread"));
	assert_true(has_cell(r.p, "messaging/groups=4/mode=process"));
	assert_int_equal(r.p->ncells, 3 + 4);
	drop(&r);
}

static void expect_refused(const char *text, const struct plan_options *opt, const char *message)
{
	struct error err = {0};
	struct matrix *m = matrix_parse("m.yaml", text, &err);

	assert_non_null(m);
	if (plan_make(m, opt, &err))
		fail_msg("planned, expected '%s'", message);
	if (!strstr(err.text, message))
		fail_msg("'%s', expected '%s'", err.text, message);
	assert_int_equal(err.status, KAB_USAGE);
	matrix_free(m);
}

static void test_refused(void **state)
{
	struct buf many = {};

	(void)state;
	expect_refused("arms: {a: {}}\nworkloads: [{name: pipe}, {name: pipe}]\n", NULL,
		"m.yaml:2:27: two workloads make the same cell 'pipe'");
	expect_refused(machines, &(struct plan_options){.only = "messaging*"},
		"no cell matches 'messaging*'");
	expect_refused("arms: {a: {}}\nblocks: 1000\nsamples: 1000\nworkloads: [{name: p, k: [1, "
		       "2, 3]}]\n",
		NULL, "3003000 samples");
	buf_addstr(&many, "arms: {a: {}}\nworkloads: [{name: w}, {name: p, k: &list [0");
	for (int i = 1; i < 101; i++)
		buf_addf(&many, ", %d", i);
	buf_addstr(&many, "], l: *list}]\n");
	expect_refused(many.data, NULL, "m.yaml:2:24: more than 10000 cells");
	buf_free(&many);
}

static void test_only(void **state)
{
	struct planned r = make(machines, &(struct plan_options){.only = "pipe/*/cpus=4/nodes=1"});

	(void)state;
	assert_int_equal(r.p->ncells, 2);
	assert_int_equal(r.p->nboots, 4 * 3); /* the three other machines have nothing to do */
	for (size_t i = 0; i < r.p->nboots; i++) {
		assert_int_equal(r.m->machines[r.p->boots[i].machine].cpus, 4);
		assert_int_equal(r.p->boots[i].nsamples, 5 * 2);
	}
	drop(&r);
}

static bool same_boot(const struct plan_boot *a, const struct plan_boot *b)
{
	if (strcmp(a->id, b->id) || a->block != b->block || a->number != b->number ||
		a->arm != b->arm || a->machine != b->machine || a->nsamples != b->nsamples)
		return false;
	for (size_t i = 0; i < a->nsamples; i++)
		if (strcmp(a->samples[i].id, b->samples[i].id) ||
			a->samples[i].cell != b->samples[i].cell ||
			a->samples[i].seq != b->samples[i].seq ||
			a->samples[i].warmup != b->samples[i].warmup ||
			a->samples[i].perf_stat != b->samples[i].perf_stat)
			return false;
	return true;
}

static bool same_boots(const struct plan *a, const struct plan *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!same_boot(&a->boots[i], &b->boots[i]))
			return false;
	return true;
}

static void test_same_seed_same_plan(void **state)
{
	struct planned a = make(machines, NULL), b = make(machines, NULL);
	struct planned c = make(machines, &(struct plan_options){.seed = 8});

	(void)state;
	assert_int_equal(a.p->seed, 7);
	assert_int_equal(a.p->nboots, b.p->nboots);
	assert_true(same_boots(a.p, b.p, a.p->nboots));
	assert_string_equal(a.p->hash, b.p->hash);
	assert_int_equal(c.p->seed, 8);
	assert_false(same_boots(a.p, c.p, a.p->nboots));
	assert_string_not_equal(a.p->hash, c.p->hash);
	drop(&a);
	drop(&b);
	drop(&c);
}

/* The order of one plan, written down: another machine, compiler or GSL must draw the same. */
static void test_order_is_fixed(void **state)
{
	static const char *const boots[] = {"b000.b.m0", "b000.c.m0", "b000.a.m0", "b001.a.m0",
		"b001.c.m0", "b001.b.m0", "b002.b.m0", "b002.c.m0", "b002.a.m0"};
	static const size_t cells[] = {0, 3, 2, 1, 1, 0, 3, 2};
	struct planned r =
		make("arms: {a: {}, b: {}, c: {}}\nseed: 42\nblocks: 3\nsamples: 2\nwarmup: 0\n"
		     "workloads: [{name: w, k: [1, 2, 3, 4]}]\n",
			NULL);

	(void)state;
	assert_int_equal(r.p->nboots, ARRAY_SIZE(boots));
	for (size_t i = 0; i < ARRAY_SIZE(boots); i++)
		assert_string_equal(r.p->boots[i].id, boots[i]);
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		assert_int_equal(r.p->boots[0].samples[i].cell, cells[i]);
	drop(&r);
}

static void test_drawn_seeds_differ(void **state)
{
	static const char text[] = "arms: {a: {}}\nworkloads: [{name: pipe}]\n";
	struct planned a = make(text, NULL), b = make(text, NULL), c;

	(void)state;
	assert_true(a.p->seed && b.p->seed);
	assert_true(a.p->seed != b.p->seed);
	/* Given the seed that was drawn, the plan is the same, hash and all: how a run is resumed.
	 */
	c = make(text, &(struct plan_options){.seed = a.p->seed});
	assert_string_equal(a.p->hash, c.p->hash);
	assert_true(same_boots(a.p, c.p, a.p->nboots));
	drop(&a);
	drop(&b);
	drop(&c);
}

/* In each block every arm once on every machine, the arms of a machine in a row. */
static void test_blocks_are_complete(void **state)
{
	struct planned r = make(machines, NULL);
	size_t narms = r.m->narms, per_block = narms * r.m->nmachines;

	(void)state;
	assert_int_equal(r.p->nboots, 4 * per_block);
	for (size_t i = 0; i < r.p->nboots; i++) {
		const struct plan_boot *b = &r.p->boots[i], *first = &r.p->boots[i - i % narms];
		unsigned seen = 0;

		assert_int_equal(b->number, i);
		assert_int_equal(b->block, i / per_block);
		assert_int_equal(b->machine, first->machine);
		for (size_t j = i - i % per_block; j < i - i % per_block + per_block; j++)
			seen += r.p->boots[j].arm == b->arm && r.p->boots[j].machine == b->machine;
		assert_int_equal(seen, 1);
	}
	drop(&r);
}

/* Boots of the exact executor repeat each other, in the matrix's order. */
static void test_exact_order(void **state)
{
	struct planned r = make("arms: {a: {}, b: {}}\nexecutor: {exact: {}}\nblocks: 5\nsamples: 2\n"
				"warmup: 1\nworkloads: [{name: w, k: [1, 2, 3, 4]}]\n",
		NULL);

	(void)state;
	for (size_t i = 0; i < r.p->nboots; i++)
		for (size_t j = 0; j < r.p->boots[i].nsamples; j++)
			assert_int_equal(r.p->boots[i].samples[j].cell, j % 4);
	drop(&r);
}

/* Over many blocks each arm comes first about as often as the others, and the orders are
 * independent. */
static void test_order_is_balanced(void **state)
{
	struct planned r = make("arms: {a: {}, b: {}}\nseed: 1\nblocks: 1000\nsamples: "
				"1\nworkloads: [{name: w, k: [1, 2]}]\n",
		NULL);
	unsigned arm_first = 0, cell_first = 0, both = 0;

	(void)state;
	for (size_t i = 0; i < r.p->nboots; i += 2) {
		bool arm = r.p->boots[i].arm == 0, cell = r.p->boots[i].samples[0].cell == 0;

		arm_first += arm;
		cell_first += cell;
		both += arm && cell;
	}
	/* Four standard deviations of a binomial distribution. */
	assert_in_range(arm_first, 500 - 64, 500 + 64);
	assert_in_range(cell_first, 500 - 64, 500 + 64);
	assert_in_range(both, 250 - 55, 250 + 55);
	drop(&r);
}

/* Rounds: each holds every cell of the machine once; first the warm-ups; the arms of a pair share
 * the order. */
static void test_rounds(void **state)
{
	struct planned r = make(machines, NULL);

	(void)state;
	for (size_t i = 0; i < r.p->nboots; i++) {
		const struct plan_boot *b = &r.p->boots[i],
				       *first = &r.p->boots[i - i % r.m->narms];

		assert_int_equal(b->nsamples, (2 + 3) * 3);
		for (size_t round = 0; round < 5; round++) {
			const struct plan_sample *s = &b->samples[3 * round];

			assert_true(s[0].cell != s[1].cell && s[1].cell != s[2].cell &&
				    s[0].cell != s[2].cell);
		}
		for (size_t j = 0; j < b->nsamples; j++) {
			assert_int_equal(b->samples[j].seq, j);
			assert_int_equal(b->samples[j].warmup, j < 2 * 3);
			assert_int_equal(r.p->cells[b->samples[j].cell].machine, b->machine);
			assert_int_equal(b->samples[j].cell, first->samples[j].cell);
		}
	}
	drop(&r);
}

static void test_sample_ids(void **state)
{
	struct planned r = make(machines, NULL);

	(void)state;
	for (size_t i = 0; i < r.p->nboots; i++) {
		const struct plan_boot *b = &r.p->boots[i];
		__free_char char *boot =
			xasprintf("b%03u.%s.m%zu", b->block, r.m->arms[b->arm].label, b->machine);
		__free_char char *last = xasprintf("%s.s%03zu", boot, b->nsamples - 1);

		assert_string_equal(b->id, boot);
		assert_string_equal(b->samples[b->nsamples - 1].id, last);
	}
	drop(&r);
}

static void test_extend(void **state)
{
	struct planned r = make(machines, NULL),
		       longer = make(machines, &(struct plan_options){.blocks = 9});
	struct planned again = make(machines, NULL);

	(void)state;
	plan_extend(r.p, 9);
	assert_int_equal(r.p->nboots, longer.p->nboots);
	assert_true(same_boots(r.p, longer.p, longer.p->nboots));
	assert_true(same_boots(r.p, again.p, again.p->nboots));
	plan_extend(r.p, 3); /* not more than there are: nothing to do */
	assert_int_equal(r.p->nboots, longer.p->nboots);
	drop(&r);
	drop(&longer);
	drop(&again);
}

static size_t count(const struct plan *p, unsigned block, bool warmup, bool perf_stat)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nboots; i++)
		for (size_t j = 0; p->boots[i].block == block && j < p->boots[i].nsamples; j++)
			n += p->boots[i].samples[j].warmup == warmup &&
			     p->boots[i].samples[j].perf_stat == perf_stat;
	return n;
}

/* perf runs in warm-ups of the first two blocks, in one round made for it where there are none. */
static void test_perf_stat(void **state)
{
	static const unsigned warmups[] = {0, 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(warmups); i++) {
		__free_char char *text = xasprintf(
			"arms: {a: {}, b: {}}\nsamples: 2\nwarmup: %u\nobservers: perf-stat\n"
			"blocks: 4\nworkloads: [{name: w, k: [1, 2, 3]}]\n",
			warmups[i]);
		struct planned r = make(text, NULL);

		for (unsigned block = 0; block < 4; block++) {
			assert_int_equal(count(r.p, block, true, true), block < 2 ? 2 * 3 : 0);
			assert_int_equal(
				count(r.p, block, true, false), block < 2 ? 0 : 2 * 3 * warmups[i]);
			assert_int_equal(count(r.p, block, false, true), 0);
			assert_int_equal(count(r.p, block, false, false), 2 * 2 * 3);
		}
		drop(&r);
	}
}

static void test_aa(void **state)
{
	struct planned r = make(machines, &(struct plan_options){.aa = true}),
		       plain = make(machines, NULL);

	(void)state;
	assert_ptr_not_equal(r.p->matrix, r.m);
	assert_int_equal(r.p->matrix->narms, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(r.p->matrix->arms[i].label, r.m->arms[i].label);
		assert_int_equal(r.p->matrix->arms[i].nseries, 0);
		assert_int_equal(r.p->matrix->arms[i].nparams, 0);
		assert_string_equal(r.p->matrix->arms[i].base.package, "linux-source-6.1");
	}
	assert_int_equal(r.m->arms[1].nseries, 1); /* the matrix itself is as it was */
	assert_string_not_equal(r.p->hash, plain.p->hash);
	drop(&r);
	drop(&plain);
}

/* The control takes its part of the boot in the same order, and none where it has no part at all. */
static void test_control_arms(void **state)
{
	struct planned r = make("arms: {a: {}, b: {}}\nexecutor: {vm: {cpus: [1, 2]}}\nblocks: 20\n"
				"samples: 2\nseed: 3\naa: ['w*/cpus=2']\n"
				"workloads: [{name: w, k: [1, 2]}, {name: v}]\n",
		NULL);
	unsigned controls = 0;

	(void)state;
	assert_int_equal(r.p->nboots, 20 * (2 + 3));
	assert_int_equal(plan_primary_comparisons(r.p), 3 * 2);
	for (size_t i = 0; i < r.p->nboots; i++) {
		const struct plan_boot *c = &r.p->boots[i], *other = NULL;
		size_t at = 0;

		if (r.m->arms[c->arm].role != ARM_CONTROL)
			continue;
		for (size_t j = 0; j < r.p->nboots && !other; j++)
			if (r.p->boots[j].block == c->block && r.p->boots[j].machine == c->machine &&
				!r.p->boots[j].arm)
				other = &r.p->boots[j];
		assert_non_null(other);
		assert_int_equal(c->nsamples, 3 * 2);
		for (size_t j = 0; j < c->nsamples; j++, at++) {
			assert_int_equal(c->samples[j].seq, j);
			while (r.p->cells[other->samples[at].cell].workload == 1)
				at++;
			assert_int_equal(c->samples[j].cell, other->samples[at].cell);
			assert_int_equal(c->samples[j].warmup, other->samples[at].warmup);
		}
		controls++;
	}
	assert_int_equal(controls, 20);
	drop(&r);
	expect_refused("arms: {a: {}}\naa: [pipe]\nworkloads: [{name: w}]\n", NULL,
		"m.yaml:2:5: aa: no cell matches 'pipe'");
}

static char *hash_of(const char *path, const char *text, const struct plan_options *opt)
{
	struct error err;
	struct matrix *m = matrix_parse(path, text, &err);
	struct plan *p = plan_make(m, opt, &err);
	char *hash = xstrdup(p->hash);

	plan_free(p);
	matrix_free(m);
	return hash;
}

/* What a resumed run must agree on changes the hash; where the file lies and how it is written does
 * not. */
static void test_hash(void **state)
{
	static const char text[] =
		"arms: {a: {}, b: {series: x}}\nseed: 1\nworkloads: [{name: w, k: [1, 2]}]\n";
	static const char same[] = "# words\nseed: 1\nworkloads: [{k: [1, 2], name: w}]\narms: {a: "
				   "{}, b: {series: [x]}}\n";
	static const char *const others[] = {
		"arms: {a: {}, b: {series: 'x:1'}}\nseed: 1\nworkloads: [{name: w, k: [1, 2]}]\n",
		"arms: {a: {}, b: {series: x, params: {w: {z: 1}}}}\nseed: 1\nworkloads: [{name: "
		"w, k: [1, 2]}]\n",
		"arms: {a: {}, b: {series: x}}\nseed: 1\nworkloads: [{name: w, k: [1, 3]}]\n",
		"arms: {a: {}, b: {series: x}}\nseed: 1\nsamples: 4\nworkloads: [{name: w, k: [1, "
		"2]}]\n",
	};
	static const struct plan_options options[] = {
		{.seed = 2}, {.blocks = 11}, {.only = "w/k=1"}, {.aa = true}};
	__free_char char *hash = hash_of("m.yaml", text, NULL),
			 *elsewhere = hash_of("/far/away/m.yaml", same, NULL);

	(void)state;
	assert_int_equal(strlen(hash), 64);
	assert_string_equal(hash, elsewhere);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		__free_char char *other = hash_of("m.yaml", others[i], NULL);

		assert_string_not_equal(hash, other);
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		__free_char char *other = hash_of("m.yaml", text, &options[i]);

		assert_string_not_equal(hash, other);
	}
}

static void test_floor(void **state)
{
	(void)state;
	assert_true(plan_p_floor(0) == 1);
	assert_true(plan_p_floor(1) == 1);
	assert_true(plan_p_floor(2) == 0.5);
	assert_true(plan_p_floor(8) == 2.0 / 256);
	/* "8 blocks cannot reach p < 0.0025 with 20 primary cells: 10 can" */
	assert_true(plan_p_floor(8) > 0.05 / 20);
	assert_true(plan_p_floor(10) < 0.05 / 20);
	assert_int_equal(plan_blocks_needed(20, 0.05), 10);
	assert_int_equal(plan_blocks_needed(1, 0.05), 6);
	assert_int_equal(plan_blocks_needed(0, 0.05), 6);
	for (size_t m = 1; m < 100; m++) {
		unsigned blocks = plan_blocks_needed(m, 0.05);

		assert_true(plan_p_floor(blocks) < 0.05 / m);
		assert_true(plan_p_floor(blocks - 1) >= 0.05 / m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_cell_ids),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_only),
		cmocka_unit_test(test_same_seed_same_plan),
		cmocka_unit_test(test_order_is_fixed),
		cmocka_unit_test(test_drawn_seeds_differ),
		cmocka_unit_test(test_blocks_are_complete),
		cmocka_unit_test(test_exact_order),
		cmocka_unit_test(test_order_is_balanced),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_sample_ids),
		cmocka_unit_test(test_extend),
		cmocka_unit_test(test_perf_stat),
		cmocka_unit_test(test_aa),
		cmocka_unit_test(test_control_arms),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_floor),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
