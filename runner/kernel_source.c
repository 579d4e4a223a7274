// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pristine sources: a Debian package's tarball, any tarball, or a revision of a git tree. Each is
 * unpacked once to <cache>/sources/<checksum> and only ever linked to from there.
 */
#include "kernel_parts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const tar_suffixes[] = {".tar.xz", ".tar.zst", ".tar.gz", ".tar.bz2"};

static bool ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && !strcmp(s + n - m, suffix);
}

/*
 * Runs "@program @a @b @c @d" (NULL ends them early) with what it complains about dropped: a
 * failure is told in our own words. 0 with its output in @out, to be freed either way.
 */
static int ask(struct buf *out, const char *program, const char *a, const char *b, const char *c,
	const char *d, const char *e)
{
	const char *const argv[] = {
		"sh", "-c", "exec \"$@\" 2>/dev/null", "sh", program, a, b, c, d, e, NULL};

	return run_capture(argv, NULL, out, NULL) || !out->data ? -1 : 0;
}

/* The tarball among the files that package @name installed, by dpkg's own list. NULL: none. */
static char *tarball_by_dpkg(const char *name)
{
	struct buf out = {};
	char *found = NULL, *save = NULL, *line;

	if (!ask(&out, "dpkg-query", "-L", "--", name, NULL, NULL))
		for (line = strtok_r(out.data, "\n", &save); line && !found;
			line = strtok_r(NULL, "\n", &save))
			for (size_t i = 0; i < ARRAY_SIZE(tar_suffixes); i++)
				if (ends_with(line, tar_suffixes[i]) && !access(line, R_OK))
					found = xstrdup(line);
	buf_free(&out);
	return found;
}

static char *package_tarball(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(tar_suffixes); i++) {
		char *path = xasprintf("/usr/src/%s%s", name, tar_suffixes[i]);

		if (!access(path, R_OK))
			return path;
		free(path);
	}
	return tarball_by_dpkg(name);
}

static int package_missing(const char *name, struct error *err)
{
	struct tested_base t = {};
	bool ours = !tested_base_read(&t, NULL) && !strcmp(t.package, name);

	tested_base_clear(&t);
	return error_set(err, KAB_ENVIRONMENT, "base package %s is not installed; %s", name,
		ours ? "'make deps' installs it" : "install it with the system's package manager");
}

static int find_tarball(struct source *s, struct error *err)
{
	char sum[65];

	if (sha256_file(s->path, sum, err))
		return -1;
	s->checksum = xstrdup(sum);
	return 0;
}

/* The id of the tree object of @spec in git tree @path, NULL if there is none. Caller frees. */
static char *git_object(const char *path, const char *spec)
{
	struct buf out = {};

	if (ask(&out, "git", "-C", path, "rev-parse", "--verify", spec)) {
		buf_free(&out);
		return NULL;
	}
	out.data[strcspn(out.data, "\n")] = '\0';
	return out.data;
}

static bool git_dirty(const char *path)
{
	const char *const argv[] = {"git", "-C", path, "diff-index", "--quiet", "HEAD", "--", NULL};
	int status = run_command(argv, NULL, "/dev/null", NULL);

	return status > 0;
}

static int find_git(struct source *s, const char *rev, struct error *err)
{
	__free_char char *spec = xasprintf("%s^{tree}", rev ? rev : "HEAD");
	__free_char char *makefile = xasprintf("%s:Makefile", rev ? rev : "HEAD");
	struct buf text = {};

	s->object = git_object(s->path, spec);
	if (!s->object)
		return error_set(err, KAB_USAGE, "%s: no git tree with a revision '%s'", s->path,
			rev ? rev : "HEAD");
	s->checksum = xasprintf("git-%s", s->object);
	if (!ask(&text, "git", "-C", s->path, "show", makefile, NULL))
		s->version = source_version(text.data);
	buf_free(&text);
	if (!s->version)
		return error_set(err, KAB_USAGE,
			"%s: revision '%s' is no kernel: its Makefile has no VERSION", s->path,
			rev ? rev : "HEAD");
	s->dirty = !rev && git_dirty(s->path);
	return 0;
}

static void read_version(struct source *s)
{
	__free_char char *makefile = xasprintf("%s/Makefile", s->dir);
	__free_char char *text = file_read(makefile, NULL, NULL);

	if (text && !s->version)
		s->version = source_version(text);
}

int source_find(const struct base *base, struct source *s, struct error *err)
{
	struct stat st;
	int ret;

	*s = (struct source){};
	if (base->package) {
		/* It becomes part of a path and an argument: what dpkg allows, nothing else. */
		if (!isalnum((unsigned char)base->package[0]) ||
			base->package[strspn(
				base->package, "abcdefghijklmnopqrstuvwxyz0123456789+-.")])
			return error_set(err, KAB_USAGE,
				"base: '%s' is no name of a Debian package", base->package);
		s->name = xstrdup(base->package);
		s->path = package_tarball(base->package);
		if (!s->path)
			return package_missing(base->package, err);
		ret = find_tarball(s, err);
	} else if (base->tarball) {
		s->name = xstrdup(base->tarball);
		s->path = xstrdup(base->tarball);
		if (stat(s->path, &st) || !S_ISREG(st.st_mode))
			return error_set(err, KAB_USAGE, "base: %s: no such tarball", s->path);
		ret = find_tarball(s, err);
	} else if (base->tree) {
		s->name =
			base->rev ? xasprintf("%s %s", base->tree, base->rev) : xstrdup(base->tree);
		s->path = xstrdup(base->tree);
		if (stat(s->path, &st) || !S_ISDIR(st.st_mode))
			return error_set(err, KAB_USAGE, "base: %s: no such folder", s->path);
		ret = find_git(s, base->rev, err);
	} else {
		return error_set(
			err, KAB_USAGE, "base: expected a package, a git tree or a tarball");
	}
	if (ret)
		return -1;
	s->dir = cache_path("sources", s->checksum);
	read_version(s);
	return 0;
}

static int run_or_fail(
	const char *const argv[], const char *log, const char *what, struct error *err)
{
	int status = run_command(argv, NULL, log, err);

	if (status < 0)
		return -1;
	return status ? error_set(err, KAB_ENVIRONMENT, "%s failed, see %s", what, log) : 0;
}

static int unpack_tarball(
	const struct source *s, const char *to, const char *log, struct error *err)
{
	const char *const argv[] = {"tar", "--extract", "--file", s->path, "--directory", to,
		"--strip-components=1", "--no-same-owner", NULL};

	return run_or_fail(argv, log, "unpacking the base", err);
}

static void drop_index(const char *index)
{
	__free_char char *lock = xasprintf("%s.lock", index);

	unlink(index);
	unlink(lock);
}

/* An index of our own, so that neither the user's index nor the working tree is touched. */
static int unpack_git(const struct source *s, const char *to, const char *log, struct error *err)
{
	__free_char char *index = xasprintf("GIT_INDEX_FILE=%s.index", to);
	__free_char char *prefix = xasprintf("--prefix=%s/", to);
	const char *const read[] = {
		"env", index, "git", "-C", s->path, "read-tree", s->object, NULL};
	const char *const write[] = {"env", index, "git", "-C", s->path, "checkout-index", "--all",
		"--quiet", prefix, NULL};
	const char *file = strchr(index, '=') + 1;
	int ret;

	/* A git that was killed leaves its lock. Who is here holds the source's, so that no other git uses it. */
	drop_index(file);
	ret = run_or_fail(read, log, "reading the base's git tree", err);
	if (!ret)
		ret = run_or_fail(write, log, "unpacking the base", err);
	drop_index(file);
	return ret;
}

static int unpack(struct source *s, const char *log, struct error *err)
{
	__free_char char *tmp = xasprintf("%s.tmp", s->dir);
	const char *const protect[] = {"chmod", "-R", "a-w,u+rX", tmp, NULL};
	const char *const open_folders[] = {
		"find", tmp, "-type", "d", "-exec", "chmod", "u+w", "{}", "+", NULL};

	cache_discard(tmp);
	if (dir_make(tmp, err))
		return -1;
	if (s->object ? unpack_git(s, tmp, log, err) : unpack_tarball(s, tmp, log, err))
		return -1;
	/* Builds share these files by hard links: nothing may write into one of them. */
	if (run_or_fail(protect, log, "chmod", err) || run_or_fail(open_folders, log, "chmod", err))
		return -1;
	if (rename(tmp, s->dir))
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", s->dir, strerror(errno));
	return 0;
}

int source_extract(struct source *s, const char *log, struct error *err)
{
	__free_char char *name = xasprintf("source-%s", s->checksum);
	int lock = cache_lock(name, LOCK_EX, err);

	if (lock < 0)
		return -1;
	if (access(s->dir, F_OK) && unpack(s, log, err)) {
		close(lock);
		return -1;
	}
	cache_touch(s->dir);
	read_version(s);
	if (s->version)
		return lock;
	cache_discard(s->dir);
	close(lock);
	return error_set(
		err, KAB_USAGE, "%s: no kernel in it: no Makefile with a VERSION", s->path);
}

void source_clear(struct source *s)
{
	free(s->name);
	free(s->path);
	free(s->object);
	free(s->checksum);
	free(s->dir);
	free(s->version);
	*s = (struct source){};
}

/* The value of the line "@name = value". NULL: there is none. */
static char *make_variable(const char *makefile, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = makefile; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : p) {
		const char *v;

		if (strncmp(p, name, n) || !strchr(" =", p[n]))
			continue;
		v = p + n + strspn(p + n, " =");
		return xstrndup(v, strcspn(v, " \t\n"));
	}
	return NULL;
}

char *source_version(const char *makefile)
{
	__free_char char *version = make_variable(makefile, "VERSION");
	__free_char char *patchlevel = make_variable(makefile, "PATCHLEVEL");
	__free_char char *sublevel = make_variable(makefile, "SUBLEVEL");
	__free_char char *extra = make_variable(makefile, "EXTRAVERSION");

	if (!version || !patchlevel || !sublevel || !*version)
		return NULL;
	return xasprintf("%s.%s.%s%s", version, patchlevel, sublevel, extra ? extra : "");
}

/* "key: value" lines; "tested" may come more than once. */
int tested_base_read(struct tested_base *t, struct error *err)
{
	__free_char char *path = xasprintf("%s/kernel-patch/base", kab_home());
	__free_char char *text = file_read(path, NULL, err);
	unsigned number = 0;

	*t = (struct tested_base){};
	if (!text)
		return -1;
	for (char *line = text, *next; line; line = next) {
		char value[128];

		number++;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!*line || *line == '#')
			continue;
		if (sscanf(line, "package: %127s", value) == 1 && !t->package) {
			t->package = xstrdup(value);
		} else if (sscanf(line, "tested: %127s", value) == 1) {
			strings_addf(&t->versions, "%s", value);
		} else {
			tested_base_clear(t);
			return error_set(err, KAB_USAGE,
				"%s:%u: expected 'package: NAME' once or 'tested: VERSION'", path,
				number);
		}
	}
	if (!t->package || !t->versions.n) {
		tested_base_clear(t);
		return error_set(
			err, KAB_USAGE, "%s: expected 'package: NAME' and 'tested: VERSION'", path);
	}
	return 0;
}

void tested_base_clear(struct tested_base *t)
{
	free(t->package);
	strings_clear(&t->versions);
	*t = (struct tested_base){};
}
