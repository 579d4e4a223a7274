// SPDX-License-Identifier: GPL-2.0-or-later
/* YAML documents: parsing, mappings by table, lists, places of mistakes. Readers are in
 * schema_scalar.c. */
#include "schema.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Line and column, from 1, of byte @offset in @text. */
static void place_of_byte(const char *text, size_t offset, size_t *line, size_t *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < offset && text[i]; i++) {
		if (text[i] == '\n') {
			++*line;
			*column = 1;
		} else if ((text[i] & 0xc0) != 0x80) { /* not the middle of a UTF-8 sequence */
			++*column;
		}
	}
}

static int syntax_error(
	const yaml_parser_t *p, const char *path, const char *text, struct error *err)
{
	size_t line = p->problem_mark.line + 1, column = p->problem_mark.column + 1;

	/* The reader finds bad bytes before there are any marks. */
	if (p->error == YAML_READER_ERROR)
		place_of_byte(text, p->problem_offset, &line, &column);
	return error_set(err, KAB_USAGE, "%s:%zu:%zu: not YAML: %s", path, line, column,
		p->problem ? p->problem : "the parser gave up");
}

/* There must be no second document: it would be ignored in silence. */
static int check_end(struct schema *s, yaml_parser_t *p, const char *text)
{
	yaml_document_t next;
	yaml_node_t *root;
	int ret = 0;

	if (!yaml_parser_load(p, &next))
		return syntax_error(p, s->path, text, s->err);
	root = yaml_document_get_root_node(&next);
	if (root)
		ret = schema_error(s, root, "a second document; expected one");
	yaml_document_delete(&next);
	return ret;
}

int schema_open(struct schema *s, const char *path, const char *text, struct error *err)
{
	size_t len = strlen(text);
	yaml_parser_t p;
	int ret = -1;

	*s = (struct schema){.path = path, .err = err};
	if (len > SCHEMA_MAX_TEXT)
		return error_set(err, KAB_USAGE, "%s: %zu bytes; expected at most %u", path, len,
			SCHEMA_MAX_TEXT);
	if (!yaml_parser_initialize(&p))
		return error_set(err, KAB_ENVIRONMENT, "%s: out of memory", path);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	if (!yaml_parser_load(&p, &s->doc)) {
		ret = syntax_error(&p, path, text, err);
		goto out;
	}
	if (!schema_root(s))
		ret = error_set(err, KAB_USAGE, "%s:1:1: nothing there; expected a mapping", path);
	else
		ret = check_end(s, &p, text);
	if (ret)
		yaml_document_delete(&s->doc);
out:
	yaml_parser_delete(&p);
	return ret;
}

void schema_close(struct schema *s)
{
	yaml_document_delete(&s->doc);
}

yaml_node_t *schema_root(struct schema *s)
{
	return yaml_document_get_root_node(&s->doc);
}

/* What a file says goes to a terminal: nothing in it may move the cursor or change colours. */
static void mask_control(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

char *schema_place(const struct schema *s, const yaml_node_t *node)
{
	return xasprintf("%s:%zu:%zu", s->path, node->start_mark.line + 1, node->start_mark.column + 1);
}

int schema_error(struct schema *s, const yaml_node_t *node, const char *fmt, ...)
{
	__free_char char *place = schema_place(s, node);
	char text[1600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	mask_control(text);
	return error_set(s->err, KAB_USAGE, "%s: %s", place, text);
}

bool schema_is_null(const yaml_node_t *node)
{
	const char *v = (const char *)node->data.scalar.value;

	return node->type == YAML_SCALAR_NODE &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (!*v || !strcmp(v, "~"));
}

const char *schema_found(const yaml_node_t *node, char out[64])
{
	if (node->type == YAML_MAPPING_NODE)
		return "a mapping";
	if (node->type == YAML_SEQUENCE_NODE)
		return "a list";
	if (schema_is_null(node))
		return "nothing";
	snprintf(out, 64, "'%.50s'", (const char *)node->data.scalar.value);
	return out;
}

const char *schema_text(struct schema *s, const yaml_node_t *node, const char *what)
{
	const char *text = (const char *)node->data.scalar.value;
	char found[64];

	if (node->type != YAML_SCALAR_NODE || schema_is_null(node) || !*text) {
		schema_error(s, node, "expected %s, found %s", what, schema_found(node, found));
		return NULL;
	}
	if (strlen(text) != node->data.scalar.length) {
		schema_error(s, node, "a NUL byte in '%.50s'", text);
		return NULL;
	}
	return text;
}

static yaml_node_t *node_at(struct schema *s, int index)
{
	return yaml_document_get_node(&s->doc, index);
}

static bool same_scalar(const yaml_node_t *a, const yaml_node_t *b)
{
	return a->data.scalar.length == b->data.scalar.length &&
	       !memcmp(a->data.scalar.value, b->data.scalar.value, a->data.scalar.length);
}

/* @pair's key: a scalar, not a merge key, not seen before in this mapping. */
static int check_key(
	struct schema *s, const yaml_node_t *map, const yaml_node_pair_t *pair, const char *what)
{
	const yaml_node_t *key = node_at(s, pair->key);
	const char *text = schema_text(s, key, "a key");

	if (!text)
		return -1;
	if (!strcmp(text, "<<"))
		return schema_error(
			s, key, "merge keys ('<<') are not supported; write the keys out");
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; p++) {
		const yaml_node_t *other = node_at(s, p->key);

		if (same_scalar(key, other))
			return schema_error(s, key, "'%.50s' is twice in %s, first in line %zu",
				text, what, other->start_mark.line + 1);
	}
	return 0;
}

int schema_pairs(
	struct schema *s, yaml_node_t *node, const char *what, schema_visitor *visit, void *arg)
{
	char found[64];
	size_t n;

	if (schema_is_null(node))
		return 0;
	if (node->type != YAML_MAPPING_NODE)
		return schema_error(s, node, "expected a mapping (%s), found %s", what,
			schema_found(node, found));
	n = node->data.mapping.pairs.top - node->data.mapping.pairs.start;
	if (n > SCHEMA_MAX_ENTRIES)
		return schema_error(s, node, "%zu keys in %s; expected at most %d", n, what,
			SCHEMA_MAX_ENTRIES);
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
		p < node->data.mapping.pairs.top; p++)
		if (check_key(s, node, p, what) ||
			visit(s, node_at(s, p->key), node_at(s, p->value), arg))
			return -1;
	return 0;
}

int schema_items(
	struct schema *s, yaml_node_t *node, const char *what, schema_visitor *visit, void *arg)
{
	char found[64];
	size_t n;

	if (node->type == YAML_SCALAR_NODE && !schema_is_null(node))
		return visit(s, NULL, node, arg);
	if (node->type != YAML_SEQUENCE_NODE)
		return schema_error(s, node, "expected a list of %s, found %s", what,
			schema_found(node, found));
	n = node->data.sequence.items.top - node->data.sequence.items.start;
	if (!n)
		return schema_error(s, node, "an empty list; expected at least one of %s", what);
	if (n > SCHEMA_MAX_ENTRIES)
		return schema_error(s, node, "%zu items in a list of %s; expected at most %d", n,
			what, SCHEMA_MAX_ENTRIES);
	for (const yaml_node_item_t *i = node->data.sequence.items.start;
		i < node->data.sequence.items.top; i++)
		if (visit(s, NULL, node_at(s, *i), arg))
			return -1;
	return 0;
}

/* What schema_map() knows while it walks its mapping. */
struct map_walk {
	const char *what;
	const struct schema_key *keys;
	size_t nkeys;
	schema_visitor *other;
	char *target;
	bool *seen;
};

static int unknown_key(struct schema *s, const yaml_node_t *key, const struct map_walk *w)
{
	struct suggestion g = {.word = (const char *)key->data.scalar.value};
	__free_char char *what = xasprintf("unknown key of %s", w->what);

	for (size_t i = 0; i < w->nkeys; i++)
		suggestion_offer(&g, w->keys[i].name);
	return suggestion_error(s, key, what, &g);
}

static int map_pair(struct schema *s, yaml_node_t *key, yaml_node_t *value, void *arg)
{
	const struct map_walk *w = arg;
	const char *name = (const char *)key->data.scalar.value;

	for (size_t i = 0; i < w->nkeys; i++) {
		const struct schema_key *k = &w->keys[i];

		if (strcmp(name, k->name))
			continue;
		w->seen[i] = true;
		return k->read(s, value, k, w->target + k->offset);
	}
	if (w->other)
		return w->other(s, key, value, w->target);
	return unknown_key(s, key, w);
}

int schema_map(struct schema *s, yaml_node_t *node, const char *what, const struct schema_key *keys,
	size_t nkeys, schema_visitor *other, void *target)
{
	bool seen[nkeys ? nkeys : 1];
	struct map_walk w = {what, keys, nkeys, other, target, seen};

	memset(seen, 0, sizeof(seen));
	if (schema_pairs(s, node, what, map_pair, &w))
		return -1;
	for (size_t i = 0; i < nkeys; i++)
		if (keys[i].required && !seen[i])
			return schema_error(s, node, "no '%s' in %s", keys[i].name, what);
	return 0;
}
