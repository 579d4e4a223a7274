// SPDX-License-Identifier: GPL-2.0-or-later
/* perf script -> folded stacks and counts of events. */
#include "profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lockwait.h"
#include "util.h"

#define KERNEL_START (UINT64_C(1) << 63) /* addresses of x86-64's upper half */
#define FRAMES 128

/* ---- counting -------------------------------------------------------------------------------- */

static void count_up(json_t *counts, const char *key, json_int_t n)
{
	json_object_set_new(
		counts, key, json_integer(json_integer_value(json_object_get(counts, key)) + n));
}

struct count {
	const char *key;
	json_int_t n;
};

static int by_count(const void *left, const void *right)
{
	const struct count *a = left, *b = right;

	return a->n != b->n ? (a->n < b->n) - (a->n > b->n) : strcmp(a->key, b->key);
}

/* "KEY COUNT" a line, the most frequent first; drops the reference. Caller frees. */
static char *list_counts(json_t *counts)
{
	struct count *v = xcalloc(json_object_size(counts) + 1, sizeof(*v));
	struct buf b = {};
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach (counts, key, value)
		v[n++] = (struct count){key, json_integer_value(value)};
	qsort(v, n, sizeof(*v), by_count);
	buf_addstr(&b, "");
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s %" JSON_INTEGER_FORMAT "\n", v[i].key, v[i].n);
	free(v);
	json_decref(counts);
	return b.data;
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* One sample while it is read: frames from the innermost out. */
struct stack {
	const char *task;
	size_t task_len;
	struct {
		const char *name;
		size_t len;
	} frame[FRAMES];
	size_t n;
	bool user; /* there are frames of user space, in it or below the kernel's */
};

static bool is_named(const char *name, size_t len, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], name, len))
			return true;
	return false;
}

/* Where a CPU waits for something to do; work that an interrupt does meanwhile lies further in. */
static bool is_idle(const struct stack *s)
{
	static const char *const names[] = {"default_idle", "native_safe_halt",
		"pv_native_safe_halt", "mwait_idle", "mwait_idle_with_hints.constprop.0",
		"intel_idle", "acpi_idle_enter", "acpi_safe_halt", "poll_idle", "cpu_idle_poll",
		"default_idle_call", "arch_cpu_idle", "cpuidle_enter_state", "do_idle"};

	return s->n && s->task_len >= 7 && !memcmp(s->task, "swapper", 7) &&
	       is_named(s->frame[0].name, s->frame[0].len, names, ARRAY_SIZE(names));
}

/* A ';' or a newline in a task's name would be a frame of its own; a space would end the stack. */
static void add_clean(struct buf *b, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i] == ';' || text[i] == ' ' || text[i] == '\t' ? '_' : text[i];

		buf_add(b, &c, 1);
	}
}

static void end_stack(struct stack *s, json_t *counts)
{
	struct buf key = {};

	if (!s->task)
		return;
	add_clean(&key, s->task, s->task_len);
	if (is_idle(s)) {
		buf_addstr(&key, ";[idle]");
	} else if (!s->n) {
		buf_addstr(&key, ";[user]");
	} else {
		for (size_t i = s->n; i-- > 0;) {
			buf_addstr(&key, ";");
			add_clean(&key, s->frame[i].name, s->frame[i].len);
		}
	}
	/* perf's own work is none of the kernel's under test. */
	if (strncmp(key.data, "perf;", 5) && strncmp(key.data, "perf-exec;", 10))
		count_up(counts, key.data, 1);
	buf_free(&key);
	*s = (struct stack){};
}

/* The function of "\tffffffff810a1b2c finish_task_switch+0x10", of @n characters; NULL: it is user space's. */
static const char *kernel_function(const char *line, size_t len, size_t *n)
{
	char *end;
	uint64_t address = strtoull(line, &end, 16);
	size_t left = len - (size_t)(end - line);

	if (address < KERNEL_START)
		return NULL;
	while (left && *end == ' ')
		end++, left--;
	for (*n = 0; *n < left && end[*n] != '+'; ++*n)
		;
	return end;
}

/* Kernel frames alone are kept. */
static void add_frame(struct stack *s, const char *line, size_t len)
{
	size_t n;
	const char *name = kernel_function(line, len, &n);

	if (!name) {
		s->user = true;
	} else if (n && s->n < FRAMES) {
		s->frame[s->n].name = name;
		s->frame[s->n++].len = n;
	}
}

/* Blanks alone are no frame: what follows them would be read as one. */
static bool is_frame(const char *line, size_t len)
{
	return (*line == '\t' || *line == ' ') && strspn(line, " \t") < len;
}

char *profile_fold(const char *script)
{
	json_t *counts = json_object();
	struct stack s = {};

	for (const char *line = script; *line;) {
		size_t len = strcspn(line, "\n");

		if (line[0] == '\t' || (line[0] == ' ' && len)) {
			if (s.task && is_frame(line, len))
				add_frame(&s, line, len);
		} else {
			end_stack(&s, counts);
			/* The task's name, blanks at its end left out; an empty line has none. */
			while (len && line[len - 1] == ' ')
				len--;
			if (len) {
				s.task = line;
				s.task_len = len;
			}
			len = strcspn(line, "\n");
		}
		line += len + (line[len] == '\n');
	}
	end_stack(&s, counts);
	return list_counts(counts);
}

/* ---- tracepoints ----------------------------------------------------------------------------- */

/* Numbers in classes by powers of two: "0", "1", "2-3", "4-7", "-3--2"; other values as they are.
 */
static void add_class(struct buf *b, const char *value, size_t len)
{
	__free_char char *copy = xstrndup(value, len);
	char *end;
	long long v = strtoll(copy, &end, 0);
	unsigned long long size = v < 0 ? -(unsigned long long)v : (unsigned long long)v, lo = 1;

	if (end == copy || *end) {
		add_clean(b, value, len);
		return;
	}
	while (lo <= size / 2)
		lo *= 2;
	if (size < 2)
		buf_addf(b, "%lld", v);
	else if (v > 0)
		buf_addf(b, "%llu-%llu", lo, 2 * lo - 1);
	else
		buf_addf(b, "-%llu--%llu", 2 * lo - 1, lo);
}

/* Fields that tell tasks, addresses and moments apart say nothing of how often what happens. */
static bool is_telling(const char *name, size_t len)
{
	static const char *const untold[] = {"pid", "comm", "prev_comm", "next_comm", "prev_pid",
		"next_pid", "page", "pfn", "addr", "address", "ip", "ptr", "call_site", "timer",
		"hrtimer", "expires", "now", "softexpires", "work", "function"};

	return len && !is_named(name, len, untold, ARRAY_SIZE(untold));
}

/* "prev_comm=sh prev_pid=1 ==> ...", also with ':' between name and value, and in brackets. */
static void count_fields(const struct trace_event *e, json_t *counts)
{
	const char *text = e->trace;
	size_t len = e->trace_len;

	for (size_t at = 0; at < len;) {
		size_t word = 0, name = 0, value;
		struct buf key = {};

		while (at < len && (text[at] == ' ' || text[at] == '('))
			at++;
		while (at + word < len && text[at + word] != ' ')
			word++;
		while (name < word && text[at + name] != '=' && text[at + name] != ':')
			name++;
		value = word;
		if (value && text[at - 1] == '(' && text[at + value - 1] == ')')
			value--;
		if (name < value && name + 1 < value && is_telling(text + at, name)) {
			buf_add(&key, e->name, e->name_len);
			buf_addstr(&key, " ");
			add_clean(&key, text + at, name);
			buf_addstr(&key, "=");
			add_class(&key, text + at + name + 1, value - name - 1);
			count_up(counts, key.data, 1);
		}
		buf_free(&key);
		at += word;
	}
}

static void count_event(const struct trace_event *e, json_t *counts)
{
	__free_char char *name = xstrndup(e->name, e->name_len);

	count_up(counts, name, 1);
	count_fields(e, counts);
}

char *profile_count_events(const char *script)
{
	struct lockwaits *waits = lockwaits_new();
	json_t *counts = json_object();

	for (const char *line = script; *line;) {
		size_t len = strcspn(line, "\n");
		struct trace_event e;

		if (*line == '\t') {
			size_t n = 0;
			const char *name = is_frame(line, len) ? kernel_function(line, len, &n) : NULL;

			if (n)
				lockwaits_frame(waits, name, n);
		} else if (trace_event_parse(line, len, &e)) {
			count_event(&e, counts);
			lockwaits_event(waits, &e);
		}
		line += len + (line[len] == '\n');
	}
	lockwaits_end(waits, counts);
	return list_counts(counts);
}

/* ---- perf script ----------------------------------------------------------------------------- */

/* What it prints, or NULL with its last words. Caller frees. */
static char *run_script(
	const char *path, const char *fields, const char *vmlinux, struct error *err)
{
	/* Words of its own go to a file of their own, read only where it fails. */
	static const char script[] =
		"log=$(mktemp) || exit; "
		"perf script -i \"$1\" -F \"$2\" ${3:+-k \"$3\"} 2>\"$log\"; s=$?; "
		"[ $s -eq 0 ] || tail -n 1 \"$log\"; rm -f \"$log\"; exit $s";
	const char *const argv[] = {"sh", "-c", script, "sh", path, fields, vmlinux, NULL};
	struct buf out = {};
	int status = run_capture(argv, NULL, &out, err);

	buf_addstr(&out, "");
	if (status >= 0 && WIFEXITED(status) && !WEXITSTATUS(status))
		return out.data;
	if (status >= 0) {
		const char *last = out.data;

		/* After whatever it printed before it failed. */
		if (out.len && out.data[out.len - 1] == '\n')
			out.data[out.len - 1] = '\0';
		last = strrchr(out.data, '\n') ? strrchr(out.data, '\n') + 1 : out.data;
		error_set(err, KAB_ENVIRONMENT, "perf script: %.200s", last);
	}
	buf_free(&out);
	return NULL;
}

char *profile_fold_file(const char *path, const char *vmlinux, struct error *err)
{
	__free_char char *text = run_script(path, "comm,ip,sym", vmlinux, err);

	return text ? profile_fold(text) : NULL;
}

char *profile_events(const char *path, const char *vmlinux, struct error *err)
{
	__free_char char *text = run_script(path, "tid,cpu,time,event,trace,ip,sym", vmlinux, err);

	return text ? profile_count_events(text) : NULL;
}
