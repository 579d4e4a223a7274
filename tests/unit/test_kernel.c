// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernels in the cache. The base is a source tree in miniature (tests/data/kernel/tree) whose
 * Makefile has the targets that a build calls: unpacking, patch(1), make, locks and the cache are
 * the real ones, and each test has a cache of its own.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands.h"
#include "kernel_parts.h"

#define DATA "tests/data/kernel"

struct fixture {
	char dir[64];
	char *tarball, *git, *tree; /* the same sources, to be edited */
};

static struct fixture *fx;

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *fmt, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command))
		fail_msg("%s", command);
}

#define GIT "git -c user.name=t -c user.email=t@example.org -C %s/git "

static int setup(void **state)
{
	char *home = realpath(DATA "/home", NULL);

	(void)state;
	fx = xcalloc(1, sizeof(*fx));
	snprintf(fx->dir, sizeof(fx->dir), "/tmp/test_kernel.XXXXXX");
	assert_non_null(mkdtemp(fx->dir));
	assert_non_null(home);
	setenv("KAB_HOME", home, 1);
	setenv("XDG_CACHE_HOME", fx->dir, 1);
	/* None of these may reach a build. */
	setenv("KCFLAGS", "-DLEAKED", 1);
	setenv("MAKEFLAGS", "-n", 1);
	free(home);
	fx->tarball = xasprintf("%s/linux.tar.gz", fx->dir);
	fx->git = xasprintf("%s/git", fx->dir);
	fx->tree = xasprintf("%s/tree", fx->dir);
	shell("cp -r " DATA "/tree %s && tar -czf %s -C %s tree", fx->tree, fx->tarball, fx->dir);
	shell("cp -r " DATA "/tree %s && git init -q %s", fx->git, fx->git);
	shell(GIT "add -A && " GIT "commit -q -m one && " GIT "tag one", fx->dir, fx->dir, fx->dir);
	/* The second revision has the same lines 30 further down. */
	shell("cd %s/mm && (seq -f '/* %%g */' 30; cat mmap.c) >new && mv new mmap.c", fx->git);
	shell(GIT "commit -q -a -m two", fx->dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dir_remove(fx->dir, NULL);
	free(fx->tarball);
	free(fx->git);
	free(fx->tree);
	free(fx);
	return 0;
}

/* An arm on the tarball; @series may be NULL, @patches 0 takes all. */
static struct arm arm_of(const char *series, unsigned patches)
{
	struct arm a = {.label = xstrdup("arm"),
		.cmdline = xstrdup(""),
		.base.tarball = xstrdup(fx->tarball)};

	if (series) {
		a.series = xcalloc(1, sizeof(*a.series));
		a.nseries = 1;
		a.series[0] = (struct series_ref){xstrdup(series), patches};
	}
	return a;
}

static void arm_add_config(struct arm *a, const char *name)
{
	a->config = xrealloc_array(a->config, a->nconfig + 1, sizeof(*a->config));
	a->config[a->nconfig++] = xstrdup(name);
}

static void build_or_fail(const struct arm *a, struct kernel *k)
{
	struct error err = {};

	if (kernel_build(a, k, NULL, NULL, &err))
		fail_msg("%s", err.text);
	assert_true(k->built);
}

/* Builds @a, which must fail with @status and a text that holds each of the NULL-terminated words.
 */
static void expect_failure(struct arm a, enum kab_exit status, ...)
{
	struct error err = {};
	struct kernel k;
	const char *word;
	va_list ap;

	if (!kernel_build(&a, &k, NULL, NULL, &err))
		fail_msg("it was built: %s", k.dir);
	if (err.status != status)
		fail_msg("status %d, expected %d: %s", err.status, status, err.text);
	va_start(ap, status);
	while ((word = va_arg(ap, const char *)))
		if (!strstr(err.text, word))
			fail_msg("\"%s\" does not say \"%s\"", err.text, word);
	va_end(ap);
	arm_clear(&a);
}

static char *image_text(const struct kernel *k)
{
	struct error err = {};
	char *text = file_read(k->image, NULL, &err);

	if (!text)
		fail_msg("%s", err.text);
	return text;
}

static void expect_image(const struct kernel *k, const char *words, bool there)
{
	__free_char char *text = image_text(k);

	if (!!strstr(text, words) != there)
		fail_msg("%s \"%s\" in the image:\n%s", there ? "no" : "there is", words, text);
}

static size_t entries(const char *kind)
{
	__free_char char *path = xasprintf("%s/kab/%s", fx->dir, kind);
	struct strings names = folder_names(path, "");
	size_t n = names.n;

	strings_clear(&names);
	return n;
}

/* The key that @a resolves to; @a is freed. */
static char *key_of(struct arm a)
{
	struct error err = {};
	struct kernel k;
	char *key;

	if (kernel_resolve(&a, &k, &err))
		fail_msg("%s", err.text);
	key = xstrdup(k.key);
	kernel_clear(&k);
	arm_clear(&a);
	return key;
}

/* ---- what a key is made of ---- */

static void test_same_inputs_give_the_same_key(void **state)
{
	__free_char char *a = key_of(arm_of("good", 0)), *b = key_of(arm_of("good", 0));

	(void)state;
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), 64);
}

static void test_every_input_changes_the_key(void **state)
{
	struct arm arms[7] = {arm_of(NULL, 0), arm_of("good", 0), arm_of("good", 1),
		arm_of(NULL, 0), arm_of(NULL, 0), arm_of("good", 0), arm_of(NULL, 0)};
	char *keys[ARRAY_SIZE(arms)];

	(void)state;
	arm_add_config(&arms[3], "small");
	arms[4].align = 64;
	arms[5].mutation = xstrdup("good/no-second");
	free(arms[6].base.tarball);
	arms[6].base = (struct base){.tree = xstrdup(fx->git)};
	for (size_t i = 0; i < ARRAY_SIZE(arms); i++)
		keys[i] = key_of(arms[i]);
	for (size_t i = 0; i < ARRAY_SIZE(arms); i++)
		for (size_t j = i + 1; j < ARRAY_SIZE(arms); j++)
			assert_string_not_equal(keys[i], keys[j]);
	for (size_t i = 0; i < ARRAY_SIZE(arms); i++)
		free(keys[i]);
}

/* The key of series "good" after its copy in a folder of ours was edited by shell command @edit. */
static char *key_of_edited(const char *edit)
{
	__free_char char *folder = xasprintf("%s/elsewhere", fx->dir);

	shell("rm -rf %s && cp -r " DATA "/home/kernel-patch/series/good %s && cd %s && %s", folder,
		folder, folder, edit);
	return key_of(arm_of(folder, 0));
}

/* Where patches lie, the mail around them and comments in fragments are no part of what is built.
 */
static void test_names_and_remarks_leave_the_key_alone(void **state)
{
	static const char *const edits[] = {"true", "sed -i '1i # a remark' config",
		"sed -i '1i From: A. U. Thor\\n\\nWords.\\n---\\n mm/mmap.c | 2 +-\\n' "
		"0001-first.patch",
		"mv 0001-first.patch x.patch && printf 'x.patch\\n0002-second.patch\\n' >series"};
	__free_char char *plain = key_of(arm_of("good", 0));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		__free_char char *key = key_of_edited(edits[i]);

		if (strcmp(key, plain))
			fail_msg("another key after: %s", edits[i]);
	}
}

/* A diff in another style before one of git's, an option, the order: each is built. */
static void test_every_edit_of_substance_changes_the_key(void **state)
{
	static const char *const edits[] = {
		"(cat 0001-first.patch; cat 0002-second.patch) >x && mv x 0002-second.patch",
		"(printf -- '--- a/mm/swap.c\\n+++ b/mm/swap.c\\n@@ -5 +5,2 @@\\n }\\n+int x;\\n'; "
		"cat "
		"0001-first.patch) >x && mv x 0001-first.patch",
		"sed -i s/100/101/ 0001-first.patch", "echo CONFIG_KSM=y >>config",
		"printf '0002-second.patch\\n0001-first.patch\\n' >series",
		"echo other >>selftests"};
	__free_char char *plain = key_of(arm_of("good", 0));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		__free_char char *key = key_of_edited(edits[i]);

		if (!strcmp(key, plain))
			fail_msg("the same key after: %s", edits[i]);
	}
}

/* ---- settings ---- */

static struct settings settings_of(const char *text, unsigned patches)
{
	struct settings s = {};
	struct error err = {};

	if (settings_add(&s, "x.config", text, patches, &err))
		fail_msg("%s", err.text);
	return s;
}

static void test_later_fragment_wins(void **state)
{
	struct settings s = settings_of("CONFIG_B=y\nCONFIG_A=1\n# CONFIG_C is not set\n", 0);
	struct error err = {};
	struct buf text = {};

	(void)state;
	assert_int_equal(
		settings_add(&s, "y.config", "CONFIG_A=2\nCONFIG_C=y\nCONFIG_B=n\n", 0, &err), 0);
	settings_text(&s, &text);
	assert_string_equal(text.data, "CONFIG_A=2\n# CONFIG_B is not set\nCONFIG_C=y\n");
	assert_string_equal(settings_find(&s, "CONFIG_A")->file, "y.config");
	assert_null(settings_find(&s, "CONFIG_D"));
	buf_free(&text);
	settings_clear(&s);
}

static void test_settings_of_later_patches_wait_for_them(void **state)
{
	static const char text[] =
		"CONFIG_A=y\n# from-patch: 2\nCONFIG_B=y\n# from-patch: 3\nCONFIG_C=y\n";
	static const size_t count[] = {3, 1, 2, 3, 3};

	(void)state;
	for (unsigned patches = 0; patches < ARRAY_SIZE(count); patches++) {
		struct settings s = settings_of(text, patches);

		assert_int_equal(s.n, count[patches]);
		settings_clear(&s);
	}
}

static void test_bad_fragment_names_file_and_line(void **state)
{
	static const char *const bad[] = {"CONFIG_A=y\nCONFIG_B\n", "# fine\nSMP=y\n",
		"\nCONFIG_=y\n", "\nCONFIG_A=\n", "\n# from-patch: two\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct settings s = {};
		struct error err = {};

		assert_int_equal(settings_add(&s, "x.config", bad[i], 0, &err), -1);
		assert_int_equal(err.status, KAB_USAGE);
		assert_non_null(strstr(err.text, "x.config:2: "));
		settings_clear(&s);
	}
}

static void test_options_that_did_not_take_are_named(void **state)
{
	struct settings s =
		settings_of("CONFIG_A=y\nCONFIG_N=64\n# CONFIG_OFF is not set\nCONFIG_T=\"x\"\n"
			    "# CONFIG_GONE is not set\n",
			0);
	struct error err = {};

	(void)state;
	assert_int_equal(
		settings_check(&s, "CONFIG_A=y\nCONFIG_N=64\nCONFIG_T=\"x\"\n", NULL, &err), 0);
	assert_int_equal(
		settings_check(&s,
			"CONFIG_N=32\nCONFIG_OFF=y\nCONFIG_T=\"x\"\n# CONFIG_GONE is not set\n",
			NULL, &err),
		-1);
	assert_int_equal(err.status, KAB_USAGE);
	assert_string_equal(err.text, "3 options of the config fragments did not take:\n"
				      "  CONFIG_A: x.config:1 wants y, got it unset\n"
				      "  CONFIG_N: x.config:2 wants 64, got 32\n"
				      "  CONFIG_OFF: x.config:3 wants it unset, got y");
	settings_clear(&s);
}

/* ---- what patch(1) says ---- */

static void test_patch_output_is_understood(void **state)
{
	static const struct {
		const char *out, *why;
	} cases[] = {
		{"patching file mm/a.c\npatching file mm/b.c\nHunk #1 succeeded at 9 (offset 3 "
		 "lines).\n"
		 "Hunk #3 FAILED at 77.\n1 out of 3 hunks FAILED\n",
			"hunk 3 of mm/b.c does not apply"},
		{"can't find file to patch at input line 3\n|--- a/mm/x.c\n|+++ b/mm/x.c\nSkipping "
		 "patch.\n",
			"mm/x.c, which it changes, is not in the sources"},
		{"patching file mm/a.c\nReversed (or previously applied) patch detected!  Skipping "
		 "patch.\n",
			"mm/a.c has this change already"},
		{"patch: **** malformed patch at line 7: x\n",
			"not a patch (malformed patch at line 7: x)"},
		{"The next patch would create the file mm/n.c,\nwhich already exists!  Skipping patch.\n",
			"mm/n.c, which it makes, is there already"},
		{"The next patch would delete the file mm/n.c,\nwhich does not exist!  Skipping patch.\n",
			"mm/n.c, which it deletes, is not in the sources"},
		{"", "patch(1) refused it"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__free_char char *why = patch_failure(cases[i].out, NULL);

		assert_string_equal(why, cases[i].why);
	}
}

/* ---- builds ---- */

static void test_build_is_published_whole(void **state)
{
	struct arm a = arm_of("good", 0);
	__free_char char *log = NULL;
	struct kernel k, again;

	(void)state;
	build_or_fail(&a, &k);
	expect_image(&k, "int first = 100;", true);
	expect_image(&k, "int second = 200;", true);
	expect_image(&k, "LEAKED", false);
	assert_string_equal(k.base_version, "6.1.192");
	assert_non_null(k.vmlinux);
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(k.meta, "config"), "CONFIG_NR_CPUS")),
		"32");
	assert_null(json_object_get(json_object_get(k.meta, "config"), "CONFIG_KSM"));
	assert_int_equal(json_array_size(json_object_get(k.meta, "patches")), 2);
	assert_int_equal(json_array_size(json_object_get(k.meta, "warnings")), 0);
	log = xasprintf("%s/build.log", k.dir);
	assert_int_equal(access(log, R_OK), 0);
	assert_int_equal(entries("build"), 0);
	/* The name that /proc/version will show is the key's. */
	{
		__free_char char *host = xasprintf("by kab@%.12s\n", k.key);

		expect_image(&k, host, true);
	}
	assert_int_equal(kernel_resolve(&a, &again, NULL), 0);
	assert_true(again.built);
	assert_string_equal(again.dir, k.dir);
	kernel_clear(&again);
	kernel_clear(&k);
	arm_clear(&a);
}

static void test_selftests_are_built_against_the_patched_tree(void **state)
{
	struct arm all = arm_of("good", 0), one = arm_of("good", 1);
	__free_char char *program = NULL;
	struct buf out = {};
	struct kernel k;

	(void)state;
	build_or_fail(&all, &k);
	assert_non_null(k.selftests);
	program = xasprintf("%s/second/second", k.selftests);
	{
		const char *const argv[] = {program, NULL};

		assert_int_equal(run_capture(argv, NULL, &out, NULL), 0);
	}
	assert_string_equal(out.data, "1\n");
	buf_free(&out);
	kernel_clear(&k);
	build_or_fail(&one, &k);
	assert_null(k.selftests);
	kernel_clear(&k);
	arm_clear(&all);
	arm_clear(&one);
}

static void test_first_patches_alone(void **state)
{
	struct arm a = arm_of("good", 1);
	struct kernel k;

	(void)state;
	build_or_fail(&a, &k);
	expect_image(&k, "int first = 100;", true);
	expect_image(&k, "int second = 2;", true);
	kernel_clear(&k);
	arm_clear(&a);
}

static void test_mutation_alignment_and_config(void **state)
{
	struct arm a = arm_of("good", 0);
	struct kernel k;

	(void)state;
	a.mutation = xstrdup("good/no-second");
	a.align = 64;
	arm_add_config(&a, "small");
	build_or_fail(&a, &k);
	expect_image(&k, "return n;", true);
	expect_image(&k, "flags -falign-functions=64", true);
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(k.meta, "config"), "CONFIG_NR_CPUS")),
		"8");
	kernel_clear(&k);
	arm_clear(&a);
}

/* The sources that builds share stay as they were unpacked. */
static void test_shared_sources_are_not_written_to(void **state)
{
	struct arm a = arm_of("good", 0);
	struct kernel k;

	(void)state;
	build_or_fail(&a, &k);
	assert_int_equal(entries("sources"), 1);
	shell("diff -r " DATA "/tree %s/kab/sources/*", fx->dir);
	kernel_clear(&k);
	arm_clear(&a);
}

static void test_git_base(void **state)
{
	struct arm a = arm_of("good", 0);
	struct kernel k;

	(void)state;
	free(a.base.tarball);
	a.base = (struct base){.tree = xstrdup(fx->git)};
	/* Not committed: left out, and told. */
	shell("echo 'int later;' >>%s/mm/swap.c", fx->git);
	build_or_fail(&a, &k);
	expect_image(&k, "/* 30 */", true);
	expect_image(&k, "int first = 100;", true); /* at an offset of 30 lines */
	expect_image(&k, "int later;", false);
	assert_int_equal(json_array_size(json_object_get(k.meta, "warnings")), 1);
	kernel_clear(&k);
	a.base.rev = xstrdup("one");
	build_or_fail(&a, &k);
	expect_image(&k, "/* 30 */", false);
	kernel_clear(&k);
	arm_clear(&a);
}

/* A git that is killed leaves the lock of its index, which no later build may be stopped by. */
static void test_git_killed_while_unpacking(void **state)
{
	struct arm a = arm_of("good", 0);
	struct kernel k;

	(void)state;
	free(a.base.tarball);
	a.base = (struct base){.tree = xstrdup(fx->git)};
	build_or_fail(&a, &k);
	kernel_clear(&k);
	shell("cd %s/kab; name=$(ls sources); chmod -R u+w .; rm -r *; mkdir sources;"
	      " touch sources/$name.tmp.index sources/$name.tmp.index.lock",
		fx->dir);
	build_or_fail(&a, &k);
	expect_image(&k, "/* 30 */", true);
	assert_int_equal(entries("sources"), 1);
	kernel_clear(&k);
	arm_clear(&a);
}

static void test_failing_patches_are_named(void **state)
{
	(void)state;
	expect_failure(arm_of("broken", 0), KAB_USAGE, "series broken", "0001-two-hunks.patch",
		"hunk 2 of mm/mmap.c", "6.1.192", "log: ", NULL);
	expect_failure(arm_of("fuzzy", 0), KAB_USAGE, "series fuzzy", "hunk 1 of mm/mmap.c", NULL);
	expect_failure(arm_of("missing", 0), KAB_USAGE, "series missing", "mm/zswap.c",
		"not in the sources", NULL);
	expect_failure(arm_of("twice", 0), KAB_USAGE, "0002-first-again.patch",
		"mm/mmap.c has this change already", NULL);
	expect_failure(arm_of("garbage", 0), KAB_USAGE, "0001-letter.patch", "not a patch", NULL);
	assert_int_equal(entries("kernels"), 0);
	assert_int_equal(entries("build"), 0);
	assert_int_equal(entries("failed"), 5);
}

static void test_bad_arms_are_refused(void **state)
{
	struct arm a;

	(void)state;
	expect_failure(arm_of("nothing", 0), KAB_USAGE, "series 'nothing'", "good", NULL);
	expect_failure(arm_of("good", 3), KAB_USAGE, "series 'good:3'", "2 patches", NULL);
	expect_failure(arm_of("empty", 0), KAB_USAGE, "series 'empty'", "no patches", NULL);
	expect_failure(arm_of("/no/such/folder", 0), KAB_USAGE, "no such folder", NULL);
	a = arm_of(NULL, 0);
	arm_add_config(&a, "smal");
	expect_failure(a, KAB_USAGE, "config fragment 'smal'", "small", NULL);
	a = arm_of(NULL, 0);
	arm_add_config(&a, "malformed");
	expect_failure(a, KAB_USAGE, "malformed.config:2", NULL);
	a = arm_of(NULL, 0);
	a.mutation = xstrdup("good/other");
	expect_failure(a, KAB_USAGE, "mutation 'good/other'", "no-second", NULL);
	a = arm_of(NULL, 0);
	a.align = 48;
	expect_failure(a, KAB_USAGE, "align", "48", NULL);
}

static void test_bad_bases_are_refused(void **state)
{
	struct arm a = arm_of(NULL, 0);

	(void)state;
	free(a.base.tarball);
	a.base = (struct base){.package = xstrdup("linux-source-0.0-none")};
	expect_failure(
		a, KAB_ENVIRONMENT, "linux-source-0.0-none is not installed", "make deps", NULL);
	a = arm_of(NULL, 0);
	free(a.base.tarball);
	a.base = (struct base){.package = xstrdup("../x")};
	expect_failure(a, KAB_USAGE, "'../x' is no name", NULL);
	a = arm_of(NULL, 0);
	shell("echo no archive >%s", fx->tarball);
	expect_failure(a, KAB_ENVIRONMENT, "unpacking the base failed", NULL);
	a = arm_of(NULL, 0);
	shell("tar -czf %s -C " DATA "/tree mm", fx->tarball);
	expect_failure(a, KAB_USAGE, "no Makefile with a VERSION", NULL);
	assert_int_equal(entries("sources"), 0);
	a = arm_of(NULL, 0);
	free(a.base.tarball);
	a.base = (struct base){.tree = xstrdup(fx->git), .rev = xstrdup("v9")};
	expect_failure(a, KAB_USAGE, "revision 'v9'", NULL);
	a = arm_of(NULL, 0);
	unlink(fx->tarball);
	expect_failure(a, KAB_USAGE, "no such tarball", NULL);
}

static void test_option_that_does_not_exist(void **state)
{
	struct arm a = arm_of(NULL, 0);

	(void)state;
	arm_add_config(&a, "unknown");
	expect_failure(a, KAB_USAGE, "1 option", "CONFIG_NO_SUCH_OPTION",
		"unknown.config:2 wants y", "no such option in this kernel", NULL);
}

static void test_failed_compilation_keeps_its_log(void **state)
{
	struct arm a = arm_of("good", 0);
	char *place;
	struct error err = {};
	__free_char char *text = NULL;
	struct kernel k;

	(void)state;
	a.mutation = xstrdup("good/no-compile");
	assert_int_equal(kernel_build(&a, &k, NULL, NULL, &err), -1);
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	assert_non_null(strstr(err.text, "mm/mmap.c:"));
	assert_non_null(strstr(err.text, "error: "));
	place = strstr(err.text, "log: ");
	assert_non_null(place);
	text = file_read(place + 5, NULL, &err);
	assert_non_null(text);
	assert_non_null(strstr(text, "does"));
	assert_int_equal(entries("build"), 0);
	arm_clear(&a);
}

/* ---- more than one kab, and less than a whole one ---- */

/* An arm whose build waits until the file "go" appears and notes that it ran in "go.count". */
static struct arm slow_arm(void)
{
	__free_char char *config = xasprintf("%s/slow.config", fx->dir);
	__free_char char *text = xasprintf("CONFIG_SLOW=\"%s/go\"\n", fx->dir);
	struct arm a = arm_of(NULL, 0);

	assert_int_equal(file_write_atomic(config, text, strlen(text), NULL), 0);
	arm_add_config(&a, config);
	return a;
}

static pid_t build_in_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		struct arm a = slow_arm();
		struct kernel k;
		struct error err;

		/* What waits for a file must not outlive the test that would make it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!kernel_build(&a, &k, NULL, NULL, &err))
			_exit(0);
		dprintf(STDERR_FILENO, "%s\n", err.text);
		_exit(1);
	}
	return pid;
}

static void wait_for_file(const char *name)
{
	__free_char char *path = xasprintf("%s/%s", fx->dir, name);

	for (int i = 0; i < 1200; i++) {
		if (!access(path, F_OK))
			return;
		usleep(50000);
	}
	fail_msg("%s did not appear", path);
}

/* The shell of slow_arm()'s build, as long as it waits. */
static bool is_waiting(void)
{
	__free_char char *words = xasprintf("%s/go", fx->dir);
	struct strings pids = folder_names("/proc", "");
	bool found = false;

	for (size_t i = 0; i < pids.n && !found; i++) {
		__free_char char *path = xasprintf("/proc/%s/cmdline", pids.v[i]);
		__free_char char *text = NULL;
		size_t len;

		if (isdigit((unsigned char)pids.v[i][0]))
			text = file_read(path, &len, NULL);
		found = text && memmem(text, len, words, strlen(words));
	}
	strings_clear(&pids);
	return found;
}

static int status_of(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static size_t builds_made(void)
{
	__free_char char *path = xasprintf("%s/go.count", fx->dir);
	__free_char char *text = file_read(path, NULL, NULL);
	size_t n = 0;

	for (const char *p = text; p && (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static void test_two_that_want_one_kernel_build_it_once(void **state)
{
	pid_t first = build_in_child(), second;

	(void)state;
	wait_for_file("go.count");
	second = build_in_child();
	usleep(300000);
	shell("touch %s/go", fx->dir);
	assert_int_equal(status_of(first), 0);
	assert_int_equal(status_of(second), 0);
	assert_int_equal(builds_made(), 1);
	assert_int_equal(entries("kernels"), 1);
}

static void test_killed_build_leaves_nothing_that_confuses(void **state)
{
	struct arm a = slow_arm();
	pid_t child = build_in_child();
	struct kernel k;

	(void)state;
	wait_for_file("go.count");
	assert_int_equal(entries("build"), 1);
	assert_true(is_waiting());
	kill(child, SIGKILL);
	assert_true(WIFSIGNALED(status_of(child)));
	for (int i = 0; i < 100 && is_waiting(); i++)
		usleep(50000);
	assert_false(is_waiting());
	assert_int_equal(kernel_resolve(&a, &k, NULL), 0);
	assert_false(k.built);
	kernel_clear(&k);
	shell("touch %s/go", fx->dir);
	build_or_fail(&a, &k);
	assert_int_equal(builds_made(), 2);
	assert_int_equal(entries("build"), 0);
	kernel_clear(&k);
	arm_clear(&a);
}

/* Another arm's build clears away what a killed one left, but not what a living one works on. */
static void test_sweep_spares_the_living(void **state)
{
	struct arm a = arm_of(NULL, 0);
	pid_t child = build_in_child();
	struct kernel k;

	(void)state;
	wait_for_file("go.count");
	build_or_fail(&a, &k);
	assert_int_equal(entries("build"), 1);
	kernel_clear(&k);
	kill(child, SIGKILL);
	status_of(child);
	shell("rm -rf %s/kab/kernels", fx->dir);
	build_or_fail(&a, &k);
	assert_int_equal(entries("build"), 0);
	kernel_clear(&k);
	arm_clear(&a);
}

/* The same patches in another folder are the same kernel, which each arm knows by its own name. */
static void test_cached_kernel_has_the_names_of_who_asks(void **state)
{
	__free_char char *folder = xasprintf("%s/mine", fx->dir), *home = xstrdup(getenv("HOME") ?: "/");
	struct arm mine = arm_of(folder, 0), good = arm_of("good", 0);
	const json_t *patch;
	struct kernel k;

	(void)state;
	shell("cp -r " DATA "/home/kernel-patch/series/good %s", folder);
	setenv("HOME", fx->dir, 1);
	build_or_fail(&mine, &k);
	setenv("HOME", home, 1);
	patch = json_array_get(json_object_get(k.meta, "patches"), 0);
	assert_string_equal(json_string_value(json_object_get(patch, "origin")), "~/mine");
	assert_string_equal(json_string_value(json_array_get(json_object_get(k.meta, "series"), 0)), "~/mine");
	kernel_clear(&k);
	build_or_fail(&good, &k);
	assert_int_equal(entries("kernels"), 1);
	patch = json_array_get(json_object_get(k.meta, "patches"), 0);
	assert_string_equal(json_string_value(json_object_get(patch, "origin")), "good");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(k.meta, "series"), 0)), "good");
	/* What only a build tells is still there. */
	assert_non_null(json_object_get(k.meta, "image_sha256"));
	kernel_clear(&k);
	arm_clear(&mine);
	arm_clear(&good);
}

static void test_damaged_entry_is_built_again(void **state)
{
	struct arm a = arm_of(NULL, 0);
	__free_char char *meta = NULL;
	struct kernel k;

	(void)state;
	build_or_fail(&a, &k);
	meta = xasprintf("%s/meta.json", k.dir);
	kernel_clear(&k);
	assert_int_equal(truncate(meta, 20), 0);
	assert_int_equal(kernel_resolve(&a, &k, NULL), 0);
	assert_false(k.built);
	/* Nor does a log of an earlier failure outlive the success. */
	shell("mkdir -p %s/kab/failed && touch %s/kab/failed/%s.log", fx->dir, fx->dir, k.key);
	kernel_clear(&k);
	build_or_fail(&a, &k);
	assert_int_equal(entries("failed"), 0);
	kernel_clear(&k);
	arm_clear(&a);
}

static void test_kernel_in_use_is_locked(void **state)
{
	struct arm a = arm_of(NULL, 0);
	struct kernel k;
	char key[65];
	int fd;

	(void)state;
	build_or_fail(&a, &k);
	memcpy(key, k.key, sizeof(key));
	assert_int_equal(cache_lock(key, LOCK_EX | LOCK_NB, NULL), -1);
	fd = cache_lock(key, LOCK_SH | LOCK_NB, NULL);
	assert_true(fd > 2);
	close(fd);
	kernel_clear(&k);
	fd = cache_lock(key, LOCK_EX | LOCK_NB, NULL);
	assert_true(fd > 2);
	close(fd);
	arm_clear(&a);
}

static void test_lack_of_space_is_told_before(void **state)
{
	struct error err = {};

	(void)state;
	assert_int_equal(cache_space(1, &err), 0);
	assert_int_equal(cache_space(UINT64_MAX, &err), -1);
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	assert_non_null(strstr(err.text, "GB free"));
	assert_non_null(strstr(err.text, fx->dir));
}

/* ---- trees that are built in again ---- */

/* An arm on the tarball with a series, called @name, that is what shell command @edit does to the
 * sources. */
static struct arm arm_edited(const char *name, const char *edit)
{
	__free_char char *folder = xasprintf("%s/%s", fx->dir, name);

	shell("mkdir %s && cd %s && cp -r %s a && cp -r a b && (cd b && %s) && "
	      "(diff -urN a b >0001-edit.patch; test $? = 1) && rm -r a b",
		folder, folder, fx->tree, edit);
	return arm_of(folder, 0);
}

static bool was_incremental(const struct kernel *k)
{
	return json_is_true(json_object_get(k->meta, "incremental"));
}

static bool compiled(const struct kernel *k, const char *object)
{
	__free_char char *path = xasprintf("%s/build.log", k->dir);
	__free_char char *text = file_read(path, NULL, NULL);
	__free_char char *line = xasprintf("  CC      %s\n", object);

	assert_non_null(text);
	return strstr(text, line);
}

/* @k, which is @a's, is what a build in a cache of its own makes of @a. */
static void expect_as_from_scratch(const struct arm *a, const struct kernel *k)
{
	__free_char char *cache = xasprintf("%s/scratch", fx->dir);
	__free_char char *text = image_text(k), *other = NULL;
	struct kernel fresh;

	setenv("XDG_CACHE_HOME", cache, 1);
	build_or_fail(a, &fresh);
	assert_false(was_incremental(&fresh));
	other = image_text(&fresh);
	assert_string_equal(fresh.key, k->key);
	assert_string_equal(text, other);
	kernel_clear(&fresh);
	setenv("XDG_CACHE_HOME", fx->dir, 1);
	shell("rm -rf %s", cache);
}

/* Builds @a, which is freed, and holds it against a build from scratch. */
static void build_and_compare(struct arm a, struct kernel *k)
{
	build_or_fail(&a, k);
	expect_as_from_scratch(&a, k);
	arm_clear(&a);
}

static void build_plain(void)
{
	struct kernel k;

	build_and_compare(arm_of(NULL, 0), &k);
	assert_false(was_incremental(&k));
	kernel_clear(&k);
	assert_int_equal(entries("trees"), 1);
}

static void test_only_what_changed_is_compiled(void **state)
{
	__free_char char *before = NULL, *after = NULL;
	struct kernel swap, mmap;

	(void)state;
	build_plain();
	build_and_compare(arm_edited("swap", "echo int swap_new\\; >>mm/swap.c"), &swap);
	assert_true(was_incremental(&swap));
	assert_true(compiled(&swap, "mm/swap.o"));
	assert_false(compiled(&swap, "mm/mmap.o"));
	before = image_text(&swap);
	/* The pristine swap.c is older than its object, and must be compiled all the same. */
	build_and_compare(arm_edited("mmap", "echo int mmap_new\\; >>mm/mmap.c"), &mmap);
	assert_true(was_incremental(&mmap));
	assert_true(compiled(&mmap, "mm/swap.o"));
	assert_true(compiled(&mmap, "mm/mmap.o"));
	expect_image(&mmap, "swap_new", false);
	/* What was published before is not what the tree holds now. */
	after = image_text(&swap);
	assert_string_equal(before, after);
	assert_int_equal(entries("trees"), 1);
	kernel_clear(&swap);
	kernel_clear(&mmap);
}

static void test_headers_files_and_options_come_and_go(void **state)
{
	static const struct {
		const char *name, *edit;
		bool incremental;
	} edits[] = {
		{"header",
			"mkdir -p include/linux && echo '#define PAGES 7' >include/linux/pages.h "
			"&& "
			"sed -i '1i #include <linux/pages.h>\\nint pages = PAGES;' mm/swap.c",
			true},
		{"other-header",
			"mkdir -p include/linux && echo '#define PAGES 8' >include/linux/pages.h "
			"&& "
			"sed -i '1i #include <linux/pages.h>\\nint pages = PAGES;' mm/swap.c",
			true},
		{"none", "echo int last\\; >>mm/swap.c", true},
		{"file",
			"echo int third\\; >mm/third.c && sed -i 's,^objects = ,&mm/third.o ,' "
			"Makefile",
			false},
		{"kconfig", "sed -i 's/One kernel/&/; $a config MORE\\n\\tbool \"More\"' Kconfig",
			true},
		{"script", "mkdir scripts && echo true >scripts/new.sh", false},
		{"gone", "rm tools/testing/selftests/second/second.c", true},
	};

	(void)state;
	build_plain();
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		struct kernel k;

		build_and_compare(arm_edited(edits[i].name, edits[i].edit), &k);
		if (was_incremental(&k) != edits[i].incremental)
			fail_msg("%s: in %s tree", edits[i].name,
				edits[i].incremental ? "a new" : "an old");
		kernel_clear(&k);
	}
}

/* A header that the compiler may find before another of that name. */
static void test_header_that_hides_another_gets_a_new_tree(void **state)
{
	struct kernel k;

	(void)state;
	shell("mkdir -p %s/include/generic && echo '#define PAGES 7' >%s/include/generic/pages.h "
	      "&& "
	      "tar -czf %s -C %s .",
		fx->tree, fx->tree, fx->tarball, fx->tree);
	build_plain();
	build_and_compare(
		arm_edited("hides", "mkdir -p include/first && echo >include/first/pages.h"), &k);
	assert_false(was_incremental(&k));
	kernel_clear(&k);
}

static void test_selftests_are_those_of_the_kernel(void **state)
{
	struct arm a = arm_of("good", 1), b = arm_of("good", 0);
	struct kernel k;

	(void)state;
	build_and_compare(a, &k);
	kernel_clear(&k);
	build_or_fail(&b, &k);
	assert_true(was_incremental(&k));
	assert_non_null(k.selftests);
	expect_as_from_scratch(&b, &k);
	kernel_clear(&k);
	arm_clear(&b);
}

/* After @damage, done in the folder of the tree that there is, no build takes it. */
static void expect_new_tree_after(const char *damage)
{
	struct kernel k;

	build_plain();
	shell("cd %s/kab/trees/0 && %s", fx->dir, damage);
	build_and_compare(arm_edited("swap", "echo int swap_new\\; >>mm/swap.c"), &k);
	assert_false(was_incremental(&k));
	kernel_clear(&k);
	assert_int_equal(entries("trees"), 1);
}

static void test_tree_of_another_boot_is_not_used(void **state)
{
	(void)state;
	expect_new_tree_after("sed -i 's/\"boot\": \"/&x/' tree.json");
}

static void test_tree_is_not_used_when_the_clock_went_back(void **state)
{
	(void)state;
	/* The first of "newest" is its second. */
	expect_new_tree_after("sed -i '/newest/,/]/ s/^  [0-9][0-9]*,/  99999999999,/' tree.json");
}

static void test_tree_of_a_killed_build_is_not_used(void **state)
{
	pid_t child = build_in_child();
	struct kernel k;

	(void)state;
	wait_for_file("go.count");
	assert_int_equal(entries("trees"), 1);
	kill(child, SIGKILL);
	status_of(child);
	build_and_compare(arm_of(NULL, 0), &k);
	assert_false(was_incremental(&k));
	kernel_clear(&k);
	assert_int_equal(entries("trees"), 1);
}

static void test_tree_of_a_failed_build_is_not_kept(void **state)
{
	struct arm bad = arm_edited("bad", "echo int x y\\; >>mm/swap.c");
	struct kernel k;

	(void)state;
	build_plain();
	expect_failure(bad, KAB_ENVIRONMENT, "mm/swap.c", NULL);
	assert_int_equal(entries("trees"), 0);
	build_and_compare(arm_edited("swap", "echo int swap_new\\; >>mm/swap.c"), &k);
	assert_false(was_incremental(&k));
	kernel_clear(&k);
}

/* Who finds the tree in use builds in one of its own, at the same time. */
static void test_two_never_build_in_one_tree(void **state)
{
	pid_t child = build_in_child();
	struct kernel k;

	(void)state;
	wait_for_file("go.count");
	build_and_compare(arm_edited("swap", "echo int swap_new\\; >>mm/swap.c"), &k);
	assert_false(was_incremental(&k));
	assert_int_equal(entries("trees"), 2);
	kernel_clear(&k);
	shell("touch %s/go", fx->dir);
	assert_int_equal(status_of(child), 0);
	assert_int_equal(entries("trees"), 2);
}

/* Alignments do not share trees; the oldest tree goes when there are too many. */
static void test_trees_are_few(void **state)
{
	(void)state;
	for (unsigned align = 8; align <= 4096; align *= 2) {
		struct arm a = arm_of(NULL, 0);
		struct kernel k;

		a.align = align;
		build_or_fail(&a, &k);
		assert_false(was_incremental(&k));
		kernel_clear(&k);
		arm_clear(&a);
	}
	assert_int_equal(entries("kernels"), 10);
	assert_int_equal(entries("trees"), 6);
}

static int kernel_verb(const char *first, ...);
static void expect_output(const char *words);
static json_t *output_json(void);

static void test_trees_are_listed_and_cleaned(void **state)
{
	json_t *o;

	(void)state;
	build_plain();
	assert_int_equal(kernel_verb("list", NULL), KAB_OK);
	expect_output("TREE");
	expect_output("in all");
	assert_int_equal(kernel_verb("list", "--json", NULL), KAB_OK);
	o = output_json();
	assert_int_equal(json_array_size(json_object_get(o, "trees")), 1);
	assert_true(json_integer_value(json_object_get(
			    json_array_get(json_object_get(o, "trees"), 0), "bytes")) > 0);
	json_decref(o);
	assert_int_equal(kernel_verb("clean", "--older-than", "1d", NULL), KAB_OK);
	assert_int_equal(entries("trees"), 1);
	assert_int_equal(kernel_verb("clean", "--all", NULL), KAB_OK);
	assert_int_equal(entries("trees"), 0);
}

/* ---- the verb ---- */

static int kernel_verb(const char *first, ...)
{
	char *argv[16] = {(char *)"kernel", (char *)first};
	__close_fd int out = dup(STDOUT_FILENO), errors = dup(STDERR_FILENO), file = -1;
	__free_char char *path = xasprintf("%s/out", fx->dir);
	int argc = 1, status;
	va_list ap;

	va_start(ap, first);
	while (argv[argc])
		argv[++argc] = va_arg(ap, char *);
	va_end(ap);
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	dup2(file, STDOUT_FILENO);
	dup2(file, STDERR_FILENO);
	status = cmd_kernel(argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	return status;
}

static void expect_output(const char *words)
{
	__free_char char *path = xasprintf("%s/out", fx->dir);
	__free_char char *text = file_read(path, NULL, NULL);

	if (!strstr(text, words))
		fail_msg("no \"%s\" in:\n%s", words, text);
}

static json_t *output_json(void)
{
	__free_char char *path = xasprintf("%s/out", fx->dir);
	json_t *o = json_load_file(path, 0, NULL);

	assert_non_null(o);
	return o;
}

static void test_verb_builds_lists_and_cleans(void **state)
{
	json_t *o;

	(void)state;
	assert_int_equal(kernel_verb("path", "--base", fx->tarball, "--series", "good:1", NULL),
		KAB_ENVIRONMENT);
	expect_output("not built yet");
	assert_int_equal(
		kernel_verb("path", "--json", "--base", fx->tarball, "--series", "good:1", NULL),
		KAB_ENVIRONMENT);
	expect_output("\"built\": false");
	assert_int_equal(
		kernel_verb("build", "-q", "--base", fx->tarball, "--series", "good:1", NULL),
		KAB_OK);
	assert_int_equal(
		kernel_verb("path", "--base", fx->tarball, "--series", "good:1", NULL), KAB_OK);
	expect_output("/kab/kernels/");
	assert_int_equal(kernel_verb("list", NULL), KAB_OK);
	expect_output("6.1.192");
	expect_output("good");
	assert_int_equal(kernel_verb("list", "--json", NULL), KAB_OK);
	o = output_json();
	assert_int_equal(json_array_size(json_object_get(o, "kernels")), 1);
	assert_true(json_integer_value(json_object_get(
			    json_array_get(json_object_get(o, "kernels"), 0), "bytes")) > 0);
	json_decref(o);
	assert_int_equal(kernel_verb("clean", NULL), KAB_USAGE);
	assert_int_equal(kernel_verb("clean", "--older-than", "1d", NULL), KAB_OK);
	assert_int_equal(entries("kernels"), 1);
	assert_int_equal(kernel_verb("clean", "--all", "--dry-run", NULL), KAB_OK);
	expect_output("would go kernel");
	assert_int_equal(entries("kernels"), 1);
	assert_int_equal(kernel_verb("clean", "--all", "--dry-run", "--json", NULL), KAB_OK);
	o = output_json();
	assert_int_equal(json_integer_value(json_object_get(o, "count")),
		json_array_size(json_object_get(o, "entries")));
	assert_true(json_integer_value(json_object_get(o, "bytes")) > 0);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(o, "entries"), 0), "state")),
		"would go");
	json_decref(o);
	shell("touch -d '3 days ago' %s/kab/kernels/*", fx->dir);
	assert_int_equal(kernel_verb("clean", "--older-than", "2", NULL), KAB_OK);
	assert_int_equal(entries("kernels"), 0);
	assert_int_equal(entries("sources"), 1);
}

static void test_clean_spares_what_is_in_use(void **state)
{
	struct arm a = arm_of(NULL, 0);
	struct kernel k;

	(void)state;
	build_or_fail(&a, &k);
	assert_int_equal(kernel_verb("clean", "--all", NULL), KAB_OK);
	expect_output("in use");
	assert_int_equal(access(k.image, R_OK), 0);
	kernel_clear(&k);
	/* Each build of kab leaves the initramfs that it made for its guests. */
	shell("mkdir %s/kab/initramfs && touch %s/kab/initramfs/0123.cpio", fx->dir, fx->dir);
	assert_int_equal(kernel_verb("clean", "--all", NULL), KAB_OK);
	assert_int_equal(entries("kernels"), 0);
	assert_int_equal(entries("sources"), 0);
	assert_int_equal(entries("initramfs"), 0);
	arm_clear(&a);
}

/* Made within the tick that time() still tells, or before the clock was set back. */
static void test_clean_of_what_comes_from_the_future(void **state)
{
	struct arm a = arm_of(NULL, 0);
	struct kernel k;

	(void)state;
	build_or_fail(&a, &k);
	kernel_clear(&k);
	shell("touch -d '1 hour' %s/kab/kernels/* %s/kab/sources/*", fx->dir, fx->dir);
	assert_int_equal(kernel_verb("clean", "--older-than", "1", NULL), KAB_OK);
	assert_int_equal(entries("kernels"), 1);
	assert_int_equal(kernel_verb("clean", "--all", NULL), KAB_OK);
	assert_int_equal(entries("kernels"), 0);
	assert_int_equal(entries("sources"), 0);
	arm_clear(&a);
}

static void test_verb_refuses_bad_usage(void **state)
{
	(void)state;
	assert_int_equal(kernel_verb(NULL), KAB_USAGE);
	assert_int_equal(kernel_verb("made", NULL), KAB_USAGE);
	assert_int_equal(kernel_verb("build", "one-operand", NULL), KAB_USAGE);
	assert_int_equal(
		kernel_verb("build", "--series", "good:x", "--base", fx->tarball, NULL), KAB_USAGE);
	assert_int_equal(kernel_verb("build", "--base", "/no/such", NULL), KAB_USAGE);
	assert_int_equal(
		kernel_verb("build", "--rev", "v1", "--base", fx->tarball, NULL), KAB_USAGE);
	assert_int_equal(kernel_verb("list", "what", NULL), KAB_USAGE);
	assert_int_equal(kernel_verb("clean", "--older-than", "soon", NULL), KAB_USAGE);
	assert_int_equal(kernel_verb("clean", "--older-than", "nan", NULL), KAB_USAGE);
	assert_int_equal(
		kernel_verb("build", "--series", ",", "--base", fx->tarball, NULL), KAB_USAGE);
	assert_int_equal(
		kernel_verb("build", "--config", "", "--base", fx->tarball, NULL), KAB_USAGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_same_inputs_give_the_same_key),
		TEST(test_every_input_changes_the_key),
		TEST(test_names_and_remarks_leave_the_key_alone),
		TEST(test_every_edit_of_substance_changes_the_key),
		cmocka_unit_test(test_later_fragment_wins),
		cmocka_unit_test(test_settings_of_later_patches_wait_for_them),
		cmocka_unit_test(test_bad_fragment_names_file_and_line),
		cmocka_unit_test(test_options_that_did_not_take_are_named),
		cmocka_unit_test(test_patch_output_is_understood),
		TEST(test_build_is_published_whole),
		TEST(test_selftests_are_built_against_the_patched_tree),
		TEST(test_first_patches_alone),
		TEST(test_mutation_alignment_and_config),
		TEST(test_shared_sources_are_not_written_to),
		TEST(test_git_base),
		TEST(test_git_killed_while_unpacking),
		TEST(test_failing_patches_are_named),
		TEST(test_bad_arms_are_refused),
		TEST(test_bad_bases_are_refused),
		TEST(test_option_that_does_not_exist),
		TEST(test_failed_compilation_keeps_its_log),
		TEST(test_two_that_want_one_kernel_build_it_once),
		TEST(test_killed_build_leaves_nothing_that_confuses),
		TEST(test_sweep_spares_the_living),
		TEST(test_cached_kernel_has_the_names_of_who_asks),
		TEST(test_damaged_entry_is_built_again),
		TEST(test_kernel_in_use_is_locked),
		TEST(test_lack_of_space_is_told_before),
		TEST(test_only_what_changed_is_compiled),
		TEST(test_headers_files_and_options_come_and_go),
		TEST(test_header_that_hides_another_gets_a_new_tree),
		TEST(test_selftests_are_those_of_the_kernel),
		TEST(test_tree_of_another_boot_is_not_used),
		TEST(test_tree_is_not_used_when_the_clock_went_back),
		TEST(test_tree_of_a_killed_build_is_not_used),
		TEST(test_tree_of_a_failed_build_is_not_kept),
		TEST(test_two_never_build_in_one_tree),
		TEST(test_trees_are_few),
		TEST(test_trees_are_listed_and_cleaned),
		TEST(test_verb_builds_lists_and_cleans),
		TEST(test_clean_spares_what_is_in_use),
		TEST(test_clean_of_what_comes_from_the_future),
		TEST(test_verb_refuses_bad_usage),
	};

	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
