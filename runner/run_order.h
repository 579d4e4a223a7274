/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which run a command line means: a new one, an unfinished one that goes on, or a finished one that
 * gets more boots. */
#ifndef KAB_RUN_ORDER_H
#define KAB_RUN_ORDER_H

#include <sys/utsname.h>

#include "run.h"
#include "util.h"

/* What a run may have in all, as a matrix may ask for. */
#define RUN_MAX_BLOCKS 1000

struct run_options {
	const char *only, *seed, *label, *results;
	const char *power_from; /* with dry_run: an earlier run */
	double effect;		/* that it is to find; 0: the usual ones */
	unsigned blocks, more_boots;
	bool dry_run, fresh, aa, yes;
	char **folder; /* where the caller wants the run's folder; NULL: on standard output */
	struct cli_common common;
};

/* Everything one kab run holds. What is borrowed from where is said at each. */
struct run_order {
	struct run_options opt;
	const char *operand; /* a matrix file, a run folder or NULL */
	char *results;
	struct matrix *own_matrix;   /* as read from a file */
	const struct matrix *matrix; /* that, or the store's */
	struct plan *plan;
	struct store *store; /* NULL until it is made or found */
	struct run_arm *arms;
	json_t *options, *arms_json, *host;
	const char *label;
	char release[sizeof(((struct utsname *)0)->release)];
	struct progress *progress;
	struct buf notes; /* lines that a person should see before the run starts */
};

/*
 * From operand and options to everything else: matrix, arms looked up, plan, and the store when the
 * run exists already (open for writing, but for --dry-run). @o->notes say why an earlier run of the
 * matrix does not go on. -1 with KAB_USAGE, or KAB_ENVIRONMENT where a run is held by
 * another process or of other sources; either way run_order_clear() frees.
 */
int run_order_settle(struct run_order *o, struct error *err);
void run_order_clear(struct run_order *o);

#endif
