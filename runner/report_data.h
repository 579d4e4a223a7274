/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every format of a report says, worked out once from the run and its comparison. */
#ifndef KAB_REPORT_DATA_H
#define KAB_REPORT_DATA_H

#include "along.h"
#include "compare.h"
#include "plan.h"
#include "plot.h"
#include "published.h"

/* One sample's value of one metric; the id leads to its line in samples.jsonl and to raw/. */
struct reading {
	const char *id;
	double value;
	unsigned seq, turn; /* as of struct sample */
};

/* The samples of one boot that count: ok, and no warm-up. */
struct boot_values {
	struct reading *v;
	size_t n;
	double median; /* NAN: none */
};

struct block_values {
	unsigned block;
	struct boot_values base, arm;
	double effect; /* as struct estimate.effect, of this block alone; NAN: one side is missing
			*/
};

struct blocks {
	struct block_values *v; /* ascending; only blocks in which one side has a value */
	size_t n;
};

/* An arm where it was measured. */
struct measured_arm {
	const struct store *run;
	const char *label; /* its samples' */
	char *shown; /* what the comparison calls it */
};

/*
 * The values of @metric in @cell by block, of @arm and of @base. Blocks of two runs have no effects: nothing pairs their
 * boots. Freed by blocks_free(). Ids are the store's.
 */
struct blocks blocks_of(const struct measured_arm *base, const struct measured_arm *arm, const char *cell,
	const struct metric *metric);
void blocks_free(struct blocks *b);

/*
 * Location and uncertainty of one arm alone: a median and its distribution-free 95 % interval, order
 * statistics k and n+1-k (Conover, Practical Nonparametric Statistics, 3.2). Below six values there
 * is none of 95 %: then the ends are the smallest and the largest, and @range is set.
 */
struct spread {
	double median, lo, hi; /* NAN: no values */
	size_t boots; /* or what else the values are */
	bool range;
};
/* Sorts @v. */
struct spread spread_of(double *v, size_t n);
/*
 * Of the base's or the arm's side of @b: the median is that of all samples, so that a figure says
 * what the verdicts' table says; the interval is that of the boots' medians.
 */
struct spread spread_of_blocks(const struct blocks *b, bool arm);

/* One fact about where the samples ran: for each arm all its values, joined by commas. */
struct condition {
	char *key;
	char **values; /* one for each arm of the report; "" if nothing is known */
	bool differs;  /* between arms */
};

struct report {
	const struct store *run;
	const struct store *other; /* whose arms are compared with the baseline of @run; NULL: those of @run are */
	/* All of @run, in the matrix's order. Of two runs: the baseline of @run, then the arms of @other. */
	struct measured_arm *arms;
	size_t narms;
	const struct comparison *c;
	const struct matrix *m;
	char *name;   /* of the run's folder */
	char *other_name; /* of the other's; NULL */
	char *title;	    /* "patched against stock"; "stock alone" */
	char *machine;	    /* "vm executor under TCG, 1 to 8 vCPUs" */
	char *corner;	    /* the same in a few words, for figures */
	bool beside;	    /* the report lies in the run's folder: raw/ is ../raw */
	bool controls_only; /* every comparison is of the baseline with itself: a run with --aa */
	char **command;	    /* words of the command that reproduces the run */
	size_t ncommand;
	char **other_command; /* the same of the other run */
	size_t nother_command;
	struct plan
		*plan; /* of the matrix: its cells by id, with workload, machine and parameters */
	struct condition *conditions;
	size_t nconditions;
	struct published_list published;
	struct along along; /* nsteps 0: the arms are no series patch by patch, or of one patch */
	struct plots plots;
};

/*
 * Everything but the plots, which report_plots() adds. @run, @other (or NULL) and @c must outlive it. -1: bad published table. Two
 * runs have no published tables and no patch by patch.
 */
int report_data_make(const struct store *run, const struct store *other, const struct comparison *c, struct report *r,
	struct error *err);
void report_data_clear(struct report *r);

/* Fills in the conditions (report_data_make() does) and frees them. */
void report_conditions(struct report *r);
void report_conditions_clear(struct report *r);

const struct measured_arm *report_baseline(const struct report *r);
/* It is the arm that @row compares. */
bool report_row_is_of(const struct report *r, const struct row *row, const struct measured_arm *arm);
/* Of two runs: some row is of @cell, which both have. Of one: true. */
bool report_has_cell(const struct report *r, const char *cell);
/* The blocks that @row was made of. */
struct blocks report_row_blocks(const struct report *r, const struct row *row);

/* A string of run.json by key, and by key of an object in it; "" if it is not there. */
const char *report_text(const struct report *r, const char *object, const char *key);
/* "AMD EPYC", or of two runs on two machines "AMD EPYC and Intel Xeon"; "" where run.json does not say. Caller frees. */
char *report_cpu_models(const struct report *r);
/* What the folder of @run is called, wherever it was opened from. Caller frees. */
char *report_run_name(const struct store *run);
/* The row is one of those that the run was made for: primary, and no control unless there is
 * nothing else. */
bool report_is_main(const struct report *r, const struct row *row);
/* How many of those have verdict @v. */
size_t report_count(const struct report *r, enum verdict v);
/* "2 improvements, 1 regression, 12 same, 5 unclear of 20 primary comparisons", or that there is
 * none. Caller frees. */
char *report_summary(const struct report *r);
/*
 * Calls @tell with a line for each arm that the tables name, "patched: Linux 6.1.192 + vm-local-cpu"; none where run.json does not
 * say. @text is the caller's own again after it.
 */
void report_arms(const struct report *r, void (*tell)(struct buf *b, const char *text), struct buf *b);
/* The word for @v with its number, "1 regression" or "2 regressions". */
const char *report_verdict_plural(enum verdict v, size_t n);
/* "Holm over 20 comparisons, alpha 0.05, threshold 2 %, 10 blocks". Caller frees. */
char *report_method_line(const struct report *r);
/* "false positives: 0 of 6 ... (95 % interval 0 to 46 %)"; NULL: the run has no control. Caller
 * frees. */
char *report_control_line(const struct report *r);

#endif
