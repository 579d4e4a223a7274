// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of observers, and the one whose parser is a module of its own: schedstat. */
#include "observer.h"

#include "interrupts.h"
#include "observer_text.h"
#include "perfdata.h"
#include "schedstat.h"
#include "util.h"
#include "vmstat.h"

/*
 * What a sample is given of schedstat. A context switch is a pcount: a task other than idle got a
 * CPU, which unlike sched_count leaves out calls of schedule() that kept the task. It counts
 * whether schedstats are enabled or not.
 */
static const struct {
	const char *metric, *counter;
	const char *less; /* taken off the counter; NULL: nothing */
	bool always;	  /* counts without schedstats=enable, too */
} metrics[] = {
	{"ctx_switches_per_op", "pcount", NULL, true},
	{"run_ns_per_op", "rq_cpu_time", NULL, true},
	{"wait_ns_per_op", "run_delay", NULL, true},
	{"wakeups_per_op", "ttwu_count", NULL, false},
	{"remote_wakeups_per_op", "ttwu_count", "ttwu_local", false},
};

/* The series that made these counters is judged by the share of events that cost no atomic
 * operation. */
static void set_shares(const struct schedstat_delta *d, struct sample *s)
{
	struct schedstat_share shares[SCHEDSTAT_VCPU_SHARES];
	double free_of_atomics = 0;

	if (schedstat_shares(d, shares))
		return;
	for (size_t i = 0; i < SCHEDSTAT_VCPU_SHARES; i++) {
		sample_set_metric(s, shares[i].metric, shares[i].share);
		if (i < SCHEDSTAT_VCPU_NO_ATOMIC)
			free_of_atomics += shares[i].share;
	}
	sample_set_metric(s, "vcpu_no_atomic_share", free_of_atomics);
}

static void set_metrics(const struct schedstat_delta *d, struct sample *s)
{
	bool off = schedstat_is_off(d);

	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
		double count = schedstat_sum(d, metrics[i].counter);

		if (off && !metrics[i].always)
			continue;
		if (metrics[i].less)
			count -= schedstat_sum(d, metrics[i].less);
		observer_per_op(s, metrics[i].metric, count);
	}
	set_shares(d, s);
}

static json_t *schedstat_figures(const char *file, const char *before, const char *after,
	struct sample *s, struct error *err)
{
	__free_char char *before_name = xasprintf("%s.before", file),
			 *after_name = xasprintf("%s.after", file);
	struct schedstat b = {0}, a = {0};
	struct schedstat_delta d = {0};
	json_t *o = NULL;

	if (!before || !after)
		return observer_unavailable("/proc/schedstat");
	if (schedstat_parse(before_name, before, &b, err) ||
		schedstat_parse(after_name, after, &a, err))
		goto out;
	if (schedstat_subtract(&b, &a, &d, err)) {
		error_prefix(err, "%s", file);
		goto out;
	}
	set_metrics(&d, s);
	o = schedstat_to_json(&d);
out:
	schedstat_delta_clear(&d);
	schedstat_clear(&a);
	schedstat_clear(&b);
	return o;
}

const struct observer observers[] = {
	{OBSERVE_SCHEDSTAT, "schedstat", "/proc/schedstat", schedstat_figures},
	{OBSERVE_PERF_STAT, "perf-stat", NULL, perfdata_figures},
	{OBSERVE_INTERRUPTS, "interrupts", "/proc/interrupts", interrupts_figures},
	{OBSERVE_VMSTAT, "vmstat", "/proc/vmstat", vmstat_figures},
	{OBSERVE_FUNCTIONS, "functions", NULL, NULL},
	{OBSERVE_PERF_RECORD, "perf-record", NULL, NULL},
};
const size_t nobservers = ARRAY_SIZE(observers);
