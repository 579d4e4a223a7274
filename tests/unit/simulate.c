// SPDX-License-Identifier: GPL-2.0-or-later
#include "simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "stats.h"
#include "util.h"
#include "verdict.h"

#define ALPHA 0.05
#define THRESHOLD 0.02

/* Student's t with 3 degrees of freedom has the variance 3. */
static double draw(gsl_rng *r, enum shape shape, double sd)
{
	return shape == SHAPE_HEAVY ? gsl_ran_tdist(r, 3) * sd / sqrt(3) : gsl_ran_gaussian(r, sd);
}

static double draw_boot(gsl_rng *r, const struct sim_model *m)
{
	double mode = m->shape == SHAPE_BIMODAL && gsl_rng_uniform(r) < 0.3 ? 0.15 : 0;

	if (m->shape == SHAPE_DISTURBED && gsl_rng_uniform(r) < 0.125)
		mode = -fabs(gsl_ran_gaussian(r, 0.25));
	return mode + draw(r, m->shape, m->boot_sd);
}

/* One boot of one arm into @values. */
static struct group draw_group(gsl_rng *r, const struct sim_model *m, double centre, double *values)
{
	double boot = centre + draw_boot(r, m);

	for (unsigned i = 0; i < m->samples; i++)
		values[i] = exp(boot + draw(r, m->shape, m->sample_sd));
	return (struct group){.v = values, .n = m->samples};
}

static struct estimate experiment(gsl_rng *r, const struct sim_model *m, double *values)
{
	struct group base[m->blocks], arm[m->blocks];
	struct pair pairs[m->blocks];
	const struct stats_options opt = {
		.ratio = true, .alpha = ALPHA, .comparisons = m->comparisons};
	struct estimate e;
	double drift = 0;

	for (unsigned i = 0; i < m->blocks; i++, values += 2 * m->samples) {
		drift += gsl_ran_gaussian(r, m->drift_sd);
		base[i] = draw_group(r, m, drift, values);
		arm[i] = draw_group(r, m, drift + log1p(m->effect), values + m->samples);
		pairs[i] = (struct pair){base[i], arm[i]};
	}
	if (m->unpaired)
		stats_compare_unpaired(base, m->blocks, arm, m->blocks, &opt, &e);
	else
		stats_compare(pairs, m->blocks, &opt, &e);
	return e;
}

static enum verdict judge(const struct sim_model *m, const struct estimate *e)
{
	const struct verdict_rule rule = {ALPHA, THRESHOLD, m->comparisons ? m->comparisons : 1};
	struct row row = {
		.metric = metric_find("ops_per_s"),
		.e = *e,
		.p_adj = fmin(1, e->p * rule.comparisons),
	};

	verdict_judge(&row, &rule);
	free(row.note);
	return row.verdict;
}

static void count(const struct sim_model *m, const struct estimate *e, struct sim_result *sum)
{
	enum verdict v = judge(m, e);
	double truth = 1 + m->effect;

	sum->covered += e->lo <= truth && truth <= e->hi;
	sum->below_alpha += e->p < ALPHA;
	sum->changed += verdict_is_change(v);
	sum->wrong_way += verdict_is_change(v) && (e->effect - 1) * m->effect < 0;
	sum->same += v == VERDICT_SAME;
	sum->unclear += v == VERDICT_UNCLEAR;
	sum->width += e->hi / e->lo - 1;
	sum->detectable += e->detectable;
}

void simulate(
	const struct sim_model *model, unsigned experiments, uint64_t seed, struct sim_result *out)
{
	double *values = xcalloc(2 * (size_t)model->blocks * model->samples, sizeof(*values));
	double *sums = (double *)out;
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);

	gsl_rng_set(r, seed);
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < experiments; i++) {
		struct estimate e = experiment(r, model, values);

		count(model, &e, out);
	}
	/* Every member is a double. */
	for (size_t i = 0; i < sizeof(*out) / sizeof(*sums); i++)
		sums[i] /= experiments;
	gsl_rng_free(r);
	free(values);
}
