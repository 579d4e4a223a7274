// SPDX-License-Identifier: GPL-2.0-or-later
/* report.md: GitHub-flavoured markdown, to paste into an issue or to keep in a repository. */
#include <math.h>
#include <string.h>

#include "report_format.h"
#include "report_text.h"

static void add_row(struct buf *b, const struct row *row)
{
	char text[TEXT_NUMBER], interval[2 * TEXT_NUMBER + 4];

	buf_addstr(b, "| ");
	text_add_md(b, row->cell);
	buf_addstr(b, " | ");
	text_add_md(b, row->arm);
	buf_addstr(b, " | ");
	text_add_md(b, row->metric.title);
	buf_addf(b, " | %s", text_value(text, row->e.base_median, row->metric.unit, true));
	buf_addf(b, " | %s", text_value(text, row->e.arm_median, row->metric.unit, true));
	buf_addf(b, " | %s", row_tested(row) ? text_effect(text, row, row->e.effect) : "-");
	buf_addf(b, " | %s",
		row_tested(row) && isfinite(row->e.lo) ? text_interval(interval, row) : "-");
	buf_addf(b, " | %s", text_p(text, row_tested(row) ? row->p_adj : NAN));
	buf_addf(b, " | %s %s", text_mark_utf8(row->verdict), verdict_name(row->verdict));
	if (row->note) {
		buf_addstr(b, ": ");
		text_add_md(b, row->note);
	}
	buf_addstr(b, " |\n");
}

static bool in_table(const struct report *r, const struct row *row, bool main)
{
	return main ? report_is_main(r, row)
		    : !row->primary && !row->control && verdict_is_change(row->verdict);
}

static void add_table(struct buf *b, const struct report *r, bool main)
{
	size_t n = 0;

	for (size_t i = 0; i < r->c->nrows; i++)
		n += in_table(r, &r->c->rows[i], main);
	if (!n)
		return;
	buf_addf(b, "## %s\n\n| cell | arm | figure | of ",
		main ? "Verdicts" : "Other figures that changed");
	text_add_md(b, r->c->baseline);
	buf_addstr(b, " | of the arm | effect | interval | adjusted p | verdict |\n"
		      "|---|---|---|---:|---:|---:|---|---:|---|\n");
	for (size_t i = 0; i < r->c->nrows; i++)
		if (in_table(r, &r->c->rows[i], main))
			add_row(b, &r->c->rows[i]);
	buf_addstr(b, "\n");
}

static void add_item(struct buf *b, const char *text)
{
	buf_addstr(b, "- ");
	text_add_md(b, text);
	buf_addstr(b, "\n");
}

static void add_head(struct buf *b, const struct report *r)
{
	__free_char char *summary = report_summary(r), *method = report_method_line(r);
	__free_char char *control = report_control_line(r), *left_out = comparison_left_out(r->c);

	buf_addstr(b, "# ");
	text_add_md(b, r->title);
	buf_addstr(b, "\n\n**");
	text_add_md(b, summary);
	buf_addstr(b, "**\n\n");
	report_arms(r, add_item, b);
	add_item(b, r->machine);
	add_item(b, method);
	buf_addf(b, "- samples: %zu ok, %zu failed, %zu skipped, %zu warm-up\n", r->c->ok,
		r->c->failed, r->c->skipped, r->c->warmups);
	if (control)
		add_item(b, control);
	if (left_out)
		add_item(b, left_out);
	for (size_t i = 0; i < r->c->nwarnings; i++) {
		buf_addstr(b, i ? "" : "\nWarnings:\n\n");
		add_item(b, r->c->warnings[i]);
	}
	md_doctor(b, r);
	buf_addstr(b, "\n");
}

static void add_figures(struct buf *b, const struct report *r)
{
	for (size_t i = 0; i < r->plots.n; i++) {
		const struct plot *p = &r->plots.v[i];

		if (p->folded)
			continue;
		buf_addstr(b, "![");
		text_add_md(b, p->title);
		buf_addf(b, "](%s.svg)\n\n", p->stem);
	}
}

static void add_published(struct buf *b, const struct published *t)
{
	bool figures = published_has_figures(t);
	char text[TEXT_NUMBER];

	buf_addstr(b, "## ");
	text_add_md(b, t->title);
	buf_addstr(b, "\n\nPublished in ");
	text_add_md(b, t->source);
	buf_addstr(b, t->machine ? " (" : "");
	text_add_md(b, t->machine ? t->machine : "");
	buf_addf(b, "%s; **ours**%s.\n\n|  |", t->machine ? ")" : "", figures ? " beside it" : "");
	for (size_t k = 0; k < t->ncolumns; k++) {
		buf_addstr(b, " ");
		text_add_md(b, t->columns[k].name);
		buf_addstr(b, figures ? " | ours |" : " |");
	}
	buf_addstr(b, "\n|---|");
	for (size_t k = 0; k < t->ncolumns; k++)
		buf_addstr(b, figures ? "---:|---:|" : "---:|");
	for (size_t i = 0; i < t->nrows; i++) {
		buf_addstr(b, "\n| ");
		text_add_md(b, t->rows[i].name);
		buf_addstr(b, " |");
		for (size_t k = 0; k < t->ncolumns; k++) {
			const struct published_value *v = &t->rows[i].v[k];
			const char *star = isfinite(v->ours) ? "**" : "";

			if (figures)
				buf_addf(b, " %s |", text_decimals(text, v->theirs, t->decimals));
			buf_addf(b, " %s%s%s |", star, text_decimals(text, v->ours, t->decimals), star);
		}
	}
	buf_addstr(b, "\n\n");
}

static void add_along(struct buf *b, const struct report *r)
{
	struct buf text = {};

	if (!r->along.nsteps)
		return;
	along_text(&r->along, &text);
	buf_addf(b, "## Patch by patch\n\n```\n%s```\n\n", text.data);
	buf_free(&text);
}

int report_md(const struct report *r, const char *dir, struct buf *b, struct error *err)
{
	(void)dir;
	(void)err;
	add_head(b, r);
	add_table(b, r, true);
	add_along(b, r);
	add_table(b, r, false);
	add_figures(b, r);
	for (size_t i = 0; i < r->published.n; i++)
		add_published(b, &r->published.v[i]);
	buf_addstr(b, "## Reproduce\n\n```\n");
	text_add_command(b, r->command, r->ncommand, 0, 100);
	if (r->other)
		text_add_command(b, r->other_command, r->nother_command, 0, 100);
	buf_addstr(b, "```\n");
	return 0;
}
