// SPDX-License-Identifier: GPL-2.0-or-later
/* kab doctor: what each fact means, and that the program tells it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "doctor.h"
#include "report.h"
#include "run_fixture.h"
#include "util.h"

/* A machine that lacks nothing. */
static const char sound[] =
	"{'cpus': 8, 'cpu_allowed': 8, 'cpu_model': 'Test', 'clocksource': 'tsc', 'thp': 'madvise',"
	" 'governor': 'performance', 'mitigations': {'meltdown': 'Mitigation: PTI',"
	" 'mds': 'Not affected'}, 'schedstat_version': 15, 'sched_schedstats': 1,"
	" 'perf_event_paranoid': 2, 'root': true, 'qemu': '9.2.0',"
	" 'kvm': {'works': true, 'tried': true, 'reason': ''},"
	" 'pmu': {'works': true, 'reason': ''},"
	" 'perf': {'version': '6.1', 'works': true, 'reason': ''},"
	" 'packages': {'build': [], 'kernel': [], 'run': [], 'test': [], 'offered': []},"
	" 'programs': {'gcc': true, 'qemu-system-x86_64': true},"
	" 'memory_available_bytes': 8589934592,"
	" 'room': {'cache': {'path': '/c', 'free_bytes': 9000000000, 'need_bytes': 2300000000},"
	" 'results': {'path': '/r', 'free_bytes': 9000000000, 'need_bytes': 100000000}},"
	" 'hypervisor': false, 'turbo': false, 'smt': false,"
	" 'load': {'others': 0.01, 'stolen': 0.0}, 'kernels': {'needed': 2, 'built': 2}}";

/* JSON in single quotes. */
static json_t *parse(const char *text)
{
	__free_char char *copy = xstrdup(text);
	json_error_t why;
	json_t *o;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	o = json_loads(copy, JSON_DECODE_ANY, &why);
	if (!o)
		fail_msg("%s: %s", text, why.text);
	return o;
}

static const json_t *find(const json_t *findings, const char *name)
{
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);

		if (!strcmp(json_string_value(json_object_get(f, "name")), name))
			return f;
	}
	fail_msg("no finding %s", name);
	return NULL;
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static void test_a_sound_machine_lacks_nothing(void **state)
{
	json_t *facts = parse(sound), *findings = doctor_judge(facts);

	(void)state;
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);

		if (strcmp(text_at(f, "level"), "ok") || json_object_get(f, "cost"))
			fail_msg("%s: %s, %s", text_at(f, "name"), text_at(f, "level"),
				text_at(f, "cost"));
	}
	assert_true(json_array_size(findings) >= 15);
	json_decref(findings);
	json_decref(facts);
}

/* One fact is made another (or taken away), and one finding says what that costs. */
static const struct {
	const char *key, *value; /* NULL: the fact is gone */
	const char *finding, *level, *words;
} lacks[] = {
	{"qemu", NULL, "qemu", "stops", "no guest can be started"},
	{"kvm", "{'works': false, 'tried': true, 'reason': 'no device'}", "kvm", "costs",
		"do not stand for hardware"},
	{"kvm", "{'works': false, 'tried': false, 'reason': 'no kernel'}", "kvm", "note",
		"first run tries it"},
	{"kernels", "{'needed': 2, 'built': 0}", "kernels", "note", "builds 2, about 2 minutes"},
	{"cpus", "2", "cpus", "costs", "wait for each other"},
	{"cpu_allowed", "1", "cpus", "costs", "affinity leaves us 1"},
	{"cpu_quota", "1.5", "cpus", "costs", "a cgroup leaves us 1.5"},
	{"hypervisor", "true", "machine", "note", "other machines"},
	{"load", "{'others': 0.3, 'stolen': 0.0}", "load", "costs", "nothing else to do"},
	{"load", "{'others': 0.0, 'stolen': 0.2}", "machine", "costs", "20 %"},
	{"memory_available_bytes", "1200000000", "memory", "costs", "swapped out"},
	{"memory_available_bytes", "900000000", "memory", "stops", "1 GiB"},
	{"room", "{'cache': {'path': '/c', 'free_bytes': 1000, 'need_bytes': 2000}}", "disk",
		"stops", "XDG_CACHE_HOME"},
	{"room", "{'results': {'path': '/r', 'free_bytes': 1000, 'need_bytes': 2000}}", "disk",
		"stops", "KAB_RESULTS"},
	{"perf", NULL, "perf", "costs", "perf bench"},
	{"perf", "{'version': '6.1', 'works': false, 'reason': 'EPERM'}", "perf", "costs", "EPERM"},
	{"pmu", "{'works': false, 'reason': 'none'}", "pmu", "costs", "no cycles"},
	{"perf_event_paranoid", NULL, "paranoia", "note", "no perf events"},
	{"schedstat_version", NULL, "schedstat", "note", "no context switches"},
	{"sched_schedstats", "0", "schedstat", "note", "kernel.sched_schedstats=1"},
	{"governor", "'powersave'", "governor", "costs", "follow the load"},
	{"turbo", "true", "turbo", "note", "how warm"},
	{"smt", "true", "smt", "note", "share a core"},
	{"clocksource", "'hpet'", "clocksource", "costs", "slow"},
	{"thp", "'always'", "thp", "note", "huge pages"},
	{"mitigations", "{'meltdown': 'Vulnerable'}", "mitigations", "note", "cost less"},
	{"packages", "{'kernel': ['flex']}", "packages", "stops", "make deps"},
	{"packages", "{'run': ['numactl']}", "packages", "stops", "make deps"},
	{"packages", "{'test': ['mandoc']}", "packages", "note", "make test"},
};

static void test_each_lack_has_its_cost(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		json_t *facts = parse(sound), *findings;
		const json_t *f;

		if (lacks[i].value)
			json_object_set_new(facts, lacks[i].key, parse(lacks[i].value));
		else
			json_object_del(facts, lacks[i].key);
		findings = doctor_judge(facts);
		f = find(findings, lacks[i].finding);
		if (strcmp(text_at(f, "level"), lacks[i].level) ||
			!strstr(text_at(f, "cost"), lacks[i].words))
			fail_msg("%s %s: %s is %s: %s", lacks[i].key,
				lacks[i].value ? lacks[i].value : "gone", lacks[i].finding,
				text_at(f, "level"), text_at(f, "cost"));
		/* And nothing else is blamed for it. */
		assert_int_equal(json_array_size(findings) - doctor_count(findings, "ok"), 1);
		json_decref(findings);
		json_decref(facts);
	}
}

static void test_paranoia_binds_users_alone(void **state)
{
	json_t *facts = parse(sound), *findings;

	(void)state;
	json_object_set_new(facts, "root", json_false());
	findings = doctor_judge(facts);
	assert_non_null(strstr(text_at(find(findings, "paranoia"), "cost"), "user space alone"));
	json_decref(findings);
	json_object_set_new(facts, "perf_event_paranoid", json_integer(3));
	findings = doctor_judge(facts);
	assert_non_null(strstr(text_at(find(findings, "paranoia"), "cost"), "counts nothing"));
	json_decref(findings);
	json_decref(facts);
}

/* Not a Debian: programs stand for packages. */
static void test_without_dpkg(void **state)
{
	json_t *facts = parse(sound), *findings;

	(void)state;
	json_object_del(facts, "packages");
	findings = doctor_judge(facts);
	assert_string_equal(text_at(find(findings, "packages"), "level"), "ok");
	json_decref(findings);
	json_object_set_new(json_object_get(facts, "programs"), "gcc", json_false());
	findings = doctor_judge(facts);
	assert_string_equal(text_at(find(findings, "packages"), "cost"), "no gcc");
	json_decref(findings);
	json_decref(facts);
}

/* An old QEMU is no lack where KVM does its work. */
static void test_old_qemu(void **state)
{
	json_t *facts = parse(sound), *findings;

	(void)state;
	json_object_set_new(facts, "qemu", json_string("7.2.22"));
	findings = doctor_judge(facts);
	assert_string_equal(text_at(find(findings, "qemu"), "level"), "ok");
	json_decref(findings);
	json_object_set_new(json_object_get(facts, "kvm"), "works", json_false());
	findings = doctor_judge(facts);
	assert_string_equal(text_at(find(findings, "qemu"), "level"), "note");
	json_decref(findings);
	json_decref(facts);
}

static int call(struct buf *out, const char *before, const char *args)
{
	const char *env = getenv("KAB");
	__free_char char *cmd =
		xasprintf("%s %s doctor %s 2>&1", before, env && *env ? env : "build/kab", args);
	const char *const argv[] = {"sh", "-c", cmd, NULL};
	int status;

	buf_free(out);
	status = run_capture(argv, NULL, out, NULL);
	assert_true(status >= 0 && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static json_t *call_json(const char *before, int *status)
{
	struct buf out = {};
	json_error_t why;
	json_t *o;

	*status = call(&out, before, "--json --no-try");
	o = json_loads(out.data, 0, &why);
	if (!o)
		fail_msg("%s in: %s", why.text, out.data);
	buf_free(&out);
	return o;
}

/* What it reads here is what there is here. */
static void test_this_machine(void **state)
{
	int status;
	json_t *o = call_json("", &status), *facts = json_object_get(o, "facts");

	(void)state;
	assert_int_equal(
		json_integer_value(json_object_get(facts, "cpus")), sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(json_is_true(json_object_get(facts, "root")) == !geteuid());
	assert_true(json_integer_value(json_object_get(facts, "memory_available_bytes")) > 1 << 20);
	assert_null(json_object_get(facts, "cmdline"));
	assert_true(json_array_size(json_object_get(o, "findings")) >= 15);
	assert_int_equal(status,
		doctor_count(json_object_get(o, "findings"), "stops") ? KAB_ENVIRONMENT : KAB_OK);
	json_decref(o);
}

/* A machine without programs: everything is missed, nothing is guessed, and it is told by status.
 */
static void test_a_bare_machine(void **state)
{
	char bin[] = "/tmp/kab-test-XXXXXX";
	__free_char char *before = NULL, *sh = NULL;
	json_t *o;
	int status;

	(void)state;
	assert_non_null(mkdtemp(bin));
	sh = xasprintf("%s/sh", bin);
	assert_int_equal(symlink("/bin/sh", sh), 0);
	before = xasprintf("PATH=%s", bin);
	o = call_json(before, &status);
	assert_int_equal(status, KAB_ENVIRONMENT);
	assert_null(json_object_get(json_object_get(o, "facts"), "perf"));
	assert_string_equal(
		text_at(find(json_object_get(o, "findings"), "qemu"), "level"), "stops");
	assert_string_equal(
		text_at(find(json_object_get(o, "findings"), "packages"), "level"), "stops");
	json_decref(o);
	dir_remove(bin, NULL);
}

/* dpkg knows some package less than the one list has. */
static void test_a_package_is_missed(void **state)
{
	char bin[] = "/tmp/kab-test-XXXXXX";
	__free_char char *before = NULL, *path = NULL;
	static const char fake[] =
		"#!/bin/sh\nexec /usr/bin/dpkg-query \"$@\" | grep -v '^numactl '\n";
	struct buf out = {};

	(void)state;
	assert_non_null(mkdtemp(bin));
	path = xasprintf("%s/dpkg-query", bin);
	assert_int_equal(file_write_atomic(path, fake, strlen(fake), NULL), 0);
	assert_int_equal(chmod(path, 0755), 0);
	before = xasprintf("PATH=%s:$PATH", bin);
	assert_int_equal(call(&out, before, "--no-try"), KAB_ENVIRONMENT);
	assert_non_null(strstr(out.data, "numactl missing"));
	assert_non_null(strstr(out.data, "cannot work here yet"));
	/* Quiet: what weighs, no summary. */
	assert_int_equal(call(&out, before, "--no-try --quiet"), KAB_ENVIRONMENT);
	assert_non_null(strstr(out.data, "numactl missing"));
	assert_null(strstr(out.data, "\nok"));
	assert_null(strstr(out.data, "cannot work here yet"));
	buf_free(&out);
	dir_remove(bin, NULL);
}

static void test_usage(void **state)
{
	struct buf out = {};

	(void)state;
	assert_int_equal(call(&out, "", "now"), KAB_USAGE);
	assert_non_null(strstr(out.data, "'now'"));
	buf_free(&out);
}

/* Where kab's own files are not, too: it is the one to be asked what is wrong. */
static void test_files_of_its_own_are_missing(void **state)
{
	struct buf out = {};

	(void)state;
	/* Whatever else it finds here. */
	if (call(&out, "KAB_HOME=/nonexistent", "--no-try") != KAB_OK)
		assert_non_null(strstr(out.data, "stops"));
	assert_non_null(strstr(out.data, "perf paranoia"));
	buf_free(&out);
}

/* What a run recorded stands in the head of its report, before the verdicts. */
static void test_findings_are_in_the_report(void **state)
{
	struct run_fixture f = {};
	struct compare_options opt = {0};
	__free_char char *path = NULL, *html = NULL, *md = NULL, *dir = NULL;
	struct error err = {0};
	struct comparison *c;
	struct store *s;
	json_t *patch;

	(void)state;
	fixture_make(&f, fixture_matrix);
	path = fixture_run(&f, 3);
	dir = xasprintf("%s/report", path);
	s = store_open(path, true, NULL, &err);
	assert_non_null(s);
	assert_int_equal(doctor_record(s, NULL, false, &err), 0);
	assert_true(json_array_size(json_object_get(store_run(s), "doctor")) >= 15);
	patch = parse("{'doctor': [{'name': 'pmu', 'title': 'PMU', 'level': 'costs',"
		      " 'value': 'none <here>', 'cost': 'no cycles'},"
		      " {'name': 'thp', 'title': 'pages', 'level': 'ok', 'value': 'madvise'}]}");
	assert_int_equal(store_update(s, patch, &err), 0);
	json_decref(patch);
	c = compare_runs(s, NULL, &opt, &err);
	if (!c || report_write(s, NULL, c, NULL, &err))
		fail_msg("%s", err.text);
	html = fixture_read(dir, "report.html");
	md = fixture_read(dir, "report.md");
	assert_non_null(strstr(html, "What this machine lacks: PMU</summary>"));
	assert_non_null(strstr(html, "none &lt;here&gt;"));
	assert_non_null(strstr(html, "madvise"));
	assert_true(strstr(html, "id=\"doctor\"") < strstr(html, "</header>"));
	assert_non_null(strstr(md, "- PMU: none"));
	assert_null(strstr(md, "madvise"));
	comparison_free(c);
	store_close(s);
	fixture_drop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_sound_machine_lacks_nothing),
		cmocka_unit_test(test_each_lack_has_its_cost),
		cmocka_unit_test(test_paranoia_binds_users_alone),
		cmocka_unit_test(test_without_dpkg),
		cmocka_unit_test(test_old_qemu),
		cmocka_unit_test(test_this_machine),
		cmocka_unit_test(test_a_bare_machine),
		cmocka_unit_test(test_a_package_is_missed),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_files_of_its_own_are_missing),
		cmocka_unit_test(test_findings_are_in_the_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
