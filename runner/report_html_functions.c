// SPDX-License-Identifier: GPL-2.0-or-later
/* Which kernel functions grew: one table for each cell of a run that counted instructions by
 * function. */
#include <string.h>

#include "functions.h"
#include "report_format.h"
#include "report_text.h"

#define FUNCTIONS_SHOWN 14
#define WORTH_A_LINE 0.005 /* instructions an operation */

static void add_head(struct buf *b, const json_t *table)
{
	const json_t *arms = json_object_get(table, "arms");
	const char *baseline = json_string_value(json_object_get(table, "baseline"));

	buf_addstr(b, "<h3>");
	text_add_html(b, json_string_value(json_object_get(table, "cell")));
	buf_addstr(b, "</h3>\n<div class=\"wide\"><table>\n<tr><th>function</th>");
	for (size_t i = 0; i < json_array_size(arms); i++) {
		const char *label = json_string_value(json_array_get(arms, i));

		buf_addstr(b, "<th class=\"n\">");
		text_add_html(b, label);
		buf_addstr(b,
			strcmp(label, baseline) ? "</th><th class=\"n\">difference</th>" : "</th>");
	}
	buf_addstr(b, "</tr>\n");
}

static void add_function(struct buf *b, const json_t *table, const json_t *f)
{
	const json_t *arms = json_object_get(table, "arms");
	const char *baseline = json_string_value(json_object_get(table, "baseline"));

	buf_addstr(b, "<tr><td><code>");
	text_add_html(b, json_string_value(json_object_get(f, "name")));
	buf_addstr(b, "</code></td>");
	for (size_t i = 0; i < json_array_size(arms); i++) {
		const char *label = json_string_value(json_array_get(arms, i));

		buf_addf(b, "<td class=\"n\">%.2f</td>",
			json_number_value(json_array_get(json_object_get(f, "per_op"), i)));
		if (strcmp(label, baseline))
			buf_addf(b, "<td class=\"n\">%+.2f</td>",
				json_number_value(
					json_array_get(json_object_get(f, "difference"), i)));
	}
	buf_addstr(b, "</tr>\n");
}

static bool is_worth_a_line(const json_t *f)
{
	return json_number_value(json_object_get(f, "most")) >= WORTH_A_LINE;
}

static void add_cell(struct buf *b, const json_t *table)
{
	const json_t *list = json_object_get(table, "functions");
	size_t shown = 0, left = 0;

	add_head(b, table);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *f = json_array_get(list, i);

		/* The first two are the totals. */
		if (i >= 2 && !is_worth_a_line(f))
			continue;
		if (shown++ < FUNCTIONS_SHOWN)
			add_function(b, table, f);
		else
			left++;
	}
	buf_addstr(b, "</table></div>\n");
	if (left)
		buf_addf(b, "<p class=\"soft\">%zu more functions differ.</p>\n", left);
}

void html_functions(struct buf *b, const struct report *r)
{
	/* The tables are of one run. */
	if (r->other || !(r->m->observers & OBSERVE_FUNCTIONS))
		return;
	buf_addstr(b,
		"<section><h2>Instructions an operation, by kernel function</h2>\n"
		"<p class=\"soft\">Counted while the workload measured, in all compared samples; "
		"those that differ most.</p>\n");
	for (size_t i = 0; i < r->plan->ncells; i++) {
		struct error err;
		json_t *table = functions_table(r->run, r->plan->cells[i].id, &err);

		if (table)
			add_cell(b, table);
		json_decref(table);
	}
	buf_addstr(b, "</section>\n");
}
