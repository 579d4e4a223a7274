// SPDX-License-Identifier: GPL-2.0-or-later
/* The local executor on this machine, and what kab says when its agent fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor.h"
#include "link.h"

/* The one child of this process: the agent. */
static pid_t agent_pid(void)
{
	__free_char char *path =
		xasprintf("/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
	__free_char char *text = file_read(path, NULL, NULL);

	return text && *text ? atoi(text) : 0;
}

static int boot_local(void **state)
{
	struct boot_request req = {.label = "this one"};
	struct error err;

	*state = local_executor.boot(&req, &err);
	return *state ? 0 : -1;
}

static int end_local(void **state)
{
	local_executor.shutdown(*state);
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static struct job_result run(struct executor *ex, const char *script, unsigned timeout_s)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	static const char *const capture[] = {"/proc/stat", "/proc/no-such-file", NULL};
	struct job job = {.id = "s1", .argv = argv, .capture = capture, .timeout_s = timeout_s};
	struct job_result res;
	struct error err;

	assert_int_equal(local_executor.run(ex, &job, &res, &err), 0);
	return res;
}

static void test_jobs_one_after_another(void **state)
{
	for (int i = 0; i < 3; i++) {
		struct job_result res = run(*state, "echo hello; exit 77", 10);

		assert_int_equal(res.status, SAMPLE_OK);
		assert_int_equal(res.exit_status, 77);
		assert_string_equal(res.out, "hello\n");
		assert_false(res.machine_lost);
		assert_non_null(json_object_get(res.before, "/proc/stat"));
		assert_null(json_object_get(res.before, "/proc/no-such-file"));
		job_result_clear(&res);
	}
}

static void test_environment(void **state)
{
	json_t *env = local_executor.env(*state);
	struct utsname u;

	uname(&u);
	assert_string_equal(json_string_value(json_object_get(env, "label")), "this one");
	assert_string_equal(json_string_value(json_object_get(env, "kernel_release")), u.release);
	assert_int_equal(
		json_integer_value(json_object_get(env, "cpus")), sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(json_integer_value(json_object_get(env, "memory_bytes")) > 1 << 20);
	assert_true(json_integer_value(json_object_get(env, "nodes")) >= 1);
	/* Absent where there is no such file, never empty. */
	assert_int_equal(json_object_get(env, "schedstat_version") != NULL,
		!access("/proc/schedstat", R_OK));
}

static void test_a_job_that_times_out_leaves_the_agent_alive(void **state)
{
	struct job_result res = run(*state, "sleep 100 & sleep 100", 1);

	assert_int_equal(res.status, SAMPLE_TIMEOUT);
	assert_false(res.machine_lost);
	job_result_clear(&res);
	res = run(*state, "true", 10);
	assert_int_equal(res.status, SAMPLE_OK);
	job_result_clear(&res);
}

static void test_a_killed_agent(void **state)
{
	struct job_result res;

	kill(agent_pid(), SIGKILL);
	res = run(*state, "true", 10);
	assert_int_equal(res.status, SAMPLE_FAILED);
	assert_true(res.machine_lost);
	assert_non_null(strstr(res.reason, "killed by signal 9"));
	job_result_clear(&res);
	res = run(*state, "true", 10);
	assert_int_equal(res.status, SAMPLE_FAILED);
	assert_true(res.machine_lost);
	job_result_clear(&res);
}

static void test_a_silent_agent(void **state)
{
	struct boot_request req = {0};
	struct executor *ex;
	struct job_result res;
	struct error err;
	uint64_t begin;

	(void)state;
	setenv("KAB_HANG_LIMIT_S", "1", 1);
	ex = local_executor.boot(&req, &err);
	unsetenv("KAB_HANG_LIMIT_S");
	assert_non_null(ex);
	kill(agent_pid(), SIGSTOP);
	begin = now_ns();
	res = run(ex, "true", 100);
	assert_int_equal(res.status, SAMPLE_HANG);
	assert_true(res.machine_lost);
	assert_string_equal(res.reason, "no sign of life for 1 s");
	assert_in_range((now_ns() - begin) / 1000000, 900, 30000);
	job_result_clear(&res);
	local_executor.shutdown(ex);
}

static void interrupt(int sig)
{
	(void)sig;
	kab_interrupted = 1;
}

/* Ctrl-C ends the wait at once, and the shutdown after it ends whatever the job has started. */
static void test_interrupted(void **state)
{
	char path[] = "/tmp/kab-local.XXXXXX";
	__free_char char *script = NULL, *pid = NULL;
	const char *argv[] = {"sh", "-c", NULL, NULL};
	struct job job = {.id = "s1", .argv = argv, .timeout_s = 100};
	struct sigaction alarm_action = {.sa_handler = interrupt};
	struct boot_request req = {0};
	struct job_result res;
	struct executor *ex;
	struct error err;
	uint64_t begin = now_ns();

	(void)state;
	close(mkstemp(path));
	argv[2] = script =
		xasprintf("(setsid sh -c 'echo $$ > %s; exec sleep 1000' &) ; sleep 1000", path);
	ex = local_executor.boot(&req, &err);
	assert_non_null(ex);
	sigaction(SIGALRM, &alarm_action, NULL);
	alarm(1);
	assert_int_equal(local_executor.run(ex, &job, &res, &err), -1);
	assert_int_equal(err.status, KAB_INTERRUPTED);
	local_executor.shutdown(ex);
	kab_interrupted = 0;
	assert_true(now_ns() - begin < 20000000000ull);
	pid = file_read(path, NULL, NULL);
	assert_true(atoi(pid) > 1);
	assert_int_equal(kill(atoi(pid), 0), -1);
	unlink(path);
}

/* What link_ready() makes of @text from an agent that then goes away. */
static enum link_end ready_from(const char *text, struct error *err)
{
	struct agent_link l = {.limits = link_limits(1)};
	json_t *env = NULL;
	enum link_end end;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(write(fd[1], text, strlen(text)), strlen(text));
	close(fd[1]);
	l.in.fd = fd[0];
	*err = (struct error){0};
	end = link_ready(&l, &env, err);
	close(fd[0]);
	proto_reader_clear(&l.in);
	json_decref(env);
	return end;
}

static void test_what_an_agent_may_say_first(void **state)
{
	static const struct {
		const char *text;
		enum link_end end;
		const char *says;
	} cases[] = {
		{"{\"type\": \"ready\", \"protocol\": 1, \"env\": {}}\n", LINK_OK, ""},
		{"{\"type\": \"ready\", \"protocol\": 2, \"env\": {}}\n", LINK_FAILED, "version 2"},
		{"{\"type\": \"ready\", \"protocol\": 1}\n", LINK_GARBAGE, "\"ready\""},
		{"{\"type\": \"failed\", \"reason\": \"no 9p\"}\n", LINK_FAILED, "no 9p"},
		{"{\"type\": \"done\", \"id\": \"x\"}\n", LINK_GARBAGE, "\"done\""},
		{"hello\n", LINK_GARBAGE, "hello"},
		{"", LINK_CLOSED, "gone"},
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(ready_from(cases[i].text, &err), cases[i].end);
		assert_non_null(strstr(err.text, cases[i].says));
	}
}

static void test_limits_from_the_environment(void **state)
{
	(void)state;
	assert_int_equal(link_limits(1).silence_s, 30);
	assert_int_equal(link_limits(5).silence_s, 150);
	setenv("KAB_BOOT_LIMIT_S", "7", 1);
	setenv("KAB_HANG_LIMIT_S", "3 days", 1);
	assert_int_equal(link_limits(5).ready_s, 7);
	assert_int_equal(link_limits(1).silence_s, 30);
	unsetenv("KAB_BOOT_LIMIT_S");
	unsetenv("KAB_HANG_LIMIT_S");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_jobs_one_after_another, boot_local, end_local),
		cmocka_unit_test_setup_teardown(test_environment, boot_local, end_local),
		cmocka_unit_test_setup_teardown(
			test_a_job_that_times_out_leaves_the_agent_alive, boot_local, end_local),
		cmocka_unit_test_setup_teardown(test_a_killed_agent, boot_local, end_local),
		cmocka_unit_test(test_a_silent_agent),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_what_an_agent_may_say_first),
		cmocka_unit_test(test_limits_from_the_environment),
	};

	return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
