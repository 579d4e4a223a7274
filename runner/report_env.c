// SPDX-License-Identifier: GPL-2.0-or-later
/* The conditions of a run, arm by arm: what boots/<n>/boot.json recorded, or the samples where
 * there is none. */
#include <stdlib.h>
#include <string.h>

#include "report_data.h"

#define MOST_VALUES 6 /* listed of one condition; more are counted */

/* What no reader compares: times of one boot, and the hash that stands for all the rest. */
static bool is_noise(const char *key)
{
	static const char *const noise[] = {
		"boot_ms", "qemu_to_ready_ms",
		"tcg_boot_retries", "tcg_job_retries", "hash", "kernel_version"};

	for (size_t i = 0; i < ARRAY_SIZE(noise); i++)
		if (!strcmp(key, noise[i]))
			return true;
	return false;
}

/* facts: {key: [[value, ...] for each arm]}. Adds @value unless it is known already. */
static void add_fact(json_t *facts, size_t narms, size_t arm, const char *key, const json_t *value)
{
	json_t *per_arm = json_object_get(facts, key), *values;

	if (!per_arm) {
		per_arm = json_array();
		for (size_t i = 0; i < narms; i++)
			json_array_append_new(per_arm, json_array());
		json_object_set_new(facts, key, per_arm);
	}
	values = json_array_get(per_arm, arm);
	for (size_t i = 0; i < json_array_size(values); i++)
		if (json_equal(json_array_get(values, i), value))
			return;
	json_array_append(values, (json_t *)value);
}

/* The parts of an object, such as the mitigations, are facts of their own. */
static void add_parts(json_t *facts, size_t narms, size_t arm, const char *name, json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value) {
		__free_char char *full = xasprintf("%s.%s", name, key);

		add_fact(facts, narms, arm, full, value);
	}
}

static void add_facts(json_t *facts, size_t narms, size_t arm, const json_t *env)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)env, key, value) {
		if (json_is_object(value))
			add_parts(facts, narms, arm, key, value);
		else if (!is_noise(key))
			add_fact(facts, narms, arm, key, value);
	}
}

/* The whole environment of the boot of @s; new reference, NULL if none was kept. */
static json_t *boot_env(const struct store *run, const struct sample *s)
{
	__free_char char *dir = store_boot_path(run, s->boot, s->life);
	__free_char char *path = xasprintf("%s/boot.json", dir);
	json_t *o = json_load_file(path, 0, NULL), *env = json_incref(json_object_get(o, "env"));

	json_decref(o);
	return env;
}

/* What is known of the arm of number @at. */
static void collect_arm(const struct report *r, size_t at, json_t *facts)
{
	const struct measured_arm *arm = &r->arms[at];
	json_t *seen = json_object();
	size_t n;
	const struct sample *s = store_samples(arm->run, &n);

	for (size_t i = 0; i < n; i++) {
		json_t *env;

		if (strcmp(s[i].arm, arm->label) || json_object_get(seen, s[i].boot_id))
			continue;
		env = boot_env(arm->run, &s[i]);
		if (!env)
			env = json_incref(s[i].env);
		if (env)
			json_object_set_new(seen, s[i].boot_id, json_true());
		add_facts(facts, r->narms, at, env);
		json_decref(env);
	}
	json_decref(seen);
}

static json_t *collect_facts(const struct report *r)
{
	json_t *facts = json_object();

	for (size_t i = 0; i < r->narms; i++)
		collect_arm(r, i, facts);
	return facts;
}

static void add_value(struct buf *b, const char *key, const json_t *v)
{
	__free_char char *text = NULL;
	size_t suffix = strlen(key) > 6 ? strlen(key) - 6 : 0;

	if (json_is_string(v)) {
		buf_addstr(b, json_string_value(v));
	} else if (json_is_integer(v) && !strcmp(key + suffix, "_bytes")) {
		buf_addf(b, "%.0f MiB", (double)json_integer_value(v) / (1 << 20));
	} else {
		text = json_dumps(v, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);
		buf_addstr(b, text);
	}
}

static char *join_values(const char *key, const json_t *values)
{
	struct buf b = {0};
	size_t n = json_array_size(values);

	buf_addstr(&b, "");
	for (size_t i = 0; i < n && i < MOST_VALUES; i++) {
		if (i)
			buf_addstr(&b, ", ");
		add_value(&b, key, json_array_get(values, i));
	}
	if (n > MOST_VALUES)
		buf_addf(&b, " and %zu more", n - MOST_VALUES);
	return b.data;
}

static void take_condition(struct report *r, const char *key, const json_t *per_arm)
{
	struct condition c = {
		.key = xstrdup(key), .values = xcalloc(r->narms + 1, sizeof(char *))};
	const char *first = NULL;

	for (size_t i = 0; i < r->narms; i++) {
		c.values[i] = join_values(key, json_array_get(per_arm, i));
		if (!json_array_size(json_array_get(per_arm, i)))
			continue;
		c.differs |= first && strcmp(first, c.values[i]);
		first = c.values[i];
	}
	r->conditions = xrealloc_array(r->conditions, r->nconditions + 1, sizeof(*r->conditions));
	r->conditions[r->nconditions++] = c;
}

void report_conditions(struct report *r)
{
	json_t *facts = collect_facts(r), *per_arm;
	const char *key;

	json_object_foreach (facts, key, per_arm)
		take_condition(r, key, per_arm);
	json_decref(facts);
}

void report_conditions_clear(struct report *r)
{
	for (size_t i = 0; i < r->nconditions; i++) {
		for (size_t a = 0; a < r->narms; a++)
			free(r->conditions[i].values[a]);
		free(r->conditions[i].values);
		free(r->conditions[i].key);
	}
	free(r->conditions);
}
