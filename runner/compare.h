/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples of a run -> verdicts. */
#ifndef KAB_COMPARE_H
#define KAB_COMPARE_H

#include "metric.h"
#include "stats.h"
#include "store.h"

enum verdict {
	VERDICT_SAME,
	VERDICT_IMPROVEMENT,
	VERDICT_REGRESSION,
	VERDICT_CHANGED, /* a change of a metric without a direction */
	VERDICT_UNCLEAR,
	VERDICT_SHOWN,	 /* patched-only or no comparison possible: figures, no test */
	VERDICT_SKIPPED, /* one side cannot run this workload */
	VERDICT_FAILED,	 /* no good samples on one side */
};
const char *verdict_name(enum verdict v);

struct row {
	const char *cell; /* id, borrowed from the comparison */
	const char *arm;
	struct metric metric;
	bool primary; /* took part in the correction */
	bool control; /* baseline against baseline */
	enum verdict verdict;
	struct estimate e;
	double p_adj;
	unsigned more_blocks; /* unclear: how many more would settle it; 0: cannot be told */
	size_t base_failed, arm_failed; /* samples with a status other than ok and skipped */
	char *note; /* owned: reason of skipped/failed/unclear in words; NULL */
};

struct comparison {
	char *baseline;
	double alpha, threshold;
	size_t primary_count; /* m of the correction */
	const char *correction; /* "Holm" */
	unsigned blocks;
	double p_floor; /* smallest adjusted p the run can reach; > alpha: "cannot decide" */
	struct row *rows; /* primary first, then by cell, arm, metric */
	size_t nrows;
	size_t ok, skipped, failed, warmups, outliers; /* samples */
	size_t control_changed, control_total; /* A/A cells */
	char **warnings; /* conditions that differ between arms, drift, lives > 0, few blocks ... */
	size_t nwarnings;
};

struct compare_options {
	const char *baseline; /* NULL: the run's */
	double threshold;     /* 0: the executor's: 0.02, exact 0.002 */
	double alpha;	      /* 0: 0.05 */
	bool bh;
};

/* @other: a second run whose arms were measured apart, or NULL. Caller frees with comparison_free(). */
struct comparison *compare_runs(const struct store *run, const struct store *other,
				const struct compare_options *opt, struct error *err);
void comparison_free(struct comparison *c);
/* 0, 1 or 3 by the rule of the exit statuses, over primary rows and failed samples. */
enum kab_exit comparison_status(const struct comparison *c);
json_t *comparison_to_json(const struct comparison *c);
/* The verdict table for a terminal or a pipe; @color: ANSI colours. Caller frees. */
char *comparison_table(const struct comparison *c, bool color, bool verbose);

#endif
