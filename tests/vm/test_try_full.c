// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kab try on series whose answers are known, with KAB_TEST_FULL: the one of three patches that makes every read of a pipe
 * slower is named, and of patches that change no code none is. By instructions, which are sure of it on any machine.
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

#include <jansson.h>

#include "command.h"
#include "skip.h"
#include "util.h"

#define DELAY "tests/data/series/pipe-delay/0001-pipe-wait-20-us-in-every-read.patch"

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

/* What "kab try --json" says of the series in @folder, with --each: its exit status, and the patches found guilty. */
static json_t *guilty_of(const char *folder, int *status)
{
	struct buf out = {};
	json_error_t e;
	json_t *o, *guilty;

	*status = run_kab(&out, "try --exact --each --json --yes --seed 1 --only 'pipe/mode=process*' --results %s/results %s/%s",
		scratch, scratch, folder);
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

static void make_folder(const char *name)
{
	__free_char char *path = xasprintf("%s/%s", scratch, name);

	if (mkdir(path, 0755))
		fail_msg("%s: %s", path, strerror(errno));
}

static void test_each_names_the_patch(void **state)
{
	__free_char char *delay = NULL;
	struct error err = {0};
	json_t *guilty;
	int status;

	(void)state;
	need_full("a kernel for each patch");
	delay = file_read(DELAY, NULL, &err);
	if (!delay)
		fail_msg("%s", err.text);
	make_folder("delay");
	write_note("delay", 1);
	write_file("delay", "0002-delay.patch", delay);
	write_note("delay", 3);

	guilty = guilty_of("delay", &status);
	assert_int_equal(status, 1);
	assert_int_equal(json_array_size(guilty), 1);
	if (!strstr(json_string_value(json_array_get(guilty, 0)), "0002-delay"))
		fail_msg("guilty: %s", json_string_value(json_array_get(guilty, 0)));
	json_decref(guilty);
}

static void test_notes_are_not_guilty(void **state)
{
	json_t *guilty;
	int status;

	(void)state;
	need_full("a kernel for each patch");
	make_folder("notes");
	write_note("notes", 1);
	write_note("notes", 2);
	guilty = guilty_of("notes", &status);
	assert_int_equal(status, 0);
	assert_int_equal(json_array_size(guilty), 0);
	json_decref(guilty);
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
		cmocka_unit_test(test_each_names_the_patch),
		cmocka_unit_test(test_notes_are_not_guilty),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("kab try", tests, make_scratch, remove_scratch);
}
