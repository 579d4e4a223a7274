// SPDX-License-Identifier: GPL-2.0-or-later
#include "doubts.h"

#include "drift.h"
#include "util.h"

static void warn_of_floor(struct comparison *c)
{
	__free_char char *units = comparison_units(c->unit, c->blocks);
	unsigned enough = c->blocks;

	if (!c->primary_count || c->p_floor < c->alpha)
		return;
	while (stats_p_floor(enough, c->paired) * c->primary_count >= c->alpha)
		enough++;
	if (enough == c->blocks) {
		comparison_warn(c,
			"%u blocks cannot decide at this look: with %zu comparisons the smallest adjusted p is %.2g, and "
			"no change can be called one; a later look can.",
			c->blocks, c->primary_count, c->p_floor);
		return;
	}
	comparison_warn(c,
		"%u %s cannot decide: with %zu comparison%s the smallest adjusted p is %.2g, and "
		"no change can be called one; %u can.",
		c->blocks, units, c->primary_count, c->primary_count == 1 ? "" : "s", c->p_floor, enough);
}

#define FAILURES_NAMED 5

static void warn_of_failures(struct comparison *c, const struct tallies *t)
{
	unsigned named = 0, more = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct tally *f = &t->v[i];

		if (!f->failed)
			continue;
		if (named++ >= FAILURES_NAMED)
			more++;
		else
			comparison_warn(c, "%s, %s: %zu of %zu samples failed; sample %s, %s: %s.",
				f->cell, f->arm, f->failed,
				f->failed + f->nok + f->warmups + f->skipped, f->failure->id,
				sample_status_name(f->failure->status),
				f->failure->reason ? f->failure->reason : "no reason given");
	}
	if (more)
		comparison_warn(c, "%u more cells have failed samples.", more);
}

/* A share that normal samples stay far below: 0.7 %, a few percent where they are few. */
#define MANY_OUTLIERS 0.1

static void warn_of_outliers(struct comparison *c)
{
	if (c->ok && c->outliers > MANY_OUTLIERS * c->ok)
		comparison_warn(c,
			"%zu of %zu samples are outliers (beyond 1.5 interquartile ranges of their "
			"arm); they are kept.",
			c->outliers, c->ok);
}

static const struct row *first_of_cell(const struct comparison *c, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (c->rows[j].cell == c->rows[i].cell)
			return NULL;
	return &c->rows[i];
}

static void warn_of_drift(struct comparison *c, const struct tallies *t)
{
	size_t cells = 0;

	for (size_t i = 0; i < c->nrows && c->rows[i].primary; i++)
		cells += first_of_cell(c, i) != NULL;
	for (size_t i = 0; i < c->nrows && c->rows[i].primary; i++) {
		const struct row *r = first_of_cell(c, i);
		double rho;

		if (r && drift_in_boots(t, r->cell, r->metric.name, &rho) < c->alpha / cells)
			comparison_warn(c,
				"%s never settled: inside a %s %s %s from sample to sample (mean "
				"rank correlation %+.2f); more warm-up may help.",
				r->cell, c->boot, r->metric.name, rho > 0 ? "rises" : "falls", rho);
	}
}

static bool has_primary_rows(const struct comparison *c)
{
	return c->nrows && c->rows[0].primary;
}

static void warn_of_controls(struct comparison *c)
{
	for (size_t i = 0; i < c->nrows; i++) {
		const struct row *r = &c->rows[i];

		if (r->control && !r->layout && r->primary && verdict_is_change(r->verdict))
			comparison_warn(c,
				"A/A control %s, %s was called %s: the harness sees a difference "
				"where there is none; distrust changes of this size.",
				r->cell, r->arm, verdict_name(r->verdict));
	}
	if (has_primary_rows(c) && !c->control_total)
		comparison_warn(c, "No A/A control of %s in this run: how often it calls a difference "
				   "where there is none was not measured (kab run --aa does).", c->baseline);
}

void doubts_warn(struct comparison *c, const struct tallies *run, const struct tallies *other)
{
	warn_of_floor(c);
	warn_of_failures(c, run);
	if (other)
		warn_of_failures(c, other);
	warn_of_drift(c, run);
	if (other)
		warn_of_drift(c, other);
	warn_of_outliers(c);
	warn_of_controls(c);
}
