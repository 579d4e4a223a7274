/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all workers of a run did together. */
#ifndef KAB_RESULT_H
#define KAB_RESULT_H

#include "workload.h"

struct result {
	const struct run *run;
	bool by_time; /* it ran for --duration, not for a number of operations */
	uint64_t ops;
	uint64_t elapsed_ns;	    /* from the first worker's start to the last one's end */
	struct rusage usage;	    /* of all workers, between start and end */
	bool timed;		    /* operations were timed: there are latencies */
	struct latency latency;	    /* of all workers */
	double figure[FIGURES_MAX]; /* one for each of the workload's figures */
};

/* Sums up the latest run of @run's workers; by_time is the caller's to set. */
void result_sum(struct result *res, const struct run *run);

#endif
