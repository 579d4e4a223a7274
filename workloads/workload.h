/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a workload is, and what the engine offers it.
 *
 * A workload is one file that ends in WORKLOAD(name) = { ... }; nothing else names it. In order:
 *
 *   setup(run)        once, in the main process: reads parameters, opens what it needs, allocates
 *with run_alloc(), and says how many workers there are with run_workers() begin(worker)     once in
 *each worker, on its own thread or process, already pinned run(worker)       the load: at least
 *once after a start barrier (once more before for --warmup), so it must leave everything as it
 *found it. verify(worker) takes its place under --verify end(worker)       once in each worker
 *   report(run, v)    once, in the main process, after the timed run: own figures
 *   teardown(run)     once, in the main process
 *
 * All but run are optional. The usual loop is
 *
 *	while (worker_continues(w)) {
 *		... one operation ...
 *		worker_count(w, 1);
 *	}
 *
 * which ends by itself after --ops or --duration. Workers never read a clock; only where
 * an operation is timed, worker_lap() costs one read.
 */
#ifndef KAB_WORKLOAD_H
#define KAB_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

#include "histogram.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Errors: a value with a text; nothing below main() prints or exits. */
enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_SKIPPED = 77, /* this kernel or machine lacks what the workload needs */
};

struct error {
	enum status status;
	char text[500];
};

/* Fills in @err and returns -1. */
int error_set(struct error *err, enum status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Parameters */

enum param_kind {
	PARAM_UINT,	/* decimal, in [min, max] */
	PARAM_DURATION, /* "1.5", "200ms", "1s": seconds unless a unit (ns, us, ms, s) says
			   otherwise; min, max in ns */
	PARAM_CHOICE,	/* one of choices */
	PARAM_CPUS,	/* none, spread, compact or a list as "0,2-3" */
};

/* All parameters are given as --name value or --name=value; a choice of off and on also as --name
 * alone. */
struct param {
	const char *name;
	enum param_kind kind;
	const char *fallback; /* value if not given, as text */
	const char *help;
	uint64_t min, max;	    /* PARAM_UINT, PARAM_DURATION */
	const char *const *choices; /* PARAM_CHOICE, ends with NULL */
};

extern const char *const choices_off_on[], *const choices_mode[];

/*
 * Entries for params tables. Every workload takes duration, ops, warmup, pin and seed without
 * listing them; one that lists them sets another default. workers, mode and latency exist where
 * listed.
 */
#define PARAM_DURATION_DEFAULT(dflt)                                                               \
	{                                                                                          \
		"duration", PARAM_DURATION, dflt, "time to run for", 1000000, 86400000000000, NULL \
	}
#define PARAM_OPS_DEFAULT(dflt)                                                         \
	{                                                                               \
		"ops", PARAM_UINT, dflt,                                                \
			"operations of all workers together; 0: run for --duration", 0, \
			1000000000000000, NULL                                          \
	}
#define PARAM_WARMUP_DEFAULT(dflt)                                                         \
	{                                                                                  \
		"warmup", PARAM_DURATION, dflt, "time to run for before the timed run", 0, \
			86400000000000, NULL                                               \
	}
#define PARAM_PIN_DEFAULT(dflt)                                                              \
	{                                                                                    \
		"pin", PARAM_CPUS, dflt,                                                     \
			"CPUs of the workers, one each, in turn: none, spread (far apart), " \
			"compact (neighbours first) or a list",                              \
			0, 0, NULL                                                           \
	}
#define PARAM_SEED_DEFAULT(dflt)                                                         \
	{                                                                                \
		"seed", PARAM_UINT, dflt, "start of random numbers", 0, UINT64_MAX, NULL \
	}
#define PARAM_WORKERS_DEFAULT(dflt)                                                  \
	{                                                                            \
		"workers", PARAM_UINT, dflt, "tasks that do the work", 1, 4096, NULL \
	}
#define PARAM_MODE_DEFAULT(dflt)                                                                   \
	{                                                                                          \
		"mode", PARAM_CHOICE, dflt, "workers are threads of one process, or processes", 0, \
			0, choices_mode                                                            \
	}
#define PARAM_LATENCY_DEFAULT(dflt)                                                                \
	{                                                                                          \
		"latency", PARAM_CHOICE, dflt, "time each operation, at one clock read apiece", 0, \
			0, choices_off_on                                                          \
	}

/* A figure of the workload's own, beside those that all have. */
struct figure {
	const char *name; /* carries the unit: "marks_per_op", "remap_ns" */
	const char *help;
};

struct run;
struct worker;

/* What a worker is for; set in setup where it is not ROLE_ACTIVE. */
enum role {
	ROLE_ACTIVE, /* does operations, up to its limit: its ops are the run's */
	ROLE_SERVER, /* takes part in the operations of others, which tell it when to stop; counts
			none */
	ROLE_BACKGROUND, /* disturbs: worker_continues() until the last active worker is done;
			    counts none, and its end is not the run's */
};

struct workload {
	const char *name;
	const char *summary;	      /* one line */
	const char *same_as;	      /* its peers: "perf bench sched pipe"; NULL: none */
	const struct param *params;   /* its own, ends with a NULL name; NULL: none */
	const struct figure *figures; /* ends with a NULL name; NULL: none */
	int (*setup)(struct run *run);
	int (*begin)(struct worker *w);
	int (*run)(struct worker *w);
	int (*verify)(struct worker *w); /* NULL: no --verify */
	void (*end)(struct worker *w);
	void (*report)(struct run *run, double *value); /* value[i] is that of figures[i] */
	void (*teardown)(struct run *run);		/* also after a failed setup */
};

/* Registers the workload that follows; pointers in a linker section, so that main.c need not know.
 */
#define WORKLOAD(id)                                                              \
	static const struct workload id##_workload;                               \
	static const struct workload *const id##_entry                            \
		__attribute__((used, section("kab_workloads"))) = &id##_workload; \
	static const struct workload id##_workload

/* A worker's latencies in ns; the buckets are those of histogram.h. */
struct latency {
	uint64_t sum, min, max;
	uint64_t bucket[HIST_BUCKETS];
};

#define WORKER_COUNTERS 4

/*
 * One worker. The first line is all that the loop touches and nobody else writes it while the loop
 * runs, except for the one store of @limit that stops it. Adjacent lines are fetched in pairs,
 * hence 128.
 */
struct worker {
	uint64_t ops;	 /* operations done */
	uint64_t limit;	 /* operations to do; the engine sets it to 0 to stop a run by time */
	uint64_t lap_ns; /* when the operation in hand began */
	struct latency *latency;	   /* NULL: operations are not timed */
	uint64_t counter[WORKER_COUNTERS]; /* the workload's own; 0 at each start */

	struct run *run __attribute__((aligned(128)));
	void *priv;	/* the workload's own */
	unsigned index; /* 0 .. run->nworkers - 1 */
	int cpu;	/* where it is pinned, or -1 */
	enum role role;
	uint64_t random; /* state of worker_random(), from --seed and index */

	/* The engine's, about the latest run. */
	uint64_t start_ns, end_ns;
	struct rusage usage;
} __attribute__((aligned(128)));

/* One run. It lies in memory that all workers share, threads and processes alike. */
struct run {
	const struct workload *workload;
	struct worker *worker; /* nworkers of them */
	unsigned nworkers;
	void *priv; /* the workload's own; take it from run_alloc() if workers write to it */
	struct engine *engine;
};

/* Values of parameters, for setup; the name must be in a table. */
uint64_t run_uint(const struct run *run, const char *name);   /* PARAM_UINT; PARAM_DURATION in ns */
unsigned run_choice(const struct run *run, const char *name); /* index into choices */
bool run_threads(const struct run *run);		      /* --mode thread */

/*
 * Sets the number of workers, @per_process of which are threads of one process; with 1 each is a
 * process of its own, with @workers all are threads of the main process. Without this call
 * --workers and --mode rule.
 */
int run_workers(struct run *run, unsigned workers, unsigned per_process);
/* Zeroed memory that all workers share, page-aligned, freed by the engine. NULL: failed, error set.
 */
void *run_alloc(struct run *run, size_t size);
/* Makes room for @count more open files (raises the soft limit). */
int run_open_files(struct run *run, unsigned count);

/*
 * What went wrong, without a newline; all return -1, for "return run_fail(...)" in setup. The first
 * one of a run counts. A failed run() or begin() stops the whole run.
 */
int run_fail(struct run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int run_skip(struct run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int run_bad_param(struct run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int worker_fail(struct worker *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* CLOCK_MONOTONIC in ns. */
static inline uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Operations still to do; 0 once the run is over. Reads nothing but the worker's own line. */
static inline uint64_t worker_left(const struct worker *w)
{
	uint64_t limit = __atomic_load_n(&w->limit, __ATOMIC_RELAXED);

	return limit > w->ops ? limit - w->ops : 0;
}

static inline bool worker_continues(const struct worker *w)
{
	return w->ops < __atomic_load_n(&w->limit, __ATOMIC_RELAXED);
}

/* @n more operations are done. */
static inline void worker_count(struct worker *w, uint64_t n)
{
	w->ops += n;
}

static inline void latency_add(struct latency *l, uint64_t ns)
{
	l->sum += ns;
	if (ns < l->min)
		l->min = ns;
	if (ns > l->max)
		l->max = ns;
	l->bucket[hist_index(ns)]++;
}

/* Starts the clock anew, where what lies between two operations is not to be timed. */
static inline void worker_lap_start(struct worker *w)
{
	if (w->latency)
		w->lap_ns = clock_ns();
}

/*
 * Ends one timed operation and begins the next: records the time since the last call (or the start
 * of the run) where --latency asks for it.
 */
static inline void worker_lap(struct worker *w)
{
	uint64_t now;

	if (!w->latency)
		return;
	now = clock_ns();
	latency_add(w->latency, now - w->lap_ns);
	w->lap_ns = now;
}

/* The worker's next random number: splitmix64 (Steele, Lea and Flood 2014). */
static inline uint64_t worker_random(struct worker *w)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

#endif
