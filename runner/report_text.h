/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text for people: numbers with units, and foreign text made safe for each format that it goes
 * into. */
#ifndef KAB_REPORT_TEXT_H
#define KAB_REPORT_TEXT_H

#include <stddef.h>

#include "compare.h"
#include "util.h"

/*
 * Appends text of any origin (labels and cells come from matrix files, reasons from programs) so
 * that it means nothing but itself in the format. Control characters become spaces, bytes that are
 * no UTF-8 a replacement.
 */
void text_add_html(struct buf *b, const char *s);
void text_add_html_lines(struct buf *b, const char *s); /* for <pre>: newlines stay */
void text_add_url(struct buf *b, const char *s); /* one part of a path */
void text_add_md(struct buf *b, const char *s);		/* also inside a table */
void text_add_ascii(struct buf *b, const char *s);	/* a character beyond ASCII becomes '?' */
/* A gnuplot string literal, quotes included: in single quotes gnuplot substitutes nothing. */
void text_add_gnuplot(struct buf *b, const char *s);
/* One tab-separated field of a data file. */
void text_add_field(struct buf *b, const char *s);
/* One word of a POSIX shell, in ASCII whatever is in it; a UTF-8 word needs a shell that knows
 * $'...'. */
void text_add_shell(struct buf *b, const char *s);

/*
 * Wraps @s at spaces to lines of at most @width columns and appends them, each after @indent spaces
 * and ended by a newline; a word that is longer is cut. ASCII in, ASCII out.
 */
void text_wrap(struct buf *b, const char *s, unsigned indent, unsigned width);
/*
 * A shell command of @n words, quoted where they need it, in ASCII lines of at most @width columns
 * that end in backslashes, so that pasting them runs the command. @width is at least 20.
 */
void text_add_command(struct buf *b, char *const *words, size_t n, unsigned indent, unsigned width);

#define TEXT_NUMBER 40

/*
 * "185.4 k", "3.00", "3e-08": @v in @unit; the unit itself follows only where @named, but times and
 * shares always have theirs: "12.10 us", "9.28 ms/op", "98.26 %". ASCII. Returns @out.
 */
const char *text_value(char out[TEXT_NUMBER], double v, const char *unit, bool named);
/* @v, bare, with that many decimals; below 0: as many as it needs. Returns @out. */
const char *text_decimals(char out[TEXT_NUMBER], double v, int decimals);
/*
 * An effect: of a ratio the change in percent ("+3.1 %"), or "12.4 x" where it is far from 1; of a
 * difference its value with a sign. @v is e->effect, e->lo or e->hi.
 */
const char *text_effect(char out[TEXT_NUMBER], const struct row *r, double v);
/* "[+2.0 %, +4.2 %]". */
const char *text_interval(char out[2 * TEXT_NUMBER + 4], const struct row *r);
/* "0.0123", "< 0.0001", "-" for none. */
const char *text_p(char out[TEXT_NUMBER], double p);
/* A mark that says the verdict without colour, in UTF-8. */
const char *text_mark_utf8(enum verdict v);

/* Row has an effect and an interval. */
bool row_tested(const struct row *r);

#endif
