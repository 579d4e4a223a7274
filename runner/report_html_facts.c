// SPDX-License-Identifier: GPL-2.0-or-later
/* report.html: what surrounds the figures - published tables, kernels, conditions, bad samples,
 * method. */
#include <math.h>
#include <string.h>

#include "report_format.h"
#include "report_text.h"

static void add_field(struct buf *b, const char *class, const char *text)
{
	buf_addf(b, "<td%s%s%s>", *class ? " class=\"" : "", class, *class ? "\"" : "");
	text_add_html(b, text);
	buf_addstr(b, "</td>");
}

/* ---- published tables --------------------------------------------------------------------------
 */

static void add_theirs(struct buf *b, const struct published *t, double v)
{
	char text[TEXT_NUMBER];

	buf_addf(b, "<td class=\"n\">%s</td>", text_decimals(text, v, t->decimals));
}

/* The row of the comparison that the value is in, or NULL. */
static const struct row *row_of(const struct report *r, const struct published_value *v)
{
	for (size_t i = 0; i < r->c->nrows; i++)
		if (!r->c->rows[i].control && !strcmp(r->c->rows[i].cell, v->cell) &&
			!strcmp(r->c->rows[i].metric.name, v->metric.name))
			return &r->c->rows[i];
	return NULL;
}

static void add_ours(struct buf *b, const struct report *r, const struct published *t,
	const struct published_value *v)
{
	char text[TEXT_NUMBER], lo[TEXT_NUMBER], hi[TEXT_NUMBER];
	const struct row *row = isfinite(v->ours) ? row_of(r, v) : NULL;

	if (!isfinite(v->ours)) {
		buf_addstr(b, "<td class=\"n\">-</td>");
		return;
	}
	buf_addstr(b, "<td class=\"n\" title=\"");
	text_add_html(b, v->cell);
	buf_addstr(b, "\">");
	if (row)
		buf_addf(b, "<a href=\"#row%zu\">", (size_t)(row - r->c->rows));
	buf_addf(b, "<b>%s</b>%s%s<br><span class=\"soft\">[%s, %s]</span></td>",
		text_decimals(text, v->ours, t->decimals), row ? "</a>" : "",
		v->candidates > 1 ? "*" : "", text_decimals(lo, v->lo, t->decimals),
		text_decimals(hi, v->hi, t->decimals));
}

static void add_published_head(struct buf *b, const struct published *t, bool figures)
{
	buf_addstr(b, "<div class=\"wide\"><table><thead><tr><th></th>");
	for (size_t i = 0; i < t->ncolumns; i++) {
		buf_addstr(b, "<th class=\"n\">");
		text_add_html(b, t->columns[i].name);
		buf_addstr(b, figures ? "<br>published</th><th class=\"n\">ours</th>" : "</th>");
	}
	buf_addstr(b, "</tr></thead>\n");
}

static void add_published_table(struct buf *b, const struct report *r, const struct published *t)
{
	bool figures = published_has_figures(t);
	size_t ambiguous = 0;

	add_published_head(b, t, figures);
	for (size_t i = 0; i < t->nrows; i++) {
		buf_addstr(b, "<tr>");
		add_field(b, "", t->rows[i].name);
		for (size_t k = 0; k < t->ncolumns; k++) {
			if (figures)
				add_theirs(b, t, t->rows[i].v[k].theirs);
			add_ours(b, r, t, &t->rows[i].v[k]);
			ambiguous += t->rows[i].v[k].candidates > 1;
		}
		buf_addstr(b, "</tr>\n");
	}
	buf_addstr(b, "</table></div>\n");
	if (ambiguous)
		buf_addstr(b, "<p class=\"soft\">* several cells fit; the first is shown, its name "
			      "is on the number.</p>\n");
}

void html_published(struct buf *b, const struct report *r)
{
	for (size_t i = 0; i < r->published.n; i++) {
		const struct published *t = &r->published.v[i];

		buf_addstr(b, "<h3>");
		text_add_html(b, t->title);
		buf_addstr(b, "</h3>\n<p class=\"soft\">Series ");
		text_add_html(b, t->series);
		buf_addstr(b, ", published in ");
		text_add_html(b, t->source);
		if (t->machine) {
			buf_addstr(b, "; their machine: ");
			text_add_html(b, t->machine);
		}
		buf_addstr(b, "; ours: ");
		text_add_html(b, r->machine);
		if (t->measured)
			buf_addf(b, ". %zu of %zu fields measured here.</p>\n", t->measured,
				t->nrows * t->ncolumns);
		else
			buf_addstr(b, ". Nothing of it was measured in this run: its matrix is "
				      "another one.</p>\n");
		for (size_t k = 0; k < t->nnotes; k++) {
			buf_addstr(b, "<p class=\"soft\">");
			text_add_html(b, t->notes[k]);
			buf_addstr(b, "</p>\n");
		}
		/* What this matrix does not measure is there for who asks. */
		if (!t->measured)
			buf_addstr(b, "<details><summary>The published table</summary>\n");
		add_published_table(b, r, t);
		if (!t->measured)
			buf_addstr(b, "</details>\n");
	}
}

/* ---- kernels -----------------------------------------------------------------------------------
 */

/* Any JSON value as text for people: strings bare, arrays of strings with commas. */
static void add_json(struct buf *b, const json_t *v)
{
	__free_char char *text = NULL;
	size_t i;
	json_t *item;

	if (json_is_string(v)) {
		text_add_html(b, json_string_value(v));
		return;
	}
	if (json_is_array(v)) {
		json_array_foreach ((json_t *)v, i, item) {
			buf_addstr(b, i ? ", " : "");
			add_json(b, item);
		}
		return;
	}
	text = json_dumps(v, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_INDENT(1));
	text_add_html_lines(b, text ? text : "");
}

static void add_arm(struct buf *b, const struct report *r, const struct measured_arm *measured)
{
	static const struct {
		const char *key, *title;
	} facts[] = {
		{"base_version", "base"},
		{"series", "series"},
		{"config", "config"},
		{"cmdline", "command line"},
		{"align", "function alignment"},
		{"debug", "debug kernel"},
		{"key", "key"},
	};
	const json_t *arm = store_arm(measured->run, measured->label);

	buf_addstr(b, "<h3>");
	text_add_html(b, measured->shown);
	buf_addstr(b, measured == report_baseline(r)
			      ? " (baseline)</h3>\n<table class=\"facts\">"
			      : "</h3>\n<table class=\"facts\">");
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		const json_t *v = json_object_get(arm, facts[i].key);

		if (!v || json_is_false(v) || (json_is_integer(v) && !json_integer_value(v)) ||
			(json_is_string(v) && !json_string_length(v)) ||
			(json_is_array(v) && !json_array_size(v)))
			continue;
		buf_addf(b, "<tr><th>%s</th><td><code>", facts[i].title);
		add_json(b, v);
		buf_addstr(b, "</code></td></tr>\n");
	}
	buf_addstr(b, "</table>\n");
	if (json_object_size(json_object_get(arm, "meta"))) {
		buf_addstr(b,
			"<details><summary>How it was built, and its configuration</summary><pre>");
		add_json(b, json_object_get(arm, "meta"));
		buf_addstr(b, "</pre></details>\n");
	}
}

/* As it was read: it says of each arm what it is. */
static void add_matrix(struct buf *b, const struct store *run)
{
	const json_t *matrix = json_object_get(store_run(run), "matrix");
	const char *path = json_string_value(json_object_get(matrix, "path"));
	const char *text = json_string_value(json_object_get(matrix, "text"));

	buf_addstr(b, "<details><summary>The matrix, as read from ");
	text_add_html(b, path ? path : "");
	buf_addstr(b, "</summary><pre>");
	text_add_html_lines(b, text ? text : "");
	buf_addstr(b, "</pre></details>\n");
}

void html_kernels(struct buf *b, const struct report *r)
{
	buf_addstr(b, "<section><h2>Kernels</h2>\n");
	for (size_t i = 0; i < r->narms; i++)
		add_arm(b, r, &r->arms[i]);
	add_matrix(b, r->run);
	if (r->other)
		add_matrix(b, r->other);
	buf_addstr(b, "</section>\n");
}

/* ---- environment -------------------------------------------------------------------------------
 */

static void add_condition(struct buf *b, const struct report *r, const struct condition *c)
{
	buf_addstr(b, c->differs ? "<tr class=\"differs\">" : "<tr>");
	add_field(b, "", c->key);
	for (size_t i = 0; i < r->narms; i++)
		add_field(b, "", c->values[i]);
	buf_addstr(b, "</tr>\n");
}

static void add_conditions(struct buf *b, const struct report *r)
{
	buf_addstr(b, "<div class=\"wide\"><table><tr><th>in the guests</th>");
	for (size_t i = 0; i < r->narms; i++) {
		buf_addstr(b, "<th>");
		text_add_html(b, r->arms[i].shown);
		buf_addstr(b, "</th>");
	}
	buf_addstr(b, "</tr>\n");
	for (int differs = 1; differs >= 0; differs--)
		for (size_t i = 0; i < r->nconditions; i++)
			if (r->conditions[i].differs == differs)
				add_condition(b, r, &r->conditions[i]);
	buf_addstr(b, "</table></div>\n");
}

static void add_run_json(struct buf *b, const json_t *run, const char *name)
{
	static const char *const objects[] = {"env", "plan", "options", "overhead"};

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		if (!json_object_size(json_object_get(run, objects[i])))
			continue;
		buf_addf(b, "<h3>%s", objects[i]);
		if (name) {
			buf_addstr(b, " of ");
			text_add_html(b, name);
		}
		buf_addstr(b, "</h3><pre>");
		add_json(b, json_object_get(run, objects[i]));
		buf_addstr(b, "</pre>\n");
	}
}

void html_environment(struct buf *b, const struct report *r)
{
	size_t differing = 0;

	for (size_t i = 0; i < r->nconditions; i++)
		differing += r->conditions[i].differs;
	buf_addf(b,
		"<section><h2>Environment</h2>\n<details><summary>Conditions (%zu; %zu differ "
		"between arms)</summary>\n",
		r->nconditions, differing);
	add_conditions(b, r);
	buf_addstr(b, "</details>\n<details><summary>This host, plan and options, as run.json has "
		      "them</summary>\n");
	add_run_json(b, store_run(r->run), r->other ? r->name : NULL);
	if (r->other)
		add_run_json(b, store_run(r->other), r->other_name);
	buf_addstr(b, "</details></section>\n");
}

/* ---- bad samples -------------------------------------------------------------------------------
 */

/* As the report calls it; an arm that it does not have goes by its own name. */
static const char *shown_arm(const struct report *r, const struct store *run, const char *label)
{
	for (size_t i = 0; i < r->narms; i++)
		if (r->arms[i].run == run && !strcmp(r->arms[i].label, label))
			return r->arms[i].shown;
	return label;
}

/* @folder: of the run, with a slash; "": beside the report. */
static void add_bad_sample(struct buf *b, const struct sample *s, const char *arm, const char *folder)
{
	__free_char char *console =
		s->life ? xasprintf("%sboots/%u/life%u/console.log", folder, s->boot, s->life)
			: xasprintf("%sboots/%u/console.log", folder, s->boot);

	buf_addstr(b, "<tr>");
	add_field(b, "", s->cell);
	add_field(b, "", arm);
	add_field(b, s->status == SAMPLE_SKIPPED ? "verdict skipped" : "verdict failed",
		sample_status_name(s->status));
	add_field(b, "", s->reason ? s->reason : "");
	add_field(b, "", s->id);
	add_field(b, "", console);
	buf_addstr(b, "</tr>\n");
}

static size_t count_bad(const struct store *run)
{
	size_t n, bad = 0;
	const struct sample *s = run ? store_samples(run, &n) : NULL;

	for (size_t i = 0; s && i < n; i++)
		bad += s[i].status != SAMPLE_OK;
	return bad;
}

static void add_bad_samples(struct buf *b, const struct report *r, const struct store *run, const char *folder)
{
	size_t n;
	const struct sample *s = store_samples(run, &n);

	for (size_t i = 0; i < n; i++)
		if (s[i].status != SAMPLE_OK)
			add_bad_sample(b, &s[i], shown_arm(r, run, s[i].arm), folder);
}

void html_bad_samples(struct buf *b, const struct report *r)
{
	size_t bad = count_bad(r->run) + count_bad(r->other);

	buf_addf(b, "<section><h2>Failed and skipped samples</h2>\n");
	if (!bad) {
		buf_addstr(b, "<p>None.</p></section>\n");
		return;
	}
	buf_addf(b,
		"<details%s><summary>%zu sample%s</summary><div "
		"class=\"wide\"><table><tr><th>cell</th><th>arm</th>"
		"<th>status</th><th>reason</th><th>sample</th><th>console</th></tr>\n",
		r->c->failed ? " open" : "", bad, bad == 1 ? "" : "s");
	if (r->other) {
		__free_char char *folder = xasprintf("%s/", r->name), *other = xasprintf("%s/", r->other_name);

		add_bad_samples(b, r, r->run, folder);
		add_bad_samples(b, r, r->other, other);
	} else {
		add_bad_samples(b, r, r->run, "");
	}
	buf_addstr(b, "</table></div></details></section>\n");
}

/* ---- method ------------------------------------------------------------------------------------
 */

void html_method(struct buf *b, const struct report *r)
{
	const char *boot = r->c->boot;
	__free_char char *unit = r->other ?
		xasprintf("Two runs, measured apart: nothing that drifted between them cancels. The unit of replication is the %s%s; "
			  "each one of an arm is compared with each one of the baseline.", boot,
			r->m->executor == EXECUTOR_LOCAL ? " (in a run of one visit the sample)" : "") :
		xasprintf("The unit of replication is the %s. A block %ss every arm once, in an order "
			  "drawn for it; samples of one %s make one value, and an arm is compared with the "
			  "baseline within blocks, so that what drifts for both cancels. Where the arms of a "
			  "block were up together and took turns, a block\'s value for a rate or a latency is "
			  "the median of what the two arms\' samples of one turn differ by.", boot, boot, boot);
	__free_char char *alone = xasprintf("Values of one arm alone are medians of its %ss with a distribution-free "
					    "interval (order statistics; below six %ss the smallest and the largest).",
		boot, boot);
	const char *const notes[] = {
		unit,
		"The effect of a rate or a time is arm / baseline, shown as a change in percent; "
		"that of a count is the "
		"difference in its own unit.",
		r->other ? "Estimates are Hodges-Lehmann's; p and interval come from the ranks of both sides together (the interval from Welch's t where there are too few)." :
			   "Estimates are Hodges-Lehmann's; p and interval come from the signed ranks of the blocks, with their exact "
			   "distribution; ranks go up to the middle one, which all larger differences share (below six blocks the "
			   "interval is Student's).",
		"A change needs an adjusted p below alpha and an interval without \"no effect\" in "
		"it. Where the whole interval "
		"lies within the threshold the verdict is \"same\", even if such a small change is significant. All else is \"unclear\".",
		r->other ? NULL : "Two blocks or more that are far off (three interquartile ranges) to one side, and none to the other, are "
				  "not \"same\" either.",
		"Warm-up samples are recorded and not compared; outliers are kept, and counted; "
		"failed samples are listed "
		"above.",
		"The columns of an arm are medians of all its samples; an effect is estimated by itself, and need not be their "
		"quotient. Other figures than those that verdicts are "
		"about are corrected among the cells of one figure.",
		alone,
	};
	__free_char char *line = report_method_line(r), *control = report_control_line(r);

	buf_addstr(b, "<section><h2>Method</h2>\n<p>");
	text_add_html(b, line);
	buf_addf(b, "; the smallest adjusted p that this run can reach is %.2g%s.</p>\n<ul>\n",
		r->c->p_floor, r->c->p_floor > r->c->alpha ? ", so that it cannot decide" : "");
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		if (!notes[i])
			continue;
		buf_addstr(b, "<li>");
		text_add_html(b, notes[i]);
		buf_addstr(b, "</li>\n");
	}
	buf_addstr(b, "</ul>\n<p>False-positive control: ");
	text_add_html(b,
		control ? control : "this run has no cell that compares the baseline with itself");
	buf_addstr(b, ".</p></section>\n");
}
