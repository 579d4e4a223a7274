// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an arm does to its base: patches of its series, config fragments, self-tests, a mutation.
 * Names are looked up under kernel-patch/; a name with a '/' is a path of the user's.
 */
#include "kernel_parts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void strings_add(struct strings *s, char *owned)
{
	s->v = xrealloc_array(s->v, s->n + 2, sizeof(*s->v));
	s->v[s->n++] = owned;
	s->v[s->n] = NULL;
}

void strings_addf(struct strings *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strings_add(s, xvasprintf(fmt, ap));
	va_end(ap);
}

char *strings_join(const struct strings *s)
{
	struct buf b = {};

	for (size_t i = 0; i < s->n; i++)
		buf_addf(&b, "%s%s", i ? ", " : "", s->v[i]);
	return b.data ? b.data : xstrdup("none");
}

void strings_clear(struct strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strings){};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct strings folder_names(const char *path, const char *suffix)
{
	struct strings names = {};
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		size_t n = strlen(d->d_name), m = strlen(suffix);

		if (d->d_name[0] != '.' && n > m && !strcmp(d->d_name + n - m, suffix))
			strings_add(&names, xstrdup(d->d_name));
	}
	if (dir)
		closedir(dir);
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_name);
	return names;
}

static bool is_kind(const char *path, mode_t kind)
{
	struct stat st;

	return !stat(path, &st) && (st.st_mode & S_IFMT) == kind;
}

static int unknown_name(const char *what, const char *name, const char *folder, const char *suffix,
	struct error *err)
{
	struct strings names = folder_names(folder, suffix);
	__free_char char *list = NULL;

	for (size_t i = 0; i < names.n; i++)
		names.v[i][strlen(names.v[i]) - strlen(suffix)] = '\0';
	list = strings_join(&names);
	strings_clear(&names);
	return error_set(
		err, KAB_USAGE, "%s '%s': not in %s; there are: %s", what, name, folder, list);
}

char *recipe_series(const char *name, struct error *err)
{
	__free_char char *all = xasprintf("%s/kernel-patch/series", kab_home());
	char *path = strchr(name, '/') ? xstrdup(name) : xasprintf("%s/%s", all, name);

	if (is_kind(path, S_IFDIR))
		return path;
	if (strchr(name, '/'))
		error_set(err, KAB_USAGE, "series '%s': %s", name,
			is_kind(path, S_IFREG) ? "expected a folder of patches, found a file"
					       : "no such folder");
	else
		unknown_name("series", name, all, "", err);
	free(path);
	return NULL;
}

/* The first line of @text that may start a diff; all of it if none does. */
static const char *diff_start(const char *text)
{
	static const char *const starts[] = {"diff ", "Index: ", "--- "};

	for (const char *line = text; line;
		line = strchr(line, '\n'), line = line ? line + 1 : line)
		for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
			if (!strncmp(line, starts[i], strlen(starts[i])))
				return line;
	return text;
}

/*
 * Checksum of what @path does: of a fragment all, of a patch what follows the mail around it, so
 * that another author line or a better description builds nothing again.
 */
static int content_sum(const char *path, char out[65], struct error *err)
{
	size_t len;
	__free_char char *text = file_read(path, &len, err);
	const char *from;

	if (!text)
		return -1;
	from = diff_start(text);
	sha256_hex(from, len - (from - text), out);
	return 0;
}

static int add_ingredient(
	struct ingredient **v, size_t *n, const char *origin, const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	struct ingredient new = {.origin = xstrdup(origin), .path = xstrdup(path)};

	new.name = xstrdup(slash ? slash + 1 : path);
	*v = xrealloc_array(*v, *n + 1, sizeof(**v));
	(*v)[*n] = new;
	return content_sum(path, (*v)[(*n)++].sha256, err);
}

/*
 * Names in a quilt-style series file: one patch a line, '#' starts a comment, what follows the name
 * (quilt's "-p1") is left out.
 */
static struct strings series_order(const char *text)
{
	struct strings names = {};

	while (*text) {
		size_t name;

		text += strspn(text, " \t");
		name = strcspn(text, " \t\r\n#");
		if (name)
			strings_add(&names, xstrndup(text, name));
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return names;
}

/* The patches of series folder @folder in order; a cover letter (0000-*) is none. */
static struct strings series_patches(const char *folder)
{
	__free_char char *order = xasprintf("%s/series", folder);
	__free_char char *text = is_kind(order, S_IFREG) ? file_read(order, NULL, NULL) : NULL;
	struct strings names, patches = {};

	if (text)
		return series_order(text);
	names = folder_names(folder, ".patch");
	for (size_t i = 0; i < names.n; i++)
		if (strncmp(names.v[i], "0000-", 5))
			strings_add(&patches, xstrdup(names.v[i]));
	strings_clear(&names);
	return patches;
}

static int add_patches(
	struct recipe *r, const struct series_ref *ref, const char *folder, struct error *err)
{
	struct strings names = series_patches(folder);
	size_t n = ref->patches ? ref->patches : names.n;
	int ret = 0;

	if (!names.n)
		ret = error_set(err, KAB_USAGE, "series '%s': no patches in %s", ref->name, folder);
	else if (n > names.n)
		ret = error_set(err, KAB_USAGE, "series '%s:%u': it has %zu patches", ref->name,
			ref->patches, names.n);
	for (size_t i = 0; !ret && i < n; i++) {
		__free_char char *path = xasprintf("%s/%s", folder, names.v[i]);

		ret = add_ingredient(&r->patches, &r->npatches, ref->name, path, err);
		if (ret)
			error_prefix(err, "series '%s'", ref->name);
	}
	strings_clear(&names);
	return ret;
}

static int add_fragment(
	struct recipe *r, const char *origin, const char *path, unsigned patches, struct error *err)
{
	__free_char char *text = file_read(path, NULL, err);

	if (!text || add_ingredient(&r->fragments, &r->nfragments, origin, path, err))
		return -1;
	return settings_add(&r->settings, path, text, patches, err);
}

/* Targets of "selftests", one a line; "# from-patch: N" as in fragments. */
static int add_selftests(struct recipe *r, const char *path, unsigned patches, struct error *err)
{
	__free_char char *text = file_read(path, NULL, err);
	unsigned from = 0;

	if (!text)
		return -1;
	for (char *line = text, *next; line; line = next) {
		char name[128];

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (sscanf(line, "# from-patch: %u", &from) == 1 || (patches && from > patches))
			continue;
		if (sscanf(line, "%127s", name) == 1 && name[0] != '#')
			strings_addf(&r->selftests, "%s", name);
	}
	return 0;
}

static int add_series(struct recipe *r, const struct series_ref *ref, struct error *err)
{
	__free_char char *folder = recipe_series(ref->name, err);
	__free_char char *config = NULL, *selftests = NULL;

	if (!folder || add_patches(r, ref, folder, err))
		return -1;
	config = xasprintf("%s/config", folder);
	if (is_kind(config, S_IFREG) && add_fragment(r, ref->name, config, ref->patches, err))
		return -1;
	selftests = xasprintf("%s/selftests", folder);
	return is_kind(selftests, S_IFREG) ? add_selftests(r, selftests, ref->patches, err) : 0;
}

char *recipe_config(const char *name, struct error *err)
{
	__free_char char *folder = xasprintf("%s/kernel-patch/config", kab_home());
	char *path = strchr(name, '/') ? xstrdup(name) : xasprintf("%s/%s.config", folder, name);

	if (is_kind(path, S_IFREG))
		return path;
	if (strchr(name, '/'))
		error_set(err, KAB_USAGE, "config fragment '%s': no such file", name);
	else
		unknown_name("config fragment", name, folder, ".config", err);
	free(path);
	return NULL;
}

static int add_config(struct recipe *r, const char *name, struct error *err)
{
	__free_char char *path = recipe_config(name, err);

	return path ? add_fragment(r, "config", path, 0, err) : -1;
}

char *recipe_mutation(const char *mutation, struct error *err)
{
	const char *slash = strrchr(mutation, '/');
	__free_char char *series = slash ? xstrndup(mutation, slash - mutation) : NULL;
	__free_char char *folder = NULL, *mutations = NULL;
	char *path;

	if (!slash || slash == mutation || !slash[1]) {
		error_set(err, KAB_USAGE, "mutation '%s': expected series/name", mutation);
		return NULL;
	}
	folder = recipe_series(series, err);
	if (!folder)
		return NULL;
	mutations = xasprintf("%s/mutations", folder);
	path = xasprintf("%s/%s.patch", mutations, slash + 1);
	if (is_kind(path, S_IFREG))
		return path;
	unknown_name("mutation", mutation, mutations, ".patch", err);
	free(path);
	return NULL;
}

static int add_mutation(struct recipe *r, const char *mutation, struct error *err)
{
	__free_char char *path = recipe_mutation(mutation, err);

	return path ? add_ingredient(&r->patches, &r->npatches, mutation, path, err) : -1;
}

int recipe_read(const struct arm *arm, struct recipe *r, struct error *err)
{
	*r = (struct recipe){.align = arm->align};
	if (arm->align & (arm->align - 1) || arm->align > 4096)
		return error_set(err, KAB_USAGE,
			"align: expected a power of two up to 4096, found %u", arm->align);
	if (add_config(r, "base", err))
		return -1;
	for (size_t i = 0; i < arm->nseries; i++)
		if (add_series(r, &arm->series[i], err))
			return -1;
	for (size_t i = 0; i < arm->nconfig; i++)
		if (add_config(r, arm->config[i], err))
			return -1;
	return arm->mutation ? add_mutation(r, arm->mutation, err) : 0;
}

static void ingredients_clear(struct ingredient *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].origin);
		free(v[i].name);
		free(v[i].path);
	}
	free(v);
}

void recipe_clear(struct recipe *r)
{
	ingredients_clear(r->patches, r->npatches);
	ingredients_clear(r->fragments, r->nfragments);
	settings_clear(&r->settings);
	strings_clear(&r->selftests);
	*r = (struct recipe){};
}
