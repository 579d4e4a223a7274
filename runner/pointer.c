// SPDX-License-Identifier: GPL-2.0-or-later
#include "pointer.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "util.h"

/*
 * Takes the next reference token off *@p, which stands on its '/', and undoes the escapes ~1 and
 * ~0. Caller frees; NULL at the end.
 */
static char *next_token(const char **p)
{
	const char *s = *p;
	char *token, *to;

	if (*s != '/')
		return NULL;
	token = to = xstrdup(s + 1);
	for (s++; *s && *s != '/'; s++) {
		if (s[0] == '~' && (s[1] == '0' || s[1] == '1'))
			*to++ = *++s == '1' ? '/' : '~';
		else
			*to++ = *s;
	}
	*to = '\0';
	*p = s;
	return token;
}

/* An array index as RFC 6901 has it: digits, no leading zero. */
static bool parse_index(const char *token, size_t *index)
{
	if (!*token || token[strspn(token, "0123456789")] || (token[0] == '0' && token[1]))
		return false;
	*index = strtoul(token, NULL, 10);
	return true;
}

static bool parse_number(const char *text, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !end[strspn(end, " \t\r\n")];
}

static int missing(struct error *err, const char *pointer, const char *at, const char *token)
{
	return error_set(err, KAB_ENVIRONMENT, "no \"%s\" at %.*s (pointer %s)", token,
		at == pointer ? 1 : (int)(at - pointer), at == pointer ? "/" : pointer, pointer);
}

static const json_t *json_step(const json_t *at, const char *token)
{
	size_t index;

	if (json_is_array(at))
		return parse_index(token, &index) ? json_array_get(at, index) : NULL;
	return json_object_get(at, token);
}

static int json_walk(const json_t *at, const char *pointer, double *value, struct error *err)
{
	const char *p = pointer, *step = pointer;
	char *token;

	while ((token = next_token(&p))) {
		at = json_step(at, token);
		if (!at)
			missing(err, pointer, step, token);
		free(token);
		if (!at)
			return -1;
		step = p;
	}
	if (json_is_number(at))
		*value = json_number_value(at);
	else if (!json_is_string(at) || !parse_number(json_string_value(at), value))
		return error_set(err, KAB_ENVIRONMENT, "no number at %s", pointer);
	return 0;
}

int pointer_json(const char *text, const char *pointer, double *value, struct error *err)
{
	json_error_t je;
	json_t *root = json_loads(text, JSON_DECODE_ANY, &je);
	int ret;

	if (!root)
		return error_set(err, KAB_ENVIRONMENT, "output is no JSON: line %d, column %d: %s",
			je.line, je.column, je.text);
	ret = json_walk(root, pointer, value, err);
	json_decref(root);
	return ret;
}

static yaml_node_t *yaml_step(yaml_document_t *doc, const yaml_node_t *at, const char *token)
{
	size_t index;

	if (at->type == YAML_SEQUENCE_NODE) {
		const yaml_node_item_t *start = at->data.sequence.items.start;
		size_t n = (size_t)(at->data.sequence.items.top - start);

		return parse_index(token, &index) && index < n
			       ? yaml_document_get_node(doc, start[index])
			       : NULL;
	}
	if (at->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = at->data.mapping.pairs.start;
		pair < at->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(doc, pair->key);

		if (key->type == YAML_SCALAR_NODE && !strcmp((char *)key->data.scalar.value, token))
			return yaml_document_get_node(doc, pair->value);
	}
	return NULL;
}

static int yaml_walk(yaml_document_t *doc, const char *pointer, double *value, struct error *err)
{
	yaml_node_t *at = yaml_document_get_root_node(doc);
	const char *p = pointer, *step = pointer;
	char *token;

	if (!at)
		return error_set(err, KAB_ENVIRONMENT, "output holds no YAML document");
	while ((token = next_token(&p))) {
		at = yaml_step(doc, at, token);
		if (!at)
			missing(err, pointer, step, token);
		free(token);
		if (!at)
			return -1;
		step = p;
	}
	if (at->type != YAML_SCALAR_NODE || !parse_number((char *)at->data.scalar.value, value))
		return error_set(err, KAB_ENVIRONMENT, "no number at %s", pointer);
	return 0;
}

int pointer_yaml(const char *text, const char *pointer, double *value, struct error *err)
{
	yaml_parser_t parser;
	yaml_document_t doc;
	int ret;

	if (!yaml_parser_initialize(&parser))
		return error_set(err, KAB_ENVIRONMENT, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
	if (!yaml_parser_load(&parser, &doc)) {
		ret = error_set(err, KAB_ENVIRONMENT, "output is no YAML: line %zu, column %zu: %s",
			parser.problem_mark.line + 1, parser.problem_mark.column + 1,
			parser.problem);
		goto out;
	}
	ret = yaml_walk(&doc, pointer, value, err);
	yaml_document_delete(&doc);
out:
	yaml_parser_delete(&parser);
	return ret;
}
