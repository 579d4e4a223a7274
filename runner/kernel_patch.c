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

#define NO_PATCH "not a patch"

/*
 * GNU patch says "patching file F" before it says what became of F's hunks. With a file it cannot
 * find it says "can't find file to patch", and the name is in the quoted header "|+++ b/F".
 */
char *patch_failure(const char *out, char **file_out)
{
	__free_char char *text = xstrdup(out);
	char *file = NULL, *why = NULL, *save;

	for (char *line = strtok_r(text, "\n", &save); line && !why;
		line = strtok_r(NULL, "\n", &save)) {
		char name[512];
		unsigned hunk;
		int end = 0;

		if (sscanf(line, "patching file %511s", name) == 1 ||
			sscanf(line, "|+++ %511s", name) == 1 ||
			sscanf(line, "checking file %511s", name) == 1) {
			const char *start =
				line[0] == '|' && strchr(name, '/') ? strchr(name, '/') + 1 : name;

			free(file);
			file = xstrdup(start);
			/* "|+++" quotes the header of a file that patch could not find. */
			if (line[0] == '|')
				why = xasprintf(
					"%s, which it changes, is not in the sources", start);
		} else if (sscanf(line, "Hunk #%u FAILED%n", &hunk, &end) == 1 && end) {
			why = xasprintf("hunk %u of %s does not apply", hunk,
				file ? file : "an unnamed file");
		} else if (strstr(line, "previously applied")) {
			why = xasprintf("%s has this change already", file ? file : "the base");
		} else if (strstr(line, "malformed patch") || strstr(line, "unexpected end") ||
			   strstr(line, "Only garbage was found")) {
			why = xasprintf(NO_PATCH " (%s)",
				strncmp(line, "patch: **** ", 12) ? line : line + 12);
			free(file);
			file = NULL;
		} else if (sscanf(line, "The next patch would create the file %511[^,]", name) ==
				   1 ||
			   sscanf(line, "The next patch would delete the file %511[^,]", name) ==
				   1) {
			free(file);
			file = xstrdup(name);
		} else if (!strncmp(line, "which already exists", 20)) {
			why = xasprintf(
				"%s, which it makes, is there already", file ? file : "a file");
		} else if (!strncmp(line, "which does not exist", 20)) {
			why = xasprintf("%s, which it deletes, is not in the sources",
				file ? file : "a file");
		}
	}
	if (file_out)
		*file_out = why ? file : NULL;
	if (!file_out || !why)
		free(file);
	return why ? why : xstrdup("patch(1) refused it");
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

/* Why @p did not apply, as a message for people. */
static int tell_failure(const struct ingredient *p, const struct patch_bases *bases,
	const char *out, const char *base, struct error *err)
{
	__free_char char *file = NULL;
	__free_char char *why = patch_failure(out, &file);
	__free_char char *cause = patch_cause(bases, file);

	if (!cause && !strncmp(why, NO_PATCH, strlen(NO_PATCH)))
		cause = xstrdup("it is broken");
	return error_set(err, KAB_USAGE, "series %s, patch %s: %s%s%s (base %s)", p->origin,
		p->name, why, cause ? ": " : "", cause ? cause : "", base);
}

int recipe_apply(const struct recipe *r, const char *tree, const char *base, const char *log,
	struct error *err)
{
	__close_file FILE *f = fopen(log, "ae");

	if (!f)
		return error_set(err, KAB_ENVIRONMENT, "%s: cannot be written", log);
	for (size_t i = 0; i < r->npatches; i++) {
		const struct ingredient *p = &r->patches[i];
		struct patch_bases bases = {};
		struct buf out = {};
		int ret;

		/* Now, for a patch of which half applies leaves another text. */
		patch_bases_read(p->path, tree, &bases);
		ret = apply_one(p, tree, &out, err);
		fprintf(f, "--- %s: %s\n%s", p->origin, p->name, out.data ? out.data : "");
		fflush(f);
		if (ret > 0)
			ret = tell_failure(p, &bases, out.data ? out.data : "", base, err);
		patch_bases_clear(&bases);
		buf_free(&out);
		if (ret)
			return -1;
	}
	return 0;
}
