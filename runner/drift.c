// SPDX-License-Identifier: GPL-2.0-or-later
#include "drift.h"

#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_statistics.h>

#include "rank.h"
#include "util.h"

#define SAMPLES_FOR_TREND 3

static size_t add_rhos(const struct tally *t, const char *metric, double **rho, size_t n)
{
	struct groups g;

	groups_make(t, metric, UNIT_BOOT, &g);
	*rho = xrealloc_array(*rho, n + g.n, sizeof(**rho));
	for (size_t i = 0; i < g.n; i++) {
		double p;

		if (g.v[i].n >= SAMPLES_FOR_TREND)
			(*rho)[n++] = stats_drift(g.v[i].v, g.v[i].n, &p);
	}
	groups_clear(&g);
	return n;
}

/*
 * Three samples in a boot show no trend by themselves, but twenty boots do: without one, a boot's
 * rho is as likely above 0 as below, which is the signed-rank test's question.
 */
double drift_in_boots(const struct tallies *t, const char *cell, const char *metric, double *rho)
{
	double *all = NULL, p = 1;
	size_t n = 0;

	*rho = 0;
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->v[i].cell, cell))
			n = add_rhos(&t->v[i], metric, &all, n);
	if (n) {
		*rho = gsl_stats_mean(all, 1, n);
		p = rank_signed_p(all, n);
	}
	free(all);
	return p;
}
