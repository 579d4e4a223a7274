// SPDX-License-Identifier: GPL-2.0-or-later
/* Option tables: one description serves the parser, --help and the check against the man pages. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#define NCOMMON 5

static void common_options(struct cli_common *c, struct option_spec out[NCOMMON])
{
	const struct option_spec table[NCOMMON] = {
		{ "json", 0, OPT_FLAG, NULL, "print JSON instead of text", &c->json },
		{ "quiet", 'q', OPT_FLAG, NULL, "no progress, only results and errors", &c->quiet },
		{ "verbose", 'v', OPT_FLAG, NULL, "more detail", &c->verbose },
		{ "no-color", 0, OPT_FLAG, NULL, "no colours (as with NO_COLOR set)", &c->no_color },
		{ "help", 'h', OPT_FLAG, NULL, "this text", &c->help },
	};

	memcpy(out, table, sizeof(table));
}

static void print_option(const struct option_spec *o)
{
	char left[64];

	snprintf(left, sizeof(left), "%s%c%s --%s%s%s", o->letter ? "-" : " ", o->letter ? o->letter : ' ',
		o->letter ? "," : " ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	printf("  %-26s %s\n", left, o->help);
}

static void print_help(const struct usage *u, const struct option_spec *common)
{
	printf("usage: kab %s%s%s\n\n%s\n\n", u->verb, *u->synopsis ? " " : "", u->synopsis, u->summary);
	for (size_t i = 0; i < u->noptions; i++)
		print_option(&u->options[i]);
	for (size_t i = 0; i < NCOMMON; i++)
		print_option(&common[i]);
}

static const struct option_spec *find_in(
	const struct option_spec *v, size_t n, const char *name, size_t len, char letter)
{
	for (size_t i = 0; i < n; i++) {
		if (name && strlen(v[i].name) == len && !memcmp(v[i].name, name, len))
			return &v[i];
		if (letter && v[i].letter == letter)
			return &v[i];
	}
	return NULL;
}

static int bad_value(const struct option_spec *o, const char *text, const char *want, struct error *err)
{
	return error_set(err, KAB_USAGE, "--%s: '%s' is not %s", o->name, text, want);
}

static int store_share(const struct option_spec *o, const char *text, struct error *err)
{
	char *end;
	double d;

	errno = 0;
	d = strtod(text, &end);
	if (end == text || errno || !isfinite(d))
		return bad_value(o, text, "a share such as 2% or 0.02", err);
	if (!strcmp(end, "%")) {
		d /= 100;
		end++;
	}
	if (*end)
		return bad_value(o, text, "a share such as 2% or 0.02", err);
	if (d <= 0 || d >= 1)
		return bad_value(o, text, "a share between 0 and 100 %", err);
	*(double *)o->value = d;
	return 0;
}

static int store_value(const struct option_spec *o, const char *text, struct error *err)
{
	unsigned long u;
	char *end;

	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->value = true;
		return 0;
	case OPT_STRING:
		*(const char **)o->value = text;
		return 0;
	case OPT_UINT:
	case OPT_COUNT:
		errno = 0;
		u = strtoul(text, &end, 10);
		if (end == text || *end || errno || u > 0xffffffffu || text[0] == '-')
			return bad_value(o, text, "a whole number", err);
		if (o->kind == OPT_COUNT && !u)
			return bad_value(o, text, "a number from 1", err);
		*(unsigned *)o->value = u;
		return 0;
	case OPT_PERCENT:
		return store_share(o, text, err);
	}
	return 0;
}

struct parser {
	const struct usage *u;
	struct option_spec common[NCOMMON];
	int argc, at;
	char **argv;
};

/* Takes the option's argument from "=value", from the rest of "-xvalue" or from the next word. */
static int take_option(struct parser *p, const struct option_spec *o, const char *inline_value,
	struct error *err)
{
	if (o->kind == OPT_FLAG) {
		if (inline_value)
			return error_set(err, KAB_USAGE, "--%s takes no value", o->name);
		return store_value(o, NULL, err);
	}
	if (!inline_value) {
		if (p->at + 1 >= p->argc)
			return error_set(err, KAB_USAGE, "--%s needs %s", o->name, o->arg);
		inline_value = p->argv[++p->at];
	}
	return store_value(o, inline_value, err);
}

static const struct option_spec *lookup(const struct parser *p, const char *name, size_t len, char letter)
{
	const struct option_spec *o = find_in(p->u->options, p->u->noptions, name, len, letter);

	return o ? o : find_in(p->common, NCOMMON, name, len, letter);
}

static int parse_long(struct parser *p, const char *word, struct error *err)
{
	const char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	const struct option_spec *o = lookup(p, word, len, 0);

	if (!o)
		return error_set(err, KAB_USAGE, "unknown option --%.*s; see kab %s --help", (int)len, word,
			p->u->verb);
	return take_option(p, o, eq ? eq + 1 : NULL, err);
}

static int parse_short(struct parser *p, const char *word, struct error *err)
{
	for (; *word; word++) {
		const struct option_spec *o = lookup(p, NULL, 0, *word);

		if (!o)
			return error_set(err, KAB_USAGE, "unknown option -%c; see kab %s --help", *word,
				p->u->verb);
		if (o->kind != OPT_FLAG)
			return take_option(p, o, word[1] ? word + 1 : NULL, err);
		store_value(o, NULL, err);
	}
	return 0;
}

int cli_parse(const struct usage *u, int argc, char **argv, struct cli_common *c, int *nargs,
	struct error *err)
{
	struct parser p = { .u = u, .argc = argc, .argv = argv };
	bool options = true;
	int n = 0;

	common_options(c, p.common);
	for (p.at = 1; p.at < argc; p.at++) {
		char *word = argv[p.at];
		int ret = 0;

		if (!options || word[0] != '-' || !word[1])
			argv[n++] = word;
		else if (!strcmp(word, "--"))
			options = false;
		else if (word[1] == '-')
			ret = parse_long(&p, word + 2, err);
		else
			ret = parse_short(&p, word + 1, err);
		if (ret)
			return -1;
	}
	*nargs = n;
	if (c->help) {
		print_help(u, p.common);
		return 1;
	}
	return 0;
}

int cli_flush(int status)
{
	bool lost = fflush(stdout) || ferror(stdout);
	struct stat st;

	if (!lost || (!fstat(STDOUT_FILENO, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))))
		return status;
	fputs("kab: standard output could not be written: is its disk full?\n", stderr);
	return KAB_ENVIRONMENT;
}

int cli_fail(const char *verb, const struct error *err)
{
	fprintf(stderr, "kab %s: %s\n", verb, err->text);
	return err->status;
}

void cli_print_json(json_t *owned)
{
	json_dumpf(owned, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(owned);
}

bool cli_color(const struct cli_common *c)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !c->no_color && !(no && *no);
}
