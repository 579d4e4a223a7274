/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What try and bisect share: a matrix with arms of their own, run and compared. */
#ifndef KAB_TRY_H
#define KAB_TRY_H

#include "cli.h"
#include "kernel_parts.h"

/* An arm of the matrix that is made: its label, and what stands between its braces in YAML. */
struct try_arm {
	char *label, *yaml;
};

struct try_order {
	const char *verb;
	const char *matrix;   /* NULL: matrix/try.yaml, or matrix/try-exact.yaml if @exact */
	const char *config;   /* fragments of every arm, "a,b" or NULL */
	char *name;	      /* of the matrix that is made, and so of the run */
	char *folder;	      /* where that is written */
	char *path;	      /* of its file; NULL: try_prepare() has not been called */
	char *base;	      /* in YAML, "{package: linux-source-6.1}" */
	char *fragments;      /* in YAML, "config: [linux-6.12, lockdep]", or "" */
	struct try_arm *arms; /* the first is the baseline */
	size_t narms;
	const char *only, *results, *seed;
	unsigned blocks; /* 0: the matrix's, or more if a verdict needs them */
	bool yes, dry_run, fresh, exact;
	bool asks;	    /* the matrix has commands of somebody's that nobody agreed to, as try_prepare() found out */
	size_t comparisons; /* primary ones that the run makes, as try_prepare() found out */
	struct cli_common common;
};

/*
 * A matrix of @verb's, called "@verb-@name" (and "-exact"), that will lie in the cache: on @base,
 * with the config fragments that it needs and those of the options. Its first arm is @baseline,
 * which is the base unpatched.
 */
void try_start(struct try_order *o, const char *verb, const struct base *base, const char *name,
	const char *baseline);
/* The base with the series in @folder: all of its patches, or the first @patches. */
void try_add_series(struct try_order *o, const char *label, const char *folder, unsigned patches);
/* Another base, unpatched. */
void try_add_base(struct try_order *o, const char *label, const struct base *base);
/* Options that exclude each other: KAB_USAGE. */
int try_check(const struct try_order *o, struct error *err);
/* Writes the matrix, the chosen one with base, arms and baseline replaced, and sees whether it can
 * be planned. */
int try_prepare(struct try_order *o, struct error *err);
bool try_baseline_is_built(const struct try_order *o);
/*
 * Runs the matrix, prepared if it was not: an exit status as that of "kab run",
 * and the run's folder in *@run (NULL where there is none; caller frees).
 */
int try_run(struct try_order *o, char **run, struct error *err);
void try_order_clear(struct try_order *o);

#endif
