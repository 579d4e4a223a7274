// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exact distributions by the shift algorithm (Streitberg and Roehmel 1986): the generating function
 * of a sum of scores is a product, multiplied out one score at a time. Scores are midranks doubled,
 * hence whole numbers, with ties as without. For the two-sided p of a symmetric statistic both
 * tails count.
 */
#include "rank.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>

#include "util.h"

/* Beyond these the normal limit (with its variance corrected for ties) is good to well under a
 * percent. */
#define SIGNED_EXACT_MAX 300
#define SUM_EXACT_MAX 60

/* Doubled midranks of @v: 2 r, where r counts from 1 and equal values share their mean. */
static unsigned *doubled_midranks(const double *v, size_t n)
{
	unsigned *rank = xcalloc(n, sizeof(*rank));
	size_t *order = xcalloc(n, sizeof(*order));

	gsl_sort_index(order, v, 1, n);
	for (size_t i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && v[order[j]] == v[order[i]]; j++)
			;
		for (size_t k = i; k < j; k++)
			rank[order[k]] = i + 1 + j;
	}
	free(order);
	return rank;
}

static double two_sided(double below, double above)
{
	return fmin(1, 2 * fmin(below, above));
}

/* Two-sided p of @w under a normal limit, with the half step of a discrete statistic of steps of
 * @step. */
static double normal_p(double w, double mean, double var, double step)
{
	double z = (fabs(w - mean) - step / 2) / sqrt(var);

	return var > 0 ? fmin(1, 2 * gsl_cdf_ugaussian_Q(fmax(z, 0))) : 1;
}

/* P(sum = i) for i <= @total, each score entering with probability a half. Caller frees. */
static double *coin_sum_distribution(const unsigned *score, size_t n, size_t total)
{
	double *p = xcalloc(total + 1, sizeof(*p));
	size_t top = 0;

	p[0] = 1;
	for (size_t j = 0; j < n; j++) {
		top += score[j];
		for (size_t i = top + 1; i-- > 0;)
			p[i] = (p[i] + (i >= score[j] ? p[i - score[j]] : 0)) / 2;
	}
	return p;
}

static void tails(const double *p, size_t total, size_t w, double *below, double *above)
{
	*below = *above = 0;
	for (size_t i = 0; i <= total; i++) {
		if (i <= w)
			*below += p[i];
		if (i >= w)
			*above += p[i];
	}
}

/* Scores of the signed-rank test: doubled midranks of magnitudes, of which those beyond the middle
 * all count as the middle. */
static unsigned *capped_scores(const double *magnitude, size_t n)
{
	unsigned *score = doubled_midranks(magnitude, n);

	for (size_t i = 0; i < n; i++)
		if (score[i] > n + 1)
			score[i] = n + 1;
	return score;
}

double rank_signed_p(const double *d, size_t n)
{
	double *magnitude = xcalloc(n, sizeof(*magnitude));
	size_t signs = 0, total = 0, w = 0;
	double below, above, var = 0, p = 1;
	unsigned *score;

	for (size_t i = 0; i < n; i++)
		magnitude[i] = fabs(d[i]);
	score = capped_scores(magnitude, n);
	for (size_t i = 0; i < n; i++) {
		if (d[i] == 0)
			continue;
		if (d[i] > 0)
			w += score[i];
		total += score[i];
		var += score[i] * (double)score[i] / 4;
		score[signs++] = score[i];
	}
	if (signs > SIGNED_EXACT_MAX) {
		p = normal_p(w, total / 2.0, var, 2);
	} else if (signs) {
		double *dist = coin_sum_distribution(score, signs, total);

		tails(dist, total, w, &below, &above);
		p = two_sided(below, above);
		free(dist);
	}
	free(score);
	free(magnitude);
	return p;
}

/* Largest k with 2 P(statistic <= k) <= alpha in the distribution @p of a statistic 0 ... @total.
 */
static long critical_index(const double *p, size_t total, double alpha, double *attained)
{
	double sum = 0;
	long k = -1;

	*attained = 0;
	for (size_t i = 0; i <= total; i++) {
		sum += p[i];
		/* Sums of powers of two are exact; the margin is for the rank sum's quotients. */
		if (2 * sum > alpha * (1 + 1e-12))
			break;
		*attained = 2 * sum;
		k = i;
	}
	return k;
}

static long normal_index(double mean, double var, double alpha, double *attained)
{
	*attained = alpha;
	return floor(mean - gsl_cdf_ugaussian_Qinv(alpha / 2) * sqrt(var) - 0.5);
}

/*
 * The largest sum of scores of positive differences that is too small for @alpha, where no two
 * magnitudes are alike; -1: none is.
 */
static long signed_critical(size_t n, double alpha, double *attained)
{
	double *magnitude = xcalloc(n, sizeof(*magnitude)), var = 0;
	unsigned *score;
	size_t total = 0;
	long k;

	for (size_t i = 0; i < n; i++)
		magnitude[i] = i;
	score = capped_scores(magnitude, n);
	for (size_t i = 0; i < n; i++) {
		total += score[i];
		var += score[i] * (double)score[i] / 4;
	}
	if (n > SIGNED_EXACT_MAX) {
		k = normal_index(total / 2.0, var, alpha, attained);
	} else {
		double *p = coin_sum_distribution(score, n, total);

		k = critical_index(p, total, alpha, attained);
		free(p);
	}
	free(score);
	free(magnitude);
	return k;
}

int rank_signed_reach(size_t n, double alpha, double *attained)
{
	return signed_critical(n, alpha, attained) < 0 ? -1 : 0;
}

/* Would the test reject that @d are around @centre? */
static bool rejects(const double *d, size_t n, double centre, long critical)
{
	double *magnitude = xcalloc(n, sizeof(*magnitude));
	size_t below = 0, above = 0;
	unsigned *score;

	for (size_t i = 0; i < n; i++)
		magnitude[i] = fabs(d[i] - centre);
	score = capped_scores(magnitude, n);
	for (size_t i = 0; i < n; i++) {
		above += d[i] > centre ? score[i] : 0;
		below += d[i] < centre ? score[i] : 0;
	}
	free(score);
	free(magnitude);
	return (long)above <= critical || (long)below <= critical;
}

/*
 * The Walsh average nearest to the middle of @w, from @end (0 or @count - 1), on whose inner side
 * the test does not reject. Between two of them its statistic does not change, and it falls from
 * one end to the other.
 */
static double interval_end(
	const double *d, size_t n, const double *w, size_t count, bool upper, long critical)
{
	size_t lo = 0, hi = (count - 1) / 2;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2, next = mid + 1;
		double at = w[upper ? count - 1 - mid : mid], inner = at;

		/* Equal ones are one. */
		while (next < count && inner == at) {
			inner = w[upper ? count - 1 - next : next];
			next++;
		}
		if (inner != at && rejects(d, n, at + (inner - at) / 2, critical))
			lo = mid + 1;
		else
			hi = mid;
	}
	return w[upper ? count - 1 - lo : lo];
}

int rank_signed_interval(const double *d, size_t n, const double *w, size_t count, double alpha,
	double *lo, double *hi, double *attained)
{
	long critical = signed_critical(n, alpha, attained);

	if (critical < 0)
		return -1;
	*lo = interval_end(d, n, w, count, false, critical);
	*hi = interval_end(d, n, w, count, true, critical);
	return 0;
}

/*
 * P(sum of @take of the scores = i) for i <= @total, every choice equally likely: ways[c][i] counts
 * choices of c scores, divided at the end by n over take. Caller frees.
 */
static double *choice_sum_distribution(const unsigned *score, size_t n, size_t take, size_t total)
{
	double *ways = xcalloc((take + 1) * (total + 1), sizeof(*ways));
	double *last = ways + take * (total + 1), *p;
	double all = 0;

	ways[0] = 1;
	for (size_t j = 0; j < n; j++) {
		for (size_t c = j + 1 < take ? j + 1 : take; c > 0; c--) {
			double *to = ways + c * (total + 1), *from = to - (total + 1);

			for (size_t i = score[j]; i <= total; i++)
				to[i] += from[i - score[j]];
		}
	}
	for (size_t i = 0; i <= total; i++)
		all += last[i];
	p = xcalloc(total + 1, sizeof(*p));
	for (size_t i = 0; i <= total; i++)
		p[i] = last[i] / all;
	free(ways);
	return p;
}

/* Variance of the sum of @take of @n scores drawn without replacement. */
static double choice_sum_variance(const unsigned *score, size_t n, size_t take)
{
	double sum = 0, square = 0;

	for (size_t i = 0; i < n; i++) {
		sum += score[i];
		square += (double)score[i] * score[i];
	}
	return take * (n - take) / (n * (n - 1.0)) * (square - sum * sum / n);
}

double rank_sum_p(const double *a, size_t na, const double *b, size_t nb)
{
	size_t n = na + nb, total = n * (n + 1), w = 0;
	double *all = xcalloc(n, sizeof(*all));
	double below, above, p;
	unsigned *score;

	if (na)
		memcpy(all, a, na * sizeof(*a));
	if (nb)
		memcpy(all + na, b, nb * sizeof(*b));
	score = doubled_midranks(all, n);
	for (size_t i = 0; i < na; i++)
		w += score[i];
	if (!na || !nb) {
		p = 1;
	} else if (n > SUM_EXACT_MAX) {
		p = normal_p(w, na * (n + 1.0), choice_sum_variance(score, n, na), 2);
	} else {
		double *dist = choice_sum_distribution(score, n, na, total);

		tails(dist, total, w, &below, &above);
		p = two_sided(below, above);
		free(dist);
	}
	free(score);
	free(all);
	return p;
}

long rank_sum_k(size_t na, size_t nb, double alpha, double *attained)
{
	size_t n = na + nb, total = n * (n + 1) / 2, least = na * (na + 1) / 2;
	unsigned *score;
	double *p;
	long k;

	if (n > SUM_EXACT_MAX)
		return normal_index(na * nb / 2.0, na * nb * (n + 1.0) / 12, alpha, attained);
	score = xcalloc(n, sizeof(*score));
	for (size_t i = 0; i < n; i++)
		score[i] = i + 1;
	p = choice_sum_distribution(score, n, na, total);
	/* Mann-Whitney's U is the rank sum less the least that it can be. */
	k = critical_index(p + least, total - least, alpha, attained);
	free(p);
	free(score);
	return k;
}
