// SPDX-License-Identifier: GPL-2.0-or-later
/* The arms of a matrix file. */
#include "matrix_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel_parts.h"
#include "util.h"

#define MAX_ARMS 64
#define MAX_ALIGN 4096
#define MAX_PATCHES 9999

int matrix_check_path(struct schema *s, const yaml_node_t *node, const char *path, mode_t kind)
{
	struct stat st;

	if (!((struct matrix_file *)s->context)->catalog || (!stat(path, &st) && (st.st_mode & S_IFMT) == kind))
		return 0;
	return schema_error(s, node, "%s: no such %s", path, kind == S_IFDIR ? "folder" : "file");
}

static const struct schema_key base_keys[] = {
	{"package", schema_string, offsetof(struct base, package), false, 0, 0},
	{"tree", schema_path, offsetof(struct base, tree), false, 0, 0},
	{"rev", schema_string, offsetof(struct base, rev), false, 0, 0},
	{"tarball", schema_path, offsetof(struct base, tarball), false, 0, 0},
};

int matrix_read_base(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	struct base *b = field;

	(void)key;
	if (schema_map(s, node, "a base", base_keys, ARRAY_SIZE(base_keys), NULL, b))
		return -1;
	if (!!b->package + !!b->tree + !!b->tarball != 1)
		return schema_error(s, node, "expected one of package, tree and tarball in a base");
	if (b->rev && !b->tree)
		return schema_error(s, node, "'rev' goes with 'tree' alone");
	if (b->tree)
		return matrix_check_path(s, node, b->tree, S_IFDIR);
	return b->tarball ? matrix_check_path(s, node, b->tarball, S_IFREG) : 0;
}

/* What is named has to be there when the matrix is to be run. */
static int check_name(struct schema *s, const yaml_node_t *node, const char *name,
	char *(*find)(const char *name, struct error *err))
{
	struct error why = {0};
	__free_char char *path = NULL;

	if (!((struct matrix_file *)s->context)->catalog)
		return 0;
	path = find(name, &why);
	return path ? 0 : schema_error(s, node, "%s", why.text);
}

/* "name", "name:3", "path/to/folder". */
static int add_series(struct schema *s, yaml_node_t *key, yaml_node_t *item, void *arg)
{
	const char *text = schema_text(s, item, "the name of a series"), *colon;
	__free_char char *name = NULL;
	struct series_ref ref = {0};
	struct arm *a = arg;

	(void)key;
	if (!text)
		return -1;
	colon = strrchr(text, ':');
	if (colon && !strchr(colon, '/')) {
		unsigned long n = strtoul(colon + 1, NULL, 10);

		if (colon == text || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
			n < 1 || n > MAX_PATCHES)
			return schema_error(s, item,
				"expected 'series:N' with N patches, N from 1, found '%.50s'",
				text);
		ref.patches = n;
	} else {
		colon = text + strlen(text);
	}
	name = xstrndup(text, colon - text);
	ref.name = schema_expand_home(name);
	a->series = xrealloc_array(a->series, a->nseries + 1, sizeof(*a->series));
	a->series[a->nseries++] = ref;
	return check_name(s, item, ref.name, recipe_series);
}

static int read_series(
	struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	(void)key;
	return schema_items(s, node, "series", add_series, field);
}

static int add_config(struct schema *s, yaml_node_t *key, yaml_node_t *item, void *arg)
{
	const char *text = schema_text(s, item, "the name of a config fragment");
	struct arm *a = arg;

	(void)key;
	if (!text)
		return -1;
	a->config = xrealloc_array(a->config, a->nconfig + 1, sizeof(*a->config));
	a->config[a->nconfig++] = schema_expand_home(text);
	return check_name(s, item, a->config[a->nconfig - 1], recipe_config);
}

static int read_config(
	struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	(void)key;
	return schema_items(s, node, "config fragments", add_config, field);
}

static int read_align(
	struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	unsigned *align = field;

	if (schema_unsigned(s, node, key, align))
		return -1;
	if (*align & (*align - 1))
		return schema_error(
			s, node, "expected an alignment that is a power of two, found %u", *align);
	return 0;
}

static int read_mutation(
	struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	const char *text = schema_text(s, node, "a mutation"),
		   *slash = text ? strchr(text, '/') : NULL;

	(void)key;
	if (!text)
		return -1;
	if (!slash || slash == text || !slash[1])
		return schema_error(
			s, node, "expected a mutation as 'series/name', found '%.50s'", text);
	*(char **)field = schema_expand_home(text);
	return check_name(s, node, *(char **)field, recipe_mutation);
}

static int read_cmdline(
	struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	/* An arm may say in so many words that it adds nothing. */
	if (node->type == YAML_SCALAR_NODE && !node->data.scalar.length)
		return 0;
	if (schema_string(s, node, key, field))
		return -1;
	if (strchr(*(char **)field, '\n'))
		return schema_error(s, node, "a kernel command line is one line");
	return 0;
}

/* A run ends by operations or by time: what an arm overrides one with may not leave the other. */
static int check_end(struct schema *s, const yaml_node_t *key, const struct workload_spec *w,
	const struct params *own)
{
	const char *name = (const char *)key->data.scalar.value;
	const char *other = !strcmp(name, "ops")	? "duration"
			    : !strcmp(name, "duration") ? "ops"
							: NULL;
	bool both = other && params_get(own, other);

	for (size_t i = 0; other && i < w->ndims; i++)
		both |= !strcmp(w->dims[i].key, other);
	return both ? schema_error(s, key, "'%s' ends what '%s' of workload '%s' ends", name, other,
			      w->name)
		    : 0;
}

/* One override: its value is a scalar, since a list would make cells that the other arms lack. */
static int add_override(struct schema *s, yaml_node_t *key, yaml_node_t *value, void *arg)
{
	const char *name = (const char *)key->data.scalar.value;
	const struct matrix *m = ((struct matrix_file *)s->context)->m;
	struct arm_params *p = arg;
	const struct workload_spec *w;
	const char *text;

	for (w = m->workloads; w < m->workloads + m->nworkloads; w++) {
		if (strcmp(w->name, p->workload))
			continue;
		for (size_t i = 0; i < w->ndims; i++)
			if (!strcmp(w->dims[i].key, name) && w->dims[i].n > 1)
				return schema_error(s, key,
					"'%.50s' is a list in workload '%s', a dimension of the "
					"matrix; an arm cannot override it",
					name, w->name);
		if (check_end(s, key, w, &p->params))
			return -1;
	}
	text = schema_text(s, value, "one value for the parameter");
	if (!text || matrix_check_param(s, matrix_workload(m, p->workload), key, value))
		return -1;
	params_set(&p->params, name, text);
	return 0;
}

static int add_overrides(struct schema *s, yaml_node_t *key, yaml_node_t *value, void *arg)
{
	const char *name = (const char *)key->data.scalar.value;
	const struct matrix *m = ((struct matrix_file *)s->context)->m;
	const struct workload_spec *w = matrix_workload(m, name);
	struct suggestion g = {.word = name};
	struct arm_params *p;
	struct arm *a = arg;

	for (size_t i = 0; !w && i < m->nworkloads; i++)
		suggestion_offer(&g, m->workloads[i].name);
	if (!w)
		return suggestion_error(
			s, key, "parameters of a workload that this matrix lacks", &g);
	if (w->command)
		return schema_error(s, key,
			"'%s' is a command; only kab's own workloads have parameters", name);
	a->params = xrealloc_array(a->params, a->nparams + 1, sizeof(*a->params));
	p = &a->params[a->nparams++];
	*p = (struct arm_params){.workload = xstrdup(name)};
	return schema_pairs(s, value, "an arm's parameters", add_override, p);
}

static int read_overrides(
	struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	(void)key;
	return schema_pairs(s, node, "an arm's params", add_overrides, field);
}

/* Offset 0: the reader fills in more than one field of the arm. */
static const struct schema_key arm_keys[] = {
	{"base", matrix_read_base, offsetof(struct arm, base), false, 0, 0},
	{"series", read_series, 0, false, 0, 0},
	{"config", read_config, 0, false, 0, 0},
	{"cmdline", read_cmdline, offsetof(struct arm, cmdline), false, 0, 0},
	{"align", read_align, offsetof(struct arm, align), false, 1, MAX_ALIGN},
	{"mutation", read_mutation, offsetof(struct arm, mutation), false, 0, 0},
	{"params", read_overrides, 0, false, 0, 0},
};

static int add_arm(struct schema *s, yaml_node_t *key, yaml_node_t *value, void *arg)
{
	const struct base *base = &((struct matrix_file *)s->context)->base;
	const char *label = matrix_label(s, key, "an arm's label");
	struct matrix *m = arg;
	struct arm *a;

	if (!label)
		return -1;
	if (m->narms == MAX_ARMS)
		return schema_error(s, key, "more than %d arms", MAX_ARMS);
	m->arms = xrealloc_array(m->arms, m->narms + 1, sizeof(*m->arms));
	a = &m->arms[m->narms++];
	*a = (struct arm){.label = xstrdup(label), .place = schema_place(s, key)};
	if (schema_map(s, value, "an arm", arm_keys, ARRAY_SIZE(arm_keys), NULL, a))
		return -1;
	if (!a->cmdline)
		a->cmdline = xstrdup("");
	if (!a->base.package && !a->base.tree && !a->base.tarball)
		base_copy(&a->base, base);
	return 0;
}

int matrix_read_arms(struct schema *s, yaml_node_t *node, struct matrix *m)
{
	if (schema_pairs(s, node, "arms", add_arm, m))
		return -1;
	if (!m->narms)
		return schema_error(s, node, "no arms; expected at least one, such as 'stock: {}'");
	return 0;
}
