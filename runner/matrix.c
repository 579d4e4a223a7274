// SPDX-License-Identifier: GPL-2.0-or-later
/* Matrices once they are read: parameters, arms, the canonical JSON, release. matrix_file.c reads
 * them. */
#include "matrix.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matrix_parts.h"
#include "observer.h"
#include "util.h"

/* Where @key is, or where it belongs. */
static size_t params_position(const struct params *p, const char *key, bool *found)
{
	size_t lo = 0, hi = p->n;

	*found = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(key, p->v[mid].key);

		if (!c) {
			*found = true;
			return mid;
		}
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

const char *params_get(const struct params *p, const char *key)
{
	bool found;
	size_t i = params_position(p, key, &found);

	return found ? p->v[i].value : NULL;
}

void params_set(struct params *p, const char *key, const char *value)
{
	char *copy = xstrdup(value);
	bool found;
	size_t i = params_position(p, key, &found);

	if (found) {
		free(p->v[i].value);
		p->v[i].value = copy;
		return;
	}
	p->v = xrealloc_array(p->v, p->n + 1, sizeof(*p->v));
	memmove(&p->v[i + 1], &p->v[i], (p->n - i) * sizeof(*p->v));
	p->v[i] = (struct param){xstrdup(key), copy};
	p->n++;
}

bool params_equal(const struct params *a, const struct params *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].key, b->v[i].key) || strcmp(a->v[i].value, b->v[i].value))
			return false;
	return true;
}

void params_free(struct params *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].key);
		free(p->v[i].value);
	}
	free(p->v);
	*p = (struct params){0};
}

static char *copy_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void base_copy(struct base *to, const struct base *from)
{
	to->package = copy_or_null(from->package);
	to->tree = copy_or_null(from->tree);
	to->rev = copy_or_null(from->rev);
	to->tarball = copy_or_null(from->tarball);
}

void base_clear(struct base *b)
{
	free(b->package);
	free(b->tree);
	free(b->rev);
	free(b->tarball);
	*b = (struct base){0};
}

void arm_copy(struct arm *to, const struct arm *from, const char *label)
{
	*to = *from;
	to->label = xstrdup(label);
	to->place = copy_or_null(from->place);
	to->only = xcalloc(from->nonly, sizeof(*to->only));
	for (size_t i = 0; i < from->nonly; i++)
		to->only[i] = xstrdup(from->only[i]);
	base_copy(&to->base, &from->base);
	to->series = xcalloc(from->nseries, sizeof(*to->series));
	for (size_t i = 0; i < from->nseries; i++)
		to->series[i] =
			(struct series_ref){xstrdup(from->series[i].name), from->series[i].patches};
	to->config = xcalloc(from->nconfig, sizeof(*to->config));
	for (size_t i = 0; i < from->nconfig; i++)
		to->config[i] = xstrdup(from->config[i]);
	to->cmdline = copy_or_null(from->cmdline);
	to->mutation = copy_or_null(from->mutation);
	to->params = xcalloc(from->nparams, sizeof(*to->params));
	for (size_t i = 0; i < from->nparams; i++) {
		to->params[i].workload = xstrdup(from->params[i].workload);
		for (size_t j = 0; j < from->params[i].params.n; j++)
			params_set(&to->params[i].params, from->params[i].params.v[j].key,
				from->params[i].params.v[j].value);
	}
}

void arm_clear(struct arm *a)
{
	free(a->label);
	free(a->place);
	for (size_t i = 0; i < a->nonly; i++)
		free(a->only[i]);
	free(a->only);
	base_clear(&a->base);
	for (size_t i = 0; i < a->nseries; i++)
		free(a->series[i].name);
	free(a->series);
	for (size_t i = 0; i < a->nconfig; i++)
		free(a->config[i]);
	free(a->config);
	free(a->cmdline);
	free(a->mutation);
	for (size_t i = 0; i < a->nparams; i++) {
		free(a->params[i].workload);
		params_free(&a->params[i].params);
	}
	free(a->params);
	*a = (struct arm){0};
}

static void workload_clear(struct workload_spec *w)
{
	free(w->name);
	free(w->place);
	free(w->command);
	free(w->figure.expr);
	free(w->figure.name);
	free(w->figure.unit);
	for (size_t i = 0; i < w->ndims; i++) {
		for (size_t j = 0; j < w->dims[i].n; j++)
			free(w->dims[i].values[j]);
		free(w->dims[i].values);
		free(w->dims[i].key);
	}
	free(w->dims);
}

void matrix_free(struct matrix *m)
{
	if (!m)
		return;
	free(m->name);
	free(m->path);
	free(m->text);
	free(m->baseline);
	for (size_t i = 0; i < m->narms; i++)
		arm_clear(&m->arms[i]);
	free(m->arms);
	free(m->machines);
	free(m->local_label);
	free(m->share);
	free(m->tracepoints);
	for (size_t i = 0; i < m->nworkloads; i++)
		workload_clear(&m->workloads[i]);
	free(m->workloads);
	free(m);
}

bool matrix_has_several_cpus(const struct matrix *m)
{
	for (size_t i = 0; i < m->nmachines; i++)
		if (m->machines[i].cpus > 1)
			return true;
	return false;
}

const struct arm *matrix_arm(const struct matrix *m, const char *label)
{
	for (size_t i = 0; i < m->narms; i++)
		if (!strcmp(m->arms[i].label, label))
			return &m->arms[i];
	return NULL;
}

bool arm_runs(const struct arm *arm, const char *cell)
{
	for (size_t i = 0; i < arm->nonly; i++)
		if (!fnmatch(arm->only[i], cell, 0))
			return true;
	return !arm->nonly;
}

const char *executor_kind_name(enum executor_kind kind)
{
	static const char *const names[] = {
		[EXECUTOR_VM] = "vm",
		[EXECUTOR_EXACT] = "exact",
		[EXECUTOR_LOCAL] = "local",
	};

	return names[kind];
}

const char *executor_boot_name(enum executor_kind kind)
{
	return kind == EXECUTOR_LOCAL ? "visit" : "boot";
}

/* JSON: an absent string is an absent key. */
static void set_string(json_t *o, const char *key, const char *value)
{
	if (value)
		json_object_set_new(o, key, json_string(value));
}

static void set_path(json_t *o, const char *key, const char *path)
{
	__free_char char *shown = path ? path_without_home(path) : NULL;

	set_string(o, key, shown);
}

static json_t *params_json(const struct params *p)
{
	json_t *o = json_object();

	for (size_t i = 0; i < p->n; i++)
		set_string(o, p->v[i].key, p->v[i].value);
	return o;
}

static json_t *base_json(const struct base *b)
{
	json_t *o = json_object();

	set_string(o, "package", b->package);
	set_path(o, "tree", b->tree);
	set_string(o, "rev", b->rev);
	set_path(o, "tarball", b->tarball);
	return o;
}

static json_t *strings_json(char *const *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(v[i]));
	return list;
}

json_t *json_path(const char *path)
{
	__free_char char *shown = path_without_home(path);

	return json_string(shown);
}

json_t *series_ref_json(const struct series_ref *ref)
{
	__free_char char *shown = path_without_home(ref->name);

	return ref->patches ? json_sprintf("%s:%u", shown, ref->patches) : json_string(shown);
}

static json_t *arm_json(const struct arm *a)
{
	static const char *const arm_roles[] = {"compared", "control", "layout"};
	json_t *series = json_array(), *config = json_array(), *params = json_object();
	json_t *o = json_object();

	for (size_t i = 0; i < a->nseries; i++)
		json_array_append_new(series, json_pack("{s:o, s:I}", "name", json_path(a->series[i].name),
						      "patches", (json_int_t)a->series[i].patches));
	for (size_t i = 0; i < a->nconfig; i++)
		json_array_append_new(config, json_path(a->config[i]));
	for (size_t i = 0; i < a->nparams; i++)
		json_object_set_new(
			params, a->params[i].workload, params_json(&a->params[i].params));
	set_string(o, "label", a->label);
	json_object_set_new(o, "base", base_json(&a->base));
	json_object_set_new(o, "series", series);
	json_object_set_new(o, "config", config);
	set_string(o, "cmdline", a->cmdline);
	json_object_set_new(o, "align", json_integer(a->align));
	set_path(o, "mutation", a->mutation);
	json_object_set_new(o, "params", params);
	if (a->role != ARM_COMPARED)
		json_object_set_new(o, "role", json_string(arm_roles[a->role]));
	if (a->nonly)
		json_object_set_new(o, "only", strings_json(a->only, a->nonly));
	return o;
}

static json_t *executor_json(const struct matrix *m)
{
	json_t *machines = json_array(), *o = json_object();

	for (size_t i = 0; i < m->nmachines; i++)
		json_array_append_new(machines,
			json_pack("{s:I, s:I, s:I}", "cpus", (json_int_t)m->machines[i].cpus,
				"nodes", (json_int_t)m->machines[i].nodes, "memory_bytes",
				(json_int_t)m->machines[i].memory));
	set_string(o, "kind", executor_kind_name(m->executor));
	json_object_set_new(o, "machines", machines);
	set_string(o, "label", m->local_label);
	set_path(o, "share", m->share);
	return o;
}

static json_t *figure_json(const struct figure *f)
{
	static const char *const kinds[] = {"none", "regex", "json", "yaml"};
	static const char *const better[] = {"none", "more", "less"};
	json_t *o = json_object();

	set_string(o, "kind", kinds[f->kind]);
	set_string(o, "expr", f->expr);
	set_string(o, "name", f->name);
	set_string(o, "unit", f->unit);
	set_string(o, "better", better[f->better]);
	return o;
}

static json_t *workload_json(const struct workload_spec *w)
{
	json_t *o = json_object(), *params = json_object();

	for (size_t i = 0; i < w->ndims; i++) {
		json_t *values = json_array();

		for (size_t j = 0; j < w->dims[i].n; j++)
			json_array_append_new(values, json_string(w->dims[i].values[j]));
		json_object_set_new(params, w->dims[i].key, values);
	}
	set_string(o, "name", w->name);
	set_string(o, "command", w->command);
	if (w->command)
		json_object_set_new(o, "figure", figure_json(&w->figure));
	json_object_set_new(o, "primary", json_boolean(!w->secondary));
	json_object_set_new(o, "params", params);
	return o;
}

json_t *matrix_to_json(const struct matrix *m)
{
	json_t *arms = json_array(), *workloads = json_array(), *observed = json_array(),
	       *o = json_object();
	char seed[24];

	for (size_t i = 0; i < m->narms; i++)
		json_array_append_new(arms, arm_json(&m->arms[i]));
	for (size_t i = 0; i < m->nworkloads; i++)
		json_array_append_new(workloads, workload_json(&m->workloads[i]));
	for (size_t i = 0; i < nobservers; i++)
		if (m->observers & observers[i].bit)
			json_array_append_new(observed, json_string(observers[i].name));
	snprintf(seed, sizeof(seed), "%" PRIu64, m->seed);

	set_string(o, "name", m->name);
	set_string(o, "baseline", m->baseline);
	json_object_set_new(o, "arms", arms);
	json_object_set_new(o, "executor", executor_json(m));
	json_object_set_new(o, "blocks", json_integer(m->blocks));
	json_object_set_new(o, "samples", json_integer(m->samples));
	json_object_set_new(o, "warmup", json_integer(m->warmup));
	json_object_set_new(o, "together", json_boolean(m->together));
	json_object_set_new(o, "precision", json_real(m->precision));
	json_object_set_new(o, "budget_s", json_real(m->budget_s));
	json_object_set_new(o, "observers", observed);
	if (m->tracepoints)
		set_string(o, "tracepoints", m->tracepoints);
	json_object_set_new(
		o, "seed", json_string(seed)); /* 64 bits: more than a JSON integer holds */
	json_object_set_new(o, "threshold", json_real(m->threshold));
	json_object_set_new(o, "workloads", workloads);
	return o;
}
