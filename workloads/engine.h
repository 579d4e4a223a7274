/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a workload and sums up what its workers did. */
#ifndef KAB_ENGINE_H
#define KAB_ENGINE_H

#include "params.h"
#include "workload.h"

struct result {
	const struct run *run;
	bool by_time; /* it ran for --duration, not for a number of operations */
	uint64_t ops;
	uint64_t elapsed_ns;	    /* from the first worker's start to the last one's end */
	struct rusage usage;	    /* of all workers, between start and end */
	struct latency *latency;    /* NULL: operations were not timed */
	double figure[FIGURES_MAX]; /* one for each of the workload's figures */
};

/*
 * Runs @w from setup to teardown. @res stays valid until the program ends. After -1 workers may
 * still exist as threads: the caller reports @err and ends the program.
 */
int engine_run(const struct workload *w, const struct params *params, struct result *res,
	struct error *err);

#endif
