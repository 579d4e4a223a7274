// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What people bring, and what is told of it before and after measuring: forms of a series, patches
 * that do not apply, the step that moved a figure, and the program's exit statuses. The base is the
 * source tree in miniature of tests/data/kernel, in a git of its own, whose branch "topic" has
 * three commits.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "along.h"
#include "report.h"
#include "series_import.h"
#include "synthetic.h"

#define DATA "tests/data/kernel"

struct fixture {
	char dir[64];
	char *results; /* of tests that need them */
};

static struct fixture *fx;

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *fmt, ...)
{
	__free_char char *command = NULL, *all = NULL;
	va_list ap;

	va_start(ap, fmt);
	command = xvasprintf(fmt, ap);
	va_end(ap);
	all = xasprintf("cd %s && { %s; }", fx->dir, command);
	if (system(all))
		fail_msg("%s", all);
}

/* Changes a line of mm/mmap.c and commits that. */
static void commit(const char *from, const char *to, const char *subject)
{
	shell("cd git && grep -q '%s' mm/mmap.c && sed -i 's/%s/%s/' mm/mmap.c && git commit -q -a "
	      "-m '%s'",
		from, from, to, subject);
}

static int setup(void **state)
{
	__free_char char *home = realpath(DATA "/home", NULL), *libexec = realpath("build", NULL);
	__free_char char *tree = realpath(DATA "/tree", NULL);

	(void)state;
	assert_non_null(home);
	fx = xcalloc(1, sizeof(*fx));
	snprintf(fx->dir, sizeof(fx->dir), "/tmp/test_try.XXXXXX");
	assert_non_null(mkdtemp(fx->dir));
	setenv("KAB_HOME", home, 1);
	setenv("XDG_CACHE_HOME", fx->dir, 1);
	if (libexec)
		setenv("KAB_LIBEXEC", libexec, 0);
	/* Whatever this user's git is told otherwise to do. */
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_AUTHOR_NAME", "A. Developer", 1);
	setenv("GIT_AUTHOR_EMAIL", "a@example.org", 1);
	setenv("GIT_COMMITTER_NAME", "A. Developer", 1);
	setenv("GIT_COMMITTER_EMAIL", "a@example.org", 1);
	shell("cp -r %s git && cd git && git init -q && git add -A && git commit -q -m base && git "
	      "tag base && "
	      "git checkout -q -b topic",
		tree);
	commit("int first = 1;", "int first = 100;", "mm: one hundred");
	commit("int second = 2;", "int second = 200;", "mm: two hundred");
	commit("int last = 9;", "int last = 900;", "mm: nine hundred");
	shell("cd git && git checkout -q base && tar -czf ../base.tar.gz --exclude=.git . && git "
	      "checkout -q topic");
	shell("printf '%%s\\n' 'base: {package: linux-source-6.1}' 'baseline: a' 'arms:' '  a: {}' "
	      "'  b: {series: [./nothing]}' 'executor: {vm: {cpus: 1, nodes: 1, memory: 256M}}' "
	      "'blocks: 2' "
	      "'samples: 1' 'workloads:' '  - {name: pipe, mode: process, duration: 100ms}' "
	      ">m.yaml");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dir_remove(fx->dir, NULL);
	if (fx->results)
		dir_remove(fx->results, NULL);
	free(fx->results);
	free(fx);
	return 0;
}

/* ---- forms of a series ---- */

/* Imports @what, below the fixture's folder unless it begins with "git:". */
static int import(const char *what, struct series_import *s, struct error *err)
{
	__free_char char *path = strncmp(what, "git:", 4)
					 ? xasprintf("%s/%s", fx->dir, what)
					 : xasprintf("git:%s/%s", fx->dir, what + 4);

	*err = (struct error){};
	return series_import(path, s, err);
}

/* What the @i-th patch does to mm/mmap.c: the line it adds. */
static void expect_patch(const struct series_import *s, size_t i, const char *line)
{
	__free_char char *path = xasprintf("%s/%s", s->folder, s->patches.v[i]);
	__free_char char *text = file_read(path, NULL, NULL);

	if (!text || !strstr(text, line))
		fail_msg("patch %zu, %s, is not \"%s\": %s", i + 1, path, line,
			text ? text : "not there");
}

static void expect_topic(const char *what)
{
	struct series_import s;
	struct error err;

	if (import(what, &s, &err))
		fail_msg("%s: %s", what, err.text);
	assert_int_equal(s.patches.n, 3);
	expect_patch(&s, 0, "+int first = 100;");
	expect_patch(&s, 1, "+int second = 200;");
	expect_patch(&s, 2, "+int last = 900;");
	series_import_clear(&s);
}

static void expect_refusal(const char *what, const char *words)
{
	struct series_import s;
	struct error err;

	if (!import(what, &s, &err))
		fail_msg("%s was taken", what);
	assert_int_equal(err.status, KAB_USAGE);
	if (!strstr(err.text, words))
		fail_msg("%s: \"%s\" does not say \"%s\"", what, err.text, words);
}

static void test_every_form_is_the_same_series(void **state)
{
	(void)state;
	shell("cd git && git format-patch -q --cover-letter -o ../folder base && "
	      "git format-patch -q --stdout --cover-letter base >../thread.mbox");
	shell("gzip -k thread.mbox");
	expect_topic("folder");
	expect_topic("git:git:base..topic");
	expect_topic("git:git:base");
	expect_topic("thread.mbox");
	expect_topic("thread.mbox.gz");
}

/* As a mail program saves what stands in a folder of mails, and then some more. */
static void test_a_thread_is_put_in_order(void **state)
{
	struct series_import s;
	struct error err;

	(void)state;
	shell("cd git && git format-patch -q -v2 -o ../v2 base --cover-letter && git format-patch "
	      "-q -o ../v1 base");
	shell("sed 's/^Subject: /Subject: Re: /' v2/v2-0001-*.patch >reply");
	shell("cat v2/v2-0003-* v1/0001-* reply v2/v2-0000-* v2/v2-0002-* v2/v2-0001-* "
	      ">thread.mbox");
	expect_topic("thread.mbox");
	assert_int_equal(import("thread.mbox", &s, &err), 0);
	assert_non_null(strstr(s.notes.data, "a reply: Re: [PATCH v2 1/3] mm: one hundred"));
	assert_non_null(strstr(s.notes.data, "there is a version 2: [PATCH 1/3] mm: one hundred"));
	assert_non_null(strstr(s.notes.data, "no patch in it: [PATCH v2 0/3]"));
	series_import_clear(&s);
}

/* Mails saved one by one and put together, without a line between them that says where one begins.
 */
static void test_mails_without_separators_are_told_apart(void **state)
{
	(void)state;
	shell("cd git && git format-patch -q --thread -o ../mails base");
	shell("for i in 3 1 2; do tail -n +2 mails/000$i-*; echo; done >all.eml && ! grep -q "
	      "'^From [^:]*:.*:' all.eml");
	expect_topic("all.eml");
	shell("sed -i 's/$/\\r/' all.eml");
	expect_topic("all.eml");
}

static void test_what_is_missing_is_named(void **state)
{
	(void)state;
	shell("cd git && git format-patch -q -o ../p base && cd .. && cat p/0001-* p/0003-* "
	      ">gap.mbox && "
	      "cat p/0001-* p/0002-* >end.mbox && cat p/0001-* p/0002-* p/0002-* p/0003-* "
	      ">twice.mbox && "
	      "echo 'Dear all' >letter && mkdir empty");
	expect_refusal("gap.mbox", "patch 2/3 is missing");
	expect_refusal("end.mbox", "2 of 3 patches are there; 3/3 is missing");
	expect_refusal("twice.mbox", "two patches have one number");
	expect_refusal("letter", "no patch in it");
	expect_refusal("empty", "no patches");
	expect_refusal(
		"nowhere", "expected a folder of patches, a file of mails or git:TREE:RANGE");
	expect_refusal("git:git", "expected git:TREE:RANGE");
	expect_refusal("git:git:base..nowhere", "nowhere");
	expect_refusal("git:git:topic..base", "no patches");
}

/* The same mails are the same arm, so that a run of them goes on. */
static void test_a_series_keeps_its_place(void **state)
{
	struct series_import a, b;
	struct error err;

	(void)state;
	shell("cd git && git format-patch -q --stdout base >../t.mbox");
	assert_int_equal(import("t.mbox", &a, &err), 0);
	assert_int_equal(import("t.mbox", &b, &err), 0);
	assert_string_equal(a.folder, b.folder);
	series_import_clear(&b);
	shell("sed -i 's/900/901/' t.mbox");
	assert_int_equal(import("t.mbox", &b, &err), 0);
	assert_string_not_equal(a.folder, b.folder);
	series_import_clear(&a);
	series_import_clear(&b);
}

/* ---- the program ---- */

/* "kab ARGS" in the fixture's folder: its exit status, and what it says on both streams. */
static int kab(struct buf *out, const char *args)
{
	const char *env = getenv("KAB");
	__free_char char *program = realpath(env && *env ? env : "build/kab", NULL);
	__free_char char *command = xasprintf("exec 2>&1; exec %s %s", program, args);
	const char *const argv[] = {"sh", "-c", command, NULL};
	int status;

	assert_non_null(program);
	buf_free(out);
	status = run_capture(argv, fx->dir, out, NULL);
	assert_true(status >= 0 && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The NULL-terminated words follow. */
static void expect_kab(int status, const char *args, ...)
{
	struct buf out = {};
	int got = kab(&out, args);
	const char *word;
	va_list ap;

	if (got != status)
		fail_msg("kab %s: status %d, expected %d: %s", args, got, status,
			out.data ? out.data : "");
	va_start(ap, args);
	while ((word = va_arg(ap, const char *)))
		if (!out.data || !strstr(out.data, word))
			fail_msg("kab %s does not say \"%s\": %s", args, word,
				out.data ? out.data : "");
	va_end(ap);
	buf_free(&out);
}

#define TRY "try --dry-run --base ./base.tar.gz --matrix m.yaml "

static void test_dry_run_says_what_would_be_measured(void **state)
{
	__free_char char *matrix = xasprintf("%s/kab/tries/try-folder-each.yaml", fx->dir),
			 *text = NULL;

	(void)state;
	shell("cd git && git format-patch -q -o ../folder base");
	expect_kab(KAB_OK, TRY "folder", "3 patches", "stock (baseline)", "patched",
		"2 kernels to build", NULL);
	expect_kab(KAB_OK, TRY "folder --each", "p01", "p02", "4 kernels to build", NULL);
	text = file_read(matrix, NULL, NULL);
	assert_non_null(text);
	assert_non_null(strstr(text, "baseline: stock"));
	assert_null(strstr(text, "./nothing")); /* the chosen matrix's own arms are gone */
	assert_non_null(strstr(text, "folder:2"));
	/* Nothing was built, nothing run. */
	shell("! ls -d kab/kernels/* results* 2>/dev/null");
	expect_kab(KAB_USAGE, TRY "folder --config nosuch", "nosuch", NULL);
	expect_kab(KAB_USAGE, "try -n --base ./base.tar.gz --matrix none.yaml folder", "none.yaml",
		NULL);
	expect_kab(KAB_USAGE, "try -n --base ./none.tar.gz folder", "none.tar.gz", NULL);
	expect_kab(KAB_USAGE, "try -n", "expected one series", NULL);
	expect_kab(KAB_USAGE, TRY "folder --exact", "--exact", "--matrix m.yaml", NULL);
}

/* --json is for programs, and a matrix of kab's is found from anywhere. */
static void test_dry_run_for_programs(void **state)
{
	__free_char char *home = getcwd(NULL, 0);
	struct buf out = {};
	json_t *o;

	(void)state;
	shell("cd git && git format-patch -q -o ../folder base");
	assert_int_equal(kab(&out, TRY "-q folder --json 2>/dev/null"), KAB_OK);
	o = json_loads(out.data, 0, NULL);
	if (!o)
		fail_msg("%s", out.data);
	json_decref(o);
	setenv("KAB_HOME", home, 1);
	assert_int_equal(kab(&out, "run -n matrix/quick.yaml"), KAB_OK);
	assert_int_equal(kab(&out, "run -n matrix/nosuch.yaml"), KAB_USAGE);
	assert_int_equal(kab(&out, "try -n --base ./base.tar.gz --matrix matrix/quick.yaml folder"), KAB_OK);
	/* Not built here; but the matrix is found, and has no such arm. */
	expect_kab(KAB_USAGE, "kernel path matrix/quick.yaml nosuch", "has no arm 'nosuch'", NULL);
	buf_free(&out);
}

static void test_exact_counts_instructions(void **state)
{
	__free_char char *home = getcwd(NULL, 0);

	(void)state;
	setenv("KAB_HOME", home, 1); /* whose matrices are chosen */
	shell("cd git && git format-patch -q -o ../folder base");
	expect_kab(KAB_OK, "try -n --base ./base.tar.gz --exact folder", "try-folder-exact: ",
		"on exact", "stock-again", NULL);
	shell("grep -q 'exact:' kab/tries/try-folder-exact.yaml");
	expect_kab(KAB_OK, "try -n --base ./base.tar.gz folder", "on vm", NULL);
	expect_kab(130, "bisect git --good base --exact --matrix m.yaml", "--exact", NULL);
}

/* Blocks are as many as a verdict on so many comparisons takes; those that were asked for stay. */
static void test_blocks_are_enough_to_decide(void **state)
{
	(void)state;
	shell("cd git && git format-patch -q -o ../folder base");
	expect_kab(KAB_OK, TRY "folder", " 6 blocks", NULL);
	expect_kab(KAB_OK, TRY "folder --each", " 7 blocks", NULL);
	expect_kab(KAB_OK, TRY "folder --blocks 3", " 3 blocks", NULL);
}

/* An edit, by sed, of the third patch, tried on the base. */
static void expect_cause(const char *edit, const char *words)
{
	shell("rm -rf p && cd git && git format-patch -q -o ../p base && sed -i '%s' ../p/0003-*",
		edit);
	expect_kab(KAB_USAGE, TRY "p", "series ", "patch 0003-mm-nine-hundred.patch", words,
		"6.1.192", NULL);
}

static void test_other_base_is_told_from_broken(void **state)
{
	(void)state;
	/* The context differs and so does what the index line names. */
	shell("cd git && git checkout -q -b newer base && sed -i 's/n - second/n + second/' "
	      "mm/mmap.c && "
	      "git commit -q -a -m other && sed -i 's/int last = 9;/int last = 99;/' mm/mmap.c && "
	      "git commit -q -a -m last && git format-patch -q -o ../newer -1 && git checkout -q "
	      "topic");
	expect_kab(KAB_USAGE, TRY "newer", "series ", "patch 0001-last.patch",
		"hunk 1 of mm/mmap.c does not apply", "it is for another base, whose mm/mmap.c is ",
		"; here it is ", "6.1.192", NULL);
	expect_cause(
		"s/n - second/n + second/", "hunk 1 of mm/mmap.c does not apply: it is damaged");
	expect_cause("/^index/d; s/n - second/n + second/", "without an index line");
	expect_cause("s/^index [0-9a-f]*/index 1234567/; s/n - second/n + second/",
		"it is for another base, whose mm/mmap.c is 1234567; here it is ");
	expect_cause("/^ }/d", "not a patch (malformed patch");
	expect_cause("s/^@@ -[0-9]*,/@@ -1,9/", "it is broken");
	expect_cause("s,mm/mmap.c,mm/zswap.c,g",
		"mm/zswap.c, which it changes, is not in the sources: it is for another base");
}

/* Half of it applies, which leaves a file that is neither what git named nor what it would be. */
static void test_a_patch_that_applies_in_part_is_damaged(void **state)
{
	(void)state;
	shell("cd git && git reset -q --soft base && git commit -q -m all && "
	      "git format-patch -q -o ../all base && sed -i 's/n - second/n + second/' "
	      "../all/0001-*");
	expect_kab(KAB_USAGE, TRY "all", "0001-all.patch",
		"hunk 2 of mm/mmap.c does not apply: it is damaged", NULL);
}

static void test_files_that_come_and_go(void **state)
{
	(void)state;
	shell("cd git && git checkout -q -b file base && echo 'int new;' >mm/new.c && git add -A "
	      "&& git commit -q -m new && "
	      "git mv mm/new.c mm/newer.c && git commit -q -m move && git format-patch -q -o "
	      "../file base");
	expect_kab(KAB_OK, TRY "file", "2 patches", NULL);
	shell("cd git && git checkout -q -b has base && echo 'int old;' >mm/new.c && git add -A && "
	      "git commit -q -m old");
	expect_kab(KAB_USAGE, "try -n --matrix m.yaml --base ./git --rev has file",
		"0001-new.patch",
		"mm/new.c, which it makes, is there already: it is for another base, which lacks "
		"that file",
		NULL);
}

/* ---- bisect ---- */

static void bisect_commits(void)
{
	shell("cd git && sed -i 's/^int first/no C/' mm/mmap.c && git commit -q -a -m broken");
}

static void test_bisect_stops_at_mistakes(void **state)
{
	(void)state;
	expect_kab(130, "bisect git --matrix m.yaml", "no bisection under way", NULL);
	expect_kab(130, "bisect git --matrix m.yaml --good nosuch", "no revision nosuch", NULL);
	expect_kab(130, "bisect git --matrix none.yaml --good base", "none.yaml", NULL);
	expect_kab(130, "bisect git --matrix m.yaml --good base --only 'nosuch*'", "nosuch", NULL);
	shell("sed 's/100ms}/100ms, primary: false}/' m.yaml >secondary.yaml");
	expect_kab(
		130, "bisect git --matrix secondary.yaml --good base", "no primary figure", NULL);
	expect_kab(130, "bisect kab", "no git tree", NULL);
	/* Asked about at each revision it would have git skip them all, each after its kernels were built. */
	shell("cp m.yaml commands.yaml; echo '  - {name: c, command: \"true\", figure: {regex: \"(1)\", name: n, unit: u,"
	      " better: more}}' >>commands.yaml");
	expect_kab(130, "bisect git --matrix commands.yaml --good base", "commands.yaml", "--yes", NULL);
	expect_kab(130, "bisect git git", "found 2 operands", NULL);
	expect_kab(0, "bisect --help", "usage: kab bisect", NULL);
}

/* 125, at which git tries another revision; but 130 where the good one does not build, for no other
 * will do better. */
static void test_bisect_skips_what_does_not_build(void **state)
{
	(void)state;
	bisect_commits();
	expect_kab(125, "bisect git --matrix m.yaml --good base --results r",
		"arm here: make failed", "mm/mmap.c", NULL);
	expect_kab(130, "bisect git --matrix m.yaml --good HEAD --results r", "mm/mmap.c", NULL);
	/* By itself it takes the first that was called good, not those that git found since. */
	shell("cd git && git bisect start >/dev/null && git bisect bad >/dev/null && "
	      "git bisect good base >/dev/null && git bisect good topic~2 >/dev/null && git "
	      "checkout -q topic && "
	      "rm ../kab/tries/*.yaml");
	expect_kab(125, "bisect git --matrix m.yaml --results r", "mm/mmap.c", NULL);
	shell("grep -q \"rev: .$(git -C git rev-parse base)\" kab/tries/bisect-*.yaml");
}

/* The kernel of a revision is the good one's and a patch, for then its tree is kept; but for what
 * no patch can say. */
static void test_bisect_builds_on_the_good_revision(void **state)
{
	__free_char char *home = xstrdup(getenv("HOME") ?: "/");

	(void)state;
	bisect_commits();
	expect_kab(125, "bisect git --matrix m.yaml --good base --results r", "mm/mmap.c", NULL);
	shell("grep -q '  here: {series: ' kab/tries/bisect-*.yaml && rm -r kab/tries");
	/* The cache is below the home folder, most often, whose name is nobody's business. */
	setenv("HOME", fx->dir, 1);
	expect_kab(125, "bisect git --matrix m.yaml --good base --results r", "mm/mmap.c", NULL);
	setenv("HOME", home, 1);
	shell("grep -q '  here: {series: .[^/]~/' kab/tries/bisect-*.yaml && rm -r kab/tries");
	shell("cd git && ln -s mm link && git add -A && git commit -q -m link");
	expect_kab(125, "bisect git --matrix m.yaml --good base --results r", "mm/mmap.c", NULL);
	shell("grep -q '  here: {base: ' kab/tries/bisect-*.yaml && rm -r kab/tries");
	shell("cd git && git rm -q link && printf 'a\\0b' >blob && git add -A && git commit -q -m "
	      "blob");
	expect_kab(125, "bisect git --matrix m.yaml --good base --results r", "mm/mmap.c", NULL);
	shell("grep -q '  here: {base: ' kab/tries/bisect-*.yaml");
}

/* ---- along the series ---- */

#define PATCH(n) \
	"{\"name\": \"000" #n "-p" #n ".patch\", \"origin\": \"s\", \"sha256\": \"" #n "\"}"
#define ARM(label, patches)                                                                     \
	"{\"label\": \"" label "\", \"key\": \"k" label "\", \"meta\": {\"patches\": [" patches \
	"]}}"

static const char along_arms[] = "[" ARM("stock", "") "," ARM("p02", PATCH(1) "," PATCH(2)) "," ARM(
	"p01", PATCH(1)) "," ARM("patched", PATCH(1) "," PATCH(2) "," PATCH(3)) "]";

static const char along_matrix[] =
	"baseline: stock\n"
	"arms: {stock: {}, p02: {}, p01: {}, patched: {}}\n"
	"executor: {vm: {cpus: 1, nodes: 1, memory: 1G}}\n"
	"blocks: 10\n"
	"samples: 2\n"
	"warmup: 0\n"
	"workloads:\n"
	"  - {name: pipe, mode: process, duration: 100ms}\n"
	"  - {name: messaging, mode: process, groups: 1, duration: 100ms}\n";

/* Every rate is noisy by 1 %; the second patch takes 20 % off that of pipe, by a rule for the arms
 * that have it. */
static struct store *along_run(double log_change, const char *arms)
{
	const struct synth_rule rules[] = {
		{.metric = "ops_per_s",
			.cell = "pipe*",
			.arm = "stock",
			.mean = 1000,
			.boot_sd = 0.01},
		{.metric = "ops_per_s",
			.cell = "pipe*",
			.arm = "p01",
			.mean = 1000,
			.boot_sd = 0.01},
		{.metric = "ops_per_s",
			.cell = "pipe*",
			.arm = "p02",
			.mean = 1000 * log_change,
			.boot_sd = 0.01},
		{.metric = "ops_per_s",
			.cell = "pipe*",
			.arm = "patched",
			.mean = 1000 * log_change,
			.boot_sd = 0.01},
		{.metric = "ops_per_s", .cell = "messaging*", .mean = 500, .boot_sd = 0.01},
	};
	const struct synth s = {.matrix = along_matrix,
		.rules = rules,
		.nrules = ARRAY_SIZE(rules),
		.arms = arms,
		.seed = 3};
	__free_char char *path = NULL;
	struct error err = {};
	struct store *run;

	fx->results = synth_results();
	path = synth_run(fx->results, &s);
	run = store_open(path, true, NULL, &err);
	if (!run)
		fail_msg("%s", err.text);
	return run;
}

static void make_along(const struct store *run, struct along *a)
{
	struct error err = {};

	if (along_make(run, a, &err))
		fail_msg("%s", err.text);
}

static void test_the_guilty_patch_is_named(void **state)
{
	struct store *run = along_run(0.8, along_arms);
	struct buf text = {};
	struct along a;
	json_t *json;

	(void)state;
	make_along(run, &a);
	assert_int_equal(a.nsteps, 3);
	assert_string_equal(a.steps[1].arm, "p02"); /* by patches, not by place in the matrix */
	assert_string_equal(a.steps[1].patch, "0002-p2.patch");
	assert_int_equal(a.nfigures, 2);
	assert_false(along_is_guilty(&a, 0));
	assert_true(along_is_guilty(&a, 1));
	assert_false(along_is_guilty(&a, 2));
	/* Worse than stock is the whole series from there on, but the third patch did not do it. */
	assert_true(a.figures[0].whole[2]->e.effect < 0.85);
	assert_true(a.figures[0].moved[2].e.effect > 0.95);
	along_text(&a, &text);
	assert_non_null(strstr(text.data, "  2 0002-p2.patch"));
	assert_non_null(strstr(text.data, "####|"));
	assert_non_null(strstr(text.data, "^ regression by this patch"));
	assert_non_null(strstr(text.data, "Made worse by\n   2 0002-p2.patch\n"));
	buf_free(&text);
	json = along_to_json(&a);
	assert_int_equal(json_array_size(json_object_get(json, "guilty")), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(json, "guilty"), 0)),
		"0002-p2.patch");
	json_decref(json);
	along_clear(&a);
	store_close(run);
}

static void test_nobody_is_guilty_of_nothing(void **state)
{
	struct store *run = along_run(1, along_arms);
	struct buf text = {};
	struct along a;

	(void)state;
	make_along(run, &a);
	for (size_t i = 0; i < a.nsteps; i++)
		assert_false(along_is_guilty(&a, i));
	along_text(&a, &text);
	assert_non_null(strstr(text.data, "No single patch was seen to make anything worse"));
	assert_null(strstr(text.data, "by this patch"));
	buf_free(&text);
	along_clear(&a);
	store_close(run);
}

/* All steps are one family: with p of each as it is, so many comparisons would call something worse
 * by chance. */
static void test_steps_are_corrected_together(void **state)
{
	struct store *run = along_run(0.8, along_arms);
	struct along a;

	(void)state;
	make_along(run, &a);
	/* Six comparisons: the smallest p, of ten blocks, counts six times. */
	assert_true(a.figures[0].moved[1].p_adj > 5.9 * a.figures[0].moved[1].e.p);
	assert_true(a.figures[0].moved[1].p_adj < 6.1 * a.figures[0].moved[1].e.p);
	along_clear(&a);
	store_close(run);
}

/* Two series side by side, or none at all, have no order. */
static void test_other_arms_are_no_series(void **state)
{
	static const char *const others[] = {
		"[" ARM("stock", "") "," ARM("p02", PATCH(2)) "," ARM("p01", PATCH(1)) "," ARM(
			"patched", PATCH(3)) "]",
		"[" ARM("stock", PATCH(1)) "," ARM("p02", PATCH(1)) "," ARM(
			"p01", PATCH(1) "," PATCH(2)) "," ARM("patched",
			PATCH(1) "," PATCH(2) "," PATCH(3)) "]",
		NULL,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct store *run = along_run(1, others[i]);
		struct along a;

		make_along(run, &a);
		assert_int_equal(a.nsteps, 0);
		along_clear(&a);
		store_close(run);
		dir_remove(fx->results, NULL);
		free(fx->results);
		fx->results = NULL;
	}
}

/* The panel of pipe: as it was, as it was, 20 % less by the second patch, and no more by the third. */
static void check_figure(const char *data, const char *settings)
{
	__free_char char *copy = xstrdup(data);
	char *save = NULL, *line = strtok_r(copy, "\n", &save);
	double v[5];

	for (int patch = 0; patch <= 3; patch++, line = strtok_r(NULL, "\n", &save)) {
		assert_non_null(line);
		assert_int_equal(sscanf(line, "%lf %lf %lf %lf %lf", v, v + 1, v + 2, v + 3, v + 4), 5);
		assert_int_equal(v[0], patch);
		assert_true(fabs(v[1] - (patch < 2 ? 1 : 0.8)) < 0.05);
		assert_int_equal(v[4], patch == 2 ? 2 : 0);
	}
	assert_non_null(strstr(settings, "guilt[1] = 0\n"));
	assert_non_null(strstr(settings, "guilt[2] = 2\n"));
	assert_non_null(strstr(settings, "patch[2] = '2  0002-p2.patch'"));
}

static void test_reports_show_it(void **state)
{
	static const char *const files[] = {"report.html", "report.md"};
	struct store *run = along_run(0.8, along_arms);
	__free_char char *out = xasprintf("%s/report", fx->dir), *home = getcwd(NULL, 0);
	struct error err = {};
	struct comparison *c;
	json_t *patch;

	(void)state;
	setenv("KAB_HOME", home, 1); /* whose scripts draw the plots */
	patch = json_pack("{s:[s,s]}", "tried", "a series.mbox", "--each");
	assert_int_equal(store_update(run, patch, &err), 0);
	json_decref(patch);
	c = compare_runs(run, NULL, &(struct compare_options){}, &err);
	if (!c || report_write(run, NULL, c, out, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		__free_char char *path = xasprintf("%s/%s", out, files[i]);
		__free_char char *text = file_read(path, NULL, NULL);

		if (!text || !strstr(text, "Patch by patch") ||
			!strstr(text, "Where along the series it moved") ||
			!strstr(text, "regression by this patch") || !strstr(text, "kab try "))
			fail_msg("%s does not show it", files[i]);
	}
	{
		__free_char char *path = xasprintf("%s/along.dat", out), *text = file_read(path, NULL, NULL);
		__free_char char *gp = xasprintf("%s/along.gp", out), *settings = file_read(gp, NULL, NULL);

		assert_non_null(text);
		assert_non_null(settings);
		check_figure(text, settings);
	}
	comparison_free(c);
	store_close(run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_form_is_the_same_series),
		TEST(test_a_thread_is_put_in_order),
		TEST(test_mails_without_separators_are_told_apart),
		TEST(test_what_is_missing_is_named),
		TEST(test_a_series_keeps_its_place),
		TEST(test_dry_run_says_what_would_be_measured),
		TEST(test_exact_counts_instructions),
		TEST(test_dry_run_for_programs),
		TEST(test_blocks_are_enough_to_decide),
		TEST(test_other_base_is_told_from_broken),
		TEST(test_a_patch_that_applies_in_part_is_damaged),
		TEST(test_files_that_come_and_go),
		TEST(test_bisect_stops_at_mistakes),
		TEST(test_bisect_skips_what_does_not_build),
		TEST(test_bisect_builds_on_the_good_revision),
		TEST(test_the_guilty_patch_is_named),
		TEST(test_nobody_is_guilty_of_nothing),
		TEST(test_steps_are_corrected_together),
		TEST(test_other_arms_are_no_series),
		TEST(test_reports_show_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
