/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a workload is, and what the engine offers it.
 *
 * A workload is one file that ends in WORKLOAD(name) = { ... }; nothing else names it. Its
 * functions, in the order in which they are called:
 *
 *   setup(run)      in the main process: reads parameters, opens and allocates, and says with
 *                   run_workers() how many workers there are
 *   begin(worker)   in each worker, on its own thread or process, pinned
 *   run(worker)     the load, after a start barrier. With --warmup once more before, so it must
 *                   leave all as it found it. With --verify verify(worker) takes its place
 *   end(worker)     in each worker
 *   report(run, v)  in the main process: the workload's own figures of the timed run
 *   teardown(run)   in the main process, also after a setup that failed
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
	PARAM_DURATION, /* "1.5", "200ms": seconds, or a unit (ns, us, ms, s); min, max in ns */
	PARAM_CHOICE,	/* one of choices */
	PARAM_CPUS,	/* none, spread, compact or a list as "0,2-3" */
};

/* Given as --name value or --name=value; a choice of off and on also as --name alone. */
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
#define PARAM_DURATION_DEFAULT(dflt) \
	PARAM_ROW("duration", PARAM_DURATION, dflt, 1000000, DAY_NS, NULL, "time to run for")
#define PARAM_OPS_DEFAULT(dflt)                                        \
	PARAM_ROW("ops", PARAM_UINT, dflt, 0, UINT64_C(1) << 50, NULL, \
		"operations, of all workers together; 0: run for --duration")
#define PARAM_WARMUP_DEFAULT(dflt) \
	PARAM_ROW("warmup", PARAM_DURATION, dflt, 0, DAY_NS, NULL, "time to run for beforehand")
#define PARAM_PIN_DEFAULT(dflt)                                                    \
	PARAM_ROW("pin", PARAM_CPUS, dflt, 0, 0, NULL,                             \
		"CPUs for the workers in turn: none, spread (far apart), compact " \
		"(neighbours first) or a list as 0,2-3")
#define PARAM_SEED_DEFAULT(dflt) \
	PARAM_ROW("seed", PARAM_UINT, dflt, 0, UINT64_MAX, NULL, "start of the random numbers")
#define PARAM_WORKERS_DEFAULT(dflt) \
	PARAM_ROW("workers", PARAM_UINT, dflt, 1, 4096, NULL, "tasks that do the work")
#define PARAM_MODE_DEFAULT(dflt)                                  \
	PARAM_ROW("mode", PARAM_CHOICE, dflt, 0, 0, choices_mode, \
		"workers are threads of one process, or processes")
#define PARAM_LATENCY_DEFAULT(dflt)                                    \
	PARAM_ROW("latency", PARAM_CHOICE, dflt, 0, 0, choices_off_on, \
		"time each operation, at one clock read apiece")

#define DAY_NS (UINT64_C(86400) * 1000000000)
#define PARAM_ROW(_name, _kind, _fallback, _min, _max, _choices, _help)                          \
	{                                                                                        \
		.name = _name, .kind = _kind, .fallback = _fallback, .help = _help, .min = _min, \
		.max = _max, .choices = _choices,                                                \
	}

#define FIGURES_MAX 16

/* A figure of the workload's own, beside those that all have; at most FIGURES_MAX. */
struct figure {
	const char *name; /* carries the unit: "marks_per_op", "remap_ns" */
	const char *help;
};

struct run;
struct worker;

/* What a worker is for; set in setup, after run_workers(), where it is not ROLE_ACTIVE. */
enum role {
	ROLE_ACTIVE,	 /* does operations up to its limit; its ops are the run's */
	ROLE_SERVER,	 /* takes part in the operations of others, who tell it when to stop */
	ROLE_BACKGROUND, /* disturbs until the last active worker is done, whose end is the run's */
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
	void (*report)(const struct run *run, double *value); /* value[i] is that of figures[i]; NAN: none */
	void (*teardown)(struct run *run);		      /* also after a failed setup */
};

/* Registers the workload that follows, by a pointer in a linker section: no list names them all. */
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
	uint64_t ops;			   /* operations done */
	uint64_t limit;			   /* to do; the engine stores 0 to stop a run by time */
	uint64_t lap_ns;		   /* when the operation in hand began */
	struct latency *latency;	   /* NULL: operations are not timed */
	uint64_t counter[WORKER_COUNTERS]; /* the workload's own; 0 at each start */

	struct run *run __attribute__((aligned(128)));
	void *priv;	/* the workload's own */
	unsigned index; /* 0 .. run->nworkers - 1 */
	int cpu;	/* where it is pinned, or -1 */
	enum role role;
	uint64_t random; /* state of worker_random(), from --seed and index */

	/* The engine's, about the latest run, from the barrier to the end of the loop. */
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
const char *run_text(const struct run *run, const char *name); /* any, as given: for PARAM_CPUS */
bool run_threads(const struct run *run);		      /* --mode thread */
bool run_given(const struct run *run, const char *name);      /* on the command line */

/*
 * Sets the number of workers and makes run->worker. @per_process of them each are threads of one
 * process: 1 gives every worker a process of its own, 0 makes all threads of the main process.
 * @workers must be a multiple. Where the workload has a parameter workers, the engine calls this
 * before setup with --workers and --mode (thread if there is no such parameter).
 */
int run_workers(struct run *run, unsigned workers, unsigned per_process);
/*
 * Zeroed memory that all workers share, page-aligned, there until the program ends. NULL: failed,
 * error set.
 */
void *run_alloc(struct run *run, size_t size);
/* The run ends after @ops operations of all workers together, whatever --ops and --duration say. */
void run_set_ops(struct run *run, uint64_t ops);
/* Makes room for @count open files more than usual (raises the soft limit). */
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
