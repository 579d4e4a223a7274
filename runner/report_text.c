// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers and foreign text for reports. What is dangerous in a format is known here and nowhere
 * else. */
#include "report_text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/*
 * Length of the UTF-8 sequence at @s: 1 to 4, or 0 if there is none. Overlong forms, surrogates and
 * what lies beyond U+10FFFF are none (RFC 3629).
 */
static size_t utf8_length(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = u[0] < 0x80	 ? 1
		   : u[0] < 0xc2 ? 0
		   : u[0] < 0xe0 ? 2
		   : u[0] < 0xf0 ? 3
		   : u[0] < 0xf5 ? 4
				 : 0;

	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
		(u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* What stands for the ASCII character @c in a format; NULL: itself. */
typedef const char *substitute(char c);

static void add_text(struct buf *b, const char *s, substitute *sub, const char *bad)
{
	while (*s) {
		size_t n = utf8_length(s);

		if (n == 1) {
			const char *other = is_control(*s) ? " " : sub(*s);

			buf_add(b, other ? other : s, other ? strlen(other) : 1);
		} else if (n) {
			buf_add(b, s, n);
		} else {
			buf_addstr(b, bad);
		}
		s += n ? n : 1;
	}
}

static const char *sub_html(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return NULL;
}

void text_add_html(struct buf *b, const char *s)
{
	add_text(b, s, sub_html, REPLACEMENT);
}

/* All but RFC 3986's unreserved characters are written as their bytes. */
void text_add_url(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("-._~", *s))
			buf_add(b, s, 1);
		else
			buf_addf(b, "%%%02X", (unsigned char)*s);
	}
}

void text_add_html_lines(struct buf *b, const char *s)
{
	while (*s) {
		size_t len = strcspn(s, "\n");
		__free_char char *line = xstrndup(s, len);

		text_add_html(b, line);
		s += len;
		if (*s) {
			buf_addstr(b, "\n");
			s++;
		}
	}
}

/* Whatever GitHub-flavoured markdown gives a meaning inside a line; also '@', which would call
 * people. */
static const char *sub_md(char c)
{
	static char escaped[3] = "\\";

	if (c == '<')
		return "&lt;";
	if (c == '&')
		return "&amp;";
	if (c == '@')
		return "&#64;";
	if (!strchr("\\`*_[]#|~>", c))
		return NULL;
	escaped[1] = c;
	return escaped;
}

void text_add_md(struct buf *b, const char *s)
{
	add_text(b, s, sub_md, REPLACEMENT);
}

void text_add_ascii(struct buf *b, const char *s)
{
	while (*s) {
		size_t n = utf8_length(s);
		char c = n == 1 ? is_control(*s) ? ' ' : *s : '?';

		buf_add(b, &c, 1);
		s += n ? n : 1;
	}
}

/* gnuplot 5.4 does not read every string with doubled quotes in it, so that none is left: U+2019
 * looks the same. */
static const char *sub_gnuplot(char c)
{
	return c == '\'' ? "\u2019" : NULL;
}

void text_add_gnuplot(struct buf *b, const char *s)
{
	buf_addstr(b, "'");
	add_text(b, s, sub_gnuplot, "?");
	buf_addstr(b, "'");
}

/* A double quote would end the field even between tabs. */
static const char *sub_field(char c)
{
	return c == '"' ? "'" : NULL;
}

void text_add_field(struct buf *b, const char *s)
{
	add_text(b, *s ? s : "-", sub_field, "?");
}

void text_add_shell(struct buf *b, const char *s)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
	bool foreign = false;

	if (*s && strspn(s, plain) == strlen(s)) {
		buf_addstr(b, s);
		return;
	}
	for (const char *c = s; *c; c++)
		foreign |= is_control(*c) || (unsigned char)*c >= 0x80;
	buf_addstr(b, foreign ? "$'" : "'");
	for (; *s; s++) {
		if (foreign && (is_control(*s) || (unsigned char)*s >= 0x80))
			buf_addf(b, "\\%03o", (unsigned char)*s);
		else if (foreign && (*s == '\'' || *s == '\\'))
			buf_addf(b, "\\%c", *s);
		else if (*s == '\'')
			buf_addstr(b, "'\\''");
		else
			buf_add(b, s, 1);
	}
	buf_addstr(b, "'");
}

/* Longest prefix of @s that fits into @room and ends before a space or at its end; 0: no such. */
static size_t fitting(const char *s, size_t room)
{
	size_t last = 0;

	if (strlen(s) <= room)
		return strlen(s);
	for (size_t i = 1; i <= room; i++)
		if (s[i] == ' ')
			last = i;
	return last;
}

void text_wrap(struct buf *b, const char *s, unsigned indent, unsigned width)
{
	size_t room = width > indent ? width - indent : 1;

	while (*(s += strspn(s, " "))) {
		size_t n = fitting(s, room);

		if (!n)
			n = room;
		buf_addf(b, "%*s%.*s\n", (int)indent, "", (int)n, s);
		s += n;
	}
}

/* As much of @word as stays within @room columns once quoted, quoted into @piece; returns its
 * length in @word. */
static size_t shell_piece(struct buf *piece, const char *word, size_t room)
{
	size_t n = strlen(word);

	for (;; n -= n > room ? n - room : 1) {
		__free_char char *part = xstrndup(word, n);

		piece->len = 0;
		text_add_shell(piece, part);
		if (piece->len <= room || n == 1)
			return n;
	}
}

/* A word that no line holds: in pieces, since a backslash vanishes together with the newline behind
 * it. */
static void add_long_word(struct buf *b, const char *word, unsigned width)
{
	struct buf piece = {0};
	size_t room = width > 1 ? width - 1 : 1;

	while (*word) {
		word += shell_piece(&piece, word, room);
		buf_addf(b, "%s%s", piece.data, *word ? "\\\n" : "");
	}
	buf_free(&piece);
}

void text_add_command(struct buf *b, char *const *words, size_t n, unsigned indent, unsigned width)
{
	struct buf word = {0};
	size_t column = 0;

	for (size_t i = 0; i < n; i++) {
		word.len = 0;
		text_add_shell(&word, words[i]);
		/* Two columns stay free for the backslash that a following word may need. */
		if (column && column + 1 + word.len + 2 > width) {
			buf_addstr(b, " \\\n");
			column = 0;
		}
		if (indent + word.len + 2 > width) {
			add_long_word(b, words[i], width - 2);
			column = width; /* where it ended does not matter: what follows gets a line
					 */
			continue;
		}
		buf_addf(b, "%*s%s", column ? 1 : (int)indent, "", word.data);
		column += (column ? 1 : indent) + word.len;
	}
	buf_addstr(b, "\n");
	buf_free(&word);
}

/* Decimal places that leave @digits significant ones, at least 0. */
static int places(double v, int digits)
{
	int magnitude = v == 0 ? 0 : (int)floor(log10(fabs(v)));

	return magnitude >= digits - 1 ? 0 : digits - 1 - magnitude;
}

struct prefix {
	double from;
	const char *name;
};

static const struct prefix times[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {0, "ns"}};
static const struct prefix thousands[] = {{1e9, "G"}, {1e6, "M"}, {1e4, "k"}, {0, ""}};

/* @digits of @v with the prefix of @table that suits it; a prefix of 10,000 stands for 1000 as all
 * do. */
static const char *with_prefix(
	char out[TEXT_NUMBER], double v, int digits, const struct prefix *table, const char *unit)
{
	size_t i = 0;
	double scale;

	while (fabs(v) < table[i].from)
		i++;
	scale = table[i].from == 1e4 ? 1e3 : table[i].from;
	v = scale ? v / scale : v;
	snprintf(out, TEXT_NUMBER, "%.*f%s%s%s",
		v == floor(v) && fabs(v) < 1e4 && !scale ? 0 : places(v, digits), v,
		*table[i].name || *unit ? " " : "", table[i].name, unit);
	return out;
}

const char *text_value(char out[TEXT_NUMBER], double v, const char *unit, bool named)
{
	const char *name = named ? unit : "", *gap = *name ? " " : "";

	if (!isfinite(v)) {
		snprintf(out, TEXT_NUMBER, "-");
		return out;
	}
	if (!strcmp(unit, "ns"))
		return with_prefix(out, v, 4, times, "");
	if (!strcmp(unit, "ns/op"))
		return with_prefix(out, v, 3, times, "/op");
	if (!strcmp(unit, "share")) {
		snprintf(out, TEXT_NUMBER, "%.*f %%", v * 100 >= 99.95 || v == 0 ? 0 : 2, v * 100);
		return out;
	}
	if (fabs(v) >= 1e4)
		return with_prefix(out, v, 4, thousands, name + !strncmp(name, "1/", 2));
	/* Rows of zeros would hide how small it is. */
	if (places(v, 3) > 6)
		snprintf(out, TEXT_NUMBER, "%.3g%s%s", v, gap, name);
	else
		snprintf(out, TEXT_NUMBER, "%.*f%s%s", v == 0 ? 0 : places(v, 3), v, gap, name);
	return out;
}

const char *text_decimals(char out[TEXT_NUMBER], double v, int decimals)
{
	if (decimals < 0 || !isfinite(v))
		return text_value(out, v, "", false);
	snprintf(out, TEXT_NUMBER, "%.*f", decimals, v);
	return out;
}

bool row_tested(const struct row *r)
{
	return r->verdict != VERDICT_SHOWN && r->verdict != VERDICT_SKIPPED &&
	       r->verdict != VERDICT_FAILED && isfinite(r->e.effect);
}

static bool far_from_one(const struct row *r)
{
	return r->e.effect >= 10;
}

/* Enough decimals to tell the ends of the interval apart, for changes of exact mode too. */
static int percent_places(const struct row *r)
{
	double width = fabs(r->e.hi - r->e.lo) * 100;

	return width < 0.02 ? 3 : width < 2 && r->e.effect < 2 ? 2 : 1;
}

static const char *text_ratio(char out[TEXT_NUMBER], const struct row *r, double v)
{
	if (far_from_one(r))
		snprintf(out, TEXT_NUMBER, "%.*f x", places(v, 3), v);
	else
		snprintf(out, TEXT_NUMBER, "%+.*f %%", percent_places(r), (v - 1) * 100);
	return out;
}

const char *text_effect(char out[TEXT_NUMBER], const struct row *r, double v)
{
	char plain[TEXT_NUMBER];

	if (!isfinite(v)) {
		snprintf(out, TEXT_NUMBER, "%s", isnan(v) ? "-" : v > 0 ? "+inf" : "-inf");
		return out;
	}
	if (r->metric.scale == SCALE_RATIO)
		return text_ratio(out, r, v);
	/* Percentage points, beside which per cents of something stand. */
	if (!strcmp(r->metric.unit, "share")) {
		snprintf(out, TEXT_NUMBER, "%+.2f pp", v * 100);
		return out;
	}
	text_value(plain, fabs(v), r->metric.unit, false);
	snprintf(out, TEXT_NUMBER, "%s%.*s",
		v > 0	? "+"
		: v < 0 ? "-"
			: "",
		TEXT_NUMBER - 2, plain);
	return out;
}

const char *text_interval(char out[2 * TEXT_NUMBER + 4], const struct row *r)
{
	char lo[TEXT_NUMBER], hi[TEXT_NUMBER];

	snprintf(out, 2 * TEXT_NUMBER + 4, "[%s, %s]", text_effect(lo, r, r->e.lo),
		text_effect(hi, r, r->e.hi));
	return out;
}

const char *text_p(char out[TEXT_NUMBER], double p)
{
	if (!isfinite(p))
		snprintf(out, TEXT_NUMBER, "-");
	else if (p < 0.0001)
		snprintf(out, TEXT_NUMBER, "< 0.0001");
	else
		snprintf(out, TEXT_NUMBER, "%.*f", p < 0.01 ? 4 : 3, p);
	return out;
}

static const char *const marks[] = {
	[VERDICT_SAME] = "\u25cf",
	[VERDICT_IMPROVEMENT] = "\u25b2",
	[VERDICT_REGRESSION] = "\u25bc",
	[VERDICT_CHANGED] = "\u25c6",
	[VERDICT_UNCLEAR] = "\u25c7",
	[VERDICT_SHOWN] = "\u00b7",
	[VERDICT_SKIPPED] = "\u2013",
	[VERDICT_FAILED] = "\u2716",
};

const char *text_mark_utf8(enum verdict v)
{
	return marks[v];
}
