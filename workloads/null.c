// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nothing, in the loop and with the counters of every other workload: what the harness itself
 * costs. Bystanders run the same loop without being counted, to see what busy neighbours cost.
 */
#include "workload.h"

static int null_setup(struct run *run)
{
	unsigned workers = run_uint(run, "workers"), all = workers + run_uint(run, "bystanders");

	if (run_workers(run, all, run_threads(run) ? 0 : 1))
		return -1;
	for (unsigned i = workers; i < all; i++)
		run->worker[i].role = ROLE_BACKGROUND;
	return 0;
}

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
	PARAM_ROW("bystanders", PARAM_UINT, "0", 0, 4096, NULL,
		"tasks beside the workers that only keep CPUs busy"),
	PARAM_MODE_DEFAULT("thread"),
	PARAM_LATENCY_DEFAULT("off"),
	{.name = NULL},
};

WORKLOAD(null) = {
	.name = "null",
	.summary = "nothing: the loop, the counters and the clock that all workloads use",
	.params = null_params,
	.setup = null_setup,
	.run = null_run,
};
