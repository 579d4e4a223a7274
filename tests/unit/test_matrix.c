// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tests/data/matrix/bad: matrix files with one mistake each; their first line is a comment with the
 * place and the message that the mistake must give. catalog.json is what kab-workload said of
 * itself.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "catalog.h"
#include "matrix.h"
#include "util.h"

#define ARMS "arms: {stock: {}}\n"
#define PIPE "workloads: [{name: pipe}]\n"

static char *data(const char *name)
{
	__free_char char *path = xasprintf("%s/tests/data/matrix/%s", kab_home(), name);
	struct error err;
	char *text = file_read(path, NULL, &err);

	if (!text)
		fail_msg("%s", err.text);
	return text;
}

static json_t *catalog(void)
{
	__free_char char *text = data("catalog.json");
	struct error err;
	json_t *c = catalog_parse(text, &err);

	if (!c)
		fail_msg("%s", err.text);
	return c;
}

static struct matrix *parse(const char *text)
{
	struct error err;
	struct matrix *m = matrix_parse("m.yaml", text, &err);

	if (!m)
		fail_msg("%s", err.text);
	return m;
}

static void expect_refused(const char *text, const char *message)
{
	struct error err = {0};

	if (matrix_parse("m.yaml", text, &err))
		fail_msg("taken: %.200s", text);
	if (!strstr(err.text, message))
		fail_msg("'%s', expected '%s'", err.text, message);
	assert_int_equal(err.status, KAB_USAGE);
}

static bool is_refused_right(const char *name, const json_t *c)
{
	__free_char char *file = xasprintf("bad/%s", name), *text = data(file), *want = NULL;
	struct error err = {0};
	struct matrix *m = matrix_parse_checked(name, text, c, &err);

	want = xasprintf("%s:%.*s", name, (int)strcspn(text, "\n") - 2, text + 2);
	if (m)
		print_error("%s is taken\n", name);
	else if (strncmp(err.text, want, strlen(want)) || err.status != KAB_USAGE)
		print_error("'%s', expected '%s'\n", err.text, want);
	else
		return true;
	matrix_free(m);
	return false;
}

static void test_every_mistake_has_its_place(void **state)
{
	__free_char char *path = xasprintf("%s/tests/data/matrix/bad", kab_home());
	json_t *c = catalog();
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0, wrong = 0;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		wrong += !is_refused_right(e->d_name, c);
		n++;
	}
	closedir(d);
	json_decref(c);
	assert_int_equal(wrong, 0);
	assert_true(n >= 100);
}

static void test_defaults(void **state)
{
	struct matrix *m = parse(ARMS PIPE);

	(void)state;
	assert_string_equal(m->name, "m");
	assert_string_equal(m->baseline, "stock");
	assert_string_equal(m->arms[0].base.package, "linux-source-6.1");
	assert_string_equal(m->arms[0].cmdline, "");
	assert_int_equal(m->executor, EXECUTOR_VM);
	assert_int_equal(m->nmachines, 1);
	assert_int_equal(m->machines[0].cpus, 4);
	assert_int_equal(m->machines[0].memory, 2ull << 30);
	assert_int_equal(m->blocks, 10);
	assert_int_equal(m->samples, 3);
	assert_int_equal(m->warmup, 1);
	assert_int_equal(m->observers, OBSERVE_SCHEDSTAT | OBSERVE_INTERRUPTS | OBSERVE_VMSTAT);
	assert_int_equal(m->seed, 0);
	assert_false(m->has_commands);
	matrix_free(m);
}

static void write_file(const char *path, const void *text, size_t len)
{
	struct error err;

	if (file_write_atomic(path, text, len, &err))
		fail_msg("%s", err.text);
}

static void check_full_arms(const struct matrix *m, const char *home)
{
	__free_char char *tree = xasprintf("%s/src/linux", home);
	const struct arm *plain = matrix_arm(m, "plain"), *patched = matrix_arm(m, "patched");

	assert_null(matrix_arm(m, "nobody"));
	assert_string_equal(m->baseline, "plain");
	assert_string_equal(plain->base.tree, tree);
	assert_string_equal(plain->base.rev, "v6.1");
	assert_null(plain->base.package);
	assert_string_equal(patched->base.package, "linux-source-6.12");
	assert_null(patched->base.tree);
	assert_int_equal(patched->nseries, 2);
	assert_string_equal(patched->series[0].name, "vm-local-cpu");
	assert_int_equal(patched->series[0].patches, 2);
	assert_string_equal(patched->series[1].name, "./more/patches");
	assert_int_equal(patched->series[1].patches, 0);
	assert_int_equal(patched->nconfig, 2);
	assert_string_equal(patched->cmdline, "quiet schedstats=enable"); /* by an alias */
	assert_int_equal(patched->align, 64);
	assert_string_equal(patched->mutation, "vm-local-cpu/flush-left-out");
	assert_int_equal(patched->nparams, 2);
	assert_string_equal(patched->params[0].workload, "null");
	assert_string_equal(params_get(&patched->params[0].params, "pin"), "spread");
}

static void check_full_workloads(const struct matrix *m)
{
	const struct workload_spec *pipe = &m->workloads[0], *command = &m->workloads[2];

	assert_int_equal(m->nworkloads, 5);
	assert_int_equal(pipe->ndims, 3);
	assert_string_equal(pipe->dims[0].key, "duration");
	assert_string_equal(pipe->dims[1].key, "mode");
	assert_int_equal(pipe->dims[1].n, 2);
	assert_string_equal(pipe->dims[1].values[1], "thread");
	assert_false(pipe->secondary);
	assert_string_equal(m->workloads[1].name, "null");
	assert_true(m->workloads[1].secondary);
	assert_true(m->has_commands);
	assert_string_equal(command->command, "perf bench sched pipe -l 20000");
	assert_int_equal(command->figure.kind, FIGURE_REGEX);
	assert_string_equal(command->figure.name, "pipe_ops_per_s");
	assert_int_equal(command->figure.better, BETTER_MORE);
	assert_int_equal(m->workloads[3].figure.kind, FIGURE_JSON);
	assert_string_equal(m->workloads[3].figure.expr, "/results/0/mean");
	assert_int_equal(m->workloads[4].figure.kind, FIGURE_YAML);
	assert_int_equal(m->workloads[4].figure.better, BETTER_NONE);
}

/* What it names by a path has to be there. */
static void test_every_key(void **state)
{
	__free_char char *text = data("full.yaml"), *home = xstrdup(getenv("HOME") ?: "/");
	char dir[] = "/tmp/kab-test-XXXXXX";
	json_t *c = catalog();
	struct error err;
	struct matrix *m;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(dir_make("src/linux", NULL), 0);
	assert_int_equal(dir_make("more/patches", NULL), 0);
	write_file("fragment", "", 0);
	setenv("HOME", dir, 1);
	m = matrix_parse_checked("a/full.yaml", text, c, &err);
	setenv("HOME", home, 1);
	assert_int_equal(chdir(kab_home()), 0);
	dir_remove(dir, NULL);
	if (!m)
		fail_msg("%s", err.text);
	assert_string_equal(m->name, "full");
	check_full_arms(m, dir);
	check_full_workloads(m);
	assert_int_equal(m->nmachines, 4);
	assert_int_equal(m->machines[1].cpus, 2);
	assert_true(matrix_has_several_cpus(m));
	assert_int_equal(m->machines[1].nodes, 2);
	assert_int_equal(m->machines[3].memory, 512 << 20);
	assert_string_equal(m->share, "/srv");
	assert_int_equal(m->warmup, 0);
	assert_true(m->precision > 0.0099 && m->precision < 0.0101);
	assert_true(m->budget_s == 1200);
	assert_true(m->threshold > 0.00499 && m->threshold < 0.00501);
	assert_int_equal(m->observers, OBSERVE_SCHEDSTAT | OBSERVE_PERF_STAT);
	assert_true(m->seed == UINT64_MAX);
	matrix_free(m);
	json_decref(c);
}

/* Every key of the full matrix shows in its JSON: what is not there is not in the plan's hash. */
static void test_json_is_complete(void **state)
{
	static const char *const words[] = {"\"plain\"", "v6.1", "linux-source-6.12",
		"vm-local-cpu", "\"patches\":2", "more/patches", "debug-info", "schedstats=enable",
		"\"align\":64", "flush-left-out", "spread", "\"nodes\":2", "536870912", "/srv",
		"\"blocks\":12", "\"samples\":2", "\"warmup\":0", "\"precision\":0.01",
		"\"budget_s\":1200", "perf-stat", "18446744073709551615", "\"threshold\":0.005",
		"200ms", "perf bench sched pipe", "ops/sec", "pipe_ops_per_s", "ops/s",
		"\"better\":\"more\"", "\"primary\":false"};
	__free_char char *text = data("full.yaml"), *json = NULL;
	struct matrix *m = parse(text);
	json_t *o = matrix_to_json(m);

	(void)state;
	json = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strstr(json, words[i]))
			fail_msg("no %s in %s", words[i], json);
	json_decref(o);
	matrix_free(m);
}

/* run.json is handed on: the name of a home folder has no place in it. */
static void test_json_has_no_home(void **state)
{
	static const char text[] =
		"base: {tree: ~/src/linux}\n"
		"arms: {a: {}, b: {base: {tarball: ~/l.tar.xz}}, c: {base: {tree: /home/someone-else/l}}, "
		"d: {series: ['~/patches:2'], config: [~/fragment], mutation: ~/series/broken}}\n"
		"executor: {vm: {share: ~/guest}}\nworkloads: [{name: pipe}]\n";
	__free_char char *home = xstrdup(getenv("HOME") ?: "/"), *json = NULL;
	struct matrix *m;
	json_t *o;

	(void)state;
	setenv("HOME", "/home/someone", 1);
	m = parse(text);
	o = matrix_to_json(m);
	setenv("HOME", home, 1);
	json = json_dumps(o, JSON_SORT_KEYS);
	assert_string_equal(m->share, "/home/someone/guest");
	assert_string_equal(m->arms[3].series[0].name, "/home/someone/patches");
	assert_string_equal(m->arms[3].config[0], "/home/someone/fragment");
	assert_null(strstr(json, "/home/someone/"));
	assert_non_null(strstr(json, "\"tree\": \"~/src/linux\""));
	assert_non_null(strstr(json, "\"tarball\": \"~/l.tar.xz\""));
	assert_non_null(strstr(json, "\"share\": \"~/guest\""));
	assert_non_null(strstr(json, "{\"name\": \"~/patches\", \"patches\": 2}"));
	assert_non_null(strstr(json, "\"config\": [\"~/fragment\"]"));
	assert_string_equal(m->arms[3].mutation, "/home/someone/series/broken");
	assert_non_null(strstr(json, "\"mutation\": \"~/series/broken\""));
	assert_non_null(strstr(json, "/home/someone-else/l"));
	json_decref(o);
	matrix_free(m);
}

/* Key order, comments and layout are no part of what a matrix means. */
static void test_json_is_canonical(void **state)
{
	static const char *const same[] = {
		"arms: {a: {align: 8, series: x}}\nworkloads: [{name: pipe, mode: thread, pin: "
		"none}]\nseed: 5\n",
		"# words\nseed: 5\nworkloads:\n  - pin: none\n    name: 'pipe'\n    mode: "
		"[thread]\n"
		"arms:\n  a:\n    series: [x]\n    align: 8\n",
	};
	char *json[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct matrix *m = parse(same[i]);
		json_t *o = matrix_to_json(m);

		json[i] = json_dumps(o, JSON_SORT_KEYS);
		json_decref(o);
		matrix_free(m);
	}
	assert_string_equal(json[0], json[1]);
	free(json[0]);
	free(json[1]);
}

static void test_executors(void **state)
{
	struct matrix *m = parse(ARMS PIPE "executor: {exact: {}}\nobservers: none\n");

	(void)state;
	assert_int_equal(m->executor, EXECUTOR_EXACT);
	assert_int_equal(m->machines[0].cpus, 1);
	assert_false(matrix_has_several_cpus(m));
	assert_int_equal(m->observers, 0);
	assert_false(m->together);
	matrix_free(m);
	m = parse(ARMS PIPE "executor: {exact: {cpus: [1, 2]}}\n");
	assert_int_equal(m->nmachines, 2);
	assert_int_equal(m->machines[1].cpus, 2);
	matrix_free(m);
	m = parse(ARMS PIPE "together: true\n");
	assert_true(m->together);
	matrix_free(m);
	m = parse(ARMS PIPE "executor: {local: {label: new}}\n");
	assert_int_equal(m->executor, EXECUTOR_LOCAL);
	assert_int_equal(m->nmachines, 1);
	assert_int_equal(m->machines[0].cpus, 0);
	assert_string_equal(m->local_label, "new");
	matrix_free(m);
}

/* Arms that nobody wrote down: copies of the baseline behind those of the file. */
static void test_control_arms(void **state)
{
	struct matrix *m = parse("arms: {a: {}, b: {series: x, cmdline: quiet}}\nbaseline: b\n"
				 "aa: [pipe*, 'null']\nlayout: true\n" PIPE);

	(void)state;
	assert_int_equal(m->narms, 4);
	assert_int_equal(m->arms[1].role, ARM_COMPARED);
	assert_string_equal(m->arms[2].label, "b-again");
	assert_int_equal(m->arms[2].role, ARM_CONTROL);
	assert_string_equal(m->arms[2].series[0].name, "x");
	assert_string_equal(m->arms[2].cmdline, "quiet");
	assert_true(arm_runs(&m->arms[2], "pipe/mode=thread"));
	assert_true(arm_runs(&m->arms[2], "null"));
	assert_false(arm_runs(&m->arms[2], "localcpu"));
	assert_string_equal(m->arms[3].label, "b-layout");
	assert_int_equal(m->arms[3].role, ARM_LAYOUT);
	assert_int_equal(m->arms[3].align, 64);
	assert_int_equal(m->arms[2].align, 0);
	assert_true(arm_runs(&m->arms[3], "localcpu"));
	matrix_free(m);

	m = parse(ARMS "aa: true\nlayout: 32\n" PIPE);
	assert_int_equal(m->narms, 3);
	assert_true(arm_runs(&m->arms[1], "anything"));
	assert_int_equal(m->arms[2].align, 32);
	matrix_free(m);
	m = parse(ARMS "aa: false\nlayout: false\n" PIPE);
	assert_int_equal(m->narms, 1);
	matrix_free(m);

	expect_refused("arms: {stock: {}, stock-again: {}}\naa: true\n" PIPE,
		"m.yaml:2:5: this makes an arm 'stock-again', and there is one");
	expect_refused(ARMS "layout: yes\n" PIPE, "m.yaml:2:9: expected a whole number");
	expect_refused(ARMS "layout: 48\n" PIPE, "m.yaml:2:9: expected true or an alignment");
	expect_refused("arms: {stock: {align: 64}}\nlayout: true\n" PIPE, "aligned to 64 itself");
	expect_refused(ARMS "executor: {local: {}}\nlayout: true\n" PIPE, "a kernel of its own");
	expect_refused(ARMS "aa: []\n" PIPE, "m.yaml:2:5: ");
}

static void test_baseline_without_stock(void **state)
{
	struct matrix *m = parse("arms:\n  first:\n  second: {}\n" PIPE);

	(void)state;
	assert_string_equal(m->baseline, "first");
	matrix_free(m);
}

/* A run made by another version may hold workloads and parameters that this one lacks. */
static void test_own_workloads_are_checked_only_on_request(void **state)
{
	static const char text[] = ARMS "workloads: [{name: of-tomorrow, warp: 9}]\n";
	json_t *c = catalog();
	struct error err;

	(void)state;
	matrix_free(parse(text));
	assert_null(matrix_parse_checked("m.yaml", text, c, &err));
	json_decref(c);
}

/* @text repeated @n times between @head and @tail. */
static char *repeat(const char *head, const char *text, size_t n, const char *tail)
{
	struct buf b = {0};

	buf_addstr(&b, head);
	while (n--)
		buf_addstr(&b, text);
	buf_addstr(&b, tail);
	return b.data;
}

static void test_bounds(void **state)
{
	__free_char char *deep = repeat("arms: ", "[", 100000, "\n");
	__free_char char *deep_block = repeat("arms: ", "- ", 100000, "\n");
	__free_char char *huge = repeat("", "# comment\n", 30000, ARMS PIPE);
	__free_char char *items =
		repeat(ARMS "workloads: [", "{name: pipe},", 5000, "{name: pipe}]\n");
	__free_char char *values =
		repeat(ARMS "workloads: [{name: pipe, seed: [", "1,", 5000, "2]}]\n");

	(void)state;
	expect_refused(deep, "not YAML");
	expect_refused(deep_block, "m.yaml:1:");
	expect_refused(huge, "m.yaml: 300044 bytes; expected at most 262144");
	expect_refused(items, "5001 items in a list");
	expect_refused(values, "5001 items in a list");
}

/* Ten lists of ten aliases each, nine levels deep, would be 10^9 nodes if they were copied. */
static void test_alias_bomb(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_addstr(&b, "arms:\n  a0: &a0 {cmdline: x}\n");
	for (int i = 1; i < 10; i++) {
		buf_addf(&b, "  a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			buf_addf(&b, "%s*a%d", j ? ", " : "", i - 1);
		buf_addstr(&b, "]\n");
	}
	buf_addstr(&b, PIPE);
	expect_refused(b.data, "m.yaml:3:7: expected a mapping (an arm), found a list");
	buf_free(&b);
}

/* No prefix of a good file may crash the reader; most are mistakes, and each has its place. */
static void test_cut_short(void **state)
{
	__free_char char *text = data("full.yaml");

	(void)state;
	for (size_t n = 0; text[n]; n++) {
		__free_char char *cut = xstrndup(text, n);
		struct error err = {0};
		struct matrix *m = matrix_parse("m.yaml", cut, &err);

		if (!m)
			assert_memory_equal(err.text, "m.yaml:", 7);
		matrix_free(m);
	}
}

static void test_read(void **state)
{
	__free_char char *build = xasprintf("%s/build", kab_home());
	char dir[] = "/tmp/kab-test-XXXXXX";
	__free_char char *path = NULL;
	struct error err = {0};
	struct matrix *m;

	(void)state;
	setenv("KAB_LIBEXEC", build, 0);
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/some.yaml", dir);
	assert_null(matrix_read(path, &err));
	assert_int_equal(err.status, KAB_USAGE);
	assert_non_null(strstr(err.text, "some.yaml"));
	write_file(path, ARMS PIPE "\0", sizeof(ARMS PIPE));
	assert_null(matrix_read(path, &err));
	assert_non_null(strstr(err.text, "a NUL byte at offset"));
	write_file(path, ARMS PIPE, strlen(ARMS PIPE));
	m = matrix_read(path, &err);
	if (!m)
		fail_msg("%s", err.text);
	assert_string_equal(m->path, path);
	assert_string_equal(m->text, ARMS PIPE);
	matrix_free(m);
	write_file(
		path, ARMS "workloads: [{name: pip}]\n", strlen(ARMS "workloads: [{name: pip}]\n"));
	assert_null(matrix_read(path, &err));
	assert_non_null(strstr(err.text, "some.yaml:2:20: unknown workload"));
	dir_remove(dir, NULL);
}

/* The matrices that come with kab are right by the kab-workload that comes with it. */
static void test_our_own_matrices(void **state)
{
	static const char *const files[] = {
		"default.yaml", "quick.yaml", "seeds/vm-local-cpu.yaml", "seeds/peers.yaml"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		__free_char char *path = xasprintf("%s/matrix/%s", kab_home(), files[i]);
		struct error err;
		struct matrix *m = matrix_read(path, &err);

		if (!m)
			fail_msg("%s", err.text);
		matrix_free(m);
	}
}

static void test_params(void **state)
{
	struct params p = {0}, q = {0};

	(void)state;
	params_set(&p, "m", "1");
	params_set(&p, "z", "2");
	params_set(&p, "a", "3");
	params_set(&p, "m", "4");
	assert_int_equal(p.n, 3);
	assert_string_equal(p.v[0].key, "a");
	assert_string_equal(p.v[2].key, "z");
	assert_string_equal(params_get(&p, "m"), "4");
	assert_null(params_get(&p, "b"));
	params_set(&q, "z", "2");
	params_set(&q, "m", "4");
	assert_false(params_equal(&p, &q));
	params_set(&q, "a", "3");
	assert_true(params_equal(&p, &q));
	params_set(&q, "a", "4");
	assert_false(params_equal(&p, &q));
	params_free(&q);
	params_free(&p);
	assert_int_equal(p.n, 0);
}

static void test_catalog(void **state)
{
	static const char *const bad[] = {"", "{}", "[]", "[{}]", "[{\"name\": \"a\"}]",
		"[{\"name\": \"a\", \"params\": [{\"name\": \"b\"}]}]"};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_null(catalog_parse(bad[i], &err));
		assert_int_equal(err.status, KAB_ENVIRONMENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_mistake_has_its_place),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_json_is_complete),
		cmocka_unit_test(test_json_has_no_home),
		cmocka_unit_test(test_json_is_canonical),
		cmocka_unit_test(test_executors),
		cmocka_unit_test(test_baseline_without_stock),
		cmocka_unit_test(test_control_arms),
		cmocka_unit_test(test_own_workloads_are_checked_only_on_request),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_our_own_matrices),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_catalog),
	};

	return cmocka_run_group_tests_name("matrix", tests, NULL, NULL);
}
