/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One figure: data and texts for a gnuplot script of plots/, and its drawing as SVG and PNG. */
#ifndef KAB_PLOT_H
#define KAB_PLOT_H

#include "error.h"
#include "util.h"

struct plot {
	char *stem;	    /* its files are <stem>.gp, .dat, .svg and .png; made of [a-z0-9_-] */
	const char *script; /* "ratio": plots/ratio.gp */
	char *title, *caption;
	struct buf settings, data;
	bool folded; /* of less interest: the report shows it on request */
};

struct plots {
	struct plot *v;
	size_t n;
};

/* A new plot of @list; its address holds until the next call. Texts are copied. @stem is made safe
 * and unique. */
struct plot *plots_add(struct plots *list, const char *stem, const char *script, const char *title,
	const char *caption);
void plots_clear(struct plots *list);

/* Assignments for the script, in its settings file. */
void plot_set_text(struct plot *p, const char *name, const char *value);
void plot_set_number(struct plot *p, const char *name, double value);
/* The next index of the data file begins. Empty ones hold one line of @columns missing values, so
 * that they count. */
void plot_next_index(struct plot *p, unsigned columns);
/* One line of @n numbers; with @text (may be NULL) as one more field. NAN is a missing value. */
void plot_add_line(struct plot *p, const double *v, size_t n, const char *text);

/*
 * Writes and draws every figure into the folder @dir. KAB_ENVIRONMENT when gnuplot is missing (the
 * message names the package), too old or fails.
 */
int plots_draw(const struct plots *list, const char *dir, struct error *err);

/*
 * gnuplot's SVG -> one that can stand in a page beside others and follows the reader's light or
 * dark: ids start with
 * @stem, @title says what it shows, empty groups are gone. Caller frees.
 */
char *plot_svg_refine(const char *svg, const char *stem, const char *title);

#endif
