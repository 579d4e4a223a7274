// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gnuplot's SVG made fit for pages. gnuplot writes every colour as an attribute, which a style rule
 * beats: the rules below turn the neutral colours of plots/style.gp, and those of its palette that
 * are too dark on a dark ground, where the reader prefers dark. Printing keeps the light ones.
 */
#include <stdlib.h>
#include <string.h>

#include "plot.h"
#include "report_text.h"

/* Colour as in plots/style.gp -> the same on a dark ground. */
static const struct {
	unsigned light, dark;
} turned[] = {
	{0xffffff, 0x15191e}, /* paper */
	{0x222222, 0xe6e6e6}, /* ink */
	{0x666666, 0xa8aeb5}, /* soft */
	{0xdddddd, 0x343a41}, /* rule */
	{0xe8edf2, 0x262d35}, /* band */
	{0x0072b2, 0x4aa8e0},
	{0xd55e00, 0xff8a3d},
	{0x009e73, 0x2ec79a},
	{0x8a6d00, 0xd9b13b},
	{0x882255, 0xe07aae},
};

/* gnuplot spells one colour in three ways, by where it stands. */
static void add_rule(struct buf *b, const char *property, unsigned light, unsigned dark)
{
	unsigned red = light >> 16, green = light >> 8 & 255, blue = light & 255;

	buf_addf(b,
		"svg.kab [%s=\"rgb(%3u, %3u, %3u)\"],svg.kab [%s=\"rgb(%u,%u,%u)\"],svg.kab "
		"[%s=\"#%06x\"]{%s:#%06x}\n",
		property, red, green, blue, property, red, green, blue, property, light, property,
		dark);
}

static void add_style(struct buf *b)
{
	buf_addstr(b, "<style>@media screen and (prefers-color-scheme: dark) {\n");
	for (size_t i = 0; i < ARRAY_SIZE(turned); i++) {
		add_rule(b, "stroke", turned[i].light, turned[i].dark);
		add_rule(b, "fill", turned[i].light, turned[i].dark);
		add_rule(b, "color", turned[i].light, turned[i].dark);
	}
	buf_addstr(b, "svg.kab g[color=\"black\"]{color:#e6e6e6}\n}</style>\n");
}

/* @s at @here starts with @what: appends @with and steps over it. */
static bool replace_at(struct buf *b, const char **here, const char *what, const char *with)
{
	size_t len = strlen(what);

	if (strncmp(*here, what, len))
		return false;
	buf_addstr(b, with);
	*here += len;
	return true;
}

/* "<g ...>" that nothing but white space parts from its "</g>": its length with both, else 0. */
static size_t empty_group(const char *s)
{
	const char *end;

	if (strncmp(s, "<g ", 3))
		return 0;
	end = strchr(s, '>');
	if (!end)
		return 0;
	end++;
	end += strspn(end, " \t\n");
	return strncmp(end, "</g>", 4) ? 0 : (size_t)(end + 4 - s);
}

static char *without_empty_groups(const char *svg)
{
	struct buf b = {0};

	while (*svg) {
		size_t skip = empty_group(svg), run;

		svg += skip;
		svg += skip ? strspn(svg, "\n") : 0;
		if (skip)
			continue;
		run = 1 + strcspn(svg + 1, "<");
		buf_add(&b, svg, run);
		svg += run;
	}
	return b.data ? b.data : xstrdup("");
}

struct refiner {
	char *id1, *id2, *href, *url;
};

/* Inside a tag: ids get their prefix, the font its substitutes. Returns whether something was
 * replaced. */
static bool refine_attribute(struct buf *b, const char **here, const struct refiner *r)
{
	return replace_at(b, here, "id='", r->id1) || replace_at(b, here, "id=\"", r->id2) ||
	       replace_at(b, here, "href='#", r->href) || replace_at(b, here, "url(#", r->url) ||
	       /* A ring's line as thick as a frame's; gnuplot's is a hair that nobody sees. */
	       replace_at(b, here, "stroke-width='0.222' stroke='currentColor' cx='0'",
		       "stroke-width='0.4' stroke='currentColor' cx='0'") ||
	       replace_at(b, here, "font-family=\"DejaVu Sans\"",
		       "font-family=\"DejaVu Sans, Verdana, Arial, sans-serif\"");
}

static void add_head(struct buf *b, const char *title)
{
	buf_addstr(b, "<title>");
	text_add_html(b, title);
	buf_addstr(b, "</title>\n");
	add_style(b);
}

static void refine(struct buf *b, const char *here, const char *title, const struct refiner *r)
{
	static const char head[] = "<title>Gnuplot</title>", root[] = "<svg ";
	bool in_tag = false, headed = false;

	while (*here) {
		if (!headed && !strncmp(here, head, strlen(head))) {
			add_head(b, title);
			here += strlen(head);
			headed = true;
		} else if (!headed &&
			   replace_at(b, &here, root, "<svg class=\"kab\" role=\"img\" ")) {
			continue;
		} else if (!in_tag || !refine_attribute(b, &here, r)) {
			/* Text holds no '<' of its own: it is escaped there. */
			in_tag = *here == '<' || (in_tag && *here != '>');
			buf_add(b, here++, 1);
		}
	}
}

char *plot_svg_refine(const char *svg, const char *stem, const char *title)
{
	__free_char char *lean = without_empty_groups(svg);
	struct refiner r = {
		.id1 = xasprintf("id='%s-", stem),
		.id2 = xasprintf("id=\"%s-", stem),
		.href = xasprintf("href='#%s-", stem),
		.url = xasprintf("url(#%s-", stem),
	};
	struct buf b = {0};

	refine(&b, lean, title, &r);
	free(r.id1);
	free(r.id2);
	free(r.href);
	free(r.url);
	return b.data ? b.data : xstrdup("");
}
