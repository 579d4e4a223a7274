// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables of parameters -> values, with an error for each way a value can be wrong. */
#include "params.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pin.h"

const char *const choices_off_on[] = {"off", "on", NULL};
const char *const choices_mode[] = {"thread", "process", NULL};

static const struct param common_params[] = {
	PARAM_DURATION_DEFAULT("1s"),
	PARAM_OPS_DEFAULT("0"),
	PARAM_WARMUP_DEFAULT("0"),
	PARAM_PIN_DEFAULT("none"),
	PARAM_SEED_DEFAULT("1"),
	{.name = NULL},
};

static const struct param verify_params[] = {
	PARAM_ROW("verify", PARAM_CHOICE, "off", 0, 0, choices_off_on,
		"check each operation's result and fail at the first wrong one"),
	{.name = NULL},
};

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"", 1000000000}};

const char *param_kind_name(enum param_kind kind)
{
	static const char *const names[] = {
		[PARAM_UINT] = "uint",
		[PARAM_DURATION] = "duration",
		[PARAM_CHOICE] = "choice",
		[PARAM_CPUS] = "cpus",
	};

	return names[kind];
}

static void expects_duration(const struct param *param, char *text, size_t size)
{
	snprintf(text, size, "a time from %gs to %gs, such as 1.5 or 200ms",
		(double)param->min / 1e9, (double)param->max / 1e9);
}

static void expects_choice(const struct param *param, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (const char *const *c = param->choices; *c && len < size; c++)
		len += snprintf(text + len, size - len, "%s%s",
			c == param->choices ? ""
			: c[1]		    ? ", "
					    : " or ",
			*c);
}

void param_expects(const struct param *param, char *text, size_t size)
{
	switch (param->kind) {
	case PARAM_UINT:
		snprintf(text, size, "a whole number from %llu to %llu",
			(unsigned long long)param->min, (unsigned long long)param->max);
		break;
	case PARAM_DURATION:
		expects_duration(param, text, size);
		break;
	case PARAM_CHOICE:
		expects_choice(param, text, size);
		break;
	case PARAM_CPUS:
		snprintf(text, size, "none, spread, compact or CPUs such as 0,2-3");
		break;
	}
}

/* strtoull() takes signs and blanks; these do not. */
static bool parse_uint(const char *text, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return !errno && !*end;
}

static bool parse_duration(const char *text, uint64_t *ns)
{
	size_t digits = strspn(text, "0123456789.");
	const char *unit = text + digits;
	char *end;
	double d;

	d = strtod(text, &end);
	if (!digits || end != unit)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(unit, units[i].name))
			continue;
		d *= (double)units[i].ns;
		*ns = d < 1e19 ? (uint64_t)(d + 0.5) : UINT64_MAX;
		return true;
	}
	return false;
}

static bool parse_choice(const struct param *param, const char *text, uint64_t *index)
{
	for (*index = 0; param->choices[*index]; ++*index)
		if (!strcmp(param->choices[*index], text))
			return true;
	return false;
}

static bool in_range(const struct param *param, uint64_t number)
{
	return number >= param->min && number <= param->max;
}

static bool parse_value(const struct param *param, const char *text, uint64_t *number)
{
	switch (param->kind) {
	case PARAM_UINT:
		return parse_uint(text, number) && in_range(param, *number);
	case PARAM_DURATION:
		return parse_duration(text, number) && in_range(param, *number);
	case PARAM_CHOICE:
		return parse_choice(param, text, number);
	case PARAM_CPUS:
		return pin_valid(text);
	}
	return false;
}

static int value_set(struct value *v, const char *text, struct error *err)
{
	char expected[160];

	if (!parse_value(v->param, text, &v->number)) {
		param_expects(v->param, expected, sizeof(expected));
		return error_set(
			err, STATUS_USAGE, "--%s %s: expected %s", v->param->name, text, expected);
	}
	v->text = text;
	return 0;
}

/* Index of the parameter called by the first @len characters of @name; p->n: none. */
static unsigned find(const struct params *p, const char *name, size_t len)
{
	unsigned i;

	for (i = 0; i < p->n; i++) {
		const char *known = p->value[i].param->name;

		if (strlen(known) == len && !memcmp(known, name, len))
			break;
	}
	return i;
}

const struct value *params_find(const struct params *p, const char *name)
{
	unsigned i = find(p, name, strlen(name));

	return i < p->n ? &p->value[i] : NULL;
}

static int add_table(struct params *p, const struct param *table, struct error *err)
{
	for (; table && table->name; table++) {
		if (params_find(p, table->name))
			continue;
		if (p->n == PARAMS_MAX)
			return error_set(err, STATUS_FAILED, "more than %d parameters", PARAMS_MAX);
		p->value[p->n] = (struct value){.param = table};
		if (value_set(&p->value[p->n++], table->fallback, err))
			return -1;
	}
	return 0;
}

int params_init(struct params *p, const struct workload *w, struct error *err)
{
	p->n = 0;
	if (add_table(p, w->params, err) || add_table(p, common_params, err))
		return -1;
	return w->verify ? add_table(p, verify_params, err) : 0;
}

static int unknown(const struct params *p, const char *arg, struct error *err)
{
	char names[300] = "";
	size_t len = 0;

	for (unsigned i = 0; i < p->n && len < sizeof(names); i++)
		len += snprintf(names + len, sizeof(names) - len, "%s--%s", i ? ", " : "",
			p->value[i].param->name);
	return error_set(err, STATUS_USAGE, "%s: no such parameter; there are %s", arg, names);
}

static bool is_switch(const struct param *param)
{
	return param->kind == PARAM_CHOICE && param->choices == choices_off_on;
}

/* Takes one parameter off @argv; returns how many arguments that were, or -1. */
static int parse_one(struct params *p, int argc, char **argv, struct error *err)
{
	const char *name = argv[0] + 2, *equals;
	struct value *v;
	unsigned i;

	if (strncmp(argv[0], "--", 2))
		return error_set(err, STATUS_USAGE, "%s: expected --parameter value", argv[0]);
	equals = strchr(name, '=');
	i = find(p, name, equals ? (size_t)(equals - name) : strlen(name));
	if (i == p->n)
		return unknown(p, argv[0], err);
	v = &p->value[i];
	if (v->given)
		return error_set(err, STATUS_USAGE, "--%s is given twice", v->param->name);
	v->given = true;
	if (equals)
		return value_set(v, equals + 1, err) ? -1 : 1;
	if (is_switch(v->param) && (argc < 2 || !strncmp(argv[1], "--", 2)))
		return value_set(v, "on", err) ? -1 : 1;
	if (argc < 2)
		return error_set(err, STATUS_USAGE, "--%s needs a value", v->param->name);
	return value_set(v, argv[1], err) ? -1 : 2;
}

int params_parse(struct params *p, int argc, char **argv, struct error *err)
{
	const struct value *ops = params_find(p, "ops"), *duration = params_find(p, "duration");
	int taken;

	for (; argc; argc -= taken, argv += taken) {
		taken = parse_one(p, argc, argv, err);
		if (taken < 0)
			return -1;
	}
	if (ops->given && ops->number && duration->given)
		return error_set(err, STATUS_USAGE,
			"--ops %s and --duration %s: a run ends by one or the other", ops->text,
			duration->text);
	return 0;
}
