/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What observers share: lines of a capture, errors that name them, figures an operation. */
#ifndef KAB_OBSERVER_TEXT_H
#define KAB_OBSERVER_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "observer.h"

/* A walk over the lines of a capture. */
struct text_lines {
	const char *file,
		*which;	  /* "interrupts", "before": in messages "interrupts.before:12: ..." */
	const char *next; /* start of the next line */
	unsigned number;  /* of the current line, from 1 */
	char *line;	  /* copy of the current line, owned */
	bool torn;	  /* the last line had no newline */
};
/* @text is borrowed. text_close() frees. */
struct text_lines text_open(const char *file, const char *which, const char *text);
/* The next line without its newline, valid until the next call; NULL at the end. */
const char *text_next(struct text_lines *t);
/* 0 when the capture was whole: it had lines, and the last one ended. */
int text_end(const struct text_lines *t, struct error *err);
void text_close(struct text_lines *t);
/* "file.which:line: text", KAB_USAGE; returns -1. */
int text_error(const struct text_lines *t, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Takes blanks and a decimal number of at most 64 bits off @*at. */
bool text_number(const char **at, uint64_t *out);

/* {"unavailable": "no <path>"}: the figures of a capture that is not there. */
json_t *observer_unavailable(const char *path);
/* Sets @metric in @s to @count an operation; not where there were no operations. */
void observer_per_op(struct sample *s, const char *metric, double count);

#endif
