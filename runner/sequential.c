// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The statistic behind a two-sided test, as information comes in, is a Brownian motion B(t) if
 * there is no effect, whatever the test, once there are some blocks; tests/bench/sim_rules.c shows
 * that it holds for the signed-rank test and the few blocks here. A look at t rejects when |B(t)|
 * >= b; what has not been rejected so far has a density inside the boundary, and the next look's
 * boundary follows from it by integration (Armitage, McPherson and Rowe 1969).
 *
 * Boundaries are worked out once for a ladder of alphas; what lies between is interpolated.
 */
#include "sequential.h"

#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>

#include "util.h"

#define POINTS 201 /* of Simpson's rule, odd */
#define RUNGS 40
#define TOP_ALPHA 0.5
#define RUNG_RATIO 0.62 /* the last rung is 4e-9 */

struct sequential {
	size_t n;
	double *log_level; /* [rung][look] */
};

/* The part of the paths that no look has rejected, at the latest look. */
struct density {
	double half_width, v[POINTS];
};

static double point(const struct density *d, int i)
{
	return d->half_width * (2.0 * i / (POINTS - 1) - 1);
}

/* Simpson's weights. */
static double weight(const struct density *d, int i)
{
	double step = 2 * d->half_width / (POINTS - 1);

	return step / 3 * (i == 0 || i == POINTS - 1 ? 1 : i % 2 ? 4 : 2);
}

/* P(this look is the first to reject) with the boundary @b; @sd: of the step since the last look.
 */
static double crossing(const struct density *before, double b, double sd)
{
	double p = 0;

	if (!before)
		return 2 * gsl_cdf_gaussian_Q(b, sd);
	/* The density is symmetric, so that one side stands for both. */
	for (int i = 0; i < POINTS; i++)
		p += weight(before, i) * before->v[i] * 2 *
		     gsl_cdf_gaussian_Q(b - point(before, i), sd);
	return p;
}

/* The boundary that spends @alpha; @t bounds the search. */
static double find_boundary(const struct density *before, double sd, double alpha, double t)
{
	double lo = 0, hi = 10 * sqrt(t);

	for (int i = 0; i < 60; i++) {
		double mid = (lo + hi) / 2;

		if (crossing(before, mid, sd) > alpha)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

static void advance(const struct density *before, double b, double sd, struct density *after)
{
	after->half_width = b;
	for (int i = 0; i < POINTS; i++) {
		double x = point(after, i), sum = 0;

		for (int j = 0; before && j < POINTS; j++)
			sum += weight(before, j) * before->v[j] *
			       gsl_ran_gaussian_pdf(x - point(before, j), sd);
		after->v[i] = before ? sum : gsl_ran_gaussian_pdf(x, sd);
	}
}

/* Nominal two-sided levels of all looks for one alpha, as logs. */
static void make_rung(const double *t, size_t n, double alpha, double *log_level)
{
	struct density d[2], *before = NULL;

	for (size_t k = 0; k < n; k++) {
		double step = t[k] - (k ? t[k - 1] : 0), sd = sqrt(step);
		double b = find_boundary(before, sd, alpha * step, t[k]);

		log_level[k] = log(2 * gsl_cdf_gaussian_Q(b, sqrt(t[k])));
		advance(before, b, sd, &d[k % 2]);
		before = &d[k % 2];
	}
}

static double log_alpha(double rung)
{
	return log(TOP_ALPHA) + rung * log(RUNG_RATIO);
}

struct sequential *sequential_new(const double *t, size_t n)
{
	struct sequential *s = xcalloc(1, sizeof(*s));

	s->n = n;
	s->log_level = xcalloc(RUNGS * n, sizeof(*s->log_level));
	for (int i = 0; i < RUNGS; i++)
		make_rung(t, n, exp(log_alpha(i)), s->log_level + i * n);
	return s;
}

void sequential_free(struct sequential *s)
{
	if (!s)
		return;
	free(s->log_level);
	free(s);
}

/* log_level of @look at a rung between two. */
static double level_at(const struct sequential *s, size_t look, double rung)
{
	int i = fmin(fmax(floor(rung), 0), RUNGS - 2);
	double lo = s->log_level[i * s->n + look], hi = s->log_level[(i + 1) * s->n + look];

	return lo + (hi - lo) * (rung - i);
}

double sequential_level(const struct sequential *s, size_t look, double alpha)
{
	return exp(level_at(s, look, (log(alpha) - log(TOP_ALPHA)) / log(RUNG_RATIO)));
}

/* The alpha whose level at @look is @p. Below the ladder its last step goes on. */
static double alpha_of(const struct sequential *s, size_t look, double p)
{
	double wanted = log(p);
	int i = 0;

	if (wanted > s->log_level[look])
		return 1;
	while (i < RUNGS - 2 && s->log_level[(i + 1) * s->n + look] > wanted)
		i++;
	return exp(log_alpha(
		i + (s->log_level[i * s->n + look] - wanted) /
			    (s->log_level[i * s->n + look] - s->log_level[(i + 1) * s->n + look])));
}

double sequential_p(const struct sequential *s, const double *p, size_t n)
{
	double least = 1;

	for (size_t i = 0; i < n && i < s->n; i++)
		if (p[i] > 0)
			least = fmin(least, alpha_of(s, i, p[i]));
	return least;
}
