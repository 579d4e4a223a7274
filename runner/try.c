// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A matrix file with other arms. Its text stays as it is but for the top-level keys that are
 * replaced, whose lines the parser's marks tell, so that the run's own copy of it reads as its
 * author wrote it.
 */
#include "try.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "commands.h"
#include "kernel.h"
#include "plan.h"

#define ALPHA 0.05

/* A copy of @text as a YAML scalar, in quotes. Caller frees. */
static char *quoted(const char *text)
{
	json_t *s = json_string(text);
	char *copy = s ? json_dumps(s, JSON_ENCODE_ANY) : xstrdup("\"\"");

	json_decref(s);
	return copy;
}

/* "linux-6.12" of the kernel's series "6.12" in @version or "linux-source-6.12", if there is such a
 * fragment. */
static char *fragment_of(const struct base *base)
{
	unsigned major, minor;
	struct source s = {};
	char *name = NULL;
	bool known =
		base->package && sscanf(base->package, "linux-source-%u.%u", &major, &minor) == 2;

	if (!known && !source_find(base, &s, NULL) && s.version)
		known = sscanf(s.version, "%u.%u", &major, &minor) == 2;
	source_clear(&s);
	if (known) {
		__free_char char *path = NULL;

		name = xasprintf("linux-%u.%u", major, minor);
		path = recipe_config(name, NULL);
		if (!path) {
			free(name);
			name = NULL;
		}
	}
	return name;
}

/* "config: [linux-6.12, lockdep]": the fragment that @base has need of, and those of @list; "":
 * none. */
static char *config_yaml(const struct base *base, const char *list)
{
	__free_char char *own = fragment_of(base), *copy = xstrdup(list ? list : "");
	struct buf b = {};
	char *save;

	if (own)
		buf_addf(&b, "config: [%s", own);
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		__free_char char *scalar = quoted(word);

		buf_addf(&b, "%s%s", b.len ? ", " : "config: [", scalar);
	}
	buf_addstr(&b, b.len ? "]" : "");
	return b.data;
}

/* "{package: linux-source-6.1}" of @b. Caller frees. */
static char *base_yaml(const struct base *b)
{
	__free_char char *value = quoted(b->package ? b->package : b->tree ? b->tree : b->tarball);
	__free_char char *rev = b->rev ? quoted(b->rev) : NULL;

	return xasprintf("{%s: %s%s%s}",
		b->package ? "package"
		: b->tree  ? "tree"
			   : "tarball",
		value, rev ? ", rev: " : "", rev ? rev : "");
}

/* @yaml: what it has beside the config fragments of all. */
static void add_arm(struct try_order *o, const char *label, const char *yaml)
{
	const char *comma = *yaml && *o->fragments ? ", " : "";

	o->arms = xrealloc_array(o->arms, o->narms + 1, sizeof(*o->arms));
	o->arms[o->narms++] =
		(struct try_arm){xstrdup(label), xasprintf("%s%s%s", yaml, comma, o->fragments)};
}

void try_start(struct try_order *o, const char *verb, const struct base *base, const char *name,
	const char *baseline)
{
	o->verb = verb;
	o->base = base_yaml(base);
	o->fragments = config_yaml(base, o->config);
	o->name = xasprintf("%s-%s%s", verb, name, o->exact ? "-exact" : "");
	o->folder = xasprintf("%s/tries", kab_cache());
	add_arm(o, baseline, "");
}

void try_add_series(struct try_order *o, const char *label, const char *folder, unsigned patches)
{
	__free_char char *shown = path_without_home(folder);
	__free_char char *ref = patches ? xasprintf("%s:%u", shown, patches) : xstrdup(shown);
	__free_char char *scalar = quoted(ref), *yaml = xasprintf("series: [%s]", scalar);

	add_arm(o, label, yaml);
}

void try_add_base(struct try_order *o, const char *label, const struct base *base)
{
	__free_char char *own = base_yaml(base), *yaml = xasprintf("base: %s", own);

	add_arm(o, label, yaml);
}

static bool is_replaced(const char *key)
{
	return !strcmp(key, "base") || !strcmp(key, "baseline") || !strcmp(key, "arms");
}

/* Lines [*from, *to) of @doc that key number @i and its value stand on. */
static const char *key_lines(
	yaml_document_t *doc, yaml_node_t *root, size_t i, size_t *from, size_t *to)
{
	yaml_node_pair_t *pair = root->data.mapping.pairs.start + i;
	yaml_node_t *key = yaml_document_get_node(doc, pair->key);
	yaml_node_t *next = pair + 1 < root->data.mapping.pairs.top
				    ? yaml_document_get_node(doc, pair[1].key)
				    : NULL;

	*from = key->start_mark.line;
	*to = next ? next->start_mark.line : (size_t)-1;
	return (const char *)key->data.scalar.value;
}

/* @text without the lines of what is replaced; comments in between go with the key above them. */
static int strip(const char *path, const char *text, struct buf *out, struct error *err)
{
	yaml_parser_t parser;
	yaml_document_t doc;
	yaml_node_t *root;
	size_t line = 0;
	bool *drop = NULL;
	int ret = -1;

	yaml_parser_initialize(&parser);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
	if (!yaml_parser_load(&parser, &doc)) {
		yaml_parser_delete(&parser);
		return error_set(err, KAB_USAGE, "%s:%zu:%zu: %s", path,
			parser.problem_mark.line + 1, parser.problem_mark.column + 1,
			parser.problem ? parser.problem : "no YAML");
	}
	root = yaml_document_get_root_node(&doc);
	if (!root || root->type != YAML_MAPPING_NODE ||
		root->data.mapping.style == YAML_FLOW_MAPPING_STYLE) {
		error_set(err, KAB_USAGE, "%s: expected a matrix with a key on each line", path);
		goto out;
	}
	for (const char *p = text; *p; p++)
		line += *p == '\n';
	drop = xcalloc(line + 2, sizeof(*drop));
	for (size_t i = 0;
		i < (size_t)(root->data.mapping.pairs.top - root->data.mapping.pairs.start); i++) {
		size_t from, to;

		if (is_replaced(key_lines(&doc, root, i, &from, &to)))
			for (size_t l = from; l < to && l <= line; l++)
				drop[l] = true;
	}
	line = 0;
	for (const char *p = text; *p; line++) {
		size_t len = strcspn(p, "\n") + 1;

		len = len > strlen(p) ? strlen(p) : len;
		if (!drop[line])
			buf_add(out, p, len);
		p += len;
	}
	ret = 0;
out:
	free(drop);
	yaml_document_delete(&doc);
	yaml_parser_delete(&parser);
	return ret;
}

/* The path of what was written; caller frees. NULL on error. */
static char *write_matrix(struct try_order *o, const char *path, struct error *err)
{
	__free_char char *text = file_read(path, NULL, err);
	__free_char char *out = xasprintf("%s/%s.yaml", o->folder, o->name);
	struct buf b = {};
	int ret;

	if (!text)
		return NULL;
	buf_addf(&b, "# Made by kab %s of %s.\n", o->verb, path);
	ret = strip(path, text, &b, err);
	if (!ret) {
		buf_addf(&b, "%sbase: %s\nbaseline: %s\narms:\n",
			b.data[b.len - 1] == '\n' ? "" : "\n", o->base, o->arms[0].label);
		for (size_t i = 0; i < o->narms; i++)
			buf_addf(&b, "  %s: {%s}\n", o->arms[i].label, o->arms[i].yaml);
		ret = dir_make(o->folder, err) || file_write_atomic(out, b.data, b.len, err) ? -1
											     : 0;
	}
	buf_free(&b);
	return ret ? NULL : xstrdup(out);
}

/* Blocks for the matrix @m, more than its own where those could not give a verdict; 0: its own. */
static int settle_blocks(struct try_order *o, const struct matrix *m, struct error *err)
{
	struct plan_options opt = {.only = o->only, .blocks = o->blocks};
	struct plan *p = plan_make(m, &opt, err);
	unsigned need;

	if (!p)
		return -1;
	o->comparisons = plan_primary_comparisons(p);
	need = plan_blocks_needed(o->comparisons, ALPHA);
	if (!o->blocks && m->budget_s <= 0 && need > m->blocks)
		o->blocks = need;
	plan_free(p);
	return 0;
}

static const char *chosen_matrix(const struct try_order *o, char **own)
{
	*own = o->matrix ? path_of_matrix(o->matrix)
			 : xasprintf("%s/matrix/try%s.yaml", kab_home(), o->exact ? "-exact" : "");
	return *own;
}

int try_check(const struct try_order *o, struct error *err)
{
	if (o->exact && o->matrix)
		return error_set(err, KAB_USAGE,
			"--exact chooses a matrix: it does not go with --matrix %s", o->matrix);
	return 0;
}

int try_prepare(struct try_order *o, struct error *err)
{
	__free_char char *own = NULL;
	const char *from = chosen_matrix(o, &own);
	struct matrix *m;
	int ret;

	if (access(from, R_OK))
		return error_set(err, KAB_USAGE, "%s: %s", from, strerror(errno));
	free(o->path);
	o->path = write_matrix(o, from, err);
	m = o->path ? matrix_read(o->path, err) : NULL;
	ret = m ? settle_blocks(o, m, err) : -1;
	o->asks = m && m->has_commands && !o->yes && !path_is_own_matrix(from);
	matrix_free(m);
	return ret;
}

bool try_baseline_is_built(const struct try_order *o)
{
	struct matrix *m = o->path ? matrix_read(o->path, NULL) : NULL;
	const struct arm *arm = m ? matrix_arm(m, m->baseline) : NULL;
	struct kernel k = {};
	bool built = arm && !kernel_resolve(arm, &k, NULL) && k.built;

	kernel_clear(&k);
	matrix_free(m);
	return built;
}

int try_run(struct try_order *o, char **run, struct error *err)
{
	__free_char char *own = NULL;
	struct strings argv = {};
	char **words;
	int status;

	*run = NULL;
	if (!o->path && try_prepare(o, err))
		return -1;
	strings_addf(&argv, "run");
	strings_addf(&argv, "%s", o->path);
	if (o->blocks)
		strings_addf(&argv, "--blocks=%u", o->blocks);
	if (o->only)
		strings_addf(&argv, "--only=%s", o->only);
	if (o->results)
		strings_addf(&argv, "--results=%s", o->results);
	if (o->seed)
		strings_addf(&argv, "--seed=%s", o->seed);
	if (o->fresh)
		strings_addf(&argv, "--new");
	if (o->dry_run)
		strings_addf(&argv, "--dry-run");
	if (o->dry_run && o->common.json)
		strings_addf(&argv, "--json");
	if (o->yes || path_is_own_matrix(chosen_matrix(o, &own)))
		strings_addf(&argv, "--yes");
	if (o->common.quiet)
		strings_addf(&argv, "--quiet");
	if (o->common.verbose)
		strings_addf(&argv, "--verbose");
	if (o->common.no_color)
		strings_addf(&argv, "--no-color");
	/* It moves its operands to the front, so it gets the pointers alone. */
	words = xcalloc(argv.n + 1, sizeof(*words));
	memcpy(words, argv.v, argv.n * sizeof(*words));
	status = run_matrix((int)argv.n, words, o->dry_run ? NULL : run);
	free(words);
	strings_clear(&argv);
	return status;
}

void try_order_clear(struct try_order *o)
{
	for (size_t i = 0; i < o->narms; i++) {
		free(o->arms[i].label);
		free(o->arms[i].yaml);
	}
	free(o->arms);
	free(o->name);
	free(o->folder);
	free(o->base);
	free(o->fragments);
	free(o->path);
}
