// SPDX-License-Identifier: GPL-2.0-or-later
#include "sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "util.h"

static const char *const status_names[SAMPLE_STATUSES] = {
	[SAMPLE_OK] = "ok",
	[SAMPLE_SKIPPED] = "skipped",
	[SAMPLE_FAILED] = "failed",
	[SAMPLE_TIMEOUT] = "timeout",
	[SAMPLE_OOPS] = "oops",
	[SAMPLE_HANG] = "hang",
	[SAMPLE_NO_BOOT] = "no-boot",
};

const char *sample_status_name(enum sample_status s)
{
	return status_names[s];
}

int sample_status_parse(const char *name)
{
	for (size_t i = 0; i < SAMPLE_STATUSES; i++)
		if (!strcmp(status_names[i], name))
			return (int)i;
	return -1;
}

/* The plain keys of a line, for reading, writing and the messages about them. */
enum field_type { FIELD_STRING, FIELD_UNSIGNED, FIELD_U64, FIELD_BOOL, FIELD_JSON };

struct field {
	const char *key;
	enum field_type type;
	size_t offset;
	bool optional;
};

#define FIELD(key, type, optional)                                         \
	{                                                                  \
#key, FIELD_##type, offsetof(struct sample, key), optional \
	}

static const struct field fields[] = {
	FIELD(id, STRING, false),
	FIELD(arm, STRING, false),
	FIELD(cell, STRING, false),
	FIELD(boot_id, STRING, false),
	FIELD(block, UNSIGNED, false),
	FIELD(boot, UNSIGNED, false),
	FIELD(seq, UNSIGNED, false),
	FIELD(life, UNSIGNED, false),
	FIELD(turn, UNSIGNED, true),
	FIELD(warmup, BOOL, false),
	FIELD(pass, STRING, true),
	FIELD(reason, STRING, true),
	FIELD(started, STRING, true),
	FIELD(ops, U64, false),
	FIELD(elapsed_ns, U64, false),
	FIELD(params, JSON, true),
	FIELD(schedstat, JSON, true),
	FIELD(perf, JSON, true),
	FIELD(interrupts, JSON, true),
	FIELD(vmstat, JSON, true),
	FIELD(env, JSON, true),
};

static void *field_at(const struct sample *s, const struct field *f)
{
	return (char *)s + f->offset;
}

static json_t *field_to_json(const struct sample *s, const struct field *f)
{
	void *at = field_at(s, f);

	switch (f->type) {
	case FIELD_STRING:
		return *(char **)at ? json_string(*(char **)at) : NULL;
	case FIELD_UNSIGNED:
		return f->optional && !*(unsigned *)at ? NULL : json_integer(*(unsigned *)at);
	case FIELD_U64:
		return json_integer((json_int_t) * (uint64_t *)at);
	case FIELD_BOOL:
		return json_boolean(*(bool *)at);
	case FIELD_JSON:
		return json_incref(*(json_t **)at);
	}
	return NULL;
}

static json_t *histogram_to_json(const struct histogram *h)
{
	json_t *buckets = json_array();

	for (size_t i = 0; i < h->n; i++)
		if (h->bucket[i])
			json_array_append_new(buckets,
				json_pack("[I,I]", (json_int_t)i, (json_int_t)h->bucket[i]));
	return json_pack("{s:o,s:I,s:I,s:I,s:I}", "buckets", buckets, "count", (json_int_t)h->count,
		"sum", (json_int_t)h->sum, "min", (json_int_t)h->min, "max", (json_int_t)h->max);
}

json_t *sample_to_json(const struct sample *s)
{
	json_t *o = json_pack(
		"{s:i,s:s}", "schema", SAMPLE_SCHEMA, "status", sample_status_name(s->status));
	json_t *list;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		json_t *v = field_to_json(s, &fields[i]);

		if (v)
			json_object_set_new(o, fields[i].key, v);
	}
	list = json_array();
	for (size_t i = 0; i < s->nmetrics; i++)
		json_array_append_new(list, json_pack("{s:s,s:f}", "name", s->metrics[i].name,
						    "value", s->metrics[i].value));
	json_object_set_new(o, "metrics", list);
	if (s->latency.n)
		json_object_set_new(o, "latency_ns", histogram_to_json(&s->latency));
	if (s->nworkers) {
		list = json_array();
		for (size_t i = 0; i < s->nworkers; i++)
			json_array_append_new(list, json_integer((json_int_t)s->workers[i]));
		json_object_set_new(o, "workers", list);
	}
	return o;
}

static int bad_key(struct error *err, const char *key, const char *expected)
{
	return error_set(err, KAB_USAGE, "key '%s': expected %s", key, expected);
}

static bool is_count(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) >= 0;
}

static int field_from_json(
	const json_t *v, struct sample *s, const struct field *f, struct error *err)
{
	void *at = field_at(s, f);

	if (!v)
		return f->optional ? 0 : error_set(err, KAB_USAGE, "key '%s' is missing", f->key);
	switch (f->type) {
	case FIELD_STRING:
		if (!json_is_string(v))
			return bad_key(err, f->key, "a string");
		*(char **)at = xstrdup(json_string_value(v));
		return 0;
	case FIELD_UNSIGNED:
		if (!is_count(v) || json_integer_value(v) > UINT32_MAX)
			return bad_key(err, f->key, "an integer from 0 to 4294967295");
		*(unsigned *)at = (unsigned)json_integer_value(v);
		return 0;
	case FIELD_U64:
		if (!is_count(v))
			return bad_key(err, f->key, "an integer, 0 or more");
		*(uint64_t *)at = (uint64_t)json_integer_value(v);
		return 0;
	case FIELD_BOOL:
		if (!json_is_boolean(v))
			return bad_key(err, f->key, "true or false");
		*(bool *)at = json_is_true(v);
		return 0;
	case FIELD_JSON:
		if (!json_is_object(v))
			return bad_key(err, f->key, "an object");
		*(json_t **)at = json_incref((json_t *)v);
		return 0;
	}
	return 0;
}

static int metrics_from_json(const json_t *list, struct sample *s, struct error *err)
{
	size_t i;
	json_t *o;

	if (!json_is_array(list))
		return bad_key(err, "metrics", "an array");
	json_array_foreach (list, i, o) {
		const json_t *name = json_object_get(o, "name"),
			     *value = json_object_get(o, "value");

		if (!json_is_string(name) || !json_is_number(value))
			return bad_key(err, "metrics", "entries of {name, value}");
		sample_set_metric(s, json_string_value(name), json_number_value(value));
	}
	return 0;
}

int histogram_from_json(const json_t *o, struct histogram *h, struct error *err)
{
	static const char expected[] = "{buckets: [[index, count], ...], count, sum, min, max}";
	const json_t *buckets = json_object_get(o, "buckets"), *pair;
	const struct {
		const char *key;
		uint64_t *to;
	} totals[] = {{"count", &h->count}, {"sum", &h->sum}, {"min", &h->min}, {"max", &h->max}};
	size_t i;

	if (!json_is_array(buckets))
		return bad_key(err, "latency_ns", expected);
	for (i = 0; i < ARRAY_SIZE(totals); i++) {
		const json_t *v = json_object_get(o, totals[i].key);

		if (!is_count(v))
			return bad_key(err, "latency_ns", expected);
		*totals[i].to = (uint64_t)json_integer_value(v);
	}
	json_array_foreach (buckets, i, pair) {
		const json_t *index = json_array_get(pair, 0), *count = json_array_get(pair, 1);
		size_t at;

		if (!is_count(index) || !is_count(count) ||
			json_integer_value(index) >= HIST_BUCKETS)
			return bad_key(err, "latency_ns", expected);
		at = (size_t)json_integer_value(index);
		if (at >= h->n) {
			h->bucket = xrealloc_array(h->bucket, at + 1, sizeof(*h->bucket));
			memset(h->bucket + h->n, 0, (at + 1 - h->n) * sizeof(*h->bucket));
			h->n = at + 1;
		}
		h->bucket[at] += (uint64_t)json_integer_value(count);
	}
	return 0;
}

int sample_set_workers(struct sample *s, const json_t *list, struct error *err)
{
	size_t i;
	json_t *v;

	if (!json_is_array(list))
		return bad_key(err, "workers", "an array");
	free(s->workers);
	s->nworkers = json_array_size(list);
	s->workers = xcalloc(s->nworkers + 1, sizeof(*s->workers));
	json_array_foreach (list, i, v) {
		if (!is_count(v))
			return bad_key(err, "workers", "counts");
		s->workers[i] = (uint64_t)json_integer_value(v);
	}
	return 0;
}

static int status_from_json(const json_t *v, struct sample *s, struct error *err)
{
	int status = json_is_string(v) ? sample_status_parse(json_string_value(v)) : -1;

	if (status < 0)
		return bad_key(
			err, "status", "ok, skipped, failed, timeout, oops, hang or no-boot");
	s->status = (enum sample_status)status;
	return 0;
}

static int read_line(const json_t *o, struct sample *s, struct error *err)
{
	const json_t *v = json_object_get(o, "schema");

	if (!json_is_object(o))
		return error_set(err, KAB_USAGE, "expected an object");
	if (!json_is_integer(v))
		return bad_key(err, "schema", "an integer");
	if (json_integer_value(v) != SAMPLE_SCHEMA)
		return error_set(err, KAB_USAGE, "schema %lld; this kab reads schema %d",
			(long long)json_integer_value(v), SAMPLE_SCHEMA);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (field_from_json(json_object_get(o, fields[i].key), s, &fields[i], err))
			return -1;
	if (status_from_json(json_object_get(o, "status"), s, err) ||
		metrics_from_json(json_object_get(o, "metrics"), s, err))
		return -1;
	v = json_object_get(o, "latency_ns");
	if (v && histogram_from_json(v, &s->latency, err))
		return -1;
	v = json_object_get(o, "workers");
	return v ? sample_set_workers(s, v, err) : 0;
}

int sample_from_json(const json_t *o, struct sample *s, struct error *err)
{
	memset(s, 0, sizeof(*s));
	if (!read_line(o, s, err))
		return 0;
	sample_clear(s);
	return -1;
}

void sample_clear(struct sample *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].type == FIELD_STRING)
			free(*(char **)field_at(s, &fields[i]));
		else if (fields[i].type == FIELD_JSON)
			json_decref(*(json_t **)field_at(s, &fields[i]));
	}
	for (size_t i = 0; i < s->nmetrics; i++)
		free(s->metrics[i].name);
	free(s->metrics);
	free(s->latency.bucket);
	free(s->workers);
	memset(s, 0, sizeof(*s));
}

static struct figure_value *find_metric(const struct sample *s, const char *name)
{
	for (size_t i = 0; i < s->nmetrics; i++)
		if (!strcmp(s->metrics[i].name, name))
			return &s->metrics[i];
	return NULL;
}

double sample_metric(const struct sample *s, const char *name)
{
	const struct figure_value *f = find_metric(s, name);

	return f ? f->value : NAN;
}

void sample_set_metric(struct sample *s, const char *name, double value)
{
	struct figure_value *f = find_metric(s, name);

	if (!isfinite(value))
		return;
	if (!f) {
		s->metrics = xrealloc_array(s->metrics, s->nmetrics + 1, sizeof(*s->metrics));
		f = &s->metrics[s->nmetrics++];
		f->name = xstrdup(name);
	}
	f->value = value;
}
