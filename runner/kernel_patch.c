// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Applying patches with patch(1): offsets are fine, fuzz is not, because a hunk that lands where
 * its context differs measures another change than the one that was reviewed.
 */
#include "kernel_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * GNU patch says "patching file F" before it says what became of F's hunks. With a file it cannot
 * find it says "can't find file to patch", and the name is in the quoted header "|+++ b/F".
 */
char *patch_failure(const char *out)
{
	__free_char char *file = NULL;
	__free_char char *text = xstrdup(out);
	char *save;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[512];
		unsigned hunk;
		int end = 0;

		if (sscanf(line, "patching file %511s", name) == 1 ||
			sscanf(line, "|+++ %511s", name) == 1 ||
			sscanf(line, "checking file %511s", name) == 1) {
			const char *start =
				line[0] == '|' && strchr(name, '/') ? strchr(name, '/') + 1 : name;

			/* "|+++" quotes the header of a file that patch could not find. */
			if (line[0] == '|')
				return xasprintf(
					"%s, which it changes, is not in the sources", start);
			free(file);
			file = xstrdup(start);
		}
		if (sscanf(line, "Hunk #%u FAILED%n", &hunk, &end) == 1 && end)
			return xasprintf("hunk %u of %s does not apply", hunk,
				file ? file : "an unnamed file");
		if (strstr(line, "previously applied"))
			return xasprintf("%s has this change already", file ? file : "the base");
		if (strstr(line, "malformed patch") || strstr(line, "Only garbage was found"))
			return xasprintf("not a patch (%s)",
				strncmp(line, "patch: **** ", 12) ? line : line + 12);
		if (strstr(line, "already exists"))
			return xasprintf("%s", line);
	}
	return xstrdup("patch(1) refused it");
}

/* The name on a line of a patch's head, without its first folder if @strip. NULL: no name of a
 * file. */
static char *header_name(const char *line, size_t skip, bool strip)
{
	const char *name = line + skip, *slash = strchr(name, '/');
	__free_char char *inside = NULL;

	if (*name == '/' || (strip && !slash))
		return NULL;
	name = strip ? slash + 1 : name;
	inside = xasprintf("/%s/", name);
	if (!*name || *name == '/' || strstr(inside, "/../"))
		return NULL;
	return xstrndup(name, strcspn(name, "\t\r\n"));
}

/* "diff --git a/NAME b/NAME" stands alone where only a mode changes, or an empty file comes or
 * goes. */
static void add_git_names(struct strings *names, const char *line)
{
	const char *b = strstr(line, " b/");
	char *name = b ? header_name(b, 1, true) : NULL;

	if (name)
		strings_add(names, name);
}

static void add_touched(struct strings *names, const char *text)
{
	static const struct {
		const char *start;
		bool strip;
	} heads[] = {{"--- ", true}, {"+++ ", true}, {"Index: ", true}, {"rename from ", false},
		{"rename to ", false}, {"copy from ", false}, {"copy to ", false}};

	for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : p) {
		__free_char char *line = xstrndup(p, strcspn(p, "\r\n"));

		if (!strncmp(line, "diff --git ", 11))
			add_git_names(names, line);
		for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
			size_t n = strlen(heads[i].start);
			char *name = strncmp(line, heads[i].start, n)
					     ? NULL
					     : header_name(line, n, heads[i].strip);

			if (name)
				strings_add(names, name);
		}
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int recipe_touched(const struct recipe *r, struct strings *names, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->npatches; i++) {
		__free_char char *text = file_read(r->patches[i].path, NULL, err);

		if (!text)
			return -1;
		add_touched(names, text);
	}
	if (!names->n)
		return 0;
	qsort(names->v, names->n, sizeof(*names->v), by_text);
	for (size_t i = 0; i < names->n; i++) {
		if (kept && !strcmp(names->v[kept - 1], names->v[i]))
			free(names->v[i]);
		else
			names->v[kept++] = names->v[i];
	}
	names->n = kept;
	names->v[kept] = NULL;
	return 0;
}

/* 0, 1 if it did not apply (the output is in @out), -1 if patch(1) could not be run. */
static int apply_one(
	const struct ingredient *p, const char *tree, struct buf *out, struct error *err)
{
	/* patch takes a relative name from its own folder, which is @tree. */
	__free_char char *path = realpath(p->path, NULL);
	__free_char char *input = xasprintf("--input=%s", path ? path : p->path);
	const char *const argv[] = {"sh", "-c", "LC_ALL=C exec patch \"$@\" 2>&1", "sh", "-p1",
		"--fuzz=0", "--forward", "--no-backup-if-mismatch", "--reject-file=-",
		"--read-only=ignore", input, NULL};
	int status = run_capture(argv, tree, out, err);

	if (status < 0)
		return -1;
	return status != 0;
}

int recipe_apply(const struct recipe *r, const char *tree, const char *base, const char *log,
	struct error *err)
{
	__close_file FILE *f = fopen(log, "ae");

	if (!f)
		return error_set(err, KAB_ENVIRONMENT, "%s: cannot be written", log);
	for (size_t i = 0; i < r->npatches; i++) {
		const struct ingredient *p = &r->patches[i];
		struct buf out = {};
		int ret = apply_one(p, tree, &out, err);

		fprintf(f, "--- %s: %s\n%s", p->origin, p->name, out.data ? out.data : "");
		fflush(f);
		if (ret > 0) {
			__free_char char *why = patch_failure(out.data ? out.data : "");

			ret = error_set(err, KAB_USAGE, "series %s, patch %s: %s (base %s)",
				p->origin, p->name, why, base);
		}
		buf_free(&out);
		if (ret)
			return -1;
	}
	return 0;
}
