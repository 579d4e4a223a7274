// SPDX-License-Identifier: GPL-2.0-or-later
/* From an arm to a kernel in the cache. The parts are in kernel_parts.h; here is their order. */
#include "kernel_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Part of the key: raise it when the same inputs come to give another kernel. */
#define KERNEL_FORMAT 1

/* Room for unpacked sources and for the objects of one build, measured with 6.1 and rounded up. */
#define SOURCE_BYTES 1700000000ull
#define BUILD_BYTES 600000000ull
#define BUILD_DEBUG_INFO_BYTES 6000000000ull

/* Everything that an arm's kernel follows from. */
struct inputs {
	struct source source;
	struct recipe recipe;
	char *toolchain;
};

static void inputs_clear(struct inputs *in)
{
	source_clear(&in->source);
	recipe_clear(&in->recipe);
	free(in->toolchain);
}

static int inputs_read(const struct arm *arm, struct inputs *in, struct error *err)
{
	*in = (struct inputs){};
	/* The recipe first: a mistake of the user's is told before a package is missed. */
	if (recipe_read(arm, &in->recipe, err) || source_find(&arm->base, &in->source, err)) {
		error_prefix(err, "arm %s", arm->label);
		return arm->place ? error_prefix(err, "%s", arm->place) : -1;
	}
	in->toolchain = toolchain_version(err);
	return in->toolchain ? 0 : -1;
}

/* Names and comments stay out: a key changes only with what the compiler gets to see. */
static void make_key(const struct inputs *in, char key[65])
{
	const struct recipe *r = &in->recipe;
	struct buf b = {};

	buf_addf(&b, "format %d\nbase %s\ntoolchain %s\nalign %u\n", KERNEL_FORMAT,
		in->source.checksum, in->toolchain, r->align);
	for (size_t i = 0; i < r->npatches; i++)
		buf_addf(&b, "patch %s\n", r->patches[i].sha256);
	for (size_t i = 0; i < r->selftests.n; i++)
		buf_addf(&b, "selftest %s\n", r->selftests.v[i]);
	settings_text(&r->settings, &b);
	sha256_hex(b.data, b.len, key);
	buf_free(&b);
}

static bool setting_on(const struct recipe *r, const char *option)
{
	const struct setting *s = settings_find(&r->settings, option);

	return s && s->value && !strcmp(s->value, "y");
}

static bool is_debug(const struct recipe *r)
{
	return setting_on(r, "CONFIG_PROVE_LOCKING") || setting_on(r, "CONFIG_KASAN") ||
	       setting_on(r, "CONFIG_KCSAN");
}

static json_t *ingredients_json(const struct ingredient *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_pack("{s:o, s:s, s:s}", "origin", json_path(v[i].origin), "name",
						 v[i].name, "sha256", v[i].sha256));
	return a;
}

static json_t *strings_json(const struct strings *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(a, json_string(s->v[i]));
	return a;
}

/* The series as the arm names them: "lazy-mm", "vm-local-cpu:1". */
static json_t *series_json(const struct arm *arm)
{
	json_t *a = json_array();

	for (size_t i = 0; i < arm->nseries; i++)
		json_array_append_new(a, series_ref_json(&arm->series[i]));
	return a;
}

/* What is known before a build. */
static json_t *inputs_json(const struct arm *arm, const struct inputs *in, const char *key)
{
	const struct recipe *r = &in->recipe;
	__free_char char *base = path_without_home(in->source.name);

	return json_pack("{s:i, s:s, s:{s:s, s:s, s:s?}, s:s, s:i, s:o, s:s?, s:o, s:o, s:o, s:b}",
		"format", KERNEL_FORMAT, "key", key, "base", "name", base, "checksum",
		in->source.checksum, "version", in->source.version, "toolchain", in->toolchain,
		"align", (int)r->align, "series", series_json(arm), "mutation", arm->mutation,
		"patches", ingredients_json(r->patches, r->npatches), "fragments",
		ingredients_json(r->fragments, r->nfragments), "selftests",
		strings_json(&r->selftests), "debug", is_debug(r));
}

/* The entry's file @name, or NULL if it is not there. Caller frees. */
static char *entry_file(const struct kernel *k, const char *name)
{
	char *path = xasprintf("%s/%s", k->dir, name);

	if (!access(path, F_OK))
		return path;
	free(path);
	return NULL;
}

/*
 * Equal content may have had other names when it was built, from somebody else's folder for
 * instance: what is told of a kernel goes by the names of the arm that asks.
 */
static void keep_names(json_t *meta, const json_t *asked)
{
	static const char *const named[] = {"series", "mutation", "patches", "fragments"};

	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		json_object_set(meta, named[i], json_object_get(asked, named[i]));
	json_object_set(json_object_get(meta, "base"), "name",
		json_object_get(json_object_get(asked, "base"), "name"));
}

/* Fills in @k from its entry; false if there is none, or not a whole one. */
static bool load_entry(struct kernel *k)
{
	__free_char char *path = xasprintf("%s/meta.json", k->dir);
	__free_char char *image = entry_file(k, "bzImage");
	json_t *meta = image ? json_load_file(path, 0, NULL) : NULL;
	const char *key = json_string_value(json_object_get(meta, "key"));
	const char *version =
		json_string_value(json_object_get(json_object_get(meta, "base"), "version"));

	if (!key || strcmp(key, k->key)) {
		json_decref(meta);
		return false;
	}
	keep_names(meta, k->meta);
	json_decref(k->meta);
	k->meta = meta;
	if (version) {
		free(k->base_version);
		k->base_version = xstrdup(version);
	}
	free(k->vmlinux);
	k->vmlinux = entry_file(k, "vmlinux");
	free(k->selftests);
	k->selftests = entry_file(k, "selftests");
	k->built = true;
	return true;
}

static void describe(const struct arm *arm, const struct inputs *in, struct kernel *k)
{
	*k = (struct kernel){};
	make_key(in, k->key);
	k->dir = cache_path("kernels", k->key);
	k->image = xasprintf("%s/bzImage", k->dir);
	k->base_version = in->source.version ? xstrdup(in->source.version) : NULL;
	k->debug = is_debug(&in->recipe);
	k->meta = inputs_json(arm, in, k->key);
}

int kernel_resolve(const struct arm *arm, struct kernel *k, struct error *err)
{
	struct inputs in;
	int ret = inputs_read(arm, &in, err);

	*k = (struct kernel){};
	if (!ret) {
		describe(arm, &in, k);
		load_entry(k);
	}
	inputs_clear(&in);
	return ret;
}

void kernel_clear(struct kernel *k)
{
	if (k->lock > 0)
		close(k->lock);
	free(k->dir);
	free(k->image);
	free(k->vmlinux);
	free(k->selftests);
	free(k->base_version);
	json_decref(k->meta);
	*k = (struct kernel){};
}

/* ---- a build ---- */

static json_t *build_warnings(const struct arm *arm, const struct source *s)
{
	json_t *a = json_array();
	struct tested_base t;

	if (s->dirty)
		json_array_append_new(a,
			json_sprintf("%s has uncommitted changes, which were left out", s->path));
	if (!arm->base.package || tested_base_read(&t, NULL))
		return a;
	if (!strcmp(t.package, arm->base.package)) {
		__free_char char *versions = strings_join(&t.versions);
		bool tested = false;

		for (size_t i = 0; i < t.versions.n; i++)
			tested |= !strcmp(t.versions.v[i], s->version);
		if (!tested)
			json_array_append_new(
				a, json_sprintf("%s is version %s; the series were tested with %s",
					   s->name, s->version, versions));
	}
	tested_base_clear(&t);
	return a;
}

static int64_t file_bytes(const char *folder, const char *name)
{
	__free_char char *path = xasprintf("%s/%s", folder, name);
	struct stat st;

	return stat(path, &st) ? 0 : st.st_size;
}

/* Adds what the build brought to light and writes meta.json. */
static int write_meta(const struct arm *arm, const struct inputs *in, const struct build *b,
	double seconds, json_t *meta, struct error *err)
{
	__free_char char *config_path = xasprintf("%s/config", b->out);
	__free_char char *image = xasprintf("%s/bzImage", b->out);
	__free_char char *path = xasprintf("%s/meta.json", b->out);
	__free_char char *config = file_read(config_path, NULL, err);
	__free_char char *text = NULL;
	char image_sum[65], config_sum[65], now[32];

	if (!config || sha256_file(image, image_sum, err) ||
		sha256_file(config_path, config_sum, err))
		return -1;
	time_iso(now, sizeof(now));
	json_object_set_new(
		json_object_get(meta, "base"), "version", json_string(in->source.version));
	json_object_set_new(meta, "built", json_string(now));
	json_object_set_new(meta, "build_seconds", json_real(seconds));
	json_object_set_new(meta, "incremental", json_boolean(b->reused));
	json_object_set_new(meta, "image_sha256", json_string(image_sum));
	json_object_set_new(meta, "image_bytes", json_integer(file_bytes(b->out, "bzImage")));
	json_object_set_new(meta, "vmlinux_bytes", json_integer(file_bytes(b->out, "vmlinux")));
	json_object_set_new(meta, "config_sha256", json_string(config_sum));
	json_object_set_new(meta, "config", config_to_json(config));
	json_object_set_new(meta, "warnings", build_warnings(arm, &in->source));
	text = json_dumps(meta, JSON_INDENT(2) | JSON_SORT_KEYS);
	return file_write_atomic(path, text, strlen(text), err);
}

double kernel_build_minutes(void)
{
	__free_char char *folder = cache_path("kernels", "");
	struct strings names = folder_names(folder, "");
	double seconds = 0;
	unsigned n = 0;

	for (size_t i = 0; i < names.n; i++) {
		__free_char char *path = xasprintf("%s/%s/meta.json", folder, names.v[i]);
		json_t *meta = json_load_file(path, 0, NULL);

		if (json_is_false(json_object_get(meta, "incremental"))) {
			seconds += json_number_value(json_object_get(meta, "build_seconds"));
			n++;
		}
		json_decref(meta);
	}
	strings_clear(&names);
	return n ? seconds / n / 60 : 0;
}

/* <cache>/failed/<key>.log. Caller frees. */
static char *failed_log(const char *key)
{
	__free_char char *name = xasprintf("%s.log", key);

	return cache_path("failed", name);
}

/* The rename makes the entry; what it holds is on the disk before. */
static int publish(const struct build *b, const struct kernel *k, struct error *err)
{
	const char *const sync[] = {"find", b->out, "-type", "f", "-exec", "sync", "{}", "+", NULL};
	__free_char char *folder = xasprintf("%s/kernels", kab_cache());
	__free_char char *log = xasprintf("%s/build.log", b->out);
	__free_char char *failed = failed_log(b->key);
	int status;

	if (dir_make(folder, err))
		return -1;
	if (link(b->log, log))
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", log, strerror(errno));
	status = run_command(sync, NULL, b->log, err);
	if (status)
		return status < 0 ? -1
				  : error_set(err, KAB_ENVIRONMENT,
					    "%s: cannot be written to the disk", b->out);
	cache_discard(k->dir);
	if (rename(b->out, k->dir))
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", k->dir, strerror(errno));
	unlink(failed); /* of an earlier try, on a full disk for instance */
	return 0;
}

/* Keeps the log of a failed build and says in @err where. */
static void keep_log(const struct build *b, struct error *err)
{
	__free_char char *folder = xasprintf("%s/failed", kab_cache());
	__free_char char *path = failed_log(b->key);
	__free_char char *text = err ? xstrdup(err->text) : NULL;

	if (dir_make(folder, NULL) || rename(b->log, path) || !err)
		return;
	/* Cut the text rather than the place of the log. */
	snprintf(err->text, sizeof(err->text), "%.*s\nlog: %s", (int)sizeof(err->text) / 2, text,
		path);
}

static uint64_t space_needed(const struct inputs *in)
{
	const struct setting *none = settings_find(&in->recipe.settings, "CONFIG_DEBUG_INFO_NONE");
	uint64_t need = none && !none->value ? BUILD_DEBUG_INFO_BYTES : BUILD_BYTES;

	return access(in->source.dir, F_OK) ? need + SOURCE_BYTES : need;
}

/*
 * The files that patches touch, in a folder of their own, patched. @touched and @patched are told
 * where they can be told.
 */
static int patch_files(const struct inputs *in, const struct build *b, struct strings *touched,
	const char *patched, struct error *err)
{
	__free_char char *base = xasprintf("%s, %s", in->source.name, in->source.version);

	if (recipe_touched(b->recipe, touched, err) || dir_make(patched, err))
		return -1;
	for (size_t i = 0; i < touched->n; i++) {
		__free_char char *from = xasprintf("%s/%s", in->source.dir, touched->v[i]);
		__free_char char *to = xasprintf("%s/%s", patched, touched->v[i]);
		struct stat st;

		if (!stat(from, &st) && S_ISREG(st.st_mode) && build_copy_file(from, to, err))
			return -1;
	}
	return recipe_apply(b->recipe, patched, base, b->log, err);
}

/* The base's sources, unpacked if need be. A lock on them, as of source_extract(). */
static int take_source(struct inputs *in, const struct build *b, struct error *err)
{
	if (access(in->source.dir, F_OK))
		build_report(b, "extract", 0, 0);
	return source_extract(&in->source, b->log, err);
}

/* Sources of our own, patched, in b->tree. */
static int prepare_tree(struct inputs *in, struct build *b, struct error *err)
{
	__free_char char *patched = xasprintf("%s/patched", b->dir);
	struct strings touched = {};
	__close_fd int lock = -1;
	int ret;

	lock = take_source(in, b, err);
	if (lock < 0)
		return -1;
	build_report(b, "patch", 0, 0);
	ret = patch_files(in, b, &touched, patched, err);
	if (!ret)
		ret = tree_take(b, in->source.dir, patched, &touched, err);
	strings_clear(&touched);
	return ret;
}

/* Kept trees are the first to make room. */
static int make_room(const struct inputs *in, struct error *err)
{
	uint64_t need = space_needed(in);

	if (!cache_space(need, NULL))
		return 0;
	trees_drop();
	return cache_space(need, err);
}

static int build_steps(const struct arm *arm, struct inputs *in, struct build *b, struct kernel *k,
	struct error *err)
{
	uint64_t start = now_ns();

	if (make_room(in, err) || dir_make(b->out, err) || prepare_tree(in, b, err))
		return -1;
	build_report(b, "config", 0, 0);
	if (build_configure(b, err) || build_kernel(b, err))
		return -1;
	if (b->recipe->selftests.n) {
		build_report(b, "selftests", 0, 0);
		if (build_selftests(b, err))
			return -1;
	}
	build_report(b, "publish", 0, 0);
	if (write_meta(arm, in, b, (now_ns() - start) / 1e9, k->meta, err))
		return -1;
	return publish(b, k, err);
}

/* Called with the key's lock held exclusively. */
static int build_entry(const struct arm *arm, struct inputs *in, struct kernel *k,
	kernel_progress *progress, void *arg, struct error *err)
{
	struct build b = {.recipe = &in->recipe,
		.key = k->key,
		.toolchain = in->toolchain,
		.progress = progress,
		.progress_arg = arg,
		.slot = -1,
		.slot_lock = -1};
	int ret;

	b.dir = cache_path("build", k->key);
	b.log = xasprintf("%s/build.log", b.dir);
	b.out = xasprintf("%s/out", b.dir);
	cache_sweep();
	cache_discard(b.dir);
	ret = build_steps(arm, in, &b, k, err);
	if (ret && !kab_interrupted)
		keep_log(&b, err);
	tree_release(&b, !ret);
	cache_discard(b.dir);
	free(b.dir);
	free(b.log);
	free(b.out);
	return ret;
}

/* The key's lock, exclusively; says so when it has to wait. */
static int lock_to_build(
	const struct kernel *k, kernel_progress *progress, void *arg, struct error *err)
{
	int fd = cache_lock(k->key, LOCK_EX | LOCK_NB, NULL);

	if (fd >= 0)
		return fd;
	if (progress)
		progress(arg, "wait", 0, 0);
	return cache_lock(k->key, LOCK_EX, err);
}

static int take_or_build(const struct arm *arm, struct inputs *in, struct kernel *k,
	kernel_progress *progress, void *arg, struct error *err)
{
	/* Where the exclusive lock becomes a shared one a "clean" may slip in: then once more. */
	for (int i = 0; i < 3; i++) {
		int lock = cache_lock(k->key, LOCK_SH | LOCK_NB, NULL);

		if (lock < 0 || !load_entry(k)) {
			if (lock >= 0)
				close(lock);
			lock = lock_to_build(k, progress, arg, err);
			if (lock < 0)
				return -1;
			/*
			 * The lock that is held becomes shared, instead of one being asked for
			 * anew: beside others that wait, and hold it for a moment each, that could
			 * fail any number of times.
			 */
			if ((!load_entry(k) && build_entry(arm, in, k, progress, arg, err)) ||
				cache_lock_share(lock, err)) {
				close(lock);
				return -1;
			}
		}
		if (load_entry(k)) {
			k->lock = lock;
			cache_touch(k->dir);
			return 0;
		}
		close(lock);
	}
	return error_set(
		err, KAB_ENVIRONMENT, "%s: removed again and again while it was built", k->dir);
}

int kernel_build(const struct arm *arm, struct kernel *k, kernel_progress *progress, void *arg,
	struct error *err)
{
	struct inputs in;
	int ret = inputs_read(arm, &in, err);

	*k = (struct kernel){};
	if (!ret) {
		describe(arm, &in, k);
		ret = take_or_build(arm, &in, k, progress, arg, err);
		if (ret)
			kernel_clear(k);
	}
	inputs_clear(&in);
	return ret;
}

/* In a folder of its own, which a sweep takes away where this is killed: the lock has its name. */
static int check_patches(struct inputs *in, struct build *b, struct error *err)
{
	__free_char char *patched = xasprintf("%s/patched", b->dir);
	__close_fd int lock = -1;
	struct strings touched = {};
	int ret;

	if (access(in->source.dir, F_OK) && make_room(in, err))
		return -1;
	cache_sweep();
	if (dir_make(b->dir, err))
		return -1;
	lock = take_source(in, b, err);
	if (lock < 0)
		return -1;
	ret = patch_files(in, b, &touched, patched, err);
	strings_clear(&touched);
	return ret;
}

int kernel_check_patches(
	const struct arm *arm, kernel_progress *progress, void *arg, struct error *err)
{
	struct build b = {.progress = progress, .progress_arg = arg};
	__free_char char *name = NULL;
	__close_fd int lock = -1;
	struct inputs in;
	char key[65];
	int ret = inputs_read(arm, &in, err);

	if (!ret) {
		make_key(&in, key);
		name = xasprintf("check-%s", key);
		b.dir = cache_path("build", name);
		b.log = xasprintf("%s/check.log", b.dir);
		b.recipe = &in.recipe;
		lock = cache_lock(name, LOCK_EX, err);
		ret = lock < 0 ? -1 : check_patches(&in, &b, err);
		if (lock >= 0)
			cache_discard(b.dir);
	}
	free(b.dir);
	free(b.log);
	inputs_clear(&in);
	return ret;
}
