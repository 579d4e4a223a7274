/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts that a kernel is built by; private to kernel*.c and cmd_kernel.c. */
#ifndef KAB_KERNEL_PARTS_H
#define KAB_KERNEL_PARTS_H

#include <jansson.h>

#include "kernel.h"
#include "util.h"

/* A growing list of strings that it owns, NULL-terminated so that it serves as an argv. */
struct strings {
	char **v;
	size_t n;
};
void strings_add(struct strings *s, char *owned);
void strings_addf(struct strings *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "a, b, c", or "none". Caller frees. */
char *strings_join(const struct strings *s);
void strings_clear(struct strings *s);
/* Sorted names in folder @path that end in @suffix, hidden ones left out; a missing folder has none. */
struct strings folder_names(const char *path, const char *suffix);

/* ---- kernel_config.c: what a configuration must contain --------------------------------------- */

struct setting {
	char *option; /* "CONFIG_SMP" */
	char *value;  /* "y", "64", "\"text\""; NULL: must not be set */
	char *file;   /* the fragment that asked for it, and where */
	unsigned line;
};

/* Sorted by option, each option once. */
struct settings {
	struct setting *v;
	size_t n;
};

/*
 * Adds fragment @text, called @file in messages; what it sets replaces what an earlier fragment set. With a
 * series cut down to its first @patches, lines after "# from-patch: N" count only from N patches on;
 * @patches 0 means all of them. KAB_USAGE names file and line of what is no setting.
 */
int settings_add(struct settings *s, const char *file, const char *text, unsigned patches,
		 struct error *err);
const struct setting *settings_find(const struct settings *s, const char *option);
/* As lines of a .config, which is what KCONFIG_ALLCONFIG reads and what the key is made of. */
void settings_text(const struct settings *s, struct buf *out);
/*
 * Each setting against @config, the text of the .config that came out: KAB_USAGE with a line for each that did not
 * take ("CONFIG_KSM: base.config:90 wants y, got n"). @tree is searched for the option, to tell an unknown one
 * from one whose dependencies are not met; NULL: no such remark.
 */
int settings_check(const struct settings *s, const char *config, const char *tree, struct error *err);
/* {"CONFIG_SMP": "y", ...} of every option that @config sets. New reference. */
json_t *config_to_json(const char *config);
void settings_clear(struct settings *s);

/* ---- kernel_source.c: where pristine sources come from ---------------------------------------- */

struct source {
	char *name;	/* for people: "linux-source-6.1", "/src/linux v6.1", "/tmp/linux.tar.xz" */
	char *path;	/* tarball or git tree */
	char *object;	/* git: id of the tree object; NULL for a tarball */
	char *checksum; /* of the content: SHA-256 of the tarball, "git-<tree object>" */
	char *dir;	/* <cache>/sources/<checksum>, there once it was unpacked */
	char *version;	/* "6.1.192"; NULL until known */
	bool dirty;	/* git: HEAD was asked for and there are uncommitted changes */
};
int source_find(const struct base *base, struct source *s, struct error *err);
/*
 * Unpacks into s->dir unless it is there; shared by all kernels of this base, never written to again. Returns a descriptor:
 * the sources are locked against "kernel clean" until it is closed.
 */
int source_extract(struct source *s, const char *log, struct error *err);
void source_clear(struct source *s);
/* "6.1.192" from the text of the top Makefile; NULL if it is none. Caller frees. */
char *source_version(const char *makefile);

/* kernel-patch/base: the package that arms have unless a matrix names another base, and what was tested. */
struct tested_base {
	char *package;
	struct strings versions;
};
int tested_base_read(struct tested_base *t, struct error *err);
void tested_base_clear(struct tested_base *t);

/* ---- kernel_recipe.c: what is done to a base --------------------------------------------------- */

struct ingredient { /* a patch or a config fragment */
	char *origin; /* series (of a patch) */
	char *name;   /* file name */
	char *path;
	char sha256[65];
};

struct recipe {
	struct ingredient *patches, *fragments; /* in order of use; a mutation is the last patch */
	size_t npatches, nfragments;
	struct settings settings;
	struct strings selftests; /* TARGETS of tools/testing/selftests */
	unsigned align;
};
int recipe_read(const struct arm *arm, struct recipe *r, struct error *err);
/*
 * Where series @name (a folder), the config fragment @name and the mutation "series/name" lie. NULL with
 * KAB_USAGE, saying which there are. Caller frees.
 */
char *recipe_series(const char *name, struct error *err);
char *recipe_config(const char *name, struct error *err);
char *recipe_mutation(const char *mutation, struct error *err);
/* Names of the files that the patches may touch, sorted, each once; harmless ones that they do not may be among them. */
int recipe_touched(const struct recipe *r, struct strings *names, struct error *err);
/* Applies the patches to @tree, offsets accepted, fuzz not; @base names what they did not apply to. */
int recipe_apply(const struct recipe *r, const char *tree, const char *base, const char *log,
		 struct error *err);
/*
 * What the output @out of patch(1) says of the first failure: "hunk 2 of mm/mmap.c does not apply". Caller
 * frees. @file, unless NULL, gets the file's name, which the caller frees, too; NULL: none is to blame.
 */
char *patch_failure(const char *out, char **file);
void recipe_clear(struct recipe *r);

/* ---- patch_base.c: what a patch was made for ----------------------------------------------------- */

/* A file by the index line that git put before its diff, held against what is there. */
struct patch_base {
	char *file;
	char *wanted; /* first digits of the blob that the diff was made from; zeros: the diff makes the file */
	char have[41]; /* the blob that is there; "": there is no such file */
};
struct patch_bases {
	struct patch_base *v;
	size_t n;
};
/* Of the patch at @path and the sources in @tree, as they are before it; what cannot be read is left out. */
void patch_bases_read(const char *path, const char *tree, struct patch_bases *b);
/*
 * Why a patch that fails at @file does: "it is for another base (...)", "it is damaged (...)", or that this cannot be
 * told. @file NULL: it is no fault of a file's, and NULL is returned. Caller frees.
 */
char *patch_cause(const struct patch_bases *b, const char *file);
void patch_bases_clear(struct patch_bases *b);

/* ---- kernel_cache.c: folders, locks, space ------------------------------------------------------ */

/* <cache>/<kind>/<name>; kinds: kernels, sources, trees, build, failed, locks, ccache. Caller frees. */
char *cache_path(const char *kind, const char *name);
/*
 * Takes <cache>/locks/<name>, @how as of flock(2). Returns a descriptor > 2, or -1: with LOCK_NB and held by
 * another, err is untouched. Interrupted is KAB_INTERRUPTED.
 */
int cache_lock(const char *name, int how, struct error *err);
/* Makes the exclusive lock @fd a shared one; another may hold it in between, so what it guards has to be looked at again. */
int cache_lock_share(int fd, struct error *err);
/* Moves @path out of the way at once, then deletes it; what cannot be deleted now goes at the next sweep. */
void cache_discard(const char *path);
/* Deletes what killed builds left behind. */
void cache_sweep(void);
/* KAB_ENVIRONMENT unless the cache's file system has @need bytes. */
int cache_space(uint64_t need, struct error *err);
/* Bytes that the files below @path take up. */
uint64_t cache_size(const char *path);
/* Marks an entry as used now. */
void cache_touch(const char *path);

/* ---- kernel_make.c: running make ---------------------------------------------------------------- */

struct build {
	const struct recipe *recipe;
	const char *key, *toolchain;
	char *dir;  /* <cache>/build/<key> */
	char *tree; /* its copy of the sources */
	char *log;
	char *out; /* what will be published */
	unsigned long lines; /* of make's output, for the next build's progress */
	kernel_progress *progress;
	void *progress_arg;
	/* kernel_tree.c's own: */
	int slot, slot_lock; /* -1: the tree lies in @dir and goes with it */
	json_t *state;
	bool reused; /* the tree has another kernel's objects */
};
/* Describes the compiler and linker: part of the key. Caller frees; NULL with KAB_ENVIRONMENT. */
char *toolchain_version(struct error *err);
/* Copies one file, mode and all, to a new file at @to, in folders that are made if need be. */
int build_copy_file(const char *from, const char *to, struct error *err);
/* Copies the sources by hard links; patch(1) and make write new files, so @source stays as it is. */
int build_copy(struct build *b, const char *source, struct error *err);
/* Configures; the resulting .config is checked against the recipe. */
int build_configure(struct build *b, struct error *err);
/* bzImage, vmlinux and .config into b->out. */
int build_kernel(struct build *b, struct error *err);
int build_selftests(struct build *b, struct error *err);
void build_report(const struct build *b, const char *stage, unsigned long done, unsigned long total);

/* ---- kernel_tree.c: build trees, kept and turned into the next kernel's ------------------------- */

/*
 * Fills in b->tree: a tree of the pool whose sources were turned into what is wanted, or a new one. @patched holds
 * those of the files @touched that are there once @source is patched. tree_release() follows in any case.
 */
int tree_take(struct build *b, const char *source, const char *patched, const struct strings *touched,
	struct error *err);
/* Keeps the tree for the next build, if this one was @good and there is room; else throws it away. */
void tree_release(struct build *b, bool good);
/* Throws away all trees that nobody builds in. */
void trees_drop(void);
/* [{dir, base, kernel, bytes, used, building}]. New reference. */
json_t *trees_json(void);

#endif
