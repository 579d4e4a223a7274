// SPDX-License-Identifier: GPL-2.0-or-later
#include "command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "util.h"

const char *kab(void)
{
	const char *env = getenv("KAB");

	return env ? env : "build/kab";
}

int run_kab(struct buf *out, const char *fmt, ...)
{
	__free_char char *args = NULL, *cmd = NULL;
	const char *argv[] = { "sh", "-c", NULL, NULL };
	struct buf own = {};
	struct error err;
	va_list ap;
	int status;

	va_start(ap, fmt);
	assert_true(vasprintf(&args, fmt, ap) >= 0);
	va_end(ap);
	cmd = xasprintf("%s %s", kab(), args);
	argv[2] = cmd;
	status = run_capture(argv, NULL, out ? out : &own, &err);
	buf_free(&own);
	assert_true(status >= 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}
