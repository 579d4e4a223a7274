// SPDX-License-Identifier: GPL-2.0-or-later
/* The line protocol: framing, bytes that are no text, and what is no message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto.h"

struct pair {
	int out, in;
	struct proto_reader r;
};

static int make_pair(void **state)
{
	struct pair *p = xcalloc(1, sizeof(*p));
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		return -1;
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	p->out = fd[0];
	p->in = p->r.fd = fd[1];
	*state = p;
	return 0;
}

static int free_pair(void **state)
{
	struct pair *p = *state;

	if (p->out >= 0)
		close(p->out);
	close(p->in);
	proto_reader_clear(&p->r);
	free(p);
	return 0;
}

static void say(struct pair *p, const char *text)
{
	assert_int_equal(write(p->out, text, strlen(text)), strlen(text));
}

/* Receives until something comes of it. */
static enum proto_status receive(struct pair *p, json_t **msg, struct error *err)
{
	enum proto_status st;

	do
		st = proto_receive(&p->r, msg, err);
	while (st == PROTO_AGAIN && p->r.buf.len);
	return st;
}

static void test_lines_cut_anywhere(void **state)
{
	struct pair *p = *state;
	json_t *msg;

	say(p, "{\"type\": \"pro");
	assert_int_equal(proto_receive(&p->r, &msg, NULL), PROTO_AGAIN);
	assert_int_equal(proto_receive(&p->r, &msg, NULL), PROTO_AGAIN);
	say(p, "gress\"}\n{\"type\": \"done\"}\n{\"ty");
	assert_int_equal(proto_receive(&p->r, &msg, NULL), PROTO_MESSAGE);
	assert_string_equal(proto_type(msg), "progress");
	json_decref(msg);
	assert_int_equal(proto_receive(&p->r, &msg, NULL), PROTO_MESSAGE);
	assert_string_equal(proto_type(msg), "done");
	json_decref(msg);
	assert_int_equal(proto_receive(&p->r, &msg, NULL), PROTO_AGAIN);
}

static void test_end_of_the_other_side(void **state)
{
	struct pair *p = *state;
	json_t *msg;

	say(p, "{\"type\": \"done\"}\n{\"type\":");
	close(p->out);
	p->out = -1;
	assert_int_equal(proto_receive(&p->r, &msg, NULL), PROTO_MESSAGE);
	json_decref(msg);
	assert_int_equal(proto_receive(&p->r, &msg, NULL), PROTO_EOF);
	assert_null(msg);
}

static void test_garbage_is_quoted(void **state)
{
	static const struct {
		const char *line, *quoted;
	} bad[] = {
		{"segfault at 0\n", "segfault at 0"},
		{"{\"type\": 3}\n", "{\\\"type\\\": 3}"},
		{"[]\n", "[]"},
		{"\n", "\"\""},
		{"\x01\xff{}\n", "..{}"},
	};
	struct pair *p = *state;
	struct error err;
	json_t *msg;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char plain[64] = "";

		say(p, bad[i].line);
		assert_int_equal(receive(p, &msg, &err), PROTO_GARBAGE);
		assert_null(msg);
		assert_int_equal(err.status, KAB_ENVIRONMENT);
		/* The table escapes quotes for reading only. */
		for (const char *s = bad[i].quoted; *s; s++)
			if (*s != '\\')
				strncat(plain, s, 1);
		assert_non_null(strstr(err.text, plain));
	}
	/* A good message after it is still read. */
	say(p, "{\"type\": \"done\"}\n");
	assert_int_equal(receive(p, &msg, &err), PROTO_MESSAGE);
	json_decref(msg);
}

static void test_bytes_that_are_no_text(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
		{"plain", 5, "plain"},
		{"", 0, ""},
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7", 14,
			"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7"},
		{"a\xff"
		 "b",
			3,
			"a\xef\xbf\xbd"
			"b"},
		{"a\0b", 3,
			"a\xef\xbf\xbd"
			"b"},
		{"\xc3", 1, "\xef\xbf\xbd"},
		/* overlong, surrogate, beyond the last code point */
		{"\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2\x82", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *s = proto_text(cases[i].in, cases[i].len);

		assert_true(json_is_string(s));
		assert_string_equal(json_string_value(s), cases[i].out);
		json_decref(s);
	}
}

/* Every byte sequence must become a string that JSON takes. */
static void test_random_bytes(void **state)
{
	unsigned char bytes[64];

	(void)state;
	srand(1);
	for (int round = 0; round < 2000; round++) {
		json_t *s, *back;
		char *text;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = rand() >> 7;
		s = json_pack("{s:o}", "t", proto_text((const char *)bytes, sizeof(bytes)));
		text = json_dumps(s, 0);
		assert_non_null(text);
		back = json_loads(text, 0, NULL);
		assert_true(json_equal(s, back));
		free(text);
		json_decref(s);
		json_decref(back);
	}
}

static void test_job_there_and_back(void **state)
{
	static const char *const argv[] = {"kab-workload", "run", "pipe", NULL};
	static const char *const capture[] = {"/proc/schedstat", NULL};
	struct job job = {.id = "b0.stock.s1",
		.argv = argv,
		.capture = capture,
		.host_root = true,
		.timeout_s = 90};
	struct pair *p = *state;
	struct proto_job pj;
	json_t *msg = proto_job(&job), *got;

	assert_int_equal(proto_send(p->out, msg, 1000, NULL), 0);
	json_decref(msg);
	assert_int_equal(receive(p, &got, NULL), PROTO_MESSAGE);
	assert_int_equal(proto_parse_job(got, &pj, NULL), 0);
	assert_string_equal(pj.job.id, "b0.stock.s1");
	assert_string_equal(pj.job.argv[2], "pipe");
	assert_null(pj.job.argv[3]);
	assert_string_equal(pj.job.capture[0], "/proc/schedstat");
	assert_null(pj.job.capture[1]);
	assert_true(pj.job.host_root);
	assert_false(pj.job.perf_stat);
	assert_int_equal(pj.job.timeout_s, 90);
	proto_job_clear(&pj);
	json_decref(got);
}

static void test_bad_jobs(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"{\"type\": \"job\"}", "id"},
		{"{\"id\": \"x\", \"host_root\": 1, \"perf_stat\": false, \"timeout_s\": 1, "
		 "\"argv\": [\"a\"], \"capture\": []}",
			"Expected true or false"},
		{"{\"id\": \"x\", \"host_root\": true, \"perf_stat\": false, \"timeout_s\": 0, "
		 "\"argv\": [\"a\"], \"capture\": []}",
			"timeout_s is 0"},
		{"{\"id\": \"x\", \"host_root\": true, \"perf_stat\": false, \"timeout_s\": 1, "
		 "\"argv\": [], \"capture\": []}",
			"\"argv\" is empty"},
		{"{\"id\": \"x\", \"host_root\": true, \"perf_stat\": false, \"timeout_s\": 1, "
		 "\"argv\": [\"a\", 2], \"capture\": []}",
			"\"argv\"[1]"},
		{"{\"id\": \"x\", \"host_root\": true, \"perf_stat\": false, \"timeout_s\": 1, "
		 "\"argv\": [\"a\"]}",
			"capture"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *msg = json_loads(bad[i].text, 0, NULL);
		struct proto_job pj;
		struct error err;

		assert_non_null(msg);
		assert_int_equal(proto_parse_job(msg, &pj, &err), -1);
		assert_non_null(strstr(err.text, bad[i].says));
		json_decref(msg);
	}
}

static void test_sample_there_and_back(void **state)
{
	struct job_result in = {.status = SAMPLE_TIMEOUT,
		.reason = "too long",
		.exit_status = 137,
		.out = "out",
		.err_out = "",
		.perf = "{}",
		.elapsed_ns = 12345678901ull};
	struct job_result out = {0};
	json_t *msg;

	(void)state;
	in.before = json_pack("{s:s}", "/proc/x", "1");
	msg = proto_sample("id", &in);
	json_decref(in.before);
	assert_int_equal(proto_parse_sample(msg, &out, NULL), 0);
	assert_int_equal(out.status, SAMPLE_TIMEOUT);
	assert_string_equal(out.reason, "too long");
	assert_int_equal(out.exit_status, 137);
	assert_string_equal(out.out, "out");
	assert_string_equal(out.err_out, "");
	assert_string_equal(out.perf, "{}");
	assert_true(out.elapsed_ns == 12345678901ull);
	assert_string_equal(json_string_value(json_object_get(out.before, "/proc/x")), "1");
	assert_int_equal(json_object_size(out.after), 0);
	job_result_clear(&out);
	json_object_set_new(msg, "status", json_string("splendid"));
	assert_int_equal(proto_parse_sample(msg, &out, NULL), -1);
	json_decref(msg);
}

static void test_send_to_nobody(void **state)
{
	struct pair *p = *state;
	json_t *msg = json_pack("{s:s}", "type", "klog");
	struct error err;

	/* No SIGPIPE: the test would end here. */
	close(p->in);
	p->in = dup(p->out);
	assert_int_equal(proto_send(p->out, msg, 1000, &err), -1);
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	json_decref(msg);
}

static void test_send_to_the_deaf(void **state)
{
	struct pair *p = *state;
	char *big = xcalloc(4 << 20, 1);
	struct error err;
	json_t *msg;
	uint64_t begin = now_ns();

	memset(big, 'x', (4 << 20) - 1);
	msg = json_pack("{s:s, s:s}", "type", "sample", "out", big);
	fcntl(p->out, F_SETFL, O_NONBLOCK);
	assert_int_equal(proto_send(p->out, msg, 200, &err), -1);
	assert_non_null(strstr(err.text, "200 ms"));
	assert_in_range((now_ns() - begin) / 1000000, 190, 5000);
	json_decref(msg);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines_cut_anywhere, make_pair, free_pair),
		cmocka_unit_test_setup_teardown(test_end_of_the_other_side, make_pair, free_pair),
		cmocka_unit_test_setup_teardown(test_garbage_is_quoted, make_pair, free_pair),
		cmocka_unit_test(test_bytes_that_are_no_text),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test_setup_teardown(test_job_there_and_back, make_pair, free_pair),
		cmocka_unit_test(test_bad_jobs),
		cmocka_unit_test(test_sample_there_and_back),
		cmocka_unit_test_setup_teardown(test_send_to_nobody, make_pair, free_pair),
		cmocka_unit_test_setup_teardown(test_send_to_the_deaf, make_pair, free_pair),
	};

	return cmocka_run_group_tests_name("proto", tests, NULL, NULL);
}
