/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples of a run -> verdicts. */
#ifndef KAB_COMPARE_H
#define KAB_COMPARE_H

#include "looks.h"
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
	VERDICTS
};
const char *verdict_name(enum verdict v);
/* Improvement, regression or changed. */
bool verdict_is_change(enum verdict v);

struct row {
	const char *cell; /* id; borrowed from the comparison, as all strings of a row */
	const char *arm;
	struct metric metric;
	bool primary; /* corrected over all primary rows; a secondary metric over its own cells and arms */
	/* Says what the method itself does, not what a change does; corrected apart from the others. */
	bool control;
	bool layout; /* of these: not the baseline itself, but the baseline laid out otherwise */
	enum verdict verdict;
	struct estimate e; /* its doubles are NAN where nothing was estimated */
	double p_adj;	   /* NAN: not tested */
	bool no_ratio;	   /* nothing was estimated, and never will be: a value is not above 0 */
	double limit;	   /* "same" is within this, as |ratio - 1| or |difference| */
	double layout_effect; /* what layout alone does here, as |ratio - 1| or |difference|; NAN: not measured */
	/* A count an operation that differs may be what each sample has whatever it does, among more or fewer operations. */
	bool each_sample_s;
	unsigned more_blocks; /* unclear: how many more would settle it; 0: cannot be told */
	size_t base_failed, arm_failed; /* samples with a status other than ok and skipped */
	char *note; /* owned: reason of skipped/failed/unclear in words; NULL */
};

struct comparison {
	char *baseline;
	double alpha, threshold;
	size_t primary_count; /* m of the correction; in a run of controls alone, theirs */
	const char *correction; /* "Holm", "Benjamini-Hochberg" */
	const char *executor; /* "vm", "exact", "local" */
	const char *boot; /* executor_boot_name() */
	bool paired; /* within blocks; else two runs measured apart */
	unsigned blocks;
	const char *unit; /* what they are, as in struct estimate */
	double p_floor; /* smallest adjusted p the run can reach; > alpha: "cannot decide" */
	struct row *rows; /* primary first, then by cell, arm, metric, in the matrix's order */
	size_t nrows;
	size_t ok, skipped, failed, warmups, outliers; /* samples; outliers: of primary metrics */
	size_t percentiles_left_out; /* rows that there are not, for want of operations: see metric_least_ops() */
	size_t control_changed, control_total; /* A/A comparisons of primary metrics, layout's left out */
	size_t control_below_alpha; /* of these, with p < alpha before correction */
	char **warnings; /* conditions that differ between arms, drift, lives > 0, few blocks ... */
	size_t nwarnings;
	struct looks *looks; /* of a run of adaptive length; NULL: of fixed length */
	char **strings; /* what rows borrow */
	size_t nstrings;
};

struct compare_options {
	const char *baseline; /* NULL: the run's */
	double threshold;     /* 0: the matrix's, else the executor's: 0.02, exact 0.002 */
	double alpha;	      /* 0: 0.05 */
	bool bh;
	bool primary; /* no other metrics */
	bool apart;   /* blocks by the difference of their boots, even where these took turns */
};

/* What makes an exit status other than 0. */
enum fail_on {
	FAIL_ON_REGRESSION = 1 << 0,
	FAIL_ON_FAILED = 1 << 1,
	FAIL_ON_UNCLEAR = 1 << 2,
	FAIL_ON_ALL = FAIL_ON_REGRESSION | FAIL_ON_FAILED | FAIL_ON_UNCLEAR,
};

/*
 * @other: a second run whose arms were measured apart, or NULL; then each of its arms is compared with @run's baseline,
 * cell by cell, without pairing. An unknown baseline or two runs without a common cell is KAB_USAGE. The
 * comparison holds nothing of the runs. Caller frees with comparison_free().
 */
struct comparison *compare_runs(const struct store *run, const struct store *other,
				const struct compare_options *opt, struct error *err);
void comparison_free(struct comparison *c);
/*
 * 0, 1 or 3 by the rule of the exit statuses, over primary rows that are no controls and failed samples.
 * comparison_status_for() with FAIL_ON_ALL.
 */
enum kab_exit comparison_status(const struct comparison *c);
enum kab_exit comparison_status_for(const struct comparison *c, unsigned fail_on);
/* "regression,failed" -> bits of enum fail_on; "none" alone is 0. -1 with KAB_USAGE. */
int fail_on_parse(const char *text, unsigned *fail_on, struct error *err);
/* Everything in struct comparison; NAN and infinity are null. New reference. */
json_t *comparison_to_json(const struct comparison *c);
/* The verdict table for a terminal or a pipe; @color: ANSI colours, @verbose: secondary metrics too. Caller frees. */
char *comparison_table(const struct comparison *c, bool color, bool verbose);

/* What @n of an estimate's blocks are called by their @unit: "blocks", "visit a side". Caller frees. */
char *comparison_units(const char *unit, size_t n);
/* In words how many percentiles were left out and why; NULL: none. Caller frees. */
char *comparison_left_out(const struct comparison *c);

/* For what adds to a comparison while it is made: @text in its keeping; a warning, one sentence or more. */
const char *comparison_keep(struct comparison *c, const char *text);
void comparison_warn(struct comparison *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
