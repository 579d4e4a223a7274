/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs a sample: a guest under QEMU (vm, exact) or this machine (local). Executors know neither
 * statistics nor reports. A remote machine reached by ssh would be one more struct executor_ops.
 */
#ifndef KAB_EXECUTOR_H
#define KAB_EXECUTOR_H

#include <jansson.h>

#include "error.h"
#include "matrix.h"
#include "sample.h"

/* One thing to run: argv in a process of its own, captures of /proc files before and after it. */
struct job {
	const char *id;
	const char *const *argv; /* NULL-terminated; argv[0] "kab-workload" is the one beside the agent */
	bool host_root; /* run it inside the shared root (external programs, perf); else from the initramfs */
	bool perf_stat; /* wrap in perf stat -j */
	/*
	 * Wrap in perf record of the whole machine: this list of events, each time that one happens; or JOB_PROFILE.
	 * NULL: no.
	 */
	const char *record;
	const char *const *capture; /* NULL-terminated paths read before and after: "/proc/schedstat", ... */
	unsigned timeout_s;
};

#define JOB_PROFILE "cpu-clock" /* sampled some 1000 times a second on each CPU, with the kernel's stack */

/* What came back. Every pointer is owned; job_result_clear() frees. */
struct job_result {
	enum sample_status status; /* OK: it ran to its end; its exit status is below */
	char *reason;		   /* set unless OK */
	int exit_status;	   /* as of wait(2): exit code, or 128 + signal */
	char *out, *err_out;
	char *perf; /* perf stat's JSON lines, or perf record's file as proto_bytes() has it; NULL: none */
	char *functions; /* as functions_take() tells them; NULL: not counted */
	json_t *before, *after;	   /* {path: text}; a file that is not there is absent */
	uint64_t elapsed_ns;	   /* of the whole process, by the machine's own clock */
	bool machine_lost;	   /* the guest is gone: this boot takes no more jobs */
	/* It died of QEMU's own fault, see vm_lost_write(), and can be run again in another guest. */
	bool lost_write;
};
void job_result_clear(struct job_result *r);

struct boot_request {
	const struct arm *arm;
	const struct machine *machine;
	const char *kernel;	/* bzImage; NULL for local */
	const char *kernel_dir; /* the cache entry: self-tests, vmlinux; NULL for local */
	const char *dir;	/* boots/<n>/ or, in a later life, a folder in it: console.log goes here */
	const char *share;	/* host folder for the 9p root; NULL: "/" */
	bool need_root;		/* some job wants host_root: mount it */
	bool debug_kernel;	/* lockdep, KASAN ...: longer limits */
	const char *label;	/* local: the user's name for the running kernel */
	bool count_functions;	/* exact: instructions by function of the kernel */
};

struct executor; /* a running machine */

struct executor_ops {
	const char *name; /* "vm", "exact", "local" */
	/*
	 * Starts it and waits until it takes jobs. NULL: err says how it died ("panic: ...", "no ready within
	 * 60 s", ...), with KAB_ENVIRONMENT; console.log is kept.
	 */
	struct executor *(*boot)(const struct boot_request *req, struct error *err);
	/*
	 * boot() in two halves, for machines that come up side by side: the first starts one, the
	 * second waits for it. -1: it failed, and *@ex is freed and NULL. @launch is NULL where
	 * machines are up one at a time.
	 */
	struct executor *(*launch)(const struct boot_request *req, struct error *err);
	int (*await)(struct executor **ex, const struct boot_request *req, struct error *err);
	/* Runs one job. 0 with @res filled in, whatever became of it; -1 only when interrupted. */
	int (*run)(struct executor *ex, const struct job *job, struct job_result *res, struct error *err);
	/*
	 * Environment of this boot: {accelerator, cpus, nodes, memory_bytes, kernel_release, cmdline,
	 * clocksource, mitigations, thp, governor, qemu_version, boot_ms, share ...}. Borrowed.
	 */
	json_t *(*env)(struct executor *ex);
	/* Powers it off, kills what is left, frees. NULL is allowed. */
	void (*shutdown)(struct executor *ex);
};

extern const struct executor_ops vm_executor, exact_executor, local_executor;
/*
 * @text, why a guest of the vm executor under TCG ended, names QEMU's own fault and not the
 * kernel's: a write to code that got lost, see boot_tcg(). It has to be the first complaint of that
 * guest.
 */
bool vm_lost_write(const char *text);
const struct executor_ops *executor_find(enum executor_kind kind);

#endif
