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
	char *name;	      /* of the matrix that is made, and so of the run */
	char *folder;	      /* where that is written */
	char *path;	      /* of its file; NULL: try_prepare() has not been called */
	char *base;	      /* in YAML, "{package: linux-source-6.1}" */
	struct try_arm *arms; /* the first is the baseline */
	size_t narms;
	const char *only, *results, *seed;
	unsigned blocks; /* 0: the matrix's, or more if a verdict needs them */
	bool yes, dry_run, fresh, exact;
	size_t comparisons; /* primary ones that the run makes, as try_prepare() found out */
	struct cli_common common;
};

/* A copy of @text as a YAML scalar, in quotes. Caller frees. */
char *try_quoted(const char *text);
/* "config: [linux-6.12, lockdep]": the fragment that @base has need of, and those of @list ("a,b"
 * or NULL); "": none. */
char *try_config(const struct base *base, const char *list);
/* "{package: linux-source-6.1}" of @b. Caller frees. */
char *try_base(const struct base *b);
void try_add_arm(struct try_order *o, const char *label, char *yaml);
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
