// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The metrics that kab knows by name, and those that a matrix file adds.
 *
 * Only a workload's own rate is primary: every further primary metric divides alpha once more.
 * Counts an operation get verdicts too, corrected among themselves.
 */
#include "metric.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

#define COUNT(name, title)                                                      \
	{                                                                       \
		name, "1/op", title, BETTER_LESS, SCALE_DIFFERENCE, false, true \
	}
#define TIME(name, title)                                                 \
	{                                                                 \
		name, "ns", title, BETTER_LESS, SCALE_RATIO, false, false \
	}
#define CPU_TIME(name, title)                                                     \
	{                                                                         \
		name, "ns/op", title, BETTER_LESS, SCALE_DIFFERENCE, false, false \
	}
#define NEUTRAL(name, unit, title)                                             \
	{                                                                      \
		name, unit, title, BETTER_NONE, SCALE_DIFFERENCE, false, false \
	}
#define LOAD(name, unit, title)                                                \
	{                                                                      \
		name, unit, title, BETTER_LESS, SCALE_DIFFERENCE, false, false \
	}
#define PATCHED_ONLY(name, unit, title)                                          \
	{                                                                        \
		name, unit, title, BETTER_NONE, SCALE_PATCHED_ONLY, false, false \
	}

static const struct metric table[] = {
	{"ops_per_s", "ops/s", "operations a second", BETTER_MORE, SCALE_RATIO, true, false},
	TIME("elapsed_ns", "time of the whole load"),
	TIME("latency_p50_ns", "latency, median"),
	TIME("latency_p90_ns", "latency, 90th percentile"),
	TIME("latency_p99_ns", "latency, 99th percentile"),
	TIME("latency_p99_9_ns", "latency, 99.9th percentile"),
	TIME("latency_max_ns", "latency, worst"),
	CPU_TIME("user_ns_per_op", "user time an operation"),
	CPU_TIME("system_ns_per_op", "system time an operation"),
	CPU_TIME("run_ns_per_op", "time on a CPU an operation"),
	CPU_TIME("wait_ns_per_op", "time runnable and waiting an operation"),
	COUNT("ctx_switches_per_op", "context switches an operation"),
	COUNT("voluntary_switches_per_op", "voluntary switches an operation"),
	COUNT("involuntary_switches_per_op", "involuntary switches an operation"),
	COUNT("wakeups_per_op", "wake-ups an operation"),
	COUNT("remote_wakeups_per_op", "wake-ups of another CPU's task an operation"),
	COUNT("migrations_per_op", "migrations an operation"),
	COUNT("tlb_shootdowns_per_op", "TLB shootdown interrupts an operation"),
	COUNT("reschedule_ipis_per_op", "rescheduling interrupts an operation"),
	COUNT("call_function_ipis_per_op", "call-function interrupts an operation"),
	COUNT("timer_interrupts_per_op", "timer interrupts an operation"),
	COUNT("page_faults_per_op", "page faults an operation"),
	COUNT("major_faults_per_op", "major faults an operation"),
	COUNT("minor_faults_per_op", "minor faults an operation"),
	LOAD("kernel_instructions_per_op", "1/op", "instructions of the kernel an operation"),
	LOAD("user_instructions_per_op", "1/op", "instructions of user space an operation"),
	NEUTRAL("instructions_per_op", "1/op", "instructions an operation"),
	NEUTRAL("cycles_per_op", "1/op", "cycles an operation"),
	{"fairness", "share", "slowest worker's share of the fastest's work", BETTER_MORE,
		SCALE_DIFFERENCE, false, false},
	PATCHED_ONLY("vcpu_no_atomic_share", "share",
		"vcpu id: kept or passed on without an atomic operation"),
	PATCHED_ONLY("vcpu_single_thread_share", "share", "vcpu id: single-threaded"),
	PATCHED_ONLY("vcpu_thread_transfer_share", "share", "vcpu id: passed between threads"),
	PATCHED_ONLY("vcpu_cache_hit_share", "share", "vcpu id: runqueue cache hit"),
	PATCHED_ONLY("vcpu_cache_evict_share", "share", "vcpu id: runqueue cache eviction"),
	PATCHED_ONLY("vcpu_cache_discard_share", "share", "vcpu id: runqueue cache discard"),
	PATCHED_ONLY("vcpu_allocate_share", "share", "vcpu id: allocation"),
	PATCHED_ONLY("vcpu_release_mm_share", "share", "vcpu id: given up with the mm"),
	PATCHED_ONLY("vcpu_migrate_share", "share", "vcpu id: given up at a migration"),
	PATCHED_ONLY(
		"vcpu_allocate_node_reuse_share", "share", "vcpu id: allocated, one of the node's"),
	PATCHED_ONLY(
		"vcpu_allocate_node_new_share", "share", "vcpu id: allocated, no node's before"),
	PATCHED_ONLY("vcpu_allocate_node_rebalance_share", "share",
		"vcpu id: allocated, from a node with more ids than CPUs"),
	PATCHED_ONLY("vcpu_allocate_node_steal_share", "share",
		"vcpu id: allocated, taken away from a node"),
	PATCHED_ONLY("vma_lock_share", "share", "page faults under the lock of the vma alone"),
	LOAD("ids_seen", "ids", "ids whose free list was used"),
	LOAD("id_max", "ids", "greatest id used"),
	LOAD("cached_bytes", "bytes", "memory that lies free in lists"),
	LOAD("arena_bytes", "bytes", "memory taken for objects"),
	LOAD("uniqueness_violations", "times", "one id with two threads at once"),
	LOAD("node_violations", "times", "an id on a second node"),
	COUNT("restarts_per_op", "restartable sequences begun again an operation"),
	TIME("busy_ns_per_op", "time that the CPU was not idle an operation"),
};

/* Unit -> the smallest difference that means anything; see metric_floor(). */
static const struct {
	const char *unit;
	double floor;
} floors[] = {
	{"1/op", 0.001},
	{"share", 0.001},
};

/* Definitions of matrix files, newest last. They live as long as the program: rows borrow their
 * strings. */
static struct {
	struct metric *v;
	size_t n;
} defined;

const struct metric *metric_table(size_t *n)
{
	*n = ARRAY_SIZE(table);
	return table;
}

struct metric metric_find(const char *name)
{
	for (size_t i = defined.n; i-- > 0;)
		if (!strcmp(defined.v[i].name, name))
			return defined.v[i];
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(table[i].name, name))
			return table[i];
	return (struct metric){name, "", name, BETTER_NONE, SCALE_DIFFERENCE, false, false};
}

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a, b ? b : "");
}

static bool same_metric(const struct metric *a, const struct metric *b)
{
	return same_text(a->unit, b->unit) && same_text(a->title, b->title ? b->title : b->name) &&
	       a->better == b->better && a->scale == b->scale && a->primary == b->primary &&
	       a->counts_events == b->counts_events;
}

void metric_define(const struct metric *m)
{
	struct metric known = metric_find(m->name);

	/* Opening one run twice must not let the list grow. */
	if (known.name != m->name && same_metric(&known, m))
		return;
	defined.v = xrealloc_array(defined.v, defined.n + 1, sizeof(*defined.v));
	defined.v[defined.n++] = (struct metric){
		.name = xstrdup(m->name),
		.unit = xstrdup(m->unit ? m->unit : ""),
		.title = xstrdup(m->title ? m->title : m->name),
		.better = m->better,
		.scale = m->scale,
		.primary = m->primary,
		.counts_events = m->counts_events,
	};
}

double metric_floor(const struct metric *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(floors); i++)
		if (!strcmp(floors[i].unit, m->unit))
			return floors[i].floor;
	return 0;
}

uint64_t metric_least_ops(const char *name)
{
	static const struct {
		const char *name;
		uint64_t ops;
	} percentiles[] = {
		{"latency_p50_ns", 2},
		{"latency_p90_ns", 10},
		{"latency_p99_ns", 100},
		{"latency_p99_9_ns", 1000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(percentiles); i++)
		if (!strcmp(percentiles[i].name, name))
			return percentiles[i].ops;
	return 0;
}
