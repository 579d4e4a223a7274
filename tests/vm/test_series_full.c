// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each series by itself, with KAB_TEST_FULL: it builds patch by patch, its self-tests pass without the other series
 * in every configuration that it has, and every mutation of it makes some self-test fail. One that goes wrong does not keep the others from being tried:
 * all that went wrong are named at the end.
 *
 * KAB_TEST_ONLY=test_NAME runs one of these tests, KAB_TEST_SERIES=GLOB is for some of the series,
 * KAB_TEST_MUTATIONS=GLOB ("vm-local-cpu/flush*") for some of the mutations, KAB_TEST_VARIANT=GLOB
 * ("lazy-mm+shootdown*") for some of the configurations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_parts.h"
#include "kernels.h"
#include "selftests.h"
#include "skip.h"
#include "util.h"

/*
 * Fragments that the self-tests of a series need and the other series' kernels cannot have; what follows a series' first
 * ones are other configurations that they must pass in. A series that is not named needs none.
 */
static const struct variant {
	const char *series, *name; /* of the configuration; "": the first */
	const char *config[5];
} variants[] = {
	{ "lazy-mm", "", { "lazy-debug" } },
	{ "lazy-mm", "+refcount", { "lazy-debug", "lazy-refcount" } },
	{ "lazy-mm", "+shootdown", { "lazy-debug", "lazy-shootdown" } },
	{ "lazy-mm", "+shootdown+lockdep+kasan", { "lazy-debug", "lazy-shootdown", "lockdep", "kasan" } },
	{ "lazy-mm", "+preempt+lockdep+kasan", { "lazy-debug", "preempt", "lockdep", "kasan" } },
	{ "per-vma-lock", "", { "swap" } },
};

/* An arm on the base of the others with the first @patches (0: all) of series @name alone, called @label. */
static struct arm arm_alone(const char *name, unsigned patches, const char *label)
{
	struct arm a;

	arm_copy(&a, find_arm("stock"), label);
	for (size_t i = 0; i < a.nseries; i++)
		free(a.series[i].name);
	a.series = xrealloc_array(a.series, 1, sizeof(*a.series));
	a.series[0] = (struct series_ref){ xstrdup(name), patches };
	a.nseries = 1;
	return a;
}

static void add_config(struct arm *a, const char *name, size_t len)
{
	a->config = xrealloc_array(a->config, a->nconfig + 1, sizeof(*a->config));
	a->config[a->nconfig++] = xasprintf("%.*s", (int)len, name);
}

/* The @n-th variant of series @name; NULL: it has no more. */
static const struct variant *variant_of(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
		if (!strcmp(variants[i].series, name) && !n--)
			return &variants[i];
	return NULL;
}

/* The whole series, and what its self-tests need; @v may be NULL. */
static struct arm arm_to_test(const char *name, const struct variant *v, const char *label)
{
	struct arm a = arm_alone(name, 0, label);

	for (size_t i = 0; v && v->config[i]; i++)
		add_config(&a, v->config[i], strlen(v->config[i]));
	return a;
}

static unsigned patch_count(const char *name)
{
	struct arm a = arm_alone(name, 0, name);
	struct recipe r;
	struct error err;
	unsigned n;

	if (recipe_read(&a, &r, &err))
		fail_msg("%s", err.text);
	n = r.npatches;
	recipe_clear(&r);
	arm_clear(&a);
	return n;
}

/* Those asked for. */
static struct strings the_series(void)
{
	__free_char char *root = xasprintf("%s/kernel-patch/series", kab_home());
	const char *glob = getenv("KAB_TEST_SERIES");
	struct strings all = folder_names(root, ""), names = {};

	for (size_t i = 0; i < all.n; i++)
		if (!glob || !fnmatch(glob, all.v[i], 0))
			strings_addf(&names, "%s", all.v[i]);
	strings_clear(&all);
	if (!names.n)
		fail_msg("there is no series %s", glob ? glob : "at all");
	return names;
}

/* Fails, naming all that went wrong, and frees @bad. */
static void tell_bad(struct strings *bad, const char *what)
{
	__free_char char *list = strings_join(bad);
	size_t n = bad->n;

	strings_clear(bad);
	if (n)
		fail_msg("%zu %s: %s", n, what, list);
}

static bool builds(const struct arm *a)
{
	uint64_t began = now_ns();
	struct kernel k = {};
	struct error err;

	if (kernel_build(a, &k, NULL, NULL, &err)) {
		print_error("%s\n", err.text);
		return false;
	}
	print_message("# %s: %.1f s\n", a->label, (now_ns() - began) / 1e9);
	kernel_clear(&k);
	return true;
}

/* In one tree, one after another, so that each costs what it changes. */
static void test_every_patch_builds(void **state)
{
	struct strings names, bad = {};

	(void)state;
	need_full("a kernel for each patch");
	names = the_series();
	for (size_t i = 0; i < names.n; i++) {
		unsigned n = patch_count(names.v[i]);

		for (unsigned patches = 1; patches <= n; patches++) {
			__free_char char *label = xasprintf("%s:%u", names.v[i], patches);
			struct arm a = arm_alone(names.v[i], patches, label);

			if (!builds(&a))
				strings_addf(&bad, "%s", label);
			arm_clear(&a);
		}
	}
	strings_clear(&names);
	tell_bad(&bad, "patches do not build");
}

static void pass_alone(const char *series, const struct variant *v, struct strings *bad)
{
	__free_char char *label = xasprintf("%s%s", series, v ? v->name : "");
	const char *glob = getenv("KAB_TEST_VARIANT");
	struct results r;
	struct arm a;

	if (glob && fnmatch(glob, label, 0))
		return;
	a = arm_to_test(series, v, label);
	if (selftests_run(&a, &kernels->machines[0], NULL, &r) || r.failed || r.oops || !r.passed)
		strings_addf(bad, "%s", label);
	arm_clear(&a);
}

static void test_each_series_alone(void **state)
{
	struct strings names, bad = {};

	(void)state;
	need_full("a kernel for each series");
	names = the_series();
	for (size_t i = 0; i < names.n; i++)
		for (size_t k = 0; !k || variant_of(names.v[i], k); k++)
			pass_alone(names.v[i], variant_of(names.v[i], k), &bad);
	strings_clear(&names);
	tell_bad(&bad, "series do not pass their self-tests alone");
}

/* The fragments that lines "Config: NAME" of a mutation's message ask for: it is one of a configuration of its own. */
static void add_wanted_config(struct arm *a, const char *series, const char *mutation)
{
	static const char key[] = "\nConfig: ";
	__free_char char *path = xasprintf("%s/kernel-patch/series/%s/mutations/%s.patch", kab_home(), series, mutation);
	__free_char char *text = file_read(path, NULL, NULL);

	if (!text)
		fail_msg("%s cannot be read", path);
	for (const char *at = text; (at = strstr(at, key));) {
		at += strlen(key);
		add_config(a, at, strcspn(at, "\n"));
	}
}

/* What is wrong with mutation @name of @series, NULL if a self-test noticed it. */
static const char *try_mutation(const char *series, const char *name)
{
	const struct selection enough = { .first_failure = true };
	struct arm a = arm_to_test(series, variant_of(series, 0), name);
	struct results r;
	const char *why = NULL;

	a.mutation = xstrdup(name);
	add_wanted_config(&a, series, name + strlen(series) + 1);
	if (selftests_run(&a, &kernels->machines[0], &enough, &r))
		why = "was not tried";
	else if (r.not_started)
		why = "keeps self-tests from starting";
	else if (!r.failed)
		why = "unnoticed";
	arm_clear(&a);
	return why;
}

/* Tries those mutations of @series that @glob (NULL: any) picks; their number. */
static size_t try_mutations(const char *series, const char *glob, struct strings *bad)
{
	__free_char char *folder = xasprintf("%s/kernel-patch/series/%s/mutations", kab_home(), series);
	struct strings patches = folder_names(folder, ".patch");
	size_t seen = 0;

	for (size_t i = 0; i < patches.n; i++) {
		__free_char char *name = xasprintf(
			"%s/%.*s", series, (int)(strlen(patches.v[i]) - strlen(".patch")), patches.v[i]);
		const char *why;

		if (glob && fnmatch(glob, name, 0))
			continue;
		why = try_mutation(series, name);
		print_message("# mutation %s: %s\n", name, why ? why : "noticed");
		if (why)
			strings_addf(bad, "%s (%s)", name, why);
		seen++;
	}
	strings_clear(&patches);
	return seen;
}

/* Every patch in a series' mutations/ takes something out that a self-test must miss. */
static void test_mutations(void **state)
{
	const char *glob = getenv("KAB_TEST_MUTATIONS");
	struct strings names, bad = {};
	size_t seen = 0;

	(void)state;
	need_full("a kernel for each mutation");
	names = the_series();
	for (size_t i = 0; i < names.n; i++)
		seen += try_mutations(names.v[i], glob, &bad);
	strings_clear(&names);
	if (!seen)
		fail_msg("there is no mutation %s", glob ? glob : "at all");
	tell_bad(&bad, "mutations");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_patch_builds),
		cmocka_unit_test(test_each_series_alone),
		cmocka_unit_test(test_mutations),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("series one by one", tests, read_kernels, free_kernels);
}
