// SPDX-License-Identifier: GPL-2.0-or-later
/* Sums over workers. */
#include "result.h"

#include <sys/time.h>

static void usage_add(struct rusage *a, const struct rusage *b)
{
	timeradd(&a->ru_utime, &b->ru_utime, &a->ru_utime);
	timeradd(&a->ru_stime, &b->ru_stime, &a->ru_stime);
	a->ru_nvcsw += b->ru_nvcsw;
	a->ru_nivcsw += b->ru_nivcsw;
	a->ru_minflt += b->ru_minflt;
	a->ru_majflt += b->ru_majflt;
}

static void latency_merge(struct latency *a, const struct latency *b)
{
	a->sum += b->sum;
	a->min = b->min < a->min ? b->min : a->min;
	a->max = b->max > a->max ? b->max : a->max;
	hist_merge(a->bucket, b->bucket, HIST_BUCKETS);
}

void result_sum(struct result *res, const struct run *run)
{
	uint64_t first = UINT64_MAX, last = 0;

	*res = (struct result){.run = run, .latency.min = UINT64_MAX};
	for (unsigned i = 0; i < run->nworkers; i++) {
		const struct worker *w = &run->worker[i];

		usage_add(&res->usage, &w->usage);
		if (w->role == ROLE_ACTIVE)
			res->ops += w->ops;
		if (w->latency)
			latency_merge(&res->latency, w->latency);
		res->timed |= w->latency != NULL;
		if (w->role == ROLE_BACKGROUND)
			continue;
		first = w->start_ns < first ? w->start_ns : first;
		last = w->end_ns > last ? w->end_ns : last;
	}
	res->elapsed_ns = last - first;
	if (run->workload->report)
		run->workload->report(run, res->figure);
}
