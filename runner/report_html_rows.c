// SPDX-License-Identifier: GPL-2.0-or-later
/* report.html: the comparison's rows, each of which opens onto the samples that it was made of. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "report_format.h"
#include "report_text.h"

static void add_cell(struct buf *b, const char *class, const char *text)
{
	buf_addf(b, "<td%s%s%s>", *class ? " class=\"" : "", class, *class ? "\"" : "");
	text_add_html(b, text);
	buf_addstr(b, "</td>");
}

/* One sample's value: its id is on it, and it leads to the captures where they lie beside the
 * report. */
static void add_reading(
	struct buf *b, const struct report *r, const struct reading *v, const char *unit)
{
	__free_char char *raw =
		r->beside ? xasprintf("%s/raw/%s", store_path(r->run), v->id) : NULL;
	bool linked = raw && !access(raw, F_OK);
	char text[TEXT_NUMBER];

	if (linked) {
		buf_addstr(b, "<a href=\"../raw/");
		text_add_url(b, v->id);
		buf_addstr(b, "/\" title=\"");
	} else {
		buf_addstr(b, "<span title=\"");
	}
	text_add_html(b, v->id);
	buf_addf(
		b, "\">%s%s", text_value(text, v->value, unit, false), linked ? "</a>" : "</span>");
}

static void add_readings(
	struct buf *b, const struct report *r, const struct boot_values *v, const char *unit)
{
	char text[TEXT_NUMBER];

	buf_addf(b, "<td class=\"n\">%s</td><td>", text_value(text, v->median, unit, false));
	for (size_t i = 0; i < v->n; i++) {
		buf_addstr(b, i ? ", " : "");
		add_reading(b, r, &v->v[i], unit);
	}
	buf_addstr(b, "</td>");
}

static void add_block(
	struct buf *b, const struct report *r, const struct row *row, const struct block_values *v)
{
	char text[TEXT_NUMBER];

	buf_addf(b, "<tr><td class=\"n\">%u</td>", v->block);
	add_readings(b, r, &v->base, row->metric.unit);
	add_readings(b, r, &v->arm, row->metric.unit);
	if (!r->other)
		buf_addf(b, "<td class=\"n\">%s</td>", text_effect(text, row, v->effect));
	buf_addstr(b, "</tr>\n");
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
	if (row->more_blocks) {
		__free_char char *units = comparison_units(e->unit, row->more_blocks);

		buf_addf(b, "; about %u more %s would settle it", row->more_blocks, units);
	}
	buf_addstr(b, ".</p>\n");
}

static void add_show_command(struct buf *b, const char *run, const char *cell)
{
	buf_addstr(b, "<code>kab show results/");
	text_add_html(b, run);
	buf_addstr(b, " &#39;");
	text_add_html(b, cell);
	buf_addstr(b, "&#39;</code>");
}

/* The row that opens below: samples by block. */
static void add_samples(
	struct buf *b, const struct report *r, const struct row *row, unsigned columns)
{
	struct blocks blocks = report_row_blocks(r, row);

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
	buf_addstr(b, r->other ? "</th><th>its samples</th></tr>\n" : "</th><th>its samples</th><th>effect</th></tr>\n");
	for (size_t i = 0; i < blocks.n; i++)
		add_block(b, r, row, &blocks.v[i]);
	buf_addstr(b, "</table>\n<p class=\"soft\">The same and more: ");
	add_show_command(b, r->name, row->cell);
	if (r->other) {
		buf_addstr(b, ", ");
		add_show_command(b, r->other_name, row->cell);
	}
	buf_addstr(b, r->beside ? "; a value leads to its captures</p>" : "</p>");
	buf_addstr(b, "</td></tr>\n");
	blocks_free(&blocks);
}

/* What all rows of a table share is told once, above it. */
struct shape {
	const struct metric *only; /* NULL: rows differ */
	const char *arm;	   /* likewise */
	bool controls;		   /* some row has the baseline against itself beside it */
	unsigned columns;
};

/* The baseline against itself in the same cell and figure; NULL: not measured. */
static const struct row *control_of(const struct report *r, const struct row *row)
{
	for (size_t i = 0; i < r->c->nrows; i++) {
		const struct row *other = &r->c->rows[i];

		if (other->control && !other->layout && other != row && row_tested(other) &&
			!strcmp(other->cell, row->cell) &&
			!strcmp(other->metric.name, row->metric.name))
			return other;
	}
	return NULL;
}

/* Times are printed with units of their own. */
static void add_figure_name(struct buf *b, const struct metric *m)
{
	text_add_html(b, m->title);
	if (!*m->unit || !strcmp(m->unit, "ns") || !strcmp(m->unit, "ns/op") ||
		strstr(m->title, "an operation"))
		return;
	buf_addstr(b, ", ");
	text_add_html(b, m->unit);
}

static void add_head_cell(struct buf *b, const char *class, const char *text)
{
	buf_addf(b, "<th class=\"%s\">", class);
	text_add_html(b, text);
	buf_addstr(b, "</th>");
}

static void add_header(struct buf *b, const struct report *r, const struct shape *shape)
{
	__free_char char *itself = xasprintf("%s itself", r->c->baseline);

	if (shape->only) {
		buf_addstr(b, "<p class=\"soft\">");
		add_figure_name(b, shape->only);
		buf_addf(b, "%s%s</p>\n",
			shape->only->better == BETTER_MORE ? "; more is better" : "",
			shape->only->better == BETTER_LESS ? "; less is better" : "");
	}
	buf_addf(b, "<div class=\"wide\"><table class=\"rows\"><thead><tr><th>cell</th>%s%s",
		shape->arm ? "" : "<th>arm</th>", shape->only ? "" : "<th>figure</th>");
	add_head_cell(b, "n spare", r->c->baseline);
	add_head_cell(b, "n spare", shape->arm ? shape->arm : "arm");
	buf_addstr(b, "<th class=\"n\">effect</th><th>interval</th>");
	if (shape->controls)
		add_head_cell(b, "spare", itself);
	buf_addstr(
		b, "<th class=\"n spare\">adjusted p</th><th>verdict</th></tr></thead><tbody>\n");
}

/* A line may end behind the comma, and nowhere else. */
static void add_interval(struct buf *b, const struct row *row)
{
	char text[2 * TEXT_NUMBER + 4];

	for (const char *p = text_interval(text, row); *p; p++) {
		bool tight = *p == ' ' && p[-1] != ',';

		buf_add(b, tight ? "&nbsp;" : p, tight ? 6 : 1);
	}
}

/* What noise alone does in this cell, to read the effect against. */
static void add_control(struct buf *b, const struct report *r, const struct row *row)
{
	const struct row *control = control_of(r, row);

	buf_addstr(b, "<td class=\"line soft spare\">");
	if (control && isfinite(control->e.lo))
		add_interval(b, control);
	else
		buf_addstr(b, "-");
	buf_addf(b, "%s</td>",
		control && verdict_is_change(control->verdict) ? "<br><b>false alarm</b>" : "");
}

static void add_figures(
	struct buf *b, const struct report *r, const struct row *row, const struct shape *shape)
{
	char text[TEXT_NUMBER];

	buf_addf(b, "<td class=\"n spare\">%s</td>",
		text_value(text, row->e.base_median, row->metric.unit, false));
	buf_addf(b, "<td class=\"n spare\">%s</td>",
		text_value(text, row->e.arm_median, row->metric.unit, false));
	if (row_tested(row)) {
		buf_addf(b, "<td class=\"n\">%s</td><td class=\"line\">",
			text_effect(text, row, row->e.effect));
		if (isfinite(row->e.lo))
			add_interval(b, row);
		else
			buf_addstr(b, "none");
		buf_addstr(b, "</td>");
	} else {
		buf_addstr(b, "<td class=\"n\">-</td><td>-</td>");
	}
	if (shape->controls)
		add_control(b, r, row);
	buf_addf(b, "<td class=\"n spare\">%s</td>",
		row_tested(row) ? text_p(text, row->p_adj) : "-");
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
	buf_addf(b, "<tr id=\"row%zu\"><td><details><summary>", (size_t)(row - r->c->rows));
	add_cell_name(b, row->cell);
	buf_addstr(b, "</summary></details></td>");
	if (!shape->arm)
		add_cell(b, "", row->arm);
	if (!shape->only) {
		buf_addstr(b, "<td class=\"figure\">");
		add_figure_name(b, &row->metric);
		buf_addstr(b, "</td>");
	}
	add_figures(b, r, row, shape);
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
	const struct row *first = NULL;
	struct shape s = {0};

	for (size_t i = 0; i < r->c->nrows; i++) {
		const struct row *row = &r->c->rows[i];

		if (!wanted(r, row))
			continue;
		if (!first) {
			first = row;
			s.only = &row->metric;
			s.arm = row->arm;
		}
		if (strcmp(first->metric.name, row->metric.name))
			s.only = NULL;
		if (strcmp(first->arm, row->arm))
			s.arm = NULL;
		s.controls |= !row->control && control_of(r, row);
	}
	s.columns = 7u + !s.only + !s.arm + s.controls;
	return s;
}

static void add_table(struct buf *b, const struct report *r, row_filter *wanted)
{
	struct shape shape = shape_of(r, wanted);

	add_header(b, r, &shape);
	for (size_t i = 0; i < r->c->nrows; i++)
		if (wanted(r, &r->c->rows[i]))
			add_row(b, r, &r->c->rows[i], &shape);
	buf_addstr(b, "</tbody></table></div>\n");
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

static bool is_main_change(const struct report *r, const struct row *row)
{
	return report_is_main(r, row) &&
	       (verdict_is_change(row->verdict) || row->verdict == VERDICT_FAILED);
}

static bool is_main_rest(const struct report *r, const struct row *row)
{
	return report_is_main(r, row) && !is_main_change(r, row);
}

#define ROWS_IN_SIGHT 20 /* of verdicts, without scrolling */

/* Of many the changes come first, and the others on request. */
static void add_verdict_rows(struct buf *b, const struct report *r)
{
	size_t all = count_rows(r, report_is_main), changed = count_rows(r, is_main_change);

	if (!all) {
		buf_addstr(b, "<p>No primary figure was compared.</p>\n");
	} else if (all <= ROWS_IN_SIGHT || !changed) {
		add_table(b, r, report_is_main);
	} else {
		add_table(b, r, is_main_change);
		add_folded_table(b, r, is_main_rest, "Not called a change");
	}
}

void html_verdicts(struct buf *b, const struct report *r)
{
	buf_addstr(b, "<section><h2>Verdicts</h2>\n");
	add_verdict_rows(b, r);
	buf_addf(b, "<p class=\"soft screen\">A row opens onto the samples of its %ss", r->c->boot);
	if (shape_of(r, report_is_main).controls)
		buf_addstr(b, ". Beside its interval: that of the baseline against itself, which "
			      "is what noise alone does in that cell");
	buf_addstr(b, ".</p>\n");
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
