// SPDX-License-Identifier: GPL-2.0-or-later
/* The machine that the guests ran on: what of it is told beside the guests' own conditions. */
#include <string.h>

#include "conditions.h"
#include "host_load.h"
#include "util.h"

/* Shares of CPU time from which on others are mentioned; a quiet machine's daemons stay well below.
 */
#define OTHERS_SHARE 0.05
#define STOLEN_SHARE 0.01

/* Settings that make figures wander or clocks slow, in guests as on the host. */
static const struct {
	const char *key, *value, *why;
} unsteady[] = {
	{"governor", "powersave", "frequencies follow the load"},
	{"governor", "ondemand", "frequencies follow the load"},
	{"governor", "conservative", "frequencies follow the load"},
	{"clocksource", "hpet", "reading the clock is slow"},
	{"clocksource", "acpi_pm", "reading the clock is slow"},
	{"clocksource", "jiffies", "the clock is coarse"},
	{"clocksource", "refined-jiffies", "the clock is coarse"},
};

bool condition_is_unsteady(const char *key, const char *value, const char **why)
{
	for (size_t i = 0; i < ARRAY_SIZE(unsteady); i++) {
		if (strcmp(unsteady[i].key, key) || strcmp(unsteady[i].value, value))
			continue;
		*why = unsteady[i].why;
		return true;
	}
	return false;
}

static void warn_of_load(struct comparison *c, const json_t *sums)
{
	double others = host_load_others(sums), stolen = host_load_stolen(sums);

	if (others > OTHERS_SHARE)
		comparison_warn(c,
			"Other programs took %.0f %% of this machine's CPU time while it measured: "
			"intervals are wider for it.",
			others * 100);
	if (stolen > STOLEN_SHARE)
		comparison_warn(c,
			"A hypervisor gave %.0f %% of this machine's CPU time to other machines "
			"while it measured.",
			stolen * 100);
}

static void warn_of_settings(struct comparison *c, const json_t *host)
{
	static const char *const keys[] = {"governor", "clocksource"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *value = json_string_value(json_object_get(host, keys[i])), *why;

		if (value && condition_is_unsteady(keys[i], value, &why))
			comparison_warn(c, "This machine's %s is %s: %s.", keys[i], value, why);
	}
}

static void warn_of_too_many_cpus(struct comparison *c, const struct matrix *m, const json_t *host)
{
	long long have = json_integer_value(json_object_get(host, "cpus"));
	unsigned most = 0;

	for (size_t i = 0; i < m->nmachines; i++)
		most = m->machines[i].cpus > most ? m->machines[i].cpus : most;
	if (m->executor == EXECUTOR_VM && have && most > have)
		comparison_warn(c,
			"Guests of %u virtual CPUs shared this machine's %lld: what runs on more "
			"at "
			"once waits for them.",
			most, have);
}

void conditions_warn_of_host(struct comparison *c, const struct store *run)
{
	const json_t *o = store_run(run), *host = json_object_get(o, "env");

	warn_of_load(c, json_object_get(json_object_get(o, "overhead"), "host"));
	warn_of_settings(c, host);
	warn_of_too_many_cpus(c, store_matrix(run), host);
}
