// SPDX-License-Identifier: GPL-2.0-or-later
/* Reports of made-up runs: what is in the files, and that foreign text stays text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands.h"
#include "plot.h"
#include "report.h"
#include "report_data.h"
#include "report_fixture.h"
#include "report_text.h"
#include "util.h"

static const struct report_effects plain = {.factor = 2.1, .shootdowns = 1, .latency = true};

/* Small, since drawing costs: two arms, two cells. */
static const char small_matrix[] = "base: {package: linux-source-6.1}\n"
				   "baseline: stock\n"
				   "arms:\n"
				   "  stock: {series: ['vm-local-cpu:1']}\n"
				   "  patched: {series: [vm-local-cpu]}\n"
				   "executor: {vm: {cpus: 2, nodes: 1, memory: 512M}}\n"
				   "blocks: 8\n"
				   "samples: 2\n"
				   "warmup: 1\n"
				   "seed: 7\n"
				   "workloads:\n"
				   "  - {name: localcpu}\n"
				   "  - {name: pipe}\n";

/* A report of a run, in a folder of its own. */
struct made {
	struct run_fixture f;
	char *run, *out;
};

static void write_report(const char *run, const char *out)
{
	struct compare_options opt = {0};
	struct error err = {0};
	struct store *s = store_open(run, false, NULL, &err);
	struct comparison *c = s ? compare_runs(s, NULL, &opt, &err) : NULL;

	if (!c || report_write(s, NULL, c, out, &err))
		fail_msg("%s", err.text);
	comparison_free(c);
	store_close(s);
}

static void make_report(struct made *m, const char *matrix, const struct report_effects *effects)
{
	m->run = report_run(&m->f, matrix, effects);
	m->out = xasprintf("%s/report", m->run);
	write_report(m->run, NULL);
}

static void drop_report(struct made *m)
{
	fixture_drop(&m->f);
	free(m->run);
	free(m->out);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %.3000s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	const char *at = strstr(text, part);

	if (at)
		fail_msg("'%s' is there: %.200s", part, at);
}

static size_t count_of(const char *text, const char *part)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}

static size_t size_of(const char *folder, const char *name)
{
	__free_char char *path = xasprintf("%s/%s", folder, name);
	struct stat st;

	return stat(path, &st) ? 0 : (size_t)st.st_size;
}

static void assert_mailable(const char *text)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		if (len > 72)
			fail_msg("%zu columns: %.*s", len, (int)len, line);
		for (size_t i = 0; i < len; i++)
			if ((unsigned char)line[i] < 0x20 || (unsigned char)line[i] > 0x7e)
				fail_msg("no ASCII: %.*s", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* Nothing that a browser would fetch or run. A namespace is a name, not an address to go to. */
static void assert_self_contained(const char *html)
{
	static const char *const forbidden[] = {"<script", "<link", "<iframe", "<object", "<embed",
		"@import", "src=", "url(http", "url(//",
		"javascript:", "onload=", "onerror=", "https://"};

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		assert_lacks(html, forbidden[i]);
	for (const char *at = html; (at = strstr(at, "http://")); at++)
		if (strncmp(at, "http://www.w3.org/2000/svg\"", 27) &&
			strncmp(at, "http://www.w3.org/1999/xlink\"", 29))
			fail_msg("an address: %.80s", at);
}

/* ---- text -------------------------------------------------------------------------------------
 */

static void assert_text(void (*add)(struct buf *b, const char *s), const char *in, const char *want)
{
	struct buf b = {0};

	buf_addstr(&b, "");
	add(&b, in);
	assert_string_equal(b.data, want);
	buf_free(&b);
}

static void test_html_text(void **state)
{
	(void)state;
	assert_text(text_add_html, "<a b=\"c\">&'", "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
	assert_text(text_add_html, "\xc3\xa4 \xff\x01", "\xc3\xa4 \xef\xbf\xbd ");
	/* Overlong '<', a surrogate, a sequence cut short: none is a character. */
	assert_text(text_add_html, "\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd");
	assert_text(text_add_html, "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_text(text_add_html, "a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd");
	assert_text(text_add_url, "b000.a b#c/\xc3\xa4", "b000.a%20b%23c%2F%C3%A4");
	assert_text(text_add_html_lines, "a\n<b>\n\nc\n", "a\n&lt;b&gt;\n\nc\n");
}

static void test_md_text(void **state)
{
	(void)state;
	assert_text(text_add_md, "a|b_c*d`e<f>[g]\n@h", "a\\|b\\_c\\*d\\`e&lt;f\\>\\[g\\] &#64;h");
}

static void test_plain_text(void **state)
{
	(void)state;
	assert_text(text_add_ascii, "na\xc3\xafve \xf0\x9f\x90\xa7\t.", "na?ve ? .");
	assert_text(text_add_gnuplot, "it's `x` \\n $(y)\n", "'it\u2019s `x` \\n $(y) '");
	assert_text(text_add_field, "a\tb \"c\"\n", "a b 'c' ");
	assert_text(text_add_field, "", "-");
}

/* What a shell makes of it is the word itself. */
static void assert_shell(const char *const *words, size_t n, unsigned width)
{
	static char *const copy[] = {"printf", "%s\\0"};
	char *all[16] = {copy[0], copy[1]};
	struct buf command = {0}, out = {0};
	const char *p;

	for (size_t i = 0; i < n; i++)
		all[2 + i] = (char *)words[i];
	text_add_command(&command, all, n + 2, 2, width);
	assert_mailable(command.data);
	for (const char *line = command.data; *line; line = strchr(line, '\n') + 1)
		assert_true(strcspn(line, "\n") <= width);
	assert_int_equal(run_capture((const char *const[]){"bash", "-c", command.data, NULL}, NULL,
				 &out, NULL),
		0);
	p = out.data;
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(p, words[i]);
		p += strlen(p) + 1;
	}
	assert_int_equal(p - out.data, out.len);
	buf_free(&command);
	buf_free(&out);
}

static void test_commands_can_be_pasted(void **state)
{
	static const char *const words[] = {"matrix/default.yaml", "--only", "pi*e/$(reboot) `x`",
		"it's", "b\xc3\xa4r \\ 'x'\n", "",
		"matrix/"
		"a-very-long-name-without-any-space-in-it-that-no-line-of-a-mail-would-ever-hold-"
		"as-it-is.yaml",
		"\"long and with spaces, so that it needs quotes; still longer than a line of "
		"seventy-two columns\""};

	(void)state;
	assert_shell(words, ARRAY_SIZE(words), 72);
	assert_shell(words, ARRAY_SIZE(words), 24);
}

static void test_wrapping(void **state)
{
	struct buf b = {0};

	(void)state;
	text_wrap(&b, "one two  three abcdefghijkl m", 1, 8);
	assert_string_equal(b.data, " one two\n three\n abcdefg\n hijkl m\n");
	buf_free(&b);
}

static void assert_value(double v, const char *unit, bool named, const char *want)
{
	char text[TEXT_NUMBER];

	assert_string_equal(text_value(text, v, unit, named), want);
}

static void test_values(void **state)
{
	(void)state;
	assert_value(185391, "ops/s", true, "185.4 kops/s");
	assert_value(1113138, "ops/s", false, "1.113 M");
	assert_value(12100, "ns", false, "12.10 us");
	assert_value(850, "ns", false, "850 ns");
	assert_value(9277000, "ns/op", false, "9.28 ms/op");
	assert_value(53880, "ns/op", true, "53.9 us/op");
	assert_value(0, "ns/op", true, "0 ns/op");
	assert_value(3, "1/op", false, "3.00");
	assert_value(36870, "1/op", true, "36.87 k/op");
	assert_value(0.000463, "1/op", false, "0.000463");
	assert_value(3e-8, "1/op", false, "3e-08");
	assert_value(-3.21e-8, "1/op", true, "-3.21e-08 1/op");
	assert_value(0, "1/op", true, "0 1/op");
	assert_value(0.98260, "share", false, "98.26 %");
	assert_value(NAN, "ops/s", true, "-");
}

static void test_effects(void **state)
{
	struct row r = {
		.metric = {.unit = "ops/s", .scale = SCALE_RATIO}, .e = {1.031, 1.02, 1.042}};
	char text[2 * TEXT_NUMBER + 4];

	(void)state;
	assert_string_equal(text_effect(text, &r, r.e.effect), "+3.1 %");
	assert_string_equal(text_interval(text, &r), "[+2.0 %, +4.2 %]");
	/* Exact mode: differences of a hundredth of a percent must show. */
	r.e = (struct estimate){.effect = 0.99951, .lo = 0.99947, .hi = 0.99955};
	assert_string_equal(text_interval(text, &r), "[-0.053 %, -0.045 %]");
	r.e = (struct estimate){.effect = 12.4, .lo = 11, .hi = 14};
	assert_string_equal(text_effect(text, &r, r.e.effect), "12.4 x");
	r.metric = (struct metric){.unit = "1/op", .scale = SCALE_DIFFERENCE};
	r.e = (struct estimate){.effect = -3, .lo = -INFINITY, .hi = 0};
	assert_string_equal(text_effect(text, &r, r.e.effect), "-3.00");
	assert_string_equal(text_interval(text, &r), "[-inf, 0]");
	r.metric.unit = "ns/op";
	r.e = (struct estimate){.effect = 1234000, .lo = -56.7, .hi = 2e6};
	assert_string_equal(text_effect(text, &r, r.e.effect), "+1.23 ms/op");
	assert_string_equal(text_interval(text, &r), "[-56.7 ns/op, +2.00 ms/op]");
	r.metric.unit = "share";
	r.e = (struct estimate){.effect = -0.1102, .lo = -0.2, .hi = 0};
	assert_string_equal(text_effect(text, &r, r.e.effect), "-11.02 pp");
}

static void test_spread(void **state)
{
	double ten[] = {9, 1, 2, 8, 3, 7, 4, 6, 5, 10}, three[] = {3, 1, 2};
	struct spread s = spread_of(ten, 10);

	(void)state;
	/* Ten boots: the second smallest and the second largest enclose the median with 97.9 %. */
	assert_true(s.median == 5.5 && s.lo == 2 && s.hi == 9 && !s.range);
	s = spread_of(three, 3);
	assert_true(s.median == 2 && s.lo == 1 && s.hi == 3 && s.range);
	assert_true(isnan(spread_of(NULL, 0).median));
}

/* ---- svg --------------------------------------------------------------------------------------
 */

static void test_svg_is_fit_for_pages(void **state)
{
	__free_char char *svg = plot_svg_refine(
		"<svg \n xmlns=\"x\">\n<title>Gnuplot</title>\n<g fill=\"none\">\n</g>\n"
		"<circle id='gpPt5' stroke-width='0.222' stroke='currentColor' cx='0' cy='0' "
		"r='1'/>"
		"<path id='gpPt7' stroke-width='0.222' stroke='currentColor' d='M0'/>"
		"<path id='gpPt0'/><use xlink:href='#gpPt0'/><g id=\"a\"><text>id='b' "
		"&lt;url(#c)</text></g></svg>",
		"one", "a < b");

	(void)state;
	assert_has(svg, "<svg class=\"kab\" role=\"img\" ");
	assert_has(svg, "<title>a &lt; b</title>");
	assert_has(svg, "id='one-gpPt0'");
	assert_has(svg, "href='#one-gpPt0'");
	assert_has(svg, "id='one-gpPt5' stroke-width='0.4' ");
	assert_has(svg, "id='one-gpPt7' stroke-width='0.222' ");
	assert_has(svg, "<g id=\"one-a\">");
	assert_has(svg, "<text>id='b' &lt;url(#c)</text>"); /* text is not touched */
	assert_lacks(svg, "<g fill=\"none\">");
	assert_has(svg, "prefers-color-scheme: dark");
}

/* ---- whole reports ----------------------------------------------------------------------------
 */

/* The report of plain effects over report_matrix, for all tests that only look at it. */
static int make_shared(void **state)
{
	struct made *m = xcalloc(1, sizeof(*m));

	make_report(m, report_matrix, &plain);
	*state = m;
	return 0;
}

static int drop_shared(void **state)
{
	drop_report(*state);
	free(*state);
	return 0;
}

static const char *const drawn[] = {"ratio", "ratio-latency_p50_ns", "winners", "scaling", "latency",
	"counts-tlb_shootdowns_per_op", "published-vm-local-cpu"};

static void test_every_figure_is_drawn(void **state)
{
	static const char *const suffixes[] = {"gp", "dat", "svg", "png"};
	const struct made *m = *state;
	__free_char char *html = fixture_read(m->out, "report.html");

	for (size_t i = 0; i < ARRAY_SIZE(drawn); i++) {
		__free_char char *figure = xasprintf("<figure id=\"%s\">", drawn[i]);

		assert_has(html, figure);
		for (size_t k = 0; k < ARRAY_SIZE(suffixes); k++) {
			__free_char char *name = xasprintf("%s.%s", drawn[i], suffixes[k]);

			if (size_of(m->out, name) < 100)
				fail_msg("%s has %zu bytes", name, size_of(m->out, name));
		}
	}
}

/* "patched +105.9 %", but "patched 40 x" and not "patched +3900.0 %". */
static void test_far_leads_are_multiples(void **state)
{
	static const struct report_effects far = {.factor = 40, .shootdowns = 1};
	const struct made *m = *state;
	__free_char char *near_ones = fixture_read(m->out, "winners.dat"), *far_ones = NULL;
	struct made other = {};

	make_report(&other, report_matrix, &far);
	far_ones = fixture_read(other.out, "winners.dat");
	assert_has(near_ones, "\tpatched +1");
	assert_lacks(near_ones, " x\n");
	assert_has(far_ones, " x\n");
	assert_lacks(far_ones, "\tpatched +");
	drop_report(&other);
}

/* What the figure is drawn from where patched does @factor times the work of stock. Caller frees. */
static char *winners_of(double factor)
{
	const struct report_effects effects = {.factor = factor, .shootdowns = 1};
	struct made m = {};
	char *text;

	make_report(&m, report_matrix, &effects);
	text = fixture_read(m.out, "winners.dat");
	drop_report(&m);
	return text;
}

/* An arm that is called the same is the best nowhere, however sure its lead is. */
static void test_no_best_without_a_verdict(void **state)
{
	__free_char char *winners = winners_of(1.007);

	(void)state;
	assert_lacks(winners, "\tpatched +");
}

/* Two that are alike, and one that is worse than either: who should not be taken is an answer, too. */
static void test_the_last_is_told(void **state)
{
	__free_char char *winners = winners_of(0.6);

	(void)state;
	assert_has(winners, "\t-1\tpatched last -4");
}

static void test_html(void **state)
{
	const struct made *m = *state;
	__free_char char *html = fixture_read(m->out, "report.html");

	assert_self_contained(html);
	assert_has(html, "<h1>patched, flag-off against stock</h1>");
	assert_has(html, "3 improvements");
	assert_has(html, "TCG");
	assert_has(html, "counts (switches, interrupts, flushes, faults) do");
	assert_has(html, "0 of 15 comparisons of the baseline with itself");
	assert_has(html, "A \\&quot;CPU\\&quot; of &lt;some&gt; kind"); /* in run.json's host */
	assert_has(html, "6.1.0-patched");
	assert_has(html, "bbbb2222");
	assert_has(html, "kab run fixture.yaml --seed 7");
	assert_has(html, "310.6 k"); /* the published rate of 4 threads */
	assert_has(html, m->f.plan->boots[0]
				 .samples[m->f.plan->boots[0].nsamples - 1]
				 .id); /* a number's sample */
	/* Beside each verdict stands what the baseline does against itself. */
	assert_has(html, "<th class=\"spare\">stock itself</th>");
	/* Of 30 verdicts the changes come first, and the others open on request. */
	assert_true(strstr(html, "<tr id=\"row0\">") <
		    strstr(html, "<summary>Not called a change (27)</summary>"));
	assert_true(strstr(html, "<tr id=\"row1\">") >
		    strstr(html, "<summary>Not called a change (27)</summary>"));
	/* Verdicts and our figures in published tables lead to rows, which are there. */
	assert_has(html, "<a class=\"chip improvement\" href=\"#row");
	assert_has(html, "<a href=\"#row0\"><b>");
	assert_has(html, "<tr id=\"row0\">");
	assert_has(html, "prefers-color-scheme");
	assert_has(html, "@media print");
	assert_has(html, "</html>");
}

/* A sample's value leads to its captures from the run's own folder, and from nowhere else. */
static void test_numbers_lead_to_captures(void **state)
{
	struct made m;
	__free_char char *raw = NULL, *link = NULL, *elsewhere = NULL, *html = NULL, *other = NULL;
	const char *id;

	(void)state;
	m.run = report_run(&m.f, small_matrix, &plain);
	m.out = xasprintf("%s/report", m.run);
	id = m.f.plan->boots[0].samples[m.f.plan->boots[0].nsamples - 1].id;
	raw = xasprintf("%s/raw/%s", m.run, id);
	assert_int_equal(dir_make(raw, NULL), 0);
	assert_int_equal(cmd_report(3, (char *[]){"report", "-q", m.run, NULL}), KAB_OK);
	html = fixture_read(m.out, "report.html");
	link = xasprintf("<a href=\"../raw/%s/\" title=\"%s\">", id, id);
	assert_has(html, link);
	elsewhere = xasprintf("%s/elsewhere", m.f.results);
	write_report(m.run, elsewhere);
	other = fixture_read(elsewhere, "report.html");
	assert_lacks(other, "../raw/");
	drop_report(&m);
}

/* Arms measured apart: the one report has the first run's baseline and the second run's arms, each from its own samples. */
static void test_two_runs(void **state)
{
	static const struct report_effects more = {.factor = 6, .shootdowns = 3, .latency = true};
	struct run_fixture f, g;
	__free_char char *a = report_run(&f, small_matrix, &plain), *b = report_run(&g, small_matrix, &more);
	__free_char char *name = xstrdup(strrchr(a, '/') + 1), *out = xasprintf("%s/report-against-%s", b, name);
	__free_char char *html = NULL, *md = NULL, *counts = NULL, *latency = NULL, *winners = NULL;

	(void)state;
	assert_int_equal(cmd_report(4, (char *[]){"report", "-q", a, b, NULL}), KAB_OK);
	html = fixture_read(out, "report.html");
	assert_self_contained(html);
	/* The second run's stock is the first one's kernel again: a control. */
	assert_has(html, "<h1>patched against stock</h1>");
	assert_has(html, "<h3>stock (baseline)</h3>");
	assert_has(html, "<h3>second run&#39;s stock</h3>");
	assert_has(html, strrchr(a, '/') + 1);
	assert_has(html, strrchr(b, '/') + 1);
	assert_has(html, "nothing that drifted between them cancels");
	assert_lacks(html, "rings: single blocks");
	assert_lacks(html, "published");
	md = fixture_read(out, "report.md");
	assert_int_equal(count_of(md, "\nkab run "), 2);
	/* The key of a figure by arm, and three arms in its data: shootdowns of the first run's stock, and of the second's. */
	counts = fixture_read(out, "counts-tlb_shootdowns_per_op.dat");
	assert_has(counts, "\t0\t1\t1\t1\t");
	assert_has(counts, "\n0\t1\t3\t3\t3\t");
	assert_true(size_of(out, "counts-tlb_shootdowns_per_op.png") > 1000);
	latency = fixture_read(out, "latency.dat");
	assert_int_equal(count_of(latency, "\n\n\n"), 12);
	winners = fixture_read(out, "winners.dat");
	assert_has(winners, "patched +49");
	fixture_drop(&f);
	fixture_drop(&g);
}

/* A control of the baseline's name is no rival of it; and what the comparison leaves out is not drawn, failed samples by name. */
static void test_two_runs_that_differ(void **state)
{
	static const char other_matrix[] = "base: {package: linux-source-6.1}\nbaseline: stock\n"
					   "arms:\n  stock: {series: ['vm-local-cpu:1']}\n  patched: {series: [vm-local-cpu]}\n"
					   "executor: {vm: {cpus: 2, nodes: 1, memory: 512M}}\nblocks: 8\nsamples: 2\nseed: 7\n"
					   "workloads:\n  - {name: localcpu}\n  - {name: pipe, mode: thread}\n";
	static const struct report_effects less = {.factor = 0.5, .latency = true};
	struct run_fixture f, g;
	__free_char char *a = report_run(&f, small_matrix, &plain), *b = report_run(&g, other_matrix, &less);
	__free_char char *out = xasprintf("%s/both", b), *winners = NULL, *latency = NULL, *html = NULL;
	struct sample s = fixture_sample(&g, 0, 0);
	struct store *store = store_open(b, true, NULL, NULL);

	(void)state;
	free(s.id);
	s.id = xstrdup("b000.lost");
	s.status = SAMPLE_FAILED;
	free(s.arm);
	s.arm = xstrdup("stock");
	s.reason = xstrdup("it was lost");
	assert_int_equal(store_append(store, &s, NULL), 0);
	sample_clear(&s);
	store_close(store);
	assert_int_equal(cmd_report(6, (char *[]){"report", "-q", "--out", out, a, b, NULL}), KAB_OK);
	winners = fixture_read(out, "winners.dat");
	assert_has(winners, "stock +");
	latency = fixture_read(out, "latency.gp");
	assert_has(latency, "localcpu");
	assert_lacks(latency, "pipe");
	html = fixture_read(out, "report.html");
	assert_has(html, "differ in &quot;mode&quot;");
	assert_has(html, "<td>second run&#39;s stock</td><td class=\"verdict failed\">");
	fixture_drop(&f);
	fixture_drop(&g);
}

static void test_blocks_of_two_runs(void **state)
{
	static const struct report_effects more = {.factor = 6, .shootdowns = 3};
	struct compare_options opt = {0};
	struct error err = {0};
	struct run_fixture f, g;
	__free_char char *a = report_run(&f, small_matrix, &plain), *b = report_run(&g, small_matrix, &more);
	struct store *run = store_open(a, false, NULL, &err), *other = store_open(b, false, NULL, &err);
	struct comparison *c = compare_runs(run, other, &opt, &err);
	struct report r;
	size_t seen = 0;

	(void)state;
	assert_int_equal(report_data_make(run, other, c, &r, &err), 0);
	assert_int_equal(r.narms, 3);
	assert_ptr_equal(report_baseline(&r), &r.arms[0]);
	assert_true(r.arms[0].run == run && r.arms[1].run == other && r.arms[2].run == other);
	for (size_t i = 0; i < c->nrows; i++) {
		const struct row *row = &c->rows[i];
		struct blocks blocks = report_row_blocks(&r, row);

		if (!strcmp(row->cell, "localcpu") && !strcmp(row->metric.name, "ops_per_s")) {
			double ratio = blocks.v[0].arm.median / blocks.v[0].base.median;

			assert_int_equal(blocks.n, 8);
			assert_true(isnan(blocks.v[0].effect));
			assert_true(!strcmp(row->arm, "patched") ? ratio > 5 && ratio < 7 : ratio > 0.9 && ratio < 1.1);
			seen++;
		}
		blocks_free(&blocks);
	}
	assert_int_equal(seen, 2);
	report_data_clear(&r);
	comparison_free(c);
	store_close(run);
	store_close(other);
	fixture_drop(&f);
	fixture_drop(&g);
}

static void test_bad_operands(void **state)
{
	struct run_fixture f;
	__free_char char *run = report_run(&f, small_matrix, &plain), *gone = xasprintf("%s/gone", f.results);
	__free_char char *against = xasprintf("report-against-%s/report.html", strrchr(run, '/') + 1);

	(void)state;
	assert_int_equal(cmd_report(4, (char *[]){"report", "-q", run, run, NULL}), KAB_USAGE);
	assert_int_equal(cmd_report(5, (char *[]){"report", "-q", run, run, run, NULL}), KAB_USAGE);
	assert_int_equal(cmd_report(4, (char *[]){"report", "-q", run, gone, NULL}), KAB_USAGE);
	assert_int_equal(size_of(run, "report/report.html"), 0);
	assert_int_equal(size_of(run, against), 0);
	fixture_drop(&f);
}

/* Several series in one kernel: each has its section, with what it was published with. */
static void test_each_series_has_its_section(void **state)
{
	static const char matrix[] =
		"base: {package: linux-source-6.1}\nbaseline: stock\n"
		"arms:\n  stock: {series: ['vm-local-cpu:1']}\n"
		"  all: {series: [vm-local-cpu, rseq-vcpu-id]}\n"
		"executor: {vm: {cpus: 2, nodes: 1, memory: 512M}}\n"
		"blocks: 8\nsamples: 2\nseed: 7\nworkloads:\n  - {name: localcpu}\n";
	struct made m;
	__free_char char *html = NULL;
	const char *second;

	(void)state;
	make_report(&m, matrix, &plain);
	html = fixture_read(m.out, "report.html");
	assert_has(html, "Series vm-local-cpu, published in");
	second = strstr(html, "Series rseq-vcpu-id, published in");
	assert_non_null(second);
	/* Of which this matrix measures nothing: said, and its table folded. */
	assert_has(second, "Nothing of it was measured in this run");
	assert_has(second, "<details><summary>The published table</summary>");
	drop_report(&m);
}

static void test_markdown(void **state)
{
	const struct made *m = *state;
	__free_char char *md = NULL;
	const char *table;
	size_t rows = 0;

	md = fixture_read(m->out, "report.md");
	assert_has(md, "# patched, flag-off against stock");
	assert_has(md, "![patched, flag-off against stock: operations a second](ratio.svg)");
	assert_has(md, "| of stock | of the arm |");
	assert_has(md, "| localcpu/cpus=4 | patched | operations a second |");
	/* 5 workloads' cells on 3 machines, 2 arms that are no control. */
	table = strstr(md, "## Verdicts");
	assert_non_null(table);
	for (const char *line = strstr(table, "\n|---") + 1;
		(line = strchr(line, '\n')) && line[1] == '|'; line++) {
		size_t bars = 0;

		for (const char *c = line + 1; *c != '\n'; c++)
			bars += *c == '|';
		assert_int_equal(bars, 10);
		rows++;
	}
	assert_int_equal(rows, 30);
}

static void test_cover_letter(void **state)
{
	struct made m;
	__free_char char *text = NULL;

	(void)state;
	make_report(&m, small_matrix, &plain);
	text = fixture_read(m.out, "cover-letter.txt");
	assert_mailable(text);
	assert_has(text, "patched against stock: operations a second, more is better");
	assert_has(text, "localcpu ");
	assert_has(text, "improvement");
	assert_has(text, "stock: Linux 6.1.192 + vm-local-cpu:1\n");
	assert_has(text, "patched: Linux 6.1.192 + vm-local-cpu\n");
	assert_has(text, "vm executor, QEMU with TCG, 2 vCPUs");
	assert_has(text, "  kab run fixture.yaml --seed 7\n");
	drop_report(&m);
}

/*
 * Text that would break out of every format there is. Names of arms are letters and digits, but
 * values of parameters, units and reasons are anything.
 */
static void test_foreign_text(void **state)
{
	static const char head[] = "base: {package: linux-source-6.1}\n"
				   "baseline: stock\n"
				   "arms:\n"
				   "  stock: {}\n"
				   "  a_long.name-of-an-arm+which-just-fits-40: {cmdline: x}\n"
				   "executor: {vm: {cpus: [1, 2], nodes: 1, memory: 512M}}\n"
				   "blocks: 7\n"
				   "samples: 1\n"
				   "seed: 7\n"
				   "workloads:\n"
				   "  - {name: other, command: \"echo %s\", figure: {regex: "
				   "'([0-9]+)', name: marks_per_s, unit: \"%s\", better: more}}\n"
				   "  - {name: localcpu, mode: [\"%s\", "
				   "a-value-that-is-quite-long-and-goes-on-and-on-and-on-so-that-"
				   "no-table-could-ever-hold-it]}\n";
	static const char *const evil[] = {"</script><b>x", "a_b^{c}'.system('touch KABPWN').'",
		"$(touch KABPWN)`touch KABPWN`",
		"\xc3\xa4\xe6\xbc\xa2 100%d \\\\n \\\"q\\\" | #1 @all",
		"' ; set output '|touch KABPWN"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(evil); i++) {
		__free_char char *matrix = xasprintf(head, evil[i], evil[i], evil[i]);
		__free_char char *html = NULL, *text = NULL, *svg = NULL, *pwned = NULL;
		struct made m;

		make_report(&m, matrix, &plain);
		html = fixture_read(m.out, "report.html");
		text = fixture_read(m.out, "cover-letter.txt");
		svg = fixture_read(m.out, "ratio.svg");
		assert_self_contained(html);
		assert_lacks(html, "<b>x");
		assert_lacks(svg, "<b>x");
		assert_mailable(text);
		pwned = xasprintf("%s/plots/KABPWN", kab_home());
		assert_int_equal(access(pwned, F_OK), -1);
		assert_int_equal(access("KABPWN", F_OK), -1);
		drop_report(&m);
	}
}

static void test_underscores_stay_in_figures(void **state)
{
	static const char matrix[] = "base: {package: linux-source-6.1}\nbaseline: stock\n"
				     "arms:\n  stock: {}\n  a_b_c: {cmdline: x}\n"
				     "executor: {vm: {cpus: [1, 2], nodes: 1, memory: 512M}}\n"
				     "blocks: 7\nsamples: 1\nseed: 7\nworkloads:\n  - {name: pipe, "
				     "my_mode: ['x_y^{z}', '100%d']}\n";
	struct made m;
	__free_char char *ratio = NULL, *scaling = NULL;

	(void)state;
	make_report(&m, matrix, &plain);
	ratio = fixture_read(m.out, "ratio.svg");
	scaling = fixture_read(m.out, "scaling.svg");
	assert_has(ratio, "pipe/my_mode=x_y^{z}/cpus=1");
	assert_has(ratio, "pipe/my_mode=100%d/cpus=2");
	assert_has(scaling, ">a_b_c<");
	drop_report(&m);
}

/* Panels are called by what tells them from each other, and do not run into each other. */
static void test_panels_have_room_for_their_names(void **state)
{
	static const char matrix[] =
		"base: {package: linux-source-6.1}\nbaseline: stock\n"
		"arms:\n  stock: {}\n  patched: {cmdline: x}\n"
		"executor: {vm: {cpus: [1, 2], nodes: 1, memory: 512M}}\n"
		"blocks: 7\nsamples: 1\nseed: 7\nworkloads:\n"
		"  - {name: fault, faulters: 1, mappers: 0, duration: 400ms}\n"
		"  - {name: fault, faulters: [2, 3, 4, 5, 6, 7], mappers: 1, pause: 100us, duration: 400ms}\n"
		"  - {name: pipe, mode: [process, thread], pin: 0}\n";
	struct made m;
	__free_char char *scaling = NULL, *script = NULL;

	(void)state;
	make_report(&m, matrix, &plain);
	scaling = fixture_read(m.out, "scaling.svg");
	assert_has(scaling, ">fault/faulters=1/mappers=0<");
	assert_has(scaling, ">fault/faulters=7/mappers=1/pause=100us<");
	assert_has(scaling, ">pipe/mode=thread<");
	script = fixture_read(m.out, "scaling.gp");
	assert_has(script, "columns = 2\n"); /* three for nine panels, if they had room */
	drop_report(&m);
}

static void test_figures_follow_the_data(void **state)
{
	struct report_effects other = plain;
	const struct made *a = *state;
	struct made b;

	other.factor = 1.7;
	other.shootdowns = 2;
	make_report(&b, report_matrix, &other);
	for (size_t i = 0; i < ARRAY_SIZE(drawn); i++) {
		__free_char char *name = xasprintf("%s.svg", drawn[i]);
		__free_char char *one = fixture_read(a->out, name),
				 *two = fixture_read(b.out, name);

		/* The published curve is a shape, and a factor that holds for all rows does not
		 * change that. */
		if (strcmp(drawn[i], "published-vm-local-cpu"))
			assert_string_not_equal(one, two);
	}
	drop_report(&b);
}

static void test_all_failed(void **state)
{
	struct report_effects failed = plain;
	struct made m;
	__free_char char *html = NULL, *text = NULL;

	(void)state;
	failed.status = SAMPLE_OOPS;
	make_report(&m, small_matrix, &failed);
	html = fixture_read(m.out, "report.html");
	text = fixture_read(m.out, "cover-letter.txt");
	assert_self_contained(html);
	assert_has(html, "it said: &lt;no&gt; &amp; &quot;never&quot;");
	assert_has(html, "oops");
	assert_has(html, "boots/0/console.log");
	assert_mailable(text);
	assert_has(text, "failed");
	assert_int_equal(size_of(m.out, "ratio.svg"), 0); /* nothing to draw */
	drop_report(&m);
}

static void test_one_block(void **state)
{
	struct report_effects once = plain;
	struct made m;
	__free_char char *html = NULL, *text = NULL;

	(void)state;
	once.blocks = 1;
	make_report(&m, small_matrix, &once);
	html = fixture_read(m.out, "report.html");
	text = fixture_read(m.out, "cover-letter.txt");
	assert_has(html, "unclear");
	assert_has(html, "it cannot decide");
	assert_has(text, "unclear");
	assert_mailable(text);
	assert_true(size_of(m.out, "ratio.png") > 1000);
	drop_report(&m);
}

static void test_no_latency(void **state)
{
	struct report_effects without = plain;
	struct made m;
	__free_char char *html = NULL;

	(void)state;
	without.latency = false;
	make_report(&m, small_matrix, &without);
	html = fixture_read(m.out, "report.html");
	assert_lacks(html, "id=\"latency\"");
	assert_int_equal(size_of(m.out, "latency.svg"), 0);
	assert_true(size_of(m.out, "ratio.svg") > 1000);
	drop_report(&m);
}

/* Radius in pixels of the smallest ring in @svg, whose circle is called @id; 0: there is none. */
static double smallest_ring(const char *svg, const char *id)
{
	__free_char char *use = xasprintf("<use xlink:href='#%s' transform='translate(", id);
	double smallest = 0;

	for (const char *at = svg; (at = strstr(at, use)); at++) {
		const char *scale = strstr(at, "scale(");
		double v = scale ? strtod(scale + 6, NULL) : 0;

		smallest = smallest && smallest < v ? smallest : v;
	}
	return smallest;
}

static void test_rings_can_be_seen(void **state)
{
	static const char *const stems[] = {
		"ratio", "scaling", "latency", "counts-tlb_shootdowns_per_op"};
	const struct made *m = *state;

	for (size_t i = 0; i < ARRAY_SIZE(stems); i++) {
		__free_char char *name = xasprintf("%s.svg", stems[i]),
				 *id = xasprintf("%s-gpPt5", stems[i]);
		__free_char char *svg = fixture_read(m->out, name);
		double r = smallest_ring(svg, id);

		if (r < 2)
			fail_msg("%s: rings of %g pixels", name, r);
		assert_has(svg, "stroke-width='0.4' stroke='currentColor' cx='0'");
	}
}

/* A run that has controls alone, as --aa makes it: they are the verdicts. */
static void test_aa_run(void **state)
{
	static const char matrix[] =
		"base: {package: linux-source-6.1}\nbaseline: stock\n"
		"arms:\n  stock: {}\n  same-again: {}\n"
		"executor: {vm: {cpus: 2, nodes: 1, memory: 512M}}\n"
		"blocks: 8\nsamples: 2\nseed: 7\nworkloads:\n  - {name: pipe}\n";
	struct made m;
	__free_char char *html = NULL, *text = NULL;

	(void)state;
	make_report(&m, matrix, &plain);
	html = fixture_read(m.out, "report.html");
	text = fixture_read(m.out, "cover-letter.txt");
	assert_has(html, "same-again against stock: the baseline against itself");
	assert_has(html, "0 of 1 comparisons of the baseline with itself came out as a change");
	assert_lacks(html, "No primary figure was compared");
	assert_has(text, "pipe ");
	assert_has(text, "same");
	drop_report(&m);
}

/* The folder is all that a report needs; where it lies, and whether it can be written, does not
 * matter. */
static void test_copied_and_read_only(void **state)
{
	struct made m;
	__free_char char *copy = NULL, *out = NULL, *here = NULL, *there = NULL;

	(void)state;
	make_report(&m, small_matrix, &plain);
	copy = xasprintf("%s/else where's copy", m.f.results);
	out = xasprintf("%s/out/deep", m.f.results);
	assert_int_equal(
		run_command((const char *const[]){"cp", "-r", m.run, copy, NULL}, NULL, NULL, NULL),
		0);
	assert_int_equal(run_command((const char *const[]){"chmod", "-R", "a-w", copy, NULL}, NULL,
				 NULL, NULL),
		0);
	write_report(copy, out);
	here = fixture_read(m.out, "report.md");
	there = fixture_read(out, "report.md");
	assert_string_equal(here, there);
	assert_true(size_of(out, "ratio.png") > 1000);
	assert_int_equal(run_command((const char *const[]){"chmod", "-R", "u+w", copy, NULL}, NULL,
				 NULL, NULL),
		0);
	drop_report(&m);
}

static void test_gnuplot_missing(void **state)
{
	char *path = xstrdup(getenv("PATH"));
	struct compare_options opt = {0};
	struct error err = {0};
	struct run_fixture f;
	__free_char char *run = report_run(&f, small_matrix, &plain);
	struct store *s = store_open(run, false, NULL, &err);
	struct comparison *c = compare_runs(s, NULL, &opt, &err);

	(void)state;
	setenv("PATH", "/nowhere", 1);
	assert_int_equal(report_write(s, NULL, c, NULL, &err), -1);
	setenv("PATH", path, 1);
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	assert_has(err.text, "gnuplot-nox");
	comparison_free(c);
	store_close(s);
	fixture_drop(&f);
	free(path);
}

/* A folder that cannot be made is told, not worked around. */
static void test_no_place_to_write(void **state)
{
	struct compare_options opt = {0};
	struct error err = {0};
	struct run_fixture f;
	__free_char char *run = report_run(&f, small_matrix, &plain);
	__free_char char *out = xasprintf("%s/run.json/report", run);
	struct store *s = store_open(run, false, NULL, &err);
	struct comparison *c = compare_runs(s, NULL, &opt, &err);

	(void)state;
	assert_int_equal(report_write(s, NULL, c, out, &err), -1);
	assert_has(err.text, "run.json");
	comparison_free(c);
	store_close(s);
	fixture_drop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_html_text),
		cmocka_unit_test(test_md_text),
		cmocka_unit_test(test_plain_text),
		cmocka_unit_test(test_commands_can_be_pasted),
		cmocka_unit_test(test_wrapping),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_effects),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_svg_is_fit_for_pages),
		cmocka_unit_test(test_every_figure_is_drawn),
		cmocka_unit_test(test_far_leads_are_multiples),
		cmocka_unit_test(test_no_best_without_a_verdict),
		cmocka_unit_test(test_the_last_is_told),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_numbers_lead_to_captures),
		cmocka_unit_test(test_two_runs),
		cmocka_unit_test(test_two_runs_that_differ),
		cmocka_unit_test(test_blocks_of_two_runs),
		cmocka_unit_test(test_bad_operands),
		cmocka_unit_test(test_each_series_has_its_section),
		cmocka_unit_test(test_markdown),
		cmocka_unit_test(test_cover_letter),
		cmocka_unit_test(test_underscores_stay_in_figures),
		cmocka_unit_test(test_panels_have_room_for_their_names),
		cmocka_unit_test(test_figures_follow_the_data),
		cmocka_unit_test(test_all_failed),
		cmocka_unit_test(test_one_block),
		cmocka_unit_test(test_no_latency),
		cmocka_unit_test(test_rings_can_be_seen),
		cmocka_unit_test(test_aa_run),
		cmocka_unit_test(test_copied_and_read_only),
		cmocka_unit_test(test_gnuplot_missing),
		cmocka_unit_test(test_no_place_to_write),
		cmocka_unit_test(test_foreign_text),
	};

	return cmocka_run_group_tests_name("report", tests, make_shared, drop_shared);
}
