// SPDX-License-Identifier: GPL-2.0-or-later
/* One line that is rewritten on a terminal, one line a stage in a pipe, none with --quiet. */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util.h"

struct progress {
	bool tty, quiet, shown;
	char stage[64];
	uint64_t stage_began, last_drawn; /* ns */
	unsigned long first_done;	  /* @done when the stage began: a resumed run does not start at 0 */
};

struct progress *progress_start(const struct cli_common *c)
{
	struct progress *p = xcalloc(1, sizeof(*p));

	p->quiet = c->quiet;
	p->tty = isatty(STDERR_FILENO) && !c->quiet;
	return p;
}

static void erase(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

static unsigned columns(void)
{
	struct winsize w;

	return !ioctl(STDERR_FILENO, TIOCGWINSZ, &w) && w.ws_col > 20 ? w.ws_col : 80;
}

/* "3m40s left", worked out from the pace since the stage began; empty while there is none. */
static void eta(const struct progress *p, unsigned long done, unsigned long total, char *out, size_t size)
{
	double spent = (now_ns() - p->stage_began) / 1e9;
	double left;

	out[0] = '\0';
	if (!total || done <= p->first_done || done > total || spent < 1)
		return;
	left = spent / (done - p->first_done) * (total - done);
	if (left >= 60)
		snprintf(out, size, ", %um%02us left", (unsigned)left / 60, (unsigned)left % 60);
	else
		snprintf(out, size, ", %us left", (unsigned)left);
}

void progress_update(struct progress *p, const char *stage, const char *detail, unsigned long done,
	unsigned long total)
{
	bool fresh = strncmp(p->stage, stage, sizeof(p->stage) - 1) != 0;
	char count[48] = "", left[32];
	struct buf line = {};

	if (p->quiet)
		return;
	if (fresh) {
		snprintf(p->stage, sizeof(p->stage), "%s", stage);
		p->stage_began = now_ns();
		p->first_done = done;
	}
	if (!p->tty) {
		if (fresh)
			fprintf(stderr, "%s%s%s\n", stage, detail && *detail ? ": " : "", detail ? detail : "");
		return;
	}
	if (!fresh && done != total && now_ns() - p->last_drawn < 100000000)
		return;
	p->last_drawn = now_ns();
	if (total)
		snprintf(count, sizeof(count), " %lu of %lu", done, total);
	eta(p, done, total, left, sizeof(left));
	buf_addf(&line, "%s%s%s%s%s", stage, count, left, detail && *detail ? "  " : "", detail ? detail : "");
	erase(p);
	fprintf(stderr, "%.*s", (int)columns() - 1, line.data);
	fflush(stderr);
	p->shown = true;
	buf_free(&line);
}

void progress_note(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	erase(p);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void progress_end(struct progress *p)
{
	if (!p)
		return;
	erase(p);
	free(p);
}
