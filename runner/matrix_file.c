// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A matrix file -> struct matrix: the file as a whole, executor and observers. Tables name the
 * keys; parts that need other parts (arms need workloads, the baseline needs arms) are kept as
 * nodes until those are read, so that keys may come in any order.
 */
#include "matrix.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog.h"
#include "matrix_parts.h"
#include "observer.h"
#include "qemu.h"
#include "util.h"

#define DEFAULT_BASE "linux-source-6.1"
#define DEFAULT_BUDGET_S 1200
#define DEFAULT_CPUS 4
#define DEFAULT_MEMORY (2ull << 30)
#define MAX_CPUS 255 /* what QEMU's guests take without x2APIC */
#define MAX_LABEL 40

const char *matrix_label(struct schema *s, const yaml_node_t *node, const char *what)
{
	const char *text = schema_text(s, node, what);

	if (!text)
		return NULL;
	for (const char *c = text; *c; c++) {
		if (isalnum((unsigned char)*c) || (c > text && strchr("._+-", *c)))
			continue;
		schema_error(s, node,
			"'%.50s' is not %s: expected letters, digits and, not in front, . _ + -",
			text, what);
		return NULL;
	}
	if (strlen(text) > MAX_LABEL) {
		schema_error(s, node, "'%.50s' is too long for %s; expected at most %d characters",
			text, what, MAX_LABEL);
		return NULL;
	}
	return text;
}

struct numbers {
	unsigned *v;
	size_t n;
};

static int add_number(struct schema *s, yaml_node_t *key, yaml_node_t *item, void *arg)
{
	const struct schema_key bounds = {.min = 1, .max = MAX_CPUS};
	struct numbers *l = arg;
	unsigned v;

	(void)key;
	if (schema_unsigned(s, item, &bounds, &v))
		return -1;
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i] == v)
			return schema_error(s, item, "%u is twice in the list", v);
	l->v = xrealloc_array(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = v;
	return 0;
}

static int read_numbers(
	struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	return schema_items(s, node, key->name, add_number, field);
}

static int read_share(struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field)
{
	return schema_path(s, node, key, field) ? -1 : matrix_check_path(s, node, *(char **)field, S_IFDIR);
}

/* What any of the three kinds takes. */
struct executor_file {
	struct numbers cpus, nodes;
	uint64_t memory;
	char *share, *label;
};

static const struct schema_key vm_keys[] = {
	{"memory", schema_size, offsetof(struct executor_file, memory), false, 64 << 20,
		1ull << 42},
	{"cpus", read_numbers, offsetof(struct executor_file, cpus), false, 0, 0},
	{"share", read_share, offsetof(struct executor_file, share), false, 0, 0},
	{"nodes", read_numbers, offsetof(struct executor_file, nodes), false, 0, 0},
};

static const struct schema_key local_keys[] = {
	{"label", schema_string, offsetof(struct executor_file, label), false, 0, 0},
};

static const struct {
	const char *name, *what;
	enum executor_kind kind;
	const struct schema_key *keys;
	size_t nkeys;
} executor_kinds[] = {
	{"vm", "the vm executor", EXECUTOR_VM, vm_keys, ARRAY_SIZE(vm_keys)},
	{"exact", "the exact executor", EXECUTOR_EXACT, vm_keys, 2}, /* one node, nothing shared */
	{"local", "the local executor", EXECUTOR_LOCAL, local_keys, ARRAY_SIZE(local_keys)},
};

static int expand_machines(
	struct schema *s, const yaml_node_t *at, struct matrix *m, struct executor_file *f)
{
	unsigned one = m->executor == EXECUTOR_LOCAL ? 0 : 1; /* 0: as this machine has */
	unsigned cpus = m->executor == EXECUTOR_VM ? DEFAULT_CPUS : one;
	const struct numbers c = f->cpus.n ? f->cpus : (struct numbers){&cpus, 1};
	const struct numbers n = f->nodes.n ? f->nodes : (struct numbers){&one, 1};

	m->machines = xcalloc(c.n * n.n, sizeof(*m->machines));
	for (size_t i = 0; i < c.n; i++) {
		for (size_t j = 0; j < n.n; j++) {
			if (n.v[j] > c.v[i])
				return schema_error(s, at,
					"a machine of %u CPUs in %u nodes; expected a CPU for each "
					"node",
					c.v[i], n.v[j]);
			if (n.v[j] > 1 && f->memory / n.v[j] < QEMU_NODE_MEMORY_MIN)
				return schema_error(s, at,
					"a machine of %llu MiB in %u nodes; expected at least %llu MiB for each node",
					(unsigned long long)(f->memory >> 20), n.v[j], QEMU_NODE_MEMORY_MIN >> 20);
			m->machines[m->nmachines++] = (struct machine){c.v[i], n.v[j], f->memory};
		}
	}
	return 0;
}

static int read_executor_kind(struct schema *s, yaml_node_t *key, yaml_node_t *node, void *arg)
{
	struct matrix *m = arg;
	const char *name = (const char *)key->data.scalar.value;
	struct suggestion g = {.word = name};
	struct executor_file f = {.memory = DEFAULT_MEMORY};
	size_t k;
	int ret;

	if (m->nmachines)
		return schema_error(s, key, "a second executor, '%.50s'; expected one", name);
	for (k = 0; k < ARRAY_SIZE(executor_kinds) && strcmp(name, executor_kinds[k].name); k++)
		suggestion_offer(&g, executor_kinds[k].name);
	if (k == ARRAY_SIZE(executor_kinds))
		return suggestion_error(s, key, "unknown executor", &g);
	buf_free(&g.all);

	m->executor = executor_kinds[k].kind;
	ret = schema_map(s, node, executor_kinds[k].what, executor_kinds[k].keys,
		executor_kinds[k].nkeys, NULL, &f);
	m->share = f.share;
	m->local_label = f.label;
	if (m->executor == EXECUTOR_LOCAL)
		f.memory = 0;
	if (!ret)
		ret = expand_machines(s, key, m, &f);
	free(f.cpus.v);
	free(f.nodes.v);
	return ret;
}

static int read_executor(struct schema *s, yaml_node_t *node, struct matrix *m)
{
	struct executor_file f = {.memory = DEFAULT_MEMORY};

	if (!node)
		return expand_machines(s, schema_root(s), m, &f);
	if (schema_pairs(s, node, "an executor", read_executor_kind, m))
		return -1;
	if (!m->nmachines)
		return schema_error(s, node, "no executor; expected one of: vm, exact, local");
	return 0;
}

static int add_observer(struct schema *s, yaml_node_t *key, yaml_node_t *item, void *arg)
{
	const char *name = schema_text(s, item, "the name of an observer");
	struct suggestion g = {.word = name};
	struct matrix *m = arg;

	(void)key;
	if (!name)
		return -1;
	for (size_t i = 0; i < nobservers; i++) {
		if (strcmp(name, observers[i].name)) {
			suggestion_offer(&g, observers[i].name);
			continue;
		}
		buf_free(&g.all);
		if (m->observers & observers[i].bit)
			return schema_error(s, item, "'%s' is twice in the list", name);
		if (m->executor == EXECUTOR_EXACT &&
			(observers[i].bit & (OBSERVE_PERF_STAT | OBSERVE_PERF_RECORD)))
			return schema_error(s, item, "the exact executor's guest has no perf");
		if (m->executor != EXECUTOR_EXACT && observers[i].bit == OBSERVE_FUNCTIONS)
			return schema_error(s, item,
				"instructions are counted by function with the exact executor alone");
		m->observers |= observers[i].bit;
		return 0;
	}
	suggestion_offer(&g, "none");
	return suggestion_error(s, item, "unknown observer", &g);
}

/* All that cost little, unless told; "none" alone is none. */
static int read_observers(struct schema *s, yaml_node_t *node, struct matrix *m)
{
	if (!node) {
		m->observers = OBSERVE_SCHEDSTAT | OBSERVE_INTERRUPTS | OBSERVE_VMSTAT;
		return 0;
	}
	if (node->type == YAML_SCALAR_NODE &&
		!strcmp((const char *)node->data.scalar.value, "none"))
		return 0;
	return schema_items(s, node, "observers", add_observer, m);
}

static bool is_tracepoint(const char *name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_*";
	size_t group = strspn(name, chars);

	return group && name[group] == ':' && name[group + 1] &&
	       !name[group + 1 + strspn(name + group + 1, chars)];
}

static int add_tracepoint(struct schema *s, yaml_node_t *key, yaml_node_t *item, void *arg)
{
	const char *name = schema_text(s, item, "a tracepoint");
	struct matrix *m = arg;
	char *before = m->tracepoints;

	(void)key;
	if (!name)
		return -1;
	if (!is_tracepoint(name))
		return schema_error(s, item, "'%.60s' is no tracepoint; expected GROUP:NAME", name);
	m->tracepoints = before ? xasprintf("%s,%s", before, name) : xstrdup(name);
	free(before);
	return 0;
}

static int read_tracepoints(struct schema *s, yaml_node_t *node, struct matrix *m)
{
	if (node && m->executor == EXECUTOR_EXACT)
		return schema_error(s, node, "the exact executor's guest has no perf");
	return node ? schema_items(s, node, "tracepoints", add_tracepoint, m) : 0;
}

static int read_baseline(struct schema *s, yaml_node_t *node, struct matrix *m)
{
	struct suggestion g = {0};

	if (!node) {
		m->baseline = xstrdup(matrix_arm(m, "stock") ? "stock" : m->arms[0].label);
		return 0;
	}
	g.word = schema_text(s, node, "the label of an arm");
	if (!g.word)
		return -1;
	if (matrix_arm(m, g.word)) {
		m->baseline = xstrdup(g.word);
		return 0;
	}
	for (size_t i = 0; i < m->narms; i++)
		suggestion_offer(&g, m->arms[i].label);
	return suggestion_error(s, node, "the baseline is no arm", &g);
}

/* The top level: scalars go straight into the matrix, parts wait as nodes. */
struct top {
	struct matrix m;
	struct base base;
	yaml_node_t *baseline, *arms, *aa, *layout, *executor, *observers, *tracepoints,
		*workloads;
};

#define TOP(name, reader, field, ...)                                  \
	{                                                              \
		name, reader, offsetof(struct top, field), __VA_ARGS__ \
	}

static const struct schema_key top_keys[] = {
	TOP("base", matrix_read_base, base, false, 0, 0),
	TOP("baseline", schema_node, baseline, false, 0, 0),
	TOP("arms", schema_node, arms, true, 0, 0),
	TOP("aa", schema_node, aa, false, 0, 0),
	TOP("layout", schema_node, layout, false, 0, 0),
	TOP("executor", schema_node, executor, false, 0, 0),
	TOP("blocks", schema_unsigned, m.blocks, false, 1, 1000),
	TOP("samples", schema_unsigned, m.samples, false, 1, 1000),
	TOP("warmup", schema_unsigned, m.warmup, false, 0, 100),
	TOP("together", schema_bool, m.together, false, 0, 0),
	TOP("precision", schema_share, m.precision, false, 0.0001, 0.5),
	TOP("budget", schema_duration, m.budget_s, false, 1, 30 * 86400),
	TOP("observers", schema_node, observers, false, 0, 0),
	TOP("tracepoints", schema_node, tracepoints, false, 0, 0),
	TOP("seed", schema_u64, m.seed, false, 1, 18446744073709551615.0),
	TOP("threshold", schema_share, m.threshold, false, 0.0001, 0.5),
	TOP("workloads", schema_node, workloads, true, 0, 0),
};

static int read_parts(struct schema *s, struct top *t)
{
	struct matrix_file *file = s->context;
	struct matrix *m = &t->m;

	file->m = m;
	if (!t->base.package && !t->base.tree && !t->base.tarball)
		t->base.package = xstrdup(DEFAULT_BASE);
	file->base = t->base;
	if (read_executor(s, t->executor, m) || read_observers(s, t->observers, m) ||
		read_tracepoints(s, t->tracepoints, m) ||
		matrix_read_workloads(s, t->workloads, m) || matrix_read_arms(s, t->arms, m))
		return -1;
	if (read_baseline(s, t->baseline, m))
		return -1;
	if (m->precision > 0 && !(m->budget_s > 0))
		m->budget_s = DEFAULT_BUDGET_S;
	return matrix_read_aa(s, t->aa, m) || matrix_read_layout(s, t->layout, m) ? -1 : 0;
}

/* "matrix/default.yaml" -> "default". */
static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	if (dot && dot > name && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml")))
		return xstrndup(name, dot - name);
	return xstrdup(name);
}

struct matrix *matrix_parse_checked(
	const char *path, const char *text, const json_t *catalog, struct error *err)
{
	struct matrix_file file = {.catalog = catalog};
	struct top t = {.m = {.blocks = 10, .samples = 3, .warmup = 1}};
	struct matrix *m = xcalloc(1, sizeof(*m));
	struct schema s;
	int ret;

	if (schema_open(&s, path, text, err)) {
		free(m);
		return NULL;
	}
	s.context = &file;
	ret = schema_map(&s, schema_root(&s), "a matrix", top_keys, ARRAY_SIZE(top_keys), NULL, &t);
	if (!ret)
		ret = read_parts(&s, &t);
	schema_close(&s);
	base_clear(&t.base);

	*m = t.m;
	m->name = name_of(path);
	m->path = xstrdup(path);
	m->text = xstrdup(text);
	if (!ret)
		return m;
	matrix_free(m);
	return NULL;
}

struct matrix *matrix_parse(const char *path, const char *text, struct error *err)
{
	return matrix_parse_checked(path, text, NULL, err);
}

struct matrix *matrix_read(const char *path, struct error *err)
{
	struct matrix *m = NULL;
	json_t *catalog = NULL;
	size_t len;
	char *text = file_read(path, &len, err);

	if (!text) {
		if (err)
			err->status = KAB_USAGE;
		return NULL;
	}
	if (strlen(text) != len) {
		error_set(err, KAB_USAGE, "%s: a NUL byte at offset %zu; expected text", path,
			strlen(text));
		goto out;
	}
	/* What is wrong with the file goes before what is wrong with the installation. */
	m = matrix_parse(path, text, err);
	if (!m)
		goto out;
	matrix_free(m);
	m = NULL;
	catalog = catalog_read(err);
	if (catalog)
		m = matrix_parse_checked(path, text, catalog, err);
out:
	json_decref(catalog);
	free(text);
	return m;
}
