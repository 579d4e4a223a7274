// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each arm is compared with the one before it. That gives as many comparisons as cells times
 * patches, and these are what is corrected for: not those, also made on the way, of arms that are
 * not neighbours.
 */
#include "along.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_text.h"
#include "verdict.h"

#define NAME_WIDTH 30
#define BAR 8		/* columns to either side of no effect */
#define BAR_COLUMN 0.05 /* the effect that one of them stands for */

/* ---- the arms ---- */

static const json_t *patches_of(const struct store *run, const char *arm)
{
	return json_object_get(json_object_get(store_arm(run, arm), "meta"), "patches");
}

/* @longer begins with all patches of @shorter, and has more. */
static bool extends(const json_t *shorter, const json_t *longer)
{
	size_t n = json_array_size(shorter);

	if (json_array_size(longer) <= n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!json_equal(json_object_get(json_array_get(shorter, i), "sha256"),
			    json_object_get(json_array_get(longer, i), "sha256")))
			return false;
	return true;
}

static int by_patches(const void *a, const void *b, void *run)
{
	const struct along_step *x = a, *y = b;
	size_t n = json_array_size(patches_of(run, x->arm)),
	       m = json_array_size(patches_of(run, y->arm));

	return (n > m) - (n < m);
}

static const char *last_patch(const json_t *patches)
{
	const json_t *last = json_array_get(patches, json_array_size(patches) - 1);
	const char *name = json_string_value(json_object_get(last, "name"));

	return name ? name : "?";
}

static void find_steps(struct along *a, const struct store *run)
{
	const struct matrix *m = store_matrix(run);
	const json_t *before = patches_of(run, m->baseline);

	a->steps = xcalloc(m->narms, sizeof(*a->steps));
	for (size_t i = 0; i < m->narms; i++)
		if (m->arms[i].role == ARM_COMPARED && strcmp(m->arms[i].label, m->baseline))
			a->steps[a->nsteps++].arm = m->arms[i].label;
	qsort_r(a->steps, a->nsteps, sizeof(*a->steps), by_patches, (void *)run);
	for (size_t i = 0; i < a->nsteps; i++) {
		const json_t *patches = patches_of(run, a->steps[i].arm);

		if (!extends(before, patches)) {
			a->nsteps = 0;
			return;
		}
		a->steps[i].patch = last_patch(patches);
		before = patches;
	}
}

/* ---- the figures ---- */

static const struct row *find_row(
	const struct comparison *c, const char *arm, const struct row *like)
{
	for (size_t i = 0; i < c->nrows; i++) {
		const struct row *r = &c->rows[i];

		if (!r->control && row_tested(r) && !strcmp(r->arm, arm) &&
			!strcmp(r->cell, like->cell) && !strcmp(r->metric.name, like->metric.name))
			return r;
	}
	return NULL;
}

static void add_figure(struct along *a, const struct row *like)
{
	struct along_figure *f;

	a->figures = xrealloc_array(a->figures, a->nfigures + 1, sizeof(*a->figures));
	f = &a->figures[a->nfigures++];
	f->whole = xcalloc(a->nsteps, sizeof(*f->whole));
	f->moved = xcalloc(a->nsteps, sizeof(*f->moved));
	f->measured = xcalloc(a->nsteps, sizeof(*f->measured));
	for (size_t i = 0; i < a->nsteps; i++) {
		const struct row *r = find_row(a->comparisons[i], a->steps[i].arm, like);

		f->whole[i] = find_row(a->comparisons[0], a->steps[i].arm, like);
		f->measured[i] = r;
		if (!r)
			continue;
		f->moved[i] = *r;
		f->moved[i].note = NULL;
	}
}

/* Each cell and primary metric that some arm was tested in, once, in the order of the rows. */
static void find_figures(struct along *a)
{
	const struct comparison *c = a->comparisons[0];

	for (size_t i = 0; i < c->nrows; i++) {
		const struct row *r = &c->rows[i];
		bool seen = !r->primary || r->control || !row_tested(r);

		for (size_t k = 0; k < i && !seen; k++)
			seen = c->rows[k].primary && !c->rows[k].control &&
			       row_tested(&c->rows[k]) && !strcmp(c->rows[k].cell, r->cell) &&
			       !strcmp(c->rows[k].metric.name, r->metric.name);
		if (!seen)
			add_figure(a, r);
	}
}

/* Verdicts of the steps as one family. */
static void judge_steps(struct along *a)
{
	const struct comparison *c = a->comparisons[0];
	struct verdict_rule rule = {.alpha = c->alpha, .threshold = c->threshold};
	double *p = xcalloc(a->nfigures * a->nsteps, sizeof(*p));

	for (size_t i = 0; i < a->nfigures * a->nsteps; i++) {
		const struct along_figure *f = &a->figures[i / a->nsteps];

		p[i] = f->measured[i % a->nsteps] ? f->moved[i % a->nsteps].e.p : NAN;
		rule.comparisons += !isnan(p[i]);
	}
	stats_holm(p, a->nfigures * a->nsteps);
	for (size_t i = 0; i < a->nfigures * a->nsteps; i++) {
		struct row *r = &a->figures[i / a->nsteps].moved[i % a->nsteps];

		if (isnan(p[i]))
			continue;
		r->p_adj = p[i];
		verdict_judge(r, &rule);
	}
	free(p);
}

int along_make(const struct store *run, struct along *a, struct error *err)
{
	*a = (struct along){};
	find_steps(a, run);
	a->comparisons = xcalloc(a->nsteps + 1, sizeof(*a->comparisons));
	for (size_t i = 0; i < a->nsteps; i++) {
		const struct compare_options opt = {
			.baseline = i ? a->steps[i - 1].arm : NULL, .primary = true};

		a->comparisons[i] = compare_runs(run, NULL, &opt, err);
		if (!a->comparisons[i])
			return -1;
	}
	if (a->nsteps) {
		find_figures(a);
		judge_steps(a);
	}
	return 0;
}

void along_clear(struct along *a)
{
	for (size_t i = 0; i < a->nfigures; i++) {
		for (size_t k = 0; k < a->nsteps; k++)
			free(a->figures[i].moved[k].note);
		free(a->figures[i].whole);
		free(a->figures[i].moved);
		free(a->figures[i].measured);
	}
	for (size_t i = 0; a->comparisons && i < a->nsteps; i++)
		comparison_free(a->comparisons[i]);
	free(a->comparisons);
	free(a->figures);
	free(a->steps);
	*a = (struct along){};
}

bool along_is_guilty(const struct along *a, size_t step)
{
	for (size_t i = 0; i < a->nfigures; i++)
		if (a->figures[i].measured[step] &&
			a->figures[i].moved[step].verdict == VERDICT_REGRESSION)
			return true;
	return false;
}

/* ---- in words ---- */

static void add_bar(struct buf *b, const struct row *r)
{
	double columns = r->metric.scale == SCALE_RATIO ? (r->e.effect - 1) / BAR_COLUMN : 0;
	int n = (int)round(fmax(-BAR, fmin(BAR, columns)));
	char bar[2 * BAR + 2];

	memset(bar, ' ', sizeof(bar) - 1);
	bar[BAR] = '|';
	memset(bar + (n < 0 ? BAR + n : BAR + 1), '#', abs(n));
	bar[BAR + 1 + (n > 0 ? n : 0)] = '\0';
	buf_addstr(b, bar);
}

static void add_step(struct buf *b, const struct along *a, const struct along_figure *f, size_t i)
{
	const struct row *whole = f->whole[i], *moved = &f->moved[i];
	char effect[TEXT_NUMBER], interval[2 * TEXT_NUMBER + 4];
	struct buf name = {};

	text_add_ascii(&name, a->steps[i].patch);
	buf_addf(b, "  %2zu %-*.*s", i + 1, NAME_WIDTH, NAME_WIDTH, name.data);
	buf_free(&name);
	if (!whole || !f->measured[i]) {
		buf_addstr(b, "  not measured\n");
		return;
	}
	buf_addf(b, " %9s ", text_effect(effect, whole, whole->e.effect));
	add_bar(b, whole);
	if (verdict_is_change(moved->verdict))
		buf_addf(b, "\n%*s^ %s by this patch: %s %s", NAME_WIDTH - 20, "",
			verdict_name(moved->verdict), text_effect(effect, moved, moved->e.effect),
			text_interval(interval, moved));
	buf_addstr(b, "\n");
}

const struct row *along_row(const struct along *a, const struct along_figure *f)
{
	for (size_t i = 0; i < a->nsteps; i++)
		if (f->whole[i])
			return f->whole[i];
	return NULL;
}

static void add_guilty(struct buf *b, const struct along *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->nsteps; i++) {
		if (!along_is_guilty(a, i))
			continue;
		buf_addf(b, "%s  %2zu ", n++ ? "" : "Made worse by\n", i + 1);
		text_add_ascii(b, a->steps[i].patch);
		buf_addstr(b, "\n");
	}
	if (!n)
		buf_addstr(b, "No single patch was seen to make anything worse.\n");
}

void along_text(const struct along *a, struct buf *b)
{
	if (!a->nsteps)
		return;
	buf_addf(b, "Patch by patch, against %s; a # is %g %%, %d are %g %% or more\n",
		a->comparisons[0]->baseline, BAR_COLUMN * 100, BAR, BAR * BAR_COLUMN * 100);
	for (size_t i = 0; i < a->nfigures; i++) {
		const struct row *r = along_row(a, &a->figures[i]);

		if (!r)
			continue;
		buf_addstr(b, "\n");
		text_add_ascii(b, r->cell);
		buf_addf(b, ": %s%s\n", r->metric.title,
			r->metric.better == BETTER_MORE	  ? ", more is better"
			: r->metric.better == BETTER_LESS ? ", less is better"
							  : "");
		for (size_t k = 0; k < a->nsteps; k++)
			add_step(b, a, &a->figures[i], k);
	}
	buf_addstr(b, "\n");
	add_guilty(b, a);
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *step_json(const struct along *a, const struct along_figure *f, size_t i)
{
	const struct row *whole = f->whole[i], *moved = &f->moved[i];
	json_t *o = json_pack("{s:I, s:s, s:s}", "number", (json_int_t)i + 1, "patch",
		a->steps[i].patch, "arm", a->steps[i].arm);

	if (whole)
		json_object_set_new(o, "effect", number(whole->e.effect));
	if (f->measured[i]) {
		json_object_set_new(o, "moved",
			json_pack("[o, o, o]", number(moved->e.effect), number(moved->e.lo),
				number(moved->e.hi)));
		json_object_set_new(o, "verdict", json_string(verdict_name(moved->verdict)));
	}
	return o;
}

json_t *along_to_json(const struct along *a)
{
	json_t *guilty = json_array(), *figures = json_array();

	for (size_t i = 0; i < a->nsteps; i++)
		if (along_is_guilty(a, i))
			json_array_append_new(guilty, json_string(a->steps[i].patch));
	for (size_t i = 0; i < a->nfigures; i++) {
		const struct row *r = along_row(a, &a->figures[i]);
		json_t *steps = json_array();

		for (size_t k = 0; k < a->nsteps; k++)
			json_array_append_new(steps, step_json(a, &a->figures[i], k));
		json_array_append_new(
			figures, json_pack("{s:s, s:s, s:o}", "cell", r ? r->cell : "", "metric",
					 r ? r->metric.name : "", "patches", steps));
	}
	return json_pack("{s:o, s:o}", "guilty", guilty, "figures", figures);
}
