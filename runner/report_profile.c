// SPDX-License-Identifier: GPL-2.0-or-later
/* Which symbols took more time and which events came more often, cell by cell; and the stacks, as
 * files. */
#include <math.h>
#include <string.h>

#include "profile.h"
#include "report_format.h"
#include "report_text.h"

#define ROWS_SHOWN 14
#define CERTAIN 0.05 /* adjusted p below which a difference is set off */

static const char *label_of(const json_t *arm)
{
	return json_string_value(json_object_get(arm, "label"));
}

static void add_head(struct buf *b, const json_t *table)
{
	const json_t *arms = json_object_get(table, "arms");
	const char *baseline = json_string_value(json_object_get(table, "baseline"));
	const char *title = json_string_value(json_object_get(table, "pass"));

	buf_addstr(b, "<h3>");
	text_add_html(b, json_string_value(json_object_get(table, "cell")));
	buf_addf(b, " <span class=\"soft\">(%s, %s; ", title,
		json_string_value(json_object_get(table, "unit")));
	for (size_t i = 0; i < json_array_size(arms); i++) {
		const json_t *a = json_array_get(arms, i);

		buf_addstr(b, i ? ", " : "");
		text_add_html(b, label_of(a));
		buf_addf(b, " %.0f in %lld passes",
			json_number_value(json_object_get(a, "samples")),
			(long long)json_integer_value(json_object_get(a, "passes")));
	}
	buf_addstr(b, ")</span></h3>\n<div class=\"wide\"><table>\n<tr><th></th>");
	for (size_t i = 0; i < json_array_size(arms); i++) {
		const char *label = label_of(json_array_get(arms, i));

		buf_addstr(b, "<th class=\"n\">");
		text_add_html(b, label);
		buf_addstr(b, strcmp(label, baseline)
				      ? "</th><th class=\"n\">difference</th><th class=\"n\">95 % "
					"interval</th><th class=\"n\">adjusted p</th>"
				      : "</th>");
	}
	buf_addstr(b, "</tr>\n");
}

static void add_difference(struct buf *b, const json_t *d)
{
	const json_t *lo = json_object_get(d, "lo"), *hi = json_object_get(d, "hi"),
		     *p = json_object_get(d, "p");
	bool sure = json_is_number(p) && json_number_value(p) < CERTAIN;

	buf_addf(b, "<td class=\"n\">%s%+.2f%s</td><td class=\"n\">", sure ? "<b>" : "",
		json_number_value(json_object_get(d, "effect")), sure ? "</b>" : "");
	if (json_is_number(lo) && json_is_number(hi))
		buf_addf(b, "[%+.2f, %+.2f]", json_number_value(lo), json_number_value(hi));
	buf_addstr(b, "</td><td class=\"n\">");
	if (json_is_number(p))
		buf_addf(b, "%.2g", json_number_value(p));
	buf_addstr(b, "</td>");
}

static void add_row(struct buf *b, const json_t *table, const json_t *row)
{
	const char *baseline = json_string_value(json_object_get(table, "baseline"));
	const json_t *arms = json_object_get(table, "arms");
	const json_t *values = json_object_get(row, "values"),
		     *differences = json_object_get(row, "differences");

	buf_addstr(b, "<tr><td><code>");
	text_add_html(b, json_string_value(json_object_get(row, "name")));
	buf_addstr(b, "</code></td>");
	for (size_t i = 0; i < json_array_size(values); i++) {
		buf_addf(b, "<td class=\"n\">%.2f</td>",
			json_number_value(json_array_get(values, i)));
		if (json_is_object(json_array_get(differences, i)))
			add_difference(b, json_array_get(differences, i));
		else if (strcmp(label_of(json_array_get(arms, i)), baseline))
			buf_addstr(b, "<td></td><td></td><td></td>"); /* no block with both */
	}
	buf_addstr(b, "</tr>\n");
}

static void add_table(struct buf *b, const json_t *table)
{
	const json_t *rows = json_object_get(table, "rows");
	size_t n = json_array_size(rows);

	add_head(b, table);
	for (size_t i = 0; i < n && i < ROWS_SHOWN; i++)
		add_row(b, table, json_array_get(rows, i));
	buf_addstr(b, "</table></div>\n");
	if (n > ROWS_SHOWN)
		buf_addf(b, "<p class=\"soft\">%zu more rows: kab show RUN CELL --%s -v.</p>\n",
			n - ROWS_SHOWN,
			strcmp(json_string_value(json_object_get(table, "pass")),
				pass_name(PASS_RECORD))
				? "events"
				: "symbols");
}

static bool asked_for(const struct report *r, enum pass pass)
{
	/* The tables are of one run. */
	if (r->other)
		return false;
	return pass == PASS_RECORD ? r->m->observers & OBSERVE_PERF_RECORD
				   : r->m->tracepoints != NULL;
}

void html_profile(struct buf *b, const struct report *r)
{
	static const struct {
		enum pass pass;
		const char *title, *what, *text;
	} parts[] = {
		{PASS_RECORD, "Time, by symbol",
			"under perf record",
			"the share of samples "
			"that a function itself had, the idle loop left out. The clock's interrupt "
			"takes the samples: what "
			"runs with interrupts off is charged to where they go on again. The stacks "
			"lie in stacks/, ready "
			"for flamegraph.pl and difffolded.pl."},
		{PASS_TRACE, "Events",
			"that record tracepoints",
			"how often each "
			"happened, and with which values, numbers in classes by powers of two."},
	};

	for (size_t k = 0; k < ARRAY_SIZE(parts); k++) {
		if (!asked_for(r, parts[k].pass))
			continue;
		buf_addf(b, "<section id=\"%s\"><h2>%s</h2>\n<p class=\"soft\">Passes %s, one in each %s, apart from all timed "
			    "samples: %s</p>\n",
			pass_name(parts[k].pass), parts[k].title, parts[k].what, r->c->boot, parts[k].text);
		for (size_t i = 0; i < r->plan->ncells; i++) {
			struct error err;
			json_t *table =
				profile_table(r->run, r->plan->cells[i].id, parts[k].pass, &err);

			if (table)
				add_table(b, table);
			json_decref(table);
		}
		buf_addstr(b, "</section>\n");
	}
}

/* "pipe/mode=process", "stock" -> "stacks/pipe_mode=process.stock.folded". */
static int write_stacks(const struct report *r, const char *dir, const char *cell, const char *arm,
	struct error *err)
{
	__free_char char *text = profile_stacks(r->run, cell, arm), *name = xstrdup(cell);
	__free_char char *path = NULL;

	if (!text)
		return 0;
	for (char *c = name; *c; c++)
		*c = *c == '/' ? '_' : *c;
	path = xasprintf("%s/%s.%s.folded", dir, name, arm);
	return file_write_atomic(path, text, strlen(text), err);
}

int report_stacks(const struct report *r, const char *dir, struct error *err)
{
	__free_char char *folder = xasprintf("%s/stacks", dir);

	if (!asked_for(r, PASS_RECORD))
		return 0;
	if (dir_make(folder, err))
		return -1;
	for (size_t i = 0; i < r->plan->ncells; i++)
		for (size_t k = 0; k < r->m->narms; k++)
			if (write_stacks(r, folder, r->plan->cells[i].id, r->m->arms[k].label, err))
				return -1;
	return 0;
}
