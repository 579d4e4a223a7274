// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "workload_child.h"

static const char *program(void)
{
	const char *env = getenv("KAB_WORKLOAD");

	return env && *env ? env : "build/kab-workload";
}

void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* @command is split at blanks. @out: where standard output goes instead of a file; @files: limit on
 * open files. */
struct workload_child workload_start_with(const char *command, const char *out, rlim_t files)
{
	struct workload_child c = {.out = tmpfile(), .err = tmpfile()};
	char words[400], *argv[40], *save;
	int argc = 0;

	assert_non_null(c.out);
	assert_non_null(c.err);
	assert_true(strlen(command) < sizeof(words));
	strcpy(words, command);
	argv[argc++] = (char *)program();
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid)
		return c;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out ? open(out, O_WRONLY) : fileno(c.out), STDOUT_FILENO);
	dup2(fileno(c.err), STDERR_FILENO);
	closefrom(STDERR_FILENO + 1);
	if (files)
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){files, files});
	execv(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

struct workload_child workload_start(const char *command)
{
	return workload_start_with(command, NULL, 0);
}

static char *contents(FILE *f)
{
	long size = (fseek(f, 0, SEEK_END), ftell(f));
	char *text = calloc(1, size + 1);

	rewind(f);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, size, f), size);
	fclose(f);
	return text;
}

struct workload_outcome workload_finish(struct workload_child c)
{
	struct workload_outcome o;

	assert_int_equal(waitpid(c.pid, &o.status, 0), c.pid);
	o.out = contents(c.out);
	o.err = contents(c.err);
	return o;
}

void workload_outcome_free(struct workload_outcome *o)
{
	free(o->out);
	free(o->err);
}

struct workload_outcome workload_call(const char *command)
{
	return workload_finish(workload_start(command));
}

/* The run's JSON object, after an exit status 0 and a silent standard error. */
json_t *workload_result(const char *command)
{
	struct workload_outcome o = workload_call(command);
	json_error_t error;
	json_t *root;

	if (o.status || o.err[0])
		fail_msg("%s: wait status %d: %s", command, o.status, o.err);
	root = json_loads(o.out, 0, &error);
	if (!root)
		fail_msg("%s: %s in %s", command, error.text, o.out);
	assert_int_equal(o.out[strlen(o.out) - 1], '\n');
	workload_outcome_free(&o);
	return root;
}

uint64_t json_uint_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v))
		fail_msg("%s is no integer", key);
	return json_integer_value(v);
}

void assert_text_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

void workload_refuses(const char *command, int status, const char *part)
{
	struct workload_outcome o = workload_call(command);

	if (!WIFEXITED(o.status) || WEXITSTATUS(o.status) != status)
		fail_msg("%s: wait status %#x: %s", command, o.status, o.err);
	assert_text_has(o.err, part);
	assert_string_equal(o.out, "");
	workload_outcome_free(&o);
}
