// SPDX-License-Identifier: GPL-2.0-or-later
#include "fixed_part.h"

#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>

#include "util.h"

#define MOST_SAMPLES 200 /* 19,900 pairs of them say enough */
#define Z 1.96
/* What comes with a sample varies, three faults here and five there: as much as nine samples in ten have. */
#define MOST_OF_THEM 0.9

/* Totals and operations of samples, as many at most, evenly spread over the run. */
struct points {
	double total[MOST_SAMPLES], ops[MOST_SAMPLES];
	size_t n;
};

static void points_collect(const struct tally *t, const char *metric, struct points *p)
{
	size_t step = t->nok / MOST_SAMPLES + 1;

	p->n = 0;
	for (size_t i = 0; i < t->nok; i += step) {
		double value = sample_metric(t->ok[i], metric), ops = (double)t->ok[i]->ops;

		if (!isfinite(value))
			continue;
		p->ops[p->n] = ops;
		p->total[p->n++] = value * ops;
	}
}

/* The lower end of the interval of the slope; 0 where there is none or it is below. */
static double least_slope(const struct points *p)
{
	double *slope = xcalloc(p->n * p->n / 2 + 1, sizeof(*slope)), n = (double)p->n, reach, least = 0;
	size_t pairs = 0;

	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < i; k++)
			if (p->ops[i] != p->ops[k])
				slope[pairs++] = (p->total[i] - p->total[k]) / (p->ops[i] - p->ops[k]);
	reach = Z * sqrt(n * (n - 1) * (2 * n + 5) / 18);
	if ((double)pairs > reach) {
		gsl_sort(slope, 1, pairs);
		least = fmax(0, slope[(size_t)(((double)pairs - reach) / 2)]);
	}
	free(slope);
	return least;
}

double fixed_part_at_most(const struct tally *t, const char *metric)
{
	struct points p;
	double slope;

	points_collect(t, metric, &p);
	if (!p.n)
		return 0;
	slope = least_slope(&p);
	for (size_t i = 0; i < p.n; i++)
		p.total[i] -= slope * p.ops[i];
	gsl_sort(p.total, 1, p.n);
	return fmax(0, gsl_stats_quantile_from_sorted_data(p.total, 1, p.n, MOST_OF_THEM));
}
