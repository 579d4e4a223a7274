// SPDX-License-Identifier: GPL-2.0-or-later
/* The program as a shell sees it: exit statuses, streams and signals that belong to no verb. */
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "cli.h"
#include "util.h"

#define RUN "results/reference"

static const char *kab(void)
{
	const char *env = getenv("KAB");

	return env && *env ? env : "build/kab";
}

/* Exit status of "kab ARGS", by sh; what it says on both streams, as far as @args leave them, in
 * @out. */
static int call_in(const char *environment, struct buf *out, const char *args)
{
	__free_char char *cmd = xasprintf("exec 2>&1; %s %s %s", environment, kab(), args);
	const char *const argv[] = {"sh", "-c", cmd, NULL};
	struct error err;
	int status;

	buf_free(out);
	status = run_capture(argv, NULL, out, &err);
	assert_true(status >= 0 && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int call(struct buf *out, const char *args)
{
	return call_in("", out, args);
}

static void test_output_that_is_lost_is_an_error(void **state)
{
	static const char *const args[] = {"--help", "--version", "compare --help", "show " RUN,
		"compare " RUN, "compare --json " RUN};
	struct buf out = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(args); i++) {
		__free_char char *full = xasprintf("%s >/dev/full", args[i]);

		__free_char char *closed = xasprintf("%s >&-", args[i]);

		if (call(&out, full) != KAB_ENVIRONMENT)
			fail_msg("%s: %s", full, out.data ? out.data : "");
		assert_non_null(strstr(out.data, "standard output"));
		if (call(&out, closed) != KAB_ENVIRONMENT)
			fail_msg("%s: %s", closed, out.data ? out.data : "");
	}
	buf_free(&out);
}

static void test_a_reader_may_leave(void **state)
{
	struct buf out = {};

	(void)state;
	/* Its own status stays out of sight behind a pipe, but not a word may be said about it. */
	call(&out, "show -v " RUN " localcpu | head -c 1 >/dev/null");
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

/* Without a run named the newest is meant, and told; not where a script would take the wrong one for its own. */
static void test_the_newest_run_is_meant(void **state)
{
	static const char *const verbs[] = {"compare", "show"};
	char results[] = "/tmp/kab-test-XXXXXX";
	__free_char char *set = NULL;
	struct buf out = {};

	(void)state;
	assert_non_null(mkdtemp(results));
	set = xasprintf("KAB_RESULTS=%s", results);
	assert_int_equal(putenv(set), 0);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		int status = call(&out, verbs[i]);

		assert_true(status == KAB_OK || status == KAB_UNCLEAR);
		if (!strstr(out.data, "results/reference"))
			fail_msg("%s: %s", verbs[i], out.data);
	}
	assert_int_equal(call(&out, "show --list"), KAB_OK);
	assert_non_null(strstr(out.data, "no run in "));
	assert_int_equal(call(&out, "show --list results/reference"), KAB_USAGE);
	call(&out, "show --json");
	assert_int_equal(out.data[0], '{');
	assert_int_equal(call(&out, "compare --bisect"), 130);
	assert_int_equal(call(&out, "show --symbols"), KAB_USAGE);
	unsetenv("KAB_RESULTS");
	buf_free(&out);
	dir_remove(results, NULL);
}

static void test_help_for_a_verb(void **state)
{
	struct buf out = {};

	(void)state;
	assert_int_equal(call(&out, "help compare"), KAB_OK);
	assert_non_null(strstr(out.data, "usage: kab compare "));
	assert_int_equal(call(&out, "help"), KAB_OK);
	assert_non_null(strstr(out.data, "usage: kab <verb>"));
	assert_int_equal(call(&out, "help nosuch"), KAB_USAGE);
	assert_int_equal(call(&out, "version"), KAB_OK);
	buf_free(&out);
}

/* What is asked for is whether the matrix is the right one; each of its boots only if that is asked, too. */
static void test_a_plan_is_short(void **state)
{
	struct buf out = {};

	(void)state;
	assert_int_equal(call(&out, "run --dry-run matrix/quick.yaml --blocks 50"), KAB_OK);
	assert_non_null(strstr(out.data, "pipe/mode=process: "));
	assert_non_null(strstr(out.data, " samples in each boot that has it, after 1 warm-up\n"));
	assert_null(strstr(out.data, "b049."));
	/* Whatever arm is the first to boot: the control leaves cells out. */
	for (unsigned seed = 1; seed < 9; seed++) {
		__free_char char *line = xasprintf("run --dry-run matrix/quick.yaml --seed %u", seed);

		assert_int_equal(call(&out, line), KAB_OK);
		assert_null(strstr(out.data, " 0 samples"));
	}
	assert_int_equal(call(&out, "run --dry-run matrix/quick.yaml --blocks 50 -v"), KAB_OK);
	assert_non_null(strstr(out.data, "b049.stock.m0\n"));
	buf_free(&out);
}

static void test_counts_start_at_one(void **state)
{
	static const char *const args[] = {"--blocks 0", "--more-boots 0", "--blocks -1",
		"--blocks=", "--blocks 1x", "--blocks 4294967296"};
	struct buf out = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(args); i++) {
		__free_char char *full = xasprintf("run --dry-run matrix/quick.yaml %s", args[i]);

		if (call(&out, full) != KAB_USAGE)
			fail_msg("%s: %s", full, out.data ? out.data : "");
		assert_non_null(strstr(out.data, i == 1 ? "--more-boots: '0'" : "--blocks: '"));
	}
	buf_free(&out);
}

/* What would be passed over is a mistake, above all --dry-run, for these build. */
static void test_options_of_other_verbs(void **state)
{
	static const char *const args[] = {
		"kernel build --dry-run matrix/quick.yaml stock",
		"kernel path --all matrix/quick.yaml stock",
		"kernel list --series vm-local-cpu",
		"kernel clean --align 3 --dry-run",
		"compare " RUN " --draws 0",
	};
	struct buf out = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		if (call(&out, args[i]) != KAB_USAGE)
			fail_msg("%s: %s", args[i], out.data ? out.data : "");
	buf_free(&out);
}

/* Whatever arm the others are held against. */
static void test_other_baselines(void **state)
{
	struct buf out = {};

	(void)state;
	call(&out, "compare " RUN " --baseline patched");
	/* What the patches of the baseline add is no surprise. */
	assert_null(strstr(out.data, "nobody asked for"));
	assert_non_null(strstr(out.data, "No A/A control of patched"));
	/* It measures the cells of "aa" alone. */
	call(&out, "compare " RUN " --baseline stock-again");
	assert_null(strstr(out.data, "not measured"));
	assert_non_null(strstr(out.data, "pipe/mode=process"));
	buf_free(&out);
}

/* The mask of @name in /proc/PID/status, such as "SigIgn". */
static uint64_t signal_mask(pid_t pid, const char *name)
{
	__free_char char *path = xasprintf("/proc/%d/status", (int)pid);
	__free_char char *text = file_read(path, NULL, NULL);
	__free_char char *key = xasprintf("\n%s:", name);
	const char *line = text ? strstr(text, key) : NULL;

	return line ? strtoull(line + strlen(key), NULL, 16) : 0;
}

#define BIT(sig) (1ull << ((sig)-1))

/* kab waiting for a capture that never comes, with its handlers in place. */
static pid_t waiting_kab(const char *fifo, bool nohup)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGHUP, nohup ? SIG_IGN : SIG_DFL);
		signal(SIGINT, nohup ? SIG_IGN : SIG_DFL);
		execl(kab(), "kab", "schedstat", fifo, fifo, NULL);
		_exit(127);
	}
	for (int i = 0; i < 200 && !(signal_mask(pid, "SigCgt") & BIT(SIGTERM)); i++)
		usleep(10000);
	assert_true(signal_mask(pid, "SigCgt") & BIT(SIGTERM));
	/* SIGTERM comes last of the three in no order that is promised. */
	usleep(20000);
	return pid;
}

static void test_signals_that_were_ignored_stay_so(void **state)
{
	char dir[] = "/tmp/kab-cli-XXXXXX";
	__free_char char *fifo = NULL;
	uint64_t both = BIT(SIGHUP) | BIT(SIGINT);

	(void)state;
	assert_non_null(mkdtemp(dir));
	fifo = xasprintf("%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (int nohup = 0; nohup < 2; nohup++) {
		pid_t pid = waiting_kab(fifo, nohup);
		uint64_t ignored = signal_mask(pid, "SigIgn"), caught = signal_mask(pid, "SigCgt");

		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(ignored & both, nohup ? both : 0);
		assert_int_equal(caught & both, nohup ? 0 : both);
	}
	assert_int_equal(dir_remove(dir, NULL), 0);
}

/* What is found out only when its kernel is looked up has the place of the arm, whichever verb looks. */
static void test_mistakes_of_an_arm_have_its_place(void **state)
{
	static const struct {
		const char *args, *executor, *words;
	} cases[] = {
		{"run %s/m.yaml --dry-run --results %s", "vm", "m.yaml:3:3: arm p: series './docs': no patches in ./docs"},
		{"kernel path %s/m.yaml p", "vm", "m.yaml:3:3: arm p: series './docs': no patches in ./docs"},
		{"run %s/m.yaml --dry-run --results %s", "local", "m.yaml:3:3: arm 'p' asks for a kernel of its own"},
	};
	char dir[] = "/tmp/kab-test-cli-XXXXXX";
	struct buf out = {};

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__free_char char *args = xasprintf(cases[i].args, dir, dir), *path = xasprintf("%s/m.yaml", dir);
		__free_char char *text = xasprintf("arms:\n  stock: {}\n  p: {series: [./docs]}\nexecutor: {%s: {}}\n"
						   "workloads: [{name: pipe}]\n", cases[i].executor);

		assert_int_equal(file_write_atomic(path, text, strlen(text), NULL), 0);
		assert_int_equal(call(&out, args), 2);
		if (!strstr(out.data, cases[i].words))
			fail_msg("%s", out.data);
	}
	buf_free(&out);
	assert_int_equal(dir_remove(dir, NULL), 0);
}

/* kab on a terminal of its own, which is about to ask whether it may run @command. Its id; the terminal's other end in @fd. */
static pid_t kab_on_terminal(const char *dir, const char *command, int *fd)
{
	__free_char char *matrix = xasprintf("arms: {here: {}}\nexecutor: {local: {}}\nworkloads:\n"
					     "  - {name: nothing, command: '%s', figure: {regex: '([0-9])', "
					     "name: ones, unit: x, better: more}}\n", command);
	__free_char char *path = xasprintf("%s/m.yaml", dir);
	pid_t pid;

	assert_int_equal(file_write_atomic(path, matrix, strlen(matrix), NULL), 0);
	pid = forkpty(fd, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (!pid) {
		/* It stays ignored where it is, as behind a shell's "&"; a terminal's user has it. */
		signal(SIGINT, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(kab(), "kab", "run", path, "--results", dir, NULL);
		_exit(127);
	}
	return pid;
}

static void read_question(int fd)
{
	char text[32768] = "";
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && !strstr(text, "[y/N]") && len < sizeof(text) - 1) {
		n = read(fd, text + len, sizeof(text) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
		text[len] = '\0';
	}
	if (!strstr(text, "[y/N]"))
		fail_msg("no question: %s", text);
}

static void test_answers_to_the_question(void **state)
{
	static const struct {
		const char *keys;
		int status;
	} cases[] = {{"n\n", KAB_USAGE}, {"\x04", KAB_USAGE}, {"\x03", KAB_INTERRUPTED}};
	char dir[] = "/tmp/kab-cli-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd, status;
		pid_t pid = kab_on_terminal(dir, "echo 1", &fd);

		read_question(fd);
		assert_int_equal(
			write(fd, cases[i].keys, strlen(cases[i].keys)), strlen(cases[i].keys));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), cases[i].status);
		close(fd);
	}
	assert_int_equal(dir_remove(dir, NULL), 0);
}

/* Its exit status; the test fails if it goes on for long. */
static int end_of(pid_t pid)
{
	int status;

	for (int i = 0; i < 3000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			assert_true(WIFEXITED(status));
			return WEXITSTATUS(status);
		}
		usleep(10000);
	}
	kill(pid, SIGKILL);
	fail_msg("it still waits for an answer");
	return -1;
}

/* Ctrl-C just before the question is no answer to wait for: here what comes before it is more than the terminal takes. */
static void test_interrupted_before_it_asks(void **state)
{
	char dir[] = "/tmp/kab-cli-XXXXXX", command[20000], first;
	pid_t pid;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	memset(command, 'x', sizeof(command) - 1);
	command[sizeof(command) - 1] = '\0';
	pid = kab_on_terminal(dir, command, &fd);
	assert_int_equal(read(fd, &first, 1), 1);
	usleep(300000);
	kill(pid, SIGINT);
	usleep(100000);
	read_question(fd);
	assert_int_equal(end_of(pid), KAB_INTERRUPTED);
	close(fd);
	assert_int_equal(dir_remove(dir, NULL), 0);
}

/* What the executor local visits again and again is told of as no boots. */
static void test_visits_are_no_boots(void **state)
{
	static const char text[] = "arms: {here: {}, there: {}}\nexecutor: {local: {}}\nblocks: 2\nsamples: 1\nwarmup: 0\n"
				   "observers: vmstat\nworkloads: [{name: 'null', workers: 1, duration: 10ms}]\n";
	static const char *const words[] = {"onto the samples of its visits", "unit of replication is the visit",
		"A block visits every arm once", "medians of its visits", "below six visits", "rings: single visits"};
	char dir[] = "/tmp/kab-cli-XXXXXX";
	__free_char char *matrix = xasprintf("%s/m.yaml", mkdtemp(dir)), *args = NULL, *report = NULL;
	struct buf out = {};

	(void)state;
	assert_int_equal(file_write_atomic(matrix, text, strlen(text), NULL), 0);
	args = xasprintf("run --results %s %s --dry-run", dir, matrix);
	assert_int_equal(call(&out, args), 0);
	assert_non_null(strstr(out.data, "2 blocks: 4 visits, 4 samples"));
	assert_null(strstr(out.data, "boot"));
	*strrchr(args, ' ') = '\0';
	assert_int_equal(call(&out, args), 0);
	assert_null(strstr(out.data, "boot"));
	free(args);
	args = xasprintf("report %s/*-m-*", dir);
	assert_int_equal(call(&out, args), 0);
	out.data[strcspn(out.data, "\n")] = '\0';
	report = file_read(out.data, NULL, NULL);
	assert_non_null(report);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strstr(report, words[i]))
			fail_msg("%s", words[i]);
	buf_free(&out);
	assert_int_equal(dir_remove(dir, NULL), 0);
}

#define JUMPY "LD_PRELOAD=$PWD/build/tests/clock_jumps.so ASAN_OPTIONS=verify_asan_link_order=0"

/* Days stand in names and in reports, nothing is measured by them: not a run, not its samples, not what is left to do. */
static void test_clock_jumps(void **state)
{
	static const char text[] =
		"baseline: here\narms: {here: {}}\nexecutor: {local: {}}\nblocks: 2\nsamples: 3\nwarmup: 0\n"
		"observers: none\nworkloads: [{name: 'null', workers: 1, duration: 20ms}]\n";
	char dir[] = "/tmp/kab-cli-XXXXXX";
	__free_char char *matrix = NULL, *args = NULL, *run = NULL, *path = NULL, *samples = NULL;
	struct buf out = {};
	char *end, *save = NULL;
	unsigned n = 0;
	json_t *o;

	(void)state;
	assert_int_equal(access("build/tests/clock_jumps.so", R_OK), 0);
	assert_non_null(mkdtemp(dir));
	matrix = xasprintf("%s/m.yaml", dir);
	assert_int_equal(file_write_atomic(matrix, text, strlen(text), NULL), 0);
	args = xasprintf("run -q --results %s %s", dir, matrix);
	if (call_in(JUMPY, &out, args) || strstr(out.data, "preload"))
		fail_msg("%s", out.data);
	end = strrchr(out.data, '/');
	assert_non_null(end);
	run = xasprintf("%s%.*s", dir, (int)strcspn(end, "\n"), end);
	free(args);
	args = xasprintf("run -q --more-boots 1 --results %s %s", dir, matrix);
	assert_int_equal(call_in(JUMPY, &out, args), 0);
	if (!strstr(out.data, run))
		fail_msg("begun anew: %s", out.data);
	free(args);
	args = xasprintf("report %s", run);
	assert_int_equal(call_in(JUMPY, &out, args), 0);
	/* To add blocks until they say what is wanted is no way to find out. */
	path = xasprintf("%s/report/report.md", run);
	samples = file_read(path, NULL, NULL);
	assert_non_null(samples);
	assert_non_null(strstr(samples, "was given 1 more block than it began with"));
	free(samples);
	free(path);
	path = xasprintf("%s/samples.jsonl", run);
	samples = file_read(path, NULL, NULL);
	assert_non_null(samples);
	for (char *line = strtok_r(samples, "\n", &save); line; line = strtok_r(NULL, "\n", &save), n++) {
		json_t *s = json_loads(line, 0, NULL);
		json_int_t ns = json_integer_value(json_object_get(s, "elapsed_ns"));

		assert_string_equal(json_string_value(json_object_get(s, "status")), "ok");
		assert_in_range(ns, 15000000, 10000000000);
		json_decref(s);
	}
	assert_int_equal(n, 3 * 3);
	free(path);
	path = xasprintf("%s/run.json", run);
	o = json_load_file(path, 0, NULL);
	assert_in_range(json_integer_value(json_object_get(json_object_get(o, "overhead"), "wall_ns")), 9 * 15000000,
		100000000000);
	json_decref(o);
	buf_free(&out);
	dir_remove(dir, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_that_is_lost_is_an_error),
		cmocka_unit_test(test_a_reader_may_leave),
		cmocka_unit_test(test_the_newest_run_is_meant),
		cmocka_unit_test(test_counts_start_at_one),
		cmocka_unit_test(test_a_plan_is_short),
		cmocka_unit_test(test_help_for_a_verb),
		cmocka_unit_test(test_options_of_other_verbs),
		cmocka_unit_test(test_other_baselines),
		cmocka_unit_test(test_signals_that_were_ignored_stay_so),
		cmocka_unit_test(test_mistakes_of_an_arm_have_its_place),
		cmocka_unit_test(test_answers_to_the_question),
		cmocka_unit_test(test_interrupted_before_it_asks),
		cmocka_unit_test(test_visits_are_no_boots),
		cmocka_unit_test(test_clock_jumps),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
