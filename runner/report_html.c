// SPDX-License-Identifier: GPL-2.0-or-later
/* report.html: the page's frame, its head and its figures. The tables are in report_html_rows.c and
 * _facts.c. */
#include <string.h>

#include "report_format.h"
#include "report_text.h"

static void add_chip(struct buf *b, const struct report *r, enum verdict v)
{
	size_t n = report_count(r, v), first = 0;

	if (!n)
		return;
	while (r->c->rows[first].verdict != v || !report_is_main(r, &r->c->rows[first]))
		first++;
	buf_addf(b, "<a class=\"chip %s\" href=\"#row%zu\">%s %zu %s</a>\n", verdict_name(v), first,
		text_mark_utf8(v), n, report_verdict_plural(v, n));
}

#define WARNINGS_SHOWN 3 /* the verdicts are to be seen without scrolling */

static void add_warning_list(struct buf *b, const struct report *r, size_t from, size_t to)
{
	buf_addstr(b, "<ul>\n");
	for (size_t i = from; i < to; i++) {
		buf_addstr(b, "<li>");
		text_add_html(b, r->c->warnings[i]);
		buf_addstr(b, "</li>\n");
	}
	buf_addstr(b, "</ul>\n");
}

static void add_warnings(struct buf *b, const struct report *r)
{
	__free_char char *control = report_control_line(r);
	size_t n = r->c->nwarnings, shown = n > WARNINGS_SHOWN + 1 ? WARNINGS_SHOWN : n;

	if (n) {
		buf_addstr(b, "<div class=\"warnings\">");
		add_warning_list(b, r, 0, shown);
		if (shown < n) {
			buf_addf(b, "<details><summary>%zu more warnings</summary>", n - shown);
			add_warning_list(b, r, shown, n);
			buf_addstr(b, "</details>");
		}
		buf_addstr(b, "</div>\n");
	}
	if (control) {
		buf_addstr(b, "<p class=\"soft\">False-positive control: ");
		text_add_html(b, control);
		buf_addstr(b, ".</p>\n");
	}
}

static const char *text_at(const json_t *run, const char *key)
{
	const char *text = json_string_value(json_object_get(run, key));

	return text ? text : "";
}

static void add_run_name(struct buf *b, const json_t *run, const char *name)
{
	const char *finished = text_at(run, "finished");

	text_add_html(b, name);
	buf_addstr(b, ", ");
	text_add_html(b, *finished ? finished : text_at(run, "created"));
	buf_addstr(b, strcmp(text_at(run, "state"), "finished") ? " (not finished)" : "");
}

static void add_head(struct buf *b, const struct report *r)
{
	static const enum verdict chips[] = {VERDICT_REGRESSION, VERDICT_IMPROVEMENT,
		VERDICT_CHANGED, VERDICT_SAME, VERDICT_UNCLEAR, VERDICT_SHOWN, VERDICT_SKIPPED,
		VERDICT_FAILED};
	__free_char char *method = report_method_line(r);

	buf_addstr(b, "<header>\n<h1>");
	text_add_html(b, r->title);
	buf_addstr(b, "</h1>\n<p class=\"chips\">");
	for (size_t i = 0; i < ARRAY_SIZE(chips); i++)
		add_chip(b, r, chips[i]);
	buf_addstr(b, "</p>\n<p class=\"soft\">");
	text_add_html(b, r->machine);
	buf_addstr(b, " &middot; ");
	text_add_html(b, method);
	buf_addf(b, " &middot; samples: %zu ok, %zu failed, %zu skipped, %zu warm-up &middot; run ",
		r->c->ok, r->c->failed, r->c->skipped, r->c->warmups);
	add_run_name(b, store_run(r->run), r->name);
	if (r->other) {
		buf_addstr(b, " &middot; run ");
		add_run_name(b, store_run(r->other), r->other_name);
	}
	buf_addstr(b, "</p>\n");
	add_warnings(b, r);
	html_doctor(b, r);
	buf_addstr(b, "</header>\n");
}

/* The SVG itself, from its root element on: it then takes part in the page's colours, search and
 * print. */
static int add_figure(struct buf *b, const char *dir, const struct plot *p, struct error *err)
{
	__free_char char *path = xasprintf("%s/%s.svg", dir, p->stem);
	__free_char char *svg = file_read(path, NULL, err);
	const char *root = svg ? strstr(svg, "<svg") : NULL;

	if (!svg)
		return -1;
	if (!root)
		return error_set(err, KAB_ENVIRONMENT, "%s: gnuplot wrote no SVG", path);
	buf_addf(b, "<figure id=\"%s\">\n", p->stem);
	if (p->folded) {
		buf_addstr(b, "<details><summary>");
		text_add_html(b, p->title);
		buf_addstr(b, "</summary>\n");
	}
	buf_addstr(b, "<div class=\"wide\">");
	buf_addstr(b, root);
	buf_addf(b,
		"</div>\n<p class=\"soft screen\"><a href=\"%s.png\">PNG</a>, <a "
		"href=\"%s.svg\">SVG</a>, "
		"<a href=\"%s.dat\">its numbers</a></p>\n%s</figure>\n",
		p->stem, p->stem, p->stem, p->folded ? "</details>" : "");
	return 0;
}

/* Figures whose script is in @scripts, open ones first. */
static int add_figures(struct buf *b, const struct report *r, const char *dir,
	const char *const *scripts, struct error *err)
{
	for (int folded = 0; folded < 2; folded++)
		for (size_t s = 0; scripts[s]; s++)
			for (size_t i = 0; i < r->plots.n; i++) {
				const struct plot *p = &r->plots.v[i];

				if (!strcmp(p->script, scripts[s]) && p->folded == folded &&
					add_figure(b, dir, p, err))
					return -1;
			}
	return 0;
}

static void add_command(struct buf *b, const struct report *r)
{
	struct buf command = {0};

	text_add_command(&command, r->command, r->ncommand, 0, 100);
	if (r->other)
		text_add_command(&command, r->other_command, r->nother_command, 0, 100);
	buf_addstr(b, "<section><h2>Reproduce</h2>\n<pre>");
	text_add_html_lines(b, command.data);
	buf_addstr(b, "</pre></section>\n");
	buf_free(&command);
}

static int add_along(struct buf *b, const struct report *r, const char *dir, struct error *err)
{
	static const char *const scripts[] = {"along", NULL};
	struct buf text = {};

	if (!r->along.nsteps)
		return 0;
	buf_addstr(b, "<section><h2>Patch by patch</h2>\n");
	if (add_figures(b, r, dir, scripts, err))
		return -1;
	along_text(&r->along, &text);
	buf_addstr(b, "<pre>");
	text_add_html_lines(b, text.data);
	buf_addstr(b, "</pre></section>\n");
	buf_free(&text);
	return 0;
}

int report_html(const struct report *r, const char *dir, struct buf *b, struct error *err)
{
	static const char *const effects[] = {"ratio", "winners", NULL},
				 *const others[] = {"scaling", "counts", "latency", NULL},
				 *const published[] = {"published", NULL};

	buf_addstr(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>kab: ");
	text_add_html(b, r->title);
	buf_addf(b, "</title>\n<style>%s</style>\n</head>\n<body>\n", html_style);
	add_head(b, r);
	html_verdicts(b, r);
	if (add_along(b, r, dir, err))
		return -1;
	buf_addstr(b, "<section><h2>Effects</h2>\n");
	if (add_figures(b, r, dir, effects, err))
		return -1;
	buf_addstr(b, "</section>\n");
	html_other_rows(b, r);
	buf_addstr(b, "<section><h2>By arm</h2>\n");
	if (add_figures(b, r, dir, others, err))
		return -1;
	buf_addstr(b, "</section>\n");
	if (r->published.n) {
		buf_addstr(b, "<section><h2>Published, and measured here</h2>\n");
		if (add_figures(b, r, dir, published, err))
			return -1;
		html_published(b, r);
		buf_addstr(b, "</section>\n");
	}
	html_functions(b, r);
	html_profile(b, r);
	html_bad_samples(b, r);
	html_kernels(b, r);
	html_environment(b, r);
	html_method(b, r);
	add_command(b, r);
	buf_addstr(b,
		"<footer class=\"soft\">Made by kab from samples.jsonl<span class=\"paper\">; "
		"folded parts are not printed</span>.</footer>\n</body>\n</html>\n");
	return 0;
}

const char html_style[] =
	"\n"
	":root{color-scheme:light "
	"dark;--ink:#1d2127;--soft:#5c646d;--rule:#d9dde2;--paper:#fff;--panel:#f5f7f9;\n"
	"--good:#00735a;--bad:#b34700;--same:#005f99;--open:#7a5f00;--odd:#8a3f6d}\n"
	"@media screen and "
	"(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--soft:#a8aeb5;--rule:#343a41;\n"
	"--paper:#15191e;--panel:#1e242b;--good:#2ec79a;--bad:#ff8a3d;--same:#4aa8e0;--open:#"
	"d9b13b;--odd:#e6a3cc}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0 auto;padding:1rem 1.25rem "
	"3rem;max-width:74rem;color:var(--ink);background:var(--paper);\n"
	"font:15px/1.45 system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
	"h1{font-size:1.6rem;margin:.4rem "
	"0;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:1.8rem 0 .5rem}\n"
	"h3{font-size:1rem;margin:1.2rem 0 .4rem}p{margin:.4rem "
	"0}.soft{color:var(--soft);font-size:.88rem}\n"
	".chip{display:inline-block;margin:0 .4rem .2rem 0;padding:.12rem .6rem;border:1px solid "
	"currentColor;\n"
	"border-radius:1rem;font-weight:600}\n"
	".improvement{color:var(--good)}.regression,.failed{color:var(--bad)}.same{color:var(--"
	"same)}\n"
	".unclear{color:var(--open)}.changed{color:var(--odd)}.shown,.skipped{color:var(--soft)}\n"
	".warnings{border-left:4px solid var(--open);background:var(--panel);padding:.4rem .8rem}\n"
	".warnings ul{margin:0;padding-left:1.2rem}\n"
	".wide{overflow-x:auto}figure{margin:.6rem 0}figure "
	"svg{max-width:100%;height:auto;min-width:44rem}\n"
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:."
	"92rem}\n"
	"th,td{padding:.22rem .55rem;border-bottom:1px solid "
	"var(--rule);text-align:left;vertical-align:top}\n"
	"th{font-weight:600;color:var(--soft);white-space:nowrap}.n{text-align:right;white-space:"
	"nowrap}\n"
	".rows "
	"td{padding-top:.1rem;padding-bottom:.1rem}.rows>tbody>tr>td:first-child,.line{white-space:"
	"nowrap}\n"
	".verdict{white-space:nowrap;font-weight:600}td{overflow-wrap:break-word}\n"
	"summary{cursor:pointer}summary::marker{color:var(--soft)}\n"
	"tr.more{display:none;background:var(--panel)}tr:has(details[open])+tr.more,"
	"tr:target+tr.more{display:table-row}\n"
	"tr:target{background:var(--panel)}a{color:inherit}a.chip{text-decoration:none}"
	".paper{display:none}\n"
	"@supports not selector(tr:has(details)){tr.more{display:table-row}}\n"
	/* With a column for the name of the figure the verdict would be off the page. */
	"td.figure{min-width:11rem}table:has(td.figure){font-size:.85rem}"
	"table:has(td.figure) .line{white-space:normal}.facts{width:auto}tr.more "
	"table{width:auto;font-size:.85rem;margin:.2rem 0 .6rem "
	"1rem}tr.more p{margin:.3rem 0 .3rem 1rem}\n"
	"code,pre{font-family:ui-monospace,\"DejaVu Sans Mono\",monospace;font-size:.88em}\n"
	"pre{background:var(--panel);padding:.6rem .8rem;overflow-x:auto}.differs "
	"td{font-weight:600}\n"
	"section{break-inside:auto}footer{margin-top:2.5rem;border-top:1px solid "
	"var(--rule);padding-top:.5rem}\n"
	"@media screen and (max-width:48rem){body{padding:.6rem .6rem 2rem}th,td{padding:.2rem "
	".3rem}table{font-size:.82rem}\n"
	".spare{display:none}.rows>tbody>tr>td:first-child,.line{white-space:normal}}\n"
	"@media print{body{max-width:none;padding:0;font-size:11px}figure svg{min-width:0}\n"
	"figure,tr{break-inside:avoid}h2,h3,p:has(+.wide){break-after:avoid}"
	"thead{display:table-header-group}\n"
	"figure:has(>details:not([open])),section>details:not([open]){display:none}\n"
	"summary{list-style:none}.wide{overflow:visible}.screen{display:none}.paper{display:inline}"
	"}\n";
