// SPDX-License-Identifier: GPL-2.0-or-later
/* kab kernel build|list|path|clean */
#include "commands.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel_parts.h"
#include "options.h"

struct kernel_options {
	const char *series, *config, *base, *rev, *mutation, *older_than;
	unsigned align;
	bool all, dry_run;
};

/* ---- which kernel ---- */

/* "a,b:2" -> series_ref each. */
static int split_series(const char *list, struct arm *a, struct error *err)
{
	__free_char char *copy = xstrdup(list);
	char *save;

	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *colon = strrchr(word, ':'), *end = NULL;
		struct series_ref ref = {};

		if (colon && !strchr(colon, '/')) {
			unsigned long n = strtoul(colon + 1, &end, 10);

			if (!isdigit((unsigned char)colon[1]) || *end || !n || n > 9999)
				return error_set(err, KAB_USAGE,
					"--series: '%s': expected NAME or NAME:PATCHES", word);
			ref.patches = n;
			*colon = '\0';
		}
		ref.name = xstrdup(word);
		a->series = xrealloc_array(a->series, a->nseries + 1, sizeof(*a->series));
		a->series[a->nseries++] = ref;
	}
	return 0;
}

static void split_config(const char *list, struct arm *a)
{
	__free_char char *copy = xstrdup(list);
	char *save;

	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		a->config = xrealloc_array(a->config, a->nconfig + 1, sizeof(*a->config));
		a->config[a->nconfig++] = xstrdup(word);
	}
}

int base_from_options(const char *base, const char *rev, struct base *b, struct error *err)
{
	struct tested_base t;
	struct stat st;

	if (!base) {
		if (tested_base_read(&t, err))
			return -1;
		b->package = xstrdup(t.package);
		tested_base_clear(&t);
	} else if (!strchr(base, '/')) {
		b->package = xstrdup(base);
	} else if (stat(base, &st)) {
		return error_set(err, KAB_USAGE, "--base: %s: no such file or folder", base);
	} else {
		*(S_ISDIR(st.st_mode) ? &b->tree : &b->tarball) = realpath(base, NULL);
	}
	if (rev && !b->tree)
		return error_set(err, KAB_USAGE, "--rev goes with a --base that is a git tree");
	b->rev = rev ? xstrdup(rev) : NULL;
	return 0;
}

/* A list of nothing is a mistake, such as a variable that is not set. */
static int check_list(const char *name, const char *list, struct error *err)
{
	if (!list || list[strspn(list, ",")])
		return 0;
	return error_set(err, KAB_USAGE, "--%s: '%s': expected names", name, list);
}

static int arm_from_options(const struct kernel_options *o, struct arm *a, struct error *err)
{
	*a = (struct arm){
		.label = xstrdup("given by options"), .cmdline = xstrdup(""), .align = o->align};
	a->mutation = o->mutation ? xstrdup(o->mutation) : NULL;
	if (check_list("series", o->series, err) || check_list("config", o->config, err))
		return -1;
	if (o->config)
		split_config(o->config, a);
	if (o->series && split_series(o->series, a, err))
		return -1;
	return base_from_options(o->base, o->rev, &a->base, err);
}

static int arm_from_matrix(const char *path, const char *label, struct arm *a, struct error *err)
{
	__free_char char *file = path_of_matrix(path);
	struct matrix *m = matrix_read(file, err);
	const struct arm *found = m ? matrix_arm(m, label) : NULL;
	struct strings labels = {};
	__free_char char *list = NULL;

	if (!m)
		return -1;
	if (found) {
		arm_copy(a, found, label);
		matrix_free(m);
		return 0;
	}
	for (size_t i = 0; i < m->narms; i++)
		strings_addf(&labels, "%s", m->arms[i].label);
	list = strings_join(&labels);
	strings_clear(&labels);
	matrix_free(m);
	return error_set(err, KAB_USAGE, "%s has no arm '%s'; there are: %s", path, label, list);
}

static int choose_arm(
	const struct kernel_options *o, int n, char **operands, struct arm *a, struct error *err)
{
	if (n == 0)
		return arm_from_options(o, a, err);
	if (n != 2)
		return error_set(err, KAB_USAGE, "expected MATRIX and ARM, or options alone");
	if (o->series || o->config || o->base || o->rev || o->mutation || o->align)
		return error_set(err, KAB_USAGE,
			"an arm of a matrix takes no --series, --config, --base, --rev, "
			"--mutation or --align");
	return arm_from_matrix(operands[0], operands[1], a, err);
}

/* ---- build, path ---- */

static void show_progress(void *arg, const char *stage, unsigned long done, unsigned long total)
{
	static const struct {
		const char *stage, *text;
	} texts[] = {
		{"wait", "waiting for another kab that builds this kernel"},
		{"extract", "unpacking the sources"},
		{"patch", "patching"},
		{"config", "configuring"},
		{"build", "building the kernel"},
		{"selftests", "building its self-tests"},
		{"publish", "storing it"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(texts[i].stage, stage))
			stage = texts[i].text;
	progress_update(arg, stage, NULL, done, total);
}

/* What a person or a script wants to know of a kernel. New reference. */
static json_t *kernel_json(const struct kernel *k)
{
	return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:b, s:b, s:O}", "key", k->key, "dir", k->dir,
		"image", k->image, "vmlinux", k->vmlinux, "selftests", k->selftests, "built",
		k->built, "debug", k->debug, "meta", k->meta);
}

static void print_warnings(const struct kernel *k)
{
	json_t *warning;
	size_t i;

	json_array_foreach (json_object_get(k->meta, "warnings"), i, warning)
		fprintf(stderr, "kab kernel: warning: %s\n", json_string_value(warning));
}

static int kernel_verb_build(const struct kernel_options *o, const struct cli_common *c, int n,
	char **operands, struct error *err)
{
	struct progress *p = NULL;
	struct kernel k = {};
	struct arm a = {};
	int ret = choose_arm(o, n, operands, &a, err);

	if (!ret) {
		p = progress_start(c);
		ret = kernel_build(&a, &k, show_progress, p, err);
		progress_end(p);
	}
	if (!ret) {
		print_warnings(&k);
		if (c->json)
			cli_print_json(kernel_json(&k));
		else
			puts(k.dir);
		kernel_clear(&k);
	}
	arm_clear(&a);
	return ret;
}

static int kernel_verb_path(const struct kernel_options *o, const struct cli_common *c, int n,
	char **operands, struct error *err)
{
	struct kernel k = {};
	struct arm a = {};
	int ret = choose_arm(o, n, operands, &a, err);

	if (!ret)
		ret = kernel_resolve(&a, &k, err);
	if (!ret) {
		if (c->json)
			cli_print_json(kernel_json(&k));
		else if (k.built)
			puts(k.dir);
		if (!k.built)
			ret = error_set(
				err, KAB_ENVIRONMENT, "not built yet: its place will be %s", k.dir);
		kernel_clear(&k);
	}
	arm_clear(&a);
	return ret;
}

/* ---- list ---- */

struct entry {
	char *key, *path;
	json_t *meta;
	uint64_t size;
	time_t used;
};

static int by_use(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->used < y->used) - (x->used > y->used);
}

static struct entry *read_entries(size_t *n)
{
	__free_char char *folder = xasprintf("%s/kernels", kab_cache());
	struct strings names = folder_names(folder, "");
	struct entry *v = xcalloc(names.n, sizeof(*v));

	*n = 0;
	for (size_t i = 0; i < names.n; i++) {
		struct entry *e = &v[*n];
		__free_char char *meta = NULL;
		struct stat st;

		e->path = cache_path("kernels", names.v[i]);
		meta = xasprintf("%s/meta.json", e->path);
		if (stat(e->path, &st)) {
			free(e->path);
			continue;
		}
		e->key = xstrdup(names.v[i]);
		e->used = st.st_mtime;
		e->size = cache_size(e->path);
		e->meta = json_load_file(meta, 0, NULL);
		(*n)++;
	}
	strings_clear(&names);
	qsort(v, *n, sizeof(*v), by_use);
	return v;
}

static void free_entries(struct entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].key);
		free(v[i].path);
		json_decref(v[i].meta);
	}
	free(v);
}

/* "vm-local-cpu:1,lazy-mm +lazy-mm/no-flush": what was put onto the base. Caller frees. */
static char *series_text(const json_t *meta)
{
	const char *mutation = json_string_value(json_object_get(meta, "mutation"));
	struct buf b = {};
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(meta, "series"), i, name)
		buf_addf(&b, "%s%s", i ? "," : "", json_string_value(name));
	if (mutation)
		buf_addf(&b, "%s+%s", b.len ? " " : "", mutation);
	return b.data ? b.data : xstrdup("-");
}

/* Fragments beside base.config and those of the series, and the alignment. Caller frees. */
static char *config_text(const json_t *meta)
{
	json_int_t align = json_integer_value(json_object_get(meta, "align"));
	struct buf b = {};
	json_t *fragment;
	size_t i;

	json_array_foreach (json_object_get(meta, "fragments"), i, fragment) {
		const char *origin = json_string_value(json_object_get(fragment, "origin"));
		const char *name = json_string_value(json_object_get(fragment, "name"));
		const char *end = name ? strrchr(name, '.') : NULL;

		if (i && origin && end && !strcmp(origin, "config"))
			buf_addf(&b, "%s%.*s", b.len ? "," : "", (int)(end - name), name);
	}
	if (align)
		buf_addf(&b, "%salign=%lld", b.len ? "," : "", (long long)align);
	return b.data ? b.data : xstrdup("-");
}

static void age_text(time_t then, char *out, size_t size)
{
	double s = difftime(time(NULL), then);

	if (s < 3600)
		snprintf(out, size, "%.0f min", s / 60);
	else if (s < 86400)
		snprintf(out, size, "%.0f h", s / 3600);
	else
		snprintf(out, size, "%.0f d", s / 86400);
}

static json_t *entry_json(const struct entry *e)
{
	char used[32];
	struct tm tm;

	strftime(used, sizeof(used), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&e->used, &tm));
	return json_pack("{s:s, s:s, s:I, s:s, s:O?}", "key", e->key, "dir", e->path, "bytes",
		(json_int_t)e->size, "used", used, "meta", e->meta);
}

static void print_entry(const struct entry *e)
{
	const char *version =
		json_string_value(json_object_get(json_object_get(e->meta, "base"), "version"));
	__free_char char *series = series_text(e->meta);
	__free_char char *config = config_text(e->meta);
	char age[32];

	age_text(e->used, age, sizeof(age));
	printf("%.12s  %-10s  %-28s  %-18s  %5.0f MB  %8s\n", e->key, version ? version : "damaged",
		series, config, e->size / 1e6, age);
}

/* "0123456789ab  tree 2, last of kernel ..., 612 MB of its own, used 3 h ago". */
static void print_trees(const json_t *trees)
{
	json_t *tree;
	size_t i;

	if (json_array_size(trees))
		printf("\n%-12s  %-10s  %-48s  %8s  %8s\n", "TREE", "BASE",
			"LAST KERNEL BUILT IN IT", "SIZE", "USED");
	json_array_foreach (trees, i, tree) {
		const char *dir = json_string_value(json_object_get(tree, "dir"));
		const char *base = json_string_value(json_object_get(tree, "base"));
		const char *kernel = json_string_value(json_object_get(tree, "kernel"));
		char age[32];

		age_text(json_integer_value(json_object_get(tree, "used")), age, sizeof(age));
		printf("%-12s  %-10.10s  %-48.12s  %5.0f MB  %8s\n", strrchr(dir, '/') + 1,
			base ? base : "-", kernel ? kernel : "being built",
			json_integer_value(json_object_get(tree, "bytes")) / 1e6,
			json_is_true(json_object_get(tree, "building")) ? "now" : age);
	}
}

/* What the cache takes up, by kind. New reference. */
static json_t *cache_sizes(void)
{
	static const char *const kinds[] = {
		"kernels", "sources", "trees", "build", "failed", "initramfs", "ccache"};
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		__free_char char *path = xasprintf("%s/%s", kab_cache(), kinds[i]);

		json_object_set_new(o, kinds[i], json_integer(cache_size(path)));
	}
	return o;
}

static void print_sizes(const json_t *sizes)
{
	const char *kind;
	json_t *size;
	double sum = 0;

	putchar('\n');
	json_object_foreach ((json_t *)sizes, kind, size) {
		sum += json_integer_value(size);
		printf("%s %.2f GB, ", kind, json_integer_value(size) / 1e9);
	}
	printf("in all %.2f GB\n", sum / 1e9);
}

static int kernel_verb_list(const struct kernel_options *o, const struct cli_common *c, int n,
	char **operands, struct error *err)
{
	json_t *trees, *sizes;
	struct entry *v;
	size_t count;

	(void)o;
	if (n)
		return error_set(err, KAB_USAGE, "list takes no operand, found '%s'", operands[0]);
	v = read_entries(&count);
	trees = trees_json();
	sizes = cache_sizes();
	if (c->json) {
		json_t *a = json_array();

		for (size_t i = 0; i < count; i++)
			json_array_append_new(a, entry_json(&v[i]));
		cli_print_json(
			json_pack("{s:o, s:O, s:O}", "kernels", a, "trees", trees, "bytes", sizes));
	} else {
		if (count)
			printf("%-12s  %-10s  %-28s  %-18s  %8s  %8s\n", "KEY", "BASE", "SERIES",
				"CONFIG", "SIZE", "USED");
		for (size_t i = 0; i < count; i++)
			print_entry(&v[i]);
		print_trees(trees);
		print_sizes(sizes);
	}
	json_decref(trees);
	json_decref(sizes);
	free_entries(v, count);
	return 0;
}

/* ---- clean ---- */

/*
 * What lies in the cache and which lock says that it is in use. Logs of failures need none, nor do
 * initramfs images: the next boot makes its own again.
 */
static const struct {
	const char *folder, *lock, *what;
} cleaned[] = {
	{"kernels", "", "kernel"},
	{"sources", "source-", "sources"},
	{"trees", "tree-", "build tree"},
	{"failed", NULL, "log"},
	{"initramfs", NULL, "initramfs"},
};

static int parse_days(const char *text, double *seconds, struct error *err)
{
	char *end;
	double days = strtod(text, &end);

	if (end == text || !isfinite(days) || days < 0 || (strcmp(end, "") && strcmp(end, "d")))
		return error_set(
			err, KAB_USAGE, "--older-than: '%s': expected a number of days", text);
	*seconds = days * 86400;
	return 0;
}

/* What is to go, and what was said of it so far. */
struct cleaning {
	double age; /* seconds since its last use at least */
	bool dry_run;
	json_t *entries; /* NULL: told as text at once */
	uint64_t freed;	 /* bytes */
	int count;
};

static void tell_entry(
	struct cleaning *cl, bool in_use, const char *what, const char *path, uint64_t size)
{
	const char *state = in_use ? "in use" : cl->dry_run ? "would go" : "removed";

	if (cl->entries)
		json_array_append_new(
			cl->entries, json_pack("{s:s, s:s, s:s, s:I}", "state", state, "what", what,
					     "path", path, "bytes", (json_int_t)size));
	else
		printf("%-8s %s %s\n", state, what, path);
}

static void discard(struct cleaning *cl, const char *what, const char *path)
{
	uint64_t size = cache_size(path);

	cl->freed += size;
	cl->count++;
	tell_entry(cl, false, what, path, size);
	if (!cl->dry_run)
		cache_discard(path);
}

static void clean_entry(struct cleaning *cl, size_t kind, const char *name)
{
	__free_char char *path = cache_path(cleaned[kind].folder, name);
	__close_fd int lock = -1;
	struct stat st;

	/*
	 * A file may be younger than now: time() is of the last tick, the stamp of a file need not
	 * be (multigrain timestamps, Linux 6.13), and clocks are set back. Such a one has age 0.
	 */
	if (stat(path, &st) || fmax(difftime(time(NULL), st.st_mtime), 0) < cl->age)
		return;
	if (cleaned[kind].lock) {
		__free_char char *lock_name = xasprintf("%s%s", cleaned[kind].lock, name);

		lock = cache_lock(lock_name, LOCK_EX | LOCK_NB, NULL);
		if (lock < 0) {
			tell_entry(cl, true, cleaned[kind].what, path, cache_size(path));
			return;
		}
	}
	discard(cl, cleaned[kind].what, path);
}

/* Objects that earlier versions kept by ccache. */
static void clean_objects(struct cleaning *cl)
{
	__free_char char *path = xasprintf("%s/ccache", kab_cache());

	if (!access(path, F_OK))
		discard(cl, "objects", path);
}

static int kernel_verb_clean(const struct kernel_options *o, const struct cli_common *c, int n,
	char **operands, struct error *err)
{
	struct cleaning cl = {.dry_run = o->dry_run};

	if (n)
		return error_set(err, KAB_USAGE, "clean takes no operand, found '%s'", operands[0]);
	if (!o->all == !o->older_than)
		return error_set(err, KAB_USAGE, "clean: expected --older-than DAYS or --all");
	if (o->older_than && parse_days(o->older_than, &cl.age, err))
		return -1;
	cl.entries = c->json ? json_array() : NULL;
	if (!o->dry_run)
		cache_sweep();
	for (size_t kind = 0; kind < ARRAY_SIZE(cleaned); kind++) {
		__free_char char *folder = xasprintf("%s/%s", kab_cache(), cleaned[kind].folder);
		struct strings names = folder_names(folder, "");

		for (size_t i = 0; i < names.n; i++)
			clean_entry(&cl, kind, names.v[i]);
		strings_clear(&names);
	}
	if (o->all)
		clean_objects(&cl);
	if (c->json)
		cli_print_json(json_pack("{s:o, s:i, s:I}", "entries", cl.entries, "count", cl.count,
			"bytes", (json_int_t)cl.freed));
	else
		printf("%d entr%s, %.1f GB\n", cl.count, cl.count == 1 ? "y" : "ies", cl.freed / 1e9);
	return 0;
}

/* ---- the verb ---- */

static const struct {
	const char *name;
	int (*run)(const struct kernel_options *o, const struct cli_common *c, int n,
		char **operands, struct error *err);
} verbs[] = {
	{"build", kernel_verb_build},
	{"list", kernel_verb_list},
	{"path", kernel_verb_path},
	{"clean", kernel_verb_clean},
};

/* An option that a verb would pass over is a mistake: --dry-run would build. */
static int check_options(const struct kernel_options *o, const char *verb, struct error *err)
{
	bool cleans = !strcmp(verb, "clean"), lists = !strcmp(verb, "list");
	const char *of_clean = o->older_than ? "older-than" : o->all ? "all" : o->dry_run ? "dry-run" : NULL;
	const char *of_build = o->series     ? "series"
			       : o->config   ? "config"
			       : o->base     ? "base"
			       : o->rev	     ? "rev"
			       : o->align    ? "align"
			       : o->mutation ? "mutation"
					     : NULL;

	if (of_clean && !cleans)
		return error_set(err, KAB_USAGE, "--%s is an option of kab kernel clean", of_clean);
	if (of_build && (cleans || lists))
		return error_set(err, KAB_USAGE, "--%s is an option of kab kernel build and path", of_build);
	return 0;
}

int cmd_kernel(int argc, char **argv)
{
	struct kernel_options o = {};
	const struct option_spec options[] = {
		{"series", 0, OPT_STRING, "LIST",
			"series on top of the base, comma-separated; NAME:N: N patches", &o.series},
		{"config", 0, OPT_STRING, "LIST", "config fragments on top of base.config",
			&o.config},
		OPTION_BASE(&o),
		OPTION_REV(&o),
		{"align", 0, OPT_UINT, "N", "function alignment in bytes", &o.align},
		{"mutation", 0, OPT_STRING, "NAME",
			"series/name: a patch that breaks it, applied last", &o.mutation},
		{"older-than", 0, OPT_STRING, "DAYS", "clean: what was last used longer ago",
			&o.older_than},
		{"all", 0, OPT_FLAG, NULL, "clean: everything that is not in use", &o.all},
		{"dry-run", 0, OPT_FLAG, NULL, "clean: only say what would go", &o.dry_run},
	};
	const struct usage u = {
		.verb = "kernel",
		.synopsis = "build|path [MATRIX ARM | options], kernel list, kernel clean",
		.summary = "Builds kernels and keeps them: base + series + configuration, each "
			   "built once.",
		.options = options,
		.noptions = ARRAY_SIZE(options),
	};
	struct cli_common c = {};
	struct error err = {};
	int n, ret = cli_parse(&u, argc, argv, &c, &n, &err);

	if (ret)
		return ret > 0 ? KAB_OK : cli_fail("kernel", &err);
	if (!n) {
		error_set(&err, KAB_USAGE,
			"expected build, list, path or clean; see kab kernel --help");
		return cli_fail("kernel", &err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[0], verbs[i].name))
			continue;
		if (check_options(&o, argv[0], &err))
			return cli_fail("kernel", &err);
		return verbs[i].run(&o, &c, n - 1, argv + 1, &err) ? cli_fail("kernel", &err)
								   : KAB_OK;
	}
	error_set(&err, KAB_USAGE, "'%s': expected build, list, path or clean", argv[0]);
	return cli_fail("kernel", &err);
}
