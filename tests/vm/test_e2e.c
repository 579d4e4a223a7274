// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole way through, by the command line: run, compare, report, show on kernels whose answers are known; one
 * block is told that it cannot decide; a run that was killed at any moment is finished by the same command.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "command.h"
#include "skip.h"
#include "util.h"

static char results[] = "/tmp/kab-e2e-XXXXXX";

/* The last line of what kab run printed: the run's folder. Caller frees. */
static char *last_line(const struct buf *out)
{
	size_t end = out->len;
	const char *p;

	while (end && out->data[end - 1] == '\n')
		end--;
	p = memrchr(out->data, '\n', end);
	p = p ? p + 1 : out->data;
	return xstrndup(p, out->data + end - p);
}

static json_t *compare_json(const char *run, int *status)
{
	struct buf out = {};
	json_error_t e;
	json_t *o;

	*status = run_kab(&out, "compare --json %s", run);
	o = json_loads(out.data ? out.data : "", 0, &e);
	if (!o)
		fail_msg("compare --json: %s in %s", e.text, out.data);
	buf_free(&out);
	return o;
}

static json_t *find_row(json_t *comparison, const char *cell, const char *arm, const char *metric)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(comparison, "rows"), i, row)
	{
		const char *c, *a, *m;

		assert_int_equal(json_unpack(row, "{s:s,s:s,s:{s:s}}", "cell", &c, "arm", &a, "metric", "name", &m), 0);
		if (!strncmp(c, cell, strlen(cell)) && !strcmp(a, arm) && !strcmp(m, metric))
			return row;
	}
	fail_msg("no row %s %s %s", cell, arm, metric);
	return NULL;
}

static const char *verdict(json_t *row)
{
	return json_string_value(json_object_get(row, "verdict"));
}

static double estimate(json_t *row, const char *key)
{
	return json_number_value(json_object_get(json_object_get(row, "estimate"), key));
}

static size_t file_size(const char *fmt, const char *run)
{
	__free_char char *path = NULL;
	struct stat st;

	assert_true(asprintf(&path, fmt, run) >= 0);
	if (stat(path, &st))
		fail_msg("%s: %s", path, strerror(errno));
	return st.st_size;
}

static void report_is_complete(const char *run)
{
	assert_int_equal(run_kab(NULL, "report %s", run), 0);
	assert_true(file_size("%s/report/report.html", run) > 10000);
	assert_true(file_size("%s/report/report.md", run) > 500);
	assert_true(file_size("%s/report/cover-letter.txt", run) > 300);
	assert_true(file_size("%s/report/ratio.png", run) > 3000);
	assert_true(file_size("%s/report/ratio.svg", run) > 3000);
}

static void test_verdicts(void **state)
{
	__free_char char *run = NULL;
	struct buf out = {};
	double slow;
	json_t *c, *row;
	int status;

	(void)state;
	assert_int_equal(run_kab(&out, "run --seed 1 --results %s --yes tests/vm/e2e.yaml", results), 0);
	run = last_line(&out);
	buf_free(&out);
	c = compare_json(run, &status);

	row = find_row(c, "pipe", "slow", "ops_per_s");
	assert_string_equal(verdict(row), "regression");
	assert_true(estimate(row, "hi") < 1);
	slow = log(estimate(row, "effect"));
	assert_int_equal(status, 1);

	/* One control in twenty may be called a change, by the level of the test; but not one of this size. */
	row = find_row(c, "pipe", "copy", "ops_per_s");
	assert_true(json_is_true(json_object_get(row, "control")));
	assert_true(!strcmp(verdict(row), "same") || !strcmp(verdict(row), "unclear") ||
		fabs(log(estimate(row, "effect"))) < fabs(slow) / 4);

	/* Four busy threads: three siblings to interrupt, now and then one fewer when its virtual CPU waits. */
	row = find_row(c, "localcpu", "patched", "tlb_shootdowns_per_op");
	assert_true(estimate(row, "base_median") > 2);
	assert_true(estimate(row, "arm_median") < 0.01);
	assert_string_equal(verdict(row), "improvement");
	row = find_row(c, "localcpu", "copy", "tlb_shootdowns_per_op");
	assert_true(estimate(row, "arm_median") > 2);

	/* Context switches of a pipe are no estimate: two reads that block an operation. */
	row = find_row(c, "pipe", "copy", "ctx_switches_per_op");
	assert_true(estimate(row, "base_median") >= 1 && estimate(row, "base_median") < 8);
	json_decref(c);

	report_is_complete(run);
	assert_int_equal(run_kab(&out, "show --json %s", run), 0);
	assert_non_null(strstr(out.data, "\"slow\""));
	buf_free(&out);
}

/* Each program of the matrix of examples gives its figure in a guest, or is not installed. */
static void test_programs(void **state)
{
	const char *const argv[] = {"sed", "/^  patched:/d", "matrix/programs.yaml", NULL};
	__free_char char *matrix = xasprintf("%s/programs.yaml", results), *run = NULL, *path = NULL, *text = NULL;
	struct buf out = {};
	struct error err;
	char *save = NULL;
	unsigned ok = 0;

	(void)state;
	assert_int_equal(run_capture(argv, NULL, &out, &err), 0);
	assert_int_equal(file_write_atomic(matrix, out.data, out.len, NULL), 0);
	assert_int_equal(run_kab(&out, "run --results %s --blocks 1 --yes %s", results, matrix), 0);
	run = last_line(&out);
	buf_free(&out);
	path = xasprintf("%s/samples.jsonl", run);
	text = file_read(path, NULL, NULL);
	assert_non_null(text);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		json_t *s = json_loads(line, 0, NULL);
		const char *status = json_string_value(json_object_get(s, "status"));
		const char *reason = json_string_value(json_object_get(s, "reason"));

		assert_non_null(status);
		if (strcmp(status, "ok") && !(reason && strstr(reason, "no hackbench")) &&
			!(reason && strstr(reason, "no will-it-scale")))
			fail_msg("%s: %s", json_string_value(json_object_get(s, "cell")), reason ? reason : status);
		ok += !strcmp(status, "ok");
		json_decref(s);
	}
	assert_true(ok >= 4 * 3);
}

static void test_one_block_cannot_decide(void **state)
{
	__free_char char *run = NULL;
	struct buf out = {};
	json_t *c, *row;
	int status;

	(void)state;
	assert_int_equal(run_kab(&out, "run --results %s --blocks 1 tests/vm/resume.yaml", results), 0);
	run = last_line(&out);
	buf_free(&out);
	c = compare_json(run, &status);
	assert_int_equal(status, 3);
	row = find_row(c, "pipe/mode=process", "patched", "ops_per_s");
	assert_string_equal(verdict(row), "unclear");
	assert_non_null(strstr(json_string_value(json_object_get(row, "note")), "cannot"));
	json_decref(c);
}

/* Where the arm of a sample is told, from @from on; NULL: nowhere any more. */
static const char *next_arm(const char *from)
{
	const char *p = strstr(from, "\"arm\":\"");

	return p ? p + strlen("\"arm\":\"") : NULL;
}

/* Arms of a block are up at once: their boots say so, and their samples alternate. */
static void test_side_by_side(void **state)
{
	__free_char char *run = NULL, *samples = NULL, *boot = NULL, *text = NULL, *env = NULL;
	struct buf out = {};
	size_t n = 0;

	(void)state;
	assert_int_equal(run_kab(&out, "run --results %s tests/vm/together.yaml", results), 0);
	run = last_line(&out);
	buf_free(&out);
	samples = xasprintf("%s/samples.jsonl", run);
	text = file_read(samples, NULL, NULL);
	assert_non_null(text);
	for (const char *a, *b = text; (a = next_arm(b)); n += 2) {
		b = next_arm(a);
		assert_non_null(b);
		assert_int_not_equal(*a, *b);
	}
	assert_int_equal(n, 2 * 2 * 4);
	boot = xasprintf("%s/boots/3/boot.json", run);
	env = file_read(boot, NULL, NULL);
	assert_non_null(env);
	assert_non_null(strstr(env, "up_together"));
}

static size_t count_lines(const char *path)
{
	__free_char char *text = file_read(path, NULL, NULL);
	size_t n = 0;

	for (const char *p = text; p && (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

/* Boot 0 dies of a lost write in its first life and of a panic in its second; boot 1 finds that done. */
static const char dying[] =
	"baseline: stock\n"
	"arms:\n"
	"  stock: {series: [\"vm-local-cpu:1\"]}\n"
	"  copy: {series: [\"vm-local-cpu:1\"]}\n"
	"executor: {vm: {cpus: 1, nodes: 1, memory: 512M}}\n"
	"blocks: 1\n"
	"samples: 2\n"
	"warmup: 0\n"
	"observers: none\n"
	"workloads:\n"
	"  - name: dying\n"
	"    command: |\n"
	"      cd %1$s/*-dying-*/boots/0 || exit 1\n"
	"      if ! [ -d life1 ]; then\n"
	"        echo '<1>int3: 0000 [#1] SMP' > /dev/kmsg; echo b > /proc/sysrq-trigger; sleep 60\n"
	"      elif ! [ -d life2 ]; then\n"
	"        echo c > /proc/sysrq-trigger; sleep 60\n"
	"      fi\n"
	"      echo 42 marks\n"
	"    figure: {regex: '([0-9]+) marks', name: marks_per_s, unit: marks/s, better: more}\n";

/* The lost write is made up for in another guest, whose samples tell of it; the panic stands. */
static void test_lost_write_is_run_again(void **state)
{
	__free_char char *path = xasprintf("%s/dying.yaml", results);
	__free_char char *matrix = xasprintf(dying, results);
	__free_char char *run = NULL, *samples = NULL, *text = NULL;
	char *save = NULL, *line;
	struct buf out = {};

	(void)state;
	assert_int_equal(file_write_atomic(path, matrix, strlen(matrix), NULL), 0);
	assert_int_equal(run_kab(&out, "run --yes --results %s %s", results, path), 1);
	run = last_line(&out);
	buf_free(&out);
	samples = xasprintf("%s/samples.jsonl", run);
	assert_int_equal(count_lines(samples), 4);
	text = file_read(samples, NULL, NULL);
	assert_non_null(text);
	if (!strstr(text, "\"accelerator\":\"tcg\""))
		skip_because("the guests were not emulated");
	line = strtok_r(text, "\n", &save);
	assert_non_null(strstr(line, "\"life\":1"));
	assert_non_null(strstr(line, "\"tcg_job_retries\":1"));
	assert_non_null(strstr(line, "\"status\":\"oops\""));
	assert_non_null(strstr(line, "sysrq triggered crash"));
	line = strtok_r(NULL, "\n", &save);
	assert_non_null(strstr(line, "\"life\":2"));
	assert_non_null(strstr(line, "\"tcg_job_retries\":1"));
	assert_non_null(strstr(line, "\"status\":\"ok\""));
	while ((line = strtok_r(NULL, "\n", &save))) {
		assert_null(strstr(line, "tcg_job_retries"));
		assert_non_null(strstr(line, "\"status\":\"ok\""));
	}
}

/* The newest folder in @dir that begins like a run, or NULL. */
static char *newest_run(const char *dir)
{
	struct dirent **names;
	char *path = NULL;
	int n = scandir(dir, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			free(path);
			path = xasprintf("%s/%s", dir, names[i]->d_name);
		}
		free(names[i]);
	}
	free(n >= 0 ? names : NULL);
	return path;
}

static pid_t start_run(const char *dir)
{
	pid_t pid = fork();

	if (!pid) {
		setpgid(0, 0);
		execl(kab(), "kab", "run", "-q", "--results", dir, "tests/vm/resume.yaml", (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Waits until the run in @dir has at least @lines samples; gives up after a minute. */
static void wait_for_samples(const char *dir, size_t lines)
{
	for (int i = 0; i < 600; i++) {
		__free_char char *run = newest_run(dir);
		__free_char char *path = run ? xasprintf("%s/samples.jsonl", run) : NULL;

		if (path && count_lines(path) >= lines)
			return;
		usleep(100000);
	}
	fail_msg("fewer than %zu samples within a minute", lines);
}

/* Processes whose command line holds @word. */
static unsigned processes_with(const char *word)
{
	struct dirent **names;
	int n = scandir("/proc", &names, NULL, NULL);
	unsigned found = 0;

	for (int i = 0; i < n; i++) {
		__free_char char *path = xasprintf("/proc/%s/cmdline", names[i]->d_name);
		size_t len = 0;
		__free_char char *text =
			names[i]->d_name[0] >= '1' && names[i]->d_name[0] <= '9' ? file_read(path, &len, NULL) : NULL;

		if (text && len && memmem(text, len, word, strlen(word)))
			found++;
		free(names[i]);
	}
	free(names);
	return found;
}

/* kill -9 of kab three times in one run, each time a little later; then it is let through. */
static void test_resume(void **state)
{
	char dir[] = "/tmp/kab-resume-XXXXXX";
	__free_char char *run = NULL, *again = NULL, *path = NULL, *text = NULL;
	struct buf out = {};
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (unsigned i = 1; i <= 3; i++) {
		pid_t pid = start_run(dir);

		wait_for_samples(dir, 7 * i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		usleep(500000);
		assert_int_equal(processes_with(dir), 0); /* no QEMU of this run is left */
	}
	run = newest_run(dir);
	assert_int_equal(run_kab(&out, "run --results %s tests/vm/resume.yaml", dir), 0);
	again = last_line(&out);
	buf_free(&out);
	assert_string_equal(again, run);

	/* Two arms, three blocks, three cells of four samples: each exactly once. */
	path = xasprintf("%s/samples.jsonl", run);
	text = file_read(path, &n, NULL);
	assert_non_null(text);
	assert_int_equal(count_lines(path), 2 * 3 * 3 * 4);
	for (const char *p = text; (p = strstr(p, "\"id\"")); p += 4) {
		__free_char char *id = xstrndup(p, strcspn(p, ","));

		assert_null(strstr(p + 4, id));
	}
	/* A finished run starts anew. */
	assert_int_equal(run_kab(&out, "run --dry-run --results %s tests/vm/resume.yaml", dir), 0);
	buf_free(&out);
	dir_remove(dir, NULL);
}

/* Results on a file system that fills up: said, nothing lost, and with room again the same command goes on. */
static void test_disk_full(void **state)
{
	char dir[] = "/tmp/kab-full-XXXXXX";
	__free_char char *run = NULL, *path = NULL, *filler = NULL;
	struct buf out = {};
	size_t before;
	int fd, status;

	(void)state;
	assert_non_null(mkdtemp(dir));
	if (mount("kab-test", dir, "tmpfs", 0, "size=64m")) {
		rmdir(dir);
		skip_because("no tmpfs can be mounted here: %s", strerror(errno));
	}
	pid_t pid = start_run(dir);

	wait_for_samples(dir, 5);
	filler = xasprintf("%s/.filler", dir);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	for (char block[4096] = ""; write(fd, block, sizeof(block)) > 0;)
		;
	close(fd);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 4);
	run = newest_run(dir);
	path = xasprintf("%s/samples.jsonl", run);
	before = count_lines(path);
	unlink(filler);
	assert_int_equal(run_kab(&out, "run -q --results %s tests/vm/resume.yaml", dir), 0);
	assert_true(count_lines(path) == 2 * 3 * 3 * 4 && before >= 5);
	buf_free(&out);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}

static int make_results(void **state)
{
	(void)state;
	return mkdtemp(results) ? 0 : -1;
}

static int remove_results(void **state)
{
	(void)state;
	return dir_remove(results, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_one_block_cannot_decide),
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_lost_write_is_run_again),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_disk_full),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("end to end", tests, make_results, remove_results);
}
