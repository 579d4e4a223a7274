// SPDX-License-Identifier: GPL-2.0-or-later
#include "rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>

#include "rank.h"
#include "util.h"

#define ALPHA 0.05
#define TRIM 32 /* one value in so many, at either end */

static int sign(double difference)
{
	return (difference > 0) - (difference < 0);
}

static int mean_sigma(const double *a, size_t na, const double *b, size_t nb)
{
	double shift = gsl_stats_mean(b, 1, nb) - gsl_stats_mean(a, 1, na);

	return fabs(shift) > gsl_stats_sd(a, 1, na) + gsl_stats_sd(b, 1, nb) ? sign(shift) : 0;
}

static int welch(const double *a, size_t na, const double *b, size_t nb)
{
	double va = gsl_stats_variance(a, 1, na) / na, vb = gsl_stats_variance(b, 1, nb) / nb;
	double shift = gsl_stats_mean(b, 1, nb) - gsl_stats_mean(a, 1, na);
	double df = (va + vb) * (va + vb) / (va * va / (na - 1) + vb * vb / (nb - 1));

	if (!(va + vb > 0))
		return sign(shift);
	return 2 * gsl_cdf_tdist_Q(fabs(shift) / sqrt(va + vb), df) < ALPHA ? sign(shift) : 0;
}

static double *sorted(const double *v, size_t n)
{
	double *copy = xcalloc(n, sizeof(*copy));

	memcpy(copy, v, n * sizeof(*copy));
	gsl_sort(copy, 1, n);
	return copy;
}

static int mann_whitney(const double *a, size_t na, const double *b, size_t nb)
{
	double *sa, *sb;
	int ret;

	if (rank_sum_p(a, na, b, nb) >= ALPHA)
		return 0;
	sa = sorted(a, na);
	sb = sorted(b, nb);
	ret = sign(gsl_stats_median_from_sorted_data(sb, 1, nb) -
		   gsl_stats_median_from_sorted_data(sa, 1, na));
	free(sa);
	free(sb);
	return ret;
}

static int ranges(const double *a, size_t na, const double *b, size_t nb)
{
	double *sa = sorted(a, na), *sb = sorted(b, nb);
	size_t cut_a = na / TRIM, cut_b = nb / TRIM;
	int ret = 0;

	if (sb[cut_b] > sa[na - 1 - cut_a])
		ret = 1;
	else if (sb[nb - 1 - cut_b] < sa[cut_a])
		ret = -1;
	free(sa);
	free(sb);
	return ret;
}

const struct rule rules[RULES] = {
	{"mean+-sigma", mean_sigma},
	{"Welch", welch},
	{"Mann-Whitney", mann_whitney},
	{"range (lkp)", ranges},
};
