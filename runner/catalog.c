// SPDX-License-Identifier: GPL-2.0-or-later
/* kab-workload's description of itself, and whether a value suits a parameter. */
#include "catalog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Every entry has a name, and every parameter a name and a kind: what the other functions rely on.
 */
static bool is_catalog(const json_t *catalog)
{
	const json_t *workload, *params, *param;
	size_t i, j;

	if (!json_is_array(catalog) || !json_array_size(catalog))
		return false;
	json_array_foreach (catalog, i, workload) {
		params = json_object_get(workload, "params");
		if (!json_is_string(json_object_get(workload, "name")) || !json_is_array(params))
			return false;
		json_array_foreach (params, j, param)
			if (!json_is_string(json_object_get(param, "name")) ||
				!json_is_string(json_object_get(param, "kind")))
				return false;
	}
	return true;
}

json_t *catalog_parse(const char *text, struct error *err)
{
	json_error_t why;
	json_t *catalog = json_loads(text, 0, &why);

	if (!catalog) {
		error_set(err, KAB_ENVIRONMENT, "kab-workload describe --json: line %d: %s",
			why.line, why.text);
		return NULL;
	}
	if (is_catalog(catalog))
		return catalog;
	json_decref(catalog);
	error_set(err, KAB_ENVIRONMENT,
		"kab-workload describe --json: expected a list of workloads with name and params; "
		"is it another version?");
	return NULL;
}

json_t *catalog_read(struct error *err)
{
	__free_char char *program = kab_program("kab-workload");
	const char *argv[] = {program, "describe", "--json", NULL};
	struct buf out = {0};
	json_t *catalog = NULL;
	int status;

	if (!program) {
		error_set(err, KAB_ENVIRONMENT, "no kab-workload beside kab; 'make' builds it");
		return NULL;
	}
	status = run_capture(argv, NULL, &out, err);
	if (status > 0)
		error_set(err, KAB_ENVIRONMENT, "%s describe --json: wait status 0x%x", program,
			status);
	else if (!status)
		catalog = catalog_parse(out.data ? out.data : "", err);
	buf_free(&out);
	return catalog;
}

static const json_t *named(const json_t *list, const char *name)
{
	const json_t *o;
	size_t i;

	json_array_foreach (list, i, o)
		if (!strcmp(json_string_value(json_object_get(o, "name")), name))
			return o;
	return NULL;
}

const json_t *catalog_workload(const json_t *catalog, const char *name)
{
	return named(catalog, name);
}

const json_t *catalog_param(const json_t *workload, const char *name)
{
	return named(json_object_get(workload, "params"), name);
}

static uint64_t bound(const json_t *param, const char *key, uint64_t none)
{
	const char *text = json_string_value(json_object_get(param, key));

	return text ? strtoull(text, NULL, 10) : none;
}

static char *check_uint(const json_t *param, const char *value)
{
	uint64_t min = bound(param, "min", 0), max = bound(param, "max", UINT64_MAX), v;

	errno = 0;
	v = strtoull(value, NULL, 10);
	if (*value && strspn(value, "0123456789") == strlen(value) && !errno && v >= min &&
		v <= max)
		return NULL;
	return xasprintf("a whole number from %" PRIu64 " to %" PRIu64, min, max);
}

static char *check_duration(const json_t *param, const char *value)
{
	static const struct {
		const char *suffix;
		double ns;
	} units[] = {{"", 1e9}, {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
	double min = bound(param, "min", 0), max = bound(param, "max", UINT64_MAX);
	char *end;
	double v = strtod(value, &end);

	/* strtod() takes signs, blanks, exponents and hexadecimal, too. */
	if (end == value || end != value + strspn(value, "0123456789."))
		v = -1;
	for (size_t i = 0; v >= 0 && i < ARRAY_SIZE(units); i++)
		if (!strcmp(end, units[i].suffix) && v * units[i].ns >= min &&
			v * units[i].ns <= max)
			return NULL;
	return xasprintf("a time from %g s to %g s such as 2, 1.5s or 200ms", min / 1e9, max / 1e9);
}

static char *check_choice(const json_t *param, const char *value)
{
	const json_t *choices = json_object_get(param, "choices"), *choice;
	struct buf all = {0};
	size_t i;

	buf_addstr(&all, "one of");
	json_array_foreach (choices, i, choice) {
		if (!strcmp(json_string_value(choice) ?: "", value)) {
			buf_free(&all);
			return NULL;
		}
		buf_addf(&all, "%s %s", i ? "," : "", json_string_value(choice));
	}
	return all.data;
}

/* none, spread, compact, or numbers and ranges: which CPUs there are, only the machine knows. */
static char *check_cpus(const json_t *param, const char *value)
{
	(void)param;
	if (!strcmp(value, "none") || !strcmp(value, "spread") || !strcmp(value, "compact") ||
		(*value >= '0' && *value <= '9' && strspn(value, "0123456789,-") == strlen(value)))
		return NULL;
	return xstrdup("none, spread, compact or a list of CPUs such as 0,2-3");
}

char *catalog_check(const json_t *param, const char *value)
{
	static const struct {
		const char *kind;
		char *(*check)(const json_t *param, const char *value);
	} kinds[] = {
		{"uint", check_uint},
		{"duration", check_duration},
		{"choice", check_choice},
		{"cpus", check_cpus},
	};
	const char *kind = json_string_value(json_object_get(param, "kind"));

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kind, kinds[i].kind))
			return kinds[i].check(param, value);
	return NULL; /* a kind of a newer kab-workload, which checks its own parameters */
}
