// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The self-tests of every series, in guests: on stock each passes or skips, on "all" each passes, and so it does under
 * lockdep and KASAN, and under KCSAN, without a word from them. The kernels are the arms of kernels.yaml. With
 * KAB_TEST_FULL every mutation of every series is built too, and must make some self-test fail. KAB_TEST_ONLY=test_NAME runs
 * one of these tests.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor.h"
#include "kernel.h"
#include "matrix.h"
#include "minutes.h"
#include "skip.h"
#include "util.h"

#define MATRIX "tests/vm/kernels.yaml"

struct results {
	unsigned passed, failed, skipped;
	unsigned not_started; /* of the failed ones */
	bool oops;
};

static struct matrix *matrix;

static int read_kernels(void **state)
{
	struct error err;

	(void)state;
	matrix = matrix_read(MATRIX, &err);
	if (!matrix)
		print_error("%s\n", err.text);
	return matrix ? 0 : -1;
}

static int free_kernels(void **state)
{
	(void)state;
	matrix_free(matrix);
	return 0;
}

/* Counts the TAP lines of one self-test program. */
static void count_tap(const char *name, const char *text, struct results *r)
{
	__free_char char *copy = xstrdup(text);
	char *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		bool ok = !strncmp(line, "ok ", 3);

		if (!ok && strncmp(line, "not ok ", 7))
			continue;
		if (strstr(line, "# SKIP"))
			r->skipped++;
		else if (ok)
			r->passed++;
		else
			r->failed++;
		if (!ok || strstr(line, "# SKIP"))
			print_message("# %s: %s\n", name, line);
	}
}

/* All of the tests, and fewer turns of each than they take by themselves, as they do with KAB_TEST_FULL. */
#define FEWER_TURNS                                                                                             \
	"VM_LOCAL_CPU_REMAPS=300000", "RSEQ_VCPU_SECONDS=4", "PER_VMA_LOCK_SECONDS=1", "LAZY_MM_PROCESSES=50", \
		"TASK_PAIR_SECONDS=5"

/* Guests of one kernel, one after the other. */
struct guests {
	const struct boot_request *req;
	struct executor *now;
	unsigned lost; /* to the emulator */
};

#define MAY_LOSE 4

static void boot_guest(struct guests *g)
{
	struct error err;

	g->now = vm_executor.boot(g->req, &err);
	if (!g->now)
		fail_msg("%s: %s", g->req->arm->label, err.text);
}

/* Kernels that switch static keys while all their CPUs are busy die of it now and then, under TCG alone. */
static bool lost_to_emulator(struct guests *g, const struct job_result *res)
{
	const char *accel = json_string_value(json_object_get(vm_executor.env(g->now), "accelerator"));

	if (res->status != SAMPLE_OOPS || !res->reason || !vm_lost_write(res->reason) || !accel ||
		strcmp(accel, "tcg"))
		return false;
	return g->lost++ < MAY_LOSE;
}

static void run_selftest(struct guests *g, const char *path, struct results *r)
{
	const char *const whole[] = { path, NULL };
	const char *const less[] = { "/usr/bin/env", FEWER_TURNS, path, NULL };
	const char *name = strrchr(path, '/') + 1;
	struct job job = { .id = name, .argv = less, .host_root = true, .timeout_s = 1500 };
	struct job_result res = {};
	struct error err;
	unsigned failed = r->failed;
	uint64_t began = now_ns();

	if (getenv("KAB_TEST_FULL"))
		job.argv = whole;
	assert_int_equal(vm_executor.run(g->now, &job, &res, &err), 0);
	while (lost_to_emulator(g, &res)) {
		print_message("# %s: again, in another guest: %s\n", name, res.reason);
		job_result_clear(&res);
		vm_executor.shutdown(g->now);
		boot_guest(g);
		assert_int_equal(vm_executor.run(g->now, &job, &res, &err), 0);
	}
	if (res.out)
		count_tap(name, res.out, r);
	if (res.status != SAMPLE_OK) {
		print_message("# %s: %s: %s\n", name, sample_status_name(res.status),
			res.reason ? res.reason : "");
		r->oops |= res.status == SAMPLE_OOPS;
		r->not_started += res.status == SAMPLE_FAILED && !(res.out && *res.out);
		r->failed++;
	} else if (res.exit_status == 4) { /* kselftest's KSFT_SKIP */
		r->skipped++;
	} else if (res.exit_status && r->failed == failed) {
		print_message("# %s: exit status %d: %s\n", name, res.exit_status,
			res.err_out ? res.err_out : "");
		r->failed++;
	}
	print_message("# %s: %.1f s\n", name, (now_ns() - began) / 1e9);
	job_result_clear(&res);
}

/* Runs what kselftest's own list in @folder names, "target:program" a line. */
static void run_selftests(struct guests *g, const char *folder, struct results *r)
{
	__free_char char *path = xasprintf("%s/kselftest-list.txt", folder);
	__free_char char *list = file_read(path, NULL, NULL);
	char *save = NULL;

	assert_non_null(list);
	for (char *line = strtok_r(list, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');
		__free_char char *program = NULL;

		assert_non_null(colon);
		program = xasprintf("%s/%.*s/%s", folder, (int)(colon - line), line, colon + 1);
		run_selftest(g, program, r);
	}
}

/*
 * Builds @arm's kernel if need be, boots it once and runs every self-test that came with it, or those in
 * @selftests.
 */
static struct results run_arm(const struct arm *arm, const char *selftests)
{
	struct machine machine = matrix->machines[0];
	char dir[] = "/tmp/kab-test-XXXXXX";
	struct boot_request req = { .arm = arm, .machine = &machine, .need_root = true };
	struct guests g = { .req = &req };
	struct results r = {};
	struct kernel k = {};
	struct error err;

	assert_non_null(mkdtemp(dir));
	if (kernel_build(arm, &k, NULL, NULL, &err))
		fail_msg("%s: %s", arm->label, err.text);
	selftests = selftests ? selftests : k.selftests;
	assert_non_null(selftests);
	req.kernel = k.image;
	req.kernel_dir = k.dir;
	req.dir = dir;
	req.debug_kernel = k.debug;
	boot_guest(&g);
	run_selftests(&g, selftests, &r);
	vm_executor.shutdown(g.now);
	dir_remove(dir, NULL);
	kernel_clear(&k);
	print_message("# %s: %u passed, %u failed, %u skipped\n", arm->label, r.passed, r.failed, r.skipped);
	return r;
}

static const struct arm *find_arm(const char *label)
{
	const struct arm *arm = matrix_arm(matrix, label);

	assert_non_null(arm);
	return arm;
}

/* Stock has the providers but not the features: the tests of "all" skip there, and nothing fails. */
static void test_stock(void **state)
{
	struct kernel all = {};
	struct results r;
	struct error err;

	(void)state;
	if (kernel_build(find_arm("all"), &all, NULL, NULL, &err))
		fail_msg("all: %s", err.text);
	assert_non_null(all.selftests);
	r = run_arm(find_arm("stock"), all.selftests);
	kernel_clear(&all);
	assert_int_equal(r.failed, 0);
	assert_true(r.skipped > 0);
}

static void passes_everything(const char *label)
{
	const struct arm *arm = find_arm(label);
	struct results r;

	need_minutes(minutes_on(arm, 9), label);
	r = run_arm(arm, NULL);
	assert_int_equal(r.failed, 0);
	assert_false(r.oops);
	assert_true(r.passed > 0);
}

static void test_all(void **state)
{
	(void)state;
	passes_everything("all");
}

static void test_lockdep_kasan(void **state)
{
	(void)state;
	passes_everything("lockdep-kasan");
}

static void test_kcsan(void **state)
{
	(void)state;
	passes_everything("kcsan");
}

static void mutation_fails(const char *series, const char *file)
{
	__free_char char *name = xasprintf("%s/%.*s", series, (int)(strlen(file) - strlen(".patch")), file);
	struct arm arm = *find_arm("all");
	struct results r;

	arm.label = name;
	arm.mutation = name;
	r = run_arm(&arm, NULL);
	if (r.not_started)
		fail_msg("mutation %s: %u self-tests could not be started", name, r.not_started);
	if (!r.failed)
		fail_msg("mutation %s: no self-test noticed", name);
}

/* Every patch in a series' mutations/ takes something out that a self-test must miss. */
static void test_mutations(void **state)
{
	__free_char char *root = xasprintf("%s/kernel-patch/series", kab_home());
	struct dirent **series;
	int n, seen = 0;

	(void)state;
	if (!getenv("KAB_TEST_FULL"))
		skip_because("a kernel for each mutation: make test-full");
	n = scandir(root, &series, NULL, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		__free_char char *folder = xasprintf("%s/%s/mutations", root, series[i]->d_name);
		struct dirent **patches;
		int m = series[i]->d_name[0] == '.' ? -1 : scandir(folder, &patches, NULL, alphasort);

		for (int j = 0; j < m; j++) {
			const char *dot = strrchr(patches[j]->d_name, '.');

			if (dot && !strcmp(dot, ".patch")) {
				mutation_fails(series[i]->d_name, patches[j]->d_name);
				seen++;
			}
			free(patches[j]);
		}
		if (m >= 0)
			free(patches);
		free(series[i]);
	}
	free(series);
	assert_true(seen > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stock),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_lockdep_kasan),
		cmocka_unit_test(test_kcsan),
		cmocka_unit_test(test_mutations),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("series", tests, read_kernels, free_kernels);
}
