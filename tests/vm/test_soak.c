// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ten minutes each, with KAB_TEST_FULL, of what races with itself, on all series under lockdep and KASAN and under
 * KCSAN: the races of per-vma-lock, which check every byte, stress-ng's memory stressors together, and the fuzzer of
 * sched_pair_cpu(). And a minute each, on 8 CPUs, of per-CPU counts and lists that paired threads change while CPUs go
 * off and on line. And 120,000 processes that end while CPUs borrow their address spaces, fewer under the debug kernels,
 * which take longer. A word on the console is a failure.
 *
 * KAB_TEST_ONLY=test_NAME runs one of these tests, KAB_TEST_SOAK_SECONDS=N makes them shorter or longer,
 * KAB_TEST_SEED=N draws the fuzzer's steps anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels.h"
#include "selftests.h"
#include "skip.h"
#include "util.h"

#define RACES 13 /* tests in that program, which take their seconds one after another */

static unsigned soak_seconds(void)
{
	const char *text = getenv("KAB_TEST_SOAK_SECONDS");

	return text ? (unsigned)atoi(text) : 600;
}

static void soak(const char *label, const struct machine *machine, struct selection *selected)
{
	struct results r;

	/* The guest's clock may run behind, and what ends late ends. */
	if (!selected->timeout_s)
		selected->timeout_s = 2 * soak_seconds() + 600;
	assert_int_equal(selftests_run(find_arm(label), machine ? machine : &kernels->machines[0], selected, &r), 0);
	assert_int_equal(r.failed, 0);
	assert_int_equal(r.skipped, 0);
	assert_int_equal(r.not_started, 0);
	assert_false(r.oops);
	assert_true(r.passed > 0);
}

static void races(const char *label)
{
	__free_char char *seconds = xasprintf("PER_VMA_LOCK_SECONDS=%u", (soak_seconds() + RACES - 1) / RACES);
	const char *const settings[] = { seconds, NULL };
	struct selection selected = { .program = "per_vma_lock:races", .settings = settings };

	soak(label, NULL, &selected);
}

static void fuzz(const char *label)
{
	__free_char char *seconds = xasprintf("TASK_PAIR_SECONDS=%u", soak_seconds());
	__free_char char *seed = xasprintf("TASK_PAIR_SEED=%s", getenv("KAB_TEST_SEED") ?: "1");
	const char *const settings[] = { seconds, seed, NULL };
	struct selection selected = { .program = "task_pair:fuzz", .settings = settings };

	soak(label, NULL, &selected);
}

/* As a self-test program: one plan, one result. */
static void stress(const char *label)
{
	__free_char char *script = xasprintf(
		"#!/bin/sh\necho 1..1\ncd /tmp\n"
		"stress-ng --vm 1 --vm-bytes 64M --vm-populate --mmap 1 --mmap-bytes 32M --mremap 1 --mremap-bytes 16M "
		"--madvise 1 --fork 1 --userfaultfd 1 --userfaultfd-bytes 16M --stack 1 --timeout %u --temp-path /tmp "
		"--metrics-brief >&2 || { echo not ok 1 stress-ng; exit 1; }\necho ok 1 stress-ng\n",
		soak_seconds());
	char folder[] = "/tmp/kab-soak-XXXXXX";
	__free_char char *sub = NULL;
	struct selection selected = { .folder = folder };

	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0755), 0);
	sub = xasprintf("%s/memory", folder);
	assert_int_equal(dir_make(sub, NULL), 0);
	selftests_write(sub, "stress", script, 0755);
	selftests_write(folder, "kselftest-list.txt", "memory:stress\n", 0644);
	soak(label, NULL, &selected);
	dir_remove(folder, NULL);
}

static void work(const char *label)
{
	static const struct machine eight = { .cpus = 8, .nodes = 2, .memory = 2ull << 30 };
	__free_char char *seconds = xasprintf("TASK_PAIR_SECONDS=%u", soak_seconds() / 10);
	const char *const settings[] = { seconds, NULL };
	struct selection selected = { .program = "task_pair:work", .settings = settings };

	soak(label, &eight, &selected);
}

#define STORMS 15 /* of so many processes, in that program */

static void borrowers(const char *label)
{
	unsigned all = strcmp(label, "all") ? 24000 : 120000;
	__free_char char *processes = xasprintf("LAZY_MM_PROCESSES=%u", all / STORMS * soak_seconds() / 600);
	const char *const settings[] = { processes, NULL };
	struct selection selected = { .program = "lazy_mm:lifetimes", .settings = settings, .timeout_s = 4 * 3600 };

	soak(label, NULL, &selected);
}

#define SOAK(what, name, label) \
	static void test_##what##_##name(void **state) \
	{ \
		(void)state; \
		need_full("minutes of it"); \
		what(label); \
	}

SOAK(races, lockdep_kasan, "lockdep-kasan")
SOAK(races, kcsan, "kcsan")
SOAK(stress, lockdep_kasan, "lockdep-kasan")
SOAK(stress, kcsan, "kcsan")
SOAK(fuzz, lockdep_kasan, "lockdep-kasan")
SOAK(fuzz, kcsan, "kcsan")
SOAK(work, all, "all")
SOAK(borrowers, all, "all")
SOAK(borrowers, lockdep_kasan, "lockdep-kasan")
SOAK(borrowers, kcsan, "kcsan")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_races_lockdep_kasan),
		cmocka_unit_test(test_races_kcsan),
		cmocka_unit_test(test_stress_lockdep_kasan),
		cmocka_unit_test(test_stress_kcsan),
		cmocka_unit_test(test_fuzz_lockdep_kasan),
		cmocka_unit_test(test_fuzz_kcsan),
		cmocka_unit_test(test_work_all),
		cmocka_unit_test(test_borrowers_all),
		cmocka_unit_test(test_borrowers_lockdep_kasan),
		cmocka_unit_test(test_borrowers_kcsan),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("soak", tests, read_kernels, free_kernels);
}
