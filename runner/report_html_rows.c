// SPDX-License-Identifier: GPL-2.0-or-later
/* report.html: the comparison's rows, each of which opens onto the samples that it was made of. */
#include <math.h>
#include <string.h>

#include "report_format.h"
#include "report_text.h"

static void add_cell(struct buf *b, const char *class, const char *text)
{
	buf_addf(b, "<td%s%s%s>", *class ? " class=\"" : "", class, *class ? "\"" : "");
	text_add_html(b, text);
	buf_addstr(b, "</td>");
}

static void add_readings(struct buf *b, const struct boot_values *v, const char *unit)
{
	char text[TEXT_NUMBER];

	buf_addf(b, "<td class=\"n\">%s</td><td>", text_value(text, v->median, unit, false));
	for (size_t i = 0; i < v->n; i++) {
		buf_addstr(b, i ? ", <span title=\"" : "<span title=\"");
		text_add_html(b, v->v[i].id);
		buf_addf(b, "\">%s</span>", text_value(text, v->v[i].value, unit, false));
	}
	buf_addstr(b, "</td>");
}

static void add_block(struct buf *b, const struct row *row, const struct block_values *v)
{
	char text[TEXT_NUMBER];

	buf_addf(b, "<tr><td class=\"n\">%u</td>", v->block);
	add_readings(b, &v->base, row->metric.unit);
	add_readings(b, &v->arm, row->metric.unit);
	buf_addf(b, "<td class=\"n\">%s</td></tr>\n", text_effect(text, row, v->effect));
}

static void add_estimate(struct buf *b, const struct row *row)
{
	const struct estimate *e = &row->e;
	char text[TEXT_NUMBER];

	if (!row_tested(row))
		return;
	buf_addf(b, "<p>p = %s unadjusted (floor %.2g), ", text_p(text, e->p), e->p_floor);
	buf_addf(b, "%s adjusted", text_p(text, row->p_adj));
	if (isfinite(e->boot_sd))
		buf_addf(b, "; spread of blocks %.3g%s",
			row->metric.scale == SCALE_RATIO ? e->boot_sd * 100 : e->boot_sd,
			row->metric.scale == SCALE_RATIO ? " %" : "");
	if (isfinite(e->detectable))
		buf_addf(b, "; would have seen a change of %.3g%s",
			row->metric.scale == SCALE_RATIO ? e->detectable * 100 : e->detectable,
			row->metric.scale == SCALE_RATIO ? " %" : "");
	buf_addf(b, "; %zu outlier%s kept%s", e->outliers, e->outliers == 1 ? "" : "s",
		e->constant ? "; neither side ever varied" : "");
	if (row->more_blocks)
		buf_addf(b, "; about %u more blocks would settle it", row->more_blocks);
	buf_addstr(b, ".</p>\n");
}

/* The row that opens below: samples by block. */
static void add_samples(
	struct buf *b, const struct report *r, const struct row *row, unsigned columns)
{
	struct blocks blocks = blocks_of(r->run, r->c->baseline, row->arm, row->cell, &row->metric);

	buf_addf(b, "<tr class=\"more\"><td colspan=\"%u\">\n", columns);
	add_estimate(b, row);
	if (row->note) {
		buf_addstr(b, "<p>");
		text_add_html(b, row->note);
		buf_addstr(b, "</p>\n");
	}
	buf_addstr(b, "<table><tr><th>block</th><th>");
	text_add_html(b, r->c->baseline);
	buf_addstr(b, "</th><th>its samples</th><th>");
	text_add_html(b, row->arm);
	buf_addstr(b, "</th><th>its samples</th><th>effect</th></tr>\n");
	for (size_t i = 0; i < blocks.n; i++)
		add_block(b, row, &blocks.v[i]);
	buf_addstr(b, "</table></td></tr>\n");
	blocks_free(&blocks);
}

/* One metric in all rows of a table is told once, above it. */
struct shape {
	const struct metric *only; /* NULL: rows differ */
	unsigned columns;
};

/* Times are printed with units of their own. */
static void add_figure_name(struct buf *b, const struct metric *m)
{
	text_add_html(b, m->title);
	if (!*m->unit || !strcmp(m->unit, "ns") || !strcmp(m->unit, "ns/op"))
		return;
	buf_addstr(b, ", ");
	text_add_html(b, m->unit);
}

static void add_header(struct buf *b, const struct report *r, const struct shape *shape)
{
	if (shape->only) {
		buf_addstr(b, "<p class=\"soft\">");
		add_figure_name(b, shape->only);
		buf_addf(b, "%s%s</p>\n",
			shape->only->better == BETTER_MORE ? "; more is better" : "",
			shape->only->better == BETTER_LESS ? "; less is better" : "");
	}
	buf_addf(b,
		"<div class=\"wide\"><table class=\"rows\"><tr><th>cell</th><th>arm</th>%s<th "
		"class=\"n spare\">",
		shape->only ? "" : "<th>figure</th>");
	text_add_html(b, r->c->baseline);
	buf_addstr(b,
		"</th><th class=\"n spare\">arm</th><th class=\"n\">effect</th><th>interval</th>"
		"<th class=\"n spare\">adjusted p</th><th>verdict</th></tr>\n");
}

static void add_figures(struct buf *b, const struct row *row)
{
	char text[TEXT_NUMBER], interval[2 * TEXT_NUMBER + 4];

	buf_addf(b, "<td class=\"n spare\">%s</td>",
		text_value(text, row->e.base_median, row->metric.unit, false));
	buf_addf(b, "<td class=\"n spare\">%s</td>",
		text_value(text, row->e.arm_median, row->metric.unit, false));
	if (row_tested(row)) {
		buf_addf(b, "<td class=\"n\">%s</td>", text_effect(text, row, row->e.effect));
		buf_addf(b, "<td class=\"line\">%s</td>",
			isfinite(row->e.lo) ? text_interval(interval, row) : "none");
		buf_addf(b, "<td class=\"n spare\">%s</td>", text_p(text, row->p_adj));
	} else {
		buf_addstr(b, "<td class=\"n\">-</td><td>-</td><td class=\"n spare\">-</td>");
	}
}

/* A long name may break behind its slashes. */
static void add_cell_name(struct buf *b, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, "/");
		__free_char char *part = xstrndup(name, len + (name[len] == '/'));

		text_add_html(b, part);
		name += strlen(part);
		buf_addstr(b, *name ? "<wbr>" : "");
	}
}

static void add_row(
	struct buf *b, const struct report *r, const struct row *row, const struct shape *shape)
{
	buf_addstr(b, "<tr><td><details><summary>");
	add_cell_name(b, row->cell);
	buf_addstr(b, "</summary></details></td>");
	add_cell(b, "", row->arm);
	if (!shape->only) {
		buf_addstr(b, "<td>");
		add_figure_name(b, &row->metric);
		buf_addstr(b, "</td>");
	}
	add_figures(b, row);
	buf_addf(b, "<td class=\"verdict %s\">%s %s", verdict_name(row->verdict),
		text_mark_utf8(row->verdict), verdict_name(row->verdict));
	if (row->base_failed + row->arm_failed)
		buf_addf(b, "<br><span class=\"failed\">%zu bad sample%s</span>",
			row->base_failed + row->arm_failed,
			row->base_failed + row->arm_failed == 1 ? "" : "s");
	buf_addstr(b, "</td></tr>\n");
	add_samples(b, r, row, shape->columns);
}

/* Which rows a table has. */
typedef bool row_filter(const struct report *r, const struct row *row);

static bool is_lesser_control(const struct report *r, const struct row *row)
{
	return row->control && !report_is_main(r, row);
}

static bool is_other(const struct report *r, const struct row *row)
{
	(void)r;
	return !row->primary && !row->control;
}

static bool is_changed(const struct report *r, const struct row *row)
{
	return is_other(r, row) &&
	       (verdict_is_change(row->verdict) || row->verdict == VERDICT_FAILED);
}

static bool is_unchanged(const struct report *r, const struct row *row)
{
	return is_other(r, row) && !is_changed(r, row);
}

static size_t count_rows(const struct report *r, row_filter *wanted)
{
	size_t n = 0;

	for (size_t i = 0; i < r->c->nrows; i++)
		n += wanted(r, &r->c->rows[i]);
	return n;
}

static struct shape shape_of(const struct report *r, row_filter *wanted)
{
	struct shape s = {NULL, 9};

	for (size_t i = 0; i < r->c->nrows; i++) {
		const struct row *row = &r->c->rows[i];

		if (!wanted(r, row))
			continue;
		if (s.only && strcmp(s.only->name, row->metric.name))
			return (struct shape){NULL, 9};
		s = (struct shape){&row->metric, 8};
	}
	return s;
}

static void add_table(struct buf *b, const struct report *r, row_filter *wanted)
{
	struct shape shape = shape_of(r, wanted);

	add_header(b, r, &shape);
	for (size_t i = 0; i < r->c->nrows; i++)
		if (wanted(r, &r->c->rows[i]))
			add_row(b, r, &r->c->rows[i], &shape);
	buf_addstr(b, "</table></div>\n");
}

static void add_folded_table(
	struct buf *b, const struct report *r, row_filter *wanted, const char *title)
{
	size_t n = count_rows(r, wanted);

	if (!n)
		return;
	buf_addf(b, "<details><summary>%s (%zu)</summary>\n", title, n);
	add_table(b, r, wanted);
	buf_addstr(b, "</details>\n");
}

void html_verdicts(struct buf *b, const struct report *r)
{
	buf_addstr(b, "<section><h2>Verdicts</h2>\n");
	if (count_rows(r, report_is_main))
		add_table(b, r, report_is_main);
	else
		buf_addstr(b, "<p>No primary figure was compared.</p>\n");
	buf_addstr(b, "<p class=\"soft\">A row opens onto the samples of its boots.</p>\n");
	add_folded_table(b, r, is_lesser_control, "Controls: the baseline against itself");
	buf_addstr(b, "</section>\n");
}

void html_other_rows(struct buf *b, const struct report *r)
{
	__free_char char *left_out = comparison_left_out(r->c);

	if (!count_rows(r, is_other) && !left_out)
		return;
	buf_addstr(b, "<section><h2>Other figures</h2>\n");
	if (count_rows(r, is_changed)) {
		buf_addstr(b, "<h3>Changed</h3>\n");
		add_table(b, r, is_changed);
	}
	add_folded_table(b, r, is_unchanged, "All the others");
	if (left_out) {
		buf_addstr(b, "<p class=\"soft\">");
		text_add_html(b, left_out);
		buf_addstr(b, ".</p>\n");
	}
	buf_addstr(b, "</section>\n");
}
