// SPDX-License-Identifier: GPL-2.0-or-later
/* The workloads of a matrix file: kab's own with their parameters, and commands with how to read
 * their figure. */
#include "matrix_parts.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "util.h"

#define MAX_WORKLOADS 256

const struct workload_spec *matrix_workload(const struct matrix *m, const char *name)
{
	for (size_t i = 0; i < m->nworkloads; i++)
		if (!strcmp(m->workloads[i].name, name))
			return &m->workloads[i];
	return NULL;
}

int matrix_check_param(struct schema *s, const struct workload_spec *w, const yaml_node_t *key,
	const yaml_node_t *value)
{
	const struct matrix_file *file = s->context;
	const char *name = (const char *)key->data.scalar.value;
	const json_t *workload = catalog_workload(file->catalog, w->name);
	const json_t *params = json_object_get(workload, "params"), *other;
	const json_t *param = catalog_param(workload, name);
	struct suggestion g = {.word = name};
	__free_char char *what = xasprintf("unknown parameter of workload '%s'", w->name);
	__free_char char *want = NULL;
	size_t i;

	if (!file->catalog)
		return 0;
	if (!param) {
		json_array_foreach (params, i, other) {
			suggestion_offer(&g, json_string_value(json_object_get(other, "name")));
		}
		return suggestion_error(s, key, what, &g);
	}
	want = catalog_check(param, (const char *)value->data.scalar.value);
	if (want)
		return schema_error(s, value, "%s of workload '%s': expected %s, found '%.50s'",
			name, w->name, want, (const char *)value->data.scalar.value);
	return 0;
}

/* Figures */

static const struct {
	const char *name;
	enum metric_better better;
} directions[] = {
	{"more", BETTER_MORE},
	{"less", BETTER_LESS},
	{"none", BETTER_NONE},
};

static int read_better(
	struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	const char *text = schema_text(s, node, "more, less or none");
	struct suggestion g = {.word = text};

	(void)key;
	if (!text)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(directions); i++) {
		if (!strcmp(text, directions[i].name)) {
			buf_free(&g.all);
			*(enum metric_better *)field = directions[i].better;
			return 0;
		}
		suggestion_offer(&g, directions[i].name);
	}
	return suggestion_error(s, node, "unknown direction", &g);
}

/*
 * The C library writes repetitions out as it compiles: x{9} becomes nine x, x+ two, and of repetitions within one another
 * the numbers multiply. Some forty characters can so take all memory there is.
 */
#define REGEX_PARTS_MAX 10000
#define REGEX_DEPTH_MAX 50

struct regex_parts {
	struct {
		unsigned long all, last; /* last: of what a repetition now would repeat */
	} group[REGEX_DEPTH_MAX + 1];
	unsigned depth;
};

static void add_part(struct regex_parts *p, unsigned long n)
{
	p->group[p->depth].all += n;
	p->group[p->depth].last = n;
}

static void repeat_part(struct regex_parts *p, unsigned long times)
{
	unsigned long more = p->group[p->depth].last * (times ? times - 1 : 0);

	p->group[p->depth].all += more;
	p->group[p->depth].last += more;
}

/* Past the bracket expression at @e, the brackets that are meant as such and the classes in it too. */
static const char *after_brackets(const char *e)
{
	e += e[1] == '^' ? 2 : 1;
	if (*e == ']')
		e++;
	while (*e && *e != ']')
		if (*e == '[' && e[1] && strchr(":.=", e[1])) {
			const char end[] = {e[1], ']', '\0'}, *close = strstr(e + 2, end);

			e = close ? close + 2 : e + 1;
		} else {
			e++;
		}
	return *e ? e + 1 : e;
}

/* Past the bounds at @e, which are met at most *@times. */
static const char *after_bounds(const char *e, unsigned long *times)
{
	char *end;

	*times = strtoul(e + 1, &end, 10);
	if (*end == ',') {
		unsigned long most = strtoul(end + 1, &end, 10);

		*times = most > *times ? most : *times + 1;
	}
	return *end == '}' ? end + 1 : e + 1;
}

/* Whether @e stays small when it is compiled, whatever else is wrong with it. */
static bool regex_is_small(const char *e)
{
	struct regex_parts p = {};

	while (*e) {
		unsigned long times = 2;
		char c = *e;

		if (c == '(' && ++p.depth <= REGEX_DEPTH_MAX) {
			p.group[p.depth].all = p.group[p.depth].last = 0;
		} else if (c == ')' && p.depth) {
			p.depth--;
			add_part(&p, p.group[p.depth + 1].all + 1);
		} else if (c == '+' || c == '{') {
			e = c == '{' ? after_bounds(e, &times) - 1 : e;
			if (times > REGEX_PARTS_MAX)
				return false;
			repeat_part(&p, times);
		} else if (c == '[') {
			e = after_brackets(e) - 1;
			add_part(&p, 1);
		} else if (c != '*' && c != '?') {
			e += c == '\\' && e[1];
			add_part(&p, 1);
		}
		if (p.depth >= REGEX_DEPTH_MAX || p.group[p.depth].all > REGEX_PARTS_MAX)
			return false;
		e++;
	}
	return true;
}

static int check_regex(struct schema *s, const yaml_node_t *node, const char *expr)
{
	regex_t re;
	size_t groups;
	char why[128];
	int ret;

	if (!regex_is_small(expr))
		return schema_error(s, node,
			"'%.200s' repeats what is repeated too often; expected fewer of + and {...} within one another", expr);
	ret = regcomp(&re, expr, REG_EXTENDED);
	if (ret) {
		regerror(ret, &re, why, sizeof(why));
		return schema_error(
			s, node, "'%.200s' is no extended regular expression: %s", expr, why);
	}
	groups = re.re_nsub;
	regfree(&re);
	if (!groups)
		return schema_error(s, node, "'%.200s' has no group (...) around the number", expr);
	return 0;
}

/* RFC 6901: empty, or starting with a slash. */
static int check_pointer(struct schema *s, const yaml_node_t *node, const char *expr)
{
	if (*expr != '/')
		return schema_error(
			s, node, "expected a pointer such as /results/0/mean, found '%.50s'", expr);
	return 0;
}

struct figure_file {
	struct figure figure;
	yaml_node_t *expr[FIGURE_YAML + 1]; /* by kind */
	yaml_node_t *better;
};

static const struct schema_key figure_keys[] = {
	{"regex", schema_node, offsetof(struct figure_file, expr[FIGURE_REGEX]), false, 0, 0},
	{"json", schema_node, offsetof(struct figure_file, expr[FIGURE_JSON]), false, 0, 0},
	{"yaml", schema_node, offsetof(struct figure_file, expr[FIGURE_YAML]), false, 0, 0},
	{"name", schema_node, offsetof(struct figure_file, expr[FIGURE_NONE]), true, 0, 0},
	{"unit", schema_string, offsetof(struct figure_file, figure.unit), true, 0, 0},
	{"better", read_better, offsetof(struct figure_file, figure.better), true, 0, 0},
};

static int read_expr(struct schema *s, yaml_node_t *node, struct figure_file *f)
{
	for (enum figure_kind k = FIGURE_REGEX; k <= FIGURE_YAML; k++) {
		if (!f->expr[k])
			continue;
		if (f->figure.kind)
			return schema_error(
				s, f->expr[k], "expected one of regex, json and yaml in a figure");
		f->figure.kind = k;
		if (schema_string(s, f->expr[k], NULL, &f->figure.expr))
			return -1;
		if (k == FIGURE_REGEX ? check_regex(s, f->expr[k], f->figure.expr)
				      : check_pointer(s, f->expr[k], f->figure.expr))
			return -1;
	}
	if (!f->figure.kind)
		return schema_error(
			s, node, "no way to read the figure; expected one of regex, json and yaml");
	return 0;
}

/* A figure that goes by @name must be the same thing. */
static bool agrees(
	const struct figure *f, const char *name, const char *unit, enum metric_better better)
{
	return strcmp(f->name, name) || (!strcmp(f->unit, unit) && f->better == better);
}

/* One name means one thing: in this matrix, and among the metrics that kab makes itself. */
static int check_metric(
	struct schema *s, yaml_node_t *node, const struct matrix *m, const struct figure *f)
{
	const struct metric *table;
	size_t n;

	table = metric_table(&n);
	for (size_t i = 0; i < n; i++)
		if (!agrees(f, table[i].name, table[i].unit, table[i].better))
			return schema_error(s, node,
				"'%s' is a metric of kab's own, in %s, %s is better; take another "
				"name",
				f->name, table[i].unit,
				table[i].better == BETTER_MORE	 ? "more"
				: table[i].better == BETTER_LESS ? "less"
								 : "neither");
	for (size_t i = 0; i < m->nworkloads; i++) {
		const struct figure *other = &m->workloads[i].figure;

		if (other != f && other->kind &&
			!agrees(f, other->name, other->unit, other->better))
			return schema_error(s, node,
				"'%s' has another unit or direction in workload '%s'", f->name,
				m->workloads[i].name);
	}
	return 0;
}

static int read_figure(struct schema *s, yaml_node_t *node, struct matrix *m, struct figure *out)
{
	struct figure_file f = {0};
	const char *name;
	int ret;

	ret = schema_map(s, node, "a figure", figure_keys, ARRAY_SIZE(figure_keys), NULL, &f);
	if (!ret)
		ret = read_expr(s, node, &f);
	name = ret ? NULL : matrix_label(s, f.expr[FIGURE_NONE], "a figure's name");
	if (name)
		f.figure.name = xstrdup(name);
	*out = f.figure; /* matrix_free() frees it, whole or not */
	if (!name)
		return -1;
	return check_metric(s, f.expr[FIGURE_NONE], m, out);
}

/* Entries of the list */

struct workload_file {
	struct workload_spec w;
	yaml_node_t *name, *figure;
	bool primary;
	struct {
		yaml_node_t *key, *value;
	} * params;
	size_t nparams;
};

static const struct schema_key workload_keys[] = {
	{"name", schema_node, offsetof(struct workload_file, name), true, 0, 0},
	{"command", schema_string, offsetof(struct workload_file, w.command), false, 0, 0},
	{"figure", schema_node, offsetof(struct workload_file, figure), false, 0, 0},
	{"primary", schema_bool, offsetof(struct workload_file, primary), false, 0, 0},
};

/* A key that the table lacks is a parameter; whether there is such a one is asked once the name is
 * known. */
static int keep_param(struct schema *s, yaml_node_t *key, yaml_node_t *value, void *arg)
{
	struct workload_file *f = arg;

	(void)s;
	f->params = xrealloc_array(f->params, f->nparams + 1, sizeof(*f->params));
	f->params[f->nparams].key = key;
	f->params[f->nparams++].value = value;
	return 0;
}

struct value_walk {
	const struct workload_spec *w;
	const yaml_node_t *key;
	struct dimension *d;
};

static int add_value(struct schema *s, yaml_node_t *unused, yaml_node_t *item, void *arg)
{
	const char *text = schema_text(s, item, "a value");
	struct value_walk *v = arg;

	(void)unused;
	if (!text || matrix_check_param(s, v->w, v->key, item))
		return -1;
	for (size_t i = 0; i < v->d->n; i++)
		if (!strcmp(v->d->values[i], text))
			return schema_error(s, item, "'%.50s' is twice in the list", text);
	v->d->values = xrealloc_array(v->d->values, v->d->n + 1, sizeof(*v->d->values));
	v->d->values[v->d->n++] = xstrdup(text);
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct dimension *)a)->key, ((const struct dimension *)b)->key);
}

static const char *key_text(const struct workload_file *f, size_t i)
{
	return (const char *)f->params[i].key->data.scalar.value;
}

/* A run ends by a number of operations or by a time; kab-workload takes one of them alone. */
static int check_end(struct schema *s, const struct workload_file *f)
{
	bool timed = false;

	for (size_t i = 0; i < f->nparams; i++)
		timed |= !strcmp(key_text(f, i), "duration");
	for (size_t i = 0; timed && i < f->nparams; i++)
		if (!strcmp(key_text(f, i), "ops"))
			return schema_error(s, f->params[i].key,
				"both 'ops' and 'duration'; expected one of them");
	return 0;
}

static int read_params(struct schema *s, struct workload_file *f, struct workload_spec *w)
{
	w->dims = xcalloc(f->nparams, sizeof(*w->dims));
	for (size_t i = 0; i < f->nparams; i++) {
		struct dimension *d = &w->dims[w->ndims++];
		struct value_walk v = {w, f->params[i].key, d};

		d->key = xstrdup(key_text(f, i));
		if (schema_items(s, f->params[i].value, "values", add_value, &v))
			return -1;
	}
	if (check_end(s, f))
		return -1;
	qsort(w->dims, w->ndims, sizeof(*w->dims), by_key);
	return 0;
}

static int check_own(struct schema *s, const struct workload_file *f, const struct workload_spec *w)
{
	const struct matrix_file *file = s->context;
	struct suggestion g = {.word = w->name};
	const json_t *own;
	size_t i;

	if (f->figure)
		return schema_error(
			s, f->figure, "a figure is read off a 'command', which is missing here");
	if (!file->catalog || catalog_workload(file->catalog, w->name))
		return 0;
	json_array_foreach (file->catalog, i, own) {
		suggestion_offer(&g, json_string_value(json_object_get(own, "name")));
	}
	return suggestion_error(
		s, f->name, "unknown workload (other programs need a 'command')", &g);
}

static int check_command(struct schema *s, yaml_node_t *node, const struct workload_file *f,
	struct matrix *m, struct workload_spec *w)
{
	const struct matrix_file *file = s->context;

	if (m->executor == EXECUTOR_EXACT)
		return schema_error(s, node,
			"the exact executor runs kab's own workloads alone, and this is a command");
	if (file->catalog && catalog_workload(file->catalog, w->name))
		return schema_error(s, f->name,
			"'%s' is one of kab's own workloads; give the command another name",
			w->name);
	if (f->nparams)
		return schema_error(s, f->params[0].key,
			"unknown key of a command: '%.50s'; expected one of: name, command, "
			"figure, primary",
			(const char *)f->params[0].key->data.scalar.value);
	if (!f->figure)
		return schema_error(s, node, "no 'figure' to read off the output of the command");
	m->has_commands = true;
	return read_figure(s, f->figure, m, &w->figure);
}

static int add_workload(struct schema *s, yaml_node_t *unused, yaml_node_t *item, void *arg)
{
	struct workload_file f = {.primary = true};
	struct matrix *m = arg;
	struct workload_spec *w;
	const char *name;
	int ret;

	(void)unused;
	if (m->nworkloads == MAX_WORKLOADS)
		return schema_error(s, item, "more than %d workloads", MAX_WORKLOADS);
	ret = schema_map(
		s, item, "a workload", workload_keys, ARRAY_SIZE(workload_keys), keep_param, &f);
	m->workloads = xrealloc_array(m->workloads, m->nworkloads + 1, sizeof(*m->workloads));
	w = &m->workloads[m->nworkloads++];
	*w = f.w;
	w->secondary = !f.primary;
	w->place = schema_place(s, item);
	name = ret ? NULL : matrix_label(s, f.name, "a workload's name");
	w->name = xstrdup(name ? name : "");
	if (!name)
		ret = -1;
	else if (w->command)
		ret = check_command(s, item, &f, m, w);
	else
		ret = check_own(s, &f, w) || read_params(s, &f, w) ? -1 : 0;
	free(f.params);
	return ret;
}

int matrix_read_workloads(struct schema *s, yaml_node_t *node, struct matrix *m)
{
	return schema_items(s, node, "workloads", add_workload, m);
}
