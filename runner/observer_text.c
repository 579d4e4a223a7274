// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of captures, and figures an operation. */
#include "observer_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

struct text_lines text_open(const char *file, const char *which, const char *text)
{
	return (struct text_lines){.file = file, .which = which, .next = text};
}

const char *text_next(struct text_lines *t)
{
	size_t len = strcspn(t->next, "\n");

	if (!*t->next)
		return NULL;
	free(t->line);
	t->line = xstrndup(t->next, len);
	t->torn = !t->next[len];
	t->next += len + !t->torn;
	t->number++;
	return t->line;
}

int text_end(const struct text_lines *t, struct error *err)
{
	if (!t->number)
		return text_error(t, err, "the capture is empty");
	if (t->torn)
		return text_error(t, err, "the capture ends inside a line");
	return 0;
}

void text_close(struct text_lines *t)
{
	free(t->line);
	t->line = NULL;
}

int text_error(const struct text_lines *t, struct error *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(
		err, KAB_USAGE, "%s.%s:%u: %s", t->file, t->which, t->number ? t->number : 1, text);
}

bool text_number(const char **at, uint64_t *out)
{
	const char *c = *at + strspn(*at, " ");
	char *end;

	if (*c < '0' || *c > '9')
		return false;
	errno = 0;
	*out = strtoull(c, &end, 10);
	*at = end;
	return !errno;
}

json_t *observer_unavailable(const char *path)
{
	__free_char char *reason = xasprintf("no %s", path);

	return json_pack("{s:s}", "unavailable", reason);
}

void observer_per_op(struct sample *s, const char *metric, double count)
{
	if (s->ops)
		sample_set_metric(s, metric, count / s->ops);
}
