// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Build trees that are kept: <cache>/trees/<slot>/tree, described by tree.json beside it. A kernel
 * of a new key takes the tree that is nearest to it, changes what differs in its sources, and
 * leaves the rest to kbuild, which compiles by modification times and by its own .cmd files. What
 * makes that as good as a new tree:
 *
 *  - Whoever holds locks/tree-<slot> owns the tree, and takes tree.json away before the first
 * change. It comes back after a build that ended well. A tree without it, of a build that failed or
 * was killed, is thrown away.
 *  - A changed file is a new file with a modification time of now, also where the pristine text
 * comes back, and now is later than everything in the tree: where the clock went back, the tree is
 * thrown away.
 *  - What a power cut leaves half written is not found out by kbuild: a tree counts in the boot
 * that made it only.
 *  - What is not compiled but compiles (scripts/, tools/, the top Makefiles), and a new header that
 * may be found where another was found before, are changes that kbuild does not see in full: they
 * get a new tree.
 *
 * Files that did not change are hard links to the pristine sources; rename(2) over one breaks the
 * link.
 */
#include "kernel_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 6
/* With more settings that differ nearly everything is compiled anew: better a second tree than a
 * spoilt one. */
#define FAR_SETTINGS 5
/* A header is included many times. */
#define SETTING_COST 50
#define HEADER_COST 20
/* A kept tree must leave this much of the disk to others. */
#define KEEP_FREE_BYTES 4000000000ull

static char *slot_path(int slot, const char *name)
{
	return xasprintf("%s/trees/%d%s", kab_cache(), slot, name);
}

/* ---- what is in a tree ---- */

/* What @path holds: checksum and whether it can be run. NULL: there is no such file. Caller frees.
 */
static char *file_identity(const char *path)
{
	struct stat st;
	char sum[65];

	if (lstat(path, &st) || !S_ISREG(st.st_mode) || sha256_file(path, sum, NULL))
		return NULL;
	return xasprintf("%s%s", sum, st.st_mode & 0111 ? " x" : "");
}

/* {name: identity, or null where it is gone} of those of @touched that differ between the folders.
 */
static json_t *differences(const struct strings *touched, const char *patched, const char *source)
{
	json_t *o = json_object();

	for (size_t i = 0; i < touched->n; i++) {
		__free_char char *a = xasprintf("%s/%s", source, touched->v[i]);
		__free_char char *b = xasprintf("%s/%s", patched, touched->v[i]);
		__free_char char *before = file_identity(a), *after = file_identity(b);

		if (before && after ? strcmp(before, after) : before != after)
			json_object_set_new(
				o, touched->v[i], after ? json_string(after) : json_null());
	}
	return o;
}

static char *boot_id(void)
{
	char *id = file_read("/proc/sys/kernel/random/boot_id", NULL, NULL);

	if (id)
		id[strcspn(id, "\n")] = '\0';
	return id;
}

/* What tree.json says of a tree that was made of @files on @source. New reference. */
static json_t *describe(const struct build *b, const char *source, json_t *files)
{
	const char *slash = strrchr(source, '/');
	struct buf settings = {};
	__free_char char *boot = boot_id();
	json_t *o;

	settings_text(&b->recipe->settings, &settings);
	o = json_pack("{s:s, s:s, s:i, s:s?, s:s?, s:o}", "base", slash ? slash + 1 : source,
		"toolchain", b->toolchain, "align", (int)b->recipe->align, "boot", boot, "settings",
		settings.data, "files", files);
	buf_free(&settings);
	return o;
}

static bool same_value(const json_t *a, const json_t *b, const char *key)
{
	return json_equal(json_object_get(a, key), json_object_get(b, key));
}

/* Lines of a .config that one text has and the other lacks, an option with two values once. */
static unsigned settings_apart(const json_t *a, const json_t *b)
{
	const char *x = json_string_value(json_object_get(a, "settings"));
	const char *y = json_string_value(json_object_get(b, "settings"));
	struct settings s = {}, t = {};
	unsigned n = 0;

	settings_add(&s, "tree", x ? x : "", 0, NULL);
	settings_add(&t, "tree", y ? y : "", 0, NULL);
	for (size_t i = 0; i < s.n; i++) {
		const struct setting *other = settings_find(&t, s.v[i].option);
		const char *p = s.v[i].value, *q = other ? other->value : NULL;

		n += !other || (p && q ? !!strcmp(p, q) : p != q);
	}
	for (size_t i = 0; i < t.n; i++)
		n += !settings_find(&s, t.v[i].option);
	settings_clear(&s);
	settings_clear(&t);
	return n;
}

static bool is_header(const char *name)
{
	size_t n = strlen(name);

	return n > 2 && !strcmp(name + n - 2, ".h");
}

/* Names whose content differs between the trees @have and @want. Values are borrowed. */
static struct strings files_apart(const json_t *have, const json_t *want)
{
	json_t *x = json_object_get(have, "files"), *y = json_object_get(want, "files"), *value;
	struct strings names = {};
	const char *name;

	json_object_foreach (x, name, value)
		if (!json_object_get(y, name) || !json_equal(value, json_object_get(y, name)))
			strings_addf(&names, "%s", name);
	json_object_foreach (y, name, value)
		if (!json_object_get(x, name))
			strings_addf(&names, "%s", name);
	return names;
}

/* How much is to be compiled, roughly, to get from @have to @want. */
static unsigned distance(const json_t *have, const json_t *want)
{
	struct strings names = files_apart(have, want);
	unsigned sum = settings_apart(have, want) * SETTING_COST;

	for (size_t i = 0; i < names.n; i++)
		sum += is_header(names.v[i]) ? HEADER_COST : 1;
	strings_clear(&names);
	return sum;
}

/* ---- whether kbuild sees all of a change ---- */

static bool starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool builds_others(const char *name)
{
	const char *slash = strrchr(name, '/');

	if (starts(name, "scripts/"))
		return true;
	if (starts(name, "tools/"))
		return !starts(name, "tools/testing/selftests/");
	return starts(slash ? slash + 1 : name, "Makefile") && (!slash || starts(name, "arch/"));
}

/* Some file of @tree, generated ones too, has the last part of @name for its name. */
static bool name_is_taken(const char *tree, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *const argv[] = {
		"find", tree, "-name", slash ? slash + 1 : name, "-print", "-quit", NULL};
	struct buf out = {};
	bool taken = run_capture(argv, NULL, &out, NULL) || out.len;

	buf_free(&out);
	return taken;
}

static bool kbuild_sees(const char *tree, const struct strings *names)
{
	for (size_t i = 0; i < names->n; i++) {
		__free_char char *path = xasprintf("%s/%s", tree, names->v[i]);

		if (builds_others(names->v[i]))
			return false;
		if (is_header(names->v[i]) && access(path, F_OK) &&
			name_is_taken(tree, names->v[i]))
			return false;
	}
	return true;
}

/* ---- changing a tree ---- */

int build_copy_file(const char *from, const char *to, struct error *err)
{
	__free_char char *tmp = xasprintf("%s.kab-new", to);
	__free_char char *folder = xstrndup(to, strrchr(to, '/') - to);
	__close_fd int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	struct stat st;
	ssize_t n = -1;

	if (in >= 0 && !fstat(in, &st) && !dir_make(folder, err)) {
		unlink(tmp);
		out = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
		if (out >= 0 && !fchmod(out, st.st_mode & 0777))
			while ((n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0)) > 0)
				;
	}
	if (n < 0 || rename(tmp, to)) {
		error_set(err, KAB_ENVIRONMENT, "copying %s to %s: %s", from, to, strerror(errno));
		unlink(tmp);
		return -1;
	}
	return 0;
}

/* Gives each of @names the content that it has in @patched, or in @source where @files lacks it. */
static int change_files(const char *tree, const struct strings *names, const json_t *files,
	const char *patched, const char *source, struct error *err)
{
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->v[i];
		bool ours = json_object_get(files, name);
		__free_char char *from = xasprintf("%s/%s", ours ? patched : source, name);
		__free_char char *to = xasprintf("%s/%s", tree, name);

		if (!access(from, F_OK)) {
			if (build_copy_file(from, to, err))
				return -1;
		} else if (unlink(to) && errno != ENOENT) {
			return error_set(err, KAB_ENVIRONMENT, "%s: %s", to, strerror(errno));
		}
	}
	return 0;
}

/*
 * The folder of self-tests as new, since their makefiles know few of their dependencies. It is
 * small, and made anew it holds no program of another kernel's.
 */
static int renew_selftests(const struct build *b, const char *source, const char *patched,
	const json_t *files, struct error *err)
{
	static const char folder[] = "tools/testing/selftests";
	__free_char char *from = xasprintf("%s/%s", source, folder);
	__free_char char *to = xasprintf("%s/%s", b->tree, folder);
	const char *const copy[] = {"cp", "--archive", "--link", from, to, NULL};
	struct strings names = {};
	const char *name;
	json_t *value;
	int ret;

	if (access(from, F_OK))
		return 0;
	cache_discard(to);
	ret = run_command(copy, NULL, b->log, err);
	if (ret)
		return ret < 0 ? -1 : error_set(err, KAB_ENVIRONMENT, "copying %s failed", from);
	json_object_foreach ((json_t *)files, name, value)
		if (starts(name, folder))
			strings_addf(&names, "%s", name);
	ret = change_files(b->tree, &names, files, patched, source, err);
	strings_clear(&names);
	return ret;
}

/* ---- the pool ---- */

static json_t *read_state(int slot)
{
	__free_char char *path = slot_path(slot, "/tree.json");

	return json_load_file(path, 0, NULL);
}

static void discard_slot(int slot)
{
	__free_char char *path = slot_path(slot, "");

	cache_discard(path);
}

/* Later than everything in the tree, by the clock that stamps files. */
static bool clock_is_ahead(const json_t *state)
{
	const json_t *newest = json_object_get(state, "newest");
	json_int_t s = json_integer_value(json_array_get(newest, 0));
	json_int_t ns = json_integer_value(json_array_get(newest, 1));
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec > s || (now.tv_sec == s && now.tv_nsec > ns);
}

struct slot {
	int lock;      /* -1: somebody else's */
	json_t *state; /* NULL: empty */
	time_t used;
};

/* Locks what is free and throws away what is of no use to anybody. */
static void look_at_slots(struct slot *slots)
{
	__free_char char *boot = boot_id();

	for (int i = 0; i < SLOTS; i++) {
		__free_char char *name = xasprintf("tree-%d", i);
		__free_char char *path = slot_path(i, "/tree.json");
		struct slot *s = &slots[i];
		const char *made;
		struct stat st;

		*s = (struct slot){.lock = cache_lock(name, LOCK_EX | LOCK_NB, NULL)};
		if (s->lock < 0)
			continue;
		s->state = read_state(i);
		made = json_string_value(json_object_get(s->state, "boot"));
		if (s->state && boot && made && !strcmp(boot, made) && clock_is_ahead(s->state) &&
			!stat(path, &st)) {
			s->used = st.st_mtime;
			continue;
		}
		json_decref(s->state);
		s->state = NULL;
		discard_slot(i);
	}
}

static void let_go(struct slot *slots)
{
	for (int i = 0; i < SLOTS; i++) {
		if (slots[i].lock >= 0)
			close(slots[i].lock);
		json_decref(slots[i].state);
	}
}

/* The slot whose tree becomes @want with the least work, -1 if none does. */
static int nearest(const struct slot *slots, const json_t *want)
{
	unsigned least = 0;
	int best = -1;

	for (int i = 0; i < SLOTS; i++) {
		const json_t *have = slots[i].state;
		__free_char char *tree = slot_path(i, "/tree");
		struct strings names;
		unsigned cost;

		if (!have || !same_value(have, want, "base") ||
			!same_value(have, want, "toolchain") || !same_value(have, want, "align") ||
			settings_apart(have, want) > FAR_SETTINGS)
			continue;
		cost = distance(have, want);
		if (best >= 0 && cost >= least)
			continue;
		names = files_apart(have, want);
		if (kbuild_sees(tree, &names)) {
			best = i;
			least = cost;
		}
		strings_clear(&names);
	}
	return best;
}

/* A slot for a new tree: an empty one, else the one whose tree was used longest ago; -1: all are in
 * use. */
static int oldest(const struct slot *slots)
{
	int best = -1;

	for (int i = 0; i < SLOTS; i++) {
		if (slots[i].lock < 0)
			continue;
		if (!slots[i].state)
			return i;
		if (best < 0 || slots[i].used < slots[best].used)
			best = i;
	}
	return best;
}

/* Picks a slot for @b, whose lock it keeps, and its state if its tree can be used. */
static json_t *pick(struct build *b, const json_t *want)
{
	struct slot slots[SLOTS];
	json_t *have = NULL;
	/* One at a time looks, so that none finds all of them locked by another that looks. */
	__close_fd int looking = cache_lock("trees", LOCK_EX, NULL);

	look_at_slots(slots);
	b->slot = nearest(slots, want);
	if (b->slot >= 0) {
		__free_char char *path = slot_path(b->slot, "/tree.json");

		have = json_incref(slots[b->slot].state);
		unlink(path);
	} else {
		b->slot = oldest(slots);
		if (b->slot >= 0)
			discard_slot(b->slot);
	}
	if (b->slot >= 0) {
		b->slot_lock = slots[b->slot].lock;
		slots[b->slot].lock = -1;
	}
	let_go(slots);
	return have;
}

static int new_tree(struct build *b, const char *source, struct error *err)
{
	__free_char char *folder = NULL;

	if (b->slot >= 0) {
		folder = slot_path(b->slot, "");
		if (dir_make(folder, err))
			return -1;
	}
	return build_copy(b, source, err);
}

/* With debugging information a tree is ten times as large, and its place is in the objects. */
static bool may_be_kept(const struct recipe *r)
{
	const struct setting *none = settings_find(&r->settings, "CONFIG_DEBUG_INFO_NONE");

	return !none || none->value;
}

int tree_take(struct build *b, const char *source, const char *patched,
	const struct strings *touched, struct error *err)
{
	json_t *files = differences(touched, patched, source), *have = NULL;
	struct strings names;
	int ret;

	b->slot = b->slot_lock = -1;
	b->state = describe(b, source, files);
	if (may_be_kept(b->recipe))
		have = pick(b, b->state);
	b->reused = have;
	b->tree = b->slot >= 0 ? slot_path(b->slot, "/tree") : xasprintf("%s/tree", b->dir);
	ret = have ? 0 : new_tree(b, source, err);
	names = files_apart(have, b->state);
	if (!ret)
		ret = change_files(b->tree, &names, files, patched, source, err);
	if (!ret && have && b->recipe->selftests.n)
		ret = renew_selftests(b, source, patched, files, err);
	strings_clear(&names);
	json_decref(have);
	return ret;
}

/* The newest modification time in the tree, and the bytes of what is no link to the sources. */
static int survey(const char *tree, struct timespec *newest, uint64_t *bytes)
{
	char *const roots[] = {(char *)tree, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;

	*newest = (struct timespec){};
	*bytes = 0;
	while (fts && (e = fts_read(fts))) {
		const struct stat *st = e->fts_statp;

		if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS) {
			fts_close(fts);
			return -1;
		}
		if (e->fts_info != FTS_F)
			continue;
		if (st->st_mtim.tv_sec > newest->tv_sec ||
			(st->st_mtim.tv_sec == newest->tv_sec &&
				st->st_mtim.tv_nsec > newest->tv_nsec))
			*newest = st->st_mtim;
		if (st->st_nlink == 1)
			*bytes += (uint64_t)st->st_blocks * 512;
	}
	return fts ? fts_close(fts) : -1;
}

static int keep(const struct build *b)
{
	__free_char char *path = slot_path(b->slot, "/tree.json");
	__free_char char *folder = slot_path(b->slot, "");
	__free_char char *text = NULL;
	struct timespec newest;
	uint64_t bytes;

	if (cache_space(KEEP_FREE_BYTES, NULL) || survey(b->tree, &newest, &bytes))
		return -1;
	json_object_set_new(b->state, "newest",
		json_pack("[I, I]", (json_int_t)newest.tv_sec, (json_int_t)newest.tv_nsec));
	json_object_set_new(b->state, "bytes", json_integer(bytes));
	json_object_set_new(b->state, "kernel", json_string(b->key));
	text = json_dumps(b->state, JSON_INDENT(1) | JSON_SORT_KEYS);
	if (file_write_atomic(path, text, strlen(text), NULL))
		return -1;
	cache_touch(folder);
	return 0;
}

void tree_release(struct build *b, bool good)
{
	if (b->slot >= 0 && (!good || keep(b)))
		discard_slot(b->slot);
	if (b->slot_lock >= 0)
		close(b->slot_lock);
	b->slot = b->slot_lock = -1;
	json_decref(b->state);
	b->state = NULL;
	free(b->tree);
	b->tree = NULL;
}

void trees_drop(void)
{
	__close_fd int looking = cache_lock("trees", LOCK_EX, NULL);
	struct slot slots[SLOTS];

	look_at_slots(slots);
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].lock >= 0)
			discard_slot(i);
	let_go(slots);
}

json_t *trees_json(void)
{
	json_t *a = json_array();

	for (int i = 0; i < SLOTS; i++) {
		__free_char char *name = xasprintf("tree-%d", i);
		__free_char char *path = slot_path(i, ""), *file = slot_path(i, "/tree.json");
		json_t *state = read_state(i);
		struct stat st;

		if (!stat(path, &st))
			json_array_append_new(
				a, json_pack("{s:s, s:O?, s:O?, s:O?, s:I, s:b}", "dir", path,
					   "base", json_object_get(state, "base"), "kernel",
					   json_object_get(state, "kernel"), "bytes",
					   json_object_get(state, "bytes"), "used",
					   (json_int_t)(stat(file, &st) ? 0 : st.st_mtime),
					   "building", !state));
		json_decref(state);
	}
	return a;
}
