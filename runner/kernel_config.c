// SPDX-License-Identifier: GPL-2.0-or-later
/* Config fragments: merged, and held against the configuration that came out. */
#include "kernel_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_SET " is not set"
#define FROM_PATCH "# from-patch:"

static void setting_clear(struct setting *s)
{
	free(s->option);
	free(s->value);
	free(s->file);
}

void settings_clear(struct settings *s)
{
	for (size_t i = 0; i < s->n; i++)
		setting_clear(&s->v[i]);
	free(s->v);
	*s = (struct settings){};
}

/* Where @option stands, or belongs. */
static size_t settings_position(const struct settings *s, const char *option)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(s->v[mid].option, option) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct setting *settings_find(const struct settings *s, const char *option)
{
	size_t i = settings_position(s, option);

	return i < s->n && !strcmp(s->v[i].option, option) ? &s->v[i] : NULL;
}

static void settings_put(struct settings *s, struct setting new)
{
	size_t i = settings_position(s, new.option);

	if (i < s->n && !strcmp(s->v[i].option, new.option)) {
		setting_clear(&s->v[i]);
	} else {
		s->v = xrealloc_array(s->v, s->n + 1, sizeof(*s->v));
		memmove(&s->v[i + 1], &s->v[i], (s->n - i) * sizeof(*s->v));
		s->n++;
	}
	s->v[i] = new;
}

static size_t option_length(const char *line)
{
	size_t n = 0;

	if (strncmp(line, "CONFIG_", 7))
		return 0;
	while (isalnum((unsigned char)line[n]) || line[n] == '_')
		n++;
	return n > 7 ? n : 0;
}

enum line_kind { LINE_SETTING, LINE_OTHER, LINE_BAD };

/* One line of a fragment or a .config, without its newline. Fills in option and value of @out. */
static enum line_kind parse_line(const char *line, struct setting *out)
{
	size_t n;

	if (!strncmp(line, "# ", 2)) {
		n = option_length(line + 2);
		if (!n || strcmp(line + 2 + n, NOT_SET))
			return LINE_OTHER;
		*out = (struct setting){.option = xstrndup(line + 2, n)};
		return LINE_SETTING;
	}
	if (!*line || *line == '#')
		return LINE_OTHER;
	n = option_length(line);
	if (!n || line[n] != '=' || !line[n + 1])
		return LINE_BAD;
	*out = (struct setting){.option = xstrndup(line, n)};
	if (strcmp(line + n + 1, "n"))
		out->value = xstrdup(line + n + 1);
	return LINE_SETTING;
}

/* A copy of the line at *@text, without white space at its end; moves *@text on. NULL at the end.
 */
static char *next_line(const char **text)
{
	size_t len = strcspn(*text, "\n"), trimmed = len;
	const char *line = *text;

	if (!*line)
		return NULL;
	*text += len + (line[len] == '\n');
	while (trimmed && isspace((unsigned char)line[trimmed - 1]))
		trimmed--;
	return xstrndup(line, trimmed);
}

/* 1 and *@from if @line is the directive, 0 if it is none, -1 if it is a wrong one. */
static int parse_from_patch(const char *line, unsigned *from)
{
	char *end;

	if (strncmp(line, FROM_PATCH, strlen(FROM_PATCH)))
		return 0;
	*from = strtoul(line + strlen(FROM_PATCH), &end, 10);
	return *end || !*from ? -1 : 1;
}

int settings_add(
	struct settings *s, const char *file, const char *text, unsigned patches, struct error *err)
{
	unsigned number = 0, from = 0;
	char *line;

	while ((line = next_line(&text))) {
		__free_char char *owned = line;
		struct setting new;
		int directive = parse_from_patch(line, &from);
		enum line_kind kind = directive ? LINE_OTHER : parse_line(line, &new);

		number++;
		if (directive < 0)
			return error_set(err, KAB_USAGE,
				"%s:%u: '%s': expected a number of patches from 1 on", file, number,
				line);
		if (kind == LINE_BAD)
			return error_set(err, KAB_USAGE,
				"%s:%u: '%.80s': expected CONFIG_NAME=value, '# CONFIG_NAME is not "
				"set' or "
				"a comment",
				file, number, line);
		if (kind == LINE_OTHER)
			continue;
		if (patches && from > patches) {
			setting_clear(&new);
			continue;
		}
		new.file = xstrdup(file);
		new.line = number;
		settings_put(s, new);
	}
	return 0;
}

void settings_text(const struct settings *s, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].value)
			buf_addf(out, "%s=%s\n", s->v[i].option, s->v[i].value);
		else
			buf_addf(out, "# %s" NOT_SET "\n", s->v[i].option);
	}
}

/* Whether some Kconfig file of @tree defines @option. */
static bool option_exists(const char *tree, const char *option)
{
	__free_char char *pattern =
		xasprintf("^[[:space:]]*(menu)?config[[:space:]]+%s[[:space:]]*$", option + 7);
	const char *const argv[] = {"grep", "-rqsE", "--include=Kconfig*", pattern, tree, NULL};

	return run_command(argv, NULL, NULL, NULL) == 0;
}

static void report_setting(
	struct buf *out, const struct setting *want, const struct setting *got, const char *tree)
{
	const char *why = "";

	if (!got && tree)
		why = option_exists(tree, want->option) ? ", what it depends on is missing"
							: ", no such option in this kernel";
	buf_addf(out, "\n  %s: %s:%u wants %s, got %s%s", want->option, want->file, want->line,
		want->value ? want->value : "it unset", got && got->value ? got->value : "it unset",
		why);
}

int settings_check(
	const struct settings *s, const char *config, const char *tree, struct error *err)
{
	struct settings result = {};
	struct buf missing = {};
	unsigned count = 0;
	int ret = -1;

	if (settings_add(&result, ".config", config, 0, err))
		goto out;
	for (size_t i = 0; i < s->n; i++) {
		const struct setting *want = &s->v[i], *got = settings_find(&result, want->option);
		const char *value = got ? got->value : NULL;

		if (want->value && value ? !strcmp(want->value, value) : want->value == value)
			continue;
		count++;
		report_setting(&missing, want, got, tree);
	}
	ret = count ? error_set(err, KAB_USAGE,
			      "%u option%s of the config fragments did not take:%s", count,
			      count == 1 ? "" : "s", missing.data)
		    : 0;
out:
	buf_free(&missing);
	settings_clear(&result);
	return ret;
}

json_t *config_to_json(const char *config)
{
	json_t *o = json_object();
	struct settings s = {};

	if (!settings_add(&s, ".config", config, 0, NULL))
		for (size_t i = 0; i < s.n; i++)
			if (s.v[i].value)
				json_object_set_new(o, s.v[i].option, json_string(s.v[i].value));
	settings_clear(&s);
	return o;
}
