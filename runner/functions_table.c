// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions of several arms side by side. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"
#include "util.h"

/* One arm's instructions an operation: {name: sum over samples}. */
struct arm_counts {
	const char *label;
	json_t *sums;
	unsigned samples;
};

static void add_count(json_t *sums, const char *name, double count)
{
	double before = json_number_value(json_object_get(sums, name));

	json_object_set_new(sums, name, json_real(before + count));
}

static bool add_sample(const struct store *run, const struct sample *s, struct arm_counts *to)
{
	__free_char char *path = xasprintf("%s/raw/%s/functions.txt", store_path(run), s->id);
	__free_char char *text = file_read(path, NULL, NULL);
	char *save = NULL;

	if (!text || !s->ops)
		return false;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *space = strrchr(line, ' ');

		if (!space)
			continue;
		*space = '\0';
		add_count(to->sums, line, strtod(space + 1, NULL) / s->ops);
	}
	to->samples++;
	return true;
}

static void count_arm(const struct store *run, const char *cell, struct arm_counts *to)
{
	size_t n;
	const struct sample *s = store_samples(run, &n);

	for (size_t i = 0; i < n; i++)
		if (s[i].status == SAMPLE_OK && !s[i].warmup && !strcmp(s[i].cell, cell) &&
			!strcmp(s[i].arm, to->label))
			add_sample(run, &s[i], to);
}

static double per_op(const struct arm_counts *a, const char *name)
{
	return a->samples ? json_number_value(json_object_get(a->sums, name)) / a->samples : 0;
}

static json_t *function_json(const char *name, const struct arm_counts *arms, size_t n, size_t base)
{
	json_t *values = json_array(), *differences = json_array();
	double most = 0;

	for (size_t i = 0; i < n; i++) {
		double v = per_op(&arms[i], name), d = v - per_op(&arms[base], name);

		json_array_append_new(values, json_real(v));
		json_array_append_new(differences, json_real(d));
		most = fmax(most, fabs(d));
	}
	return json_pack("{s:s,s:o,s:o,s:f}", "name", name, "per_op", values, "difference",
		differences, "most", most);
}

static int by_difference(const void *left, const void *right)
{
	const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
	double da = json_number_value(json_object_get(a, "most"));
	double db = json_number_value(json_object_get(b, "most"));

	if (da != db)
		return (da < db) - (da > db);
	return strcmp(json_string_value(json_object_get(a, "name")),
		json_string_value(json_object_get(b, "name")));
}

/* All names that any arm has, each once; totals go first, then the largest difference. */
static json_t *sorted_functions(const struct arm_counts *arms, size_t n, size_t base)
{
	static const char *const totals[] = {"kernel", "user"};
	json_t *names = json_object(), *list = json_array(), **order, *unused;
	size_t count = 0;
	const char *name;

	for (size_t i = 0; i < n; i++)
		json_object_update(names, arms[i].sums);
	for (size_t i = 0; i < ARRAY_SIZE(totals); i++) {
		json_array_append_new(list, function_json(totals[i], arms, n, base));
		json_object_del(names, totals[i]);
	}
	order = xcalloc(json_object_size(names), sizeof(*order));
	json_object_foreach (names, name, unused) {
		order[count++] = function_json(name, arms, n, base);
	}
	qsort(order, count, sizeof(*order), by_difference);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, order[i]);
	free(order);
	json_decref(names);
	return list;
}

json_t *functions_table(const struct store *run, const char *cell, struct error *err)
{
	const struct matrix *m = store_matrix(run);
	struct arm_counts *arms = xcalloc(m->narms, sizeof(*arms));
	json_t *labels = json_array(), *o = NULL;
	size_t n = 0, base = 0;

	for (size_t i = 0; i < m->narms; i++) {
		arms[n] = (struct arm_counts){.label = m->arms[i].label, .sums = json_object()};
		count_arm(run, cell, &arms[n]);
		if (!arms[n].samples) {
			json_decref(arms[n].sums);
			continue;
		}
		if (!strcmp(arms[n].label, m->baseline))
			base = n;
		json_array_append_new(labels, json_string(arms[n++].label));
	}
	if (n)
		o = json_pack("{s:s,s:s,s:O,s:o}", "cell", cell, "baseline", arms[base].label,
			"arms", labels, "functions", sorted_functions(arms, n, base));
	else
		error_set(err, KAB_USAGE,
			"%s has no counts by function of '%s': its matrix needs the executor exact "
			"and "
			"the observer functions",
			store_path(run), cell);
	for (size_t i = 0; i < n; i++)
		json_decref(arms[i].sums);
	free(arms);
	json_decref(labels);
	return o;
}

static void add_line(struct buf *b, const json_t *f, size_t narms, size_t base)
{
	const json_t *values = json_object_get(f, "per_op");
	const json_t *differences = json_object_get(f, "difference");

	buf_addf(b, "%-40s", json_string_value(json_object_get(f, "name")));
	for (size_t i = 0; i < narms; i++) {
		buf_addf(b, " %12.2f", json_number_value(json_array_get(values, i)));
		if (i != base)
			buf_addf(b, " %+10.2f", json_number_value(json_array_get(differences, i)));
	}
	buf_addstr(b, "\n");
}

char *functions_text(const json_t *table, size_t most)
{
	const json_t *arms = json_object_get(table, "arms"),
		     *list = json_object_get(table, "functions");
	const char *baseline = json_string_value(json_object_get(table, "baseline"));
	size_t n = json_array_size(list), narms = json_array_size(arms), base = 0;
	struct buf b = {};

	buf_addf(&b, "%s: instructions an operation\n\n%-40s",
		json_string_value(json_object_get(table, "cell")), "function");
	for (size_t i = 0; i < narms; i++) {
		const char *label = json_string_value(json_array_get(arms, i));

		base = strcmp(label, baseline) ? base : i;
		buf_addf(&b, " %12s%s", label, strcmp(label, baseline) ? " difference" : "");
	}
	buf_addstr(&b, "\n");
	for (size_t i = 0; i < n && (!most || i < most); i++)
		add_line(&b, json_array_get(list, i), narms, base);
	if (most && n > most)
		buf_addf(&b, "%zu more functions: -v\n", n - most);
	return b.data;
}
