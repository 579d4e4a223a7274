// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Captures under tests/data/schedstat were made in a guest of Linux 6.1 (version 15, 4 CPUs in 2
 * nodes) before and after a load and, cpu2-off, after CPU 2 went off line and the load ran again.
 * Sums were worked out by other means.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands.h"
#include "schedstat.h"
#include "util.h"

struct pair {
	char *text[2];
	struct schedstat s[2];
	struct schedstat_delta d;
};

static char *data_path(const char *name)
{
	return xasprintf("%s/tests/data/schedstat/%s", kab_home(), name);
}

static char *data(const char *name)
{
	__free_char char *path = data_path(name);
	struct error err;
	char *text = file_read(path, NULL, &err);

	if (!text)
		fail_msg("%s", err.text);
	return text;
}

/* Takes both texts over. 0 or schedstat_subtract()'s -1. */
static int subtract(struct pair *p, char *before, char *after, struct error *err)
{
	*p = (struct pair){.text = {before, after}};
	for (int i = 0; i < 2; i++)
		if (schedstat_parse(i ? "after" : "before", p->text[i], &p->s[i], err))
			fail_msg("%s", err->text);
	return schedstat_subtract(&p->s[0], &p->s[1], &p->d, err);
}

static void drop(struct pair *p)
{
	schedstat_delta_clear(&p->d);
	for (int i = 0; i < 2; i++) {
		schedstat_clear(&p->s[i]);
		free(p->text[i]);
	}
}

static uint64_t domain_sum(const struct schedstat_delta *d, size_t level, const char *name)
{
	for (size_t i = 0; i < d->ndomain_columns; i++)
		if (!strcmp(schedstat_domain_column(d->format, i), name))
			return d->levels[level][i];
	fail_msg("no domain column %s", name);
	return 0;
}

static void test_real_captures(void **state)
{
	static const uint64_t sums[] = {
		0, 0, 2753, 1008, 1384, 379, 155290745277, 21355984194, 1728};
	struct error err;
	struct pair p;

	(void)state;
	assert_int_equal(subtract(&p, data("6.1.before"), data("6.1.after"), &err), 0);
	assert_int_equal(schedstat_version(p.d.format), 15);
	assert_int_equal(p.d.jiffies, 4294894009 - 4294892726);
	assert_int_equal(p.d.ncpus, 4);
	assert_int_equal(p.d.ncolumns, 9);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(p.d.sum[i], sums[i]);
	assert_int_equal(schedstat_sum(&p.d, "pcount"), 1728);
	assert_int_equal(p.d.cpus[3].cpu, 3);
	assert_int_equal(p.d.cpus[3].value[2], 1173 - 35);
	assert_int_equal(p.d.nlevels, 2);
	assert_int_equal(domain_sum(&p.d, 0, "idle_lb_count"), 993);
	assert_int_equal(domain_sum(&p.d, 0, "busy_lb_imbalance"), 8785);
	assert_int_equal(domain_sum(&p.d, 1, "newidle_lb_imbalance"), 2043);
	assert_int_equal(domain_sum(&p.d, 1, "ttwu_move_affine"), 21);
	assert_int_equal(p.d.domains_changed, 0);
	assert_false(schedstat_is_off(&p.d));
	drop(&p);
}

static void test_switched_off(void **state)
{
	struct error err;
	struct pair p;

	(void)state;
	assert_int_equal(subtract(&p, data("6.1-off.before"), data("6.1-off.after"), &err), 0);
	assert_true(schedstat_is_off(&p.d));
	assert_int_equal(schedstat_sum(&p.d, "pcount"), 1901);
	drop(&p);
}

/* CPU 2 is named and in no sum; domains were built anew, CPU 0's with the mask it had. */
static void test_hotplug(void **state)
{
	struct error err;
	struct pair p;
	json_t *o;

	(void)state;
	assert_int_equal(subtract(&p, data("6.1.after"), data("6.1.cpu2-off"), &err), 0);
	assert_int_equal(p.d.ncpus, 3);
	assert_int_equal(p.d.nonly_before, 1);
	assert_int_equal(p.d.only_before[0], 2);
	assert_int_equal(p.d.nonly_after, 0);
	assert_int_equal(schedstat_sum(&p.d, "sched_count"), 3397);
	assert_int_equal(p.d.nlevels, 0);
	assert_int_equal(p.d.domains_changed, 5);
	o = schedstat_to_json(&p.d);
	assert_int_equal(
		json_integer_value(json_array_get(json_object_get(o, "only_before"), 0)), 2);
	assert_int_equal(json_integer_value(json_object_get(o, "ttwu_count")), 1423);
	json_decref(o);
	drop(&p);
}

#define HEAD "version 15\ntimestamp 1\n"
#define CPU0 "cpu0 0 0 1 1 1 1 1 1 1\n"
#define D36                                                                                        \
	" 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 " \
	"33 34 35 36"
#define D36_DOUBLE                                                                                \
	" 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 32 34 36 38 40 42 44 46 48 50 52 54 56 58 60 " \
	"62 64 66 68 70 72"
#define D45 D36 " 37 38 39 40 41 42 43 44 45"

static void test_a_cpu_comes(void **state)
{
	struct error err;
	struct pair p;

	(void)state;
	assert_int_equal(subtract(&p, xstrdup(HEAD CPU0),
				 xstrdup(HEAD CPU0 "cpu7 0 0 9 9 9 9 9 9 9\n"), &err),
		0);
	assert_int_equal(p.d.nonly_after, 1);
	assert_int_equal(p.d.only_after[0], 7);
	assert_int_equal(schedstat_sum(&p.d, "sched_count"), 0);
	drop(&p);
	assert_int_equal(
		subtract(&p, xstrdup(HEAD CPU0), xstrdup(HEAD "cpu1 0 0 1 1 1 1 1 1 1\n"), &err),
		-1);
	assert_non_null(strstr(err.text, "no CPU is in both"));
	drop(&p);
}

static void test_narrow_counters_wrap(void **state)
{
	struct error err;
	struct pair p;

	(void)state;
	assert_int_equal(subtract(&p, xstrdup(HEAD "cpu0 0 0 4294967290 5 0 0 7 7 7\n"),
				 xstrdup(HEAD "cpu0 0 0 4 5 0 0 7 8 9\n"), &err),
		0);
	assert_int_equal(schedstat_sum(&p.d, "sched_count"), 10);
	assert_int_equal(schedstat_sum(&p.d, "pcount"), 2);
	drop(&p);
}

static void test_wide_counters_do_not(void **state)
{
	struct error err;
	struct pair p;

	(void)state;
	assert_int_equal(subtract(&p, xstrdup(HEAD CPU0 "cpu3 0 0 1 1 1 1 1 5 1\n"),
				 xstrdup(HEAD CPU0 "cpu3 0 0 1 1 1 1 1 4 1\n"), &err),
		-1);
	assert_int_equal(err.status, KAB_USAGE);
	assert_non_null(strstr(err.text, "cpu3: run_delay went back from 5 to 4"));
	drop(&p);
}

/* Captures of two boots, or the later one first: no counter does half its range in a sample. */
static void test_captures_out_of_order(void **state)
{
	struct error err;
	struct pair p;

	(void)state;
	assert_int_equal(subtract(&p, xstrdup(HEAD "cpu0 0 0 2753 5 0 0 7 7 7\n"),
				 xstrdup(HEAD "cpu0 0 0 2752 5 0 0 8 8 8\n"), &err),
		-1);
	assert_int_equal(err.status, KAB_USAGE);
	assert_non_null(strstr(err.text, "sched_count went back from 2753 to 2752"));
	drop(&p);
	assert_int_equal(subtract(&p, xstrdup("version 15\ntimestamp 4294892296\n" CPU0),
				 xstrdup("version 15\ntimestamp 4294892295\n" CPU0), &err),
		-1);
	assert_non_null(strstr(err.text, "timestamp went back from 4294892296 to 4294892295"));
	drop(&p);
	assert_int_equal(subtract(&p, xstrdup("version 15\ntimestamp 4294967295\n" CPU0),
				 xstrdup("version 15\ntimestamp 4\n" CPU0), &err),
		0);
	drop(&p);
}

/* Versions 15 and 16 differ in the order of idle and busy. */
static void test_version_16(void **state)
{
	static const char *const versions[] = {"version 15\n", "version 16\n"};
	static const unsigned idle[] = {1, 9}, busy[] = {9, 1};
	struct error err;
	struct pair p;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			subtract(&p,
				xasprintf("%stimestamp 1\n" CPU0 "domain0 f" D36 "\n", versions[i]),
				xasprintf("%stimestamp 3\n" CPU0 "domain0 f" D36_DOUBLE "\n",
					versions[i]),
				&err),
			0);
		assert_int_equal(domain_sum(&p.d, 0, "idle_lb_count"), idle[i]);
		assert_int_equal(domain_sum(&p.d, 0, "busy_lb_count"), busy[i]);
		assert_int_equal(domain_sum(&p.d, 0, "newidle_lb_nobusyg"), 24);
		assert_int_equal(domain_sum(&p.d, 0, "ttwu_move_balance"), 36);
		drop(&p);
	}
}

/* Version 17 names its domains and splits the imbalance into four. */
static void test_version_17(void **state)
{
	struct schedstat s;
	struct error err;

	(void)state;
	assert_int_equal(
		schedstat_parse(
			"v17", "version 17\ntimestamp 1\n" CPU0 "domain0 MC 3" D45 "\n", &s, &err),
		0);
	assert_int_equal(s.domains[0].label_len, strlen("MC 3"));
	assert_memory_equal(s.domains[0].label, "MC 3", 4);
	assert_int_equal(s.domains[0].value[44], 45);
	assert_string_equal(schedstat_domain_column(s.format, 3), "busy_lb_imbalance_load");
	assert_string_equal(schedstat_domain_column(s.format, 11), "idle_lb_count");
	assert_string_equal(schedstat_domain_column(s.format, 44), "ttwu_move_balance");
	schedstat_clear(&s);
}

static void test_two_formats(void **state)
{
	struct error err;
	struct pair p;

	(void)state;
	assert_int_equal(
		subtract(&p, xstrdup(HEAD CPU0), xstrdup("version 16\ntimestamp 1\n" CPU0), &err),
		-1);
	assert_non_null(strstr(err.text, "15 and 16"));
	drop(&p);
	assert_int_equal(
		subtract(&p, xstrdup(HEAD CPU0),
			xstrdup(HEAD "cpu0 0 0 1 1 1 1 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0\n"), &err),
		-1);
	assert_non_null(strstr(err.text, "9 columns"));
	drop(&p);
}

/* A mask that is another, and counters that started again under the same one. */
static void test_domains_built_anew(void **state)
{
	static const char *const after[] = {"domain0 3" D36_DOUBLE "\n", "domain0 f" D36 "\n"};
	static const char *const before[] = {"domain0 f" D36 "\n", "domain0 f" D36_DOUBLE "\n"};
	struct error err;
	struct pair p;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(subtract(&p, xasprintf(HEAD CPU0 "%s", before[i]),
					 xasprintf(HEAD CPU0 "%s", after[i]), &err),
			0);
		assert_int_equal(p.d.domains_changed, 1);
		assert_int_equal(p.d.nlevels, 0);
		drop(&p);
	}
}

/* 100 events in the eight categories; the sub-counts of allocations are in no denominator. */
static void test_vcpu_shares(void **state)
{
	static const double expected[] = {
		0.40, 0.25, 0.20, 0.05, 0.04, 0.03, 0.02, 0.01, 5, 6, 7, 8};
	struct schedstat_share shares[SCHEDSTAT_VCPU_SHARES];
	struct error err;
	struct pair p;

	(void)state;
	assert_int_equal(
		subtract(&p,
			xstrdup(HEAD
				"cpu0 0 0 1 1 1 1 1 1 1 10 10 10 10 10 10 10 10 10 10 10 10\n"),
			xstrdup(HEAD
				"cpu0 0 0 1 1 1 1 1 1 1 50 35 30 15 14 13 510 610 710 810 12 11\n"),
			&err),
		0);
	assert_int_equal(p.d.ncolumns, 21);
	assert_int_equal(schedstat_shares(&p.d, shares), 0);
	for (size_t i = 0; i < SCHEDSTAT_VCPU_SHARES; i++)
		assert_true(fabs(shares[i].share - expected[i]) < 1e-12);
	assert_string_equal(shares[0].metric, "vcpu_single_thread_share");
	assert_string_equal(shares[7].counter, "nr_vcpu_remove_migrate");
	drop(&p);

	assert_int_equal(subtract(&p, xstrdup(HEAD CPU0), xstrdup(HEAD CPU0), &err), 0);
	assert_int_equal(schedstat_shares(&p.d, shares), -1); /* a kernel without those counters */
	drop(&p);
}

static const struct {
	const char *text, *message;
} malformed[] = {
	{"", "f:1: nothing there"},
	{"versio", "f:1: expected 'version N', found 'versio'"},
	{"version x\n", "f:1: expected 'version N'"},
	{"version 14\ntimestamp 1\n" CPU0,
		"f:1: schedstat version 14 is not known; expected 15, 16 or 17"},
	{"version 18\ntimestamp 1\n" CPU0, "f:1: schedstat version 18 is not known"},
	{"version 15", "f:1: the capture ends inside a line"},
	{"version 15 2\n", "f:1: unexpected ' 2"},
	{"version 15\ncpu0 1\n", "f:2: expected 'timestamp JIFFIES', found 'cpu0'"},
	{"version 15\ntimestamp -1\n", "f:2: expected 'timestamp JIFFIES'"},
	{HEAD, "f:3: the capture ends before the first cpu line"},
	{HEAD "domain0 f" D36 "\n", "f:3: a domain line before the first cpu line"},
	{HEAD "cpu 0 0 1 1 1 1 1 1 1\n", "f:3: expected a CPU number"},
	{HEAD "cpu9999 0 0 1 1 1 1 1 1 1\n", "f:3: expected a CPU number below 8192"},
	{HEAD "cpu0 0 0 1 1 1 1 1 1\n", "f:3: cpu0 has 8 columns; expected 9 or 21"},
	{HEAD "cpu0 0 0 1 1 1 1 1 1 1 1\n", "f:3: cpu0 has 10 columns; expected 9 or 21"},
	{HEAD CPU0 "cpu1 0 0 1 1 1 1 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0\n",
		"f:4: cpu1 has 21 columns, the lines before it 9"},
	{HEAD CPU0 CPU0, "f:4: cpu0 behind cpu0"},
	{HEAD "cpu0 0 5 1 1 1 1 1 1 1\n", "f:3: column 2: expected a number up to 0"},
	{HEAD "cpu0 0 0 4294967296 1 1 1 1 1 1\n",
		"f:3: column 3: expected a number up to 4294967295"},
	{HEAD "cpu0 0 0 1 1 1 1 18446744073709551616 1 1\n", "f:3: column 7: expected a number"},
	{HEAD "cpu0 0 0 1 -1 1 1 1 1 1\n",
		"f:3: column 4: expected a number up to 4294967295, found '-1'"},
	{HEAD "cpu0 0 0 1 1 1 1 1234567: 1 1\n",
		"f:3: column 8: expected a blank before it, found ': 1 1"},
	{HEAD "cpu0 0 0 1 1 1 1 1234/678 1 1\n",
		"f:3: column 8: expected a blank before it, found '/678"},
	{HEAD "cpu0 0 0 1 1 1 1 1234567\xb8 1 1\n", "f:3: column 8: expected a blank before it"},
	{HEAD "cpu0 0 0 1 1x 1 1 1 1 1\n", "f:3: column 5: expected a blank before it"},
	{HEAD "cpu0 0 0 1 1 1 1 1 1 1", "f:3: the capture ends inside a line"},
	{HEAD CPU0 "domain1 f" D36 "\n", "f:4: domain1 of cpu0; expected domain0"},
	{HEAD CPU0 "domainx f" D36 "\n", "f:4: expected a level"},
	{HEAD CPU0 "domain0 xyz" D36 "\n",
		"f:4: expected a CPU mask in hexadecimal words, found 'xyz'"},
	{HEAD CPU0 "domain0 ,f" D36 "\n", "f:4: expected a CPU mask"},
	{HEAD CPU0 "domain0 123456789" D36 "\n", "f:4: expected a CPU mask"},
	{HEAD CPU0 "domain0 1234567g" D36 "\n", "f:4: expected a CPU mask"},
	{HEAD CPU0 "domain0 12345678,`bcdefab" D36 "\n", "f:4: expected a CPU mask"},
	{HEAD CPU0 "domain0 12345678,0000000F" D36 "\n", "f:4: expected a CPU mask"},
	{HEAD CPU0 "domain0 12345678,12345678," D36 "\n", "f:4: expected a CPU mask"},
	{HEAD CPU0 "domain0 f" D36 " 37\n",
		"f:4: domain0 has 37 counters; expected 36 in version 15"},
	{HEAD CPU0 "domain0 f 1 2 3\n", "f:4: domain0 has 3 counters; expected 36"},
	{HEAD CPU0 "domain0 MC f" D36 "\n",
		"f:4: expected a CPU mask in hexadecimal words, found 'MC'"},
	{"version 16\ntimestamp 1\n" CPU0 "domain0 f" D45 "\n",
		"f:4: domain0 has 45 counters; expected 36 in version 16"},
	{"version 17\ntimestamp 1\n" CPU0 "domain0 f" D45 "\n",
		"f:4: domain0 has 44 counters; expected 45"},
	{"version 17\ntimestamp 1\n" CPU0 "domain0 MC f" D36 "\n",
		"f:4: domain0 has 36 counters; expected 45"},
	{"version 17\ntimestamp 1\n" CPU0 "domain0 MC\n",
		"f:4: expected a CPU mask behind the domain's name"},
	{HEAD CPU0 "\n", "f:4: expected a cpu or domain line"},
	{HEAD CPU0 "eof\n", "f:4: expected a cpu or domain line, found 'eof'"},
};

/* All lengths, the first digit behind a blank and the last one up to the text's end. */
static void test_numbers_of_every_length(void **state)
{
	static const char digits[] = "12345678901234567890";

	(void)state;
	for (int len = 1; len <= 20; len++) {
		__free_char char *text =
			xasprintf(HEAD "cpu0 0 0 1 1 1 1 %.*s 9 %.*s\n", len, digits, len, digits);
		uint64_t expected = strtoull(strndupa(digits, len), NULL, 10);
		struct schedstat s;

		assert_int_equal(schedstat_parse("f", text, &s, NULL), 0);
		assert_int_equal(s.cpus[0].value[6], expected);
		assert_int_equal(s.cpus[0].value[7], 9);
		assert_int_equal(s.cpus[0].value[8], expected);
		schedstat_clear(&s);
	}
}

/* Masks whose words have 1 to 8 digits, and any number of words. */
static void test_masks_of_every_length(void **state)
{
	(void)state;
	for (unsigned words = 1; words < 40; words++) {
		struct buf b = {};
		struct schedstat s;
		size_t masked;

		buf_addf(&b, HEAD CPU0 "domain0 ");
		for (unsigned i = 0; i < words; i++)
			buf_addf(&b, "%s%0*x", i ? "," : "", i % 8 + 1, i);
		masked = b.len - strlen(HEAD CPU0 "domain0 ");
		buf_addf(&b, D36 "\n");
		assert_int_equal(schedstat_parse("f", b.data, &s, NULL), 0);
		assert_int_equal(s.domains[0].label_len, masked);
		assert_int_equal(s.domains[0].value[35], strtoul(strrchr(D36, ' '), NULL, 10));
		schedstat_clear(&s);
		buf_free(&b);
	}
}

static void test_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		struct error err = {0};
		struct schedstat s;

		if (!schedstat_parse("f", malformed[i].text, &s, &err))
			fail_msg("taken: %s", malformed[i].text);
		assert_int_equal(err.status, KAB_USAGE);
		if (strncmp(err.text, malformed[i].message, strlen(malformed[i].message)))
			fail_msg("'%s', expected '%s'", err.text, malformed[i].message);
	}
}

/* Cut anywhere, a capture is refused, but for cuts behind a whole line. */
static void test_cut_short(void **state)
{
	char *text = data("6.1.after");
	size_t len = strlen(text), taken = 0;

	(void)state;
	for (size_t n = 0; n < len; n++) {
		__free_char char *cut = xstrndup(text, n);
		struct error err;
		struct schedstat s;

		if (schedstat_parse("f", cut, &s, &err)) {
			assert_memory_equal(err.text, "f:", 2);
			continue;
		}
		assert_int_equal(text[n - 1], '\n');
		taken++;
		schedstat_clear(&s);
	}
	assert_int_equal(taken, 11); /* 12 lines of CPUs and domains, less the last */
	free(text);
}

/* Runs the verb with standard output in a file. */
static int verb(char **argv, int argc, char **out)
{
	char path[] = "/tmp/kab-test-XXXXXX";
	int fd = mkstemp(path), saved = dup(STDOUT_FILENO), status;

	assert_true(fd >= 0);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	status = cmd_schedstat(argc, argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fd);
	*out = file_read(path, NULL, NULL);
	unlink(path);
	return status;
}

static void test_verb(void **state)
{
	__free_char char *before = data_path("6.1.before"), *after = data_path("6.1.after");
	__free_char char *table = NULL, *json = NULL, *none = NULL;
	char *table_argv[] = {"schedstat", before, after, "-v", NULL};
	char *json_argv[] = {"schedstat", "--json", before, after, "-v", NULL};
	char *one_argv[] = {"schedstat", before, NULL};
	json_t *o;

	(void)state;
	assert_int_equal(verb(table_argv, 4, &table), KAB_OK);
	assert_non_null(strstr(table, "4 CPUs, 1283 jiffies"));
	assert_non_null(strstr(table, "cpu3\n"));
	assert_int_equal(verb(json_argv, 5, &json), KAB_OK);
	o = json_loads(json, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(o, "pcount")), 1728);
	assert_int_equal(json_array_size(json_object_get(o, "by_cpu")), 4);
	json_decref(o);
	assert_int_equal(verb(one_argv, 2, &none), KAB_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_captures),
		cmocka_unit_test(test_switched_off),
		cmocka_unit_test(test_hotplug),
		cmocka_unit_test(test_a_cpu_comes),
		cmocka_unit_test(test_narrow_counters_wrap),
		cmocka_unit_test(test_captures_out_of_order),
		cmocka_unit_test(test_wide_counters_do_not),
		cmocka_unit_test(test_version_16),
		cmocka_unit_test(test_version_17),
		cmocka_unit_test(test_two_formats),
		cmocka_unit_test(test_domains_built_anew),
		cmocka_unit_test(test_vcpu_shares),
		cmocka_unit_test(test_numbers_of_every_length),
		cmocka_unit_test(test_masks_of_every_length),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_verb),
	};

	return cmocka_run_group_tests_name("schedstat", tests, NULL, NULL);
}
