// SPDX-License-Identifier: GPL-2.0-or-later
/* What the counting plugin writes, folded by symbols and laid side by side. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "functions.h"
#include "report_format.h"
#include "synthetic.h"
#include "util.h"

static const char nm[] = "0000000000000000 D per_cpu_start\n"
			 "ffffffff81000000 T _text\n"
			 "ffffffff81000000 T startup_64\n"
			 "ffffffff81000100 t pipe_read\n"
			 "ffffffff81000180 d a_table\n"
			 "ffffffff81000200 T pipe_write\n"
			 "                 U undefined\n"
			 "ffffffff81000300 W weak\n";

static void test_fold(void **state)
{
	__free_char char *text = functions_fold("ffffffff81000100 5\n"
						"ffffffff810001ff 7\n"
						"ffffffff81000200 100\n"
						"ffffffff81000010 1\n"
						"ffffffff90000000 2\n"
						"ffff888000000000 3\n"
						"user 44\n",
		nm);

	(void)state;
	/* Data is no function; what lies below all symbols is in the total alone. */
	assert_string_equal(text, "kernel 118\nuser 44\npipe_write 100\npipe_read 12\nweak "
				  "2\n_text 1\n");
}

static void write_file(const char *path, const char *mode, const char *text)
{
	FILE *f = fopen(path, mode);

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A program with symbols of its own: this one. */
static void test_take(void **state)
{
	char path[] = "/tmp/kab-test-XXXXXX";
	struct error err;
	__free_char char *program = NULL;
	struct functions *f;
	char *text;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	program = realpath("/proc/self/exe", NULL);
	f = functions_open(path, program, &err);
	if (!f)
		fail_msg("%s", err.text);
	assert_null(functions_take(f));
	write_file(path, "a", "window\nffffffff81000000 9\nuser 1\n");
	assert_null(functions_take(f)); /* not finished */
	write_file(path, "a", "end\nwindow\nffffffff81000000 5\nuser 2\nend\nwindow\nff");
	text = functions_take(f);
	assert_non_null(text);
	/* The last one that is finished. */
	assert_true(!strncmp(text, "kernel 5\nuser 2\n", 16));
	free(text);
	assert_null(functions_take(f));
	write_file(path, "a", "ffffff81000000 8\nuser 3\nend\n");
	text = functions_take(f);
	assert_true(!strncmp(text, "kernel 8\nuser 3\n", 16));
	free(text);
	functions_close(f);
	unlink(path);
	assert_null(functions_open(path, path, &err));
	assert_int_equal(err.status, KAB_ENVIRONMENT);
}

static void test_metrics(void **state)
{
	struct sample s = {.ops = 10};

	(void)state;
	functions_set_metrics("kernel 1180\nuser 44\npipe_read 100\n", &s);
	assert_true(sample_metric(&s, "kernel_instructions_per_op") == 118);
	assert_true(fabs(sample_metric(&s, "user_instructions_per_op") - 4.4) < 1e-12);
	sample_clear(&s);
	s = (struct sample){.ops = 10};
	functions_set_metrics(NULL, &s);
	assert_true(isnan(sample_metric(&s, "kernel_instructions_per_op")));
	sample_clear(&s);
}

/* The same on the report's page: functions that do not differ are left out. */
static void test_page(const struct store *run)
{
	struct error err;
	struct plan *plan = plan_make(store_matrix(run), NULL, &err);
	const struct report r = {.run = run, .m = store_matrix(run), .plan = plan};
	struct buf b = {};

	html_functions(&b, &r);
	assert_non_null(strstr(b.data, "<h3>pipe</h3>"));
	assert_non_null(strstr(b.data, "<code>new_one</code>"));
	assert_non_null(strstr(b.data, "+4.50"));
	assert_null(strstr(b.data, "same"));
	buf_free(&b);
	plan_free(plan);
}

/* Arms side by side, the largest difference first; samples of 1000 operations. */
static void test_table(void **state)
{
	static const struct synth_rule rules[] = {{NULL, NULL, "ops_per_s", 1000, .boot_sd = 0}};
	const struct synth s = {
		.matrix = "arms: {stock: {}, patched: {series: x}}\nexecutor: {exact: {}}\nblocks: "
			  "2\nobservers: functions\n"
			  "samples: 1\nwarmup: 1\nseed: 1\nworkloads: [{name: pipe}]\n",
		.rules = rules,
		.nrules = 1,
	};
	__free_char char *results = synth_results(), *path = synth_run(results, &s);
	struct error err;
	struct store *run = store_open(path, true, NULL, &err);
	size_t n;
	const struct sample *v = store_samples(run, &n);
	json_t *table, *first;

	(void)state;
	assert_null(functions_table(run, "pipe", &err));
	assert_int_equal(err.status, KAB_USAGE);
	assert_non_null(strstr(err.text, "observer functions"));
	for (size_t i = 0; i < n; i++) {
		const char *text =
			v[i].warmup ? "kernel 9999999\nuser 0\nwarm 1\n"
			: !strcmp(v[i].arm, "stock")
				? "kernel 3000\nuser 500\nsame 1000\nless 2000\n"
				: "kernel 6500\nuser 500\nsame 1000\nless 1000\nnew_one 4500\n";

		assert_int_equal(
			store_raw(run, v[i].id, "functions.txt", text, strlen(text), &err), 0);
	}
	table = functions_table(run, "pipe", &err);
	assert_non_null(table);
	first = json_array_get(json_object_get(table, "functions"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "name")), "kernel");
	__free_char char *text = functions_text(table, 0), *cut = functions_text(table, 3);

	assert_non_null(strstr(text,
		"kernel                                           3.00         6.50      +3.50\n"));
	assert_true(strstr(text, "new_one") < strstr(text, "less"));
	assert_true(strstr(text, "less") < strstr(text, "same"));
	assert_non_null(strstr(text, "+4.50"));
	assert_non_null(strstr(text, "-1.00"));
	assert_null(strstr(text, "warm"));
	assert_null(strstr(cut, "less"));
	assert_non_null(strstr(cut, "2 more functions"));
	json_decref(table);
	test_page(run);
	store_close(run);
	assert_int_equal(dir_remove(results, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("functions", tests, NULL, NULL);
}
