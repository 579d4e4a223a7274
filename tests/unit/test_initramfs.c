// SPDX-License-Identifier: GPL-2.0-or-later
/* The archive that guests start on, read back by the system's own cpio. */
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

#include "initramfs.h"
#include "util.h"

/* A scratch folder as cache and as the place of our programs. */
static int make_scratch(void **state)
{
	char *dir = xstrdup("/tmp/kab-initramfs.XXXXXX");

	if (!mkdtemp(dir))
		return -1;
	*state = dir;
	setenv("XDG_CACHE_HOME", dir, 1);
	setenv("KAB_LIBEXEC", dir, 1);
	return 0;
}

static int remove_scratch(void **state)
{
	int ret = dir_remove(*state, NULL);

	free(*state);
	unsetenv("XDG_CACHE_HOME");
	unsetenv("KAB_LIBEXEC");
	return ret;
}

static void put(const char *dir, const char *name, const char *text)
{
	__free_char char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), NULL), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static char *list(const char *archive)
{
	__free_char char *script = xasprintf("cpio -itv --quiet --numeric-uid-gid < '%s'", archive);
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct buf out = {0};

	assert_int_equal(run_capture(argv, NULL, &out, NULL), 0);
	return out.data;
}

static void test_content(void **state)
{
	char *path, *text;

	/* An odd length, so that the padding counts. */
	put(*state, "kab-guest", "12345");
	put(*state, "kab-workload", "123456789");
	path = initramfs_path(NULL);
	assert_non_null(path);
	text = list(path);
	assert_non_null(strstr(text, "init"));
	assert_non_null(strstr(text, "bin/kab-workload"));
	assert_non_null(strstr(text, "crw-------"));
	assert_non_null(strstr(text, "5,   1"));
	assert_non_null(strstr(text, "dev/console"));
	assert_non_null(strstr(text, "drwxrwxrwt"));
	free(text);
	free(path);
}

static void test_kept_by_content(void **state)
{
	__free_char char *first = NULL, *again = NULL, *other = NULL;
	struct stat a, b;

	put(*state, "kab-guest", "one");
	first = initramfs_path(NULL);
	assert_int_equal(stat(first, &a), 0);
	again = initramfs_path(NULL);
	assert_string_equal(first, again);
	assert_int_equal(stat(again, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	put(*state, "kab-guest", "two");
	other = initramfs_path(NULL);
	assert_string_not_equal(first, other);
	assert_int_equal(access(first, R_OK), 0);
}

static void test_big_file_comes_back(void **state)
{
	__free_char char *script = NULL, *path = NULL;
	char *data = xcalloc(1000002, 1);
	const char *argv[] = {"sh", "-c", NULL, NULL};
	struct buf out = {0};

	for (size_t i = 0; i < 1000001; i++)
		data[i] = 'a' + i % 26;
	put(*state, "kab-guest", data);
	path = initramfs_path(NULL);
	argv[2] = script = xasprintf("cpio -i --quiet --to-stdout init < '%s'", path);
	assert_int_equal(run_capture(argv, NULL, &out, NULL), 0);
	assert_int_equal(out.len, 1000001);
	assert_memory_equal(out.data, data, out.len);
	buf_free(&out);
	free(data);
}

static void test_no_agent(void **state)
{
	struct error err;

	/* The tests lie in a folder of their own, where no agent is. */
	(void)state;
	assert_null(initramfs_path(&err));
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	assert_non_null(strstr(err.text, "kab-guest"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_content, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_kept_by_content, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(
			test_big_file_comes_back, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_no_agent, make_scratch, remove_scratch),
	};

	return cmocka_run_group_tests_name("initramfs", tests, NULL, NULL);
}
