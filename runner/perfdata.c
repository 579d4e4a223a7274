// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * perf stat -j prints one JSON object a line (tools/perf/util/stat-display.c). As of perf 6.1: with
 * -o a line "# started on" comes first; counts are strings, "<not supported>" and "<not counted>"
 * among them; an absent string is "(null)"; and a ratio without a denominator is a bare nan or inf,
 * which is no JSON.
 */
#include "perfdata.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "observer_text.h"
#include "util.h"

static const struct {
	const char *event, *metric;
} metrics[] = {
	{"instructions", "instructions_per_op"},
	{"cycles", "cycles_per_op"},
};

/* Puts null in the place of a bare nan or inf. Caller frees. */
static char *mend_numbers(const char *line)
{
	static const char *const bad[] = {"nan", "-nan", "inf", "-inf"};
	static const char lead[] = "\" : ";
	struct buf b = {0};
	const char *at;

	while ((at = strstr(line, lead))) {
		at += strlen(lead);
		buf_add(&b, line, at - line);
		line = at;
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			size_t len = strlen(bad[i]);

			if (!strncmp(at, bad[i], len) && strchr(",} ", at[len])) {
				buf_addstr(&b, "null");
				line = at + len;
			}
		}
	}
	buf_addstr(&b, line);
	return b.data;
}

/* The string at @key; NULL where perf had none. */
static const char *string_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text && *text && strcmp(text, "(null)") ? text : NULL;
}

/* "<not supported>" -> "not supported". */
static json_t *reason(const char *text)
{
	size_t len;

	if (!text)
		return json_string("no value");
	len = strlen(text);
	return text[0] == '<' && text[len - 1] == '>' ? json_stringn(text + 1, len - 2) : NULL;
}

/* "cycles:u" is cycles as well. */
static bool is_event(const char *event, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(event, name, len) && (!event[len] || event[len] == ':');
}

static int add_event(
	struct text_lines *t, const json_t *line, json_t *o, struct sample *s, struct error *err)
{
	const char *event = string_at(line, "event"), *unit = string_at(line, "unit");
	const char *text = string_at(line, "counter-value");
	__free_char char *key = NULL;
	json_t *why;
	double value;
	char *end;

	if (!event)
		return 0; /* a ratio that belongs to the line before */
	why = reason(text);
	if (why) {
		json_object_set_new(o, event, why);
		return 0;
	}
	value = strtod(text, &end);
	if (end == text || *end)
		return text_error(t, err,
			"%s: expected a number in \"counter-value\", found '%.40s'", event, text);
	key = unit ? xasprintf("%s_%s", event, unit) : xstrdup(event);
	json_object_set_new(o, key, json_real(value));
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
		if (is_event(event, metrics[i].event))
			observer_per_op(s, metrics[i].metric, value);
	return 0;
}

static int add_line(
	struct text_lines *t, const char *line, json_t *o, struct sample *s, struct error *err)
{
	__free_char char *mended = mend_numbers(line);
	json_error_t why;
	json_t *parsed;
	int ret;

	if (!line[strspn(line, " ")] || line[0] == '#')
		return 0;
	parsed = json_loads(mended, 0, &why);
	if (!json_is_object(parsed)) {
		json_decref(parsed);
		return text_error(t, err, "expected a JSON object, found '%.60s'", line);
	}
	ret = add_event(t, parsed, o, s, err);
	json_decref(parsed);
	return ret;
}

json_t *perfdata_figures(const char *file, const char *before, const char *after, struct sample *s,
	struct error *err)
{
	struct text_lines t = text_open(file, "json", after);
	json_t *o = json_object();
	const char *line;
	int ret = 0;

	(void)before;
	if (!after) {
		json_decref(o);
		return observer_unavailable("output of perf");
	}
	while (!ret && (line = text_next(&t)))
		ret = add_line(&t, line, o, s, err);
	if (!ret && !json_object_size(o))
		ret = text_error(&t, err, "no event in the output of perf stat -j");
	text_close(&t);
	if (!ret)
		return o;
	json_decref(o);
	return NULL;
}
