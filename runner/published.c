// SPDX-License-Identifier: GPL-2.0-or-later
/* published.tsv: its lines, and this run's figures for its fields. */
#include "published.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report_data.h"

#define MOST_FIELDS 64

struct line {
	char *fields[MOST_FIELDS];
	size_t n;
};

/* "workload=localcpu workers=4" */
static int parse_selector(const char *text, struct selector *s, struct error *err)
{
	__free_char char *words = xstrdup(text);
	char *save = NULL;

	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');

		if (!eq || eq == w || !eq[1])
			return error_set(
				err, KAB_USAGE, "'%s' in a selector: expected KEY=VALUE", w);
		*eq = '\0';
		params_set(&s->words, w, eq + 1);
	}
	return 0;
}

static int parse_value(const char *text, double *v, struct error *err)
{
	char *end;

	*v = NAN;
	if (!strcmp(text, "-"))
		return 0;
	*v = strtod(text, &end);
	if (end == text || *end || !isfinite(*v))
		return error_set(err, KAB_USAGE, "'%s': expected a number or '-'", text);
	return 0;
}

static int take_shape(struct published *p, const struct line *l, struct error *err)
{
	if (p->shape_metric)
		return error_set(err, KAB_USAGE, "a second 'shape'");
	p->x_title = xstrdup(l->fields[1]);
	p->y_title = xstrdup(l->fields[2]);
	p->shape_metric = xstrdup(l->fields[3]);
	return 0;
}

static int take_column(struct published *p, const struct line *l, struct error *err)
{
	struct published_column *c;

	if (p->nrows)
		return error_set(err, KAB_USAGE, "a 'column' after the first 'row'");
	p->columns = xrealloc_array(p->columns, p->ncolumns + 1, sizeof(*p->columns));
	c = &p->columns[p->ncolumns++];
	*c = (struct published_column){.name = xstrdup(l->fields[1])};
	return parse_selector(l->fields[2], &c->select, err);
}

static int take_decimals(struct published *p, const struct line *l, struct error *err)
{
	const char *text = l->fields[1];

	if (strlen(text) != 1 || *text < '0' || *text > '9')
		return error_set(err, KAB_USAGE, "decimals '%s': expected 0 to 9", text);
	p->decimals = *text - '0';
	return 0;
}

static int take_variant(struct published *p, const struct line *l, struct error *err)
{
	struct published_column *v;

	p->variants = xrealloc_array(p->variants, p->nvariants + 1, sizeof(*p->variants));
	v = &p->variants[p->nvariants++];
	*v = (struct published_column){.name = xstrdup(l->fields[1])};
	return parse_selector(l->fields[2], &v->select, err);
}

static int take_row(struct published *p, const struct line *l, struct error *err)
{
	struct published_row *row;

	if (l->n != 3 + p->ncolumns)
		return error_set(err, KAB_USAGE,
			"a row of %zu values: expected one for each of %zu columns",
			l->n > 3 ? l->n - 3 : 0, p->ncolumns);
	p->rows = xrealloc_array(p->rows, p->nrows + 1, sizeof(*p->rows));
	row = &p->rows[p->nrows++];
	*row = (struct published_row){
		.name = xstrdup(l->fields[1]), .v = xcalloc(p->ncolumns + 1, sizeof(*row->v))};
	for (size_t i = 0; i < p->ncolumns; i++) {
		row->v[i] = (struct published_value){.ours = NAN, .lo = NAN, .hi = NAN};
		if (parse_value(l->fields[3 + i], &row->v[i].theirs, err))
			return -1;
	}
	return parse_selector(l->fields[2], &row->select, err);
}

static int take_select(struct published *p, const struct line *l, struct error *err)
{
	return parse_selector(l->fields[1], &p->select, err);
}

static int take_note(struct published *p, const struct line *l, struct error *err)
{
	(void)err;
	p->notes = xrealloc_array(p->notes, p->nnotes + 1, sizeof(*p->notes));
	p->notes[p->nnotes++] = xstrdup(l->fields[1]);
	return 0;
}

static int take_text(char **where, const struct line *l, struct error *err)
{
	if (*where)
		return error_set(err, KAB_USAGE, "a second '%s'", l->fields[0]);
	*where = xstrdup(l->fields[1]);
	return 0;
}

static int take_title(struct published *p, const struct line *l, struct error *err)
{
	return take_text(&p->title, l, err);
}

static int take_source(struct published *p, const struct line *l, struct error *err)
{
	return take_text(&p->source, l, err);
}

static int take_machine(struct published *p, const struct line *l, struct error *err)
{
	return take_text(&p->machine, l, err);
}

static const struct {
	const char *name;
	size_t fewest, most; /* fields, the name included */
	int (*take)(struct published *p, const struct line *l, struct error *err);
} kinds[] = {
	{"title", 2, 2, take_title},
	{"source", 2, 2, take_source},
	{"machine", 2, 2, take_machine},
	{"note", 2, 2, take_note},
	{"shape", 4, 4, take_shape},
	{"decimals", 2, 2, take_decimals},
	{"variant", 3, 3, take_variant},
	{"select", 2, 2, take_select},
	{"column", 3, 3, take_column},
	{"row", 4, MOST_FIELDS, take_row},
};

static int take_line(struct published *p, char *text, struct error *err)
{
	struct line l = {0};

	for (char *field; (field = strsep(&text, "\t"));) {
		if (l.n == MOST_FIELDS)
			return error_set(err, KAB_USAGE, "more than %d fields", MOST_FIELDS);
		l.fields[l.n++] = field;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, l.fields[0]))
			continue;
		if (l.n < kinds[i].fewest || l.n > kinds[i].most)
			return error_set(err, KAB_USAGE,
				"'%s' with %zu fields between tabs: expected %zu%s", l.fields[0],
				l.n - 1, kinds[i].fewest - 1,
				kinds[i].most > kinds[i].fewest ? " or more" : "");
		return kinds[i].take(p, &l, err);
	}
	return error_set(err, KAB_USAGE,
		"'%s': expected title, source, machine, note, shape, decimals, variant, select, "
		"column or row",
		l.fields[0]);
}

/* What the lines have to be together. */
static int check(const char *path, const struct published *p, struct error *err)
{
	double x;

	if (!p->title || !p->source || !p->ncolumns || !p->nrows)
		return error_set(
			err, KAB_USAGE, "%s: expected a title, a source, columns and rows", path);
	for (size_t i = 0; p->shape_metric && i < p->nrows; i++)
		if (parse_value(p->rows[i].name, &x, NULL) || !(x > 0))
			return error_set(err, KAB_USAGE,
				"%s: row '%s': a shape needs rows named by numbers above 0", path,
				p->rows[i].name);
	if (p->shape_metric && p->nvariants)
		return error_set(
			err, KAB_USAGE, "%s: a shape and variants: expected one of them", path);
	return 0;
}

int published_parse(const char *path, const char *text, struct published *p, struct error *err)
{
	__free_char char *copy = xstrdup(text);
	char *rest = copy;
	unsigned number = 0;

	*p = (struct published){.decimals = -1};
	for (char *l; (l = strsep(&rest, "\n"));) {
		number++;
		if (!*l || *l == '#')
			continue;
		if (take_line(p, l, err)) {
			published_clear(p);
			return error_prefix(err, "%s:%u", path, number);
		}
	}
	if (check(path, p, err)) {
		published_clear(p);
		return -1;
	}
	return 0;
}

void published_clear(struct published *p)
{
	for (size_t i = 0; i < p->nnotes; i++)
		free(p->notes[i]);
	for (size_t i = 0; i < p->ncolumns; i++) {
		free(p->columns[i].name);
		params_free(&p->columns[i].select.words);
	}
	for (size_t i = 0; i < p->nrows; i++) {
		free(p->rows[i].name);
		for (size_t k = 0; k < p->ncolumns && p->rows[i].v; k++)
			free(p->rows[i].v[k].metric_name);
		free(p->rows[i].v);
		params_free(&p->rows[i].select.words);
	}
	for (size_t i = 0; i < p->nvariants; i++) {
		free(p->variants[i].name);
		params_free(&p->variants[i].select.words);
	}
	params_free(&p->select.words);
	free(p->variants);
	free(p->notes);
	free(p->columns);
	free(p->rows);
	free(p->series);
	free(p->title);
	free(p->source);
	free(p->machine);
	free(p->x_title);
	free(p->y_title);
	free(p->shape_metric);
	*p = (struct published){0};
}

/* ---- this run's figures ------------------------------------------------------------------------
 */

/* Words of the table, the row and the column together; the narrower one wins. */
static struct params join(const struct published *p, const struct published_row *row,
	const struct published_column *column)
{
	const struct params *all[] = {&p->select.words, &column->select.words, &row->select.words};
	struct params joined = {0};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (size_t k = 0; k < all[i]->n; k++)
			params_set(&joined, all[i]->v[k].key, all[i]->v[k].value);
	return joined;
}

const struct arm *published_arm(const struct published *p, const struct matrix *m)
{
	for (size_t i = 0; i < m->narms; i++) {
		const struct arm *arm = &m->arms[i];

		if (!strcmp(arm->label, m->baseline) || arm->nparams || arm->mutation)
			continue;
		for (size_t k = 0; k < arm->nseries; k++)
			if (!strcmp(arm->series[k].name, p->series) && !arm->series[k].patches)
				return arm;
	}
	return NULL;
}

/* These words pick no samples. */
static bool is_reserved(const char *key)
{
	return !strcmp(key, "arm") || !strcmp(key, "metric") || !strcmp(key, "scale");
}

/* What @key is for a sample of @cell; "" if it has no such thing. */
static const char *property(char text[32], const struct matrix *m, const struct cell *cell,
	const struct sample *s, const char *key)
{
	const char *v = json_string_value(json_object_get(s->params, key));

	if (!strcmp(key, "workload"))
		return m->workloads[cell->workload].name;
	if (!strcmp(key, "cpus"))
		snprintf(text, 32, "%u", m->machines[cell->machine].cpus);
	else if (!strcmp(key, "nodes"))
		snprintf(text, 32, "%u", m->machines[cell->machine].nodes);
	else if (!strcmp(key, "workers"))
		snprintf(text, 32, "%zu", s->nworkers);
	else
		return v ? v : "";
	return text;
}

static bool picks(const struct params *words, const struct matrix *m, const struct cell *cell,
	const struct sample *s)
{
	char text[32];

	for (size_t i = 0; i < words->n; i++)
		if (!is_reserved(words->v[i].key) &&
			strcmp(property(text, m, cell, s, words->v[i].key), words->v[i].value))
			return false;
	return true;
}

/* A good sample of @arm in @cell that the words pick. */
static bool cell_picked(const struct params *words, const struct store *run, const char *arm,
	const struct cell *cell)
{
	size_t n;
	const struct sample *s = store_samples(run, &n);

	for (size_t i = 0; i < n; i++)
		if (s[i].status == SAMPLE_OK && !s[i].warmup && !strcmp(s[i].arm, arm) &&
			!strcmp(s[i].cell, cell->id) &&
			picks(words, store_matrix(run), cell, &s[i]))
			return true;
	return false;
}

static void fill_value(struct published_value *v, const struct params *words,
	const struct store *run, const char *arm, const struct plan *plan)
{
	const char *metric = params_get(words, "metric"), *scale = params_get(words, "scale");
	double factor = scale ? strtod(scale, NULL) : 1;
	struct metric m = metric_find(metric ? metric : "ops_per_s");
	const struct measured_arm side = {run, arm, NULL};

	for (size_t i = 0; i < plan->ncells; i++) {
		struct blocks b;
		struct spread s;

		if (!cell_picked(words, run, arm, &plan->cells[i]) || v->candidates++)
			continue;
		b = blocks_of(&side, &side, plan->cells[i].id, &m);
		s = spread_of_blocks(&b, true);
		v->cell = plan->cells[i].id;
		v->metric = m;
		v->metric.name = v->metric_name = xstrdup(m.name);
		v->ours = s.median * factor;
		v->lo = s.lo * factor;
		v->hi = s.hi * factor;
		blocks_free(&b);
	}
}

/* The arm that "arm=@sides" means, or NULL if @m has none. */
static const char *arm_of(const struct published *p, const struct matrix *m, const char *sides)
{
	__free_char char *copy = xstrdup(sides ? sides : "baseline");
	const struct arm *arm = NULL;
	char *save = NULL;

	for (char *side = strtok_r(copy, "|", &save); side && !arm; side = strtok_r(NULL, "|", &save)) {
		if (!strcmp(side, "baseline"))
			return m->baseline;
		arm = strcmp(side, "series") ? matrix_arm(m, side) : published_arm(p, m);
	}
	return arm ? arm->label : NULL;
}

void published_fill(struct published *p, const struct store *run, const struct plan *plan)
{
	const struct matrix *m = store_matrix(run);

	for (size_t i = 0; i < p->nrows; i++)
		for (size_t k = 0; k < p->ncolumns; k++) {
			struct params words = join(p, &p->rows[i], &p->columns[k]);
			const char *arm = arm_of(p, m, params_get(&words, "arm"));

			if (arm)
				fill_value(&p->rows[i].v[k], &words, run, arm, plan);
			p->measured += isfinite(p->rows[i].v[k].ours);
			params_free(&words);
		}
}

static bool listed(const struct published_list *list, const char *series)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->v[i].series, series))
			return true;
	return false;
}

/* The table as it is under one of its variants. */
static void choose_variant(struct published *p, size_t i)
{
	const struct published_column *v = &p->variants[i];
	char *title = xasprintf("%s: %s", p->title, v->name);

	free(p->title);
	p->title = title;
	for (size_t k = 0; k < v->select.words.n; k++)
		params_set(&p->select.words, v->select.words.v[k].key, v->select.words.v[k].value);
}

/* The table of @series, a name or a folder, if it has one. */
static int add_table(const char *series, const struct store *run, const struct plan *plan,
	struct published_list *list, struct error *err)
{
	__free_char char *path =
		strchr(series, '/')
			? xasprintf("%s/published.tsv", series)
			: xasprintf("%s/kernel-patch/series/%s/published.tsv", kab_home(), series);
	__free_char char *text = NULL;
	size_t variants = 1;

	if (listed(list, series) || access(path, F_OK))
		return 0;
	text = file_read(path, NULL, err);
	for (size_t i = 0; i < variants; i++) {
		struct published p;

		if (!text || published_parse(path, text, &p, err))
			return -1;
		if (p.nvariants) {
			choose_variant(&p, i);
			variants = p.nvariants;
		}
		p.series = xstrdup(series);
		published_fill(&p, run, plan);
		list->v = xrealloc_array(list->v, list->n + 1, sizeof(*list->v));
		list->v[list->n++] = p;
	}
	return 0;
}

int published_collect(const struct store *run, const struct plan *plan, struct published_list *list,
	struct error *err)
{
	const struct matrix *m = store_matrix(run);

	for (size_t i = 0; i < m->narms; i++)
		for (size_t k = 0; k < m->arms[i].nseries; k++)
			if (add_table(m->arms[i].series[k].name, run, plan, list, err))
				return -1;
	return 0;
}

bool published_has_figures(const struct published *p)
{
	for (size_t i = 0; i < p->nrows; i++)
		for (size_t k = 0; k < p->ncolumns; k++)
			if (isfinite(p->rows[i].v[k].theirs))
				return true;
	return false;
}

void published_list_clear(struct published_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		published_clear(&list->v[i]);
	free(list->v);
	*list = (struct published_list){0};
}
