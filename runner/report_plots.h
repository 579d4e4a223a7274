/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which figures a report has, and what is in them. Each function adds what the run has data for. */
#ifndef KAB_REPORT_PLOTS_H
#define KAB_REPORT_PLOTS_H

#include "report_data.h"

/* All of them, in the order of the report, into r->plots. */
void report_plots(struct report *r);

/* Its parts. */
void report_plot_ratio(
	struct report *r); /* every primary ratio and every control; then each other metric */
void report_plot_along(struct report *r);     /* of a series patch by patch, what moved where */
void report_plot_winners(struct report *r);   /* of more than two arms, the best where */
void report_plot_scaling(struct report *r);   /* rates over vCPUs, where the machines differ */
void report_plot_latency(struct report *r);   /* percentiles, from merged histograms */
void report_plot_counts(struct report *r);    /* each count an operation that is not 0 everywhere */
void report_plot_published(struct report *r); /* a series' published curve beside ours */

/* By enum verdict: how data files number verdicts, see plots/style.gp. */
extern const double plot_verdict_code[];
/* Pixels that @s takes at most in the figures' font. */
double plot_text_width(const char *s);
/* The settings that every figure has: corner, size. */
void plot_set_page(
	struct plot *p, const struct report *r, const char *subtitle, double width, double height);
/* The names of the matrix's arms and where they stand in the key, whose height in pixels is
 * plot_key_height(). */
double plot_key_height(const struct report *r);
void plot_set_arms(struct plot *p, const struct report *r);
/* A page of a panel for each of the @n cells @ids, called by what tells it from the others of its
 * workload; as many beside each other as their names leave room for. */
void plot_set_panels(struct plot *p, const struct report *r, const char *subtitle,
	const char *const *ids, size_t n);
/* Settings that are one array, an element for each panel. */
void plot_set_panel_numbers(struct plot *p, const char *name, const double *v, size_t n);
void plot_set_panel_texts(struct plot *p, const char *name, const char *const *v, size_t n);

#endif
