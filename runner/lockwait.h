/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waits for locks, of the tracepoints lock:contention_begin and lock:contention_end: how many, how long, for which
 * lock, and where. These tracepoints are met by those alone who must wait; who gets a lock at once costs nothing.
 */
#ifndef KAB_LOCKWAIT_H
#define KAB_LOCKWAIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One event as perf script prints it with the fields tid, cpu, time, event and trace. */
struct trace_event {
	const char *name, *trace; /* into the text; trace goes up to the line's end */
	size_t name_len, trace_len;
	int tid, cpu;	  /* 0 where they were not printed */
	uint64_t time_ns; /* since the machine's boot */
};

/* False: @line, of @len characters, is none. */
bool trace_event_parse(const char *line, size_t len, struct trace_event *e);

/* perf's name for @tracepoints, with the stack of whoever has to wait. Caller frees. */
char *lockwait_events(const char *tracepoints);

struct lockwaits;

/* NULL is never returned. */
struct lockwaits *lockwaits_new(void);
/* An event and, after it, the kernel functions of its stack from the innermost out. */
void lockwaits_event(struct lockwaits *w, const struct trace_event *e);
void lockwaits_frame(struct lockwaits *w, const char *name, size_t len);
/*
 * Adds to @counts, name -> integer, and frees @w:
 *
 *   lock:wait flags=READ                     waits that had an end; flags as the kernel prints them
 *   lock:wait_us flags=READ                  microseconds that they took
 *   lock:wait lock=mmap_lock flags=READ      those for the mmap_lock of any process
 *   lock:wait at=do_user_addr_fault flags=READ   those of a function that took the lock
 *
 * and lock:wait_us of the last two. A lock is an mmap_lock if somebody waited for it in a function that takes no
 * other semaphore.
 */
void lockwaits_end(struct lockwaits *w, json_t *counts);

#endif
