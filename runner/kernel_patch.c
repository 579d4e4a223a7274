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
