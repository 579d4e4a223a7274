// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Facts are kept as {key: {machine: {arm: [value, ...]}}}: arms are compared on the same machine
 * only, since a matrix may have several that differ on purpose.
 */
#include "conditions.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Conditions that nobody varies by choosing an arm. Objects ("mitigations") are compared by member.
 */
static const struct {
	const char *key, *title;
	bool within_arm_only; /* arms may differ in it without a word, one arm's boots may not */
} conditions[] = {
	{"accelerator", "accelerator", false},
	{"cpus", "number of CPUs", false},
	{"nodes", "number of nodes", false},
	{"memory_bytes", "memory", false},
	{"cpu_model", "processor", false},
	{"clocksource", "clocksource", false},
	{"mitigations", "mitigation", false},
	{"thp", "transparent huge pages", false},
	{"governor", "frequency governor", false},
	{"sched_schedstats", "kernel.sched_schedstats", false},
	{"qemu_version", "QEMU", false},
	{"share", "shared folder", false},
	{"kernel_release", "kernel release", true},
	{"cmdline", "kernel command line", false},
};

/* The member @key of the object @o, made if it is not there. Borrowed. */
static json_t *member(json_t *o, const char *key, json_t *(*make)(void))
{
	if (!json_object_get(o, key))
		json_object_set_new(o, key, make());
	return json_object_get(o, key);
}

static void add_value(json_t *values, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(values); i++)
		if (json_equal(json_array_get(values, i), value))
			return;
	json_array_append(values, (json_t *)value);
}

static void add_fact(
	json_t *facts, const char *key, const char *machine, const char *arm, json_t *value)
{
	const char *name;
	json_t *part;

	if (!value)
		return;
	if (!json_is_object(value)) {
		json_t *arms = member(member(facts, key, json_object), machine, json_object);

		add_value(member(arms, arm, json_array), value);
		return;
	}
	json_object_foreach (value, name, part) {
		__free_char char *full = xasprintf("%s %s", key, name);

		add_fact(facts, full, machine, arm, part);
	}
}

static json_t *load_env(const struct store *run, const struct sample *s)
{
	__free_char char *dir = store_boot_path(run, s->boot, s->life);
	__free_char char *path = xasprintf("%s/boot.json", dir);
	json_t *boot = json_load_file(path, 0, NULL);
	json_t *env = json_incref(json_object_get(boot, "env"));

	json_decref(boot);
	return env ? env : json_incref(s->env);
}

/* "b003.patched.m1" -> "m1". */
static const char *machine_of(const struct sample *s)
{
	const char *dot = strrchr(s->boot_id, '.');

	return dot ? dot + 1 : "";
}

/* One look at each life of each boot. @which goes before arms' names, so that those of two runs
 * stay apart. */
static void collect(json_t *facts, const struct store *run, const char *which)
{
	json_t *seen = json_object();
	size_t n;
	const struct sample *s = store_samples(run, &n);

	for (size_t i = 0; i < n; i++) {
		__free_char char *arm = xasprintf("%s%s", which, s[i].arm);
		__free_char char *life = xasprintf("%s.%u", s[i].boot_id, s[i].life);
		json_t *env;

		if (json_object_get(seen, life))
			continue;
		json_object_set_new(seen, life, json_true());
		env = load_env(run, &s[i]);
		for (size_t c = 0; c < ARRAY_SIZE(conditions); c++)
			add_fact(facts, conditions[c].key, machine_of(&s[i]), arm,
				json_object_get(env, conditions[c].key));
		json_decref(env);
	}
	json_decref(seen);
}

static void add_text(struct buf *b, const json_t *value)
{
	__free_char char *text = NULL;

	if (json_is_string(value)) {
		buf_addstr(b, json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	buf_addstr(b, text);
}

/* "tsc, hpet (stock); tsc (patched)". Caller frees. */
static char *list_values(json_t *arms)
{
	struct buf b = {};
	const char *arm;
	json_t *values;

	json_object_foreach (arms, arm, values) {
		if (b.len)
			buf_addstr(&b, "; ");
		for (size_t i = 0; i < json_array_size(values); i++) {
			if (i)
				buf_addstr(&b, ", ");
			add_text(&b, json_array_get(values, i));
		}
		buf_addf(&b, " (%s)", arm);
	}
	return b.data;
}

static bool varies_within(json_t *arms)
{
	const char *arm;
	json_t *values;

	json_object_foreach (arms, arm, values) {
		if (json_array_size(values) > 1)
			return true;
	}
	return false;
}

static bool differs_between(json_t *arms)
{
	const json_t *first = NULL;
	const char *arm;
	json_t *values;

	json_object_foreach (arms, arm, values) {
		if (first && !json_equal(first, values))
			return true;
		first = values;
	}
	return false;
}

/* "mitigations spectre_v2" is of the condition "mitigations". */
static size_t condition_of(const char *key)
{
	size_t len = strcspn(key, " "), i = 0;

	while (strncmp(conditions[i].key, key, len) || conditions[i].key[len])
		i++;
	return i;
}

static bool all_have(json_t *arms, const char *word)
{
	const char *arm;
	json_t *values;

	json_object_foreach (arms, arm, values) {
		const char *text = json_string_value(json_array_get(values, 0));
		__free_char char *padded = xasprintf(" %s ", text ? text : "");
		__free_char char *wanted = xasprintf(" %s ", word);

		if (!strstr(padded, wanted))
			return false;
	}
	return true;
}

/* Leaves each arm's command line, one a piece, the words that some other one lacks; not kab's own to its guest. */
static void strip_common_words(json_t *arms)
{
	json_t *stripped = json_object();
	const char *arm;
	json_t *values;

	json_object_foreach (arms, arm, values) {
		const char *line = json_string_value(json_array_get(values, 0));
		__free_char char *text = xstrdup(line ? line : "");
		struct buf own = {};
		char *save = NULL;

		for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
			if (strncmp(w, "kab.", 4) && !all_have(arms, w))
				buf_addf(&own, "%s%s", own.len ? " " : "", w);
		json_object_set_new(
			stripped, arm, json_pack("[s]", own.len ? own.data : "nothing more"));
		buf_free(&own);
	}
	json_object_update(arms, stripped);
	json_decref(stripped);
}

static void judge(struct comparison *c, const char *key, const char *machine, json_t *arms,
	bool machines, bool asked)
{
	size_t i = condition_of(key);
	const char *detail = strchr(key, ' ');
	__free_char char *values = NULL, *to_next = xasprintf("changed from %s to %s", c->boot, c->boot);
	bool within = varies_within(arms);

	/* What all have is no news. */
	if (!within && !strcmp(conditions[i].key, "cmdline"))
		strip_common_words(arms);
	if (!within && (conditions[i].within_arm_only || !differs_between(arms)))
		return;
	values = list_values(arms);
	comparison_warn(c, "%s%s %s%s%s%s: %s.", conditions[i].title, detail ? detail : "",
		within ? to_next : "differs between arms",
		machines ? " on machine " : "", machines ? machine : "",
		within	? ""
		: asked ? ", with the command lines that the matrix asks for"
			: ", which nobody asked for",
		values);
}

/* Some arm has a command line of its own: then other conditions may differ for that reason. */
static bool asks_for_command_lines(const struct store *run)
{
	const struct matrix *m = store_matrix(run);

	for (size_t i = 0; i < m->narms; i++)
		if (m->arms[i].cmdline && *m->arms[i].cmdline)
			return true;
	return false;
}

/* Values that no boot should have, whether or not all have them. */
static void warn_of_unsteady(struct comparison *c, json_t *facts)
{
	const char *key, *machine, *arm, *why, *told = NULL;
	json_t *machines, *arms, *values;

	json_object_foreach (facts, key, machines) {
		json_object_foreach (machines, machine, arms) {
			json_object_foreach (arms, arm, values) {
				const char *value = json_string_value(json_array_get(values, 0));

				if (!value || told == key ||
					!condition_is_unsteady(key, value, &why))
					continue;
				comparison_warn(c, "The guests' %s is %s: %s.", key, value, why);
				told = key;
			}
		}
	}
}

static void warn_of_differences(struct comparison *c, json_t *facts, bool asked)
{
	const char *key, *machine;
	json_t *machines, *arms;

	json_object_foreach (facts, key, machines) {
		json_object_foreach (machines, machine, arms) {
			judge(c, key, machine, arms, json_object_size(machines) > 1, asked);
		}
	}
}

static bool any_value(json_t *facts, const char *key, const char *value)
{
	const char *machine, *arm;
	json_t *arms, *values;

	json_object_foreach (json_object_get(facts, key), machine, arms) {
		json_object_foreach (arms, arm, values) {
			for (size_t i = 0; i < json_array_size(values); i++) {
				const char *text = json_string_value(json_array_get(values, i));

				if (text && !strcmp(text, value))
					return true;
			}
		}
	}
	return false;
}

static const char exact_time[] =
	"Exact mode: times are counted instructions of one CPU; caches, memory and parallel work "
	"do not show in them. Another kernel has other addresses, in each of its boots: that alone has been seen to move "
	"figures by 0.2 % (layout: true in the matrix measures it).";
static const char exact_sum[] =
	"Exact mode with several CPUs: they run one at a time, in turns, so that time is the sum "
	"over all of them, idle ones left out: no speed-up, hardly any contention. Costs and "
	"interrupts an operation hold for loads that keep each CPU to its own; what races varies "
	"by 10-25 %.";
static const char emulated_time[] =
	"The guests were emulated (TCG): times and rates do not stand for hardware; counts "
	"(switches, interrupts, flushes, faults) do.";
static const char apart[] =
	"The two runs were measured apart: what changed on the machine between them counts as an "
	"effect.";
static const char local_boot[] =
	"Local executor: one boot of each kernel, so that boot-to-boot variation (2-6 % is usual) "
	"is not covered by any interval or p here.";

static void warn_of_clock(struct comparison *c, json_t *facts, const struct store *run)
{
	if (!strcmp(c->executor, "exact"))
		comparison_warn(c, "%s", matrix_has_several_cpus(store_matrix(run)) ? exact_sum : exact_time);
	else if (any_value(facts, "accelerator", "tcg"))
		comparison_warn(c, "%s", emulated_time);
}

/* Boots that died and were started again, by number. */
static void warn_of_restarts(struct comparison *c, const struct store *run)
{
	struct buf list = {};
	json_t *seen = json_object();
	size_t n;
	const struct sample *s = store_samples(run, &n);

	for (size_t i = 0; i < n; i++) {
		if (!s[i].life || json_object_get(seen, s[i].boot_id))
			continue;
		json_object_set_new(seen, s[i].boot_id, json_true());
		buf_addf(&list, "%s%u (%s)", list.len ? ", " : "", s[i].boot, s[i].arm);
	}
	if (json_object_size(seen))
		comparison_warn(c,
			"%zu %s%s had to be started again, and what it had measured by then was "
			"kept: %s.",
			json_object_size(seen), c->boot, json_object_size(seen) == 1 ? "" : "s", list.data);
	json_decref(seen);
	buf_free(&list);
}

/* By --more-boots; a budget's looks are paid for. */
static unsigned blocks_added(const struct store *run)
{
	const struct matrix *m = store_matrix(run);
	const json_t *o = store_run(run);
	json_int_t blocks = json_integer_value(json_object_get(json_object_get(o, "plan"), "blocks"));
	json_int_t began = json_integer_value(json_object_get(json_object_get(o, "options"), "blocks"));

	began = began ? began : m->blocks;
	return m->budget_s > 0 || blocks <= began ? 0 : (unsigned)(blocks - began);
}

/* The run goes by its name: warnings get into letters, where no folder of this machine belongs. */
static void warn_of_state(struct comparison *c, const struct store *run)
{
	const char *path = store_path(run), *slash = strrchr(path, '/'), *name = slash && slash[1] ? slash + 1 : path;
	json_int_t had = json_integer_value(json_object_get(store_run(run), "samples"));
	size_t n;

	store_samples(run, &n);
	if (!store_finished(store_run(run)))
		comparison_warn(c, "%s is not finished: what it has so far is compared.", name);
	else if (blocks_added(run))
		comparison_warn(c,
			"%s was given %u more block%s than it began with: whoever adds blocks until a change shows calls changes that are "
			"none more often than alpha says (8 %% instead of 5 after one addition). A budget in the matrix allows for it.",
			name, blocks_added(run), blocks_added(run) == 1 ? "" : "s");
	if (store_finished(store_run(run)) && had > (json_int_t)n)
		comparison_warn(c, "%s had %lld samples when it was finished, and has %zu: its samples.jsonl was damaged.", name,
			(long long)had, n);
}

static void warn_of_second_run(struct comparison *c, json_t *facts, const struct store *other)
{
	warn_of_state(c, other);
	collect(facts, other, "second run's ");
	warn_of_restarts(c, other);
	comparison_warn(c, "%s", apart);
}

void conditions_warn(struct comparison *c, const struct store *run, const struct store *other)
{
	json_t *facts = json_object();

	warn_of_state(c, run);
	collect(facts, run, "");
	warn_of_restarts(c, run);
	if (other)
		warn_of_second_run(c, facts, other);
	else
		conditions_warn_of_builds(c, run);
	warn_of_clock(c, facts, run);
	warn_of_differences(c, facts, !other && asks_for_command_lines(run));
	if (strcmp(c->executor, "local"))
		warn_of_unsteady(c, facts);
	conditions_warn_of_host(c, run);
	if (!strcmp(c->executor, "local"))
		comparison_warn(c, "%s", local_boot);
	json_decref(facts);
}
