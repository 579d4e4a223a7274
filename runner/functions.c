// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows of the counting plugin -> instructions by function. */
#include "functions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

struct symbol {
	uint64_t address, count;
	char *name;
};

struct symbols {
	struct symbol *v;
	size_t n;
	char *text; /* that names point into */
};

struct functions {
	char *path;
	long at; /* in the file: what lies before was taken */
	struct symbols symbols;
};

/* Text symbols of the kernel, in ascending order as nm -n has them; of several at an address the
 * first. */
static void parse_symbols(struct symbols *s, char *text)
{
	char *save = NULL;

	*s = (struct symbols){.text = text};
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *type = strchr(line, ' '), *end;
		uint64_t address = strtoull(line, &end, 16);

		if (!type || end != type || !type[1] || !strchr("tTwW", type[1]) || type[2] != ' ')
			continue;
		if (s->n && s->v[s->n - 1].address == address)
			continue;
		/* Grows in powers of two. */
		if (!(s->n & (s->n - 1)))
			s->v = xrealloc_array(s->v, s->n ? 2 * s->n : 1, sizeof(*s->v));
		s->v[s->n++] = (struct symbol){.address = address, .name = type + 3};
	}
}

static void clear_symbols(struct symbols *s)
{
	free(s->v);
	free(s->text);
	*s = (struct symbols){};
}

/* The last symbol at or below @address, or NULL. */
static struct symbol *find_symbol(struct symbols *s, uint64_t address)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->v[mid].address <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &s->v[lo - 1] : NULL;
}

struct functions *functions_open(const char *path, const char *vmlinux, struct error *err)
{
	const char *const argv[] = {"nm", "-n", vmlinux, NULL};
	struct functions *f;
	struct buf out = {};

	int ret = run_capture(argv, NULL, &out, err);

	if (ret || !out.data) {
		buf_free(&out);
		if (ret >= 0)
			error_set(err, KAB_ENVIRONMENT,
				"%s: nm reads no symbols, by which instructions would be counted",
				vmlinux);
		return NULL;
	}
	f = xcalloc(1, sizeof(*f));
	f->path = xstrdup(path);
	parse_symbols(&f->symbols, out.data);
	return f;
}

void functions_close(struct functions *f)
{
	if (!f)
		return;
	clear_symbols(&f->symbols);
	free(f->path);
	free(f);
}

static int by_count(const void *left, const void *right)
{
	const struct symbol *a = *(const struct symbol *const *)left;
	const struct symbol *b = *(const struct symbol *const *)right;

	return a->count != b->count ? (a->count < b->count) - (a->count > b->count)
				    : strcmp(a->name, b->name);
}

/* Names may occur more than once (static functions); each stands for itself. */
static char *list_counts(struct symbols *s, uint64_t kernel, uint64_t user)
{
	const struct symbol **order = xcalloc(s->n, sizeof(*order));
	struct buf b = {};
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].count)
			order[n++] = &s->v[i];
	qsort(order, n, sizeof(*order), by_count);
	buf_addf(&b, "kernel %" PRIu64 "\nuser %" PRIu64 "\n", kernel, user);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s %" PRIu64 "\n", order[i]->name, order[i]->count);
	free(order);
	return b.data;
}

static char *fold(struct symbols *s, const char *text)
{
	uint64_t kernel = 0, user = 0;

	for (size_t i = 0; i < s->n; i++)
		s->v[i].count = 0;
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		uint64_t address, count;
		struct symbol *found;

		line += *line == '\n';
		if (sscanf(line, "user %" SCNu64, &user) == 1 ||
			sscanf(line, "%" SCNx64 " %" SCNu64, &address, &count) != 2)
			continue;
		kernel += count;
		found = find_symbol(s, address);
		if (found)
			found->count += count;
	}
	return list_counts(s, kernel, user);
}

char *functions_fold(const char *text, const char *nm)
{
	struct symbols s;
	char *folded;

	parse_symbols(&s, xstrdup(nm));
	folded = fold(&s, text);
	clear_symbols(&s);
	return folded;
}

#define WINDOW "window\n"
#define END "\nend\n"

char *functions_take(struct functions *f)
{
	size_t len = 0;
	__free_char char *all = file_read(f->path, &len, NULL);
	char *fresh, *window = NULL, *last = NULL, *end = NULL;

	if (!all || (long)len <= f->at)
		return NULL;
	fresh = all + f->at;
	for (window = strstr(fresh, WINDOW); window; window = strstr(window + 1, WINDOW)) {
		char *closed = strstr(window, END);

		if (!closed)
			break;
		last = window;
		end = closed;
	}
	if (!last)
		return NULL;
	f->at = end + strlen(END) - all;
	*end = '\0';
	return fold(&f->symbols, last + strlen(WINDOW));
}

static double count_at(const char *text, const char *key)
{
	__free_char char *start = xasprintf("%s ", key);
	const char *line = strstr(text, start);

	return line ? strtod(line + strlen(start), NULL) : 0;
}

void functions_set_metrics(const char *text, struct sample *s)
{
	if (!text || !s->ops)
		return;
	sample_set_metric(s, "kernel_instructions_per_op", count_at(text, "kernel") / s->ops);
	sample_set_metric(s, "user_instructions_per_op", count_at(text, "user") / s->ops);
}
