// SPDX-License-Identifier: GPL-2.0-or-later
/* Run folders of known truth, and what is said of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "compare.h"
#include "report_data.h"
#include "report_format.h"
#include "synthetic.h"
#include "util.h"
#include "verdict.h"

/* How a TCG guest varies, and how a quiet machine does. */
#define NOISY .boot_sd = 0.04, .sample_sd = 0.04
#define QUIET .boot_sd = 0.003, .sample_sd = 0.003
#define STEADY .boot_sd = 0

#define ARMS "baseline: stock\narms: {stock: {}, patched: {series: [thing]}}\n"
#define VM                                                                               \
	"base: {package: linux-source-6.1}\nexecutor: {vm: {cpus: 2, nodes: 1, memory: " \
	"512M}}\nseed: 7\n"
#define BLOCKS(n) "blocks: " #n "\nsamples: 3\nwarmup: 1\n"
#define PIPE "workloads: [{name: pipe, mode: process}]\n"

static const char pipe_matrix[] = VM ARMS BLOCKS(10) PIPE;

struct world {
	char *results;
	char *path, *other_path;
	struct store *run, *other;
	struct comparison *c;
};

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->results = synth_results();
	*state = w;
	return 0;
}

static void forget(struct world *w)
{
	comparison_free(w->c);
	store_close(w->run);
	store_close(w->other);
	free(w->path);
	free(w->other_path);
	*w = (struct world){.results = w->results};
}

static int teardown(void **state)
{
	struct world *w = *state;

	forget(w);
	assert_int_equal(dir_remove(w->results, NULL), 0);
	free(w->results);
	free(w);
	return 0;
}

static struct store *must_open(const char *path)
{
	struct error err;
	struct store *s = store_open(path, false, NULL, &err);

	if (!s)
		fail_msg("%s", err.text);
	return s;
}

static const struct comparison *compare_with(
	struct world *w, const struct synth *s, const struct compare_options *opt)
{
	struct error err;

	forget(w);
	w->path = synth_run(w->results, s);
	w->run = must_open(w->path);
	w->c = compare_runs(w->run, NULL, opt, &err);
	if (!w->c)
		fail_msg("%s", err.text);
	return w->c;
}

static const struct comparison *compare(struct world *w, const struct synth *s)
{
	return compare_with(w, s, &(struct compare_options){});
}

#define SYNTH(matrix_text, ...)                                              \
	(&(struct synth){.matrix = matrix_text,                              \
		.rules = (const struct synth_rule[]){__VA_ARGS__},           \
		.nrules = sizeof((const struct synth_rule[]){__VA_ARGS__}) / \
			  sizeof(struct synth_rule),                         \
		.seed = 11,                                                  \
		.drift_sd = 0.03})

static const struct row *find_row(
	const struct comparison *c, const char *cell, const char *arm, const char *metric)
{
	for (size_t i = 0; i < c->nrows; i++)
		if (!strcmp(c->rows[i].cell, cell) && !strcmp(c->rows[i].arm, arm) &&
			!strcmp(c->rows[i].metric.name, metric))
			return &c->rows[i];
	fail_msg("no row %s, %s, %s", cell, arm, metric);
	return NULL;
}

static const struct row *rate(const struct comparison *c)
{
	return find_row(c, "pipe", "patched", "ops_per_s");
}

static bool warned(const struct comparison *c, const char *words)
{
	for (size_t i = 0; i < c->nwarnings; i++)
		if (strstr(c->warnings[i], words))
			return true;
	return false;
}

static void expect_words(const char *text, const char *words)
{
	if (!text || !strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text ? text : "(nothing)", words);
}

static void test_ten_percent_faster_is_an_improvement(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, NOISY},
		{"patched", NULL, "ops_per_s", 1100, NOISY});
	const struct comparison *c;
	const struct row *r;

	s->warmup_factor = 0.1; /* would spoil everything if it were compared */
	c = compare(*state, s);
	r = rate(c);
	assert_int_equal(c->nrows, 1);
	assert_int_equal(r->verdict, VERDICT_IMPROVEMENT);
	assert_true(r->primary && !r->control && r->p_adj < 0.05 && r->p_adj == r->e.p);
	assert_true(r->e.lo > 1 && r->e.lo < 1.1 && r->e.hi > 1.1 && r->e.effect > 1.05 &&
		    r->e.effect < 1.15);
	assert_true(r->e.arm_median > 900);
	assert_int_equal(r->e.blocks, 10);
	assert_int_equal(r->e.samples, 60);
	assert_int_equal(c->ok, 60);
	assert_int_equal(c->warmups, 20);
	assert_int_equal(c->blocks, 10);
	assert_int_equal(c->primary_count, 1);
	assert_string_equal(c->correction, "Holm");
	assert_int_equal(comparison_status(c), KAB_OK);
}

static void test_ten_percent_slower_is_a_regression(void **state)
{
	const struct comparison *c =
		compare(*state, SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, NOISY},
					{"patched", NULL, "ops_per_s", 900, NOISY}));

	assert_int_equal(rate(c)->verdict, VERDICT_REGRESSION);
	assert_true(rate(c)->e.hi < 1);
	assert_int_equal(comparison_status(c), KAB_REGRESSION);
}

static void test_more_of_a_time_is_a_regression(void **state)
{
	const struct comparison *c =
		compare(*state, SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET},
					{"stock", NULL, "latency_p99_ns", 5000, QUIET},
					{"patched", NULL, "latency_p99_ns", 6000, QUIET}));
	const struct row *r = find_row(c, "pipe", "patched", "latency_p99_ns");

	assert_int_equal(r->verdict, VERDICT_REGRESSION);
	assert_false(r->primary);
	/* Corrected among its own, and no business of the exit status. */
	assert_int_equal(c->primary_count, 1);
	assert_int_equal(comparison_status(c), KAB_OK);
	/* Primary rows come first. */
	assert_true(c->rows[0].primary && !c->rows[1].primary);
}

static void test_same_kernel_on_a_quiet_machine_is_same(void **state)
{
	const struct comparison *c =
		compare(*state, SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET}));

	assert_int_equal(rate(c)->verdict, VERDICT_SAME);
	assert_true(rate(c)->limit == 0.02 && !rate(c)->note);
	assert_int_equal(comparison_status(c), KAB_OK);
}

static void test_same_wins_over_a_small_significant_change(void **state)
{
	const struct comparison *c =
		compare(*state, SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
					{"patched", NULL, "ops_per_s", 990, QUIET}));

	assert_true(rate(c)->p_adj < 0.05 && rate(c)->e.hi < 1);
	assert_int_equal(rate(c)->verdict, VERDICT_SAME);
}

static void test_same_kernel_on_a_noisy_machine_is_unclear(void **state)
{
	const struct comparison *c =
		compare(*state, SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, NOISY}));
	const struct row *r = rate(c);

	assert_int_equal(r->verdict, VERDICT_UNCLEAR);
	assert_true(r->e.detectable > 0.02 && r->e.detectable < 0.2);
	assert_true(r->more_blocks > 10 && r->more_blocks < 400);
	expect_words(r->note, "could have seen");
	expect_words(r->note, "more blocks");
	assert_int_equal(comparison_status(c), KAB_UNCLEAR);
}

static void test_one_block_cannot_decide(void **state)
{
	const struct comparison *c = compare(
		*state, SYNTH(VM ARMS BLOCKS(1) PIPE, {"stock", NULL, "ops_per_s", 1000, QUIET},
				{"patched", NULL, "ops_per_s", 500, QUIET}));

	assert_int_equal(rate(c)->verdict, VERDICT_UNCLEAR);
	expect_words(rate(c)->note, "1 block cannot decide");
	expect_words(rate(c)->note, "6 can");
	assert_int_equal(rate(c)->more_blocks, 5);
	assert_true(c->p_floor == 1 && warned(c, "cannot decide"));
	assert_int_equal(comparison_status(c), KAB_UNCLEAR);
}

static void test_blocks_below_the_floor_cannot_decide(void **state)
{
	const struct comparison *c = compare(
		*state, SYNTH(VM ARMS BLOCKS(5) PIPE, {"stock", NULL, "ops_per_s", 1000, QUIET},
				{"patched", NULL, "ops_per_s", 500, QUIET}));

	assert_int_equal(rate(c)->verdict, VERDICT_UNCLEAR);
	expect_words(rate(c)->note, "5 blocks cannot decide");
	expect_words(rate(c)->note, "0.062");
	assert_int_equal(rate(c)->more_blocks, 1);
	assert_true(warned(c, "5 blocks cannot decide"));
}

static void test_failed_on_one_side(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, NULL, .status = SAMPLE_OOPS, .reason = "BUG: something"});
	const struct comparison *c = compare(*state, s);

	assert_int_equal(c->nrows, 1);
	assert_int_equal(rate(c)->verdict, VERDICT_FAILED);
	assert_int_equal(rate(c)->arm_failed, 40);
	assert_int_equal(rate(c)->base_failed, 0);
	assert_string_equal(rate(c)->note, "oops on patched: BUG: something");
	assert_true(isnan(rate(c)->e.effect) && isnan(rate(c)->p_adj));
	assert_int_equal(c->failed, 40);
	assert_true(warned(c, "40 of 40 samples failed"));
	assert_int_equal(comparison_status(c), KAB_REGRESSION);
}

static void test_failed_everywhere(void **state)
{
	const struct comparison *c = compare(
		*state, SYNTH(pipe_matrix,
				{NULL, NULL, NULL, .status = SAMPLE_NO_BOOT, .reason = "panic"}));

	assert_int_equal(rate(c)->verdict, VERDICT_FAILED);
	assert_int_equal(c->primary_count, 0);
	assert_int_equal(comparison_status(c), KAB_REGRESSION);
}

static void test_a_few_failures_leave_blocks_out(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 1100, QUIET},
		{"patched", NULL, NULL, .status = SAMPLE_HANG, .reason = "no heartbeat",
			.from_block = 3, .to_block = 5});
	const struct comparison *c = compare(*state, s);

	assert_int_equal(rate(c)->verdict, VERDICT_IMPROVEMENT);
	assert_int_equal(rate(c)->e.blocks, 8);
	expect_words(rate(c)->note, "2 blocks left out");
	assert_int_equal(rate(c)->arm_failed, 8);
	/* A failure counts, however fast the rest was. */
	assert_int_equal(comparison_status(c), KAB_REGRESSION);
	assert_int_equal(comparison_status_for(c, FAIL_ON_REGRESSION | FAIL_ON_UNCLEAR), KAB_OK);
}

static void test_no_block_in_common(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, NULL, .status = SAMPLE_FAILED, .to_block = 5},
		{"stock", NULL, NULL, .status = SAMPLE_FAILED, .from_block = 5});
	const struct comparison *c = compare(*state, s);

	assert_int_equal(rate(c)->verdict, VERDICT_UNCLEAR);
	expect_words(rate(c)->note, "no block has a good sample of both");
}

static void test_skipped_on_one_side(void **state)
{
	struct synth *s = SYNTH(VM ARMS BLOCKS(10) "workloads: [{name: pipe}, {name: localcpu}]\n",
		{NULL, "pipe", "ops_per_s", 1000, QUIET},
		{"patched", "localcpu", "ops_per_s", 1000, QUIET},
		{"stock", "localcpu", NULL, .status = SAMPLE_SKIPPED, .reason = "no device"});
	const struct comparison *c = compare(*state, s);
	const struct row *r = find_row(c, "localcpu", "patched", "ops_per_s");

	assert_int_equal(r->verdict, VERDICT_SKIPPED);
	assert_string_equal(r->note, "skipped on stock: no device");
	assert_int_equal(r->base_failed, 0);
	assert_int_equal(rate(c)->verdict, VERDICT_SAME);
	assert_int_equal(c->primary_count, 1);
	assert_int_equal(c->skipped, 40);
	assert_int_equal(comparison_status(c), KAB_OK);
}

/* A kernel on which the workload skips itself is not shown to be a good one. */
static void test_all_skipped_decides_nothing(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, NULL, .status = SAMPLE_SKIPPED, .reason = "no device"});

	assert_int_equal(comparison_status(compare(*state, s)), KAB_UNCLEAR);
	assert_int_equal(comparison_status_for(((struct world *)*state)->c, FAIL_ON_REGRESSION), KAB_OK);
}

/* The figure that decides is one that only stock came to. */
static void test_primary_figure_of_one_side(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{NULL, NULL, "fairness", 0.5, STEADY});
	const struct comparison *c = compare(*state, s);

	assert_int_equal(rate(c)->verdict, VERDICT_UNCLEAR);
	expect_words(rate(c)->note, "only stock has it");
	assert_int_equal(comparison_status(c), KAB_UNCLEAR);
}

/*
 * Of a count an operation that falls fourfold where there are four times as many operations: all of it may be what comes with a
 * sample, eight events of it, unless a sample has fewer, too, or how it goes with the operations tells.
 */
static void test_counts_of_each_sample_are_no_change(void **state)
{
	static const char ticks[] = "timer_interrupts_per_op", flushes[] = "tlb_shootdowns_per_op", wakeups[] = "wakeups_per_op";
	struct synth *s = SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 4000, QUIET}, {"stock", NULL, "ops", 1000, .sample_sd = 0.05},
		{"patched", NULL, "ops", 4000, .sample_sd = 0.05},
		{NULL, NULL, ticks, 8, STEADY, .a_sample = true}, {"stock", NULL, flushes, 3, STEADY},
		{"patched", NULL, flushes, 0.003, STEADY}, {"stock", NULL, wakeups, 2, STEADY},
		{"patched", NULL, wakeups, 0.5, STEADY});
	const struct comparison *c = compare(*state, s);
	const struct row *r = find_row(c, "pipe", "patched", ticks);

	assert_true(r->p_adj < 0.05 && r->e.effect < 0);
	assert_int_equal(r->verdict, VERDICT_UNCLEAR);
	expect_words(r->note, "what comes with each sample");
	/* Fewer in a sample. */
	assert_int_equal(find_row(c, "pipe", "patched", flushes)->verdict, VERDICT_IMPROVEMENT);
	/* As many in a sample as before, but what has more operations has more of them. */
	assert_int_equal(find_row(c, "pipe", "patched", wakeups)->verdict, VERDICT_IMPROVEMENT);
}

/* A tick less is one less, and does not make all of the rest less an operation. */
static void test_a_small_part_of_each_sample_s(void **state)
{
	static const char ticks[] = "timer_interrupts_per_op";
	struct synth *s = SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 4000, QUIET}, {"stock", NULL, "ops", 1000, .sample_sd = 0.05},
		{"patched", NULL, "ops", 4000, .sample_sd = 0.05}, {"stock", NULL, ticks, 126, STEADY, .a_sample = true},
		{"patched", NULL, ticks, 125, STEADY, .a_sample = true});

	assert_int_equal(find_row(compare(*state, s), "pipe", "patched", ticks)->verdict, VERDICT_UNCLEAR);
}

/* Three to six faults a sample on both kernels, by chance, of which one does hundreds of times as many operations. */
static void test_what_comes_with_a_sample_varies(void **state)
{
	static const char faults[] = "minor_faults_per_op";
	struct synth *s = SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 10, NOISY},
		{"patched", NULL, "ops_per_s", 4000, NOISY}, {"stock", NULL, "ops", 12, .sample_sd = 0.6},
		{"patched", NULL, "ops", 5000, .sample_sd = 0.3}, {NULL, NULL, faults, 3.4, .sample_sd = 0.2, .a_sample = true});

	for (s->seed = 1; s->seed < 6; s->seed++)
		assert_int_equal(find_row(compare(*state, s), "pipe", "patched", faults)->verdict, VERDICT_UNCLEAR);
}

/* Who does as many operations shares what comes with a sample among as many. */
static void test_counts_of_as_many_operations(void **state)
{
	static const char ticks[] = "timer_interrupts_per_op";
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET},
		{"stock", NULL, ticks, 40, STEADY, .a_sample = true}, {"patched", NULL, ticks, 30, STEADY, .a_sample = true});

	assert_int_equal(find_row(compare(*state, s), "pipe", "patched", ticks)->verdict, VERDICT_IMPROVEMENT);
}

static void test_samples_of_an_unknown_arm(void **state)
{
	struct world *w = *state;
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	__free_char char *path = NULL, *text = NULL;
	const struct comparison *c = compare(w, s);
	struct error err;
	size_t ok = c->ok;

	path = xasprintf("%s/samples.jsonl", w->path);
	text = file_read(path, NULL, NULL);
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		char *arm = strstr(line, "\"arm\":\"patched\""), *block = strstr(line, "\"block\":");

		/* Blocks 0 to 4. */
		if (arm && arm < strchr(line, '\n') && block[8] < '5')
			memcpy(arm + 7, "zatched", 7);
	}
	assert_int_equal(file_write_atomic(path, text, strlen(text), &err), 0);
	comparison_free(w->c);
	store_close(w->run);
	w->run = must_open(w->path);
	w->c = compare_runs(w->run, NULL, &(struct compare_options){}, &err);
	assert_non_null(w->c);
	assert_int_equal(w->c->ok, ok - 15);
	assert_true(warned(w->c, "of the arm 'zatched', which the matrix does not have"));
}

static void test_counts_that_may_be_zero(void **state)
{
	static const char flushes[] = "tlb_shootdowns_per_op", faults[] = "page_faults_per_op";
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET},
		{"stock", NULL, flushes, 3, STEADY}, {"patched", NULL, flushes, 0, STEADY},
		{NULL, NULL, faults, 0, STEADY},
		{"stock", NULL, "migrations_per_op", 0.0002, STEADY},
		{"patched", NULL, "migrations_per_op", 0.0009, STEADY});
	const struct comparison *c = compare(*state, s);
	const struct row *r = find_row(c, "pipe", "patched", flushes);

	assert_int_equal(r->verdict, VERDICT_IMPROVEMENT);
	assert_true(r->e.effect == -3 && r->e.lo == -3 && r->e.hi == -3 && r->e.constant);
	assert_true(r->limit > 0.0599 && r->limit < 0.0601);
	/* Each secondary metric is corrected over its own cells and arms. */
	assert_true(fabs(r->p_adj - 2.0 / 1024) < 1e-12);
	r = find_row(c, "pipe", "patched", faults);
	assert_int_equal(r->verdict, VERDICT_SAME);
	assert_true(r->e.effect == 0 && r->e.p == 1);
	/* A change, but of less than one event in a thousand operations. */
	r = find_row(c, "pipe", "patched", "migrations_per_op");
	assert_true(r->e.p < 0.05 && r->limit == 0.001);
	assert_int_equal(r->verdict, VERDICT_SAME);
}

/* Two metrics and two arms: each metric goes over its own, whatever else was measured. */
static void test_secondary_metrics_are_corrected_one_by_one(void **state)
{
	static const char matrix[] = VM "baseline: stock\narms: {stock: {}, one: {series: [a]}, "
					"two: {series: [b]}}\n" BLOCKS(10) PIPE;
	struct synth *s = SYNTH(matrix, {NULL, NULL, "ops_per_s", 1000, QUIET},
		{"stock", NULL, "wakeups_per_op", 3, STEADY},
		{"one", NULL, "wakeups_per_op", 2, STEADY},
		{"two", NULL, "wakeups_per_op", 1, STEADY},
		{NULL, NULL, "migrations_per_op", 1, QUIET});
	const struct comparison *c = compare(*state, s);
	const struct row *one = find_row(c, "pipe", "one", "wakeups_per_op");

	assert_true(fabs(one->p_adj - 2 * one->e.p) < 1e-12);
	assert_int_equal(one->verdict, VERDICT_IMPROVEMENT);
	assert_int_equal(
		find_row(c, "pipe", "two", "wakeups_per_op")->verdict, VERDICT_IMPROVEMENT);
	assert_int_equal(c->primary_count, 2);
}

static void test_controls_cost_the_others_nothing(void **state)
{
	static const char matrix[] = VM
		"baseline: stock\narms: {stock: {}, patched: {series: [a]}, again: {}}\n" BLOCKS(10)
			PIPE;
	struct synth *s = SYNTH(matrix, {NULL, NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 1100, QUIET});
	const struct comparison *c;

	s->arms =
		"[{\"label\": \"stock\", \"key\": \"k\"}, {\"label\": \"patched\", \"key\": \"p\"},"
		" {\"label\": \"again\", \"key\": \"k\"}]";
	c = compare(*state, s);
	assert_true(find_row(c, "pipe", "again", "ops_per_s")->control);
	assert_true(rate(c)->p_adj == rate(c)->e.p);
	assert_int_equal(c->primary_count, 1);
	assert_int_equal(c->control_total, 1);
}

static void test_a_zero_rate_has_no_ratio(void **state)
{
	const struct comparison *c =
		compare(*state, SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
					{"patched", NULL, "ops_per_s", 0, STEADY}));

	assert_int_equal(rate(c)->verdict, VERDICT_UNCLEAR);
	expect_words(rate(c)->note, "no ratio");
	assert_int_equal(comparison_status(c), KAB_UNCLEAR);
}

static void test_what_only_one_arm_has_is_shown(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "vcpu_single_thread_share", 0.99, STEADY},
		{"patched", NULL, "own_count", 4, STEADY},
		{"stock", NULL, "other_count", 1, STEADY},
		{"patched", NULL, "other_count", 2, STEADY});
	const struct comparison *c = compare(*state, s);
	const struct row *r = find_row(c, "pipe", "patched", "vcpu_single_thread_share");

	assert_int_equal(r->verdict, VERDICT_SHOWN);
	assert_true(r->e.arm_median == 0.99 && isnan(r->e.base_median) && isnan(r->p_adj));
	r = find_row(c, "pipe", "patched", "own_count");
	assert_int_equal(r->verdict, VERDICT_SHOWN);
	assert_string_equal(r->note, "only patched has it");
	/* Nobody knows whether more of it is better. */
	assert_int_equal(find_row(c, "pipe", "patched", "other_count")->verdict, VERDICT_CHANGED);
}

static void test_holm_over_primary_comparisons(void **state)
{
	static const char matrix[] =
		VM "baseline: stock\n"
		   "arms: {stock: {}, one: {series: [a]}, two: {series: [b]}}\n" BLOCKS(
			   10) "workloads: [{name: pipe, mode: [process, thread]}, {name: 'null', "
			       "primary: false}]\n";
	struct synth *s = SYNTH(matrix, {NULL, "null", "ops_per_s", 5000, QUIET},
		{"stock", "pipe*", "ops_per_s", 1000, QUIET},
		{"one", "pipe*", "ops_per_s", 1100, QUIET},
		{"two", "pipe*", "ops_per_s", 1100, QUIET});
	struct world *w = *state;
	const struct comparison *c = compare(w, s);

	assert_int_equal(c->primary_count, 4);
	assert_int_equal(c->nrows, 6);
	for (int i = 0; i < 4; i++) {
		assert_true(c->rows[i].primary && c->rows[i].verdict == VERDICT_IMPROVEMENT);
		assert_true(fabs(c->rows[i].p_adj - 4 * c->rows[i].e.p) < 1e-12);
	}
	assert_string_equal(c->rows[0].cell, "pipe/mode=process");
	assert_string_equal(c->rows[0].arm, "one");
	assert_string_equal(c->rows[1].arm, "two");
	assert_false(find_row(c, "null", "one", "ops_per_s")->primary);
	assert_true(fabs(c->p_floor - 4 * 2.0 / 1024) < 1e-12);
	/* On request the false discovery rate instead: all four equal, so nothing is multiplied. */
	store_close(w->run);
	w->run = NULL;
	comparison_free(w->c);
	w->c = NULL;
	c = compare_with(w, s, &(struct compare_options){.bh = true});
	assert_string_equal(c->correction, "Benjamini-Hochberg");
	assert_true(fabs(c->rows[0].p_adj - c->rows[0].e.p) < 1e-12);
}

static void test_command_is_compared_by_its_figure(void **state)
{
	static const char build[] = VM ARMS BLOCKS(
		10) "workloads: [{name: build, command: make,"
		    " figure: {regex: '([0-9.]+) s', name: build_s, unit: s, better: less}}]\n";
	struct synth *s = SYNTH(build, {"stock", NULL, "build_s", 10, QUIET},
		{"patched", NULL, "build_s", 9, QUIET}, {NULL, NULL, "elapsed_ns", 1e10, QUIET});
	const struct comparison *c = compare(*state, s);
	const struct row *r = find_row(c, "build", "patched", "build_s");

	assert_true(r->primary);
	assert_int_equal(r->verdict, VERDICT_IMPROVEMENT);
	assert_false(find_row(c, "build", "patched", "elapsed_ns")->primary);
	/* Its name is known for as long as the program lives, the comparison's strings are its own.
	 */
	assert_string_equal(r->metric.unit, "s");
}

static void test_aa_run_is_all_controls(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, NOISY});
	const struct comparison *c;

	s->aa = true;
	s->arms = "[{\"label\": \"stock\", \"key\": \"k\"}, {\"label\": \"patched\", \"key\": "
		  "\"k\"}]";
	c = compare(*state, s);
	assert_true(rate(c)->control && rate(c)->primary);
	assert_int_equal(c->control_total, 1);
	assert_int_equal(c->control_changed, 0);
	assert_int_equal(c->primary_count, 1);
	assert_false(warned(c, "No A/A control"));
	/* Unclear, but that is nobody's patch. */
	assert_int_equal(rate(c)->verdict, VERDICT_UNCLEAR);
	assert_int_equal(comparison_status(c), KAB_OK);
}

static void test_control_that_changed_is_told(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 800, QUIET});
	const struct comparison *c;

	s->aa = true;
	s->arms = "[{\"label\": \"stock\", \"key\": \"k\"}, {\"label\": \"patched\", \"key\": "
		  "\"k\"}]";
	c = compare(*state, s);
	assert_int_equal(c->control_changed, 1);
	assert_int_equal(c->control_below_alpha, 1);
	assert_true(warned(c, "where there is none"));
	assert_int_equal(comparison_status(c), KAB_OK);
}

static void test_arm_like_the_baseline_is_a_control(void **state)
{
	static const char matrix[] =
		VM "baseline: stock\n"
		   "arms:\n"
		   "  stock: {}\n"
		   "  again: {}\n"
		   "  other: {cmdline: quiet}\n"
		   "  off: {params: {pipe: {mode: thread}}}\n" BLOCKS(
			   6) "workloads: [{name: pipe, mode: process}, {name: 'null'}]\n";
	struct synth *s = SYNTH(matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	const struct comparison *c;

	s->arms = "[{\"label\": \"stock\", \"key\": \"k\"}, {\"label\": \"again\", \"key\": \"k\"},"
		  " {\"label\": \"other\", \"key\": \"k\"}, {\"label\": \"off\", \"key\": \"k\"}]";
	c = compare(*state, s);
	assert_true(find_row(c, "null", "again", "ops_per_s")->control);
	assert_true(find_row(c, "pipe", "again", "ops_per_s")->control);
	assert_false(find_row(c, "null", "other", "ops_per_s")->control);
	/* An arm that differs in one workload is a control in all others. */
	assert_false(find_row(c, "pipe", "off", "ops_per_s")->control);
	assert_true(find_row(c, "null", "off", "ops_per_s")->control);
	assert_int_equal(c->primary_count, 3);
	assert_int_equal(c->control_total, 3);

	s->arms = "[{\"label\": \"stock\", \"key\": \"k\"}, {\"label\": \"again\", \"key\": "
		  "\"another\"}]";
	c = compare(*state, s);
	assert_false(find_row(c, "null", "again", "ops_per_s")->control);
	assert_int_equal(c->control_total, 0);
	assert_true(warned(c, "No A/A control"));
}

/* The key "aa" adds cells of the baseline against itself; they are no part of the others' correction. */
static void test_aa_cells_beside_the_others(void **state)
{
	static const char matrix[] = VM ARMS BLOCKS(
		10) "aa: [pipe]\nworkloads: [{name: pipe}, {name: messaging}]\n";
	struct synth *s = SYNTH(matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	const struct comparison *c = compare(*state, s);

	assert_int_equal(c->control_total, 1);
	assert_int_equal(c->primary_count, 2);
	assert_int_equal(c->nrows, 3);
	assert_true(find_row(c, "pipe", "stock-again", "ops_per_s")->control);
	assert_false(find_row(c, "pipe", "stock-again", "ops_per_s")->layout);
	assert_false(warned(c, "No A/A control"));
	/* Against another baseline it is no control, and says nothing. */
	c = compare_with(*state, s, &(struct compare_options){.baseline = "patched"});
	assert_int_equal(c->control_total, 0);
	assert_int_equal(c->nrows, 2);
}

/* What layout alone does is no effect of a patch, however sure it is. */
static void test_layout_is_no_effect(void **state)
{
	static const char matrix[] = VM ARMS BLOCKS(
		10) "layout: true\nworkloads: [{name: pipe, mode: process}]\n";
	struct synth *s = SYNTH(matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{"stock", NULL, "page_faults_per_op", 1, QUIET},
		{"patched", NULL, "ops_per_s", 1050, QUIET},
		{"patched", NULL, "page_faults_per_op", 1.05, QUIET},
		{"stock-layout", NULL, "ops_per_s", 940, QUIET},
		{"stock-layout", NULL, "page_faults_per_op", 0.94, QUIET});
	const struct comparison *c = compare(*state, s);
	const struct row *layout = find_row(c, "pipe", "stock-layout", "ops_per_s");

	assert_int_equal(rate(c)->verdict, VERDICT_UNCLEAR);
	assert_non_null(strstr(rate(c)->note, "more than layout alone may do, 6."));
	assert_true(rate(c)->p_adj < 0.05);
	assert_true(fabs(rate(c)->layout_effect - 1 / 0.94 + 1) < 0.01);
	assert_int_equal(find_row(c, "pipe", "patched", "page_faults_per_op")->verdict,
		VERDICT_UNCLEAR);
	assert_true(layout->control && layout->layout);
	assert_int_equal(c->control_total, 0);
	assert_int_equal(c->primary_count, 1);
	assert_int_equal(comparison_status(c), KAB_UNCLEAR);

	/* The same effect where layout does less. */
	((struct synth_rule *)s->rules)[4].mean = 970;
	((struct synth_rule *)s->rules)[5].mean = 0.97;
	c = compare(*state, s);
	assert_int_equal(rate(c)->verdict, VERDICT_IMPROVEMENT);
	assert_int_equal(find_row(c, "pipe", "patched", "page_faults_per_op")->verdict,
		VERDICT_REGRESSION);
	assert_int_equal(comparison_status(c), KAB_OK);
}

/* What layout may do is as far as its interval goes, and not what it happened to do. */
static void test_layout_that_is_not_known_well(void **state)
{
	static const char matrix[] = VM ARMS BLOCKS(
		10) "layout: true\nworkloads: [{name: pipe, mode: process}]\n";
	struct synth *s = SYNTH(matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 1050, QUIET},
		{"stock-layout", NULL, "ops_per_s", 1000, .boot_sd = 0.12, .sample_sd = 0.003});
	const struct comparison *c = compare(*state, s);

	assert_true(fabs(find_row(c, "pipe", "stock-layout", "ops_per_s")->e.effect - 1) < 0.1);
	assert_int_equal(rate(c)->verdict, VERDICT_UNCLEAR);
	expect_words(rate(c)->note, "more than layout alone may do");

	((struct synth_rule *)s->rules)[2].status = SAMPLE_FAILED;
	c = compare(*state, s);
	assert_int_equal(rate(c)->verdict, VERDICT_IMPROVEMENT);
	expect_words(rate(c)->note, "what layout alone does was not measured");
}

/* What slows a machine for longer than a turn slows both arms, and is not seen where these are compared turn by turn. */
static void test_turns_bear_a_machine_of_two_speeds(void **state)
{
	static const struct synth_rule rules[] = {{"stock", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 950, QUIET}};
	static const char in_turns[] = VM ARMS "blocks: 10\nsamples: 15\ntogether: true\n" PIPE,
			  apart[] = VM ARMS "blocks: 10\nsamples: 15\n" PIPE;
	struct synth s = {.matrix = in_turns, .rules = rules, .nrules = 2, .seed = 11, .slow_turns = 0.7};
	const struct row *r = rate(compare(*state, &s));

	assert_int_equal(r->verdict, VERDICT_REGRESSION);
	assert_true(r->e.lo > 0.94 && r->e.hi < 0.96 && r->e.detectable < 0.02);
	s.matrix = apart;
	assert_true(rate(compare(*state, &s))->e.detectable > 0.1);
}

/*
 * A control that measures one of two cells has samples at other places of its boots than the arms that measure both: what
 * tells a turn is the cell's own count.
 */
static void test_turns_of_an_arm_that_lacks_cells(void **state)
{
	static const char matrix[] = VM ARMS "blocks: 10\nsamples: 15\ntogether: true\naa: [pipe]\n"
		"workloads: [{name: pipe, mode: process}, {name: fault}]\n";
	struct synth *s = SYNTH(matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	const struct row *r;

	s->slow_turns = 0.7;
	r = find_row(compare(*state, s), "pipe", "stock-again", "ops_per_s");
	assert_int_equal(r->e.turn_blocks, 10);
	assert_true(r->e.lo > 0.99 && r->e.hi < 1.01);
}

/* One turn in three the arm is far slower, and the baseline never is. Medians bear it; the kernels are not the same. */
static void test_turns_now_and_then_far_off(void **state)
{
	static const char matrix[] = VM ARMS "blocks: 10\nsamples: 15\ntogether: true\n" PIPE;
	struct synth *s = SYNTH(matrix, {"stock", NULL, "ops_per_s", 1000, QUIET}, {"patched", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 600, QUIET, .every = 3});
	const struct row *r = rate(compare(*state, s));

	assert_true(r->e.lo > 0.98 && r->e.hi < 1.02);
	assert_int_equal(r->verdict, VERDICT_UNCLEAR);
	expect_words(r->note, "some samples are far off, all the same way");

	/* The machine, which hits both. */
	((struct synth_rule *)s->rules)[2].arm = NULL;
	assert_int_equal(rate(compare(*state, s))->verdict, VERDICT_SAME);
}

/* Rare, and so 0 in most samples of either arm. */
static void test_counts_do_not_take_turns(void **state)
{
	static const char matrix[] = VM ARMS "blocks: 12\nsamples: 15\ntogether: true\n" PIPE;
	struct synth *s = SYNTH(matrix, {NULL, NULL, "ops_per_s", 1000, QUIET}, {"stock", NULL, "tlb_shootdowns_per_op", 0, STEADY},
		{"patched", NULL, "tlb_shootdowns_per_op", 0, STEADY}, {"patched", NULL, "tlb_shootdowns_per_op", 1, STEADY, .every = 2});
	const struct row *r = find_row(compare(*state, s), "pipe", "patched", "tlb_shootdowns_per_op");

	assert_int_equal(r->e.turn_blocks, 0);
	assert_true(r->e.lo > 0.2);
}

/* Now and then the arm is half as fast: ranks bear that, but the kernels are not the same. */
static void test_now_and_then_far_off(void **state)
{
	static const char matrix[] = VM ARMS BLOCKS(20) PIPE;
	struct synth *s = SYNTH(matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 500, QUIET, .from_block = 4, .to_block = 6},
		{"stock", NULL, "ops_per_s", 1000, QUIET, .from_block = 10, .to_block = 11});
	const struct comparison *c = compare(*state, s);

	assert_true(rate(c)->e.lo > 0.98 && rate(c)->e.hi < 1.02);
	assert_int_equal(rate(c)->e.far, 2);
	assert_int_equal(rate(c)->verdict, VERDICT_UNCLEAR);
	expect_words(rate(c)->note, "2 of 20 blocks are off by more than ");
	assert_int_equal(comparison_status(c), KAB_UNCLEAR);

	/* The machine disturbs both. */
	((struct synth_rule *)s->rules)[3].mean = 500;
	c = compare(*state, s);
	assert_int_equal(rate(c)->e.far, 0);
	assert_int_equal(rate(c)->verdict, VERDICT_SAME);

	/* Once may be the machine, too. */
	((struct synth_rule *)s->rules)[3].mean = 1000;
	((struct synth_rule *)s->rules)[2].to_block = 5;
	c = compare(*state, s);
	assert_int_equal(rate(c)->e.far, 1);
	assert_int_equal(rate(c)->verdict, VERDICT_SAME);
}

static void test_other_baseline(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {"stock", NULL, "ops_per_s", 1000, QUIET},
		{"patched", NULL, "ops_per_s", 1100, QUIET});
	struct world *w = *state;
	const struct comparison *c =
		compare_with(w, s, &(struct compare_options){.baseline = "patched"});
	struct error err = {};

	assert_string_equal(c->baseline, "patched");
	assert_int_equal(find_row(c, "pipe", "stock", "ops_per_s")->verdict, VERDICT_REGRESSION);
	assert_null(
		compare_runs(w->run, NULL, &(struct compare_options){.baseline = "nobody"}, &err));
	assert_int_equal(err.status, KAB_USAGE);
	expect_words(err.text, "'nobody'");
	expect_words(err.text, "stock, patched");
}

static void test_thresholds(void **state)
{
	static const char exact[] =
		"base: {package: linux-source-6.1}\nexecutor: {exact: {}}\nseed: 7\n" ARMS BLOCKS(
			10) PIPE;
	static const char own[] = VM ARMS BLOCKS(10) "threshold: 20%\n" PIPE;
	const struct synth_rule half_percent[] = {
		{"stock", NULL, "ops_per_s", 1000, .boot_sd = 0.0003},
		{"patched", NULL, "ops_per_s", 1005, .boot_sd = 0.0003},
	};
	struct synth s = {.matrix = exact, .rules = half_percent, .nrules = 2, .seed = 3};
	const struct comparison *c = compare(*state, &s);

	assert_true(c->threshold == 0.002);
	assert_string_equal(c->executor, "exact");
	assert_int_equal(rate(c)->verdict, VERDICT_IMPROVEMENT);
	assert_true(warned(c, "counted instructions"));
	s.matrix = pipe_matrix;
	assert_int_equal(rate(compare(*state, &s))->verdict, VERDICT_SAME);
	c = compare_with(*state, &s, &(struct compare_options){.threshold = 0.001});
	assert_int_equal(rate(c)->verdict, VERDICT_IMPROVEMENT);
	s.matrix = own;
	assert_true(compare(*state, &s)->threshold == 0.2);
	/* A stricter alpha widens the interval and raises the floor. */
	s.matrix = pipe_matrix;
	c = compare_with(*state, &s, &(struct compare_options){.threshold = 0.001, .alpha = 0.001});
	assert_int_equal(rate(c)->verdict, VERDICT_UNCLEAR);
	expect_words(rate(c)->note, "11 can");
}

static const char quiet_env[] =
	"{\"accelerator\": \"kvm\", \"clocksource\": \"tsc\", \"cpus\": 2,"
	" \"mitigations\": {\"meltdown\": \"PTI\"}, \"kernel_release\": \"6.1.1\", \"boot_ms\": 1}";

/* A run that stopped before it came to a cell has decided nothing of it, and must not pass a gate. */
static void test_cell_that_nobody_measured(void **state)
{
	struct synth *s = SYNTH(
		VM ARMS BLOCKS(10) "workloads: [{name: 'null', workers: 1, primary: false}, "
				   "{name: pipe}]\n",
		{NULL, NULL, "ops_per_s", 1000, QUIET});
	const struct comparison *c;

	assert_int_equal(comparison_status(compare(*state, s)), KAB_OK);
	s->measured = "null";
	c = compare(*state, s);
	assert_int_equal(comparison_status(c), KAB_UNCLEAR);
	assert_string_equal(c->rows[0].cell, "pipe");
	expect_words(c->rows[0].note, "not measured yet");
	/* But one that was left out on purpose is not missed. */
	s->only = "null";
	c = compare(*state, s);
	assert_int_equal(comparison_status(c), KAB_OK);
	assert_string_equal(c->rows[0].cell, "null");
	s->measured = "none";
	assert_int_equal(comparison_status(compare(*state, s)), KAB_UNCLEAR);
}

static void test_conditions_that_agree_are_not_mentioned(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	const struct comparison *c;

	s->arm_env[0] = quiet_env;
	/* The kernel's name differs between arms, of course. */
	s->arm_env[1] = "{\"accelerator\": \"kvm\", \"clocksource\": \"tsc\", \"cpus\": 2,"
			" \"mitigations\": {\"meltdown\": \"PTI\"}, \"kernel_release\": "
			"\"6.1.1-kab\", \"boot_ms\": 2}";
	c = compare(*state, s);
	assert_int_equal(c->nwarnings, 1);
	assert_true(warned(c, "No A/A control"));
}

static void test_conditions_that_differ_are_told(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	const struct comparison *c;

	s->arm_env[0] = quiet_env;
	s->arm_env[1] =
		"{\"accelerator\": \"tcg\", \"clocksource\": \"hpet\", \"cpus\": 2,"
		" \"mitigations\": {\"meltdown\": \"Vulnerable\"}, \"kernel_release\": \"6.1.1\"}";
	s->life = 2;
	s->unfinished = true;
	c = compare(*state, s);
	assert_true(warned(c, "clocksource differs between arms, which nobody asked for: tsc "
			      "(stock); hpet (patched)") ||
		    warned(c, "clocksource differs between arms, which nobody asked for: hpet "
			      "(patched); tsc (stock)"));
	assert_true(warned(c, "mitigation meltdown differs between arms"));
	assert_true(warned(c, "accelerator differs"));
	assert_true(warned(c, "emulated (TCG)"));
	assert_false(warned(c, "number of CPUs"));
	assert_true(warned(c, "1 boot had to be started again"));
	assert_true(warned(c, "not finished"));
	/* Warnings get into cover letters. */
	assert_false(warned(c, "/tmp/") || warned(c, "/dev/shm/"));
}

/* One arm boots with mitigations=off, as its matrix asks: what follows from it is told all the same. */
static void test_mitigations_off_in_one_arm(void **state)
{
	static const char matrix[] =
		VM "baseline: stock\narms: {stock: {}, off: {cmdline: mitigations=off}}\n" BLOCKS(
			6) PIPE;
	struct synth *s = SYNTH(matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	const struct comparison *c;

	s->arm_env[0] = "{\"accelerator\": \"kvm\", \"cmdline\": \"console=ttyS0 panic=-1\","
			" \"mitigations\": {\"meltdown\": \"Mitigation: PTI\", \"mds\": \"Not "
			"affected\"}}";
	s->arm_env[1] = "{\"accelerator\": \"kvm\", \"cmdline\": \"console=ttyS0 panic=-1 "
			"mitigations=off\", \"mitigations\": {\"meltdown\": \"Vulnerable\", "
			"\"mds\": \"Not affected\"}}";
	c = compare(*state, s);
	assert_true(warned(c, "mitigation meltdown differs between arms, with the command lines "
			      "that the matrix asks for: "));
	assert_true(warned(c, "Mitigation: PTI (stock)"));
	assert_true(warned(c, "Vulnerable (off)"));
	assert_false(warned(c, "mds"));
	assert_true(warned(c, "kernel command line differs between arms"));
	assert_true(warned(c, "mitigations=off (off)"));
	assert_false(warned(c, "ttyS0"));
	assert_false(warned(c, "nobody asked for"));
}

/* What kab itself tells its guest is no condition of the measurement. */
static void test_own_words_on_the_command_line(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});

	s->arm_env[0] = "{\"accelerator\": \"kvm\", \"cmdline\": \"panic=-1 kab.root\"}";
	s->arm_env[1] = "{\"accelerator\": \"kvm\", \"cmdline\": \"panic=-1\"}";
	assert_false(warned(compare(*state, s), "command line"));
}

static void test_host_is_told_of(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	struct world *w = *state;
	struct error err;
	json_t *patch;

	s->arm_env[0] = s->arm_env[1] = "{\"accelerator\": \"kvm\", \"clocksource\": \"hpet\"}";
	s->host = "{\"cpus\": 1, \"governor\": \"powersave\", \"clocksource\": \"tsc\"}";
	compare(w, s);
	assert_true(warned(w->c, "Guests of 2 virtual CPUs shared this machine's 1"));
	assert_true(warned(w->c, "This machine's governor is powersave: frequencies"));
	assert_true(warned(w->c, "The guests' clocksource is hpet: reading"));
	assert_false(warned(w->c, "This machine's clocksource"));
	assert_false(warned(w->c, "Other programs") || warned(w->c, "hypervisor"));

	store_close(w->run);
	w->run = store_open(w->path, true, NULL, &err);
	patch = json_pack("{s:{s:{s:f,s:f,s:f,s:f}}}", "overhead", "host", "all_s", 100.0, "busy_s",
		70.0, "own_s", 40.0, "stolen_s", 2.0);
	assert_int_equal(store_update(w->run, patch, &err), 0);
	json_decref(patch);
	comparison_free(w->c);
	w->c = compare_runs(w->run, NULL, &(struct compare_options){}, &err);
	assert_true(warned(w->c, "Other programs took 30 % of this machine's CPU time"));
	assert_true(warned(w->c, "A hypervisor gave 2 %"));
}

static void test_condition_that_changed_within_an_arm(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	struct world *w = *state;
	__free_char char *boot = NULL;
	struct error err;

	s->arm_env[0] = s->arm_env[1] = quiet_env;
	compare(w, s);
	boot = xasprintf("%s/boots/4", w->path);
	fixture_write(boot, "boot.json",
		"{\"env\": {\"accelerator\": \"kvm\", \"clocksource\": \"hpet\", \"cpus\": 2,"
		" \"kernel_release\": \"6.1.9\"}}");
	comparison_free(w->c);
	w->c = compare_runs(w->run, NULL, &(struct compare_options){}, &err);
	assert_true(warned(w->c, "clocksource changed from boot to boot"));
	assert_true(warned(w->c, "kernel release changed from boot to boot"));
}

#define BUILT(label, config, tools)                    \
	"{\"label\": \"" label "\", \"key\": \"" label \
	"\", \"config\": [], \"align\": 0, \"meta\":"  \
	" {\"toolchain\": \"" tools "\", \"config\": {" config "}}}"

static void test_builds_that_differ_are_told(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	const struct comparison *c;

	/* An option that only the patched kernel has is what its patches brought. */
	s->arms = "[" BUILT("stock", "\"CONFIG_HZ\": \"250\"", "gcc 12") "," BUILT(
		"patched", "\"CONFIG_HZ\": \"250\", \"CONFIG_NEW\": \"y\"", "gcc 12") "]";
	c = compare(*state, s);
	assert_false(warned(c, "configurations differ") || warned(c, "compilers"));

	s->arms = "[" BUILT("stock", "\"CONFIG_HZ\": \"250\", \"CONFIG_SMP\": \"y\"",
		"gcc 12") "," BUILT("patched", "\"CONFIG_HZ\": \"1000\"", "gcc 13") "]";
	c = compare(*state, s);
	assert_true(warned(c, "CONFIG_HZ 250 (stock), 1000 (patched)"));
	assert_true(warned(c, "CONFIG_SMP y (stock), not set (patched)"));
	assert_true(warned(c, "different compilers: gcc 12 (stock); gcc 13 (patched)"));
}

static void test_builds_that_were_to_differ_are_not_told(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});

	s->arms = "[{\"label\": \"stock\", \"config\": [], \"meta\": {\"config\": {\"CONFIG_HZ\": "
		  "\"250\"}}},"
		  " {\"label\": \"patched\", \"config\": [\"thing\"],"
		  "  \"meta\": {\"config\": {\"CONFIG_HZ\": \"250\", \"CONFIG_THING\": \"y\"}}}]";
	assert_false(warned(compare(*state, s), "configurations differ"));
	/* But for what no workload stays as it was with: the fragment may not have meant it. */
	s->arms = "[{\"label\": \"stock\", \"config\": [], \"meta\": {\"config\": {\"CONFIG_HZ\": "
		  "\"250\", \"CONFIG_TRANSPARENT_HUGEPAGE\": \"y\"}}},"
		  " {\"label\": \"patched\", \"config\": [\"thing\"],"
		  "  \"meta\": {\"config\": {\"CONFIG_HZ\": \"1000\", \"CONFIG_THING\": \"y\"}}}]";
	assert_true(warned(compare(*state, s),
		"differ in what moves all figures: CONFIG_HZ 250 (stock), 1000 (patched); CONFIG_TRANSPARENT_HUGEPAGE y (stock), "
		"not set (patched)."));
}

static void test_drift_inside_boots_is_told(void **state)
{
	struct synth *s = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET, .slope = 0.02});

	assert_true(
		warned(compare(*state, s), "pipe never settled: inside a boot ops_per_s rises"));
}

/* What is told of boots of a guest is told of visits where nothing boots. */
static void test_doubts_of_visits(void **state)
{
	struct synth *s = SYNTH("executor: {local: {}}\nseed: 7\n" ARMS BLOCKS(10) PIPE,
		{NULL, NULL, "ops_per_s", 1000, QUIET, .slope = 0.02});
	struct world *w = *state;
	__free_char char *boot = NULL;
	struct error err;

	s->arm_env[0] = s->arm_env[1] = quiet_env;
	s->life = 2;
	compare(w, s);
	boot = xasprintf("%s/boots/4", w->path);
	fixture_write(boot, "boot.json", "{\"env\": {\"clocksource\": \"hpet\"}}");
	comparison_free(w->c);
	w->c = compare_runs(w->run, NULL, &(struct compare_options){}, &err);
	assert_true(warned(w->c, "1 visit had to be started again"));
	assert_true(warned(w->c, "pipe never settled: inside a visit ops_per_s rises"));
	assert_true(warned(w->c, "clocksource changed from visit to visit"));
}

static void test_outliers_of_the_baseline_count_once(void **state)
{
	static const char matrix[] = VM "baseline: stock\narms: {stock: {}, one: {series: [a]}, "
					"two: {series: [b]}}\n" BLOCKS(10) PIPE;
	struct synth *s = SYNTH(matrix, {NULL, NULL, "ops_per_s", 1000, .sample_sd = 0.0001},
		{"stock", NULL, "ops_per_s", 5000, .from_block = 2, .to_block = 3},
		{"two", NULL, "ops_per_s", 5000, .from_block = 4, .to_block = 5});

	s->drift_sd = 0;
	/* Three samples of each of the two boots, and what normal samples have beyond their fences.
	 */
	assert_in_range(compare(*state, s)->outliers, 6, 9);
}

#define LOCAL(label_text)                                                                          \
	"base: {package: linux-source-6.1}\nexecutor: {local: {label: " label_text "}}\nseed: 7\n" \
	"baseline: here\narms: {here: {}}\n"

static const struct comparison *compare_two(
	struct world *w, const struct synth *first, const struct synth *second)
{
	struct error err;

	w->path = synth_run(w->results, first);
	w->other_path = synth_run(w->results, second);
	w->run = must_open(w->path);
	w->other = must_open(w->other_path);
	w->c = compare_runs(w->run, w->other, &(struct compare_options){}, &err);
	if (!w->c)
		fail_msg("%s", err.text);
	return w->c;
}

static void expect_table(const struct comparison *c, const char *words)
{
	__free_char char *table = comparison_table(c, false, false);

	expect_words(table, words);
}

/* Nothing boots on a running kernel: its arms are visited. */
static void test_two_local_runs(void **state)
{
	struct synth *a =
		SYNTH(LOCAL("old") BLOCKS(8) PIPE, {NULL, NULL, "ops_per_s", 1000, QUIET});
	struct synth *b = SYNTH(LOCAL("new") BLOCKS(8) PIPE, {NULL, NULL, "ops_per_s", 800, QUIET});
	const struct comparison *c;
	const struct row *r;

	a->drift_sd = b->drift_sd = 0;
	a->host = "{\"label\": \"old\"}";
	b->host = "{\"label\": \"new\"}";
	c = compare_two(*state, a, b);
	r = find_row(c, "pipe", "new", "ops_per_s");
	assert_string_equal(c->baseline, "old");
	assert_int_equal(r->verdict, VERDICT_REGRESSION);
	assert_false(c->paired || r->e.paired || r->control);
	assert_int_equal(r->e.blocks, 8);
	assert_true(warned(c, "measured apart") && warned(c, "boot-to-boot variation"));
	expect_table(c, "\n8 visits a side; ");
	assert_int_equal(c->ok, 48);
	assert_int_equal(comparison_status(c), KAB_REGRESSION);
}

/* kab's own controls do not make a matrix one of several arms, whose names would then be those in it. */
static void test_two_local_runs_with_controls(void **state)
{
	struct synth *a = SYNTH(LOCAL("old") "aa: true\n" BLOCKS(8) PIPE, {NULL, NULL, "ops_per_s", 1000, QUIET});
	struct synth *b = SYNTH(LOCAL("new") "aa: true\n" BLOCKS(8) PIPE, {NULL, NULL, "ops_per_s", 800, QUIET});
	const struct comparison *c;

	a->host = "{\"label\": \"old\"}";
	b->host = "{\"label\": \"new\"}";
	c = compare_two(*state, a, b);
	assert_string_equal(c->baseline, "old");
	assert_int_equal(find_row(c, "pipe", "new", "ops_per_s")->verdict, VERDICT_REGRESSION);
}

/* The one report of two runs: whose kernels they are, and both commands. */
static void test_cover_letter_of_two_runs(void **state)
{
	struct world *w = *state;
	struct synth *a = SYNTH(LOCAL("old") BLOCKS(8) PIPE, {NULL, NULL, "ops_per_s", 1000, QUIET});
	struct synth *b = SYNTH(LOCAL("new") BLOCKS(8) PIPE, {NULL, NULL, "ops_per_s", 800, QUIET});
	struct buf text = {};
	struct report r;
	struct error err;

	a->host = "{\"label\": \"old\", \"kernel_release\": \"6.1.1\"}";
	b->host = "{\"label\": \"new\", \"kernel_release\": \"6.1.2\"}";
	a->arms = b->arms = "[{\"label\": \"here\", \"series\": [], \"config\": []}]";
	compare_two(w, a, b);
	assert_int_equal(report_data_make(w->run, w->other, w->c, &r, &err), 0);
	assert_int_equal(report_cover(&r, NULL, &text, &err), 0);
	expect_words(text.data, "new against old: 1 regression, 0 improvements of 1");
	expect_words(text.data, "\nold: the running kernel, Linux 6.1.1\nnew: the running kernel, Linux 6.1.2\n");
	assert_int_equal(r.nother_command, r.ncommand);
	assert_int_equal(r.narms, 2);
	assert_true(r.arms[0].run == w->run && r.arms[1].run == w->other);
	assert_true(!strcmp(r.arms[0].shown, "old") && !strcmp(r.arms[1].shown, "new"));
	report_data_clear(&r);
	buf_free(&text);
}

static void test_one_arm_has_nothing_to_compare(void **state)
{
	const struct comparison *c = compare(
		*state, SYNTH(LOCAL("old") BLOCKS(2) PIPE, {NULL, NULL, "ops_per_s", 1000, QUIET}));

	assert_int_equal(c->nrows, 0);
	assert_true(warned(c, "one arm, here, and nothing to compare it with"));
	assert_int_equal(comparison_status(c), KAB_UNCLEAR);
}

/* With a single visit on each side there is nothing but samples. */
static void test_two_local_runs_of_one_visit(void **state)
{
	static const char first[] = LOCAL("old") "blocks: 1\nsamples: 12\nwarmup: 1\n" PIPE;
	static const char second[] = LOCAL("new") "blocks: 1\nsamples: 12\nwarmup: 1\n" PIPE;
	struct synth *a = SYNTH(first, {NULL, NULL, "ops_per_s", 1000, QUIET});
	struct synth *b = SYNTH(second, {NULL, NULL, "ops_per_s", 1200, QUIET});
	const struct comparison *c = compare_two(*state, a, b);
	const struct row *r = find_row(c, "pipe", "second run's here", "ops_per_s");

	assert_int_equal(r->e.blocks, 12);
	assert_int_equal(r->verdict, VERDICT_IMPROVEMENT);
	expect_table(c, "\n12 samples a side; ");
	assert_true(warned(c, "boot-to-boot variation"));
}

static void test_two_runs_without_a_common_cell(void **state)
{
	struct synth *a =
		SYNTH(LOCAL("old") BLOCKS(2) PIPE, {NULL, NULL, "ops_per_s", 1000, QUIET});
	struct synth *b = SYNTH(LOCAL("new") BLOCKS(2) "workloads: [{name: messaging}]\n",
		{NULL, NULL, "ops_per_s", 800, QUIET});
	struct world *w = *state;
	struct error err = {};

	w->path = synth_run(w->results, a);
	w->other_path = synth_run(w->results, b);
	w->run = must_open(w->path);
	w->other = must_open(w->other_path);
	assert_null(compare_runs(w->run, w->other, &(struct compare_options){}, &err));
	assert_int_equal(err.status, KAB_USAGE);
	expect_words(err.text, "no cell in common");
}

/* A name leaves out what does not vary in its matrix: two things may share it. */
static void test_two_runs_of_different_cells(void **state)
{
	struct synth *a = SYNTH(LOCAL("old") BLOCKS(8) "workloads: [{name: pipe, mode: process}, {name: messaging}]\n",
		{NULL, NULL, "ops_per_s", 1000, QUIET});
	struct synth *b = SYNTH(
		LOCAL("new") BLOCKS(8) "workloads: [{name: pipe, mode: thread}, {name: messaging, duration: 700ms}]\n",
		{NULL, NULL, "ops_per_s", 800, QUIET});
	const struct comparison *c = compare_two(*state, a, b);

	assert_true(warned(c, "pipe is not the same in the two runs, which differ in \"mode\""));
	for (size_t i = 0; i < c->nrows; i++)
		assert_string_equal(c->rows[i].cell, "messaging");
	assert_int_equal(find_row(c, "messaging", "second run's here", "ops_per_s")->verdict, VERDICT_REGRESSION);
}

/* Instructions are no times. */
static void test_two_runs_of_two_kinds(void **state)
{
	struct synth *a = SYNTH(LOCAL("old") BLOCKS(2) PIPE, {NULL, NULL, "ops_per_s", 1000, QUIET});
	struct synth *b = SYNTH(pipe_matrix, {NULL, NULL, "ops_per_s", 1000, QUIET});
	struct world *w = *state;
	struct error err = {};

	w->path = synth_run(w->results, a);
	w->other_path = synth_run(w->results, b);
	w->run = must_open(w->path);
	w->other = must_open(w->other_path);
	assert_null(compare_runs(w->run, w->other, &(struct compare_options){}, &err));
	assert_int_equal(err.status, KAB_USAGE);
	expect_words(err.text, "of the executor local, ");
}

/* Twenty cells of a kernel against itself, as noisy as a TCG guest: with Holm, a change in any is
 * rare. */
static void test_many_cells_of_nothing(void **state)
{
	static const char matrix[] =
		VM ARMS "blocks: 10\nsamples: 3\nwarmup: 0\n"
			"workloads: [{name: pipe, size: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]},"
			" {name: 'null', size: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}]\n";
	const struct comparison *c =
		compare(*state, SYNTH(matrix, {NULL, NULL, "ops_per_s", 1000, NOISY}));

	assert_int_equal(c->primary_count, 20);
	for (size_t i = 0; i < c->nrows; i++)
		assert_false(verdict_is_change(c->rows[i].verdict));
}

static enum verdict judge(enum metric_better better, double lo, double hi, double p_adj)
{
	const struct verdict_rule rule = {.alpha = 0.05, .threshold = 0.02, .comparisons = 1};
	struct row r = {
		.metric = {.name = "m", .unit = "", .better = better, .scale = SCALE_RATIO},
		.e = {.effect = (lo + hi) / 2,
			.lo = lo,
			.hi = hi,
			.blocks = 10,
			.boot_sd = 0.1,
			.paired = true},
		.p_adj = p_adj,
	};

	verdict_judge(&r, &rule);
	free(r.note);
	return r.verdict;
}

static void test_rule_of_verdicts(void **state)
{
	(void)state;
	assert_int_equal(judge(BETTER_MORE, 1.03, 1.05, 0.01), VERDICT_IMPROVEMENT);
	assert_int_equal(judge(BETTER_LESS, 1.03, 1.05, 0.01), VERDICT_REGRESSION);
	assert_int_equal(judge(BETTER_MORE, 0.95, 0.97, 0.01), VERDICT_REGRESSION);
	assert_int_equal(judge(BETTER_LESS, 0.95, 0.97, 0.01), VERDICT_IMPROVEMENT);
	assert_int_equal(judge(BETTER_NONE, 0.95, 0.97, 0.01), VERDICT_CHANGED);
	/* p and interval must both say so. */
	assert_int_equal(judge(BETTER_MORE, 1.03, 1.05, 0.06), VERDICT_UNCLEAR);
	assert_int_equal(judge(BETTER_MORE, 0.99, 1.05, 0.01), VERDICT_UNCLEAR);
	assert_int_equal(judge(BETTER_MORE, 1.03, 1.05, NAN), VERDICT_UNCLEAR);
	assert_int_equal(judge(BETTER_MORE, NAN, NAN, 0.01), VERDICT_UNCLEAR);
	/* Sameness asks for the whole interval. */
	assert_int_equal(judge(BETTER_MORE, 0.981, 1.019, 1), VERDICT_SAME);
	assert_int_equal(judge(BETTER_MORE, 1.005, 1.019, 0.001), VERDICT_SAME);
	assert_int_equal(judge(BETTER_MORE, 0.979, 1.019, 1), VERDICT_UNCLEAR);
	assert_int_equal(judge(BETTER_MORE, 1.005, 1.021, 0.001), VERDICT_IMPROVEMENT);
}

static void test_status_of_several(void **state)
{
	struct row rows[] = {
		{.primary = true, .verdict = VERDICT_SAME},
		{.primary = true, .verdict = VERDICT_SAME},
	};
	struct comparison c = {.rows = rows, .nrows = 2};

	(void)state;
	assert_int_equal(comparison_status(&c), KAB_OK);
	rows[0].verdict = VERDICT_UNCLEAR;
	assert_int_equal(comparison_status(&c), KAB_UNCLEAR);
	rows[1].verdict = VERDICT_REGRESSION;
	assert_int_equal(comparison_status(&c), KAB_REGRESSION);
	assert_int_equal(comparison_status_for(&c, FAIL_ON_UNCLEAR), KAB_UNCLEAR);
	assert_int_equal(comparison_status_for(&c, FAIL_ON_FAILED), KAB_OK);
	assert_int_equal(comparison_status_for(&c, 0), KAB_OK);
	rows[1].primary = rows[0].primary = false;
	assert_int_equal(comparison_status(&c), KAB_OK);
	c.failed = 1;
	assert_int_equal(comparison_status(&c), KAB_REGRESSION);
}

static void test_fail_on_list(void **state)
{
	struct error err = {};
	unsigned bits;

	(void)state;
	assert_int_equal(fail_on_parse("regression,unclear", &bits, &err), 0);
	assert_int_equal(bits, FAIL_ON_REGRESSION | FAIL_ON_UNCLEAR);
	assert_int_equal(fail_on_parse("failed", &bits, &err), 0);
	assert_int_equal(bits, FAIL_ON_FAILED);
	assert_int_equal(fail_on_parse("none", &bits, &err), 0);
	assert_int_equal(bits, 0);
	assert_int_equal(fail_on_parse("regression,", &bits, &err), -1);
	assert_int_equal(fail_on_parse("", &bits, &err), -1);
	assert_int_equal(fail_on_parse("regress", &bits, &err), -1);
	assert_int_equal(err.status, KAB_USAGE);
	expect_words(err.text, "'regress'");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_ten_percent_faster_is_an_improvement),
		T(test_ten_percent_slower_is_a_regression),
		T(test_more_of_a_time_is_a_regression),
		T(test_same_kernel_on_a_quiet_machine_is_same),
		T(test_same_wins_over_a_small_significant_change),
		T(test_same_kernel_on_a_noisy_machine_is_unclear),
		T(test_one_block_cannot_decide),
		T(test_blocks_below_the_floor_cannot_decide),
		T(test_failed_on_one_side),
		T(test_failed_everywhere),
		T(test_a_few_failures_leave_blocks_out),
		T(test_no_block_in_common),
		T(test_skipped_on_one_side),
		T(test_all_skipped_decides_nothing),
		T(test_primary_figure_of_one_side),
		T(test_counts_of_each_sample_are_no_change),
		T(test_a_small_part_of_each_sample_s),
		T(test_what_comes_with_a_sample_varies),
		T(test_counts_of_as_many_operations),
		T(test_samples_of_an_unknown_arm),
		T(test_counts_that_may_be_zero),
		T(test_secondary_metrics_are_corrected_one_by_one),
		T(test_controls_cost_the_others_nothing),
		T(test_a_zero_rate_has_no_ratio),
		T(test_what_only_one_arm_has_is_shown),
		T(test_holm_over_primary_comparisons),
		T(test_command_is_compared_by_its_figure),
		T(test_aa_run_is_all_controls),
		T(test_control_that_changed_is_told),
		T(test_arm_like_the_baseline_is_a_control),
		T(test_aa_cells_beside_the_others),
		T(test_layout_is_no_effect),
		T(test_layout_that_is_not_known_well),
		T(test_turns_bear_a_machine_of_two_speeds),
		T(test_turns_of_an_arm_that_lacks_cells),
		T(test_turns_now_and_then_far_off),
		T(test_counts_do_not_take_turns),
		T(test_now_and_then_far_off),
		T(test_other_baseline),
		T(test_thresholds),
		T(test_cell_that_nobody_measured),
		T(test_conditions_that_agree_are_not_mentioned),
		T(test_conditions_that_differ_are_told),
		T(test_mitigations_off_in_one_arm),
		T(test_own_words_on_the_command_line),
		T(test_host_is_told_of),
		T(test_condition_that_changed_within_an_arm),
		T(test_builds_that_differ_are_told),
		T(test_builds_that_were_to_differ_are_not_told),
		T(test_drift_inside_boots_is_told),
		T(test_doubts_of_visits),
		T(test_outliers_of_the_baseline_count_once),
		T(test_one_arm_has_nothing_to_compare),
		T(test_two_local_runs),
		T(test_two_local_runs_with_controls),
		T(test_cover_letter_of_two_runs),
		T(test_two_local_runs_of_one_visit),
		T(test_two_runs_without_a_common_cell),
		T(test_two_runs_of_different_cells),
		T(test_two_runs_of_two_kinds),
		T(test_many_cells_of_nothing),
		cmocka_unit_test(test_rule_of_verdicts),
		cmocka_unit_test(test_status_of_several),
		cmocka_unit_test(test_fail_on_list),
	};

	return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
