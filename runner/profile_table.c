// SPDX-License-Identifier: GPL-2.0-or-later
/* Passes of several arms side by side: which symbols take more time, which events happen more
 * often. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"
#include "stats.h"
#include "util.h"

#define WORTH_A_ROW 0.1 /* percent of the samples of some arm */
#define NAME_WIDTH 24	/* columns at least, and at most */
#define NAME_WIDEST 44

/* One arm's passes in one cell, each with what it counted by name. */
struct arm_passes {
	const char *label;
	struct pass_counts {
		unsigned block;
		json_t *values; /* {name: value} */
	} * v;
	size_t n;
	double samples; /* that perf took */
};

/* {symbol: samples in it} of folded stacks; "[idle]" left out. *@total: all that are in it. */
static json_t *count_symbols(char *folded, double *total)
{
	json_t *o = json_object();
	char *save = NULL;

	*total = 0;
	for (char *line = strtok_r(folded, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *space = strrchr(line, ' '), *leaf;
		double n = space ? strtod(space + 1, NULL) : 0;

		if (!space)
			continue;
		*space = '\0';
		leaf = strrchr(line, ';');
		if (!leaf || !strcmp(leaf + 1, "[idle]"))
			continue;
		*total += n;
		json_object_set_new(o, leaf + 1,
			json_real(json_number_value(json_object_get(o, leaf + 1)) + n));
	}
	return o;
}

static json_t *count_lines(char *text, double *total)
{
	json_t *o = json_object();
	char *save = NULL;

	*total = 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *space = strrchr(line, ' ');
		double n = space ? strtod(space + 1, NULL) : 0;

		if (!space)
			continue;
		*space = '\0';
		json_object_set_new(o, line, json_real(n));
		if (!strchr(line, ' '))
			*total += n;
	}
	return o;
}

/* Divides all values by @by. */
static void scale(json_t *values, double by)
{
	const char *name;
	json_t *v;

	json_object_foreach (values, name, v)
		json_real_set(v, json_real_value(v) / by);
}

static void add_pass(
	const struct store *run, const struct sample *s, enum pass pass, struct arm_passes *a)
{
	__free_char char *path = xasprintf("%s/raw/%s/%s", store_path(run), s->id,
		pass == PASS_RECORD ? PROFILE_FOLDED : PROFILE_EVENTS);
	__free_char char *text = file_read(path, NULL, NULL);
	double total = 0;
	json_t *values;

	if (!text)
		return;
	values = pass == PASS_RECORD ? count_symbols(text, &total) : count_lines(text, &total);
	/* A pass without one sample tells of no symbol; one without an event tells that there was
	 * none. */
	if (pass == PASS_RECORD && !total) {
		json_decref(values);
		return;
	}
	scale(values, pass == PASS_RECORD ? total / 100 : s->ops ? s->ops : 1);
	a->v = xrealloc_array(a->v, a->n + 1, sizeof(*a->v));
	a->v[a->n++] = (struct pass_counts){.block = s->block, .values = values};
	a->samples += total;
}

static void collect(const struct store *run, const char *cell, enum pass pass, struct arm_passes *a)
{
	size_t n;
	const struct sample *s = store_samples(run, &n);

	for (size_t i = 0; i < n; i++)
		if (s[i].status == SAMPLE_OK && s[i].pass && !strcmp(s[i].pass, pass_name(pass)) &&
			!strcmp(s[i].cell, cell) && !strcmp(s[i].arm, a->label))
			add_pass(run, &s[i], pass, a);
}

static double value_in(const struct pass_counts *p, const char *name)
{
	return json_number_value(json_object_get(p->values, name));
}

static double mean_of(const struct arm_passes *a, const char *name)
{
	double sum = 0;

	for (size_t i = 0; i < a->n; i++)
		sum += value_in(&a->v[i], name);
	return a->n ? sum / (double)a->n : 0;
}

/* Within blocks: one pass of each arm in a block. -1: nothing to pair. */
static int compare(const struct arm_passes *base, const struct arm_passes *arm, const char *name,
	struct estimate *e)
{
	const struct stats_options opt = {.alpha = 0.05};
	size_t most = base->n < arm->n ? base->n : arm->n, n = 0;
	struct pair *pairs = xcalloc(most + 1, sizeof(*pairs));
	double *v = xcalloc(2 * most + 1, sizeof(*v));
	int ret;

	for (size_t i = 0; i < base->n && n < most; i++)
		for (size_t j = 0; j < arm->n; j++) {
			if (base->v[i].block != arm->v[j].block)
				continue;
			v[2 * n] = value_in(&base->v[i], name);
			v[2 * n + 1] = value_in(&arm->v[j], name);
			pairs[n] = (struct pair){{.v = &v[2 * n], .n = 1}, {.v = &v[2 * n + 1], .n = 1}};
			n++;
			break;
		}
	ret = n ? stats_compare(pairs, n, &opt, e) : -1;
	free(pairs);
	free(v);
	return ret;
}

/* NAN, as of one block, has no place in JSON. */
static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *row_json(const char *name, const struct arm_passes *arms, size_t n, size_t base)
{
	json_t *values = json_array(), *differences = json_array();

	for (size_t i = 0; i < n; i++) {
		struct estimate e;

		json_array_append_new(values, json_real(mean_of(&arms[i], name)));
		if (i == base || compare(&arms[base], &arms[i], name, &e))
			json_array_append_new(differences, json_null());
		else
			json_array_append_new(differences,
				json_pack("{s:o,s:o,s:o,s:o}", "effect", number(e.effect), "lo",
					number(e.lo), "hi", number(e.hi), "p", number(e.p)));
	}
	return json_pack(
		"{s:s,s:o,s:o}", "name", name, "values", values, "differences", differences);
}

/* p over all rows of arm @i at once. */
static void correct(json_t *rows, size_t i)
{
	size_t n = json_array_size(rows);
	double *p = xcalloc(n + 1, sizeof(*p));

	for (size_t k = 0; k < n; k++) {
		json_t *d =
			json_array_get(json_object_get(json_array_get(rows, k), "differences"), i);
		const json_t *v = json_object_get(d, "p");

		p[k] = json_is_number(v) ? json_number_value(v) : NAN;
	}
	stats_bh(p, n);
	for (size_t k = 0; k < n; k++) {
		json_t *d =
			json_array_get(json_object_get(json_array_get(rows, k), "differences"), i);

		if (json_is_object(d))
			json_object_set_new(d, "p", number(p[k]));
	}
	free(p);
}

/* How far from nothing the nearer end of the widest interval lies; then how large the effect is. */
static double certain(const json_t *row)
{
	const json_t *all = json_object_get(row, "differences");
	double most = 0;

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *d = json_array_get(all, i);
		double lo = json_number_value(json_object_get(d, "lo"));
		double hi = json_number_value(json_object_get(d, "hi"));

		if (lo * hi > 0)
			most = fmax(most, fmin(fabs(lo), fabs(hi)));
	}
	return most;
}

static double largest(const json_t *row)
{
	const json_t *all = json_object_get(row, "differences");
	double most = 0;

	for (size_t i = 0; i < json_array_size(all); i++)
		most = fmax(most,
			fabs(json_number_value(json_object_get(json_array_get(all, i), "effect"))));
	return most;
}

static int by_change(const void *left, const void *right)
{
	const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
	double ca = certain(a), cb = certain(b), la = largest(a), lb = largest(b);

	if (ca != cb)
		return ca < cb ? 1 : -1;
	if (la != lb)
		return la < lb ? 1 : -1;
	la = json_number_value(json_array_get(json_object_get(a, "values"), 0));
	lb = json_number_value(json_array_get(json_object_get(b, "values"), 0));
	if (la != lb)
		return la < lb ? 1 : -1;
	return strcmp(json_string_value(json_object_get(a, "name")),
		json_string_value(json_object_get(b, "name")));
}

static json_t *sorted(json_t *rows)
{
	size_t n = json_array_size(rows);
	json_t **order = xcalloc(n + 1, sizeof(*order)), *list = json_array();

	for (size_t i = 0; i < n; i++)
		order[i] = json_array_get(rows, i);
	qsort(order, n, sizeof(*order), by_change);
	for (size_t i = 0; i < n; i++)
		json_array_append(list, order[i]);
	free(order);
	json_decref(rows);
	return list;
}

/* All names that make up enough of some arm, each once. */
static json_t *make_rows(const struct arm_passes *arms, size_t n, size_t base, enum pass pass)
{
	json_t *names = json_object(), *rows = json_array(), *unused;
	const char *name;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < arms[i].n; k++)
			json_object_update(names, arms[i].v[k].values);
	json_object_foreach (names, name, unused) {
		bool worth = pass != PASS_RECORD;

		for (size_t i = 0; i < n; i++)
			worth |= mean_of(&arms[i], name) >= WORTH_A_ROW;
		if (worth)
			json_array_append_new(rows, row_json(name, arms, n, base));
	}
	json_decref(names);
	for (size_t i = 0; i < n; i++)
		correct(rows, i);
	return sorted(rows);
}

static void clear_arm(struct arm_passes *a)
{
	for (size_t i = 0; i < a->n; i++)
		json_decref(a->v[i].values);
	free(a->v);
}

static bool counts_operations(const struct store *run, const char *cell)
{
	size_t n;
	const struct sample *s = store_samples(run, &n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(s[i].cell, cell) && s[i].pass && s[i].ops)
			return true;
	return false;
}

json_t *profile_table(const struct store *run, const char *cell, enum pass pass, struct error *err)
{
	const struct matrix *m = store_matrix(run);
	struct arm_passes *arms = xcalloc(m->narms + 1, sizeof(*arms));
	json_t *heads = json_array(), *o = NULL;
	size_t n = 0, base = 0;

	for (size_t i = 0; i < m->narms; i++) {
		arms[n] = (struct arm_passes){.label = m->arms[i].label};
		collect(run, cell, pass, &arms[n]);
		if (!arms[n].n)
			continue;
		if (!strcmp(arms[n].label, m->baseline))
			base = n;
		json_array_append_new(
			heads, json_pack("{s:s,s:I,s:f}", "label", arms[n].label, "passes",
				       (json_int_t)arms[n].n, "samples", arms[n].samples));
		n++;
	}
	if (n)
		o = json_pack("{s:s,s:s,s:s,s:s,s:O,s:o}", "cell", cell, "pass", pass_name(pass),
			"unit",
			pass == PASS_RECORD	       ? "% of samples"
			: counts_operations(run, cell) ? "an operation"
						       : "a pass",
			"baseline", arms[base].label, "arms", heads, "rows",
			make_rows(arms, n, base, pass));
	else
		error_set(err, KAB_USAGE, "%s has no %s passes of '%s': its matrix needs %s",
			store_path(run), pass_name(pass), cell,
			pass == PASS_RECORD ? "the observer perf-record" : "the key tracepoints");
	for (size_t i = 0; i < n; i++)
		clear_arm(&arms[i]);
	free(arms);
	json_decref(heads);
	return o;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void add_difference(struct buf *b, const json_t *d)
{
	const json_t *lo = json_object_get(d, "lo"), *hi = json_object_get(d, "hi"),
		     *p = json_object_get(d, "p");
	char interval[48] = "", chance[24] = "";

	if (json_is_number(lo) && json_is_number(hi))
		snprintf(interval, sizeof(interval), "[%+.2f, %+.2f]", json_number_value(lo),
			json_number_value(hi));
	if (json_is_number(p))
		snprintf(chance, sizeof(chance), "%.2g", json_number_value(p));
	buf_addf(b, " %+9.2f %18s %7s", json_number_value(json_object_get(d, "effect")), interval,
		chance);
}

static int name_width(const json_t *rows, size_t most)
{
	size_t width = NAME_WIDTH;

	for (size_t i = 0; i < json_array_size(rows) && (!most || i < most); i++) {
		size_t len = json_string_length(json_object_get(json_array_get(rows, i), "name"));

		width = len > width ? len : width;
	}
	return width < NAME_WIDEST ? (int)width : NAME_WIDEST;
}

static void add_text_row(struct buf *b, const json_t *table, const json_t *row, int width)
{
	const json_t *arms = json_object_get(table, "arms");

	buf_addf(b, "%-*s", width, json_string_value(json_object_get(row, "name")));
	for (size_t i = 0; i < json_array_size(arms); i++) {
		const json_t *d = json_array_get(json_object_get(row, "differences"), i);

		buf_addf(b, " %9.2f",
			json_number_value(json_array_get(json_object_get(row, "values"), i)));
		if (json_is_object(d))
			add_difference(b, d);
	}
	buf_addstr(b, "\n");
}

char *profile_text(const json_t *table, size_t most)
{
	const json_t *arms = json_object_get(table, "arms"), *rows = json_object_get(table, "rows");
	const char *baseline = json_string_value(json_object_get(table, "baseline"));
	bool trace =
		strcmp(json_string_value(json_object_get(table, "pass")), pass_name(PASS_RECORD));
	int width = name_width(rows, most);
	size_t n = json_array_size(rows);
	struct buf b = {};

	buf_addf(&b, "%s: %s, %s\n", json_string_value(json_object_get(table, "cell")),
		json_string_value(json_object_get(table, "pass")),
		json_string_value(json_object_get(table, "unit")));
	for (size_t i = 0; i < json_array_size(arms); i++) {
		const json_t *a = json_array_get(arms, i);

		buf_addf(&b, "  %s: %lld passes, %.0f %s\n",
			json_string_value(json_object_get(a, "label")),
			(long long)json_integer_value(json_object_get(a, "passes")),
			json_number_value(json_object_get(a, "samples")),
			trace ? "events" : "samples outside the idle loop");
	}
	buf_addf(&b, "\n%-*s", width, "");
	for (size_t i = 0; i < json_array_size(arms); i++) {
		const char *label =
			json_string_value(json_object_get(json_array_get(arms, i), "label"));

		buf_addf(&b, " %9.9s", label);
		if (strcmp(label, baseline))
			buf_addf(&b, " %9s %18s %7s", "diff.", "95% interval", "adj. p");
	}
	buf_addstr(&b, "\n");
	for (size_t i = 0; i < n && (!most || i < most); i++)
		add_text_row(&b, table, json_array_get(rows, i), width);
	if (most && n > most)
		buf_addf(&b, "%zu more: -v\n", n - most);
	return b.data;
}

/* ---- stacks of all passes together ----------------------------------------------------------- */

char *profile_stacks(const struct store *run, const char *cell, const char *arm)
{
	json_t *sums = json_object(), *v;
	struct buf b = {};
	const char *key;
	size_t n;
	const struct sample *s = store_samples(run, &n);

	for (size_t i = 0; i < n; i++) {
		__free_char char *path =
			xasprintf("%s/raw/%s/" PROFILE_FOLDED, store_path(run), s[i].id);
		__free_char char *text = NULL;
		char *save = NULL;

		if (!s[i].pass || strcmp(s[i].cell, cell) || strcmp(s[i].arm, arm))
			continue;
		text = file_read(path, NULL, NULL);
		for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
			line = strtok_r(NULL, "\n", &save)) {
			char *space = strrchr(line, ' ');

			if (!space)
				continue;
			*space = '\0';
			json_object_set_new(sums, line,
				json_integer(json_integer_value(json_object_get(sums, line)) +
					     strtoll(space + 1, NULL, 10)));
		}
	}
	json_object_foreach (sums, key, v)
		buf_addf(&b, "%s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(v));
	json_decref(sums);
	return b.data;
}
