// SPDX-License-Identifier: GPL-2.0-or-later
/* Nothing, in the loop and with the counters of every other workload: what the harness itself
 * costs. */
#include "workload.h"

static int null_run(struct worker *w)
{
	while (worker_continues(w)) {
		worker_lap(w);
		worker_count(w, 1);
	}
	return 0;
}

static const struct param null_params[] = {
	PARAM_WORKERS_DEFAULT("1"),
	PARAM_MODE_DEFAULT("thread"),
	PARAM_LATENCY_DEFAULT("off"),
	{.name = NULL},
};

WORKLOAD(null) = {
	.name = "null",
	.summary = "nothing: the loop, the counters and the clock that all workloads use",
	.params = null_params,
	.run = null_run,
};
