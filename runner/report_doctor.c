// SPDX-License-Identifier: GPL-2.0-or-later
/* What kab doctor found on the machine that measured, in the head of a report. */
#include <string.h>

#include "doctor.h"
#include "report_format.h"
#include "report_text.h"

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* NULL: the run was made before kab recorded them. */
static const json_t *findings_of(const struct report *r)
{
	return json_object_get(store_run(r->run), "doctor");
}

static bool weighs(const json_t *f)
{
	return !strcmp(text_at(f, "level"), "costs") || !strcmp(text_at(f, "level"), "stops");
}

/* "KVM, CPUs, PMU": what weighs, by title. */
static void add_titles(struct buf *b, const json_t *findings)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);

		if (weighs(f))
			buf_addf(b, "%s%s", n++ ? ", " : "", text_at(f, "title"));
	}
	if (!n)
		buf_addstr(b, "nothing");
}

void html_doctor(struct buf *b, const struct report *r)
{
	const json_t *findings = findings_of(r);
	struct buf titles = {};

	if (!findings)
		return;
	add_titles(&titles, findings);
	buf_addstr(b, "<details class=\"soft\" id=\"doctor\"><summary>What this machine lacks: ");
	text_add_html(b, titles.data);
	buf_free(&titles);
	buf_addstr(b, "</summary>\n<div class=\"wide\"><table class=\"facts\">\n");
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);

		buf_addf(b, "<tr%s><td>", weighs(f) ? " class=\"differs\"" : "");
		text_add_html(b, text_at(f, "title"));
		buf_addstr(b, "</td><td>");
		text_add_html(b, text_at(f, "value"));
		buf_addstr(b, "</td><td>");
		text_add_html(b, text_at(f, "cost"));
		buf_addstr(b, "</td></tr>\n");
	}
	buf_addstr(b, "</table></div></details>\n");
}

void md_doctor(struct buf *b, const struct report *r)
{
	const json_t *findings = findings_of(r);
	bool first = true;

	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);

		if (!weighs(f))
			continue;
		buf_addstr(b, first ? "\nWhat this machine lacks:\n\n- " : "- ");
		text_add_md(b, text_at(f, "title"));
		buf_addstr(b, ": ");
		text_add_md(b, text_at(f, "value"));
		buf_addstr(b, "; ");
		text_add_md(b, text_at(f, "cost"));
		buf_addstr(b, "\n");
		first = false;
	}
}
