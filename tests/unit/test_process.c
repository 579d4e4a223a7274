// SPDX-License-Identifier: GPL-2.0-or-later
/* What becomes of child processes when the program that started them is killed. */
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

#include "util.h"

#define WAIT_TENTHS 200 /* as long as anything here may take on a busy machine */

/* The number that somebody will write to @path, or 0 if nobody does. */
static pid_t await_pid(const char *path)
{
	for (int i = 0; i < WAIT_TENTHS; i++) {
		__free_char char *text = file_read(path, NULL, NULL);

		if (text && strchr(text, '\n'))
			return atoi(text);
		usleep(100000);
	}
	return 0;
}

/* A zombie that nobody has reaped yet has no command line any more. */
static bool runs(pid_t pid)
{
	__free_char char *path = xasprintf("/proc/%d/cmdline", pid);
	__free_char char *text = file_read(path, NULL, NULL);

	return text && *text;
}

static bool ends(pid_t pid)
{
	for (int i = 0; i < WAIT_TENTHS && runs(pid); i++)
		usleep(100000);
	return !runs(pid);
}

/*
 * A kernel's make has makes of its own. They used to compile on for minutes after a kab that was killed, since only
 * the first one was, and with a signal that it could not pass on.
 */
static void test_makes_below_a_make_end_too(void **state)
{
	static const char rules[] = "all:\n\t@$(MAKE) -f $(firstword $(MAKEFILE_LIST)) below\n"
				    "below:\n\t@echo $$$$ >pid.new && mv pid.new pid && exec sleep 300\n";
	char dir[] = "/tmp/kab-test-XXXXXX";
	__free_char char *makefile = NULL, *pidfile = NULL;
	const char *argv[] = {"env", "-i", "PATH=/usr/bin:/bin", "make", "-f", NULL, "all", NULL};
	struct error err;
	pid_t kab, below;

	(void)state;
	assert_non_null(mkdtemp(dir));
	makefile = xasprintf("%s/rules", dir);
	pidfile = xasprintf("%s/pid", dir);
	assert_int_equal(file_write_atomic(makefile, rules, strlen(rules), &err), 0);
	argv[5] = makefile;
	kab = fork();
	if (!kab) {
		run_command(argv, dir, "/dev/null", NULL);
		_exit(0);
	}
	below = await_pid(pidfile);
	assert_true(below > 0);
	assert_true(runs(below));
	kill(kab, SIGKILL);
	assert_int_equal(waitpid(kab, NULL, 0), kab);
	assert_true(ends(below));
	dir_remove(dir, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_makes_below_a_make_end_too),
	};

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
