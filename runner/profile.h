/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What perf record saw in the passes of a run (enum pass): stacks by symbol, and tracepoints. A
 * pass is one run of a cell, after the timed samples of its boot; its raw folder holds
 *
 *   perf.data       as it came; the symbols of a guest's kernel are in its vmlinux
 *   stacks.folded   perf-record: "task;outermost;...;innermost COUNT" a line, fit for flamegraph.pl
 * and difffolded.pl; kernel functions as they are, user space as "[user]", the idle loop as
 * "[idle]" events.txt      tracepoints: "GROUP:NAME COUNT" a line, and "GROUP:NAME FIELD=VALUE
 * COUNT"; numbers in classes, by powers of two: "pages=4-7"; and what lockwait.h makes of lock:contention_*
 */
#ifndef KAB_PROFILE_H
#define KAB_PROFILE_H

#include <jansson.h>

#include "store.h"

#define PROFILE_DATA "perf.data"
#define PROFILE_FOLDED "stacks.folded"
#define PROFILE_EVENTS "events.txt"

/* Runs perf script on @path; @vmlinux NULL: the running kernel's symbols. NULL and KAB_ENVIRONMENT.
 * Caller frees. */
char *profile_fold_file(const char *path, const char *vmlinux, struct error *err);
char *profile_events(const char *path, const char *vmlinux, struct error *err);
/* The same of what perf script printed (fields comm, ip, sym; tid, cpu, time, event, trace, ip, sym); for tests. Caller
 * frees. */
char *profile_fold(const char *script);
char *profile_count_events(const char *script);

/*
 * One cell's passes of one kind, arm beside arm, in file order of the matrix:
 *
 *   {cell, pass, unit, baseline, arms: [{label, passes, samples}],
 *    rows: [{name, values: [...], differences: [null | {effect, lo, hi, p}]}]}
 *
 * perf-record: name is a symbol and a value the percent of all samples outside the idle loop that
 * were in it (itself, not what it called). tracepoints: name is a line of events.txt and a value
 * its count an operation, or a pass where the workload does not count operations. Values are means
 * over passes. Differences are those of compare: within blocks, Hodges-Lehmann, 95 % interval, p by
 * Benjamini and Hochberg over the rows of an arm; null for the baseline. The row that changed most
 * for certain comes first. NULL with KAB_USAGE where the run has no such passes. New reference.
 */
json_t *profile_table(const struct store *run, const char *cell, enum pass pass, struct error *err);
/* The first @most rows of it for people; 0: all. Caller frees. */
char *profile_text(const json_t *table, size_t most);
/* Folded stacks of all passes of @cell in @arm, summed. NULL: none. Caller frees. */
char *profile_stacks(const struct store *run, const char *cell, const char *arm);

#endif
