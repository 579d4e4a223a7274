// SPDX-License-Identifier: GPL-2.0-or-later
/* The figure of a series patch by patch: where along it did what move? */
#include "report_plots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_text.h"

#define PAGE_WIDTH 1000
#define PANEL_HEIGHT 250 /* these as in plots/along.gp */
#define ABOVE 76
#define NAME_LINE 18
#define BELOW 24
#define NAME_ROOM 470 /* pixels for a patch's name, of which two stand in a line */

/* 0: for all that is certain, the patch moved nothing. */
static double code_of(const struct along_figure *f, size_t step)
{
	enum verdict v = f->moved[step].verdict;

	return f->measured[step] && verdict_is_change(v) ? plot_verdict_code[v] : 0;
}

static bool drawable(const struct along *a, const struct along_figure *f)
{
	const struct row *row = along_row(a, f);

	return row && row->metric.scale == SCALE_RATIO;
}

static void stretch(double *low, double *high, double v)
{
	if (!isfinite(v) || v <= 0)
		return;
	*low = fmin(*low, v);
	*high = fmax(*high, v);
}

/* A panel: the baseline, and the whole effect after each patch. */
static void add_panel(struct plot *p, const struct report *r, const struct along_figure *f, size_t n)
{
	const struct along *a = &r->along;
	const struct row *row = along_row(a, f);
	double low = 1 - 1.2 * r->c->threshold, high = 1 + 1.2 * r->c->threshold;
	__free_char char *title = xasprintf("%s: %s%s", row->cell, row->metric.title,
		row->metric.better == BETTER_MORE   ? ", more is better"
		: row->metric.better == BETTER_LESS ? ", less is better"
						    : "");
	__free_char char *name = xasprintf("panel[%zu]", n);

	plot_add_line(p, (double[]){0, 1, 1, 1, 0}, 5, NULL);
	for (size_t i = 0; i < a->nsteps; i++) {
		const struct estimate *e = f->whole[i] ? &f->whole[i]->e : NULL;
		double v[] = {(double)i + 1, e ? e->effect : NAN, e ? e->lo : NAN, e ? e->hi : NAN,
			code_of(f, i)};

		plot_add_line(p, v, ARRAY_SIZE(v), NULL);
		for (size_t k = 1; k < 4; k++)
			stretch(&low, &high, v[k]);
	}
	plot_next_index(p, 5);
	plot_set_text(p, name, title);
	buf_addf(&p->settings, "low_y[%zu] = %.10g\nhigh_y[%zu] = %.10g\n", n, low, n, high);
}

/* "3 0003-mm-take-the-lock.patch", cut to what has room. */
static char *step_name(const struct along *a, size_t step)
{
	char *name = xasprintf("%zu  %s", step + 1, a->steps[step].patch);
	size_t len = strlen(name);

	while (len > 8 && plot_text_width(name) > NAME_ROOM) {
		while (len > 8 && ((unsigned char)name[len - 1] & 0xc0) == 0x80)
			len--;
		name[--len] = '\0';
	}
	return name;
}

/* The worst that a patch did: 2 once it made something worse. */
static double guilt_of(const struct along *a, size_t step)
{
	double worst = 0;

	for (size_t i = 0; i < a->nfigures && worst != 2; i++) {
		double code = code_of(&a->figures[i], step);

		worst = code == 2 || !worst ? code : worst;
	}
	return worst;
}

static void set_names(struct plot *p, const struct along *a)
{
	buf_addf(&p->settings, "array patch[%zu]\narray guilt[%zu]\n", a->nsteps, a->nsteps);
	for (size_t i = 0; i < a->nsteps; i++) {
		__free_char char *name = step_name(a, i);
		__free_char char *at = xasprintf("patch[%zu]", i + 1);

		plot_set_text(p, at, name);
		buf_addf(&p->settings, "guilt[%zu] = %g\n", i + 1, guilt_of(a, i));
	}
}

void report_plot_along(struct report *r)
{
	const struct along *a = &r->along;
	__free_char char *subtitle = NULL;
	size_t panels = 0, columns, lines = (a->nsteps + 1) / 2;
	struct plot *p;

	for (size_t i = 0; i < a->nfigures; i++)
		panels += drawable(a, &a->figures[i]);
	if (!a->nsteps || !panels)
		return;
	subtitle = xasprintf("Effect of the patches so far and its %g %% interval; a number: that patch moved "
			     "it; band: within %g %% is \"same\"",
		100 * (1 - r->c->alpha), r->c->threshold * 100);
	p = plots_add(&r->plots, "along", "along", "Where along the series it moved", subtitle);
	buf_addf(&p->settings, "array panel[%zu]\narray low_y[%zu]\narray high_y[%zu]\n", panels, panels,
		panels);
	for (size_t i = 0, n = 0; i < a->nfigures; i++)
		if (drawable(a, &a->figures[i]))
			add_panel(p, r, &a->figures[i], ++n);
	columns = panels > 1 ? 2 : 1;
	plot_set_page(p, r, subtitle, PAGE_WIDTH,
		ABOVE + NAME_LINE * (double)lines + BELOW +
			PANEL_HEIGHT * (double)((panels + columns - 1) / columns));
	plot_set_number(p, "panels", (double)panels);
	plot_set_number(p, "columns", (double)columns);
	plot_set_number(p, "steps", (double)a->nsteps);
	plot_set_number(p, "lines", (double)lines);
	plot_set_number(p, "threshold", r->c->threshold);
	plot_set_text(p, "baseline", r->c->baseline);
	set_names(p, a);
}
