/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A matrix file: what is compared, on what machine, under which loads. See kab-matrix(5). */
#ifndef KAB_MATRIX_H
#define KAB_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "error.h"
#include "metric.h"

struct param {
	char *key, *value;
};

/* Sorted by key, each key once. */
struct params {
	struct param *v;
	size_t n;
};

/* Where an arm's sources come from. Exactly one of package, tree, tarball is set. */
struct base {
	char *package; /* Debian package, "linux-source-6.1" */
	char *tree;    /* a git tree by path */
	char *rev;     /* revision in @tree, default HEAD */
	char *tarball;
};

/*
 * One series of an arm: "name" (under kernel-patch/series), or a path to a folder of patches when it has a
 * '/'; "name:3" takes the first three patches alone.
 */
struct series_ref {
	char *name;
	unsigned patches; /* 0: all */
};

struct arm_params { /* parameters that this arm overrides in one workload */
	char *workload;
	struct params params;
};

/* What an arm is there for. Those that are not compared show what the method itself does. */
enum arm_role {
	ARM_COMPARED,
	ARM_CONTROL, /* the baseline once more, of the key "aa" */
	ARM_LAYOUT,  /* the baseline with its functions aligned otherwise, of the key "layout" */
};

struct arm {
	char *label;
	char *place; /* "file:line:column" in its matrix; NULL: it is of none */
	enum arm_role role;
	char **only; /* globs of the cells that it runs; none: all of them */
	size_t nonly;
	struct base base;
	struct series_ref *series;
	size_t nseries;
	char **config; /* config fragments: names under kernel-patch/config (no suffix) or paths */
	size_t nconfig;
	char *cmdline;	/* appended to the guest kernel's command line; "" if none */
	unsigned align; /* function alignment in bytes; 0: the kernel's own */
	char *mutation; /* "series/name": a patch of kernel-patch/series/<series>/mutations applied last */
	struct arm_params *params;
	size_t nparams;
};

enum executor_kind { EXECUTOR_VM, EXECUTOR_EXACT, EXECUTOR_LOCAL };

struct machine {
	unsigned cpus, nodes;
	uint64_t memory; /* bytes */
};

enum observer_bit {
	OBSERVE_SCHEDSTAT = 1 << 0,
	OBSERVE_PERF_STAT = 1 << 1,
	OBSERVE_INTERRUPTS = 1 << 2,
	OBSERVE_VMSTAT = 1 << 3,
	OBSERVE_FUNCTIONS = 1 << 4, /* the exact executor's own */
	OBSERVE_PERF_RECORD = 1 << 5,
};

/* A run of a cell under perf record, after a boot's timed samples and apart from them. */
enum pass {
	PASS_NONE,
	PASS_RECORD, /* the observer perf-record: where time goes */
	PASS_TRACE,  /* the matrix's tracepoints: each event that happens */
	PASSES
};
const char *pass_name(enum pass pass); /* NULL, "perf-record", "tracepoints" */

enum figure_kind { FIGURE_NONE, FIGURE_REGEX, FIGURE_JSON, FIGURE_YAML };
struct figure { /* how an external program's figure is read off its output */
	enum figure_kind kind;
	char *expr; /* regex with one group, JSON pointer, YAML pointer */
	char *name, *unit;
	enum metric_better better;
};

struct dimension {
	char *key;
	char **values;
	size_t n;
};

struct workload_spec {
	char *name;
	char *command; /* NULL: one of kab-workload's own; else a shell command */
	struct figure figure;
	bool secondary;		/* its metrics stay out of the correction: key "primary: false" */
	struct dimension *dims; /* every parameter given, lists as given, sorted by key */
	size_t ndims;
	char *place; /* "file:line:column" */
};

struct matrix {
	char *name;  /* file name without folder and .yaml */
	char *path;
	char *text;  /* the file as read */
	char *baseline;
	struct arm *arms; /* in file order, then those of the keys "aa" and "layout" */
	size_t narms;
	enum executor_kind executor;
	struct machine *machines; /* vm: cpus x nodes; one entry for exact and local */
	size_t nmachines;
	char *local_label;
	char *share; /* vm: folder shared instead of the host's root; NULL: the root */
	unsigned blocks, samples, warmup;
	bool together;	   /* vm: the arms of a block are up at once and take turns */
	double precision;  /* share; 0: not asked for */
	double budget_s;   /* 0: @blocks is all; else they are those before the first look */
	unsigned observers; /* of enum observer_bit */
	char *tracepoints;  /* "sched:sched_switch,tlb:tlb_flush"; NULL: none */
	uint64_t seed;	    /* 0: drawn */
	double threshold; /* 0: the executor's default */
	struct workload_spec *workloads;
	size_t nworkloads;
	bool has_commands; /* some workload is a command */
};

/*
 * Reads a matrix that is to be run: NULL with "file:line:column: what, expected what" and KAB_USAGE. Names and parameters
 * of kab's own workloads are checked against what kab-workload says of itself.
 */
struct matrix *matrix_read(const char *path, struct error *err);
/*
 * The same of text at hand, for instance that of a run made elsewhere: own workloads are not checked, since
 * they may be another version's. @path is the name used in messages.
 */
struct matrix *matrix_parse(const char *path, const char *text, struct error *err);
/* With own workloads checked against @catalog (see catalog.h). */
struct matrix *matrix_parse_checked(const char *path, const char *text, const json_t *catalog, struct error *err);
void matrix_free(struct matrix *m);
/*
 * The matrix as JSON, for run.json and hashes: complete, and canonical when dumped with JSON_SORT_KEYS. Path and
 * text are left out. New reference.
 */
json_t *matrix_to_json(const struct matrix *m);

const char *executor_kind_name(enum executor_kind kind); /* "vm", "exact", "local" */
/* What a person reads for one arm's part of a block: "boot", or "visit" where nothing boots. */
const char *executor_boot_name(enum executor_kind kind);
/* A name, or a path that begins with "~/" if it lies below $HOME: what is handed on names no home folder. */
json_t *json_path(const char *path);
/* Likewise "name" or "name:N". */
json_t *series_ref_json(const struct series_ref *ref);
/* Fills in @to with a copy of @from called @label; arm_clear() empties it. */
void arm_copy(struct arm *to, const struct arm *from, const char *label);
void arm_clear(struct arm *a);

const struct arm *matrix_arm(const struct matrix *m, const char *label);
/* Some machine has more than one CPU. */
bool matrix_has_several_cpus(const struct matrix *m);
/* @arm runs the cell called @cell. */
bool arm_runs(const struct arm *arm, const char *cell);
const char *params_get(const struct params *p, const char *key);
void params_set(struct params *p, const char *key, const char *value);
bool params_equal(const struct params *a, const struct params *b);
void params_free(struct params *p);

#endif
