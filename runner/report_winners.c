// SPDX-License-Identifier: GPL-2.0-or-later
/* The figure that says which arm is best where, for runs of more than two. */
#include "report_plots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_text.h"

#define PAGE_WIDTH 1000
#define ROW_HEIGHT 24
#define ABOVE 92 /* these as in plots/winners.gp */
#define BELOW 30
#define COLUMN_WIDTH 150
#define FAR_AHEAD 10 /* from where a lead is told as a multiple */

/* What an arm is to the baseline: more than 1 is better, whatever the metric. */
struct standing {
	double ratio, lo, hi;
	bool changed; /* against the baseline, by its verdict; the baseline itself has nothing to show */
};

/* One line of the figure. */
struct line {
	const struct cell *first; /* of those that differ in the machine alone */
	struct metric metric;
};

struct lines {
	struct line *v;
	size_t n;
};

static bool is_judged(const struct row *row)
{
	static const char *const others[] = {"busy_ns_per_op", "latency_p50_ns"};

	if (row->control || row->metric.scale != SCALE_RATIO || row->metric.better == BETTER_NONE)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(row->metric.name, others[i]))
			return true;
	return row->primary || row->metric.primary;
}

static bool same_but_machine(const struct cell *a, const struct cell *b)
{
	return a->workload == b->workload && params_equal(&a->params, &b->params);
}

static bool has_line(const struct lines *list, const struct cell *c, const struct metric *m)
{
	for (size_t i = 0; i < list->n; i++)
		if (same_but_machine(list->v[i].first, c) && !strcmp(list->v[i].metric.name, m->name))
			return true;
	return false;
}

static struct lines find_lines(const struct report *r)
{
	struct lines list = {0};

	for (size_t i = 0; i < r->plan->ncells; i++)
		for (size_t k = 0; k < r->c->nrows; k++) {
			const struct cell *c = &r->plan->cells[i];
			const struct row *row = &r->c->rows[k];

			if (strcmp(row->cell, c->id) || !is_judged(row) || !row_tested(row) ||
				has_line(&list, c, &row->metric))
				continue;
			list.v = xrealloc_array(list.v, list.n + 1, sizeof(*list.v));
			list.v[list.n++] = (struct line){c, row->metric};
		}
	return list;
}

/* Of the arm in @row; less is better of a time, so that its ratio is turned over. */
static struct standing standing_of(const struct row *row)
{
	const struct estimate *e = &row->e;

	if (row->metric.better == BETTER_MORE)
		return (struct standing){e->effect, e->lo, e->hi, verdict_is_change(row->verdict)};
	return (struct standing){1 / e->effect, 1 / e->hi, 1 / e->lo, verdict_is_change(row->verdict)};
}

/* Fills in @s for each arm that the cell has figures of; the others stay NAN. False: of none. */
static bool collect(const struct report *r, const char *cell, const char *metric, struct standing *s)
{
	bool any = false;

	for (size_t a = 0; a < r->narms; a++) {
		s[a] = (struct standing){NAN, NAN, NAN, false};
		if (&r->arms[a] == report_baseline(r))
			s[a] = (struct standing){1, 1, 1, true};
		for (size_t i = 0; i < r->c->nrows; i++) {
			const struct row *row = &r->c->rows[i];

			if (row->control || !row_tested(row) || strcmp(row->cell, cell) ||
				strcmp(row->metric.name, metric) || !report_row_is_of(r, row, &r->arms[a]))
				continue;
			s[a] = standing_of(row);
			any = true;
		}
	}
	return any;
}

/*
 * The arm whose interval lies beyond all others, or -1. It or, if it is the baseline, each of the others has a verdict that
 * says as much.
 */
static int best_of(const struct standing *s, size_t n)
{
	for (size_t a = 0; a < n; a++) {
		bool beyond = isfinite(s[a].lo) && s[a].changed, is_base = s[a].lo >= 1 && s[a].hi <= 1;

		for (size_t i = 0; i < n && beyond; i++)
			beyond = i == a || isnan(s[i].ratio) || (s[a].lo > s[i].hi && (!is_base || s[i].changed));
		if (beyond)
			return (int)a;
	}
	return -1;
}

/* Where there is no best: the arm whose interval lies behind all others, with a verdict that says as much; or -1. */
static int last_of(const struct standing *s, size_t n)
{
	for (size_t a = 0; a < n; a++) {
		bool is_base = s[a].lo >= 1 && s[a].hi <= 1, behind = isfinite(s[a].lo) && s[a].changed && !is_base;

		for (size_t i = 0; i < n && behind; i++)
			behind = i == a || isnan(s[i].ratio) || s[a].hi < s[i].lo;
		if (behind)
			return (int)a;
	}
	return -1;
}

/* What arm @a is as a multiple of the one next to it: it is the best of them, or the last. */
static double beside_next(const struct standing *s, size_t n, int a, bool best)
{
	double next = best ? 0 : INFINITY;

	for (size_t i = 0; i < n; i++)
		if ((int)i != a)
			next = best ? fmax(next, s[i].ratio) : fmin(next, s[i].ratio);
	return s[a].ratio / next;
}

/* "patched +3.1 %", "patched 12 x": the arm, and how far it is ahead; or "patched last -40.2 %", and how far behind. */
static char *words_of(const struct report *r, const struct standing *s, int best)
{
	double lead = best < 0 ? 1 : beside_next(s, r->narms, best, true);
	int last = best < 0 ? last_of(s, r->narms) : -1;

	if (last >= 0)
		return xasprintf("%s last %.1f %%", r->arms[last].shown,
			100 * (beside_next(s, r->narms, last, false) - 1));
	if (best < 0)
		return xstrdup("-");
	if (lead >= FAR_AHEAD)
		return xasprintf("%s %.0f x", r->arms[best].shown, lead);
	return xasprintf("%s +%.1f %%", r->arms[best].shown, 100 * (lead - 1));
}

static const struct cell *cell_on(const struct report *r, const struct line *l, size_t machine)
{
	for (size_t i = 0; i < r->plan->ncells; i++)
		if (r->plan->cells[i].machine == machine &&
			same_but_machine(&r->plan->cells[i], l->first))
			return &r->plan->cells[i];
	return NULL;
}

static void add_field(
	struct plot *p, const struct report *r, size_t row, const struct line *l, size_t machine)
{
	const struct cell *cell = cell_on(r, l, machine);
	struct standing *s = xcalloc(r->narms, sizeof(*s));

	if (cell && collect(r, cell->id, l->metric.name, s)) {
		int best = best_of(s, r->narms);
		__free_char char *words = words_of(r, s, best);

		plot_add_line(p, (double[]){(double)machine, (double)row, best}, 3, words);
	}
	free(s);
}

/* "switch/mode=exit" of "switch/mode=exit/cpus=4/nodes=2". */
static char *without_machine(const char *id)
{
	const char *end = strstr(id, "/cpus="), *nodes = strstr(id, "/nodes=");

	if (!end || (nodes && nodes < end))
		end = nodes;
	return end ? xasprintf("%.*s", (int)(end - id), id) : xstrdup(id);
}

static double add_names(struct plot *p, const struct report *r, const struct lines *list)
{
	double widest = 100;

	for (size_t i = 0; i < list->n; i++) {
		__free_char char *cell = without_machine(list->v[i].first->id);
		__free_char char *name = xasprintf("%s  %s", cell, list->v[i].metric.name);

		plot_add_line(p, (double[]){(double)i}, 1, name);
		widest = fmax(widest, plot_text_width(name));
	}
	plot_next_index(p, 2);
	for (size_t i = 0; i < r->m->nmachines; i++) {
		const struct machine *m = &r->m->machines[i];
		__free_char char *name = xasprintf("%u vCPU%s, %u node%s", m->cpus, m->cpus == 1 ? "" : "s",
			m->nodes, m->nodes == 1 ? "" : "s");

		plot_add_line(p, (double[]){(double)i}, 1, name);
	}
	plot_next_index(p, 2);
	return widest;
}

void report_plot_winners(struct report *r)
{
	struct lines list = {0};
	__free_char char *subtitle = NULL;
	struct plot *p;
	double left;

	if (r->narms < 3 || r->controls_only)
		return;
	list = find_lines(r);
	if (list.n) {
		subtitle = xasprintf("The arm whose %g %% interval lies beyond all others', and its lead over "
				     "the next; last: behind all others'; -: there is neither",
			100 * (1 - r->c->alpha));
		p = plots_add(&r->plots, "winners", "winners", "Which arm is best where", subtitle);
		for (size_t i = 0; i < list.n; i++)
			for (size_t k = 0; k < r->m->nmachines; k++)
				add_field(p, r, i, &list.v[i], k);
		plot_next_index(p, 4);
		left = add_names(p, r, &list) + 30;
		plot_set_page(p, r, subtitle,
			fmax(PAGE_WIDTH, left + COLUMN_WIDTH * (double)r->m->nmachines + 16),
			ABOVE + plot_key_height(r) + BELOW + ROW_HEIGHT * (double)list.n);
		plot_set_arms(p, r);
		plot_set_number(p, "left", left);
		plot_set_number(p, "rows", (double)list.n);
		plot_set_number(p, "machines", (double)r->m->nmachines);
	}
	free(list.v);
}
