// SPDX-License-Identifier: GPL-2.0-or-later
/* Figures of one row a cell: effects with their intervals, and counts an operation. */
#include "report_plots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_text.h"

#define PAGE_WIDTH 1000
#define ROW_HEIGHT 24
#define ABOVE 64  /* title and subtitle; as in the scripts */
#define RIGHT 372 /* effect, interval and verdict in words */
#define BELOW 84  /* axis, its title and the corner; as in the scripts */

void report_plots(struct report *r)
{
	report_plot_ratio(r);
	report_plot_along(r);
	report_plot_winners(r);
	report_plot_scaling(r);
	report_plot_latency(r);
	report_plot_counts(r);
	report_plot_published(r);
}

double plot_text_width(const char *s)
{
	double width = 0;

	for (; *s; s++)
		if (((unsigned char)*s & 0xc0) != 0x80)
			width += strchr("mwMW%@", *s)		? 11
				 : strchr("il.,:;'|[]()/ ", *s) ? 4.8
								: 7.4;
	return width;
}

void plot_set_page(
	struct plot *p, const struct report *r, const char *subtitle, double width, double height)
{
	plot_set_text(p, "subtitle", subtitle);
	plot_set_text(p, "executor", r->corner);
	plot_set_number(p, "width", width);
	plot_set_number(p, "height", height);
}

#define KEY_LEFT 24
#define KEY_LINE 20

/* Place of each arm's name in the key, from its left end and its first line; returns the lines that
 * it takes. */
static unsigned place_key(const struct report *r, double *x, double *y)
{
	double at = KEY_LEFT;
	unsigned line = 0;

	for (size_t i = 0; i < r->narms; i++) {
		double width = plot_text_width(r->arms[i].shown) + 44;

		if (at > KEY_LEFT && at + width > PAGE_WIDTH) {
			at = KEY_LEFT;
			line++;
		}
		x[i] = at;
		y[i] = line * KEY_LINE;
		at += width;
	}
	return line + 1;
}

double plot_key_height(const struct report *r)
{
	double *xy = xcalloc(2 * r->narms, sizeof(*xy));
	double height = KEY_LINE * place_key(r, xy, xy + r->narms);

	free(xy);
	return height;
}

void plot_set_arms(struct plot *p, const struct report *r)
{
	double *xy = xcalloc(2 * r->narms, sizeof(*xy));

	place_key(r, xy, xy + r->narms);
	plot_set_number(p, "arms", (double)r->narms);
	plot_set_number(p, "key_height", plot_key_height(r));
	buf_addf(&p->settings, "array arm[%zu]\narray key_x[%zu]\narray key_y[%zu]\n", r->narms,
		r->narms, r->narms);
	for (size_t i = 0; i < r->narms; i++) {
		__free_char char *name = xasprintf("arm[%zu]", i + 1);

		plot_set_text(p, name, r->arms[i].shown);
		buf_addf(&p->settings, "key_x[%zu] = %g\nkey_y[%zu] = %g\n", i + 1, xy[i], i + 1,
			xy[r->narms + i]);
	}
	free(xy);
}

/* ---- effects ----------------------------------------------------------------------------------
 */

const double plot_verdict_code[] = {
	[VERDICT_SAME] = 0,
	[VERDICT_IMPROVEMENT] = 1,
	[VERDICT_REGRESSION] = 2,
	[VERDICT_CHANGED] = 3,
	[VERDICT_UNCLEAR] = 4,
};

/* The rows of one figure, and a heading before each run of them that has one. */
struct effect_rows {
	const struct row **v;
	size_t n, controls; /* the last @controls of @v are A/A */
	double low, high;   /* of all that is drawn */
	bool many_arms, many_metrics;
};

static bool drawable(const struct row *row)
{
	return row_tested(row) && row->metric.scale == SCALE_RATIO && row->e.effect > 0;
}

/* @metric: NULL for the primary ones. */
static bool belongs(const struct row *row, const char *metric)
{
	return metric ? !row->primary && !strcmp(row->metric.name, metric) : row->primary;
}

static void take_row(struct effect_rows *rows, const struct row *row)
{
	if (rows->n) {
		rows->many_arms |= strcmp(rows->v[0]->arm, row->arm) && !row->control;
		rows->many_metrics |= strcmp(rows->v[0]->metric.name, row->metric.name) != 0;
	}
	rows->v = xrealloc_array(rows->v, rows->n + 1, sizeof(*rows->v));
	rows->v[rows->n++] = row;
	rows->controls += row->control;
}

static struct effect_rows select_rows(const struct report *r, const char *metric)
{
	struct effect_rows rows = {.low = 1, .high = 1};

	for (int control = 0; control < 2; control++)
		for (size_t i = 0; i < r->c->nrows; i++) {
			const struct row *row = &r->c->rows[i];

			if (row->control == control && drawable(row) && belongs(row, metric))
				take_row(&rows, row);
		}
	return rows;
}

static char *row_name(const struct effect_rows *rows, const struct row *row)
{
	return xasprintf("%s%s%s%s%s", row->cell, rows->many_arms || row->control ? "  " : "",
		rows->many_arms || row->control ? row->arm : "", rows->many_metrics ? "  " : "",
		rows->many_metrics ? row->metric.name : "");
}

static void stretch(struct effect_rows *rows, double v)
{
	if (!isfinite(v) || v <= 0)
		return;
	rows->low = v < rows->low ? v : rows->low;
	rows->high = v > rows->high ? v : rows->high;
}

static double place_of(const struct effect_rows *rows, size_t i)
{
	/* The heading of the controls takes a row of its own. */
	return (double)i + (rows->controls && i >= rows->n - rows->controls);
}

static void add_estimates(struct plot *p, struct effect_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = rows->v[i];
		double v[] = {place_of(rows, i), row->e.effect, row->e.lo, row->e.hi,
			plot_verdict_code[row->verdict]};
		char effect[TEXT_NUMBER], interval[2 * TEXT_NUMBER + 4];
		__free_char char *text = NULL;

		/* One block has no interval: nothing to draw one from. */
		if (!isfinite(row->e.lo) || !isfinite(row->e.hi) || row->e.lo <= 0)
			v[2] = v[3] = v[1];
		stretch(rows, v[1]);
		stretch(rows, v[2]);
		stretch(rows, v[3]);
		plot_add_line(p, v, ARRAY_SIZE(v), text_effect(effect, row, row->e.effect));
		p->data.len--; /* two more fields follow */
		buf_addf(&p->data, "\t%s\t%s %s\n",
			isfinite(row->e.lo) ? text_interval(interval, row) : "no interval",
			text_mark_utf8(row->verdict), verdict_name(row->verdict));
	}
	plot_next_index(p, 8);
}

static void add_names(struct plot *p, const struct effect_rows *rows, double *widest)
{
	*widest = 0;
	for (size_t i = 0; i < rows->n; i++) {
		__free_char char *name = row_name(rows, rows->v[i]);
		double width = plot_text_width(name);

		plot_add_line(p, (double[]){place_of(rows, i)}, 1, name);
		*widest = width > *widest ? width : *widest;
	}
	plot_next_index(p, 2);
}

static void add_blocks(struct plot *p, const struct report *r, struct effect_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = rows->v[i];
		struct blocks b = report_row_blocks(r, row);

		for (size_t k = 0; k < b.n; k++) {
			stretch(rows, b.v[k].effect);
			if (isfinite(b.v[k].effect))
				plot_add_line(
					p, (double[]){place_of(rows, i), b.v[k].effect}, 2, NULL);
		}
		blocks_free(&b);
	}
	plot_next_index(p, 2);
}

#define WIDE_STEPS \
	"0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 10 20 50 75 90 100 200 500 1000 2000 5000 10000"

/* Percents at even distances, some three on each side of an axis of the length @span. */
static const char *linear_steps(double span)
{
	static const struct {
		double most;
		const char *steps;
	} table[] = {
		{0.005, "0.1 0.2 0.3 0.4 0.5"},
		{0.012, "0.2 0.4 0.6 0.8 1"},
		{0.03, "0.5 1 1.5 2 2.5 3"},
		{0.07, "1 2 3 4 5 6 7"},
		{0.14, "2 4 6 8 10 12 14"},
		{0.35, "5 10 15 20 25 30 35"},
		{0.8, "10 20 30 40 50 60 70 80"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (span <= table[i].most)
			return table[i].steps;
	return "25 50 75 100 150 200 300 400";
}

/* A margin around what is drawn, and never less than the band of "same". */
static void set_range(struct plot *p, const struct report *r, const struct effect_rows *rows)
{
	double t = r->c->threshold, low = rows->low, high = rows->high;
	bool wide = high > 1 + 8 * t || low < 1 - 8 * t;
	double margin = wide ? 1.12 : 1 + (high - low) * 0.06;
	__free_char char *title = xasprintf("change against %s, %%%s", r->c->baseline,
		wide ? " (logarithmic beyond the band)" : "");

	low = fmin(low / margin, 1 - 1.4 * t);
	high = fmax(high * margin, 1 + 1.4 * t);
	plot_set_number(p, "wide", wide);
	plot_set_text(p, "steps", wide ? WIDE_STEPS : linear_steps(high - low));
	plot_set_number(p, "threshold", t);
	plot_set_number(p, "low", low);
	plot_set_number(p, "high", high);
	plot_set_text(p, "xtitle", title);
}

static void set_meaning(struct plot *p, const struct effect_rows *rows)
{
	enum metric_better better = rows->many_metrics ? BETTER_NONE : rows->v[0]->metric.better;

	plot_set_text(p, "left_means",
		better == BETTER_MORE	? "\u2190 worse"
		: better == BETTER_LESS ? "\u2190 better"
					: "");
	plot_set_text(p, "right_means",
		better == BETTER_MORE	? "better \u2192"
		: better == BETTER_LESS ? "worse \u2192"
					: "");
}

/* Some cells have @metric as their primary one, and a figure of those. */
static bool also_primary(const struct report *r, const char *metric)
{
	for (size_t i = 0; i < r->c->nrows; i++)
		if (r->c->rows[i].primary && drawable(&r->c->rows[i]) &&
			!strcmp(r->c->rows[i].metric.name, metric))
			return true;
	return false;
}

static void plot_effects(struct report *r, const char *metric)
{
	struct effect_rows rows = select_rows(r, metric);
	__free_char char *subtitle = NULL, *stem = NULL, *title = NULL;
	const char *what;
	double widest, left;
	struct plot *p;

	if (!rows.n)
		return;
	what = rows.many_metrics ? "primary figures" : rows.v[0]->metric.title;
	stem = metric ? xasprintf("ratio-%s", metric) : xstrdup("ratio");
	title = xasprintf("%s: %s%s", r->title, what,
		metric && also_primary(r, metric) ? ", cells that are not primary" : "");
	subtitle = xasprintf(
		"Estimate and %g %% interval; %sband: within %g %% is \"same\"",
		100 * (1 - r->c->alpha), r->other ? "" : "rings: single blocks; ", r->c->threshold * 100);
	p = plots_add(&r->plots, stem, "ratio", title, subtitle);
	p->folded = metric != NULL;
	add_estimates(p, &rows);
	add_names(p, &rows, &widest);
	add_blocks(p, r, &rows);
	if (rows.controls)
		plot_add_line(p, (double[]){(double)(rows.n - rows.controls)}, 1,
			"Controls: the baseline against itself");
	plot_next_index(p, 2);
	left = fmax(widest, rows.controls ? 300 : 120) + 30;
	plot_set_page(p, r, subtitle, fmax(PAGE_WIDTH, left + RIGHT + 420),
		ABOVE + BELOW + ROW_HEIGHT * (place_of(&rows, rows.n - 1) + 1.2));
	plot_set_number(p, "rows", place_of(&rows, rows.n - 1) + 1);
	plot_set_number(p, "left", left);
	plot_set_number(p, "right", RIGHT);
	set_range(p, r, &rows);
	set_meaning(p, &rows);
	free(rows.v);
}

void report_plot_ratio(struct report *r)
{
	plot_effects(r, NULL);
	for (size_t i = 0; i < r->c->nrows; i++) {
		const struct row *row = &r->c->rows[i];
		bool seen = row->primary || row->control || !drawable(row);

		for (size_t k = 0; k < i && !seen; k++)
			seen = !r->c->rows[k].primary && drawable(&r->c->rows[k]) &&
			       !r->c->rows[k].control &&
			       !strcmp(r->c->rows[k].metric.name, row->metric.name);
		if (!seen)
			plot_effects(r, row->metric.name);
	}
}

/* ---- counts an operation ----------------------------------------------------------------------
 */

/* The figures of one metric: a row for each cell that has any, in it a point for each arm. */
struct count_rows {
	const char **cells;
	size_t n, zero;		  /* cells with something, and cells where every arm has 0 */
	double smallest, largest; /* of what is drawn, smallest beyond 0 */
};

static bool is_count(const struct metric *m)
{
	return m->scale != SCALE_RATIO &&
	       (!strcmp(m->unit, "1/op") || m->scale == SCALE_PATCHED_ONLY);
}

/* Some arm has more than 0 in this cell. */
static bool has_count(const struct report *r, const char *cell, const char *metric, bool *measured)
{
	bool some = false;

	*measured = false;
	for (size_t i = 0; i < r->c->nrows; i++) {
		const struct row *row = &r->c->rows[i];

		if (strcmp(row->metric.name, metric) || strcmp(row->cell, cell))
			continue;
		*measured = true;
		some |= (isfinite(row->e.base_median) && row->e.base_median != 0) ||
			(isfinite(row->e.arm_median) && row->e.arm_median != 0);
	}
	return some;
}

/* Cells in the order of the plan, which is the matrix's. */
static struct count_rows cells_with(const struct report *r, const char *metric)
{
	struct count_rows rows = {0};

	for (size_t i = 0; i < r->plan->ncells; i++) {
		const char *cell = r->plan->cells[i].id;
		bool measured;

		if (has_count(r, cell, metric, &measured)) {
			rows.cells = xrealloc_array(rows.cells, rows.n + 1, sizeof(*rows.cells));
			rows.cells[rows.n++] = cell;
		} else {
			rows.zero += measured;
		}
	}
	return rows;
}

static void note_size(struct count_rows *rows, double v)
{
	if (!isfinite(v) || v <= 0)
		return;
	rows->largest = fmax(rows->largest, v);
	rows->smallest = rows->smallest ? fmin(rows->smallest, v) : v;
}

/* Arms share a row's height; the first is on top. */
static double arm_place(const struct report *r, size_t row, size_t arm)
{
	return (double)row +
	       ((double)arm - (double)(r->narms - 1) / 2) * 0.72 / (double)r->narms;
}

static void add_count_points(struct plot *points, struct plot *rings, const struct report *r,
	struct count_rows *rows, const struct metric *m)
{
	for (size_t i = 0; i < rows->n * r->narms; i++) {
		size_t row = i / r->narms, arm = i % r->narms;
		struct blocks b = blocks_of(&r->arms[arm], &r->arms[arm], rows->cells[row], m);
		struct spread s = spread_of_blocks(&b, true);
		double place = arm_place(r, row, arm);
		char text[TEXT_NUMBER];

		for (size_t k = 0; k < b.n; k++) {
			note_size(rows, b.v[k].arm.median);
			plot_add_line(
				rings, (double[]){place, (double)arm, b.v[k].arm.median}, 3, NULL);
		}
		if (b.n)
			plot_add_line(points, (double[]){place, (double)arm, s.median, s.lo, s.hi},
				5, text_value(text, s.median, m->unit, false));
		blocks_free(&b);
	}
}

static char *count_subtitle(const struct count_rows *rows, const char *boot)
{
	struct buf b = {};

	buf_addf(&b, "Median of all samples, interval of the %ss' medians; rings: single %ss", boot, boot);
	if (rows->zero)
		buf_addf(&b, "; not drawn: %zu cell%s where every arm has 0", rows->zero, rows->zero == 1 ? "" : "s");
	return b.data;
}

static void plot_count(
	struct report *r, const struct metric *m, const struct count_rows *cells, bool changed)
{
	struct count_rows rows = *cells;
	__free_char char *title = xasprintf("%s, by arm", m->title),
			 *stem = xasprintf("counts-%s", m->name);
	__free_char char *subtitle = count_subtitle(&rows, r->c->boot);
	struct plot rings = {0};
	double widest = 100, step = fmax(ROW_HEIGHT, 15 * (double)r->narms + 6);
	struct plot *p = plots_add(&r->plots, stem, "counts", title, subtitle);

	p->folded = !changed;
	add_count_points(p, &rings, r, &rows, m);
	plot_next_index(p, 6);
	plot_next_index(&rings, 3);
	buf_add(&p->data, rings.data.data, rings.data.len);
	for (size_t i = 0; i < rows.n; i++) {
		plot_add_line(p, (double[]){(double)i}, 1, rows.cells[i]);
		widest = fmax(widest, plot_text_width(rows.cells[i]));
	}
	plot_next_index(p, 2);
	plot_set_page(p, r, subtitle, fmax(PAGE_WIDTH, widest + 30 + 90 + 400),
		ABOVE + plot_key_height(r) + BELOW + step * (double)rows.n);
	plot_set_arms(p, r);
	plot_set_number(p, "rows", (double)rows.n);
	plot_set_number(p, "left", widest + 30);
	plot_set_number(p, "largest", rows.largest);
	/* Far apart: linear around 0, which stays on the axis, and logarithmic beyond the smallest.
	 */
	plot_set_number(p, "wide", rows.largest > 50 * rows.smallest);
	plot_set_number(p, "smallest", rows.smallest);
	plot_set_text(p, "xtitle", m->title);
	buf_free(&rings.data);
}

/* How far apart the arms are at most where @metric changed, as a logarithm; 0: nowhere. */
static double size_of_change(const struct report *r, const char *metric)
{
	double most = 0;

	for (size_t i = 0; i < r->c->nrows; i++) {
		const struct row *row = &r->c->rows[i];

		/* A count that vanishes is infinitely far from any. */
		if (!strcmp(row->metric.name, metric) && !row->control &&
			verdict_is_change(row->verdict))
			most = fmax(most, fabs(log(row->e.arm_median) - log(row->e.base_median)));
	}
	return most;
}

#define COUNTS_OPEN 3 /* figures that are seen at once; the others open on request */

/* Fewer than COUNTS_OPEN counts changed more than @metric did. */
static bool is_among_the_most_changed(const struct report *r, const char *metric)
{
	double size = size_of_change(r, metric);
	unsigned larger = 0;

	for (size_t i = 0; i < r->c->nrows; i++) {
		const struct metric *m = &r->c->rows[i].metric;
		bool seen = !is_count(m);

		for (size_t k = 0; k < i && !seen; k++)
			seen = !strcmp(r->c->rows[k].metric.name, m->name);
		larger += !seen && size_of_change(r, m->name) > size;
	}
	return size > 0 && larger < COUNTS_OPEN;
}

void report_plot_counts(struct report *r)
{
	for (size_t i = 0; i < r->c->nrows; i++) {
		const struct metric *m = &r->c->rows[i].metric;
		struct count_rows rows;
		bool seen = !is_count(m);

		for (size_t k = 0; k < i && !seen; k++)
			seen = !strcmp(r->c->rows[k].metric.name, m->name);
		if (seen)
			continue;
		rows = cells_with(r, m->name);
		if (rows.n)
			plot_count(r, m, &rows, is_among_the_most_changed(r, m->name));
		free(rows.cells);
	}
}
