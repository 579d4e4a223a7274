// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sample.h"
#include "util.h"

static const char whole_line[] =
	"{\"schema\":1,\"id\":\"b000.stock.m0.s001\",\"boot_id\":\"b000.stock.m0\",\"arm\":"
	"\"stock\",\"cell\":\"pipe\","
	"\"block\":1,\"boot\":2,\"seq\":3,\"life\":1,\"warmup\":true,\"status\":\"oops\","
	"\"reason\":\"BUG: bad page\","
	"\"started\":\"2026-01-31T12:00:00Z\",\"ops\":9007199254740993,\"elapsed_ns\":1000000000,"
	"\"metrics\":[{\"name\":\"ops_per_s\",\"value\":0.1},{\"name\":\"latency_p50_ns\","
	"\"value\":17.0}],"
	"\"latency_ns\":{\"buckets\":[[3,5],[40,1]],\"count\":6,\"sum\":100,\"min\":3,\"max\":85},"
	"\"workers\":[1,2,3],\"params\":{\"mode\":\"thread\"},\"schedstat\":{\"a\":1},\"perf\":{"
	"\"b\":2},"
	"\"interrupts\":{\"c\":3},\"vmstat\":{\"d\":4},\"env\":{\"e\":5}}";

static json_t *load(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	assert_non_null(o);
	return o;
}

static void test_round_trip_keeps_everything(void **state)
{
	json_t *o = load(whole_line), *again;
	struct sample s;
	struct error err;

	(void)state;
	assert_int_equal(sample_from_json(o, &s, &err), 0);
	again = sample_to_json(&s);
	assert_true(json_equal(o, again));
	/* 2^53 + 1: would be lost on the way through a double. */
	assert_int_equal(s.ops, 9007199254740993);
	assert_int_equal(s.latency.n, 41);
	assert_int_equal(s.latency.bucket[3], 5);
	assert_int_equal(s.latency.bucket[39], 0);
	assert_int_equal(s.nworkers, 3);
	assert_true(s.warmup);
	assert_int_equal(s.status, SAMPLE_OOPS);
	sample_clear(&s);
	json_decref(again);
	json_decref(o);
}

/* Changes one key of a good line (NULL: removes it) and expects the error to name it. */
static void expect_refused(const char *key, const char *value, const char *words)
{
	json_t *o = load(whole_line);
	struct sample s;
	struct error err = {};

	if (value)
		json_object_set_new(o, key, json_loads(value, JSON_DECODE_ANY, NULL));
	else
		json_object_del(o, key);
	if (sample_from_json(o, &s, &err) == 0)
		fail_msg("%s = %s was taken", key, value ? value : "nothing");
	assert_int_equal(err.status, KAB_USAGE);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	json_decref(o);
}

static void test_what_is_missing_or_wrong_is_named(void **state)
{
	static const char *const required[] = {"id", "arm", "cell", "boot_id", "block", "boot",
		"seq", "life", "warmup", "ops", "elapsed_ns", "status", "metrics", "schema"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(required); i++)
		expect_refused(required[i], NULL, required[i]);
	expect_refused("id", "7", "key 'id': expected a string");
	expect_refused("block", "-1", "key 'block'");
	expect_refused("boot", "4294967296", "key 'boot'");
	expect_refused("ops", "1.5", "key 'ops'");
	expect_refused("warmup", "1", "true or false");
	expect_refused("status", "\"fine\"", "no-boot");
	expect_refused("env", "[]", "key 'env': expected an object");
	expect_refused("metrics", "[{\"name\":\"x\"}]", "{name, value}");
	expect_refused("workers", "[-1]", "workers");
	expect_refused("latency_ns",
		"{\"buckets\":[[976,1]],\"count\":1,\"sum\":1,\"min\":1,\"max\":1}", "latency_ns");
	expect_refused("latency_ns", "{\"buckets\":[[1,1]],\"count\":1,\"sum\":1,\"min\":1}",
		"latency_ns");
}

static void test_other_schema_is_refused_by_number(void **state)
{
	(void)state;
	expect_refused("schema", "2", "schema 2; this kab reads schema 1");
}

static void test_line_that_is_no_object(void **state)
{
	json_t *o = load("[1]");
	struct sample s;
	struct error err;

	(void)state;
	assert_int_equal(sample_from_json(o, &s, &err), -1);
	json_decref(o);
}

static void test_status_names(void **state)
{
	(void)state;
	for (int i = 0; i < SAMPLE_STATUSES; i++)
		assert_int_equal(sample_status_parse(sample_status_name((enum sample_status)i)), i);
	assert_string_equal(sample_status_name(SAMPLE_NO_BOOT), "no-boot");
	assert_int_equal(sample_status_parse("okay"), -1);
}

static void test_metrics(void **state)
{
	struct sample s = {};

	(void)state;
	assert_true(isnan(sample_metric(&s, "a")));
	sample_set_metric(&s, "a", 1);
	sample_set_metric(&s, "a", 2);
	sample_set_metric(&s, "b", NAN);
	sample_set_metric(&s, "c", INFINITY);
	assert_int_equal(s.nmetrics, 1);
	assert_float_equal(sample_metric(&s, "a"), 2, 0);
	assert_true(isnan(sample_metric(&s, "b")));
	sample_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip_keeps_everything),
		cmocka_unit_test(test_what_is_missing_or_wrong_is_named),
		cmocka_unit_test(test_other_schema_is_refused_by_number),
		cmocka_unit_test(test_line_that_is_no_object),
		cmocka_unit_test(test_status_names),
		cmocka_unit_test(test_metrics),
	};

	return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
