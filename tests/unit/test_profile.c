// SPDX-License-Identifier: GPL-2.0-or-later
/* Passes under perf record: stacks folded, events counted, arms compared, and perf itself run. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "jobrun.h"
#include "lockwait.h"
#include "profile.h"
#include "proto.h"
#include "report.h"
#include "run_fixture.h"
#include "skip.h"
#include "util.h"

/* As perf 6.1 prints "-F comm,ip,sym". */
static const char script[] = "kab-workload \n"
			     "\tffffffff81001000 copy_page+0x10\n"
			     "\tffffffff81002000 do_fault\n"
			     "\tffffffff81003000 asm_exc_page_fault\n"
			     "\t          4012ab main\n"
			     "\n"
			     "kab-workload \n"
			     "\t          4012ab main\n"
			     "\n"
			     "kab-workload \n"
			     "\tffffffff81001000 copy_page\n"
			     "\tffffffff81002000 do_fault\n"
			     "\tffffffff81003000 asm_exc_page_fault\n"
			     "\n"
			     "swapper \n"
			     "\tffffffff81004000 default_idle\n"
			     "\tffffffff81005000 do_idle\n"
			     "\n"
			     "swapper \n"
			     "\tffffffff81006000 flush_tlb_func\n"
			     "\tffffffff81004000 default_idle\n"
			     "\n"
			     "a b;c \n"
			     "\tffffffff81006000 flush_tlb_func\n"
			     "\n"
			     "perf \n"
			     "\tffffffff81006000 flush_tlb_func\n"
			     "\n";

static void test_stacks_fold(void **state)
{
	__free_char char *folded = profile_fold(script), *nothing = profile_fold("");

	(void)state;
	assert_string_equal(folded, "kab-workload;asm_exc_page_fault;do_fault;copy_page 2\n"
				    "a_b_c;flush_tlb_func 1\n"
				    "kab-workload;[user] 1\n"
				    "swapper;[idle] 1\n"
				    "swapper;default_idle;flush_tlb_func 1\n");
	assert_string_equal(nothing, "");
}

/* A torn last stack, and frames of nobody, are no reason to crash or to count what was not there.
 */
static void test_torn_stacks(void **state)
{
	static const char *const torn[] = {"\tffffffff81001000 x\n", "a \n\tffffffff8100", "\n\n\n",
		"a", "a \n\t\n\n", " \n \n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(torn); i++) {
		__free_char char *folded = profile_fold(torn[i]);

		if (torn[i][0] != 'a')
			assert_string_equal(folded, "");
		else
			assert_string_equal(folded, "a;[user] 1\n");
	}
}

static void test_events_are_counted(void **state)
{
	__free_char char *events = profile_count_events(
		"tlb:tlb_flush: pages:5 reason:local (3)\n"
		"    tlb:tlb_flush: pages:7 reason:remote (1)\n"
		"sched:sched_switch: prev_comm=a prev_pid=7 prev_state=S ==> next_pid=9\n"
		"x:minus: pages:-5 zero=0 one=0x1\n"
		"no event at all\n");

	(void)state;
	assert_string_equal(events, "tlb:tlb_flush 2\n"
				    "tlb:tlb_flush pages=4-7 2\n"
				    "sched:sched_switch 1\n"
				    "sched:sched_switch prev_state=S 1\n"
				    "tlb:tlb_flush reason=local 1\n"
				    "tlb:tlb_flush reason=remote 1\n"
				    "x:minus 1\n"
				    "x:minus one=1 1\n"
				    "x:minus pages=-7--4 1\n"
				    "x:minus zero=0 1\n");
}

/* As perf 6.1 prints "-F tid,cpu,time,event,trace,ip,sym" of a kernel's events, one of them with stacks. */
static const char waits[] =
	"   71 [001]    10.000001: lock:contention_begin: 0xffff888000001000 (flags=READ)\n"
	"\tffffffff81001000 rwsem_down_read_slowpath\n"
	"\tffffffff81002000 down_read_killable\n"
	"\tffffffff81003000 do_user_addr_fault\n"
	"\tffffffff81004000 down_read\n"
	"\t          4012ab main\n"
	"\n"
	"   72 [000]    10.000003: lock:contention_begin: 0xffff888000001000 (flags=WRITE)\n"
	"\tffffffff81001000 rwsem_down_write_slowpath\n"
	"\tffffffff81005000 dup_mmap\n"
	"\n"
	"   71 [003]    10.000004500:   lock:contention_end: 0xffff888000001000 (ret=0) ffffffff81001000 rwsem_down_read_slowpath\n"
	"   73 [002]    10.000006: lock:contention_begin: 0xffff888000002000 (flags=WRITE)\n"
	"\tffffffff81001000 rwsem_down_write_slowpath\n"
	"\tffffffff81006000 unlink_anon_vmas\n"
	"\n"
	"    0 [002]    10.000007: lock:contention_begin: 0xffff888000003000 (flags=SPIN)\n"
	"    0 [001]    10.000009: lock:contention_begin: 0xffff888000003000 (flags=SPIN)\n"
	"    0 [002]    10.000010:   lock:contention_end: 0xffff888000003000 (ret=0)\n"
	"   73 [002]    10.000016:   lock:contention_end: 0xffff888000002000 (ret=0)\n"
	"   72 [000]    10.000103:   lock:contention_end: 0xffff888000001000 (ret=0)\n"
	"   74 [000]    10.000104:   lock:contention_end: 0xffff888000001000 (ret=0)\n";

/* Of two that wait for one lock both are for the mmap_lock, though one alone tells; a wait without an end is none. */
static void test_waits_are_summed(void **state)
{
	__free_char char *events = profile_count_events(waits);
	static const char *const lines[] = {"lock:contention_begin 5\n", "lock:contention_begin flags=SPIN 2\n",
		"lock:contention_end 5\n", "lock:wait flags=READ 1\n", "lock:wait flags=WRITE 2\n",
		"lock:wait flags=SPIN 1\n", "lock:wait_us flags=READ 4\n", "lock:wait_us flags=WRITE 110\n",
		"lock:wait_us flags=SPIN 3\n", "lock:wait lock=mmap_lock flags=READ 1\n",
		"lock:wait lock=mmap_lock flags=WRITE 1\n", "lock:wait_us lock=mmap_lock flags=READ 4\n",
		"lock:wait_us lock=mmap_lock flags=WRITE 100\n", "lock:wait at=do_user_addr_fault flags=READ 1\n",
		"lock:wait_us at=dup_mmap flags=WRITE 100\n", "lock:wait_us at=unlink_anon_vmas flags=WRITE 10\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!strstr(events, lines[i]))
			fail_msg("no %sin\n%s", lines[i], events);
	assert_null(strstr(events, "at=down_read"));
	assert_null(strstr(events, "at=main"));
}

static void test_torn_waits(void **state)
{
	static const char *const torn[] = {"1 [0] 1.0: lock:contention_begin: ", "1 [0] 1.0: lock:contention_begin: 0x",
		"1 [0] 1.0: lock:contention_begin: 0x1 (flags", "1 [0] 1.0: lock:contention_end: 0x1",
		"1 [0] 1.0: lock:contention_begin: 0x1 (flags=READ)\n\t", "\tffffffff81001000 x", "1 [0] 1.",
		"1 [0] 1.0: lock:contention_begin: 0x1 (flags=READ)\n\tffffffff81001000"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(torn); i++) {
		__free_char char *events = profile_count_events(torn[i]);

		assert_null(strstr(events, "lock:wait"));
	}
}

/* Stacks tell who waits; of other events they would be in the way. */
static void test_stacks_of_waits_alone(void **state)
{
	__free_char char *one = lockwait_events("lock:contention_begin,lock:contention_end,tlb:*"),
			 *all = lockwait_events("lock:*"), *none = lockwait_events("tlb:tlb_flush");

	(void)state;
	assert_string_equal(one, "lock:contention_begin/call-graph=fp/,lock:contention_end,tlb:*");
	assert_string_equal(all, "lock:*/call-graph=fp/");
	assert_string_equal(none, "tlb:tlb_flush");
}

static void test_bytes_survive(void **state)
{
	unsigned char in[300];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)(i * 37);
	for (size_t len = 0; len <= sizeof(in); len++) {
		__free_char char *text = proto_bytes(in, len);
		size_t n = 1234;
		void *out = proto_from_bytes(text, &n);

		assert_non_null(out);
		assert_int_equal(n, len);
		assert_memory_equal(out, in, len);
		free(out);
	}
	{
		static const char *const bad[] = {"abc", "ab=c", "a===", "ab!d", "abcdé", "=abc"};
		size_t n;

		for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
			assert_null(proto_from_bytes(bad[i], &n));
	}
}

/* The wish to record gets to the agent, and only where it was wished. */
static void test_the_wish_is_sent(void **state)
{
	static const char *const wishes[] = {JOB_PROFILE, "sched:sched_switch", NULL};
	const char *const argv[] = {"true", NULL}, *const none[] = {NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
		const struct job job = {.id = "x",
			.argv = argv,
			.capture = none,
			.record = wishes[i],
			.timeout_s = 9};
		json_t *msg = proto_job(&job);
		struct proto_job pj;
		struct error err = {0};

		if (proto_parse_job(msg, &pj, &err))
			fail_msg("%s", err.text);
		if (wishes[i])
			assert_string_equal(pj.job.record, wishes[i]);
		else
			assert_null(pj.job.record);
		proto_job_clear(&pj);
		json_decref(msg);
	}
}

/* ---- the plan -------------------------------------------------------------------------------- */

static const char passes_matrix[] = "arms:\n"
				    "  stock: {}\n"
				    "  patched: {cmdline: quiet}\n"
				    "executor: {vm: {cpus: 2, nodes: 1, memory: 512M}}\n"
				    "blocks: 10\n"
				    "samples: 2\n"
				    "warmup: 1\n"
				    "seed: 7\n"
				    "observers: [perf-record]\n"
				    "tracepoints: ['sched:sched_switch', 'tlb:*']\n"
				    "workloads:\n"
				    "  - {name: pipe}\n"
				    "  - {name: localcpu}\n";

/* One of each kind and cell, behind everything that is timed. */
static void test_passes_come_last(void **state)
{
	struct run_fixture f = {};

	(void)state;
	fixture_make(&f, passes_matrix);
	assert_string_equal(f.matrix->tracepoints, "sched:sched_switch,tlb:*");
	for (size_t i = 0; i < f.plan->nboots; i++) {
		const struct plan_boot *b = &f.plan->boots[i];
		unsigned seen[PASSES][2] = {};

		assert_int_equal(b->nsamples, 2 * 3 + 2 * 2);
		for (size_t j = 0; j < b->nsamples; j++) {
			assert_int_equal(b->samples[j].pass != PASS_NONE, j >= 6);
			assert_true(!b->samples[j].pass || b->samples[j].warmup);
			seen[b->samples[j].pass][b->samples[j].cell]++;
		}
		for (size_t pass = PASS_RECORD; pass < PASSES; pass++)
			for (size_t cell = 0; cell < 2; cell++)
				assert_int_equal(seen[pass][cell], 1);
	}
	fixture_drop(&f);
}

static void test_matrix_mistakes(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
		{"arms: {a: {}}\ntracepoints: [sched]\nworkloads: [{name: pipe}]\n",
			"m.yaml:2:15: 'sched' is no tracepoint"},
		{"arms: {a: {}}\ntracepoints: ['sched:x; rm -rf']\nworkloads: [{name: pipe}]\n",
			"is no tracepoint"},
		{"arms: {a: {}}\nexecutor: {exact: {}}\ntracepoints: ['a:b']\nworkloads: [{name: "
		 "pipe}]\n",
			"m.yaml:3:14: the exact executor's guest has no perf"},
		{"arms: {a: {}}\nexecutor: {exact: {}}\nobservers: [perf-record]\nworkloads: "
		 "[{name: pipe}]\n",
			"the exact executor's guest has no perf"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = {0};

		assert_null(matrix_parse("m.yaml", bad[i].text, &err));
		if (!strstr(err.text, bad[i].want))
			fail_msg("%s", err.text);
	}
}

/* ---- the table ------------------------------------------------------------------------------- */

/* Shares wander from boot to boot by some percent of themselves. */
static unsigned wander(unsigned around, unsigned seed)
{
	return around + around * (seed * 7919 % 41) / 200;
}

static void add_pass(struct store *s, const struct run_fixture *f, size_t boot, size_t at)
{
	const struct plan_boot *b = &f->plan->boots[boot];
	struct sample smp = fixture_sample(f, boot, at);
	bool patched = !strcmp(smp.arm, "patched");
	unsigned seed = b->block * 4 + patched * 2 + (unsigned)b->samples[at].cell;
	__free_char char *text = NULL;
	struct error err;

	smp.pass = xstrdup(pass_name(b->samples[at].pass));
	/* In patched, flush goes from 10 to 30 parts of about 100; the rest stays as it was. */
	if (b->samples[at].pass == PASS_RECORD)
		text = xasprintf(
			"w;entry;flush %u\nw;entry;copy %u\nw;[user] %u\nswapper;[idle] 5000\n",
			wander(patched ? 3000 : 1000, seed), wander(5000, seed + 1),
			wander(4000, seed + 2));
	else
		text = xasprintf("tlb:tlb_flush %u\ntlb:tlb_flush pages=1 %u\n",
			wander(patched ? 10000 : 20000, seed), wander(500, seed));
	assert_int_equal(
		store_raw(s, smp.id,
			b->samples[at].pass == PASS_RECORD ? PROFILE_FOLDED : PROFILE_EVENTS, text,
			strlen(text), &err),
		0);
	assert_int_equal(store_append(s, &smp, &err), 0);
	sample_clear(&smp);
}

/* A run of which nothing but the passes of its first @blocks blocks is there. */
static struct store *passes_run(struct run_fixture *f, unsigned blocks)
{
	struct error err;
	struct store *s;

	fixture_make(f, passes_matrix);
	s = store_create(f->results, f->plan, NULL, NULL, NULL, &err);
	assert_non_null(s);
	for (size_t i = 0; i < f->plan->nboots; i++)
		for (size_t j = 0; j < f->plan->boots[i].nsamples; j++)
			if (f->plan->boots[i].block < blocks && f->plan->boots[i].samples[j].pass)
				add_pass(s, f, i, j);
	return s;
}

static double at(const json_t *row, const char *key)
{
	return json_number_value(
		json_object_get(json_array_get(json_object_get(row, "differences"), 1), key));
}

static const json_t *row_of(const json_t *table, const char *name)
{
	const json_t *rows = json_object_get(table, "rows");

	for (size_t i = 0; i < json_array_size(rows); i++)
		if (!strcmp(json_string_value(json_object_get(json_array_get(rows, i), "name")),
			    name))
			return json_array_get(rows, i);
	return NULL;
}

static void test_what_grew_comes_first(void **state)
{
	struct run_fixture f = {};
	struct store *s = passes_run(&f, 10);
	struct error err;
	json_t *table = profile_table(s, "pipe", PASS_RECORD, &err);
	const json_t *row = json_array_get(json_object_get(table, "rows"), 0);

	(void)state;
	assert_non_null(table);
	assert_string_equal(json_string_value(json_object_get(row, "name")), "flush");
	/* 10 of 100 against 30 of 120: 15 points. */
	assert_true(fabs(at(row, "effect") - 15) < 2);
	assert_true(at(row, "lo") > 12 && at(row, "hi") < 18);
	assert_true(at(row, "p") < 0.05);
	/* The idle loop is in no share, and has no row. */
	assert_null(row_of(table, "[idle]"));
	assert_true(fabs(json_number_value(json_array_get(json_object_get(row, "values"), 0)) -
			    10) < 1.5);
	json_decref(table);
	store_close(s);
	fixture_drop(&f);
}

/* Events are counted by the operation, and what did not change is not called changed. */
static void test_events_by_the_operation(void **state)
{
	struct run_fixture f = {};
	struct store *s = passes_run(&f, 10);
	struct error err;
	json_t *table = profile_table(s, "localcpu", PASS_TRACE, &err);
	const json_t *row = row_of(table, "tlb:tlb_flush"),
		     *same = row_of(table, "tlb:tlb_flush pages=1");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(table, "unit")), "an operation");
	assert_true(at(row, "hi") < 0 && at(row, "p") < 0.05);
	assert_true(at(row, "effect") < -8 && at(row, "effect") > -13);
	assert_true(at(same, "lo") <= 0 && at(same, "hi") >= 0);
	assert_true(at(same, "p") > 0.05);
	json_decref(table);
	store_close(s);
	fixture_drop(&f);
}

/* One block has no interval, and says so by having none. */
static void test_one_block_is_uncertain(void **state)
{
	struct run_fixture f = {};
	struct store *s = passes_run(&f, 1);
	struct error err;
	json_t *table = profile_table(s, "pipe", PASS_RECORD, &err);
	__free_char char *text = profile_text(table, 1);

	(void)state;
	assert_non_null(strstr(text, "flush"));
	assert_non_null(strstr(text, "more: -v"));
	assert_true(at(row_of(table, "flush"), "lo") == 0);
	assert_true(json_is_null(json_object_get(
		json_array_get(json_object_get(row_of(table, "flush"), "differences"), 1), "lo")));
	json_decref(table);
	assert_null(profile_table(s, "nothing", PASS_RECORD, &err));
	assert_non_null(strstr(err.text, "the observer perf-record"));
	store_close(s);
	fixture_drop(&f);
}

/* The report has the tables and the stacks; passes are not counted as warm-ups, and are never
 * compared. */
static void test_report_has_passes(void **state)
{
	struct run_fixture f = {};
	struct store *s = passes_run(&f, 10);
	struct compare_options opt = {0};
	struct error err = {0};
	struct comparison *c = compare_runs(s, NULL, &opt, &err);
	__free_char char *dir = xasprintf("%s/report", store_path(s)), *html = NULL, *stacks = NULL;

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->ok, 0);
	assert_int_equal(c->warmups, 0);
	if (report_write(s, NULL, c, NULL, &err))
		fail_msg("%s", err.text);
	html = fixture_read(dir, "report.html");
	stacks = fixture_read(dir, "stacks/pipe.patched.folded");
	assert_non_null(strstr(html, "Time, by symbol"));
	assert_non_null(strstr(html, "<code>flush</code>"));
	assert_non_null(strstr(html, "<code>tlb:tlb_flush pages=1</code>"));
	assert_non_null(strstr(stacks, "w;entry;flush 3"));
	comparison_free(c);
	store_close(s);
	fixture_drop(&f);
}

/* ---- perf itself ----------------------------------------------------------------------------- */

static void beat(void *arg)
{
	(void)arg;
}

static bool perf_works(void)
{
	const char *const argv[] = {
		"sh", "-c", "perf record -q -o /dev/null -e cpu-clock true >/dev/null 2>&1", NULL};
	int status = run_command(argv, NULL, NULL, NULL);

	return status >= 0 && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* What a job under perf record brings back is a file that perf script reads, with the job in it. */
static void test_perf_records_a_job(void **state)
{
	const char *const argv[] = {
		"sh", "-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo done", NULL};
	const char *const none[] = {NULL};
	const struct job job = {
		.id = "x", .argv = argv, .capture = none, .record = JOB_PROFILE, .timeout_s = 60};
	char tmp[] = "/tmp/kab-test-XXXXXX";
	struct jobrun_place place = {.tmp = tmp};
	__free_char char *path = NULL, *folded = NULL;
	struct job_result res;
	struct error err = {0};
	size_t len = 0;
	char *data;

	(void)state;
	if (!perf_works())
		skip_because("perf record does not work on this machine's kernel");
	assert_non_null(mkdtemp(tmp));
	jobrun(&job, &place, beat, NULL, &res);
	if (res.status != SAMPLE_OK || !res.perf)
		fail_msg("%s: %s", res.reason ? res.reason : "no perf.data", res.err_out);
	assert_string_equal(res.out, "done\n");
	data = proto_from_bytes(res.perf, &len);
	assert_non_null(data);
	path = xasprintf("%s/perf.data", tmp);
	assert_int_equal(file_write_atomic(path, data, len, NULL), 0);
	folded = profile_fold_file(path, NULL, &err);
	if (!folded)
		fail_msg("%s", err.text);
	if (!strstr(folded, "sh;"))
		fail_msg("%s", folded);
	free(data);
	job_result_clear(&res);
	dir_remove(tmp, NULL);
}

/* A recording that cannot be handed over is told of. */
static void test_perf_records_too_much(void **state)
{
	const char *argv[] = {"sh", "-c", "truncate -s 17M \"$1\"/kab-perf.*", "sh", NULL, NULL};
	const char *const none[] = {NULL};
	struct job job = {
		.id = "x", .argv = argv, .capture = none, .record = JOB_PROFILE, .timeout_s = 60};
	char tmp[] = "/tmp/kab-test-XXXXXX";
	struct jobrun_place place = {.tmp = tmp};
	struct job_result res;

	(void)state;
	if (!perf_works())
		skip_because("perf record does not work on this machine's kernel");
	assert_non_null(mkdtemp(tmp));
	argv[4] = tmp;
	jobrun(&job, &place, beat, NULL, &res);
	assert_int_equal(res.status, SAMPLE_FAILED);
	assert_non_null(strstr(res.reason, "17 MiB"));
	assert_null(res.perf);
	job_result_clear(&res);
	dir_remove(tmp, NULL);
}

/* Where perf is not, the pass is skipped with the reason, and the job is not run at all. */
static void test_no_perf_no_pass(void **state)
{
	const char *const argv[] = {"sh", "-c", "echo ran", NULL};
	const char *const none[] = {NULL};
	const struct job job = {
		.id = "x", .argv = argv, .capture = none, .record = JOB_PROFILE, .timeout_s = 9};
	struct jobrun_place place = {.tmp = "/tmp", .root_lack = "no share"};
	struct job_result res;

	(void)state;
	jobrun(&job, &place, beat, NULL, &res);
	assert_int_equal(res.status, SAMPLE_SKIPPED);
	assert_non_null(strstr(res.reason, "no perf"));
	assert_null(strstr(res.out, "ran"));
	job_result_clear(&res);
}

static void test_no_perf_data(void **state)
{
	struct error err = {0};

	(void)state;
	assert_null(profile_fold_file("/dev/null", NULL, &err));
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	assert_non_null(strstr(err.text, "perf script"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stacks_fold),
		cmocka_unit_test(test_torn_stacks),
		cmocka_unit_test(test_events_are_counted),
		cmocka_unit_test(test_waits_are_summed),
		cmocka_unit_test(test_torn_waits),
		cmocka_unit_test(test_stacks_of_waits_alone),
		cmocka_unit_test(test_bytes_survive),
		cmocka_unit_test(test_the_wish_is_sent),
		cmocka_unit_test(test_passes_come_last),
		cmocka_unit_test(test_matrix_mistakes),
		cmocka_unit_test(test_what_grew_comes_first),
		cmocka_unit_test(test_events_by_the_operation),
		cmocka_unit_test(test_one_block_is_uncertain),
		cmocka_unit_test(test_report_has_passes),
		cmocka_unit_test(test_perf_records_a_job),
		cmocka_unit_test(test_perf_records_too_much),
		cmocka_unit_test(test_no_perf_no_pass),
		cmocka_unit_test(test_no_perf_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
