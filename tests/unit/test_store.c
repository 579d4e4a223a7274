// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "run_fixture.h"
#include "skip.h"
#include "util.h"

static int setup(void **state)
{
	struct run_fixture *f = xcalloc(1, sizeof(*f));

	fixture_make(f, fixture_matrix);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_drop(*state);
	free(*state);
	return 0;
}

static struct store *must_open(const char *path, bool write, size_t *torn)
{
	struct error err;
	struct store *s = store_open(path, write, torn, &err);

	if (!s)
		fail_msg("%s", err.text);
	return s;
}

static void expect_refused(const char *path, bool write, enum kab_exit status, const char *words)
{
	struct error err = {};
	struct store *s = store_open(path, write, NULL, &err);

	if (s)
		fail_msg("%s was opened", path);
	assert_int_equal(err.status, status);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static size_t nsamples(const struct store *s)
{
	size_t n;

	store_samples(s, &n);
	return n;
}

static void test_created_run_reads_back(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 3);
	struct store *s = must_open(path, false, NULL);
	const json_t *run = store_run(s), *plan = json_object_get(run, "plan");
	const struct sample *samples;
	size_t n;

	samples = store_samples(s, &n);
	assert_int_equal(n, 3);
	assert_string_equal(samples[2].id, f->plan->boots[0].samples[2].id);
	assert_true(store_has(s, samples[0].id));
	assert_false(store_has(s, f->plan->boots[0].samples[3].id));
	assert_false(store_finished(run));
	assert_string_equal(json_string_value(json_object_get(plan, "hash")), f->plan->hash);
	assert_string_equal(json_string_value(json_object_get(plan, "seed")), "7");
	assert_int_equal(json_integer_value(json_object_get(plan, "blocks")), 3);
	assert_string_equal(store_matrix(s)->text, fixture_matrix);
	assert_string_equal(store_matrix(s)->baseline, "stock");
	store_close(s);
}

static void test_copied_folder_is_whole(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 2);
	__free_char char *moved = xasprintf("%s/elsewhere", f->results);
	struct store *s;

	assert_int_equal(rename(path, moved), 0);
	s = must_open(moved, false, NULL);
	assert_int_equal(nsamples(s), 2);
	assert_string_equal(store_path(s), moved);
	/* What the matrix defined is known to whoever opens the run. */
	assert_string_equal(metric_find("marks_per_s").unit, "marks/s");
	store_close(s);
}

static void append_text(const char *path, const char *text)
{
	__free_char char *file = xasprintf("%s/samples.jsonl", path);
	FILE *to = fopen(file, "a");

	assert_non_null(to);
	fputs(text, to);
	fclose(to);
}

static void test_torn_last_line_is_cut_and_told(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 2);
	__free_char char *before = fixture_read(path, "samples.jsonl");
	__free_char char *after = NULL;
	size_t torn;
	struct store *s;

	append_text(path, "{\"schema\":1,\"id\":\"b0");
	/* A reader only looks away. */
	s = must_open(path, false, &torn);
	assert_int_equal(torn, 20);
	assert_int_equal(nsamples(s), 2);
	store_close(s);

	s = must_open(path, true, &torn);
	assert_int_equal(torn, 20);
	store_close(s);
	after = fixture_read(path, "samples.jsonl");
	assert_string_equal(after, before);
	s = must_open(path, true, &torn);
	assert_int_equal(torn, 0);
	store_close(s);
}

static void test_append_after_torn_line(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 1);
	struct sample smp = fixture_sample(f, 0, 1);
	struct store *s;

	append_text(path, "{\"torn");
	s = must_open(path, true, NULL);
	assert_int_equal(store_append(s, &smp, NULL), 0);
	store_close(s);
	s = must_open(path, false, NULL);
	assert_int_equal(nsamples(s), 2);
	store_close(s);
	sample_clear(&smp);
}

/* What run.json says of a matrix that lies at @path. */
static void expect_recorded(struct run_fixture *f, const char *path, const char *recorded)
{
	struct matrix *m = f->matrix;
	const json_t *record;
	struct error err = {};
	struct store *s;

	free(m->path);
	m->path = xstrdup(path);
	s = store_create(f->results, f->plan, NULL, NULL, NULL, &err);
	if (!s)
		fail_msg("%s", err.text);
	record = json_object_get(store_run(s), "matrix");
	assert_string_equal(json_string_value(json_object_get(record, "path")), recorded);
	store_close(s);
}

static void test_no_folder_of_this_machine_is_recorded(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *here = realpath(".", NULL);
	__free_char char *folder = xasprintf("%s/mine", f->results);
	__free_char char *file = xasprintf("%s/m.yaml", folder);
	__free_char char *own = xasprintf("%s/matrix/quick.yaml", kab_home());

	assert_int_equal(dir_make(folder, NULL), 0);
	fixture_write(folder, "m.yaml", "");
	expect_recorded(f, own, "matrix/quick.yaml");
	expect_recorded(f, file, "m.yaml");
	expect_recorded(f, "/no/such/file.yaml", "file.yaml");
	assert_int_equal(chdir(f->results), 0);
	expect_recorded(f, file, "mine/m.yaml");
	expect_recorded(f, "mine/m.yaml", "mine/m.yaml");
	assert_int_equal(chdir(here), 0);
}

static void test_same_id_counts_once(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 2);
	__free_char char *text = fixture_read(path, "samples.jsonl");
	struct sample again = fixture_sample(f, 0, 0);
	struct store *s;

	append_text(path, text);
	s = must_open(path, true, NULL);
	assert_int_equal(nsamples(s), 2);
	again.ops = 5;
	assert_int_equal(store_append(s, &again, NULL), 0);
	assert_int_equal(nsamples(s), 2);
	assert_int_equal(store_samples(s, &(size_t){0})[0].ops, 1000);
	store_close(s);
	sample_clear(&again);
}

static void test_bad_line_is_named(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 1);
	__free_char char *good = fixture_read(path, "samples.jsonl");
	__free_char char *text = xasprintf("%s{\"schema\":1,,}\n%s", good, good);
	__free_char char *other = xasprintf("%s{\"schema\":9}\n", good);
	__free_char char *keyless = xasprintf("%s%s{\"schema\":1}\n", good, good);

	fixture_write(path, "samples.jsonl", text);
	expect_refused(path, false, KAB_USAGE, "samples.jsonl:2: malformed JSON");
	fixture_write(path, "samples.jsonl", other);
	expect_refused(path, false, KAB_USAGE, "samples.jsonl:2: schema 9");
	fixture_write(path, "samples.jsonl", keyless);
	expect_refused(path, false, KAB_USAGE, "samples.jsonl:3: key 'id' is missing");
}

static void test_second_writer_is_kept_out(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 1);
	__free_char char *words = xasprintf("held by process %d", (int)getpid());
	struct store *s = must_open(path, true, NULL), *reader;

	expect_refused(path, true, KAB_ENVIRONMENT, words);
	reader = must_open(path, false, NULL);
	store_close(reader);
	store_close(s);
	s = must_open(path, true, NULL);
	store_close(s);
}

/* A lock must go with its process, however that ends. */
static void test_lock_of_a_killed_process_is_free(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 1);
	int ready[2], status;
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (!store_open(path, true, NULL, NULL) || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	expect_refused(path, true, KAB_ENVIRONMENT, "held by process");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	store_close(must_open(path, true, NULL));
	close(ready[0]);
	close(ready[1]);
}

static void test_other_schema_is_refused_by_name(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 0);
	__free_char char *text = fixture_read(path, "run.json");
	char *schema = strstr(text, "\"schema\": 1");

	assert_non_null(schema);
	schema[strlen("\"schema\": ")] = '8';
	fixture_write(path, "run.json", text);
	expect_refused(path, false, KAB_USAGE, "schema version 8; this kab reads version 1");
	fixture_write(path, "run.json", "{");
	expect_refused(path, false, KAB_USAGE, "run.json:1:");
	expect_refused(f->results, false, KAB_USAGE, "not a run folder");
}

static void test_failed_write_leaves_whole_lines(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 2);
	__free_char char *before = fixture_read(path, "samples.jsonl");
	__free_char char *after = NULL;
	struct sample smp = fixture_sample(f, 0, 2);
	struct rlimit old, small;
	struct error err = {};
	struct store *s = must_open(path, true, NULL);

	/* A file that may not grow by a whole line: the first part of it is written, the rest
	 * refused. */
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){strlen(before) + 10, old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(store_append(s, &smp, &err), -1);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	after = fixture_read(path, "samples.jsonl");
	assert_string_equal(after, before);
	assert_false(store_has(s, smp.id));

	/* And when there is room again, it goes on. */
	assert_int_equal(store_append(s, &smp, &err), 0);
	store_close(s);
	s = must_open(path, false, NULL);
	assert_int_equal(nsamples(s), 3);
	store_close(s);
	sample_clear(&smp);
}

/* Appends until the small file system that @path lies on is full; 0 if all went as it should. */
static int fill_disk(const struct run_fixture *f, const char *path)
{
	struct store *s = store_open(path, true, NULL, NULL);
	struct sample smp = fixture_sample(f, 0, 2);
	struct error err = {};
	char big[4096];
	size_t n = 0;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	free(smp.reason);
	smp.reason = xstrdup(big);
	while (s && n < 1000) {
		free(smp.id);
		smp.id = xasprintf("full%zu", n);
		if (store_append(s, &smp, &err))
			break;
		n++;
	}
	if (!s || n == 1000 || err.status != KAB_ENVIRONMENT ||
		!strstr(err.text, "no space left") ||
		!strstr(err.text, "Nothing recorded so far is lost"))
		return 1;
	store_close(s);
	s = store_open(path, false, NULL, NULL);
	return s && nsamples(s) == n + 2 ? 0 : 2;
}

/* What the child does in a mount namespace of its own; 77: it may not have one. */
static int full_disk_child(const struct run_fixture *f)
{
	__free_char char *path = NULL;
	struct run_fixture on_tmpfs = *f;

	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return 77;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("none", f->results, "tmpfs", 0, "size=256k"))
		return 77;
	on_tmpfs.results = f->results;
	path = fixture_run(&on_tmpfs, 2);
	return fill_disk(f, path);
}

static void test_full_disk(void **state)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(full_disk_child(*state));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip_because("no tmpfs can be mounted here");
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_raw_and_boots(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 1);
	struct store *s = must_open(path, true, NULL);
	__free_char char *boot = store_boot_dir(s, 12, 0, NULL);
	__free_char char *later = store_boot_path(s, 12, 2);
	__free_char char *text = NULL;
	struct stat st;

	assert_int_equal(
		store_raw(s, "b000.stock.m0.s000", "schedstat.before", "version 15\n", 11, NULL),
		0);
	text = fixture_read(path, "raw/b000.stock.m0.s000/schedstat.before");
	assert_string_equal(text, "version 15\n");
	assert_int_equal(stat(boot, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_non_null(strstr(boot, "/boots/12"));
	assert_string_equal(later + strlen(boot), "/life2");
	assert_int_not_equal(access(later, F_OK), 0);
	store_close(s);
}

static void test_update_merges(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *path = fixture_run(f, 1);
	struct store *s = must_open(path, true, NULL);
	json_t *patch = json_pack("{s:s,s:{s:i}}", "state", "finished", "plan", "blocks", 5);

	assert_int_equal(store_update(s, patch, NULL), 0);
	json_decref(patch);
	store_close(s);
	s = must_open(path, false, NULL);
	assert_true(store_finished(store_run(s)));
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(store_run(s), "plan"), "blocks")),
		5);
	/* What the patch does not name stays. */
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(store_run(s), "plan"), "hash")),
		f->plan->hash);
	assert_true(json_integer_value(json_object_get(store_run(s), "finished_ns")) > 0);
	store_close(s);
}

static void finish(const char *path)
{
	struct store *s = must_open(path, true, NULL);
	json_t *patch = json_pack("{s:s}", "state", "finished");

	assert_int_equal(store_update(s, patch, NULL), 0);
	json_decref(patch);
	store_close(s);
}

static bool has_hash(void *hash, const json_t *run)
{
	const json_t *plan = json_object_get(run, "plan");

	return !store_finished(run) &&
	       !strcmp(json_string_value(json_object_get(plan, "hash")), hash);
}

static const char *run_at(const json_t *list, size_t i)
{
	return json_string_value(json_object_get(json_array_get(list, i), "run"));
}

static void test_find(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *first = fixture_run(f, 1);
	__free_char char *second = fixture_run(f, 1);
	__free_char char *third = fixture_run(f, 1);
	__free_char char *hidden = NULL;
	char *found = store_find(f->results, has_hash, f->plan->hash);
	json_t *list;

	assert_string_equal(found, third);
	free(found);
	assert_null(store_find(f->results, has_hash, (char *)"another"));
	assert_null(store_find("/nonexistent", has_hash, f->plan->hash));
	/* Finished last counts, not begun last. */
	finish(second);
	finish(first);
	found = store_find_newest(f->results);
	assert_string_equal(found, first);
	free(found);
	/* All of them, by when they began; not what this kab cannot read. */
	list = store_list(f->results);
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(run_at(list, 0), first);
	assert_string_equal(run_at(list, 1), second);
	assert_string_equal(run_at(list, 2), third);
	json_decref(list);
	fixture_write(first, "run.json",
		"{\"schema\": 2, \"state\": \"finished\", \"finished_ns\": 9000000000000000000}");
	found = store_find_newest(f->results);
	assert_string_equal(found, second);
	free(found);
	list = store_list(f->results);
	assert_int_equal(json_array_size(list), 2);
	json_decref(list);
	/* What is hidden was put aside. */
	hidden = xasprintf("%s/.aside", f->results);
	assert_int_equal(rename(third, hidden), 0);
	assert_null(store_find(f->results, has_hash, f->plan->hash));
	list = store_list(f->results);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	list = store_list("/nonexistent");
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

static bool takes_any(void *arg, const json_t *run)
{
	(void)arg;
	return run;
}

static void test_reference_run_is_the_last_resort(void **state)
{
	struct run_fixture *f = *state;
	__free_char char *home = xasprintf("%s/home", f->results);
	__free_char char *results = xasprintf("%s/results", home);
	__free_char char *reference = xasprintf("%s/reference", results);
	char *path, *found;
	json_t *list;

	setenv("KAB_HOME", home, 1);
	found = store_find_newest(results);
	assert_null(found);
	assert_int_equal(dir_make(results, NULL), 0);
	path = fixture_run(f, 1);
	finish(path);
	assert_int_equal(rename(path, reference), 0);
	free(path);
	found = store_find_newest(results);
	assert_string_equal(found, reference);
	free(found);
	assert_null(store_find(results, takes_any, NULL));
	list = store_list(results);
	assert_string_equal(run_at(list, 0), reference);
	json_decref(list);

	path = fixture_run(f, 1);
	finish(path);
	found = store_find_newest(f->results);
	assert_string_equal(found, path);
	free(found);
	free(path);
	unsetenv("KAB_HOME");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_created_run_reads_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copied_folder_is_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_torn_last_line_is_cut_and_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_append_after_torn_line, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_no_folder_of_this_machine_is_recorded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_id_counts_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_line_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_writer_is_kept_out, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_lock_of_a_killed_process_is_free, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_other_schema_is_refused_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_failed_write_leaves_whole_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_raw_and_boots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_update_merges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_reference_run_is_the_last_resort, setup, teardown),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
