// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Order, resume and loss, with an executor of the test's own: it answers jobs as its script says
 * and keeps a journal. Nothing here is about what a workload measures.
 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "compare.h"
#include "run.h"
#include "run_fixture.h"
#include "run_text.h"
#include "util.h"

/* What the scripted machine does, and what it saw. */
static struct script {
	char *refuse;		  /* arm that does not boot; NULL: all do */
	int boots_before_refusal; /* so many times it does all the same */
	const char *lose_at;	  /* job whose machine is lost; NULL: none */
	bool lose_each;		  /* or each one */
	const char *lose_write_at; /* job whose machine dies of the emulator */
	unsigned lose_writes;	   /* so often */
	int interrupt_after;	  /* jobs until Ctrl-C; -1: never */
	int kill_after;		  /* jobs until kill -9; 0: never */
	const char *skip_arm;	  /* arm whose jobs end with 77 */
	const char *dies_when;	  /* arm whose machines start, but do not come up side by side */
	const char *retried;	  /* arm whose machines come up at the second try */
	struct progress *progress;
	bool together;		  /* several machines can be up at once */
	int up, most_up;
	int rootless; /* boots without the shared root */
	int boots, jobs;
	struct buf journal;
	char seed_of[2][64]; /* by arm, of the first job in block 0 */
	char pin[2][16];
} script;

struct executor {
	const struct arm *arm;
	json_t *env;
};

static int arm_index(const struct executor *ex)
{
	return !strcmp(ex->arm->label, "patched");
}

static struct executor *script_boot(const struct boot_request *req, struct error *err)
{
	struct executor *ex;

	script.boots++;
	script.rootless += !req->need_root;
	buf_addf(&script.journal, "boot %s\n", req->arm->label);
	if (script.refuse && !strcmp(script.refuse, req->arm->label) &&
		script.boots_before_refusal-- <= 0) {
		error_set(err, KAB_ENVIRONMENT, "panic: no init found");
		return NULL;
	}
	ex = xcalloc(1, sizeof(*ex));
	ex->arm = req->arm;
	script.up++;
	if (script.up > script.most_up)
		script.most_up = script.up;
	ex->env = json_pack("{s:s,s:s,s:i}", "accelerator", "tcg", "kernel_release", "6.1.0-test",
		"boot_ms", script.boots);
	if (script.retried && !strcmp(script.retried, req->arm->label))
		json_object_set_new(ex->env, "tcg_boot_retries", json_integer(1));
	return ex;
}

static const char *option(const struct job *job, const char *name)
{
	for (size_t i = 0; job->argv[i]; i++)
		if (!strcmp(job->argv[i], name))
			return job->argv[i + 1];
	return "";
}

static void note_options(const struct executor *ex, const struct job *job)
{
	int arm = arm_index(ex);

	if (!strstr(job->id, ".s000"))
		return;
	if (!strncmp(job->id, "b000", 4))
		snprintf(script.seed_of[arm], sizeof(script.seed_of[arm]), "%s",
			option(job, "--seed"));
}

static int script_run(
	struct executor *ex, const struct job *job, struct job_result *res, struct error *err)
{
	bool own = !strcmp(job->argv[0], "kab-workload");

	if (script.kill_after && script.jobs == script.kill_after)
		raise(SIGKILL);
	if (script.jobs++ == script.interrupt_after)
		return error_set(err, KAB_INTERRUPTED, "interrupted");
	buf_addf(&script.journal, "%s\n", job->id);
	note_options(ex, job);
	if (own)
		snprintf(script.pin[arm_index(ex)], sizeof(script.pin[0]), "%s",
			option(job, "--pin"));
	res->elapsed_ns = 1000000;
	if (script.lose_each || (script.lose_at && !strcmp(script.lose_at, job->id))) {
		res->status = SAMPLE_OOPS;
		res->reason = xstrdup("BUG: unable to handle page fault");
		res->machine_lost = true;
		return 0;
	}
	if (script.lose_write_at && !strcmp(script.lose_write_at, job->id) && script.lose_writes) {
		script.lose_writes--;
		res->status = SAMPLE_OOPS;
		res->reason = xstrdup("oops: int3: 0000 [#1] PREEMPT SMP");
		res->machine_lost = res->lost_write = true;
		return 0;
	}
	if (script.skip_arm && !strcmp(script.skip_arm, ex->arm->label)) {
		res->exit_status = 77;
		res->err_out = xstrdup("no such driver\n");
		return 0;
	}
	res->out = own ? xstrdup("{\"ops\":10,\"elapsed_ns\":1000,\"ops_per_s\":10000}")
		       : xstrdup("42 marks\n");
	return 0;
}

static json_t *script_env(struct executor *ex)
{
	return ex->env;
}

static void script_shutdown(struct executor *ex)
{
	script.up--;
	json_decref(ex->env);
	free(ex);
}

static int script_await(struct executor **ex, const struct boot_request *req, struct error *err)
{
	buf_addf(&script.journal, "await %s\n", req->arm->label);
	if (!script.dies_when || strcmp(script.dies_when, req->arm->label))
		return 0;
	script_shutdown(*ex);
	*ex = NULL;
	return error_set(err, KAB_ENVIRONMENT, "panic: too many machines");
}

static const struct executor_ops script_executor = {
	.name = "script",
	.boot = script_boot,
	.run = script_run,
	.env = script_env,
	.shutdown = script_shutdown,
};

static const struct executor_ops side_by_side = {
	.name = "script",
	.boot = script_boot,
	.launch = script_boot,
	.await = script_await,
	.run = script_run,
	.env = script_env,
	.shutdown = script_shutdown,
};

static int setup(void **state)
{
	struct run_fixture *f = xcalloc(1, sizeof(*f));

	fixture_make(f, fixture_matrix);
	script = (struct script){.interrupt_after = -1};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	buf_free(&script.journal);
	fixture_drop(*state);
	free(*state);
	return 0;
}

#define MOST_ARMS 6

/* One session: opens @path (NULL: a new run; its path goes there) and runs what is missing. */
static int session(struct run_fixture *f, char **path, struct error *err)
{
	struct run_arm arms[MOST_ARMS] = {};
	struct run r = {
		.plan = f->plan,
		.ops = script.together ? &side_by_side : &script_executor,
		.arms = arms,
		.progress = script.progress,
	};
	int ret;

	for (size_t i = 0; i < f->matrix->narms; i++)
		arms[i].arm = &f->matrix->arms[i];
	r.store = *path ? store_open(*path, true, NULL, err)
			: store_create(f->results, f->plan, NULL, NULL, NULL, err);
	if (!r.store)
		fail_msg("%s", err->text);
	if (!*path)
		*path = xstrdup(store_path(r.store));
	ret = run_execute(&r, err);
	store_close(r.store);
	return ret;
}

static size_t planned(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nboots; i++)
		n += p->boots[i].nsamples;
	return n;
}

static size_t count_status(const struct store *s, enum sample_status status)
{
	const struct sample *v;
	size_t n, hits = 0;

	v = store_samples(s, &n);
	for (size_t i = 0; i < n; i++)
		hits += v[i].status == status;
	return hits;
}

static void test_plan_is_carried_out_in_order(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct buf expected = {};
	struct error err = {};
	struct store *s;

	assert_int_equal(session(f, &path, &err), 0);
	for (size_t i = 0; i < f->plan->nboots; i++) {
		const struct plan_boot *b = &f->plan->boots[i];

		buf_addf(&expected, "boot %s\n", f->matrix->arms[b->arm].label);
		for (size_t j = 0; j < b->nsamples; j++)
			buf_addf(&expected, "%s\n", b->samples[j].id);
	}
	assert_string_equal(script.journal.data, expected.data);
	buf_free(&expected);

	s = store_open(path, false, NULL, &err);
	assert_int_equal(count_status(s, SAMPLE_OK), planned(f->plan));
	assert_true(store_finished(store_run(s)));
	assert_non_null(json_object_get(json_object_get(store_run(s), "overhead"), "rest_share"));
	store_close(s);
}

/* All samples of the plan are in the run at @path, and well but for @bad. */
static void check_complete(const struct run_fixture *f, const char *path, size_t bad)
{
	struct error err = {};
	struct store *s = store_open(path, false, NULL, &err);
	size_t n;

	for (size_t i = 0; i < f->plan->nboots; i++)
		for (size_t j = 0; j < f->plan->boots[i].nsamples; j++)
			assert_true(store_has(s, f->plan->boots[i].samples[j].id));
	store_samples(s, &n);
	assert_int_equal(count_status(s, SAMPLE_OK), n - bad);
	assert_true(store_finished(store_run(s)));
	store_close(s);
}

/* A cell's samples of a boot are counted from 1 where the arms took turns; else they have no number. */
static void check_turns(const char *path, bool in_turns)
{
	struct error err = {};
	struct store *run = store_open(path, false, NULL, &err);
	size_t n;
	const struct sample *s = store_samples(run, &n);

	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		unsigned before = 0;

		for (size_t j = 0; j < n; j++)
			before += s[j].boot == s[i].boot && !strcmp(s[j].cell, s[i].cell) && s[j].seq < s[i].seq;
		assert_int_equal(s[i].turn, in_turns ? before + 1 : 0);
	}
	store_close(run);
}

static void test_arms_of_a_block_take_turns(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct buf expected = {};
	struct error err = {};

	script.together = true;
	f->matrix->together = true;
	assert_int_equal(session(f, &path, &err), 0);
	for (size_t i = 0; i < f->plan->nboots; i += 2) {
		const struct plan_boot *b = &f->plan->boots[i];
		unsigned rounds[3] = {};

		for (size_t k = 0; k < 2; k++)
			buf_addf(&expected, "boot %s\n", f->matrix->arms[b[k].arm].label);
		for (size_t k = 0; k < 2; k++)
			buf_addf(&expected, "await %s\n", f->matrix->arms[b[k].arm].label);
		/* Who goes first in a round of a cell does not in the next one. */
		for (size_t j = 0; j < b->nsamples; j++) {
			unsigned first = rounds[b->samples[j].cell]++ % 2;

			buf_addf(&expected, "%s\n%s\n", b[first].samples[j].id,
				b[!first].samples[j].id);
		}
	}
	assert_string_equal(script.journal.data, expected.data);
	check_turns(path, true);
	buf_free(&expected);
	assert_int_equal(script.most_up, 2);
	assert_int_equal(script.up, 0);
	check_complete(f, path, 0);
}

/* Of a journal: the arm that the job on the line @line is of, "" if it is none. */
static const char *arm_of(const char *line, char arm[16])
{
	return sscanf(line, "b%*u.%15[^.].m0.s", arm) == 1 ? arm : "";
}

/* With more arms than two, none runs twice in a row, and each is at each place as often as the others. */
static void check_places(unsigned narms)
{
	static const char *const labels[] = {"stock", "a1", "a2", "a3", "a4", "a5"};
	struct run_fixture f;
	struct buf matrix = {};
	struct error err = {};
	__free_char char *path = NULL;
	unsigned at[MOST_ARMS][MOST_ARMS] = {}, n = 0;
	char before[16] = "";

	buf_addstr(&matrix, "base: {package: linux-source-6.1}\nbaseline: stock\narms: {stock: {}");
	for (unsigned i = 1; i < narms; i++)
		buf_addf(&matrix, ", %s: {}", labels[i]);
	buf_addf(&matrix, "}\nexecutor: {vm: {cpus: 1, memory: 256M}}\ntogether: true\nblocks: 1\nsamples: %u\nwarmup: 0\nseed: 3\n"
		"workloads: [{name: pipe, ops: 1}]\n", 2 * narms);
	fixture_make(&f, matrix.data);
	script = (struct script){.interrupt_after = -1, .together = true};
	assert_int_equal(session(&f, &path, &err), 0);
	for (char *line = strtok(script.journal.data, "\n"); line; line = strtok(NULL, "\n")) {
		char arm[16];

		if (!*arm_of(line, arm))
			continue;
		assert_string_not_equal(arm, before);
		memcpy(before, arm, sizeof(before));
		for (unsigned i = 0; i < narms; i++)
			at[i][n % narms] += !strcmp(labels[i], arm);
		n++;
	}
	assert_int_equal(n, 2 * narms * narms);
	for (unsigned i = 0; i < narms * narms; i++)
		assert_int_equal(at[i / narms][i % narms], 2);
	buf_free(&script.journal);
	buf_free(&matrix);
	fixture_drop(&f);
}

static void test_no_arm_goes_twice_in_a_row(void **state)
{
	(void)state;
	for (unsigned narms = 3; narms <= MOST_ARMS; narms++)
		check_places(narms);
}

static void test_one_by_one_where_the_matrix_says_so(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};

	script.together = true;
	assert_false(f->matrix->together);
	assert_int_equal(session(f, &path, &err), 0);
	assert_int_equal(script.most_up, 1);
	assert_null(strstr(script.journal.data, "await"));
	check_complete(f, path, 0);
}

/* More memory than half of this machine's is not given out at once. */
static void test_one_by_one_where_memory_is_short(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};

	script.together = true;
	f->matrix->together = true;
	f->matrix->machines[0].memory =
		(uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 4 + (1 << 20);
	assert_int_equal(session(f, &path, &err), 0);
	assert_int_equal(script.most_up, 1);
	check_turns(path, false);
	check_complete(f, path, 0);
}

static void test_one_of_two_does_not_come_up(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};

	script.together = true;
	f->matrix->together = true;
	script.dies_when = "patched";
	assert_int_equal(session(f, &path, &err), 0);
	/* Each block: both started, and the one that died once more, alone. */
	assert_int_equal(script.boots, 9);
	assert_int_equal(script.up, 0);
	check_complete(f, path, 0);
}

static void test_one_of_two_is_lost(void **state)
{
	struct run_fixture *f = *state;
	const struct plan_boot *b = &f->plan->boots[2];
	__free_char char *path = NULL;
	struct error err = {};

	script.together = true;
	f->matrix->together = true;
	script.lose_at = b->samples[4].id;
	assert_int_equal(session(f, &path, &err), 0);
	assert_int_equal(script.boots, f->plan->nboots + 1);
	assert_int_equal(script.up, 0);
	check_complete(f, path, 1);
}

static void test_interrupted_side_by_side(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};

	script.together = true;
	f->matrix->together = true;
	for (size_t sessions = 0;; sessions++) {
		script.jobs = 0;
		script.interrupt_after = 7;
		if (!session(f, &path, &err))
			break;
		assert_int_equal(err.status, KAB_INTERRUPTED);
		assert_int_equal(script.up, 0);
		assert_true(sessions < planned(f->plan));
	}
	check_complete(f, path, 0);
}

/* A whole run in which the second arm has the cells that match @glob alone. Its path; caller frees. */
static char *run_with_few(struct run_fixture *f, char *glob)
{
	struct error err = {};
	char *path = NULL;

	f->matrix->arms[1].only = &glob;
	f->matrix->arms[1].nonly = 1;
	plan_free(f->plan);
	f->plan = plan_make(f->matrix, NULL, &err);
	assert_non_null(f->plan);
	assert_int_equal(session(f, &path, &err), 0);
	f->matrix->arms[1].only = NULL;
	f->matrix->arms[1].nonly = 0;
	return path;
}

/* A control has some of the cells only: each cell's turn is still all arms', one after the other.
 */
static void test_arms_with_fewer_cells_take_turns(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	const char *at;

	script.together = true;
	f->matrix->together = true;
	path = run_with_few(f, "count");
	check_complete(f, path, 0);
	for (size_t i = 0; i < f->plan->nboots; i += 2) {
		const struct plan_boot *few = &f->plan->boots[i + (f->plan->boots[i].arm == 0)];
		const struct plan_boot *all = &f->plan->boots[i + (f->plan->boots[i].arm != 0)];
		unsigned k = 0;

		assert_int_equal(few->nsamples, 3);
		for (size_t j = 0; j < all->nsamples; j++) {
			__free_char char *pair = NULL, *other = NULL;

			if (strcmp(f->plan->cells[all->samples[j].cell].id, "count"))
				continue;
			pair = xasprintf("\n%s\n%s\n", all->samples[j].id, few->samples[k].id);
			other = xasprintf("\n%s\n%s\n", few->samples[k].id, all->samples[j].id);
			at = strstr(script.journal.data, pair);
			assert_true(at || strstr(script.journal.data, other));
			k++;
		}
	}
}

static bool warned_of_damage(const char *path)
{
	const struct compare_options options = {};
	struct error err = {};
	struct store *s = store_open(path, false, NULL, &err);
	struct comparison *c = s ? compare_runs(s, NULL, &options, &err) : NULL;
	bool warned = false;

	if (!c)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < c->nwarnings; i++)
		warned = warned || strstr(c->warnings[i], "was damaged");
	comparison_free(c);
	store_close(s);
	return warned;
}

/* A finished run that has fewer samples than it had is told of. */
static void test_samples_that_went_missing(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL, *text = NULL, *file = NULL;
	struct error err = {};

	assert_int_equal(session(f, &path, &err), 0);
	assert_false(warned_of_damage(path));
	file = xasprintf("%s/samples.jsonl", path);
	text = file_read(file, NULL, &err);
	assert_non_null(text);
	assert_int_equal(truncate(file, (off_t)strlen(text) - 30), 0);
	assert_true(warned_of_damage(path));
}

/* One arm's cells are without commands, and its machine is as that of the other all the same. */
static void test_arms_with_other_cells_have_the_same_machine(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;

	path = run_with_few(f, "null*");
	assert_true(script.boots > 2);
	assert_int_equal(script.rootless, 0);
}

static void test_samples_say_all_that_is_known(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	__free_char char *boot = NULL;
	struct error err = {};
	const struct sample *v;
	struct store *s;
	size_t n, commands = 0;

	assert_int_equal(session(f, &path, &err), 0);
	s = store_open(path, false, NULL, &err);
	v = store_samples(s, &n);
	for (size_t i = 0; i < n; i++) {
		bool command = !strcmp(v[i].cell, "count");

		assert_string_equal(
			json_string_value(json_object_get(v[i].env, "accelerator")), "tcg");
		assert_int_equal(strlen(json_string_value(json_object_get(v[i].env, "hash"))), 16);
		/* The same conditions, whatever the boot took. */
		assert_true(json_equal(v[i].env, v[0].env));
		assert_true(sample_metric(&v[i], command ? "marks_per_s" : "ops_per_s") > 0);
		commands += command;
	}
	assert_int_equal(commands, n / 3);
	store_close(s);
	boot = fixture_read(path, "boots/0/boot.json");
	assert_non_null(strstr(boot, "\"boot_ms\": 1"));
	assert_non_null(strstr(boot, "\"life\": 0"));
}

static void test_parameters_and_seed(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};

	assert_int_equal(session(f, &path, &err), 0);
	/* An arm's own parameters come on top of the cell's; both arms of a block draw the same
	 * numbers. */
	assert_string_equal(script.pin[0], "");
	assert_string_equal(script.pin[1], "none");
	assert_string_equal(script.seed_of[0], script.seed_of[1]);
}

static void test_interrupted_run_goes_on(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};
	const struct sample *v;
	struct store *s;
	size_t n, repeated = 0, total = planned(f->plan);

	/* Every few jobs a Ctrl-C, inside boots and between them. */
	for (size_t sessions = 0;; sessions++) {
		script.jobs = 0;
		script.interrupt_after = 7;
		if (!session(f, &path, &err))
			break;
		assert_int_equal(err.status, KAB_INTERRUPTED);
		assert_true(sessions < total);
	}
	s = store_open(path, false, NULL, &err);
	for (size_t i = 0; i < f->plan->nboots; i++)
		for (size_t j = 0; j < f->plan->boots[i].nsamples; j++)
			assert_true(store_has(s, f->plan->boots[i].samples[j].id));
	/* What is more than the plan are warm-ups of later lives, marked as such. */
	v = store_samples(s, &n);
	for (size_t i = 0; i < n; i++)
		if (strstr(v[i].id, ".life")) {
			assert_true(v[i].warmup && v[i].life > 0);
			repeated++;
		}
	assert_int_equal(n, total + repeated);
	assert_int_equal(count_status(s, SAMPLE_OK), n);
	store_close(s);
	/* Finished: nothing is left to do. */
	script.boots = 0;
	assert_int_equal(session(f, &path, &err), 0);
	assert_int_equal(script.boots, 0);
}

/* Of the time of a session that is killed no more than its last block's is lost: the budget lives on it. */
static void test_time_of_a_killed_session_counts(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};
	struct store *s = store_create(f->results, f->plan, NULL, NULL, NULL, &err);
	int status;
	pid_t child;

	path = xstrdup(store_path(s));
	store_close(s);
	child = fork();
	if (!child) {
		script.kill_after = 1;
		for (size_t i = 0; f->plan->boots[i].block == 0; i++)
			script.kill_after += (int)f->plan->boots[i].nsamples;
		session(f, &path, &err);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	s = store_open(path, false, NULL, &err);
	assert_true(json_integer_value(json_object_get(json_object_get(store_run(s), "overhead"), "wall_ns")) > 0);
	assert_false(store_finished(store_run(s)));
	store_close(s);
	assert_int_equal(session(f, &path, &err), 0);
	check_complete(f, path, 0);
}

static void test_lost_machine_costs_its_sample_alone(void **state)
{
	struct run_fixture *f = *state;
	const struct plan_boot *b = &f->plan->boots[2];
	size_t half = b->nsamples / 2 + 1;
	__free_char char *path = NULL;
	__free_char char *dir = NULL;
	__free_char char *boot = NULL;
	struct error err = {};
	const struct sample *v;
	struct store *s;
	size_t n, extra = 0;

	script.lose_at = b->samples[half].id;
	assert_int_equal(session(f, &path, &err), 0);
	assert_int_equal(script.boots, f->plan->nboots + 1);
	s = store_open(path, false, NULL, &err);
	assert_int_equal(count_status(s, SAMPLE_OOPS), 1);
	assert_int_equal(count_status(s, SAMPLE_FAILED), 0);
	v = store_samples(s, &n);
	for (size_t i = 0; i < n; i++) {
		bool later = v[i].boot == b->number && v[i].seq > half;

		if (strstr(v[i].id, ".life1")) {
			assert_true(v[i].warmup);
			assert_int_equal(v[i].life, 1);
			extra++;
		} else if (v[i].life != later) {
			fail_msg("%s is of life %u", v[i].id, v[i].life);
		}
		if (v[i].status == SAMPLE_OOPS)
			assert_non_null(strstr(v[i].reason, "page fault"));
	}
	/* Cells that still owed samples were warmed up again. */
	assert_true(extra > 0);
	assert_int_equal(n, planned(f->plan) + extra);
	store_close(s);
	/* Each life keeps its own logs and conditions. */
	dir = xasprintf("%s/boots/%u", path, b->number);
	boot = fixture_read(dir, "boot.json");
	assert_non_null(strstr(boot, "\"life\": 0"));
	free(boot);
	boot = fixture_read(dir, "life1/boot.json");
	assert_non_null(strstr(boot, "\"life\": 1"));
}

/* Samples of the boot called @boot whose environment tells of @retries. */
static size_t count_retries(const struct store *s, const char *boot, json_int_t retries)
{
	const struct sample *v;
	size_t n, hits = 0;

	v = store_samples(s, &n);
	for (size_t i = 0; i < n; i++)
		hits += !strcmp(v[i].boot_id, boot) &&
			json_integer_value(json_object_get(v[i].env, "tcg_job_retries")) == retries;
	return hits;
}

/* The sample is owed and made up for; the others stay, and those that follow tell of it. */
static void lose_a_write(struct run_fixture *f, bool together)
{
	const struct plan_boot *b = &f->plan->boots[2];
	size_t half = b->nsamples / 2 + 1;
	__free_char char *path = NULL, *dir = NULL, *boot = NULL;
	struct error err = {};
	struct store *s;

	script.together = f->matrix->together = together;
	script.lose_write_at = b->samples[half].id;
	script.lose_writes = 2;
	assert_int_equal(session(f, &path, &err), 0);
	assert_int_equal(script.lose_writes, 0);
	assert_int_equal(script.boots, f->plan->nboots + 2);
	assert_int_equal(script.up, 0);
	check_complete(f, path, 0);
	s = store_open(path, false, NULL, &err);
	assert_int_equal(count_retries(s, b->id, 0), half);
	/* A second life did no more than warm up before it died. */
	assert_true(count_retries(s, b->id, 2) >= b->nsamples - half);
	assert_int_equal(count_retries(s, f->plan->boots[3].id, 0), f->plan->boots[3].nsamples);
	store_close(s);
	dir = xasprintf("%s/boots/%u/life2", path, b->number);
	boot = fixture_read(dir, "boot.json");
	assert_non_null(strstr(boot, "\"tcg_job_retries\": 2"));
}

/* What the session wrote to standard error. Caller frees. */
static char *session_said(struct run_fixture *f)
{
	const struct cli_common plain = {};
	__free_char char *file = xasprintf("%s/said", f->results), *path = NULL;
	int kept = dup(2), fd = open(file, O_CREAT | O_RDWR | O_TRUNC, 0600);
	struct error err = {};
	int ret;

	assert_true(kept >= 0 && fd >= 0 && dup2(fd, 2) == 2);
	script.progress = progress_start(&plain);
	ret = session(f, &path, &err);
	progress_end(script.progress);
	dup2(kept, 2);
	close(kept);
	close(fd);
	assert_int_equal(ret, 0);
	return file_read(file, NULL, &err);
}

/* A machine that came up at a later try is told of, and one that came up at once is not. */
static void test_tries_of_a_boot_are_told(void **state)
{
	__free_char char *said = NULL;

	script.retried = "patched";
	said = session_said(*state);
	assert_non_null(strstr(said, "boot b000.patched.m0: up at try 2"));
	assert_null(strstr(said, ".stock.m0: up at"));
}

static void test_lost_write_is_made_up_for(void **state)
{
	lose_a_write(*state, false);
}

static void test_lost_write_side_by_side(void **state)
{
	lose_a_write(*state, true);
}

/* What dies so each time is not QEMU's doing alone: it is recorded in the end. */
static void keep_losing_writes(struct run_fixture *f, bool together)
{
	const struct plan_boot *b = &f->plan->boots[2];
	__free_char char *path = NULL;
	struct error err = {};
	struct store *s;

	script.together = f->matrix->together = together;
	script.lose_write_at = b->samples[3].id;
	script.lose_writes = 100;
	assert_int_equal(session(f, &path, &err), 0);
	assert_int_equal(script.lose_writes, 100 - (1 + RUN_LOST_WRITES));
	check_complete(f, path, 1);
	s = store_open(path, false, NULL, &err);
	assert_int_equal(count_status(s, SAMPLE_OOPS), 1);
	store_close(s);
}

static void test_writes_lost_again_and_again(void **state)
{
	keep_losing_writes(*state, false);
}

static void test_writes_lost_again_and_again_side_by_side(void **state)
{
	keep_losing_writes(*state, true);
}

static void test_boot_that_is_lost_again_and_again(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};
	struct store *s;

	script.lose_each = true;
	assert_int_equal(session(f, &path, &err), 0);
	assert_int_equal(script.boots, (1 + RUN_EXTRA_LIVES) * f->plan->nboots);
	s = store_open(path, false, NULL, &err);
	assert_int_equal(count_status(s, SAMPLE_OOPS), (1 + RUN_EXTRA_LIVES) * f->plan->nboots);
	assert_int_equal(count_status(s, SAMPLE_FAILED),
		planned(f->plan) - (1 + RUN_EXTRA_LIVES) * f->plan->nboots);
	assert_int_equal(run_failed_samples(s), planned(f->plan));
	store_close(s);
}

static void test_arm_that_never_boots_stops_the_run(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};
	struct store *s;

	script.refuse = (char *)"patched";
	assert_int_equal(session(f, &path, &err), -1);
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	assert_non_null(strstr(err.text, "patched"));
	assert_non_null(strstr(err.text, "no init found"));
	assert_non_null(strstr(err.text, "console.log"));
	s = store_open(path, false, NULL, &err);
	assert_false(store_finished(store_run(s)));
	assert_int_equal(count_status(s, SAMPLE_NO_BOOT), 0);
	store_close(s);
}

/* Of the executor local nothing is told as a boot. */
static void test_nothing_boots_on_the_running_kernel(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL, *lost = NULL, *samples = NULL;
	struct error err = {};

	f->matrix->executor = EXECUTOR_LOCAL;
	script.refuse = (char *)"patched";
	assert_int_equal(session(f, &path, &err), -1);
	assert_non_null(strstr(err.text, "arm patched does not start, in "));
	script.refuse = NULL;
	script.lose_each = true;
	assert_int_equal(session(f, &lost, &err), 0);
	samples = fixture_read(lost, "samples.jsonl");
	assert_non_null(strstr(samples, "not run: this visit was lost 3 times"));
}

static void test_boot_that_fails_later_is_recorded(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};
	struct store *s;

	script.refuse = (char *)"patched";
	script.boots_before_refusal = 1;
	assert_int_equal(session(f, &path, &err), 0);
	s = store_open(path, false, NULL, &err);
	/* Two of three blocks: their samples have a status and a reason, and the run goes on to its
	 * end. */
	assert_int_equal(count_status(s, SAMPLE_NO_BOOT), planned(f->plan) / 3);
	assert_true(store_finished(store_run(s)));
	store_close(s);
}

static void test_skipped_is_no_failure(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};
	struct store *s;

	script.skip_arm = "stock";
	assert_int_equal(session(f, &path, &err), 0);
	s = store_open(path, false, NULL, &err);
	assert_int_equal(count_status(s, SAMPLE_SKIPPED), planned(f->plan) / 2);
	assert_int_equal(run_failed_samples(s), 0);
	store_close(s);
}

static void test_more_blocks(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = NULL;
	struct error err = {};
	struct store *s;

	assert_int_equal(session(f, &path, &err), 0);
	script.boots = 0;
	plan_extend(f->plan, 5);
	assert_int_equal(session(f, &path, &err), 0);
	assert_int_equal(script.boots, 4);
	s = store_open(path, false, NULL, &err);
	assert_int_equal(count_status(s, SAMPLE_OK), planned(f->plan));
	store_close(s);
}

static void test_seconds_and_timeouts(void **state)
{
	static const struct workload_spec own = {.name = (char *)"pipe"},
					  command = {
						  .name = (char *)"x", .command = (char *)"true"};
	struct params p = {};

	(void)state;
	assert_float_equal(run_seconds("1.5"), 1.5, 1e-12);
	assert_float_equal(run_seconds("200ms"), 0.2, 1e-12);
	assert_float_equal(run_seconds("3us"), 3e-6, 1e-12);
	assert_float_equal(run_seconds("1 s"), 0, 0);
	assert_float_equal(run_seconds("-1"), 0, 0);
	assert_float_equal(run_seconds(NULL), 0, 0);
	assert_int_equal(run_timeout_s(&own, &p), 60);
	params_set(&p, "duration", "2s");
	params_set(&p, "warmup", "500ms");
	assert_int_equal(run_timeout_s(&own, &p), 85);
	assert_int_equal(run_timeout_s(&command, &(struct params){}), 300);
	params_free(&p);
}

static void test_what_keeps_a_run_from_going_on(void **state)
{
	json_t *arms = json_pack("[{s:s,s:s}]", "label", "stock", "key", "aaaa");
	json_t *host = json_pack("{s:s,s:s}", "executor", "vm", "cpu_model", "x");
	json_t *run = json_pack("{s:O,s:o}", "arms", arms, "env", json_deep_copy(host));
	char *text = run_difference(run, arms, host);
	json_t *other = json_pack("[{s:s,s:s}]", "label", "stock", "key", "bbbb");

	(void)state;
	assert_null(text);
	text = run_difference(run, other, host);
	assert_non_null(strstr(text, "stock"));
	free(text);
	json_object_set_new(host, "cpu_model", json_string("y"));
	text = run_difference(run, arms, host);
	assert_non_null(strstr(text, "cpu_model"));
	free(text);
	json_object_set_new(host, "cpu_model", json_string("x"));
	json_object_set_new(host, "workload_sha256", json_string("1111"));
	assert_null(run_difference(run, arms, host)); /* the run is older than that key */
	json_object_set_new(json_object_get(run, "env"), "workload_sha256", json_string("2222"));
	text = run_difference(run, arms, host);
	assert_non_null(text);
	assert_non_null(strstr(text, "kab-workload"));
	free(text);
	json_decref(other);
	json_decref(arms);
	json_decref(host);
	json_decref(run);
}

static void test_text_before_running(void **state)
{
	struct run_fixture *f = *state;
	struct run_arm arms[2] = {{.arm = &f->matrix->arms[0]}, {.arm = &f->matrix->arms[1]}};
	struct buf b = {};

	run_text_plan(&b, f->plan, arms);
	assert_non_null(strstr(b.data, "3 cells, 3 blocks: 6 boots, 54 samples"));
	/* 3 cells against the baseline: p < 0.0167 takes 2 / 2^7. */
	assert_non_null(strstr(b.data,
		"3 blocks cannot reach p < 0.017 with 3 primary comparisons: 7 can (--blocks 7)"));
	buf_free(&b);
	plan_extend(f->plan, 7);
	run_text_plan(&b, f->plan, arms);
	assert_null(strstr(b.data, "cannot"));
	assert_non_null(strstr(b.data, "7 blocks can reach"));
	buf_free(&b);
}

static void test_space_is_asked_for_first(void **state)
{
	struct run_fixture *f = *state;
	struct error err = {};

	assert_int_equal(run_check_space(f->plan, NULL, f->results, &err), 0);
	/* A file system without a free block. */
	assert_int_equal(run_check_space(f->plan, NULL, "/proc/self", &err), -1);
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	assert_non_null(strstr(err.text, "--results"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plan_is_carried_out_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arms_of_a_block_take_turns, setup, teardown),
		cmocka_unit_test(test_no_arm_goes_twice_in_a_row),
		cmocka_unit_test_setup_teardown(
			test_one_by_one_where_the_matrix_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_one_by_one_where_memory_is_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_of_two_does_not_come_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_of_two_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupted_side_by_side, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_arms_with_fewer_cells_take_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arms_with_other_cells_have_the_same_machine, setup, teardown),
		cmocka_unit_test_setup_teardown(test_samples_that_went_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_samples_say_all_that_is_known, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parameters_and_seed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupted_run_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time_of_a_killed_session_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_lost_machine_costs_its_sample_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_boot_that_is_lost_again_and_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tries_of_a_boot_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_write_is_made_up_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_write_side_by_side, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writes_lost_again_and_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_writes_lost_again_and_again_side_by_side, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_arm_that_never_boots_stops_the_run, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_nothing_boots_on_the_running_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_boot_that_fails_later_is_recorded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_skipped_is_no_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_blocks, setup, teardown),
		cmocka_unit_test(test_seconds_and_timeouts),
		cmocka_unit_test(test_what_keeps_a_run_from_going_on),
		cmocka_unit_test_setup_teardown(test_text_before_running, setup, teardown),
		cmocka_unit_test_setup_teardown(test_space_is_asked_for_first, setup, teardown),
	};

	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
