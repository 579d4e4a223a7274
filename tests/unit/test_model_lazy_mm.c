// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The model of the series lazy-mm, searched through by spin: what it says of the series is worth as much as what it says
 * of memory (litmus.pml) and of a protocol that lacks something. Each line below names what is taken out, and what spin
 * must then find.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "skip.h"
#include "util.h"

#define MODELS "kernel-patch/series/lazy-mm/model"

struct search {
	const char *model, *defined[3];
	const char *violated; /* the assertion that must fail; NULL: none may */
};

/* Runs @argv in @dir; what it printed, to be freed. A command that cannot be run fails the test. */
static char *output_of(const char *const argv[], const char *dir)
{
	struct buf out = {};
	struct error err;

	if (run_capture(argv, dir, &out, &err))
		fail_msg("%s: %s", argv[0], err.text);
	return out.data ? out.data : xstrdup("");
}

static void copy_models(const char *dir)
{
	static const char *const files[] = {"tso.pml", "litmus.pml", "lazy_mm.pml"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		__free_char char *from = xasprintf("%s/" MODELS "/%s", kab_home(), files[i]);
		const char *const copy[] = {"cp", from, dir, NULL};

		free(output_of(copy, NULL));
	}
}

static void search(const struct search *s)
{
	char dir[] = "/tmp/kab-test-XXXXXX";
	const char *spin[8] = {"spin"};
	const char *const compile[] = {"gcc", "-w", "-DSAFETY", "-o", "pan", "pan.c", NULL};
	const char *const pan[] = {"./pan", "-m100000", NULL};
	__free_char char *found = NULL;
	size_t n = 1;

	for (size_t i = 0; i < ARRAY_SIZE(s->defined) && s->defined[i]; i++)
		spin[n++] = s->defined[i];
	spin[n++] = "-a";
	spin[n] = s->model;
	assert_non_null(mkdtemp(dir));
	copy_models(dir);
	free(output_of(spin, dir));
	free(output_of(compile, dir));
	found = output_of(pan, dir);
	dir_remove(dir, NULL);

	/* A search that was cut short has shown nothing. */
	assert_null(strstr(found, "max search depth too small"));
	if (!s->violated && !strstr(found, "errors: 0\n"))
		fail_msg("%s %s: %s", s->model, s->defined[0] ? s->defined[0] : "", found);
	if (s->violated && (!strstr(found, "errors: 1\n") || !strstr(found, s->violated)))
		fail_msg("%s %s: expected '%s' to fail: %s", s->model, s->defined[0], s->violated, found);
}

static void search_all(const struct search *s, size_t n)
{
#ifdef __SANITIZE_ADDRESS__
	skip_because("the programs that spin makes are the same as without sanitizers");
#endif
	if (access("/usr/bin/spin", X_OK))
		skip_because("spin is not installed");
	for (size_t i = 0; i < n; i++)
		search(&s[i]);
}

static void test_memory_is_that_of_x86(void **state)
{
	static const struct search s[] = {
		{"litmus.pml", {"-DSTORE_BUFFERING"}, "(seen[0]||seen[1])"},
		{"litmus.pml", {"-DSTORE_BUFFERING", "-DFENCED"}, NULL},
		{"litmus.pml", {NULL}, NULL},
		{"litmus.pml", {"-DOUT_OF_ORDER"}, "seen[1]"},
	};

	(void)state;
	search_all(s, ARRAY_SIZE(s));
}

static void test_an_mm_is_freed_once_and_in_time(void **state)
{
	static const struct search s[] = {
		{"lazy_mm.pml", {NULL}, NULL},
		{"lazy_mm.pml", {"-DSHOOTDOWN"}, NULL},
		{"lazy_mm.pml", {"-DKERNEL_THREAD"}, NULL},
		{"lazy_mm.pml", {"-DKERNEL_THREAD", "-DSHOOTDOWN"}, NULL},
		{"lazy_mm.pml", {"-DKERNEL_THREAD", "-DBORROWED_BEFORE"}, NULL},
		{"lazy_mm.pml", {"-DKERNEL_THREAD", "-DBORROWED_BEFORE", "-DSHOOTDOWN"}, NULL},
	};

	(void)state;
	search_all(s, ARRAY_SIZE(s));
}

static void test_nothing_in_it_can_be_left_out(void **state)
{
	static const struct search s[] = {
		{"lazy_mm.pml", {"-DUSERS_UNFENCED"}, "!(freed)"},
		{"lazy_mm.pml", {"-DUSERS_UNFENCED", "-DSHOOTDOWN"}, "!(freed)"},
		{"lazy_mm.pml", {"-DBORROW_LATE"}, "!(freed)"},
		{"lazy_mm.pml", {"-DLOOK_LEFT_OUT"}, "!(freed)"},
		{"lazy_mm.pml", {"-DMARK_FIRST"}, "!(freed)"},
		{"lazy_mm.pml", {"-DSHOT_UNANSWERED", "-DSHOOTDOWN"}, "!(freed)"},
		{"lazy_mm.pml", {"-DRETURN_PLAIN"}, "assertion violated freed"},
		{"lazy_mm.pml", {"-DMARK_PLAIN"}, "assertion violated freed"},
		{"lazy_mm.pml", {"-DLET_GO_PLAIN"}, "assertion violated freed"},
		{"lazy_mm.pml", {"-DKERNEL_THREAD", "-DBORROWED_BEFORE", "-DRETURN_PLAIN"}, "assertion violated freed"},
		{"lazy_mm.pml", {"-DKERNEL_THREAD", "-DTHREAD_UNCOUNTED"}, "!(freed)"},
		{"lazy_mm.pml", {"-DKERNEL_THREAD", "-DTHREAD_UNCOUNTED", "-DSHOOTDOWN"}, "!(freed)"},
	};

	(void)state;
	search_all(s, ARRAY_SIZE(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_that_of_x86),
		cmocka_unit_test(test_an_mm_is_freed_once_and_in_time),
		cmocka_unit_test(test_nothing_in_it_can_be_left_out),
	};

	return cmocka_run_group_tests_name("model lazy-mm", tests, NULL, NULL);
}
