/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole run folders whose truth is known, for tests of what is made of them. */
#ifndef SYNTHETIC_H
#define SYNTHETIC_H

#include "run_fixture.h"

/* What samples of @arm in @cell are like. Every rule that matches adds to a sample. */
struct synth_rule {
	const char *arm, *cell; /* NULL: any; @cell is a glob */
	const char *metric;	/* "ops": the sample's operations, 1000 otherwise; NULL: none */
	double mean;
	double boot_sd, sample_sd; /* of logs */
	double slope; /* added to the log from one sample of a boot to the next of the cell */
	enum sample_status status; /* other than SAMPLE_OK: that is what becomes of the sample */
	const char *reason;
	unsigned from_block, to_block; /* [from, to); to 0: all */
	bool a_sample;	/* @mean is of a whole sample: divided by its operations, which a rule before this one may set */
	unsigned every; /* of the turns of a cell; 0: all */
};

struct synth {
	const char *matrix; /* YAML */
	const struct synth_rule *rules;
	size_t nrules;
	double drift_sd; /* of the walk from block to block that all arms share, in all metrics but counts */
	/*
	 * About half of the turns of a block are slower by this, of logs, for all arms alike; one sample in eight is of the
	 * other speed than its turn.
	 */
	double slow_turns;
	const char *arm_env[4]; /* environment of boots by the arm's position, as JSON; NULL: no boot.json */
	const char *arms; /* run.json's "arms" as JSON; NULL: none */
	const char *host; /* run.json's "env"; NULL: none */
	const char *measured; /* glob of cells; the others have no sample; NULL: all have */
	const char *only;     /* the run's --only; NULL: none */
	bool aa, unfinished;
	unsigned life; /* of boot 1 */
	double warmup_factor; /* values of warm-ups are this times a sample's; 0: 1 */
	uint64_t seed;
};

/* A fresh folder for results, in memory where that can be had: each sample is synced. Caller frees. */
char *synth_results(void);
/* Writes it under @results; its path, which the caller frees. Fails the test where that cannot be done. */
char *synth_run(const char *results, const struct synth *s);

#endif
