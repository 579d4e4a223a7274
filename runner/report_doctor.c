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

/* @of: what has been measured there, where the report is of two machines; else NULL. */
static void html_findings(struct buf *b, const json_t *findings, const char *of)
{
	struct buf titles = {};

	add_titles(&titles, findings);
	buf_addf(b, "<details class=\"soft\"%s><summary>What ", of ? "" : " id=\"doctor\"");
	text_add_html(b, of ? "the machine of " : "this machine");
	text_add_html(b, of ? of : "");
	buf_addstr(b, " lacks: ");
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

static void md_findings(struct buf *b, const json_t *findings, const char *of)
{
	bool first = true;

	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);

		if (!weighs(f))
			continue;
		if (first) {
			buf_addstr(b, "\nWhat ");
			text_add_md(b, of ? "the machine of " : "this machine");
			text_add_md(b, of ? of : "");
			buf_addstr(b, " lacks:\n\n");
		}
		buf_addstr(b, "- ");
		text_add_md(b, text_at(f, "title"));
		buf_addstr(b, ": ");
		text_add_md(b, text_at(f, "value"));
		buf_addstr(b, "; ");
		text_add_md(b, text_at(f, "cost"));
		buf_addstr(b, "\n");
		first = false;
	}
}

/* What is another a minute later says nothing of the machine. */
static bool is_passing(const json_t *f)
{
	static const char *const passing[] = {"load", "memory", "disk"};

	for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
		if (!strcmp(text_at(f, "title"), passing[i]))
			return true;
	return false;
}

static bool same_machine(const json_t *a, const json_t *b)
{
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!is_passing(json_array_get(a, i)) && !json_equal(json_array_get(a, i), json_array_get(b, i)))
			return false;
	return true;
}

/* Of two runs that found the same, once. A run that was made before kab recorded findings has none. */
static void add_findings(struct buf *b, const struct report *r,
	void (*add)(struct buf *b, const json_t *findings, const char *of))
{
	const json_t *findings = json_object_get(store_run(r->run), "doctor");
	const json_t *others = r->other ? json_object_get(store_run(r->other), "doctor") : findings;
	bool one = findings == others || same_machine(findings, others);

	if (findings)
		add(b, findings, one ? NULL : r->name);
	if (others && !one)
		add(b, others, r->other_name);
}

void html_doctor(struct buf *b, const struct report *r)
{
	add_findings(b, r, html_findings);
}

void md_doctor(struct buf *b, const struct report *r)
{
	add_findings(b, r, md_findings);
}
