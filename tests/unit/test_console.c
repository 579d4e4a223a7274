// SPDX-License-Identifier: GPL-2.0-or-later
/* What on a console counts as the kernel's own complaint, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console.h"

static void test_complaints(void **state)
{
	static const struct {
		const char *line, *kind;
		bool fatal;
	} cases[] = {
		{"[    3.934220] Kernel panic - not syncing: sysrq triggered crash", "panic", true},
		{"[   10.1] BUG: kernel NULL pointer dereference, address: 0000000000000008",
			"oops", true},
		{"BUG: unable to handle page fault for address: ffffffffff", "oops", true},
		{"[    5.000001] Oops: 0002 [#1] PREEMPT SMP", "oops", true},
		{"[    5.0][  T112] general protection fault, probably for non-canonical address "
		 "0xdead",
			"oops", true},
		{"[    5.0][   C1] WARNING: CPU: 1 PID: 77 at kernel/sched/core.c:1 x+0x1/0x2",
			"warning", false},
		{"[    5.0] kernel BUG at mm/mmap.c:1!", "bug", true},
		{"[    5.0] BUG: Bad page state in process pipe  pfn:1", "bug", true},
		{"[    5.0] BUG: KASAN: use-after-free in x+0x1/0x2", "kasan", false},
		{"[    5.0] BUG: KCSAN: data-race in a / b", "kcsan", false},
		{"[    5.0] WARNING: possible circular locking dependency detected", "lockdep",
			false},
		{"[    5.0] WARNING: suspicious RCU usage", "lockdep", false},
		{"[    5.0] BUG: sleeping function called from invalid context at mm/x.c:1",
			"atomic-sleep", false},
		{"[    5.0] BUG: scheduling while atomic: pipe/77/0x00000002", "atomic-sleep",
			false},
		{"<3>[   61.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "rcu-stall",
			false},
		{"[   61.0] rcu: INFO: rcu_sched self-detected stall on CPU", "rcu-stall", false},
		{"[   26.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [x:1]", "soft-lockup",
			false},
		{"[  243.0] INFO: task pipe:77 blocked for more than 120 seconds.", "hung-task",
			false},
		{"[    5.0] BUG: something nobody has thought of", "bug", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct console_pattern *p = console_match(cases[i].line);

		if (!p)
			fail_msg("no match: %s", cases[i].line);
		assert_string_equal(p->kind, cases[i].kind);
		assert_int_equal(p->fatal, cases[i].fatal);
	}
}

static void test_no_complaints(void **state)
{
	static const char *const lines[] = {
		"",
		"[    0.1] Spectre V2 : Mitigation: Retpolines",
		"[    0.1] MDS: Vulnerable: Clear CPU buffers attempted, no microcode",
		"[    0.1] Kernel command line: console=ttyS0 panic=-1 oops=panic",
		"[    0.1] rcu: Hierarchical SRCU implementation.",
		"[    0.1] rcu: \tRCU lockdep checking is enabled.",
		"[    0.1] Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo "
		"Molnar",
		"[    0.1] KASAN: KernelAddressSanitizer initialized",
		"[    0.1] kcsan: enabled early",
		"[    0.1] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
		/* a program's fault is no fault of the kernel's */
		"[    7.0] pipe[77]: segfault at 0 ip 0000000000401000 sp 00007ffc error 4 in pipe",
		"[    7.0] traps: pipe[77] general protection fault ip:401000 sp:7ffc error:0",
		"[    7.0] traps: pipe[77] trap invalid opcode ip:401000 sp:7ffc error:0",
		"[    7.0] Out of memory: Killed process 77 (x) total-vm:1kB",
		"[    7.0] process 77 (x) said: BUG: not mine",
		"[    7.0] a warning: WARNING: CPU: in the middle",
		"[    7.0] sysrq: Trigger a crash",
		"[    7.0] reboot: Power down",
		"[unclosed BUG: x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (console_match(lines[i]))
			fail_msg("false alarm: %s", lines[i]);
}

static void test_first_complaint_of_a_text(void **state)
{
	char *line = NULL;
	const struct console_pattern *p =
		console_find("[    1.0] fine\r\n<4>[    2.0] ------------[ cut here ]------------\n"
			     "<4>[    2.0] WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\r\n[    3.0] "
			     "Kernel panic - not syncing: x",
			&line);

	(void)state;
	assert_non_null(p);
	assert_string_equal(p->kind, "warning");
	assert_string_equal(line, "WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2");
	free(line);
	assert_null(console_find("", &line));
	assert_null(console_find("[    1.0] fine\n", &line));
}

static void append(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void test_a_growing_console(void **state)
{
	char path[] = "/tmp/kab-console.XXXXXX";
	const struct console_pattern *p;
	struct console c;
	char *report;
	int fd;

	(void)state;
	fd = mkstemp(path);
	assert_true(fd >= 0);
	console_open(&c, path);
	assert_null(console_take(&c, &p));
	assert_null(p);
	append(fd, "[    1.0] fine\r\n[    2.0] BUG: KAS");
	assert_null(console_take(&c, NULL));
	append(fd, "AN: use-after-free in f\r\n[    2.1] WARNING: CPU: 0 PID: 1\n");
	report = console_take(&c, &p);
	assert_string_equal(report, "BUG: KASAN: use-after-free in f");
	assert_string_equal(p->kind, "kasan");
	free(report);
	/* Taken is taken, and what followed in the same gulp belongs to it. */
	assert_null(console_take(&c, NULL));
	append(fd, "[    3.0] WARNING: CPU: 1 PID: 2 at b.c:1\n");
	console_scan(&c);
	report = console_take(&c, NULL);
	assert_string_equal(report, "WARNING: CPU: 1 PID: 2 at b.c:1");
	free(report);
	console_close(&c);
	close(fd);
	unlink(path);
}

static void test_a_console_that_is_not_there_yet(void **state)
{
	char path[] = "/tmp/kab-console.XXXXXX";
	struct console c;
	char *report;
	int fd;

	(void)state;
	fd = mkstemp(path);
	close(fd);
	unlink(path);
	console_open(&c, path);
	assert_null(console_take(&c, NULL));
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	append(fd, "[    3.0] Oops: 0000 [#1]\n");
	report = console_take(&c, NULL);
	assert_string_equal(report, "Oops: 0000 [#1]");
	free(report);
	console_close(&c);
	close(fd);
	unlink(path);
}

/* A guest may write to its console without an end of a line; kab's memory and time do not grow with it. */
static void test_a_line_without_end(void **state)
{
	static char zeros[1 << 20];
	char path[] = "/tmp/kab-test-XXXXXX";
	const struct console_pattern *p;
	struct console c;
	char *report;
	int fd;

	(void)state;
	memset(zeros, 'x', sizeof(zeros));
	fd = mkstemp(path);
	console_open(&c, path);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
		console_scan(&c);
	}
	assert_true(c.partial.size < sizeof(zeros));
	assert_int_equal(write(fd, "\n[    3.9] Kernel panic - not syncing: x\n", 41), 41);
	report = console_take(&c, &p);
	assert_non_null(report);
	assert_string_equal(p->kind, "panic");
	free(report);
	console_close(&c);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_no_complaints),
		cmocka_unit_test(test_first_complaint_of_a_text),
		cmocka_unit_test(test_a_growing_console),
		cmocka_unit_test(test_a_console_that_is_not_there_yet),
		cmocka_unit_test(test_a_line_without_end),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
