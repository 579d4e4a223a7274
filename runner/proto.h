/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol between kab and its agent (PID 1 of a guest, or a child process of the local
 * executor): one JSON object a line, both ways, over one byte stream.
 *
 *   agent -> kab   {"type": "ready", "protocol": N, "env": {...}}        once, when it takes jobs
 *                  {"type": "failed", "reason": text}                   instead of ready
 *                  {"type": "progress", "id": job}                      each second while a job
 * runs
 *                  {"type": "sample", "id": job, "status": ..., ...}    what became of the job
 *                  {"type": "done", "id": job}                          its processes are gone:
 * next, please
 *                  {"type": "klog", "text": text}                       the answer to klog
 *   kab -> agent   {"type": "job", "id": job, "argv": [...], ...}
 *                  {"type": "klog"}                                     send the whole kernel log
 *                  {"type": "poweroff"}
 */
#ifndef KAB_PROTO_H
#define KAB_PROTO_H

#include <jansson.h>

#include "error.h"
#include "executor.h"
#include "util.h"

#define PROTO_VERSION 1
#define PROTO_PORT "org.kab.agent" /* name of the virtio-serial port */
/* Output of a job beyond this many bytes a stream ends the job. */
#define PROTO_OUTPUT_MAX (16u << 20)
/* Three streams of escaped output (6 bytes for a control character) and captures fit. */
#define PROTO_LINE_MAX (320u << 20)

/* One direction of the stream; zero-initialise but for @fd, free with proto_reader_clear(). */
struct proto_reader {
	int fd; /* borrowed */
	struct buf buf;
	size_t scanned; /* bytes of @buf known to hold no newline */
};

enum proto_status {
	PROTO_MESSAGE, /* *@msg is a new reference */
	PROTO_AGAIN,   /* nothing complete yet */
	PROTO_EOF,     /* the other side is gone */
	PROTO_GARBAGE, /* a line that is no message of this protocol; err quotes it */
};

/*
 * The next message if a whole line is there; reads once from the descriptor where it is not. With a
 * descriptor that blocks, poll first.
 */
enum proto_status proto_receive(struct proto_reader *r, json_t **msg, struct error *err);
void proto_reader_clear(struct proto_reader *r);

/* Writes @msg as one line, waiting at most @timeout_ms for room. -1: gone or stuck
 * (KAB_ENVIRONMENT). */
int proto_send(int fd, const json_t *msg, int timeout_ms, struct error *err);

/* "type" of a message; never NULL for one that proto_receive() returned. */
const char *proto_type(const json_t *msg);
/* Any bytes as text: what is not UTF-8, and NUL, becomes U+FFFD. Caller frees. */
char *proto_clean(const char *data, size_t len);
/* The same as a JSON string, new reference. */
json_t *proto_text(const char *data, size_t len);

/* Bytes as text (base64, RFC 4648), and back: NULL for what is none. Caller frees. */
char *proto_bytes(const void *data, size_t len);
void *proto_from_bytes(const char *text, size_t *len);

/* A job and its result as messages, and back. New references. */
json_t *proto_job(const struct job *job);
json_t *proto_sample(const char *id, const struct job_result *res);

/* A job parsed from a message: strings are borrowed from the message, the arrays are its own. */
struct proto_job {
	struct job job;
	const char **argv, **capture;
};
int proto_parse_job(const json_t *msg, struct proto_job *pj, struct error *err);
void proto_job_clear(struct proto_job *pj);
/* Fills in @res (owned strings) from a "sample" message; -1 names the key that is wrong. */
int proto_parse_sample(const json_t *msg, struct job_result *res, struct error *err);

#endif
