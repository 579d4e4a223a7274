// SPDX-License-Identifier: GPL-2.0-or-later
/* A page of small figures, a panel for each cell: how they are called, and how many are beside each
 * other. */
#include "report_plots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_text.h"

#define PAGE_WIDTH 1000
#define PAGE_MARGINS 16 /* these as in plots/panels.gp and plots/place.gp */
#define PANEL_LEFT 76
#define PANEL_RIGHT 6
#define PANEL_HEIGHT 250
#define PANELS_ABOVE 72
#define PANELS_BELOW 30

void plot_set_panel_numbers(struct plot *p, const char *name, const double *v, size_t n)
{
	buf_addf(&p->settings, "array %s[%zu] = [", name, n);
	for (size_t i = 0; i < n; i++)
		buf_addf(&p->settings, "%s%.10g", i ? ", " : "", v[i]);
	buf_addstr(&p->settings, "]\n");
}

void plot_set_panel_texts(struct plot *p, const char *name, const char *const *v, size_t n)
{
	buf_addf(&p->settings, "array %s[%zu] = [", name, n);
	for (size_t i = 0; i < n; i++) {
		buf_addstr(&p->settings, i ? ", " : "");
		text_add_gnuplot(&p->settings, v[i]);
	}
	buf_addstr(&p->settings, "]\n");
}

/* A part of a cell's id, up to the next slash. */
struct part {
	const char *at;
	size_t len;
};

static struct part part_at(const char *at)
{
	return (struct part){at, strcspn(at, "/")};
}

static struct part next_part(struct part p)
{
	return part_at(p.at[p.len] ? p.at + p.len + 1 : p.at + p.len);
}

static bool same_part(struct part a, struct part b)
{
	return a.len == b.len && !strncmp(a.at, b.at, a.len);
}

static bool has_part(const char *id, struct part wanted)
{
	for (struct part p = part_at(id); p.len; p = next_part(p))
		if (same_part(p, wanted))
			return true;
	return false;
}

/* Whether all of the ids of the workload of @id have @p, and there is another one than @id. */
static bool tells_nothing(struct part p, const char *id, const char *const *ids, size_t n)
{
	size_t others = 0;

	for (size_t i = 0; i < n; i++) {
		if (ids[i] == id || !same_part(part_at(ids[i]), part_at(id)))
			continue;
		if (!has_part(ids[i], p))
			return false;
		others++;
	}
	return others > 0;
}

/* "fault/faulters=4" of "fault/duration=1s/faulters=4" where all panels of fault are of one second.
 * Caller frees. */
static char *panel_title(const char *id, const char *const *ids, size_t n)
{
	struct part workload = part_at(id);
	struct buf b = {0};

	buf_add(&b, workload.at, workload.len);
	for (struct part p = next_part(workload); p.len; p = next_part(p))
		if (!tells_nothing(p, id, ids, n))
			buf_addf(&b, "/%.*s", (int)p.len, p.at);
	return b.data;
}

/* As many as leave room for the widest title. */
static size_t columns_for(char *const *titles, size_t n)
{
	size_t columns = n > 6 ? 3 : n > 1 ? 2 : 1;
	double widest = 0;

	for (size_t i = 0; i < n; i++)
		widest = fmax(widest, plot_text_width(titles[i]));
	while (columns > 1 &&
		widest > (double)(PAGE_WIDTH - PAGE_MARGINS) / columns - PANEL_LEFT - PANEL_RIGHT)
		columns--;
	return columns;
}

void plot_set_panels(struct plot *p, const struct report *r, const char *subtitle,
	const char *const *ids, size_t n)
{
	char **titles = xcalloc(n + 1, sizeof(*titles));
	size_t columns;

	for (size_t i = 0; i < n; i++)
		titles[i] = panel_title(ids[i], ids, n);
	columns = columns_for(titles, n);
	plot_set_page(p, r, subtitle, PAGE_WIDTH,
		PANELS_ABOVE + plot_key_height(r) + PANELS_BELOW +
			PANEL_HEIGHT * (double)((n + columns - 1) / columns));
	plot_set_arms(p, r);
	plot_set_number(p, "columns", (double)columns);
	plot_set_number(p, "panels", (double)n);
	plot_set_panel_texts(p, "panel", (const char *const *)titles, n);
	for (size_t i = 0; i < n; i++)
		free(titles[i]);
	free(titles);
}
