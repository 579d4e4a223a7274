// SPDX-License-Identifier: GPL-2.0-or-later
/* What kab-workload's processes do while it runs, and when a run ends badly: seen from /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "workload_child.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* /proc/<pid>/<what> of a process or thread as a path. */
static void proc_path(char *path, size_t size, pid_t pid, const char *what)
{
	snprintf(path, size, "/proc/%d/%s", pid, what);
}

static bool file_has(const char *path, const char *line)
{
	char text[256];
	bool found = false;
	FILE *f = fopen(path, "r");

	while (f && !found && fgets(text, sizeof(text), f))
		found = !strcmp(text, line);
	if (f)
		fclose(f);
	return found;
}

/* Whether @pid has gone from this program's image to kab-workload's, and has only what that opened.
 */
static bool has_execed(pid_t pid)
{
	char path[64], own[300], its[300];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own)), m;

	proc_path(path, sizeof(path), pid, "exe");
	m = readlink(path, its, sizeof(its));
	return m > 0 && (m != n || memcmp(own, its, n));
}

/* Writes @size bytes of rubbish into @path if that is a pipe. */
static bool corrupt_if_pipe(const char *path, size_t size)
{
	char target[32] = "", rubbish[100];
	bool done;
	int fd;

	memset(rubbish, 0x55, sizeof(rubbish));
	if (readlink(path, target, sizeof(target) - 1) < 0 || strncmp(target, "pipe:", 5))
		return false;
	fd = open(path, O_WRONLY);
	done = fd >= 0 && write(fd, rubbish, size) == (ssize_t)size;
	close(fd);
	return done;
}

/* Puts @size bytes of rubbish into the first pipe that @pid has opened. */
static bool corrupt_a_pipe(pid_t pid, size_t size)
{
	char path[300];
	struct dirent *d;
	bool done = false;
	DIR *dir;

	if (!has_execed(pid))
		return false;
	proc_path(path, sizeof(path), pid, "fd");
	dir = opendir(path);
	while (dir && !done && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, d->d_name);
		done = atoi(d->d_name) > STDERR_FILENO && corrupt_if_pipe(path, size);
	}
	if (dir)
		closedir(dir);
	return done;
}

static void test_verify_fails_at_a_wrong_token_or_message(void **state)
{
	static const struct {
		const char *command, *part;
		size_t size;
	} cases[] = {
		{"run pipe --verify --duration 20 --mode thread", "pipe: sent ", 4},
		{"run pipe --verify --duration 20 --mode process", "pipe: sent ", 4},
		{"run messaging --groups 1 --senders 2 --receivers 1 --transport pipe --verify "
		 "--duration 20 --mode thread",
			"messaging: a message from sender 1431655765 of 2", 100},
		{"run messaging --groups 1 --senders 2 --receivers 1 --transport pipe --verify "
		 "--duration 20",
			"messaging: a message from sender 1431655765 of 2", 100},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct workload_child c = workload_start(cases[i].command);
		struct workload_outcome o;

		for (unsigned tries = 0; tries < 100 && !corrupt_a_pipe(c.pid, cases[i].size);
			tries++)
			sleep_ms(20);
		o = workload_finish(c);
		assert_true(WIFEXITED(o.status));
		assert_int_equal(WEXITSTATUS(o.status), 1);
		assert_text_has(o.err, cases[i].part);
		assert_string_equal(o.out, "");
		workload_outcome_free(&o);
	}
}

/* Counts threads of @pid that may run on CPU 0 alone. */
static unsigned threads_on_cpu0(pid_t pid)
{
	char path[300];
	struct dirent *d;
	unsigned n = 0;
	DIR *dir;

	proc_path(path, sizeof(path), pid, "task");
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, d->d_name);
		n += isdigit(d->d_name[0]) && file_has(path, "Cpus_allowed_list:\t0\n");
	}
	if (dir)
		closedir(dir);
	return n;
}

static void test_pinned_workers_are_pinned_and_nobody_else(void **state)
{
	struct workload_child c = workload_start("run null --pin 0 --workers 3 --duration 60");
	unsigned pinned = 0;
	struct workload_outcome o;

	(void)state;
	for (unsigned tries = 0; tries < 200 && pinned != 3; tries++) {
		sleep_ms(20);
		pinned = threads_on_cpu0(c.pid);
	}
	kill(c.pid, SIGKILL);
	o = workload_finish(c);
	workload_outcome_free(&o);
	assert_int_equal(pinned, 3);
}

/* Processes whose parent is @parent, up to @max of them. */
static unsigned children_of(pid_t parent, pid_t *child, unsigned max)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	unsigned n = 0;

	while (dir && n < max && (d = readdir(dir))) {
		char path[300], line[64];

		if (!isdigit(d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/status", d->d_name);
		snprintf(line, sizeof(line), "PPid:\t%d\n", parent);
		if (file_has(path, line))
			child[n++] = atoi(d->d_name);
	}
	if (dir)
		closedir(dir);
	return n;
}

/* Waits until @pid has @want children. */
static unsigned await_children(pid_t pid, pid_t *child, unsigned want)
{
	unsigned n = 0;

	for (unsigned tries = 0; tries < 200 && n != want; tries++) {
		sleep_ms(20);
		n = children_of(pid, child, want);
	}
	return n;
}

static bool is_running(pid_t pid)
{
	char path[64];

	proc_path(path, sizeof(path), pid, "status");
	return access(path, F_OK) == 0 && !file_has(path, "State:\tZ (zombie)\n");
}

static bool all_gone(const pid_t *pid, unsigned n)
{
	for (unsigned tries = 0; tries < 200; tries++) {
		unsigned running = 0;

		for (unsigned i = 0; i < n; i++)
			running += is_running(pid[i]);
		if (!running)
			return true;
		sleep_ms(20);
	}
	return false;
}

static void test_workers_die_with_the_main_process(void **state)
{
	static const struct {
		const char *command;
		unsigned children;
	} cases[] = {
		{"run pipe --duration 60", 2},
		{"run messaging --duration 60 --groups 1 --senders 2 --receivers 2", 4},
		{"run messaging --duration 60 --groups 1 --mode thread --instances 2", 2},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct workload_child c = workload_start(cases[i].command);
		unsigned n;
		pid_t pid[4];
		struct workload_outcome o;

		n = await_children(c.pid, pid, cases[i].children);
		kill(c.pid, SIGKILL);
		o = workload_finish(c);
		workload_outcome_free(&o);
		assert_int_equal(n, cases[i].children);
		assert_true(all_gone(pid, n));
	}
}

static void test_a_killed_worker_fails_the_run(void **state)
{
	struct workload_child c =
		workload_start("run messaging --duration 60 --groups 1 --senders 2 --receivers 2");
	pid_t pid[4];
	unsigned n = await_children(c.pid, pid, 4);
	struct workload_outcome o;

	(void)state;
	if (n)
		kill(pid[0], SIGKILL);
	o = workload_finish(c);
	assert_int_equal(n, 4);
	assert_true(WIFEXITED(o.status));
	assert_int_equal(WEXITSTATUS(o.status), 1);
	assert_text_has(o.err, "a worker process was killed by signal 9 (Killed)");
	assert_string_equal(o.out, "");
	assert_true(all_gone(pid, n));
	workload_outcome_free(&o);
}

static void test_too_few_open_files_is_a_failure_with_the_numbers(void **state)
{
	struct workload_outcome o =
		workload_finish(workload_start_with("run messaging --groups 4", NULL, 64));

	(void)state;
	assert_true(WIFEXITED(o.status));
	assert_int_equal(WEXITSTATUS(o.status), 1);
	assert_text_has(o.err, "192 open files are needed and the limit is 64");
	workload_outcome_free(&o);
}

static void test_a_result_that_cannot_be_written_is_a_failure(void **state)
{
	struct workload_outcome o =
		workload_finish(workload_start_with("run null --ops 1", "/dev/full", 0));

	(void)state;
	assert_true(WIFEXITED(o.status));
	assert_int_equal(WEXITSTATUS(o.status), 1);
	assert_text_has(o.err, "standard output: No space left on device");
	workload_outcome_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verify_fails_at_a_wrong_token_or_message),
		cmocka_unit_test(test_pinned_workers_are_pinned_and_nobody_else),
		cmocka_unit_test(test_workers_die_with_the_main_process),
		cmocka_unit_test(test_a_killed_worker_fails_the_run),
		cmocka_unit_test(test_too_few_open_files_is_a_failure_with_the_numbers),
		cmocka_unit_test(test_a_result_that_cannot_be_written_is_a_failure),
	};

	return cmocka_run_group_tests_name("workload processes", tests, NULL, NULL);
}
