// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * "index 1a2b3c..4d5e6f 100644": git names the content that a diff was made from. A patch that does
 * not apply is for another base where something else is there, and damaged where that very content
 * is.
 */
#include "kernel_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#define MIN_DIGITS 7

/* The name that git gives to the content of @path; "" if there is no such file. */
static void blob_name(const char *path, char out[41])
{
	unsigned char md[EVP_MAX_MD_SIZE] = {};
	size_t len;
	struct stat st;
	__free_char char *text =
		!stat(path, &st) && S_ISREG(st.st_mode) ? file_read(path, &len, NULL) : NULL;
	struct buf b = {};

	out[0] = '\0';
	if (!text)
		return;
	buf_addf(&b, "blob %zu", len);
	buf_add(&b, "", 1);
	buf_add(&b, text, len);
	EVP_Digest(b.data, b.len, md, NULL, EVP_sha1(), NULL);
	buf_free(&b);
	for (int i = 0; i < 20; i++) {
		out[2 * i] = "0123456789abcdef"[md[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[md[i] & 15];
	}
	out[40] = '\0';
}

static void add(struct patch_bases *b, const char *tree, const char *file, const char *wanted)
{
	__free_char char *path = xasprintf("%s/%s", tree, file);
	struct patch_base *new;

	b->v = xrealloc_array(b->v, b->n + 1, sizeof(*b->v));
	new = &b->v[b->n++];
	*new = (struct patch_base){.file = xstrdup(file), .wanted = xstrdup(wanted)};
	blob_name(path, new->have);
}

/* The old name of an index line; NULL: @line is none. Caller frees. */
static char *index_old(const char *line)
{
	size_t n;

	if (strncmp(line, "index ", 6))
		return NULL;
	n = strspn(line + 6, "0123456789abcdef");
	if (n < MIN_DIGITS || n > 40 || strncmp(line + 6 + n, "..", 2))
		return NULL;
	return xstrndup(line + 6, n);
}

void patch_bases_read(const char *path, const char *tree, struct patch_bases *b)
{
	__free_char char *text = file_read(path, NULL, NULL), *wanted = NULL, *file = NULL;
	char *save;

	*b = (struct patch_bases){};
	if (!text)
		return;
	for (char *line = strtok_r(text, "\r\n", &save); line;
		line = strtok_r(NULL, "\r\n", &save)) {
		const char *name = strncmp(line, "diff --git ", 11) ? NULL : strstr(line, " b/");

		if (name) {
			free(file);
			file = strstr(name, "/../") ? NULL : xstrdup(name + 3);
			continue;
		}
		/* The old name, where git tells that it was another. */
		if (file && !strncmp(line, "rename from ", 12) && !strstr(line, "../")) {
			free(file);
			file = xstrdup(line + 12);
		}
		free(wanted);
		wanted = file ? index_old(line) : NULL;
		if (wanted) {
			add(b, tree, file, wanted);
			free(file);
			file = NULL;
		}
	}
}

static bool makes_file(const struct patch_base *p)
{
	return strspn(p->wanted, "0") == strlen(p->wanted);
}

/* What is there is what the diff was made from. */
static bool is_here(const struct patch_base *p)
{
	return makes_file(p) ? !*p->have : !strncmp(p->have, p->wanted, strlen(p->wanted));
}

char *patch_cause(const struct patch_bases *b, const char *file)
{
	const struct patch_base *p = b->v;

	if (!file)
		return NULL;
	while (p < b->v + b->n && strcmp(p->file, file))
		p++;
	if (p == b->v + b->n)
		return xasprintf(
			"without an index line of git's it cannot be told whether it is for "
			"another base or damaged");
	if (is_here(p))
		return makes_file(p) ? xstrdup("it is damaged")
				     : xasprintf("it is damaged, for its index line names what is "
						 "here (%s)",
					       p->wanted);
	if (makes_file(p))
		return xstrdup("it is for another base, which lacks that file");
	if (!*p->have)
		return xasprintf("it is for another base, whose %s is %s", file, p->wanted);
	return xasprintf("it is for another base, whose %s is %s; here it is %.*s", file, p->wanted,
		(int)strlen(p->wanted), p->have);
}

void patch_bases_clear(struct patch_bases *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->v[i].file);
		free(b->v[i].wanted);
	}
	free(b->v);
	*b = (struct patch_bases){};
}
