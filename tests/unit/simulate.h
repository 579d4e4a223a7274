/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Experiments with a known truth, many times over: how often intervals hold it, and what verdicts are given. */
#ifndef SIMULATE_H
#define SIMULATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum shape {
	SHAPE_NORMAL,
	SHAPE_BIMODAL, /* three boots in ten are 15 % off, as pipes are by placement */
	SHAPE_HEAVY,   /* Student's t with 3 degrees of freedom, boots and samples */
	SHAPE_DISTURBED, /* one boot in eight shares the machine with something else: slower, by 20 % or so */
};

/* Standard deviations are of logs. */
struct sim_model {
	unsigned blocks, samples; /* of each boot */
	double boot_sd, sample_sd;
	double drift_sd; /* step from block to block of a random walk that both arms share */
	double effect;	 /* true ratio - 1 */
	enum shape shape;
	size_t comparisons; /* p is multiplied by it, Holm's first step; 0 is 1 */
	bool unpaired;	    /* boots measured apart */
};

/* Shares of all experiments. */
struct sim_result {
	double covered;	    /* the interval holds the true effect */
	double below_alpha; /* p < 0.05 before correction */
	double changed, wrong_way; /* called a change; of all, against a true effect's direction */
	double same, unclear;
	double width; /* mean of hi / lo - 1 */
	double detectable; /* mean of what the estimates say of themselves */
};

void simulate(const struct sim_model *model, unsigned experiments, uint64_t seed, struct sim_result *out);

#endif
