// SPDX-License-Identifier: GPL-2.0-or-later
/* The line protocol between kab and its agent. */
#include "proto.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_CHUNK 65536
#define QUOTE_MAX 120 /* bytes of a bad line in an error */

/* Fills in @err with @what and the start of the offending line, unprintable bytes as dots. */
static enum proto_status garbage(const char *what, const char *line, size_t len, struct error *err)
{
	char quote[QUOTE_MAX + 1];
	size_t n = len < QUOTE_MAX ? len : QUOTE_MAX;

	for (size_t i = 0; i < n; i++)
		quote[i] = line[i] >= ' ' && line[i] < 127 ? line[i] : '.';
	quote[n] = '\0';
	error_set(err, KAB_ENVIRONMENT, "garbage on the protocol port (%s): \"%s\"%s", what, quote,
		n < len ? "..." : "");
	return PROTO_GARBAGE;
}

static enum proto_status parse_line(const char *line, size_t len, json_t **msg, struct error *err)
{
	json_error_t je;

	*msg = json_loadb(line, len, JSON_REJECT_DUPLICATES, &je);
	if (!*msg)
		return garbage(je.text, line, len, err);
	if (json_is_string(json_object_get(*msg, "type")))
		return PROTO_MESSAGE;
	json_decref(*msg);
	*msg = NULL;
	return garbage("no type", line, len, err);
}

/* Takes the first whole line off the buffer. */
static enum proto_status take_line(struct proto_reader *r, json_t **msg, struct error *err)
{
	char *end = NULL;
	enum proto_status st;

	if (r->buf.len > r->scanned)
		end = memchr(r->buf.data + r->scanned, '\n', r->buf.len - r->scanned);
	if (!end) {
		r->scanned = r->buf.len;
		if (r->buf.len > PROTO_LINE_MAX)
			return garbage("line too long", r->buf.data, r->buf.len, err);
		return PROTO_AGAIN;
	}
	st = parse_line(r->buf.data, end - r->buf.data, msg, err);
	r->buf.len -= end + 1 - r->buf.data;
	memmove(r->buf.data, end + 1, r->buf.len + 1);
	r->scanned = 0;
	return st;
}

enum proto_status proto_receive(struct proto_reader *r, json_t **msg, struct error *err)
{
	char chunk[READ_CHUNK];
	enum proto_status st;
	ssize_t n;

	*msg = NULL;
	st = take_line(r, msg, err);
	if (st != PROTO_AGAIN)
		return st;
	n = read(r->fd, chunk, sizeof(chunk));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return PROTO_AGAIN;
	/* A socket whose other end died with unread bytes says ECONNRESET. */
	if (n <= 0)
		return PROTO_EOF;
	buf_add(&r->buf, chunk, n);
	return take_line(r, msg, err);
}

void proto_reader_clear(struct proto_reader *r)
{
	buf_free(&r->buf);
	r->scanned = 0;
}

/* write(2) that is no SIGPIPE to us when the other side is gone; the port inside a guest is no
 * socket. */
static ssize_t send_bytes(int fd, const char *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

	return n < 0 && errno == ENOTSOCK ? write(fd, data, len) : n;
}

int proto_send(int fd, const json_t *msg, int timeout_ms, struct error *err)
{
	uint64_t deadline = now_ns() + timeout_ms * 1000000ull;
	__free_char char *text = json_dumps(msg, JSON_COMPACT);
	size_t len, done = 0;

	if (!text)
		return error_set(err, KAB_ENVIRONMENT, "a message cannot be written as JSON");
	len = strlen(text);
	text[len++] = '\n';
	while (done < len) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		uint64_t now = now_ns();
		ssize_t n;

		if (now >= deadline || poll(&p, 1, (deadline - now) / 1000000 + 1) == 0)
			return error_set(err, KAB_ENVIRONMENT, "no room for a message within %d ms",
				timeout_ms);
		n = send_bytes(fd, text + done, len - done);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return error_set(
				err, KAB_ENVIRONMENT, "writing a message: %s", strerror(errno));
		if (n > 0)
			done += n;
	}
	return 0;
}

const char *proto_type(const json_t *msg)
{
	return json_string_value(json_object_get(msg, "type"));
}

/* Length of the well-formed UTF-8 sequence at @s (RFC 3629), 0 if there is none. */
static size_t utf8_length(const unsigned char *s, size_t len)
{
	static const struct {
		unsigned char lo, hi, lo2, hi2;
		size_t n;
	} form[] = {
		{0x01, 0x7f, 0, 0, 1},
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(form); i++) {
		if (s[0] < form[i].lo || s[0] > form[i].hi || form[i].n > len)
			continue;
		if (form[i].n > 1 && (s[1] < form[i].lo2 || s[1] > form[i].hi2))
			return 0;
		for (size_t k = 2; k < form[i].n; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return form[i].n;
	}
	return 0;
}

char *proto_clean(const char *data, size_t len)
{
	struct buf b = {0};
	size_t i = 0, good = 0;

	while (i < len) {
		size_t n = utf8_length((const unsigned char *)data + i, len - i);

		if (!n) {
			buf_add(&b, data + good, i - good);
			buf_addstr(&b, "\xef\xbf\xbd");
			good = i + 1;
		}
		i += n ? n : 1;
	}
	buf_add(&b, data + good, len - good);
	return b.data;
}

json_t *proto_text(const char *data, size_t len)
{
	char *clean = proto_clean(data, len);
	json_t *s = json_string_nocheck(clean);

	free(clean);
	return s;
}

static json_t *string_array(const char *const *v)
{
	json_t *a = json_array();

	for (; v && *v; v++)
		json_array_append_new(a, proto_text(*v, strlen(*v)));
	return a;
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *proto_bytes(const void *data, size_t len)
{
	const unsigned char *in = data;
	char *text = xcalloc((len + 2) / 3 * 4 + 1, 1), *out = text;

	for (size_t i = 0; i < len; i += 3) {
		unsigned v = in[i] << 16 | (i + 1 < len ? in[i + 1] << 8 : 0) |
			     (i + 2 < len ? in[i + 2] : 0);

		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[v & 63] : '=';
	}
	return text;
}

void *proto_from_bytes(const char *text, size_t *len)
{
	size_t n = strlen(text), pad = 0;
	unsigned char *data, *out;

	while (pad < 2 && n > pad && text[n - 1 - pad] == '=')
		pad++;
	if (n % 4)
		return NULL;
	out = data = xcalloc(n / 4 * 3 + 1, 1);
	for (size_t i = 0; i < n; i += 4) {
		unsigned v = 0;

		for (size_t k = i; k < i + 4; k++) {
			const char *digit = k < n - pad ? strchr(digits, text[k]) : digits;

			if (!digit || !*digit) {
				free(data);
				return NULL;
			}
			v = v << 6 | (unsigned)(digit - digits);
		}
		*out++ = v >> 16;
		*out++ = v >> 8;
		*out++ = v;
	}
	*len = n / 4 * 3 - pad;
	return data;
}

json_t *proto_job(const struct job *job)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:b, s:b, s:i, s:s*}", "type", "job", "id", job->id,
		"argv", string_array(job->argv), "capture", string_array(job->capture), "host_root",
		job->host_root, "perf_stat", job->perf_stat, "timeout_s", (int)job->timeout_s,
		"record", job->record);
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text)
		json_object_set_new(o, key, proto_text(text, strlen(text)));
}

json_t *proto_sample(const char *id, const struct job_result *res)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:I}", "type", "sample", "id", id, "status",
		sample_status_name(res->status), "exit_status", res->exit_status, "elapsed_ns",
		(json_int_t)res->elapsed_ns);

	set_text(o, "reason", res->reason);
	set_text(o, "out", res->out);
	set_text(o, "err", res->err_out);
	set_text(o, "perf", res->perf);
	if (res->before)
		json_object_set(o, "before", res->before);
	if (res->after)
		json_object_set(o, "after", res->after);
	return o;
}

/* The strings of the array @key of @msg, NULL-terminated; NULL and err if it is none. */
static const char **parse_strings(const json_t *msg, const char *key, struct error *err)
{
	json_t *a = json_object_get(msg, key), *s;
	const char **v;
	size_t i;

	if (!json_is_array(a)) {
		error_set(err, KAB_USAGE, "job: \"%s\" is no array", key);
		return NULL;
	}
	v = xcalloc(json_array_size(a) + 1, sizeof(*v));
	json_array_foreach (a, i, s) {
		v[i] = json_string_value(s);
		if (!v[i]) {
			error_set(err, KAB_USAGE, "job: \"%s\"[%zu] is no string", key, i);
			free(v);
			return NULL;
		}
	}
	return v;
}

int proto_parse_job(const json_t *msg, struct proto_job *pj, struct error *err)
{
	int host_root, perf_stat, timeout;
	struct job *job = &pj->job;
	json_error_t je;

	*pj = (struct proto_job){0};
	if (json_unpack_ex((json_t *)msg, &je, 0, "{s:s, s:b, s:b, s:i, s?s}", "id", &job->id,
		    "host_root", &host_root, "perf_stat", &perf_stat, "timeout_s", &timeout, "record",
		    &job->record))
		return error_set(err, KAB_USAGE, "job: %s", je.text);
	if (timeout <= 0)
		return error_set(
			err, KAB_USAGE, "job: timeout_s is %d, expected 1 or more", timeout);
	job->host_root = host_root;
	job->perf_stat = perf_stat;
	job->timeout_s = timeout;
	pj->argv = parse_strings(msg, "argv", err);
	pj->capture = pj->argv ? parse_strings(msg, "capture", err) : NULL;
	if (pj->capture && !pj->argv[0])
		error_set(err, KAB_USAGE, "job: \"argv\" is empty");
	if (!pj->capture || !pj->argv[0]) {
		proto_job_clear(pj);
		return -1;
	}
	job->argv = pj->argv;
	job->capture = pj->capture;
	return 0;
}

void proto_job_clear(struct proto_job *pj)
{
	free(pj->argv);
	free(pj->capture);
	*pj = (struct proto_job){0};
}

/* A capture object {path: text}, new reference; an empty one where the agent sent none. */
static json_t *captures(json_t *o)
{
	return o ? json_incref(o) : json_object();
}

int proto_parse_sample(const json_t *msg, struct job_result *res, struct error *err)
{
	const char *status, *reason = NULL, *out = "", *err_out = "", *perf = NULL;
	json_t *before = NULL, *after = NULL;
	json_int_t elapsed;
	json_error_t je;

	if (json_unpack_ex((json_t *)msg, &je, 0, "{s:s, s:i, s:I, s?s, s?s, s?s, s?s, s?o, s?o}",
		    "status", &status, "exit_status", &res->exit_status, "elapsed_ns", &elapsed,
		    "reason", &reason, "out", &out, "err", &err_out, "perf", &perf, "before",
		    &before, "after", &after))
		return error_set(err, KAB_ENVIRONMENT, "sample: %s", je.text);
	if (sample_status_parse(status) < 0)
		return error_set(err, KAB_ENVIRONMENT, "sample: unknown status \"%s\"", status);
	if ((before && !json_is_object(before)) || (after && !json_is_object(after)))
		return error_set(err, KAB_ENVIRONMENT, "sample: a capture is no object");
	res->status = sample_status_parse(status);
	res->elapsed_ns = elapsed;
	res->reason = reason ? xstrdup(reason) : NULL;
	res->out = xstrdup(out);
	res->err_out = xstrdup(err_out);
	res->perf = perf ? xstrdup(perf) : NULL;
	res->before = captures(before);
	res->after = captures(after);
	return 0;
}
