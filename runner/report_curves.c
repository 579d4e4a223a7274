// SPDX-License-Identifier: GPL-2.0-or-later
/* Figures with lines: rates over vCPUs, latency by percentile, a published curve beside ours. */
#include "report_plots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "report_text.h"

#define PAGE_WIDTH 1000

/* ---- rates over vCPUs -------------------------------------------------------------------------
 */

/* The cells differ in nothing but the number of vCPUs. */
static bool same_but_cpus(const struct report *r, const struct cell *a, const struct cell *b)
{
	return a->workload == b->workload && params_equal(&a->params, &b->params) &&
	       r->m->machines[a->machine].nodes == r->m->machines[b->machine].nodes;
}

static const struct row *primary_row(const struct report *r, const char *cell)
{
	for (size_t i = 0; i < r->c->nrows; i++) {
		const struct row *row = &r->c->rows[i];

		if (!row->control && !strcmp(row->cell, cell) && row->metric.scale == SCALE_RATIO &&
			(row->primary || row->metric.primary))
			return row;
	}
	return NULL;
}

/* A panel: the first cell of its kind that has figures, and what they are. */
struct curve {
	const struct cell *first;
	struct metric metric;
	char *title;
	double high;
};

struct curves {
	struct curve *v;
	size_t n;
	double low_x, high_x;
};

/* "localcpu/pages=16" of "localcpu/pages=16/cpus=4/nodes=2": machine parts are always the last
 * ones. */
static char *without_cpus(const char *id)
{
	struct buf b = {0};
	const char *part = id;

	while (*part) {
		size_t len = strcspn(part, "/");

		if (strncmp(part, "cpus=", 5))
			buf_addf(&b, "%s%.*s", b.len ? "/" : "", (int)len, part);
		part += len + (part[len] == '/');
	}
	return b.data ? b.data : xstrdup(id);
}

static bool has_curve(const struct report *r, const struct curves *list, const struct cell *c)
{
	for (size_t i = 0; i < list->n; i++)
		if (same_but_cpus(r, list->v[i].first, c))
			return true;
	return false;
}

static bool varies(const struct report *r, const struct cell *c)
{
	for (size_t i = 0; i < r->plan->ncells; i++) {
		const struct cell *other = &r->plan->cells[i];

		if (same_but_cpus(r, c, other) && primary_row(r, other->id) &&
			r->m->machines[other->machine].cpus != r->m->machines[c->machine].cpus)
			return true;
	}
	return false;
}

static struct curves find_curves(const struct report *r)
{
	struct curves list = {0};

	for (size_t i = 0; i < r->plan->ncells; i++) {
		const struct cell *c = &r->plan->cells[i];
		const struct row *row = primary_row(r, c->id);

		if (!row || has_curve(r, &list, c) || !varies(r, c))
			continue;
		list.v = xrealloc_array(list.v, list.n + 1, sizeof(*list.v));
		list.v[list.n++] = (struct curve){c, row->metric, without_cpus(c->id), 0};
	}
	return list;
}

static int by_cpus(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Both indexes of one arm in one panel. */
static void add_arm(struct plot *p, const struct report *r, struct curves *list,
	struct curve *curve, const struct measured_arm *arm)
{
	double(*points)[4] = xcalloc(r->plan->ncells + 1, sizeof(*points));
	struct plot rings = {0};
	size_t n = 0;

	for (size_t i = 0; i < r->plan->ncells; i++) {
		const struct cell *c = &r->plan->cells[i];
		double cpus = r->m->machines[c->machine].cpus;
		struct blocks b = {0};
		struct spread s;

		if (!same_but_cpus(r, curve->first, c) || !report_has_cell(r, c->id))
			continue;
		b = blocks_of(arm, arm, c->id, &curve->metric);
		s = spread_of_blocks(&b, true);
		for (size_t k = 0; k < b.n; k++) {
			plot_add_line(&rings, (double[]){cpus, b.v[k].arm.median}, 2, NULL);
			curve->high = fmax(curve->high, b.v[k].arm.median);
		}
		if (b.n) {
			memcpy(points[n++], (double[]){cpus, s.median, s.lo, s.hi},
				sizeof(*points));
			list->low_x = list->low_x ? fmin(list->low_x, cpus) : cpus;
			list->high_x = fmax(list->high_x, cpus);
		}
		blocks_free(&b);
	}
	qsort(points, n, sizeof(*points), by_cpus);
	for (size_t i = 0; i < n; i++)
		plot_add_line(p, points[i], 4, NULL);
	plot_next_index(p, 4);
	plot_next_index(&rings, 2);
	buf_add(&p->data, rings.data.data, rings.data.len);
	buf_free(&rings.data);
	free(points);
}

static void set_cpus(struct plot *p, const struct report *r)
{
	struct buf b = {0};

	for (size_t i = 0; i < r->m->nmachines; i++)
		buf_addf(&b, "%s%u", i ? " " : "", r->m->machines[i].cpus);
	plot_set_text(p, "cpus", b.data);
	buf_free(&b);
}

void report_plot_scaling(struct report *r)
{
	static const char subtitle[] =
		"Median of all samples, interval of the boots' medians; rings: single boots";
	struct curves list = find_curves(r);
	const char **titles = xcalloc(list.n + 1, sizeof(*titles)),
		   **units = xcalloc(list.n + 1, sizeof(*units));
	double *high = xcalloc(list.n + 1, sizeof(*high));
	struct plot *p;

	if (!list.n)
		goto out;
	p = plots_add(
		&r->plots, "scaling", "scaling", "Scaling over virtual CPUs, by arm", subtitle);
	for (size_t i = 0; i < list.n; i++) {
		for (size_t a = 0; a < r->narms; a++)
			add_arm(p, r, &list, &list.v[i], &r->arms[a]);
		titles[i] = list.v[i].title;
		units[i] = *list.v[i].metric.unit ? list.v[i].metric.unit : list.v[i].metric.title;
		high[i] = list.v[i].high > 0 ? list.v[i].high : 1;
	}
	plot_set_panels(p, r, subtitle, titles, list.n);
	plot_set_panel_texts(p, "unit", units, list.n);
	plot_set_panel_numbers(p, "high_y", high, list.n);
	plot_set_number(p, "low_x", list.low_x);
	plot_set_number(p, "high_x", list.high_x);
	set_cpus(p, r);
out:
	for (size_t i = 0; i < list.n; i++)
		free(list.v[i].title);
	free(list.v);
	free(titles);
	free(units);
	free(high);
}

/* ---- latency ----------------------------------------------------------------------------------
 */

#define LAST_NINE 5 /* 99.999 % */
#define STEPS_PER_NINE 12

/* Histograms of several samples, added up. */
struct merged {
	uint64_t bucket[HIST_BUCKETS];
	uint64_t min, max, count;
};

static void merge(struct merged *m, const struct histogram *h)
{
	if (!h->n || !h->count)
		return;
	hist_merge(m->bucket, h->bucket, h->n < HIST_BUCKETS ? h->n : HIST_BUCKETS);
	m->min = m->count ? (h->min < m->min ? h->min : m->min) : h->min;
	m->max = h->max > m->max ? h->max : m->max;
	m->count += h->count;
}

/* @block: of this block alone; -1: of all. Returns whether anything was there. */
static bool merge_samples(
	struct merged *m, const struct measured_arm *arm, const char *cell, long block)
{
	size_t n;
	const struct sample *s = store_samples(arm->run, &n);

	memset(m, 0, sizeof(*m));
	for (size_t i = 0; i < n; i++)
		if (s[i].status == SAMPLE_OK && !s[i].warmup &&
			(block < 0 || s[i].block == block) && !strcmp(s[i].arm, arm->label) &&
			!strcmp(s[i].cell, cell))
			merge(m, &s[i].latency);
	return m->count > 0;
}

/* Room of one panel, over all its arms. */
struct latency_range {
	double high_x, low_y, high_y;
};

/* @x nines: the latency in us below which a share 1 - 10^-x of all operations stays. */
static double at_nines(const struct merged *m, double x)
{
	return (double)hist_percentile(m->bucket, HIST_BUCKETS, m->min, m->max, 1 - pow(10, -x)) /
	       1000;
}

/* What one operation more or less would move is not drawn. */
static double nines_of(const struct merged *m)
{
	return fmin(LAST_NINE, log10((double)m->count));
}

static void note_latency(struct latency_range *range, double x, double y)
{
	range->high_x = fmax(range->high_x, x);
	range->high_y = fmax(range->high_y, y);
	if (y > 0)
		range->low_y = range->low_y ? fmin(range->low_y, y) : y;
}

static void add_line_of(struct plot *p, const struct merged *m, struct latency_range *range)
{
	double end = nines_of(m);

	for (int i = 0; i <= LAST_NINE * STEPS_PER_NINE; i++) {
		double x = (double)i / STEPS_PER_NINE, y = at_nines(m, x);

		if (x > end)
			break;
		plot_add_line(p, (double[]){x, y}, 2, NULL);
		note_latency(range, x, y);
	}
}

static void add_rings_of(struct plot *p, const struct merged *m, struct latency_range *range)
{
	static const double nines[] = {0.30103, 1, 2, 3, 4};

	for (size_t i = 0; i < ARRAY_SIZE(nines) && nines[i] <= nines_of(m); i++) {
		double y = at_nines(m, nines[i]);

		plot_add_line(p, (double[]){nines[i], y}, 2, NULL);
		note_latency(range, nines[i], y);
	}
}

/* No run has as many blocks. */
#define BLOCKS_MOST 100000

/* Block numbers lie below it; not as many need have a pair of boots. */
static unsigned blocks_end(const struct store *run)
{
	size_t n;
	const struct sample *s = store_samples(run, &n);
	unsigned end = 0;

	for (size_t i = 0; i < n; i++)
		/* One that a damaged line names is none. */
		if (s[i].block >= end && s[i].block < BLOCKS_MOST)
			end = s[i].block + 1;
	return end;
}

static void add_latency(struct plot *p, const char *cell, const struct measured_arm *arm, struct latency_range *range)
{
	struct merged *m = xcalloc(1, sizeof(*m));
	unsigned blocks = blocks_end(arm->run);

	if (merge_samples(m, arm, cell, -1))
		add_line_of(p, m, range);
	plot_next_index(p, 2);
	for (unsigned block = 0; block < blocks; block++)
		if (merge_samples(m, arm, cell, block))
			add_rings_of(p, m, range);
	plot_next_index(p, 2);
	free(m);
}

static bool has_latency(const struct report *r, const char *cell)
{
	struct merged *m = xcalloc(1, sizeof(*m));
	bool has = false;

	for (size_t a = 0; a < r->narms && !has && report_has_cell(r, cell); a++)
		has = merge_samples(m, &r->arms[a], cell, -1);
	free(m);
	return has;
}

void report_plot_latency(struct report *r)
{
	__free_char char *subtitle =
		xasprintf("Lines: histograms of all %ss together; rings: single %ss", r->c->boot, r->c->boot);
	const char **cells = xcalloc(r->plan->ncells + 1, sizeof(*cells));
	double *high_x = xcalloc(r->plan->ncells + 1, sizeof(double));
	double *low_y = xcalloc(r->plan->ncells + 1, sizeof(double));
	double *high_y = xcalloc(r->plan->ncells + 1, sizeof(double));
	struct plot *p;
	size_t n = 0;

	for (size_t i = 0; i < r->plan->ncells; i++)
		if (has_latency(r, r->plan->cells[i].id))
			cells[n++] = r->plan->cells[i].id;
	if (!n)
		goto out;
	p = plots_add(&r->plots, "latency", "latency",
		"Latency of an operation by percentile, by arm", subtitle);
	for (size_t i = 0; i < n; i++) {
		struct latency_range range = {0};

		for (size_t a = 0; a < r->narms; a++)
			add_latency(p, cells[i], &r->arms[a], &range);
		high_x[i] = range.high_x > 0.5 ? range.high_x : 0.5;
		low_y[i] = range.low_y > 0 ? range.low_y : 0.001;
		high_y[i] = range.high_y > low_y[i] ? range.high_y : low_y[i] * 2;
	}
	plot_set_panels(p, r, subtitle, cells, n);
	plot_set_panel_numbers(p, "high_x", high_x, n);
	plot_set_panel_numbers(p, "low_y", low_y, n);
	plot_set_panel_numbers(p, "high_y", high_y, n);
out:
	free(cells);
	free(high_x);
	free(low_y);
	free(high_y);
}

/* ---- published curves -------------------------------------------------------------------------
 */

/* The metric that a column's figures are of. */
static const char *column_metric(const struct published *t, size_t column)
{
	const char *metric = params_get(&t->columns[column].select.words, "metric");

	return metric ? metric : params_get(&t->select.words, "metric");
}

static size_t column_side(const struct report *r, const struct published *t, size_t column)
{
	const char *side = params_get(&t->columns[column].select.words, "arm");
	const struct arm *arm = side && !strcmp(side, "series") ? published_arm(t, r->m)
								: matrix_arm(r->m, r->c->baseline);

	return arm ? (size_t)(arm - r->m->arms) : 0;
}

static bool is_drawn(const struct published *t, size_t column)
{
	const char *metric = column_metric(t, column);

	return metric && !strcmp(metric, t->shape_metric);
}

static double value_at(const struct published *t, size_t row, size_t column, bool ours)
{
	const struct published_value *v = &t->rows[row].v[column];

	return ours ? v->ours : v->theirs;
}

/* One point has no shape. */
static bool has_shape(const struct published *t, size_t column, bool ours)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nrows; i++)
		n += value_at(t, i, column, ours) > 0;
	return n > 1;
}

/* Every curve that is drawn has a value in this row. */
static bool all_have(const struct published *t, size_t row)
{
	for (size_t k = 0; k < t->ncolumns; k++)
		for (int ours = 0; is_drawn(t, k) && ours < 2; ours++)
			if (has_shape(t, k, ours) && !(value_at(t, row, k, ours) > 0))
				return false;
	return true;
}

static bool any_of_ours(const struct published *t)
{
	for (size_t k = 0; k < t->ncolumns; k++)
		if (is_drawn(t, k) && has_shape(t, k, true))
			return true;
	return false;
}

/* The row whose values the curves are multiples of: the first that all of them have. -1: none, or
 * nothing of ours to draw. */
static long common_row(const struct published *t)
{
	for (size_t i = 0; any_of_ours(t) && i < t->nrows; i++)
		if (all_have(t, i))
			return (long)i;
	return -1;
}

static void add_theirs(
	struct plot *p, const struct published *t, size_t column, size_t base, double *high_y)
{
	for (size_t i = 0; has_shape(t, column, false) && i < t->nrows; i++) {
		double y = value_at(t, i, column, false) / value_at(t, base, column, false);

		if (!isfinite(y))
			continue;
		plot_add_line(p, (double[]){strtod(t->rows[i].name, NULL), y}, 2, NULL);
		*high_y = fmax(*high_y, y);
	}
	plot_next_index(p, 2);
}

static void add_ours(
	struct plot *p, const struct published *t, size_t column, size_t base, double *high_y)
{
	for (size_t i = 0; has_shape(t, column, true) && i < t->nrows; i++) {
		const struct published_value *v = &t->rows[i].v[column];
		double one = value_at(t, base, column, true);

		if (!isfinite(v->ours))
			continue;
		plot_add_line(p,
			(double[]){strtod(t->rows[i].name, NULL), v->ours / one, v->lo / one,
				v->hi / one},
			4, NULL);
		*high_y = fmax(*high_y, v->hi / one);
	}
	plot_next_index(p, 4);
}

static void set_rows(struct plot *p, const struct published *t)
{
	double low = strtod(t->rows[0].name, NULL), high = low;
	struct buf tics = {0};

	for (size_t i = 0; i < t->nrows; i++) {
		double x = strtod(t->rows[i].name, NULL);

		low = fmin(low, x);
		high = fmax(high, x);
		buf_addf(&tics, "%s%g", i ? " " : "", x);
	}
	plot_set_number(p, "low_x", low);
	plot_set_number(p, "high_x", high);
	plot_set_text(p, "tics", tics.data);
	buf_free(&tics);
}

/* @base: the row that is 1 in every curve. */
static void plot_shape(struct report *r, const struct published *t, size_t base)
{
	__free_char char *subtitle =
		xasprintf("Each curve as a multiple of its own value at %s: machines differ, "
			  "shapes may be compared",
			t->rows[base].name);
	__free_char char *stem = xasprintf("published-%s", t->series);
	__free_char char *title = xasprintf("%s: published and measured here", t->title);
	__free_char char *y =
		xasprintf("%s, multiple of that at %s", t->y_title, t->rows[base].name);
	const char **names = xcalloc(t->ncolumns + 1, sizeof(*names));
	double *sides = xcalloc(t->ncolumns + 1, sizeof(*sides)), high_y = 1;
	struct plot *p = plots_add(&r->plots, stem, "published", title, subtitle);
	size_t n = 0;

	for (size_t i = 0; i < t->ncolumns; i++) {
		if (!is_drawn(t, i))
			continue;
		add_theirs(p, t, i, base, &high_y);
		add_ours(p, t, i, base, &high_y);
		sides[n] = (double)column_side(r, t, i);
		names[n++] = t->columns[i].name;
	}
	plot_set_page(p, r, subtitle, PAGE_WIDTH, 440);
	plot_set_number(p, "columns", (double)n);
	plot_set_panel_texts(p, "name", names, n);
	plot_set_panel_numbers(p, "side", sides, n);
	plot_set_number(p, "high_y", high_y);
	plot_set_text(p, "xtitle", t->x_title);
	plot_set_text(p, "ytitle", y);
	set_rows(p, t);
	free(names);
	free(sides);
}

void report_plot_published(struct report *r)
{
	for (size_t i = 0; i < r->published.n; i++) {
		const struct published *t = &r->published.v[i];
		long base = t->shape_metric ? common_row(t) : -1;

		if (base >= 0)
			plot_shape(r, t, (size_t)base);
	}
}
