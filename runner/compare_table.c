// SPDX-License-Identifier: GPL-2.0-or-later
/* The verdict table for people. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "report_text.h"
#include "util.h"

enum column { CELL, METRIC, BASE, ARM, EFFECT, INTERVAL, P, VERDICT, COLUMNS };

struct line {
	const struct row *row; /* NULL: the heading */
	char *text[COLUMNS];
};

struct table {
	const struct comparison *c;
	bool color, verbose, utf8;
	struct line *lines;
	size_t n;
	size_t width[COLUMNS];
	struct buf out;
};

static const bool flush_right[COLUMNS] = {[BASE] = true, [ARM] = true, [EFFECT] = true, [P] = true};

static const char *const colors[VERDICTS] = {
	[VERDICT_IMPROVEMENT] = "\033[32m",
	[VERDICT_REGRESSION] = "\033[1;31m",
	[VERDICT_CHANGED] = "\033[36m",
	[VERDICT_UNCLEAR] = "\033[33m",
	[VERDICT_FAILED] = "\033[31m",
};

static bool locale_is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return strcasestr(v, "UTF-8") || strcasestr(v, "UTF8");
	}
	return false;
}

/* Reasons come from programs: nothing in them may move the cursor. */
static void disarm(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

/* Columns of a terminal that UTF-8 text takes, wide characters aside. */
static size_t columns_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* "2 %" or "0.06 1/op": within what "same" is the same. */
static char *limit_text(const struct row *r)
{
	char v[TEXT_NUMBER];

	if (r->metric.scale == SCALE_RATIO)
		return xasprintf("%.2g %%", r->limit * 100);
	return xstrdup(text_value(v, r->limit, r->metric.unit, true));
}

static char *verdict_text(const struct table *t, const struct row *r)
{
	const char *name = verdict_name(r->verdict), *control = r->layout    ? "layout: "
								: r->control ? "A/A: "
									     : "";
	size_t failed = r->base_failed + r->arm_failed;
	__free_char char *limit = NULL, *failures = NULL;

	failures = failed && r->verdict != VERDICT_FAILED
			   ? xasprintf("; %zu sample%s failed", failed, failed == 1 ? "" : "s")
			   : xstrdup("");
	if (r->verdict == VERDICT_SAME) {
		limit = limit_text(r);
		return xasprintf("%ssame (%s%s%s%s)%s", control, t->utf8 ? "\u00b1" : "+-", limit,
			r->note ? "; " : "", r->note ? r->note : "", failures);
	}
	/* A skip's note begins with the word. */
	if (r->verdict == VERDICT_SKIPPED && r->note)
		return xasprintf("%s%s%s", control, r->note, failures);
	if (r->verdict == VERDICT_SHOWN)
		return xasprintf("%s%s%s", control, r->note ? r->note : "not tested", failures);
	return xasprintf("%s%s%s%s%s%s", control, name, r->note ? " (" : "", r->note ? r->note : "",
		r->note ? ")" : "", failures);
}

static struct line *add_line(struct table *t, const struct row *r)
{
	t->lines = xrealloc_array(t->lines, t->n + 1, sizeof(*t->lines));
	t->lines[t->n] = (struct line){.row = r};
	return &t->lines[t->n++];
}

static void add_heading(struct table *t, const char *arm)
{
	struct line *l = add_line(t, NULL);
	const char *const names[COLUMNS] = {"cell", "metric", t->c->baseline, arm, "effect",
		"95 % interval", "adj. p", "verdict"};

	for (int i = 0; i < COLUMNS; i++)
		l->text[i] = xstrdup(names[i]);
	if (t->c->alpha != 0.05) {
		free(l->text[INTERVAL]);
		l->text[INTERVAL] = xasprintf("%.4g %% interval", 100 * (1 - t->c->alpha));
	}
}

static void add_row(struct table *t, const struct row *r)
{
	struct line *l = add_line(t, r);
	char text[2 * TEXT_NUMBER + 4];

	l->text[CELL] = xstrdup(r->cell);
	l->text[METRIC] = xstrdup(r->metric.name);
	l->text[BASE] = xstrdup(text_value(text, r->e.base_median, r->metric.unit, false));
	l->text[ARM] = xstrdup(text_value(text, r->e.arm_median, r->metric.unit, false));
	l->text[EFFECT] = xstrdup(text_effect(text, r, r->e.effect));
	l->text[INTERVAL] = xstrdup(isfinite(r->e.lo) ? text_interval(text, r) : "-");
	l->text[P] = xstrdup(text_p(text, r->p_adj));
	l->text[VERDICT] = verdict_text(t, r);
}

static void measure(struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		for (int k = 0; k < COLUMNS; k++) {
			size_t width;

			disarm(t->lines[i].text[k]);
			width = columns_of(t->lines[i].text[k]);
			t->width[k] = width > t->width[k] ? width : t->width[k];
		}
	}
}

/* One metric throughout needs no column. */
static bool one_metric(const struct table *t)
{
	const char *first = NULL;

	for (size_t i = 0; i < t->n; i++) {
		if (!t->lines[i].row)
			continue;
		if (first && strcmp(first, t->lines[i].row->metric.name))
			return false;
		first = t->lines[i].row->metric.name;
	}
	return true;
}

static void put_column(struct table *t, const struct line *l, int k)
{
	int pad = (int)(t->width[k] - columns_of(l->text[k]));
	const char *color = t->color && l->row && k == VERDICT ? colors[l->row->verdict] : NULL;

	if (k == VERDICT)
		buf_addf(&t->out, "%s%s%s\n", color ? color : "", l->text[k],
			color ? "\033[0m" : "");
	else if (flush_right[k])
		buf_addf(&t->out, "%*s%s  ", pad, "", l->text[k]);
	else
		buf_addf(&t->out, "%s%*s  ", l->text[k], pad, "");
}

static void put_lines(struct table *t)
{
	bool hide_metric = one_metric(t);

	measure(t);
	for (size_t i = 0; i < t->n; i++) {
		if (!t->lines[i].row && i)
			buf_addstr(&t->out, "\n");
		for (int k = 0; k < COLUMNS; k++) {
			if (k != METRIC || !hide_metric)
				put_column(t, &t->lines[i], k);
			free(t->lines[i].text[k]);
		}
	}
	free(t->lines);
	t->lines = NULL;
	t->n = 0;
}

/* Of the secondary metrics, the short table has those that changed. */
static bool is_listed(const struct table *t, const struct row *r)
{
	return r->primary || t->verbose || (!r->control && verdict_is_change(r->verdict));
}

static void add_arm(struct table *t, const char *arm)
{
	bool any = false;

	for (size_t i = 0; i < t->c->nrows; i++) {
		const struct row *r = &t->c->rows[i];

		if (r->arm != arm || !is_listed(t, r))
			continue;
		if (!any)
			add_heading(t, arm);
		any = true;
		add_row(t, r);
	}
}

/* In the order in which arms first appear; strings of rows are kept once each, so pointers tell
 * them apart. */
static void add_arms(struct table *t)
{
	const struct row *rows = t->c->rows;

	for (size_t i = 0; i < t->c->nrows; i++) {
		size_t first = 0;

		while (rows[first].arm != rows[i].arm)
			first++;
		if (first == i)
			add_arm(t, rows[i].arm);
	}
}

/* How many figures are corrected each by itself, so that all of them together err more often than one. */
static size_t other_figures(const struct comparison *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nrows; i++) {
		bool counts = !c->rows[i].primary && !c->rows[i].control && !isnan(c->rows[i].p_adj);

		for (size_t k = 0; k < i && counts; k++)
			counts = c->rows[k].primary || c->rows[k].control || isnan(c->rows[k].p_adj) ||
				 strcmp(c->rows[k].metric.name, c->rows[i].metric.name);
		n += counts;
	}
	return n;
}

static void put_counts(struct table *t)
{
	static const enum verdict order[] = {VERDICT_REGRESSION, VERDICT_IMPROVEMENT,
		VERDICT_CHANGED, VERDICT_SAME, VERDICT_UNCLEAR, VERDICT_FAILED, VERDICT_SKIPPED};
	const struct comparison *c = t->c;
	size_t count[VERDICTS] = {}, hidden = 0;
	__free_char char *left_out = comparison_left_out(c), *units = comparison_units(c->unit, c->blocks);
	const char *separator = "";

	for (size_t i = 0; i < c->nrows; i++) {
		if (c->rows[i].primary && !c->rows[i].control)
			count[c->rows[i].verdict]++;
		hidden += !is_listed(t, &c->rows[i]);
	}
	buf_addstr(&t->out, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (!count[order[i]])
			continue;
		buf_addf(&t->out, "%s%s: %zu", separator, verdict_name(order[i]), count[order[i]]);
		separator = ", ";
	}
	buf_addf(&t->out, "%s(%s over %zu comparison%s, alpha %g; same: within %.2g %%)\n",
		*separator ? " " : "", c->correction, c->primary_count,
		c->primary_count == 1 ? "" : "s", c->alpha, c->threshold * 100);
	buf_addf(&t->out,
		"%u %s; samples: %zu compared, %zu warm-up, %zu failed, %zu skipped; %zu outlier%s "
		"kept\n",
		c->blocks, units, c->ok, c->warmups, c->failed, c->skipped, c->outliers, c->outliers == 1 ? "" : "s");
	if (other_figures(c) > 1)
		buf_addf(&t->out, "%zu other figures, each corrected by itself: without any effect about %.1g of them would be called changed\n",
			other_figures(c), c->alpha * other_figures(c));
	if (hidden)
		buf_addf(&t->out, "%zu more row%s of secondary metrics: -v\n", hidden,
			hidden == 1 ? "" : "s");
	if (left_out)
		buf_addf(&t->out, "%s\n", left_out);
}

static void put_how(struct table *t)
{
	bool paired = false;

	for (size_t i = 0; i < t->c->nrows; i++)
		paired |= t->c->rows[i].e.paired;
	if (paired)
		buf_addstr(&t->out, "columns of arms are medians of all their samples; effects come from differences within blocks\n");
}

static void put_controls(struct table *t)
{
	const struct comparison *c = t->c;
	double lo, hi;

	if (!c->control_total)
		return;
	if (stats_p_floor(c->blocks, c->paired) >= c->alpha) {
		buf_addf(&t->out, "A/A control: so few blocks cannot call anything a change\n");
		return;
	}
	stats_proportion(c->control_changed, c->control_total, 0.05, &lo, &hi);
	buf_addf(&t->out,
		"A/A control: %zu of %zu called a change (95 %% interval %.0f-%.0f %%); %zu with p "
		"< %g before correction, %.1f expected\n",
		c->control_changed, c->control_total, lo * 100, hi * 100, c->control_below_alpha,
		c->alpha, c->alpha * c->control_total);
}

static void put_warnings(struct table *t)
{
	for (size_t i = 0; i < t->c->nwarnings; i++) {
		__free_char char *text = xstrdup(t->c->warnings[i]);

		disarm(text);
		buf_addf(&t->out, "%swarning:%s %s\n", t->color ? "\033[33m" : "",
			t->color ? "\033[0m" : "", text);
	}
}

char *comparison_table(const struct comparison *c, bool color, bool verbose)
{
	struct table t = {.c = c, .color = color, .verbose = verbose, .utf8 = locale_is_utf8()};

	buf_addstr(&t.out, "");
	add_arms(&t);
	put_lines(&t);
	put_counts(&t);
	put_how(&t);
	put_controls(&t);
	put_warnings(&t);
	return t.out.data;
}
