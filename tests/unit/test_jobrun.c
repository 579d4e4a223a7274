// SPDX-License-Identifier: GPL-2.0-or-later
/* One job in this process: its output, its end in every way, and that nothing of it stays behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jobrun.h"
#include "proto.h"
#include "skip.h"

static const struct jobrun_place here = {
	.workload = "/bin/echo", .root_workload = "/bin/echo", .tmp = "/tmp"};

static void count_beat(void *arg)
{
	++*(unsigned *)arg;
}

/* Runs @argv for at most @timeout_s; every test sees that no child is left. */
static struct job_result run_argv(const char *const *argv, unsigned timeout_s, unsigned *beats)
{
	static const char *const capture[] = {"/proc/uptime", "/proc/no-such-file", NULL};
	struct job job = {.id = "t", .argv = argv, .capture = capture, .timeout_s = timeout_s};
	struct job_result res;
	unsigned none = 0;

	jobrun(&job, &here, count_beat, beats ? beats : &none, &res);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return res;
}

static struct job_result run_shell(const char *script, unsigned timeout_s)
{
	const char *const argv[] = {"sh", "-c", script, NULL};

	return run_argv(argv, timeout_s, NULL);
}

static void test_output_and_status(void **state)
{
	struct job_result res = run_shell("echo out; echo err >&2; exit 3", 10);

	(void)state;
	assert_int_equal(res.status, SAMPLE_OK);
	assert_null(res.reason);
	assert_int_equal(res.exit_status, 3);
	assert_string_equal(res.out, "out\n");
	assert_string_equal(res.err_out, "err\n");
	assert_null(res.perf);
	assert_true(res.elapsed_ns > 0);
	job_result_clear(&res);
}

static void test_captures_before_and_after(void **state)
{
	struct job_result res = run_shell("sleep 0.2", 10);
	const char *before = json_string_value(json_object_get(res.before, "/proc/uptime"));
	const char *after = json_string_value(json_object_get(res.after, "/proc/uptime"));

	(void)state;
	assert_non_null(before);
	assert_non_null(after);
	assert_true(atof(after) >= atof(before) + 0.15);
	/* A file that is not there is absent, not empty. */
	assert_int_equal(json_object_size(res.before), 1);
	assert_int_equal(json_object_size(res.after), 1);
	job_result_clear(&res);
}

static void test_killed_by_a_signal(void **state)
{
	struct job_result res = run_shell("kill -SEGV $$", 10);

	(void)state;
	assert_int_equal(res.status, SAMPLE_OK);
	assert_int_equal(res.exit_status, 128 + SIGSEGV);
	job_result_clear(&res);
}

static void test_no_such_program(void **state)
{
	const char *const argv[] = {"no-such-program-of-kab", NULL};
	struct job_result res = run_argv(argv, 10, NULL);

	(void)state;
	assert_int_equal(res.status, SAMPLE_FAILED);
	assert_string_equal(
		res.reason, "cannot run no-such-program-of-kab: No such file or directory");
	job_result_clear(&res);
}

static void test_own_workload_is_found(void **state)
{
	const char *const argv[] = {"kab-workload", "run", "null", NULL};
	struct job_result res = run_argv(argv, 10, NULL);

	(void)state;
	assert_string_equal(res.out, "run null\n");
	job_result_clear(&res);
}

static void test_timeout_ends_the_whole_family(void **state)
{
	uint64_t begin = now_ns();
	struct job_result res =
		run_shell("trap '' TERM; (setsid sleep 1000 &) ; sleep 1000 & sleep 1000", 1);

	(void)state;
	assert_int_equal(res.status, SAMPLE_TIMEOUT);
	assert_non_null(strstr(res.reason, "longer than 1 s"));
	assert_in_range((now_ns() - begin) / 1000000, 900, 10000);
	job_result_clear(&res);
}

static void test_stragglers_die_with_the_job(void **state)
{
	char path[] = "/tmp/kab-straggler.XXXXXX";
	__free_char char *script = NULL;
	struct job_result res;
	uint64_t begin = now_ns();
	char *pid;

	(void)state;
	close(mkstemp(path));
	/* A daemon in a session of its own, its parent gone, which holds the output open. */
	script = xasprintf("(setsid sh -c 'echo $$ > %s; exec sleep 1000' &) ; "
			   "until [ -s %s ]; do sleep 0.01; done; echo end",
		path, path);
	res = run_shell(script, 60);
	assert_int_equal(res.status, SAMPLE_OK);
	assert_string_equal(res.out, "end\n");
	assert_true(now_ns() - begin < 30000000000ull);
	pid = file_read(path, NULL, NULL);
	assert_true(atoi(pid) > 1);
	assert_int_equal(kill(atoi(pid), 0), -1);
	assert_int_equal(errno, ESRCH);
	free(pid);
	unlink(path);
	job_result_clear(&res);
}

static void test_too_much_output(void **state)
{
	static const struct {
		const char *script, *stream;
	} cases[] = {
		{"yes", "standard output"},
		{"yes >&2", "standard error"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct job_result res = run_shell(cases[i].script, 60);

		assert_int_equal(res.status, SAMPLE_FAILED);
		assert_non_null(strstr(res.reason, cases[i].stream));
		assert_non_null(strstr(res.reason, "16 MiB"));
		assert_true(strlen(i ? res.err_out : res.out) <= PROTO_OUTPUT_MAX);
		job_result_clear(&res);
	}
}

/* All of a large output comes, though its writer is dead before it is read. */
static void test_large_output_is_whole(void **state)
{
	struct job_result res = run_shell("head -c 3000000 /dev/zero | tr '\\0' x", 60);

	(void)state;
	assert_int_equal(res.status, SAMPLE_OK);
	assert_int_equal(strlen(res.out), 3000000);
	job_result_clear(&res);
}

static void test_output_that_is_no_text(void **state)
{
	struct job_result res = run_shell("printf 'a\\377'; head -c 1 /dev/zero; printf b", 10);

	(void)state;
	assert_string_equal(res.out, "a\xef\xbf\xbd\xef\xbf\xbd"
				     "b");
	job_result_clear(&res);
}

static void test_heartbeat(void **state)
{
	const char *const argv[] = {"sleep", "2.5", NULL};
	unsigned beats = 0;
	struct job_result res = run_argv(argv, 20, &beats);

	(void)state;
	assert_int_equal(res.status, SAMPLE_OK);
	assert_in_range(beats, 1, 3);
	job_result_clear(&res);
}

static void test_no_shared_root(void **state)
{
	const char *const argv[] = {"true", NULL};
	struct jobrun_place place = here;
	struct job job = {.id = "t", .argv = argv, .host_root = true, .timeout_s = 5};
	struct job_result res;
	unsigned beats = 0;

	(void)state;
	place.root_lack = "no root here";
	jobrun(&job, &place, count_beat, &beats, &res);
	assert_int_equal(res.status, SAMPLE_FAILED);
	assert_string_equal(res.reason, "true: no root here");
	job_result_clear(&res);
}

static void test_perf_stat(void **state)
{
	const char *const argv[] = {"true", NULL};
	struct job job = {.id = "t", .argv = argv, .perf_stat = true, .timeout_s = 60};
	struct job_result res;
	unsigned beats = 0;
	__free_char char *left = xasprintf("/tmp/kab-perf.%d", (int)getpid());

	(void)state;
	if (access("/usr/bin/perf", X_OK))
		skip_because("no /usr/bin/perf");
	jobrun(&job, &here, count_beat, &beats, &res);
	assert_int_equal(res.status, SAMPLE_OK);
	assert_non_null(res.perf);
	assert_non_null(strstr(res.perf, "\"counter-value\""));
	assert_int_equal(access(left, F_OK), -1);
	job_result_clear(&res);
}

static void test_input_is_empty(void **state)
{
	struct job_result res = run_shell("cat; pwd", 10);

	(void)state;
	assert_string_equal(res.out, "/tmp\n");
	job_result_clear(&res);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_and_status),
		cmocka_unit_test(test_captures_before_and_after),
		cmocka_unit_test(test_killed_by_a_signal),
		cmocka_unit_test(test_no_such_program),
		cmocka_unit_test(test_own_workload_is_found),
		cmocka_unit_test(test_timeout_ends_the_whole_family),
		cmocka_unit_test(test_stragglers_die_with_the_job),
		cmocka_unit_test(test_too_much_output),
		cmocka_unit_test(test_large_output_is_whole),
		cmocka_unit_test(test_output_that_is_no_text),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_no_shared_root),
		cmocka_unit_test(test_perf_stat),
		cmocka_unit_test(test_input_is_empty),
	};

	/* Orphans of a job must come to us, as they do to an agent. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		return 1;
	return cmocka_run_group_tests_name("jobrun", tests, NULL, NULL);
}
