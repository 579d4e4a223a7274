/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's console: followed while it grows, and searched for the kernel's own complaints. */
#ifndef KAB_CONSOLE_H
#define KAB_CONSOLE_H

#include <stdbool.h>

#include "util.h"

/* One way in which a kernel complains. */
struct console_pattern {
	const char *text; /* how the message begins, after the time stamp */
	const char *kind; /* "panic", "oops", "warning", "kasan" ... */
	bool fatal;	  /* the kernel is damaged: no later figure of this boot can be trusted */
};

/* The pattern that one line of a console or of a kernel log matches; NULL: none. */
const struct console_pattern *console_match(const char *line);
/*
 * The first complaint in @text (lines), its line without the time stamp into *@line (caller frees).
 * NULL: none.
 */
const struct console_pattern *console_find(const char *text, char **line);

struct console {
	char *path;
	int fd;
	struct buf partial; /* a line whose end has not come */
	char *report;	    /* first complaint since console_take(); NULL: none */
	const struct console_pattern *pattern; /* what it matched */
};
void console_open(struct console *c, const char *path);
/* Reads what was written since the last call. A file that is not there yet reads as empty. */
void console_scan(struct console *c);
/*
 * Scans and hands over the first complaint since the last call (caller frees; NULL: none).
 * *@pattern may be NULL.
 */
char *console_take(struct console *c, const struct console_pattern **pattern);
void console_close(struct console *c);

#endif
