// SPDX-License-Identifier: GPL-2.0-or-later
/* Readers of scalars, and what to say of a word that is not known. */
#include "schema.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int schema_node(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	(void)s;
	(void)key;
	*(yaml_node_t **)field = node;
	return 0;
}

int schema_string(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	const char *text = schema_text(s, node, "a string");

	(void)key;
	if (!text)
		return -1;
	*(char **)field = xstrdup(text);
	return 0;
}

char *schema_expand_home(const char *path)
{
	const char *home = getenv("HOME");

	return !strncmp(path, "~/", 2) && home ? xasprintf("%s%s", home, path + 1) : xstrdup(path);
}

int schema_path(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	const char *text = schema_text(s, node, "a path");

	(void)key;
	if (!text)
		return -1;
	*(char **)field = schema_expand_home(text);
	return 0;
}

/* A decimal number within the key's bounds; anything else says what was expected. */
static int whole_number(
	struct schema *s, yaml_node_t *node, const struct schema_key *key, uint64_t *out)
{
	const char *text = schema_text(s, node, "a whole number");
	/* As a double 2^64 - 1 is 2^64. */
	uint64_t max = key->max && key->max < 0x1p64 ? (uint64_t)key->max : UINT64_MAX;
	unsigned long long v;

	if (!text)
		return -1;
	if (strspn(text, "0123456789") != strlen(text))
		return schema_error(s, node, "expected a whole number, found '%.50s'", text);
	errno = 0;
	v = strtoull(text, NULL, 10);
	if (errno || (key->max && v < key->min) || v > max)
		return schema_error(s, node, "%.50s is out of range; expected %.0f to %" PRIu64,
			text, key->min, max);
	*out = v;
	return 0;
}

int schema_u64(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	return whole_number(s, node, key, field);
}

int schema_unsigned(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	struct schema_key bounded = *key;
	uint64_t v;

	if (!bounded.max)
		bounded.max = UINT32_MAX;
	if (whole_number(s, node, &bounded, &v))
		return -1;
	*(unsigned *)field = v;
	return 0;
}

int schema_bool(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	const char *text = schema_text(s, node, "true or false");

	(void)key;
	if (!text)
		return -1;
	if (strcmp(text, "true") && strcmp(text, "false"))
		return schema_error(s, node, "expected true or false, found '%.50s'", text);
	*(bool *)field = !strcmp(text, "true");
	return 0;
}

struct unit {
	const char *suffix;
	double factor;
};

static const struct unit byte_units[] = {
	{"K", 1ull << 10},
	{"M", 1ull << 20},
	{"G", 1ull << 30},
	{"T", 1ull << 40},
};

static const struct unit time_units[] = {
	{"", 1},
	{"ms", 1e-3},
	{"s", 1},
	{"m", 60},
	{"h", 3600},
};

static const struct unit share_units[] = {
	{"", 1},
	{"%", 0.01},
};

/* A number with one of @units behind it, within the key's bounds. @what gives an example of what is
 * right. */
static int quantity(struct schema *s, yaml_node_t *node, const struct schema_key *key,
	const struct unit *units, size_t nunits, const char *what, double *out)
{
	const char *text = schema_text(s, node, what);
	char *end;
	double v;

	if (!text)
		return -1;
	/* strtod() alone would take "nan", hexadecimal, an exponent and a leading sign or blank. */
	v = strtod(text, &end);
	if (end == text || end != text + strspn(text, "0123456789."))
		v = NAN;
	for (size_t i = 0; !isnan(v) && i < nunits; i++) {
		if (strcmp(end, units[i].suffix))
			continue;
		v *= units[i].factor;
		if (!isfinite(v) || v < key->min || (key->max && v > key->max))
			return schema_error(
				s, node, "'%.50s' is out of range; expected %s", text, what);
		*out = v;
		return 0;
	}
	return schema_error(s, node, "expected %s, found '%.50s'", what, text);
}

int schema_size(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	double v;

	if (quantity(s, node, key, byte_units, ARRAY_SIZE(byte_units),
		    "a size with its unit such as 512M or 2G", &v))
		return -1;
	*(uint64_t *)field = v;
	return 0;
}

int schema_duration(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	return quantity(s, node, key, time_units, ARRAY_SIZE(time_units),
		"a time such as 90s, 20m or 2h", field);
}

int schema_share(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	return quantity(s, node, key, share_units, ARRAY_SIZE(share_units),
		"a share such as 1% or 0.01", field);
}

#define WORD_MAX 40 /* longer words are not worth a suggestion */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Optimal string alignment distance: insertions, deletions, replacements, swaps of neighbours. */
static unsigned distance(const char *a, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= na; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[na][nb];
}

void suggestion_offer(struct suggestion *g, const char *candidate)
{
	unsigned d = distance(g->word, candidate);

	/* Near is a third of the word, so that "x" is not taken for every short key. */
	if (d <= 1 + strlen(candidate) / 3 && d < strlen(candidate) &&
		(!g->best || d < g->distance)) {
		g->best = candidate;
		g->distance = d;
	}
	buf_addf(&g->all, "%s%s", g->all.len ? ", " : "", candidate);
}

int suggestion_error(
	struct schema *s, const yaml_node_t *node, const char *what, struct suggestion *g)
{
	int ret;

	if (g->best)
		ret = schema_error(
			s, node, "%s: '%.50s'; did you mean '%s'?", what, g->word, g->best);
	else
		ret = schema_error(s, node, "%s: '%.50s'; expected one of: %s", what, g->word,
			g->all.len ? g->all.data : "(none)");
	buf_free(&g->all);
	return ret;
}
