// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The base's own tools/testing/selftests/vm, with KAB_TEST_FULL: each call of its run_vmtests.sh ends on the kernel with all
 * series as it does on stock. Which calls there are, and with which arguments, is that script's to say; what it asks
 * of the machine before, huge pages for all of them at once, is left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guests.h"
#include "kernel_parts.h"
#include "kernels.h"
#include "selftests.h"
#include "skip.h"
#include "util.h"

#define FEWEST_CALLS 30
#define FEWEST_PASSES 15
#define CALL_S 300 /* of one call; one that takes longer ends with 124, on either kernel */

/* Runs @command by a shell; a make above must not be heard of. */
static void must_run(const char *log, const char *command)
{
	const char *const argv[] = { "env", "-u", "MAKELEVEL", "-u", "MAKEFLAGS", "sh", "-ec", command, NULL };
	struct error err;

	if (run_command(argv, NULL, log, &err)) {
		__free_char char *said = file_read(log, NULL, NULL);

		fail_msg("%s: %s", command, said ? said : "");
	}
}

/* Programs and script in @folder/install/vm, outside the sources, which others build from. */
static void build(const char *folder)
{
	__free_char char *log = xasprintf("%s/log", folder), *command = NULL;
	struct source s;
	struct error err;
	int lock;

	if (source_find(&find_arm("stock")->base, &s, &err))
		fail_msg("%s", err.text);
	lock = source_extract(&s, log, &err);
	if (lock < 0)
		fail_msg("%s", err.text);
	command = xasprintf("cd %s; make O=%s headers; make -C tools/testing/selftests O=%s TARGETS=vm KSFT_INSTALL_PATH=%s/install "
			    "USERLDFLAGS=-static FORCE_TARGETS=1 install",
		s.dir, folder, folder, folder);
	must_run(log, command);
	close(lock);
	source_clear(&s);
}

/*
 * The part of run_vmtests.sh that calls, with a run_test of our own, which tells a line "status: call". An unprivileged call
 * is by sudo, which a guest need not have.
 */
static void write_script(const char *folder)
{
	static const char head[] =
		"mnt=./huge half_ufd_size_MB=64 VADDR64=1 ksft_skip=4 exitcode=0\n"
		"nr_hugepgs=$(cat /proc/sys/vm/nr_hugepages)\n"
		"echo 160 >/proc/sys/vm/nr_hugepages\n"
		"run_test() {\n"
		"	if [ \"$1\" = sudo ]; then\n"
		"		setpriv --reuid=\"$3\" --clear-groups \"$4\" >&2 </dev/null\n"
		"	else\n"
		"		timeout -k 10 %u \"$@\" >&2 </dev/null\n"
		"	fi\n"
		"	echo \"$?: $*\"\n"
		"}\n"
		"cp -r %s/install/vm /tmp/vm && cd /tmp/vm || exit 1\n";
	__free_char char *path = xasprintf("%s/install/vm/run_vmtests.sh", folder), *text = file_read(path, NULL, NULL);
	const char *calls = text ? strstr(text, "\nmkdir \"$mnt\"") : NULL;
	struct buf b = {};

	if (!calls)
		fail_msg("%s does not read as it did", path);
	buf_addf(&b, head, CALL_S, folder);
	buf_addstr(&b, calls);
	selftests_write(folder, "calls", b.data, 0755);
	buf_free(&b);
}

/* What the programs said, for who wants to know why one failed, beside the other logs. */
static void keep(const char *label, const char *said)
{
	const char *b = getenv("B");
	__free_char char *path = xasprintf("%s/mm-selftests-%s.log", b ? b : "build", label);

	file_write_atomic(path, said, strlen(said), NULL);
	print_message("# %s\n", path);
}

/* The arm called @label, with what these tests need of a kernel. */
static struct arm arm_to_test(const char *label)
{
	struct arm a;

	arm_copy(&a, find_arm(label), label);
	a.config = xrealloc_array(a.config, a.nconfig + 1, sizeof(*a.config));
	a.config[a.nconfig++] = xstrdup("mm-selftests");
	free(a.cmdline);
	a.cmdline = xstrdup("secretmem.enable=1");
	return a;
}

/* What each call came to, a line each. Caller frees. */
static char *outcome(const char *label, const char *folder)
{
	__free_char char *script = xasprintf("%s/calls", folder);
	const char *const argv[] = { "/bin/bash", script, NULL };
	const struct job job = { .id = "vm", .argv = argv, .host_root = true, .timeout_s = 7200 };
	struct arm arm = arm_to_test(label);
	char dir[] = "/tmp/kab-test-XXXXXX";
	struct guests g = { .req = { .arm = &arm, .machine = &kernels->machines[0], .need_root = true } };
	struct job_result res = {};
	struct kernel k = {};
	struct error err;
	char *out;

	if (kernel_build(&arm, &k, NULL, NULL, &err))
		fail_msg("%s: %s", label, err.text);
	assert_non_null(mkdtemp(dir));
	g.req.kernel = k.image;
	g.req.kernel_dir = k.dir;
	g.req.dir = dir;
	assert_int_equal(guests_boot(&g) || guests_run(&g, &job, &res), 0);
	if (res.status != SAMPLE_OK)
		fail_msg("%s: %s: %s", label, sample_status_name(res.status), res.reason ? res.reason : "");
	out = xstrdup(res.out ? res.out : "");
	keep(label, res.err_out ? res.err_out : "");
	job_result_clear(&res);
	guests_shutdown(&g);
	kernel_clear(&k);
	arm_clear(&arm);
	dir_remove(dir, NULL);
	return out;
}

struct tally {
	unsigned calls, passes, differ;
};

/* Lines of both that are no call are the script's own words. */
static struct tally compare(const char *stock, const char *patched)
{
	struct tally t = {};

	while (*stock || *patched) {
		size_t ns = strcspn(stock, "\n"), np = strcspn(patched, "\n");
		bool same = ns == np && !strncmp(stock, patched, ns);

		if (same && isdigit((unsigned char)*stock))
			print_message("# both  %.*s\n", (int)ns, stock);
		else if (!same)
			print_message("# stock %.*s\n# all   %.*s\n", (int)ns, stock, (int)np, patched);
		t.calls += isdigit((unsigned char)*stock) != 0;
		t.passes += !strncmp(stock, "0: ", 3);
		t.differ += !same;
		stock += ns + (stock[ns] == '\n');
		patched += np + (patched[np] == '\n');
	}
	print_message("# %u calls, %u pass on stock, %u differ\n", t.calls, t.passes, t.differ);
	return t;
}

static void test_differences_are_told(void **state)
{
	struct tally t = compare("0: a\n4: b\nsays\n1: c\n", "0: a\n4: b\nsays\n1: c\n");

	(void)state;
	assert_true(t.calls == 3 && t.passes == 1 && !t.differ);
	assert_int_equal(compare("0: a\n0: b\n", "0: a\n1: b\n").differ, 1);
	assert_int_equal(compare("0: a\n0: b\n", "0: a\n").differ, 1);
	assert_int_equal(compare("0: a\n", "0: a\n124: b\n").differ, 1);
}

static void test_same_on_both(void **state)
{
	char folder[] = "/tmp/kab-mm-selftests-XXXXXX";
	__free_char char *stock = NULL, *patched = NULL;
	struct tally t;

	(void)state;
	need_full("minutes of it");
	if (access("/usr/include/numa.h", R_OK) || access("/usr/include/sys/capability.h", R_OK))
		skip_because("libnuma-dev or libcap-dev is not installed");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0755), 0);
	build(folder);
	write_script(folder);
	stock = outcome("stock", folder);
	patched = outcome("all", folder);
	t = compare(stock, patched);
	dir_remove(folder, NULL);
	assert_int_equal(t.differ, 0);
	assert_true(t.calls >= FEWEST_CALLS && t.passes >= FEWEST_PASSES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differences_are_told),
		cmocka_unit_test(test_same_on_both),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("mm self-tests", tests, read_kernels, free_kernels);
}
