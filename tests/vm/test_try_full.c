// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kab try and kab bisect on series whose answers are known, with KAB_TEST_FULL: the one of three patches that makes every
 * read of a pipe slower is named, and of patches that change no code none is, on both kernels that Debian has as a package.
 * By instructions, which are sure of it on any machine.
 */
#include <errno.h>
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

#include <jansson.h>

#include "command.h"
#include "skip.h"
#include "util.h"

#define DELAY "0001-pipe-wait-20-us-in-every-read.patch"
#define ONLY "--exact --yes --only 'pipe/mode=process*'"

static const struct kernel {
	const char *package, *delay; /* the package of its source; the folder of the patch that makes pipes slower */
} linux_6_1 = { "linux-source-6.1", "tests/data/series/pipe-delay" },
  linux_6_12 = { "linux-source-6.12", "tests/data/series/pipe-delay-6.12" };

static char scratch[] = "/tmp/kab-try-XXXXXX";

static void write_file(const char *folder, const char *name, const char *text)
{
	__free_char char *path = xasprintf("%s/%s/%s", scratch, folder, name);
	struct error err = {0};

	if (file_write_atomic(path, text, strlen(text), &err))
		fail_msg("%s", err.text);
}

/* A patch of a text that no kernel is built from. */
static void write_note(const char *folder, unsigned number)
{
	__free_char char *name = xasprintf("%04u-note.patch", number);
	__free_char char *text = xasprintf(
		"From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"
		"From: kab developers <kab@example.org>\n"
		"Date: Sat, 21 Nov 2026 00:00:00 +0000\n"
		"Subject: [PATCH] Documentation: note %u\n\n"
		"Signed-off-by: kab developers <kab@example.org>\n"
		"---\n"
		"diff --git a/Documentation/note-%u.txt b/Documentation/note-%u.txt\n"
		"new file mode 100644\n"
		"--- /dev/null\n"
		"+++ b/Documentation/note-%u.txt\n"
		"@@ -0,0 +1 @@\n"
		"+note\n",
		number, number, number, number);

	write_file(folder, name, text);
}

static void make_folder(const char *name)
{
	__free_char char *path = xasprintf("%s/%s", scratch, name);

	if (mkdir(path, 0755))
		fail_msg("%s: %s", path, strerror(errno));
}

/* Three patches, of which the second makes pipes slower. */
static void make_delay(const struct kernel *k, const char *folder)
{
	__free_char char *path = xasprintf("%s/" DELAY, k->delay);
	struct error err = {0};
	__free_char char *delay = file_read(path, NULL, &err);

	if (!delay)
		fail_msg("%s", err.text);
	make_folder(folder);
	write_note(folder, 1);
	write_file(folder, "0002-delay.patch", delay);
	write_note(folder, 3);
}

/* What "kab try --json" says of the series in @folder, with --each: its exit status, and the patches found guilty. */
static json_t *guilty_of(const struct kernel *k, const char *folder, int *status)
{
	struct buf out = {};
	json_error_t e;
	json_t *o, *guilty;

	*status = run_kab(&out, "try --base %s --each --json --seed 1 " ONLY " --results %s/results %s/%s", k->package, scratch,
		scratch, folder);
	o = json_loads(out.data ? out.data : "", 0, &e);
	if (!o)
		fail_msg("status %d, %s in %s", *status, e.text, out.data ? out.data : "nothing");
	buf_free(&out);
	assert_int_equal(json_integer_value(json_object_get(o, "status")), *status);
	guilty = json_incref(json_object_get(json_object_get(o, "each"), "guilty"));
	assert_true(json_is_array(guilty));
	json_decref(o);
	return guilty;
}

/* Leaves the test where there is no such source. The state of a test is its kernel. */
static const struct kernel *need_kernel(void **state)
{
	const struct kernel *k = *state;
	__free_char char *tarball = xasprintf("/usr/src/%s.tar.xz", k->package);

	need_full("a kernel for each patch");
	if (access(tarball, R_OK))
		skip_because("%s: the archive that make deps asked has none", k->package);
	return k;
}

static void test_each_names_the_patch(void **state)
{
	const struct kernel *k = need_kernel(state);
	__free_char char *folder = xasprintf("%s-delay", k->package);
	json_t *guilty;
	int status;

	make_delay(k, folder);
	guilty = guilty_of(k, folder, &status);
	assert_int_equal(status, 1);
	assert_int_equal(json_array_size(guilty), 1);
	if (!strstr(json_string_value(json_array_get(guilty, 0)), "0002-delay"))
		fail_msg("guilty: %s", json_string_value(json_array_get(guilty, 0)));
	json_decref(guilty);
}

static void test_notes_are_not_guilty(void **state)
{
	const struct kernel *k = need_kernel(state);
	__free_char char *folder = xasprintf("%s-notes", k->package);
	json_t *guilty;
	int status;

	make_folder(folder);
	write_note(folder, 1);
	write_note(folder, 2);
	guilty = guilty_of(k, folder, &status);
	assert_int_equal(status, 0);
	assert_int_equal(json_array_size(guilty), 0);
	json_decref(guilty);
}

static void shell(const char *script, const char *arg)
{
	const char *const argv[] = { "sh", "-ec", script, "sh", scratch, arg, kab(), NULL };
	struct error err = {0};

	if (run_command(argv, NULL, NULL, &err))
		fail_msg("%s: %s", script, err.text);
}

static void test_bisect_names_the_commit(void **state)
{
	const struct kernel *k = need_kernel(state);
	__free_char char *subject = NULL;
	__free_char char *path = xasprintf("%s/subject", scratch);
	struct error err = {0};

	make_delay(k, "commits");
	shell("mkdir \"$1/tree\"; cd \"$1/tree\"; tar xf \"/usr/src/$2.tar.xz\" --strip-components=1; git init -q .;"
	      " git config user.name kab; git config user.email kab@example.org; git config gc.auto 0;"
	      " git add -Af . >/dev/null; git commit -qm base; git am -q ../commits/*", k->package);
	shell("kab=$(realpath \"$3\"); export KAB_HOME=$PWD; cd \"$1/tree\"; git bisect start HEAD HEAD~3 >/dev/null;"
	      " git bisect run \"$kab\" bisect -q " ONLY " --results ../results >../bisect.log;"
	      " git show -s --format=%s refs/bisect/bad >../subject", k->package);
	subject = file_read(path, NULL, &err);
	if (!subject)
		fail_msg("%s", err.text);
	assert_string_equal(subject, "pipe: wait 20 us in every read\n");
}

static int make_scratch(void **state)
{
	(void)state;
	return mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **state)
{
	(void)state;
	return dir_remove(scratch, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_each_names_the_patch, (void *)&linux_6_1),
		cmocka_unit_test_prestate(test_notes_are_not_guilty, (void *)&linux_6_1),
		{ "test_each_names_the_patch, Linux 6.12", test_each_names_the_patch, NULL, NULL, (void *)&linux_6_12 },
		{ "test_notes_are_not_guilty, Linux 6.12", test_notes_are_not_guilty, NULL, NULL, (void *)&linux_6_12 },
		cmocka_unit_test_prestate(test_bisect_names_the_commit, (void *)&linux_6_1),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("kab try", tests, make_scratch, remove_scratch);
}
