// SPDX-License-Identifier: GPL-2.0-or-later
#include "lockwait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define BEGIN "lock:contention_begin"
#define END "lock:contention_end"
#define WITH_STACK "/call-graph=fp/"

struct wait {
	uint64_t lock, ns; /* until it ends, ns is when it began */
	int tid, cpu;
	char flags[16];
	char at[48]; /* "": not known */
};

struct lockwaits {
	struct wait *waiting, *done;
	size_t nwaiting, ndone;
	size_t open; /* of @waiting, whose stack is read now; nwaiting: none */
	json_t *mmap_locks; /* the address in hexadecimal -> true */
};

/* ---- the text -------------------------------------------------------------------------------- */

/* "  22038 [001]   368.390514: " before the event's name; what has been passed over. */
static size_t parse_head(const char *line, struct trace_event *e)
{
	unsigned long long s;
	char fraction[10];
	int n = 0;

	if (sscanf(line, "%d [%d] %llu.%9[0-9]: %n", &e->tid, &e->cpu, &s, fraction, &n) != 4 || !n) {
		e->tid = e->cpu = 0;
		return 0;
	}
	e->time_ns = strtoull(fraction, NULL, 10);
	for (size_t digits = strlen(fraction); digits < 9; digits++)
		e->time_ns *= 10;
	e->time_ns += s * 1000000000;
	return (size_t)n;
}

bool trace_event_parse(const char *line, size_t len, struct trace_event *e)
{
	__free_char char *copy = xstrndup(line, len < 80 ? len : 80);
	const char *colon;
	size_t at;

	*e = (struct trace_event){};
	at = parse_head(copy, e);
	while (at < len && line[at] == ' ')
		at++;
	/* The name ends at the colon that a space follows. */
	colon = memchr(line + at, ':', len - at);
	while (colon && colon + 1 < line + len && colon[1] != ' ')
		colon = memchr(colon + 1, ':', (size_t)(line + len - colon - 1));
	if (!colon)
		return false;
	e->name = line + at;
	e->name_len = (size_t)(colon - e->name);
	e->trace = colon + 1;
	e->trace_len = (size_t)(line + len - e->trace);
	return true;
}

char *lockwait_events(const char *tracepoints)
{
	static const char *const with_stack[] = {BEGIN, "lock:contention_*", "lock:*"};
	__free_char char *copy = xstrdup(tracepoints);
	char *save = NULL;
	struct buf b = {};

	for (char *name = strtok_r(copy, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		buf_addf(&b, "%s%s", b.len ? "," : "", name);
		for (size_t i = 0; i < ARRAY_SIZE(with_stack); i++)
			if (!strcmp(name, with_stack[i]))
				buf_addstr(&b, WITH_STACK);
	}
	buf_addstr(&b, "");
	return b.data;
}

/* ---- waits ----------------------------------------------------------------------------------- */

struct lockwaits *lockwaits_new(void)
{
	struct lockwaits *w = xcalloc(1, sizeof(*w));

	w->mmap_locks = json_object();
	return w;
}

static bool is_event(const struct trace_event *e, const char *name)
{
	return e->name_len == strlen(name) && !memcmp(e->name, name, e->name_len);
}

/* An idle CPU's task has number 0 on each of them. */
static struct wait *find(struct lockwaits *w, const struct trace_event *e, uint64_t lock)
{
	for (size_t i = 0; i < w->nwaiting; i++) {
		struct wait *v = &w->waiting[i];

		if (v->tid == e->tid && v->lock == lock && (v->tid || v->cpu == e->cpu))
			return v;
	}
	return NULL;
}

/* " 0xffff8881003c4aec (flags=READ)" */
static void begin(struct lockwaits *w, const struct trace_event *e, const char *trace)
{
	struct wait v = {.ns = e->time_ns, .tid = e->tid, .cpu = e->cpu};
	struct wait *old;
	unsigned long long lock;

	if (sscanf(trace, " 0x%llx (flags=%15[^) ]", &lock, v.flags) < 1)
		return;
	if (!v.flags[0])
		strcpy(v.flags, "0");
	v.lock = lock;
	/* The end of one that never came was lost. */
	old = find(w, e, lock);
	if (!old) {
		w->waiting = xrealloc_array(w->waiting, w->nwaiting + 1, sizeof(v));
		old = &w->waiting[w->nwaiting++];
	}
	*old = v;
	w->open = (size_t)(old - w->waiting);
}

static void end(struct lockwaits *w, const struct trace_event *e, const char *trace)
{
	unsigned long long lock;
	struct wait *v = sscanf(trace, " 0x%llx", &lock) == 1 ? find(w, e, lock) : NULL;

	if (!v)
		return;
	v->ns = e->time_ns > v->ns ? e->time_ns - v->ns : 0;
	w->done = xrealloc_array(w->done, w->ndone + 1, sizeof(*v));
	w->done[w->ndone++] = *v;
	*v = w->waiting[--w->nwaiting];
}

void lockwaits_event(struct lockwaits *w, const struct trace_event *e)
{
	__free_char char *trace = NULL;

	w->open = SIZE_MAX;
	if (!is_event(e, BEGIN) && !is_event(e, END))
		return;
	trace = xstrndup(e->trace, e->trace_len);
	if (is_event(e, BEGIN))
		begin(w, e, trace);
	else
		end(w, e, trace);
}

static bool begins_with_any(const char *name, const char *const *with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(name, with[i], strlen(with[i])))
			return true;
	return false;
}

/* What lies between a wait and whoever asked for the lock. */
static bool is_locking(const char *name)
{
	static const char *const with[] = {"rwsem_", "down_", "__down_", "mutex_", "__mutex_", "ww_mutex_",
		"__ww_mutex_", "rt_mutex_", "__rt_mutex_", "_raw_", "__raw_", "native_queued_", "__pv_queued_",
		"pv_queued_", "queued_", "percpu_", "__percpu_", "osq_", "do_raw_", "lock_acquire",
		"__traceiter_", "trace_", "mmap_read_lock", "mmap_write_lock"};

	return begins_with_any(name, with, ARRAY_SIZE(with));
}

/* Functions that wait for the mmap_lock of a process and for no other semaphore. */
static bool takes_mmap_lock(const char *name)
{
	static const char *const with[] = {"do_user_addr_fault", "lock_mm_and_find_vma", "vm_mmap_pgoff",
		"__vm_munmap", "do_madvise", "do_mprotect_pkey", "vm_brk_flags", "tcp_zerocopy_receive"};

	return begins_with_any(name, with, ARRAY_SIZE(with));
}

static void lock_key(uint64_t lock, char key[17])
{
	snprintf(key, 17, "%llx", (unsigned long long)lock);
}

void lockwaits_frame(struct lockwaits *w, const char *name, size_t len)
{
	struct wait *v = w->open < w->nwaiting ? &w->waiting[w->open] : NULL;
	__free_char char *copy = NULL;
	char key[17];

	if (!v)
		return;
	copy = xstrndup(name, len);
	if (is_locking(copy))
		return;
	snprintf(v->at, sizeof(v->at), "%s", copy);
	w->open = SIZE_MAX;
	if (!strcmp(v->flags, "READ") || !strcmp(v->flags, "WRITE")) {
		lock_key(v->lock, key);
		if (takes_mmap_lock(copy))
			json_object_set_new(w->mmap_locks, key, json_true());
	}
}

static void add_to(json_t *counts, const char *what, const char *value, const struct wait *v)
{
	__free_char char *rest = xasprintf("%s%s%sflags=%s", what, value, *what ? " " : "", v->flags);
	__free_char char *number = xasprintf("lock:wait %s", rest), *us = xasprintf("lock:wait_us %s", rest);
	json_int_t n = json_integer_value(json_object_get(counts, number));
	json_int_t ns = json_integer_value(json_object_get(counts, us));

	json_object_set_new(counts, number, json_integer(n + 1));
	json_object_set_new(counts, us, json_integer(ns + (json_int_t)v->ns));
}

void lockwaits_end(struct lockwaits *w, json_t *counts)
{
	json_t *sums = json_object(), *v;
	const char *name;
	char key[17];

	for (size_t i = 0; i < w->ndone; i++) {
		lock_key(w->done[i].lock, key);
		add_to(sums, "", "", &w->done[i]);
		if (json_object_get(w->mmap_locks, key))
			add_to(sums, "lock=", "mmap_lock", &w->done[i]);
		if (w->done[i].at[0])
			add_to(sums, "at=", w->done[i].at, &w->done[i]);
	}
	json_object_foreach (sums, name, v) {
		json_int_t n = json_integer_value(v);

		/* Summed in nanoseconds: many waits are shorter than a microsecond. */
		json_object_set_new(
			counts, name, json_integer(strncmp(name, "lock:wait_us", 12) ? n : (n + 500) / 1000));
	}
	json_decref(sums);
	json_decref(w->mmap_locks);
	free(w->waiting);
	free(w->done);
	free(w);
}
