/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The figures that a series was posted with, kernel-patch/series/<name>/published.tsv, beside ours.
 *
 * Lines of tab-separated fields; '#' starts a comment. The first field says what a line is:
 *
 *   title    text
 *   source   where it was published
 *   machine  what it was measured on
 *   note     what to know when comparing; may repeat
 *   decimals how many there are in the values of the table, in theirs and in ours
 *   variant  name, selector: the table stands there once for each variant, under its selector
 *   shape    x title, y title, metric: draw the columns of this metric over the rows (whose
 *            names are numbers), each as a multiple of its value in the first row that all curves
 *            have; no figure where ours has but one point
 *   select   selector that holds for the whole table
 *   column   name, selector
 *   row      name, selector, then one published value for each column ("-": none)
 *
 * A table without one published value says what was argued; ours alone is printed then.
 *
 * A selector is a list of words: arm=baseline, arm=series (the first arm that carries the series
 * whole and overrides no parameter) or arm=LABEL, or several with '|' between, of which the first that
 * the run has is meant; metric=NAME, scale=FACTOR (from the metric's unit to the
 * table's), workload=NAME, cpus=N, nodes=N, workers=N (as counted in the samples), and any
 * parameter of the workload by its name. A field of ours is what the selectors of table, row and
 * column together pick.
 */
#ifndef KAB_PUBLISHED_H
#define KAB_PUBLISHED_H

#include "error.h"
#include "plan.h"
#include "store.h"

struct selector {
	struct params words;
};

struct published_column {
	char *name;
	struct selector select;
};

/* One field: what was published, and what this run has. */
struct published_value {
	double theirs;	     /* NAN: nothing published */
	double ours, lo, hi; /* as of spread_of_blocks(), in the table's unit; NAN: not measured */
	const char *cell;    /* where ours comes from, borrowed from the plan; NULL */
	struct metric metric;
	char *metric_name; /* the metric's name where the table gave it; the words are gone by then
			    */
	size_t candidates; /* cells that the selectors pick; the first is taken */
};

struct published_row {
	char *name;
	struct selector select;
	struct published_value *v; /* one for each column */
};

struct published {
	char *series, *title, *source, *machine;
	char **notes;
	size_t nnotes;
	char *x_title, *y_title, *shape_metric; /* NULL: no shape */
	int decimals;				/* -1: as each value needs */
	struct selector select;
	struct published_column *variants; /* none: the table stands there once */
	size_t nvariants;
	struct published_column *columns;
	size_t ncolumns;
	struct published_row *rows;
	size_t nrows;
	size_t measured; /* fields that have ours */
};

struct published_list {
	struct published *v;
	size_t n;
};

/* Parses @text; @path is the name used in errors (KAB_USAGE, "path:line: what"). */
int published_parse(const char *path, const char *text, struct published *p, struct error *err);
void published_clear(struct published *p);
/* Fills in ours from @run. @plan: of the run's matrix. */
void published_fill(struct published *p, const struct store *run, const struct plan *plan);
/* The tables of every series that an arm of @run carries, filled in; a series without one adds
 * nothing. */
int published_collect(const struct store *run, const struct plan *plan, struct published_list *list,
	struct error *err);
void published_list_clear(struct published_list *list);
/* Whether anything was published in figures. */
bool published_has_figures(const struct published *p);
/* The arm that "arm=series" means, or NULL. */
const struct arm *published_arm(const struct published *p, const struct matrix *m);

#endif
