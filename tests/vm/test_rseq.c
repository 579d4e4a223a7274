// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Series rseq-vcpu-id in guests, by tests that are not its own: the self-tests of restartable sequences that Linux 6.12
 * has for its ids, built unchanged from Debian's package of that source; and kab-workload's stress test of ids, on 8 CPUs
 * in 2 nodes. The kernels are the arms of kernels.yaml. KAB_TEST_FULL makes everything longer, and adds the
 * mutations, which the stress test must notice.
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
#include <unistd.h>

#include "guests.h"
#include "kernel.h"
#include "kernels.h"
#include "minutes.h"
#include "skip.h"
#include "util.h"

#define SERIES "rseq-vcpu-id"
#define SOURCE "linux-source-6.12"
#define TARBALL "/usr/src/" SOURCE ".tar.xz"

static bool full(void)
{
	return getenv("KAB_TEST_FULL");
}

static bool carries_series(const struct arm *arm)
{
	for (size_t i = 0; i < arm->nseries; i++)
		if (!strcmp(arm->series[i].name, SERIES))
			return true;
	return false;
}

/* ---- guests ----------------------------------------------------------------------------------- */

struct guest {
	char dir[32];
	struct kernel kernel;
	struct guests all;
};

static void boot(struct guest *g, const struct arm *arm)
{
	static const struct machine machine = {.cpus = 8, .nodes = 2, .memory = 2ull << 30};
	struct boot_request *req = &g->all.req;
	struct error err;

	*g = (struct guest){.dir = "/tmp/kab-test-XXXXXX",
		.all.req = {.arm = arm, .machine = &machine, .need_root = true}};
	assert_non_null(mkdtemp(g->dir));
	if (kernel_build(arm, &g->kernel, NULL, NULL, &err))
		fail_msg("%s: %s", arm->label, err.text);
	req->kernel = g->kernel.image;
	req->kernel_dir = g->kernel.dir;
	req->dir = g->dir;
	req->debug_kernel = g->kernel.debug;
	assert_int_equal(guests_boot(&g->all), 0);
}

static void shut_down(struct guest *g)
{
	guests_shutdown(&g->all);
	dir_remove(g->dir, NULL);
	kernel_clear(&g->kernel);
}

/* Runs @argv and returns its exit status; what it printed, both ways together, is in *@said. */
static int run(struct guest *g, const char *id, const char *const argv[], bool root, char **said)
{
	struct job job = {.id = id, .argv = argv, .host_root = root, .timeout_s = 1500};
	struct job_result res = {};
	uint64_t began = now_ns();
	int status;

	if (guests_run(&g->all, &job, &res))
		fail_msg("%s: it could not be run", id);
	if (res.status != SAMPLE_OK)
		fail_msg("%s: %s: %s\n%s%s", id, sample_status_name(res.status),
			res.reason ? res.reason : "", res.out ? res.out : "",
			res.err_out ? res.err_out : "");
	*said = xasprintf("%s%s", res.out ? res.out : "", res.err_out ? res.err_out : "");
	status = res.exit_status;
	print_message("# %s: status %d in %.1f s\n", id, status, (now_ns() - began) / 1e9);
	job_result_clear(&res);
	return status;
}

/* ---- the self-tests of Linux 6.12 --------------------------------------------------------------- */

/* A folder that guests see, too. */
static char *upstream_folder(void)
{
	const char *b = getenv("B");
	__free_char char *cwd = getcwd(NULL, 0);

	return b && *b == '/' ? xasprintf("%s/rseq-upstream", b)
			      : xasprintf("%s/%s/rseq-upstream", cwd, b ? b : "build");
}

static void command(const char *const argv[], const char *log)
{
	struct error err;
	int status = run_command(argv, NULL, log, &err);

	if (status) {
		__free_char char *said = file_read(log, NULL, NULL);

		fail_msg("%s: status %d: %s", argv[0], status, said ? said : "");
	}
}

/*
 * Takes the self-tests out of the package's tarball and builds them as they are. glibc's headers may be too old to
 * name the auxiliary vector's entries. Returns their folder.
 */
static char *build_upstream(void)
{
	__free_char char *folder = upstream_folder();
	__free_char char *log = xasprintf("%s/build.log", folder);
	char *tests = xasprintf("%s/" SOURCE "/tools/testing/selftests/rseq", folder);
	const char *const tar[] = {"tar", "--extract", "--file", TARBALL, "--directory", folder,
		"--no-same-owner", SOURCE "/tools/testing/selftests/rseq",
		SOURCE "/tools/testing/selftests/lib.mk",
		SOURCE "/tools/testing/selftests/kselftest.h",
		SOURCE "/tools/testing/selftests/kselftest_deps.sh", SOURCE "/tools/include",
		SOURCE "/tools/scripts", NULL};
	/* A make above would change where kselftest's rules put what they build. */
	const char *const make[] = {"env", "-u", "MAKELEVEL", "-u", "MAKEFLAGS", "make", "-j2", "-C", tests,
		"KHDR_INCLUDES=-DAT_RSEQ_FEATURE_SIZE=27 -DAT_RSEQ_ALIGN=28", NULL};

	dir_remove(folder, NULL);
	assert_int_equal(dir_make(folder, NULL), 0);
	command(tar, log);
	command(make, log);
	return tests;
}

/*
 * Those that take no arguments, and the ones that are made shorter by some. mm_cid is what 6.12 calls the ids; a
 * kernel without them, or without node ids, fails with what the test says of it.
 */
#define NO_IDS "getter unavailable"
static const struct {
	const char *program, *arguments;
	const char *without; /* NULL: passes there, too */
	bool full;
} upstream[] = {
	{"basic_test", "", "rseq_node_id_available", false},
	{"basic_percpu_ops_test", "", NULL, true},
	{"basic_percpu_ops_mm_cid_test", "", NO_IDS, false},
	{"param_test", "-T l -r 500", NULL, false},
	{"param_test_mm_cid", "-T l -r 500", NO_IDS, false},
	{"param_test_mm_cid", "-T b -M -r 500", NO_IDS, false},
	{"param_test_compare_twice", "-T i -r 500", NULL, false},
	{"param_test_mm_cid_compare_twice", "-T i -r 500", NO_IDS, false},
	{"param_test_benchmark", "-T s -r 500", NULL, false},
	{"param_test_mm_cid_benchmark", "-T s -r 500", NO_IDS, false},
	{"run_param_test.sh", "-r 10 -t 8", NO_IDS, true},
};

static void run_upstream(struct guest *g, const char *tests, bool has_ids)
{
	for (size_t i = 0; i < ARRAY_SIZE(upstream); i++) {
		__free_char char *line = xasprintf("cd '%s' && exec ./%s %s", tests,
			upstream[i].program, upstream[i].arguments);
		const char *const argv[] = {"bash", "-c", line, NULL};
		__free_char char *said = NULL;
		int status;

		if (upstream[i].full && !full())
			continue;
		status = run(g, upstream[i].program, argv, true, &said);
		if (has_ids || !upstream[i].without) {
			if (status)
				fail_msg("%s: status %d: %s", upstream[i].program, status, said);
		} else if (!status || !strstr(said, upstream[i].without)) {
			fail_msg("%s: status %d without ids: %s", upstream[i].program, status,
				said);
		}
	}
}

static void upstream_on(const char *label)
{
	const struct arm *arm = find_arm(label);
	__free_char char *tests = NULL;
	struct guest g;

	if (access(TARBALL, R_OK))
		skip_because("Debian's package " SOURCE " is not installed: no %s", TARBALL);
	tests = build_upstream();
	boot(&g, arm);
	run_upstream(&g, tests, carries_series(arm));
	shut_down(&g);
}

static void test_upstream_on_stock(void **state)
{
	(void)state;
	upstream_on("stock");
}

static void test_upstream_on_all(void **state)
{
	(void)state;
	if (!carries_series(find_arm("all")))
		skip_because("arm 'all' of " KERNELS " does not carry " SERIES);
	upstream_on("all");
}

/* ---- the stress test ---------------------------------------------------------------------------- */

static int stress(struct guest *g, const char *index, const char *disturb, unsigned s, char **said)
{
	__free_char char *duration = xasprintf("%us", s);
	const char *const argv[] = {"kab-workload", "run", "vcpu", "--verify", "--workers", "8",
		"--index", index, "--disturb", disturb, "--duration", duration, NULL};

	return run(g, index, argv, false, said);
}

/* A kind of disturbance that has not taken place once, or NULL. */
static const char *not_disturbed_by(const char *said)
{
	static const char *const kinds[] = {
		"moves", "forks", "execs", "threads", "borrowings", "cpusets", "hotplugs"};
	json_t *o = json_loads(said, 0, NULL), *figures = json_object_get(o, "figures");
	const char *none = NULL;

	if (!figures)
		fail_msg("no figures: %s", said);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		double n = json_number_value(json_object_get(figures, kinds[i]));

		print_message("# %s: %.0f\n", kinds[i], n);
		if (!(n > 0))
			none = kinds[i];
	}
	json_decref(o);
	return none;
}

#define LONGEST_S 320

/*
 * Passes the stress test in @s seconds, with every kind of disturbance: one that did nothing would pass, too. A busy
 * machine may get no further than to some of them by then, and is given four times as long.
 */
static void passes_disturbed(struct guest *g, const char *index, unsigned s)
{
	const char *none = "seconds";

	for (; none && s <= LONGEST_S; s *= 4) {
		__free_char char *said = NULL;
		int status = stress(g, index, "machine", s, &said);

		if (status)
			fail_msg("%s: status %d: %s", g->all.req.arm->label, status, said);
		none = not_disturbed_by(said);
	}
	if (none)
		fail_msg("%s: no %s", g->all.req.arm->label, none);
}

static void passes_stress(const char *label)
{
	const struct arm *arm = find_arm(label);
	struct guest g;

	if (!carries_series(arm))
		skip_because("arm '%s' of " KERNELS " does not carry " SERIES, label);
	need_minutes(minutes_on(arm, 3), label);
	boot(&g, arm);
	passes_disturbed(&g, "vm_vcpu_id", full() ? 60 : 10);
	shut_down(&g);
}

/* Stock has no virtual CPU ids, and says so; CPU numbers bear the same test. */
static void test_stress_on_stock(void **state)
{
	__free_char char *skipped = NULL;
	struct guest g;

	(void)state;
	boot(&g, find_arm("stock"));
	assert_int_equal(stress(&g, "vm_vcpu_id", "machine", 5, &skipped), 77);
	assert_non_null(strstr(skipped, "AT_RSEQ_FEATURE_SIZE"));
	passes_disturbed(&g, "cpu_id", 10);
	shut_down(&g);
}

static void test_stress_on_all(void **state)
{
	(void)state;
	passes_stress("all");
}

static void test_stress_under_lockdep_and_kasan(void **state)
{
	(void)state;
	passes_stress("lockdep-kasan");
}

static void test_stress_under_kcsan(void **state)
{
	(void)state;
	passes_stress("kcsan");
}

/* Node ids are shared by threads, so that a test by them must fail: it looks. */
static void test_stress_notices_shared_ids(void **state)
{
	const struct arm *arm = find_arm("all");
	__free_char char *said = NULL;
	struct guest g;

	(void)state;
	if (!carries_series(arm))
		skip_because("arm 'all' of " KERNELS " does not carry " SERIES);
	boot(&g, arm);
	assert_int_equal(stress(&g, "node_id", "none", 20, &said), 1);
	assert_non_null(strstr(said, "not unique"));
	shut_down(&g);
}

/* What the stress test must find in kernels with something taken out. */
static const struct {
	const char *name, *finds;
} mutations[] = {
	{"migration-release-left-out", "not packed"},
};

static void notices_mutation(const char *mutation, const char *finds)
{
	__free_char char *name = xasprintf(SERIES "/%s", mutation);
	struct arm arm = *find_arm("all");
	__free_char char *said = NULL;
	struct guest g;
	int status;

	arm.label = name;
	arm.mutation = name;
	boot(&g, &arm);
	status = stress(&g, "vm_vcpu_id", "machine", 60, &said);
	print_message("# %s: %s\n", mutation, said);
	if (status != 1 || !strstr(said, finds))
		fail_msg("%s: status %d, not '%s': %s", mutation, status, finds, said);
	shut_down(&g);
}

static void test_stress_notices_mutations(void **state)
{
	(void)state;
	if (!full())
		skip_because("a kernel for each mutation: make test-full");
	if (!carries_series(find_arm("all")))
		skip_because("arm 'all' of " KERNELS " does not carry " SERIES);
	for (size_t i = 0; i < ARRAY_SIZE(mutations); i++)
		notices_mutation(mutations[i].name, mutations[i].finds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upstream_on_stock),
		cmocka_unit_test(test_upstream_on_all),
		cmocka_unit_test(test_stress_on_stock),
		cmocka_unit_test(test_stress_on_all),
		cmocka_unit_test(test_stress_notices_shared_ids),
		cmocka_unit_test(test_stress_under_lockdep_and_kasan),
		cmocka_unit_test(test_stress_under_kcsan),
		cmocka_unit_test(test_stress_notices_mutations),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("rseq", tests, read_kernels, free_kernels);
}
