// SPDX-License-Identifier: GPL-2.0-or-later
/* What on a console means that the kernel is unwell. */
#include "console.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Each matches at the start of a message. That keeps out the kernel's notes on user space ("traps:
 * prog[7] general protection fault", "prog[7]: segfault at") and every line that merely mentions a
 * word, such as the state of mitigations at boot. The first that fits wins, so the special stand
 * before the general.
 */
static const struct console_pattern patterns[] = {
	{"Kernel panic - not syncing", "panic", true},
	{"BUG: KASAN:", "kasan", false},
	{"BUG: KCSAN:", "kcsan", false},
	{"BUG: KFENCE:", "kfence", false},
	{"BUG: KMSAN:", "kmsan", false},
	{"BUG: unable to handle", "oops", true},
	{"BUG: kernel NULL pointer dereference", "oops", true},
	{"BUG: stack guard page was hit", "oops", true},
	{"BUG: TASK stack guard page was hit", "oops", true},
	{"BUG: IRQ stack guard page was hit", "oops", true},
	{"BUG: workqueue lockup", "soft-lockup", false},
	{"BUG: soft lockup", "soft-lockup", false},
	{"watchdog: BUG: soft lockup", "soft-lockup", false},
	{"watchdog: Watchdog detected hard LOCKUP", "hard-lockup", true},
	{"Watchdog detected hard LOCKUP", "hard-lockup", true},
	{"BUG: MAX_LOCK", "lockdep", false},
	{"BUG: MAX_STACK_TRACE_ENTRIES", "lockdep", false},
	{"BUG: key ", "lockdep", false},
	{"BUG: sleeping function called from invalid context", "atomic-sleep", false},
	{"BUG: scheduling while atomic", "atomic-sleep", false},
	{"BUG: spinlock", "lockdep", false},
	{"BUG: Bad page", "bug", true},
	{"BUG: Bad rss-counter", "bug", false},
	{"BUG:", "bug", true},
	{"kernel BUG at", "bug", true},
	{"Oops:", "oops", true},
	{"general protection fault", "oops", true},
	{"double fault:", "oops", true},
	{"divide error:", "oops", true},
	{"invalid opcode:", "oops", true},
	{"stack segment:", "oops", true},
	{"int3:", "oops", true},
	{"PANIC: double fault", "oops", true},
	{"WARNING: possible", "lockdep", false},
	{"WARNING: inconsistent lock state", "lockdep", false},
	{"WARNING: bad unlock balance", "lockdep", false},
	{"WARNING: lock held when returning", "lockdep", false},
	{"WARNING: held lock freed", "lockdep", false},
	{"WARNING: Nested lock was not taken", "lockdep", false},
	{"WARNING: suspicious RCU usage", "lockdep", false},
	{"WARNING: CPU:", "warning", false},
	{"WARNING: stack recursion", "warning", false},
	{"DEBUG_LOCKS_WARN_ON", "lockdep", false},
	{"INFO: trying to register non-static key", "lockdep", false},
	{"turning off the locking correctness validator", "lockdep", false},
	{"INFO: lockdep is turned off", "lockdep", false},
	{"rcu: INFO:", "rcu-stall", false},
	{"INFO: rcu", "rcu-stall", false},
	{"INFO: task ", "hung-task", false},
	{"UBSAN:", "ubsan", false},
	{"list_add corruption", "bug", true},
	{"list_del corruption", "bug", true},
	{"ODEBUG:", "odebug", false},
	{"refcount_t:", "refcount", false},
	{"usercopy: Kernel memory", "bug", true},
};

/*
 * Skips what may stand before a message: "<4>", "[   12.345678]", "[    T1]" (the caller, where the
 * kernel prints it) and a carriage return of the line before.
 */
static const char *skip_stamp(const char *line)
{
	line += strspn(line, "\r");
	if (*line == '<') {
		size_t digits = strspn(line + 1, "0123456789");

		if (digits && line[1 + digits] == '>')
			line += digits + 2;
	}
	while (*line == '[') {
		size_t inside = strspn(line + 1, " .0123456789TC");

		if (line[1 + inside] != ']')
			break;
		line += inside + 2;
		line += strspn(line, " ");
	}
	return line;
}

const struct console_pattern *console_match(const char *line)
{
	line = skip_stamp(line);
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if (!strncmp(line, patterns[i].text, strlen(patterns[i].text)))
			return &patterns[i];
	return NULL;
}

/* @line of @len bytes: console_match() and, on a match, a clean copy into *@out. */
static const struct console_pattern *match_line(const char *line, size_t len, char **out)
{
	const struct console_pattern *p;
	char *copy = xstrndup(line, len);

	copy[strcspn(copy, "\r")] = '\0';
	p = console_match(copy);
	if (p)
		*out = xstrdup(skip_stamp(copy));
	free(copy);
	return p;
}

const struct console_pattern *console_find(const char *text, char **line)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		const struct console_pattern *p = match_line(text, len, line);

		if (p)
			return p;
		text += len + (text[len] == '\n');
	}
	return NULL;
}

void console_open(struct console *c, const char *path)
{
	*c = (struct console){.path = xstrdup(path), .fd = -1};
}

/* No message of the kernel is as long; of what is, no more than that is kept. */
#define LINE_KEPT 4096

/* Takes the whole lines off c->partial. */
static void scan_lines(struct console *c)
{
	char *line = c->partial.data, *end;
	size_t left = c->partial.len;

	while (left && (end = memchr(line, '\n', left))) {
		if (!c->report)
			c->pattern = match_line(line, end - line, &c->report);
		left -= end + 1 - line;
		line = end + 1;
	}
	if (left > LINE_KEPT)
		left = LINE_KEPT;
	if (line != c->partial.data)
		memmove(c->partial.data, line, left);
	c->partial.len = left;
}

void console_scan(struct console *c)
{
	char chunk[16384];
	ssize_t n;

	if (c->fd < 0)
		c->fd = open(c->path, O_RDONLY | O_CLOEXEC);
	while (c->fd >= 0 && (n = read(c->fd, chunk, sizeof(chunk))) > 0) {
		buf_add(&c->partial, chunk, n);
		scan_lines(c);
	}
}

char *console_take(struct console *c, const struct console_pattern **pattern)
{
	char *report;

	console_scan(c);
	report = c->report;
	if (pattern)
		*pattern = report ? c->pattern : NULL;
	c->report = NULL;
	return report;
}

void console_close(struct console *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->path);
	free(c->report);
	buf_free(&c->partial);
	*c = (struct console){.fd = -1};
}
