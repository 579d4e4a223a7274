/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carrying out a plan: kernels, boots, samples, into a store. Whatever the store holds already is
 * not run again, so that continuing a run is carrying out the same plan once more.
 */
#ifndef KAB_RUN_H
#define KAB_RUN_H

#include "cli.h"
#include "executor.h"
#include "host_load.h"
#include "kernel.h"
#include "plan.h"
#include "store.h"

/* Attempts to get one boot going, and lives that a boot gets beyond its first, before the rest of
 * it is given up. */
#define RUN_BOOT_TRIES 3
#define RUN_EXTRA_LIVES 2
/*
 * Jobs of one boot that are run again because the emulator lost a write (job_result.lost_write). What
 * dies so more often counts as what the kernel did.
 */
#define RUN_LOST_WRITES 3

/* One arm made ready. */
struct run_arm {
	const struct arm *arm; /* what is booted: the arm itself, with --aa the baseline */
	struct kernel kernel;  /* empty with the local executor */
	bool booted;	       /* it came up at least once in this run */
};

/* Where the time of a run goes, in ns of this machine's clock but for @workload. */
struct run_times {
	uint64_t wall;	   /* from the first boot to the last sample */
	uint64_t boot;	   /* starting and stopping machines */
	uint64_t job;	   /* handing over jobs, waiting for them, taking what comes back */
	uint64_t workload; /* the jobs' processes, by the clock of the machine that ran them */
};

struct run {
	struct store *store; /* open for writing */
	struct plan *plan; /* grows where the matrix has a budget instead of a number of blocks */
	const struct executor_ops *ops;
	struct run_arm *arms;	   /* one for each of plan->matrix->arms, in that order */
	const char *label;	   /* local: the name of the running kernel; else NULL */
	struct progress *progress; /* NULL: in silence */
	size_t done, total;	   /* samples of the plan that are in the store */
	struct run_times times;	   /* since it was last written down, as the two that follow */
	uint64_t since_ns;	   /* by now_ns() */
	struct host_load load;
};

/*
 * Makes every arm of @m ready, in the order of the matrix: kernels are looked up (@build false:
 * nothing is written) or built. @aa: every arm boots what the baseline boots. NULL with what
 * kernel_build() said. Caller frees with run_arms_free(); @m must live as long.
 */
struct run_arm *run_arms(
	const struct matrix *m, bool aa, bool build, struct progress *progress, struct error *err);
void run_arms_free(struct run_arm *arms, size_t n);
/* What run.json says of the arms: [{label, key, base_version, debug, series, config, cmdline,
 * align, meta}]. New reference. */
json_t *run_arms_json(const struct run_arm *arms, const struct matrix *m);
/* The same of this machine: sysinfo_read(), the executor, and kab-workload's checksum. New reference. */
json_t *run_host_json(const struct matrix *m, const char *label);
/*
 * NULL when a run recorded as @run has arms and host like @arms and @host, so that its samples and
 * new ones may stand side by side; else what differs, in words. Caller frees.
 */
char *run_difference(const json_t *run, const json_t *arms, const json_t *host);

/*
 * Runs every sample of the plan that the store lacks, boot by boot, extends the plan while its matrix asks for more (see
 * run_adaptive_next()), and marks the run as finished.
 * Failing samples are recorded and are no error. -1: KAB_INTERRUPTED; KAB_ENVIRONMENT for a full
 * disk or an arm that never boots; all that is done stays recorded.
 */
int run_execute(struct run *r, struct error *err);

/* The parts of it; @ex is a machine in its @life'th life, @env its environment as samples record
 * it. */
struct boot_life {
	const struct plan_boot *boot;
	struct executor *ex;
	json_t *env;
	unsigned life;
	unsigned timeout_factor;
	bool in_turns; /* with the block's other arms, which are up, too */
	bool spares_lost_writes; /* there have not been RUN_LOST_WRITES of them yet */
};
/*
 * @n boots of one block on one machine, with all of them up at once where the executor and the matrix
 * allow it. 0: done or given up, all recorded; -1 as run_execute().
 */
int run_group(struct run *r, const struct plan_boot *boots, size_t n, struct error *err);
/* The machine is lost, and the sample is recorded; or it is not, and is to be run in another one. */
#define RUN_LOST 1
#define RUN_AGAIN 2
/*
 * One sample, recorded under @id; @warmup_again: it repeats a warm-up of an earlier life. 0, RUN_LOST,
 * RUN_AGAIN; -1 as run_execute().
 */
int run_sample(struct run *r, const struct boot_life *life, const struct plan_sample *ps,
	const char *id, bool warmup_again, struct error *err);
/* Records @ps as not run, with @status and @reason. */
int run_give_up(struct run *r, const struct plan_boot *boot, const struct plan_sample *ps,
	unsigned life, enum sample_status status, const char *reason, struct error *err);
/*
 * Some job needs the shared root: perf or an external program. Then all boots have it, those of arms too that measure but
 * some cells, as controls do: machines that are compared are the same.
 */
bool run_needs_root(const struct plan *plan);
/* Seconds after which a job of this cell has certainly gone astray on a machine that is not slow.
 */
unsigned run_timeout_s(const struct workload_spec *w, const struct params *params);
/* Seconds of "1.5", "200ms", "1s" (s, ms, us, ns); 0 when it is no time. */
double run_seconds(const char *text);

/* Seconds that @plan takes once kernels are built, roughly: the matrix's own durations and what a
 * boot costs. */
double run_estimate_s(const struct plan *plan);
/*
 * Enough room in @folder (made if need be) for what @plan has yet to record, beyond what @store
 * (may be NULL) holds? -1 with KAB_ENVIRONMENT and both figures.
 */
int run_check_space(
	const struct plan *plan, const struct store *store, const char *folder, struct error *err);

#endif
