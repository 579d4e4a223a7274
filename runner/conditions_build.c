// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels that differ in more than their patches. What an arm was built from is in run.json. */
#include <string.h>

#include "conditions.h"
#include "util.h"

#define OPTIONS_NAMED 8

/* Options that restate the compiler, which has a warning of its own. */
static bool of_the_compiler(const char *option)
{
	static const char *const prefixes[] = {"CONFIG_CC_", "CONFIG_GCC_", "CONFIG_CLANG_",
		"CONFIG_AS_", "CONFIG_LD_", "CONFIG_TOOLS_", "CONFIG_PAHOLE_", "CONFIG_RUSTC_"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(option, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static bool same_key(const json_t *a, const json_t *b, const char *key)
{
	const json_t *va = json_object_get(a, key), *vb = json_object_get(b, key);

	return va == vb || (va && vb && json_equal(va, vb));
}

/* The matrix gives both the same fragments, alignment and base. */
static bool asked_alike(const json_t *base, const json_t *arm)
{
	return same_key(base, arm, "config") && same_key(base, arm, "align") &&
	       same_key(base, arm, "base_version");
}

static const char *value_of(const json_t *config, const char *option)
{
	const char *value = json_string_value(json_object_get(config, option));

	return value ? value : "not set";
}

/* "CONFIG_HZ 250 (stock), 1000 (patched); ..." of options that the baseline has and the arm has
 * otherwise. */
static void compare_configs(struct comparison *c, const char *label, const json_t *base_config,
	const json_t *arm_config, bool base_has_more)
{
	struct buf list = {};
	size_t found = 0;
	const char *option;
	json_t *value;

	json_object_foreach ((json_t *)base_config, option, value) {
		if (of_the_compiler(option) || same_key(base_config, arm_config, option))
			continue;
		/* What the baseline's own patches add. */
		if (base_has_more && !json_object_get(arm_config, option))
			continue;
		if (found++ < OPTIONS_NAMED)
			buf_addf(&list, "%s%s %s (%s), %s (%s)", list.len ? "; " : "", option,
				value_of(base_config, option), c->baseline,
				value_of(arm_config, option), label);
	}
	if (found > OPTIONS_NAMED)
		buf_addf(&list, "; and %zu more", found - OPTIONS_NAMED);
	if (found)
		comparison_warn(c,
			"Kernel configurations differ by more than patches add, which nobody asked "
			"for: %s.",
			list.data);
	buf_free(&list);
}

/* What moves the figures of any workload, whoever asked for it. */
static const char *const pervasive[] = {"CONFIG_HZ", "CONFIG_PREEMPT_NONE", "CONFIG_PREEMPT_VOLUNTARY", "CONFIG_PREEMPT",
	"CONFIG_PREEMPT_RT", "CONFIG_NO_HZ_FULL", "CONFIG_SMP", "CONFIG_NUMA", "CONFIG_TRANSPARENT_HUGEPAGE",
	"CONFIG_TRANSPARENT_HUGEPAGE_ALWAYS", "CONFIG_SPECULATION_MITIGATIONS", "CONFIG_RETPOLINE",
	"CONFIG_PAGE_TABLE_ISOLATION", "CONFIG_CC_OPTIMIZE_FOR_SIZE", "CONFIG_FUNCTION_TRACER", "CONFIG_PROVE_LOCKING",
	"CONFIG_DEBUG_LOCK_ALLOC", "CONFIG_KASAN", "CONFIG_KCSAN", "CONFIG_UBSAN", "CONFIG_DEBUG_VM", "CONFIG_DEBUG_PREEMPT",
	"CONFIG_SLUB_DEBUG_ON", "CONFIG_PAGE_POISONING", "CONFIG_INIT_ON_ALLOC_DEFAULT_ON", "CONFIG_INIT_ON_FREE_DEFAULT_ON",
	"CONFIG_MEMCG", "CONFIG_VIRT_CPU_ACCOUNTING_GEN"};

/*
 * Arms of different fragments were to differ, but fragments drag others in, and so may a series' Kconfig: where that moves
 * everything it is told.
 */
static void compare_pervasive(
	struct comparison *c, const char *label, const json_t *base_config, const json_t *arm_config)
{
	struct buf list = {};

	for (size_t i = 0; i < ARRAY_SIZE(pervasive); i++)
		if (!same_key(base_config, arm_config, pervasive[i]))
			buf_addf(&list, "%s%s %s (%s), %s (%s)", list.len ? "; " : "", pervasive[i],
				value_of(base_config, pervasive[i]), c->baseline, value_of(arm_config, pervasive[i]),
				label);
	if (list.len)
		comparison_warn(c, "Kernel configurations differ in what moves all figures: %s.", list.data);
	buf_free(&list);
}

static size_t patches_in(const json_t *meta)
{
	return json_array_size(json_object_get(meta, "patches"));
}

static void compare_builds(struct comparison *c, const json_t *base, const json_t *arm)
{
	const json_t *base_meta = json_object_get(base, "meta"),
		     *arm_meta = json_object_get(arm, "meta");
	const char *label = json_string_value(json_object_get(arm, "label"));
	const char *base_tools = json_string_value(json_object_get(base_meta, "toolchain"));
	const char *arm_tools = json_string_value(json_object_get(arm_meta, "toolchain"));
	const json_t *base_config = json_object_get(base_meta, "config");
	const json_t *arm_config = json_object_get(arm_meta, "config");

	if (!label)
		return;
	if (base_tools && arm_tools && strcmp(base_tools, arm_tools))
		comparison_warn(c, "Kernels were built by different compilers: %s (%s); %s (%s).",
			base_tools, c->baseline, arm_tools, label);
	if (base_config && arm_config && asked_alike(base, arm))
		compare_configs(c, label, base_config, arm_config, patches_in(base_meta) > patches_in(arm_meta));
	else if (base_config && arm_config && same_key(base, arm, "base_version"))
		compare_pervasive(c, label, base_config, arm_config);
}

void conditions_warn_of_builds(struct comparison *c, const struct store *run)
{
	const json_t *arms = json_object_get(store_run(run), "arms"),
		     *base = store_arm(run, c->baseline);

	for (size_t i = 0; base && i < json_array_size(arms); i++)
		if (json_array_get(arms, i) != base)
			compare_builds(c, base, json_array_get(arms, i));
}
