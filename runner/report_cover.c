// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cover-letter.txt: what goes into the letter above a patch series. Plain ASCII in COVER_WIDTH
 * columns, since wider tables break on their way through mail programs.
 */
#include <math.h>
#include <string.h>

#include "report_format.h"
#include "report_text.h"

#define EFFECT 10
#define INTERVAL 21
#define VERDICT 11
/* Two columns of room between the parts. */
#define CELL (COVER_WIDTH - EFFECT - INTERVAL - VERDICT - 3)

/* Percent without its space: the table is narrow. */
static char *compact(const char *text)
{
	struct buf b = {0};

	for (; *text; text++)
		if (*text != ' ' || text[1] != '%')
			buf_add(&b, text, 1);
	return b.data ? b.data : xstrdup("");
}

static char *ascii(const char *text)
{
	struct buf b = {0};

	buf_addstr(&b, "");
	text_add_ascii(&b, text);
	return b.data;
}

static void add_rule(struct buf *b)
{
	for (int i = 0; i < COVER_WIDTH; i++)
		buf_addstr(b, "-");
	buf_addstr(b, "\n");
}

/* Lines of a text in ASCII, wrapped. */
static void add_paragraph(struct buf *b, const char *text)
{
	__free_char char *plain = ascii(text);

	text_wrap(b, plain, 0, COVER_WIDTH);
}

/*
 * Where a name of @len characters at @s may be cut so that at most @room stay: behind a '/' or a
 * ',' if one is there.
 */
static size_t cut(const char *s, size_t room)
{
	size_t best = 0;

	if (strlen(s) <= room)
		return strlen(s);
	for (size_t i = 0; i < room; i++)
		if (s[i] == '/' || s[i] == ',' || s[i] == ' ')
			best = i + 1;
	return best ? best : room;
}

/* A cell's name on as many lines as it needs; the figures stand on the last one. */
static void add_name(struct buf *b, const char *cell)
{
	__free_char char *name = ascii(cell);
	const char *s = name;
	size_t room = CELL, n;

	while (s[n = cut(s, room)]) {
		buf_addf(b, "%s%.*s\n", room == CELL ? "" : "  ", (int)n, s);
		s += n;
		room = CELL - 2;
	}
	buf_addf(b, "%s%-*s", room == CELL ? "" : "  ", (int)room, s);
}

static void add_row(struct buf *b, const struct row *row)
{
	char effect[TEXT_NUMBER], interval[2 * TEXT_NUMBER + 4];
	__free_char char *e = NULL, *i = NULL;

	e = compact(row_tested(row) ? text_effect(effect, row, row->e.effect) : "-");
	i = compact(row_tested(row) && isfinite(row->e.lo) ? text_interval(interval, row) : "-");
	add_name(b, row->cell);
	/* Figures that are too wide push the rest to a line of their own rather than beyond the
	 * margin. */
	if (strlen(e) > EFFECT || strlen(i) > INTERVAL)
		buf_addf(b, "\n%*s %s\n%*s", (int)(COVER_WIDTH - VERDICT - 1 - strlen(i)) - 2, e, i,
			COVER_WIDTH - VERDICT - 1, "");
	else
		buf_addf(b, " %*s %*s", EFFECT, e, INTERVAL, i);
	buf_addf(b, " %s\n", verdict_name(row->verdict));
}

/* One table: an arm, and a metric. */
struct table {
	const char *arm;
	const struct metric *metric;
};

static bool belongs(const struct report *r, const struct table *t, const struct row *row)
{
	return report_is_main(r, row) && !strcmp(row->arm, t->arm) &&
	       !strcmp(row->metric.name, t->metric->name);
}

static void add_table(struct buf *b, const struct report *r, const struct table *t)
{
	__free_char char *words = xasprintf("%s against %s: %s%s%s", t->arm, r->c->baseline,
		t->metric->title, t->metric->better == BETTER_MORE ? ", more is better" : "",
		t->metric->better == BETTER_LESS ? ", less is better" : "");
	__free_char char *level = xasprintf("%g%% interval", 100 * (1 - r->c->alpha));

	buf_addstr(b, "\n");
	add_paragraph(b, words);
	buf_addstr(b, "\n");
	buf_addf(b, "%-*s %*s %*s verdict\n", CELL, "cell", EFFECT, "effect", INTERVAL, level);
	add_rule(b);
	for (size_t i = 0; i < r->c->nrows; i++)
		if (belongs(r, t, &r->c->rows[i]))
			add_row(b, &r->c->rows[i]);
	add_rule(b);
}

static void add_tables(struct buf *b, const struct report *r)
{
	bool some = false;

	for (size_t i = 0; i < r->c->nrows; i++) {
		struct table t = {r->c->rows[i].arm, &r->c->rows[i].metric};
		bool seen = !belongs(r, &t, &r->c->rows[i]);

		for (size_t k = 0; k < i && !seen; k++)
			seen = belongs(r, &t, &r->c->rows[k]);
		if (seen)
			continue;
		add_table(b, r, &t);
		some = true;
	}
	if (!some)
		buf_addstr(b, "\nNo primary figure was compared.\n");
}

static void add_footnote(struct buf *b, const struct report *r)
{
	__free_char char *method = report_method_line(r), *control = report_control_line(r);
	__free_char char *how = xasprintf("%s. Samples: %zu ok, %zu failed, %zu skipped.", method,
		r->c->ok, r->c->failed, r->c->skipped);
	__free_char char *cpu = report_cpu_models(r), *where = xasprintf("%s%s%s.", r->machine, *cpu ? ", on " : "", cpu);

	report_arms(r, add_paragraph, b);
	add_paragraph(b, where);
	add_paragraph(b, how);
	if (control)
		add_paragraph(b, control);
}

int report_cover(const struct report *r, const char *dir, struct buf *b, struct error *err)
{
	__free_char char *summary = report_summary(r),
			 *head = xasprintf("%s: %s.", r->title, summary);

	(void)dir;
	(void)err;
	add_paragraph(b, head);
	add_tables(b, r);
	buf_addstr(b, "\n");
	add_footnote(b, r);
	for (size_t i = 0; i < r->c->nwarnings; i++) {
		__free_char char *warning = xasprintf("Warning: %s", r->c->warnings[i]);

		add_paragraph(b, warning);
	}
	buf_addstr(b, "\nReproduce:\n\n");
	text_add_command(b, r->command, r->ncommand, 2, COVER_WIDTH);
	if (r->other)
		text_add_command(b, r->other_command, r->nother_command, 2, COVER_WIDTH);
	return 0;
}
