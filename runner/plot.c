// SPDX-License-Identifier: GPL-2.0-or-later
/* Figures: their files, and gnuplot's run over them. */
#include "plot.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report_text.h"

static bool stem_taken(const struct plots *list, const char *stem)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->v[i].stem, stem))
			return true;
	return false;
}

/* Metrics are named by matrix files; a file name is not made of what anybody may write there. */
static char *safe_stem(const struct plots *list, const char *wanted)
{
	__free_char char *base = xstrdup(wanted);
	char *stem;

	for (char *c = base; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
			*c = '-';
		else
			*c = (char)tolower((unsigned char)*c);
	if (strlen(base) > 80)
		base[80] = '\0';
	stem = xstrdup(base);
	for (unsigned n = 2; stem_taken(list, stem); n++) {
		free(stem);
		stem = xasprintf("%s-%u", base, n);
	}
	return stem;
}

struct plot *plots_add(struct plots *list, const char *stem, const char *script, const char *title,
	const char *caption)
{
	char *safe = safe_stem(list, stem);
	struct plot *p;

	list->v = xrealloc_array(list->v, list->n + 1, sizeof(*list->v));
	p = &list->v[list->n++];
	*p = (struct plot){.stem = safe,
		.script = script,
		.title = xstrdup(title),
		.caption = xstrdup(caption)};
	buf_addf(&p->settings, "# %s: draw it again with plots/%s.gp of kab\n", safe, script);
	plot_set_text(p, "title", title);
	return p;
}

void plots_clear(struct plots *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->v[i].stem);
		free(list->v[i].title);
		free(list->v[i].caption);
		buf_free(&list->v[i].settings);
		buf_free(&list->v[i].data);
	}
	free(list->v);
	*list = (struct plots){0};
}

void plot_set_text(struct plot *p, const char *name, const char *value)
{
	buf_addf(&p->settings, "%s = ", name);
	text_add_gnuplot(&p->settings, value);
	buf_addstr(&p->settings, "\n");
}

void plot_set_number(struct plot *p, const char *name, double value)
{
	buf_addf(&p->settings, "%s = %.10g\n", name, value);
}

/* Two empty lines part one index from the next. */
void plot_next_index(struct plot *p, unsigned columns)
{
	size_t len = p->data.len;

	if (!len || (len >= 2 && !strcmp(p->data.data + len - 2, "\n\n"))) {
		for (unsigned i = 0; i < columns; i++)
			buf_addstr(&p->data, i ? "\tnan" : "nan");
		buf_addstr(&p->data, "\n");
	}
	buf_addstr(&p->data, "\n\n");
}

void plot_add_line(struct plot *p, const double *v, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		buf_addstr(&p->data, i ? "\t" : "");
		if (isfinite(v[i]))
			buf_addf(&p->data, "%.10g", v[i]);
		else
			buf_addstr(&p->data, "nan");
	}
	if (text) {
		buf_addstr(&p->data, n ? "\t" : "");
		text_add_field(&p->data, text);
	}
	buf_addstr(&p->data, "\n");
}

static int find_gnuplot(struct error *err)
{
	static const char *const argv[] = {"gnuplot", "--version", NULL};
	struct buf out = {0};
	struct error why = {0};
	int status = run_capture(argv, NULL, &out, &why);

	buf_free(&out);
	if (why.status == KAB_INTERRUPTED)
		return error_set(err, KAB_INTERRUPTED, "%s", why.text);
	if (status)
		return error_set(err, KAB_ENVIRONMENT,
			"the report's figures need gnuplot, which is not here; install the package "
			"gnuplot-nox");
	return 0;
}

static int write_part(const char *stem, const char *suffix, const struct buf *b, struct error *err)
{
	__free_char char *path = xasprintf("%s.%s", stem, suffix);

	return file_write_atomic(path, b->data ? b->data : "", b->len, err);
}

/* The script ran, and wrote what it was asked for. */
static int draw_as(const struct plot *p, const char *stem, const char *format, struct error *err)
{
	__free_char char *scripts = xasprintf("%s/plots", kab_home());
	__free_char char *script = xasprintf("%s.gp", p->script);
	__free_char char *log = xasprintf("%s.log", stem);
	__free_char char *drawn = xasprintf("%s.%s", stem, format);
	__free_char char *words = NULL;
	const char *const argv[] = {"gnuplot", "-d", "-c", script, stem, format, NULL};
	int status;

	unlink(drawn);
	unlink(log);
	status = run_command(argv, scripts, log, err);
	words = file_read(log, NULL, NULL);
	unlink(log);
	if (status < 0)
		return -1;
	if (status || access(drawn, R_OK))
		return error_set(err, KAB_ENVIRONMENT, "gnuplot failed on %s/%s for %s: %.800s",
			scripts, script, drawn, words && *words ? words : "no reason given");
	return 0;
}

static int refine(const struct plot *p, const char *stem, struct error *err)
{
	__free_char char *path = xasprintf("%s.svg", stem);
	__free_char char *svg = file_read(path, NULL, err);
	__free_char char *better = NULL;

	if (!svg)
		return -1;
	better = plot_svg_refine(svg, p->stem, p->title);
	return file_write_atomic(path, better, strlen(better), err);
}

static int draw(const struct plot *p, const char *dir, struct error *err)
{
	__free_char char *stem = xasprintf("%s/%s", dir, p->stem);

	return write_part(stem, "gp", &p->settings, err) ||
			       write_part(stem, "dat", &p->data, err) ||
			       draw_as(p, stem, "svg", err) || refine(p, stem, err) ||
			       draw_as(p, stem, "png", err)
		       ? -1
		       : 0;
}

int plots_draw(const struct plots *list, const char *dir, struct error *err)
{
	__free_char char *full = realpath(dir, NULL);

	if (!full)
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", dir, strerror(errno));
	if (find_gnuplot(err))
		return -1;
	for (size_t i = 0; i < list->n; i++)
		if (draw(&list->v[i], full, err))
			return -1;
	return 0;
}
