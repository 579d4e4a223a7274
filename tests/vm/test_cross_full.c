// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All series stacked, for another architecture, with KAB_TEST_FULL: what they touch of generic code compiles with Debian's
 * cross compiler, and options that an architecture has to ask for stay off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "kernel_parts.h"
#include "kernels.h"
#include "skip.h"
#include "util.h"

#define ARCH "arm64"
#define CROSS "aarch64-linux-gnu-"
#define FEWEST_OBJECTS 15

static char *log_path(const char *name)
{
	const char *b = getenv("B");
	__free_char char *cwd = getcwd(NULL, 0);

	return b && *b == '/' ? xasprintf("%s/%s", b, name) : xasprintf("%s/%s/%s", cwd, b ? b : "build", name);
}

static int run(const char *const argv[], const char *log)
{
	struct error err;
	int status;

	unlink(log);
	status = run_command(argv, NULL, log, &err);
	if (status < 0)
		fail_msg("%s: %s", argv[0], err.text);
	return status;
}

static char *text_of(const char *path)
{
	char *text = file_read(path, NULL, NULL);

	if (!text)
		fail_msg("%s cannot be read", path);
	return text;
}

static void must_run(const char *const argv[], const char *log)
{
	if (run(argv, log)) {
		__free_char char *said = text_of(log);

		fail_msg("%s: %s", argv[0], said);
	}
}

/* Runs make in @tree; a make above must not be heard of. */
static int make(const char *tree, const char *target, const char *log)
{
	const char *const argv[] = { "env", "-u", "MAKELEVEL", "-u", "MAKEFLAGS", "make", "-j2", "-C", tree, "ARCH=" ARCH,
		"CROSS_COMPILE=" CROSS, target, NULL };

	return run(argv, log);
}

static void must_make(const char *tree, const char *target, const char *log)
{
	if (make(tree, target, log)) {
		__free_char char *said = text_of(log);

		fail_msg("make %s: %s", target, said);
	}
}

/* The base with the patches of arm "all" in @tree, configured as @r says where the architecture knows of it. */
static void prepare(const char *tree, const char *log, const struct recipe *r)
{
	__free_char char *wanted = xasprintf("%s/wanted", tree), *config = xasprintf("%s/.config", tree);
	const char *const merge[] = { "env", "-C", tree, "ARCH=" ARCH, "scripts/kconfig/merge_config.sh", "-m", ".config",
		"wanted", NULL };
	struct source s;
	struct buf b = {};
	struct error err;
	int lock;

	if (source_find(&find_arm("all")->base, &s, &err))
		fail_msg("%s", err.text);
	lock = source_extract(&s, log, &err);
	if (lock < 0)
		fail_msg("%s", err.text);
	must_run((const char *const[]){ "cp", "-a", s.dir, tree, NULL }, log);
	close(lock);
	if (recipe_apply(r, tree, s.name, log, &err))
		fail_msg("%s", err.text);
	source_clear(&s);
	must_make(tree, "defconfig", log);
	settings_text(&r->settings, &b);
	assert_int_equal(file_write_atomic(wanted, b.data, b.len, NULL), 0);
	buf_free(&b);
	must_run(merge, log);
	must_make(tree, "olddefconfig", log);
	assert_int_equal(access(config, R_OK), 0);
	must_make(tree, "prepare", log);
}

/* Whether the line @line is in the configuration of @tree. */
static bool configured(const char *tree, const char *line)
{
	__free_char char *path = xasprintf("%s/.config", tree), *text = text_of(path);
	__free_char char *whole = xasprintf("\n%s\n", line);

	return strstr(text, whole);
}

enum making { IN_ANOTHER, BY_ITSELF, NOT_HERE };

/*
 * How the Makefile beside @name in @tree makes its object: kernel/sched includes most of its files in two others, and make makes
 * any object that a line names, whether or not the option on that line is set.
 */
static enum making making_of(const char *tree, const char *name)
{
	static const char by_option[] = "obj-$(";
	const char *slash = strrchr(name, '/'), *file = slash + 1, *at;
	__free_char char *path = xasprintf("%s/%.*s/Makefile", tree, (int)(slash - name), name);
	__free_char char *object = xasprintf(" %.*so", (int)strlen(file) - 1, file), *text = text_of(path);
	__free_char char *option = NULL;

	at = strstr(text, object);
	if (!at)
		return IN_ANOTHER;
	while (at > text && at[-1] != '\n')
		at--;
	if (strncmp(at, by_option, strlen(by_option)))
		return BY_ITSELF;
	at += strlen(by_option);
	option = xasprintf("%.*s=y", (int)strcspn(at, ")"), at);
	return configured(tree, option) ? BY_ITSELF : NOT_HERE;
}

/* What to make of a C file that every architecture has: "dir/file.o", or "dir/"; NULL: it is none. Caller frees. */
static char *target_of(const char *tree, const char *name)
{
	static const char *const others[] = { "arch/", "tools/", "Documentation/", "samples/", "scripts/" };
	size_t len = strlen(name);

	if (len < 2 || strcmp(name + len - 2, ".c"))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strncmp(name, others[i], strlen(others[i])))
			return NULL;
	if (making_of(tree, name) == IN_ANOTHER)
		return xasprintf("%.*s", (int)(strrchr(name, '/') + 1 - name), name);
	return xasprintf("%.*so", (int)len - 1, name);
}

/* Compiles what the series touch; how many objects that made. What is not configured here is named. */
static unsigned compile(const char *tree, const char *log, const struct strings *touched)
{
	unsigned made = 0;

	for (size_t i = 0; i < touched->n; i++) {
		__free_char char *object = target_of(tree, touched->v[i]), *said = NULL;

		if (!object)
			continue;
		if (making_of(tree, touched->v[i]) == NOT_HERE) {
			print_message("# %s: not in this configuration\n", object);
			continue;
		}
		if (make(tree, object, log)) {
			said = text_of(log);
			fail_msg("%s: %s", object, said);
		}
		made++;
	}
	return made;
}

static void test_builds_for_another_architecture(void **state)
{
	/* Not among our own objects: make would take what lies there for more of them. */
	__free_char char *tree = cache_path("build", "cross-" ARCH), *log = log_path("cross-" ARCH ".log");
	struct strings touched = {};
	struct recipe r;
	struct error err;
	unsigned made;
	int lock;

	(void)state;
	need_full("a cross build");
	if (run((const char *const[]){ "sh", "-c", "command -v " CROSS "gcc", NULL }, log))
		skip_because(CROSS "gcc is not installed");
	lock = cache_lock("cross-" ARCH, LOCK_EX, &err); /* else others' builds sweep it away */
	if (lock < 0)
		fail_msg("%s", err.text);
	dir_remove(tree, NULL);
	if (recipe_read(find_arm("all"), &r, &err))
		fail_msg("%s", err.text);
	if (recipe_touched(&r, &touched, &err))
		fail_msg("%s", err.text);
	prepare(tree, log, &r);
	made = compile(tree, log, &touched);
	print_message("# %u objects for " ARCH "\n", made);
	assert_true(made >= FEWEST_OBJECTS);
	/* An architecture that asks for nothing keeps what it has. */
	assert_false(configured(tree, "CONFIG_LAZY_MM_UNCOUNTED=y"));
	assert_false(configured(tree, "CONFIG_PER_VMA_LOCK=y"));
	strings_clear(&touched);
	recipe_clear(&r);
	dir_remove(tree, NULL);
	close(lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builds_for_another_architecture),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("another architecture", tests, read_kernels, free_kernels);
}
