// SPDX-License-Identifier: GPL-2.0-or-later
/* Jobs out, samples in, and a watch on the heartbeat. */
#include "link.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define NS 1000000000ull
#define SEND_MS 10000
#define KLOG_S 10
#define POLL_MS 200 /* how soon an interrupt that came between two calls is seen */

/* A whole number of seconds in the environment variable @name, else @otherwise. */
static unsigned env_seconds(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);
	char *end;
	unsigned long v;

	if (!text || !*text)
		return otherwise;
	v = strtoul(text, &end, 10);
	return *end || !v || v > INT_MAX / 1000 ? otherwise : v;
}

struct link_limits link_limits(unsigned factor)
{
	return (struct link_limits){
		.ready_s = env_seconds("KAB_BOOT_LIMIT_S", 60 * factor),
		.silence_s = env_seconds("KAB_HANG_LIMIT_S", 30 * factor),
		.grace_s = 30 * factor,
		.slowdown = 1,
	};
}

/*
 * The next message, or how the wait for it ended: @end_ns bounds it (LINK_OVERDUE), and a silence
 * of @silence_s (LINK_SILENT; 0: any).
 */
static enum link_end next_message(
	struct agent_link *l, uint64_t end_ns, unsigned silence_s, json_t **msg, struct error *err)
{
	uint64_t heard = now_ns();

	for (;;) {
		struct pollfd p = {.fd = l->in.fd, .events = POLLIN};
		uint64_t now;

		if (kab_interrupted) {
			error_set(err, KAB_INTERRUPTED, "interrupted");
			return LINK_INTERRUPTED;
		}
		switch (proto_receive(&l->in, msg, err)) {
		case PROTO_MESSAGE:
			return LINK_OK;
		case PROTO_EOF:
			error_set(err, KAB_ENVIRONMENT, "the agent is gone");
			return LINK_CLOSED;
		case PROTO_GARBAGE:
			return LINK_GARBAGE;
		case PROTO_AGAIN:
			break;
		}
		now = now_ns();
		if (now >= end_ns)
			return LINK_OVERDUE;
		if (silence_s && now - heard >= silence_s * NS) {
			error_set(err, KAB_ENVIRONMENT, "no sign of life for %u s", silence_s);
			return LINK_SILENT;
		}
		/* A part of a long line is a sign of life. */
		if (poll(&p, 1, POLL_MS) > 0)
			heard = now_ns();
	}
}

/* Nonsense in a message that parsed: LINK_GARBAGE. */
static enum link_end unexpected(const json_t *msg, const char *instead_of, struct error *err)
{
	error_set(err, KAB_ENVIRONMENT, "the agent sent \"%s\" instead of %s", proto_type(msg),
		instead_of);
	return LINK_GARBAGE;
}

static enum link_end check_ready(const json_t *msg, json_t **env, struct error *err)
{
	json_t *version = json_object_get(msg, "protocol"), *e = json_object_get(msg, "env");
	const char *reason = json_string_value(json_object_get(msg, "reason"));

	if (!strcmp(proto_type(msg), "failed")) {
		error_set(err, KAB_ENVIRONMENT, "%s", reason ? reason : "no reason given");
		return LINK_FAILED;
	}
	if (strcmp(proto_type(msg), "ready") || !json_is_object(e))
		return unexpected(msg, "ready", err);
	if (json_integer_value(version) != PROTO_VERSION) {
		error_set(err, KAB_ENVIRONMENT,
			"the agent speaks protocol version %lld, kab speaks %d: build both anew",
			(long long)json_integer_value(version), PROTO_VERSION);
		return LINK_FAILED;
	}
	*env = json_incref(e);
	return LINK_OK;
}

enum link_end link_ready(struct agent_link *l, json_t **env, struct error *err)
{
	uint64_t end_ns = now_ns() + l->limits.ready_s * NS;
	enum link_end end;
	json_t *msg;

	end = next_message(l, end_ns, 0, &msg, err);
	if (end == LINK_OVERDUE)
		error_set(err, KAB_ENVIRONMENT, "no ready within %u s", l->limits.ready_s);
	if (end != LINK_OK)
		return end;
	end = check_ready(msg, env, err);
	json_decref(msg);
	return end;
}

/* One message while @job runs. *@finished: it was done. */
static enum link_end job_message(const json_t *msg, const struct job *job, struct job_result *res,
	char **klog, bool *finished, struct error *err)
{
	const char *type = proto_type(msg), *text;
	const char *id = json_string_value(json_object_get(msg, "id"));

	if (!id || strcmp(id, job->id))
		return unexpected(msg, "news of the job", err);
	if (!strcmp(type, "progress"))
		return LINK_OK;
	if (!strcmp(type, "done") && res->before) {
		*finished = true;
		return LINK_OK;
	}
	if (strcmp(type, "sample") || res->before)
		return unexpected(msg, "a sample", err);
	text = json_string_value(json_object_get(msg, "klog"));
	*klog = text ? xstrdup(text) : NULL;
	return proto_parse_sample(msg, res, err) ? LINK_GARBAGE : LINK_OK;
}

static int send_job(struct agent_link *l, const struct job *job, struct error *err)
{
	json_t *msg = proto_job(job);
	int ret = proto_send(l->in.fd, msg, SEND_MS, err);

	json_decref(msg);
	return ret;
}

enum link_end link_job(struct agent_link *l, const struct job *job, struct job_result *res,
	char **klog, struct error *err)
{
	unsigned limit_s = job->timeout_s * l->limits.slowdown + l->limits.grace_s;
	uint64_t end_ns = now_ns() + limit_s * NS;
	struct job_result got = {0};
	bool finished = false;
	enum link_end end;

	*klog = NULL;
	/* A job that did not get through: the reading side tells a dead agent from a stuck one. */
	if (send_job(l, job, err))
		end_ns = 0;
	for (end = LINK_OK; end == LINK_OK && !finished;) {
		json_t *msg;

		end = next_message(l, end_ns, l->limits.silence_s, &msg, err);
		if (end == LINK_OVERDUE && end_ns)
			error_set(err, KAB_ENVIRONMENT,
				"the agent did not end a job of %u s within %u s", job->timeout_s,
				limit_s);
		if (end != LINK_OK)
			break;
		end = job_message(msg, job, &got, klog, &finished, err);
		json_decref(msg);
	}
	if (end == LINK_OK) {
		*res = got;
		return LINK_OK;
	}
	job_result_clear(&got);
	free(*klog);
	*klog = NULL;
	return end;
}

char *link_klog(struct agent_link *l)
{
	json_t *msg = json_pack("{s:s}", "type", "klog");
	int ret = proto_send(l->in.fd, msg, SEND_MS, NULL);
	char *text = NULL;

	json_decref(msg);
	if (ret || next_message(l, now_ns() + KLOG_S * NS, KLOG_S, &msg, NULL) != LINK_OK)
		return NULL;
	if (!strcmp(proto_type(msg), "klog") && json_is_string(json_object_get(msg, "text")))
		text = xstrdup(json_string_value(json_object_get(msg, "text")));
	json_decref(msg);
	return text;
}

void link_poweroff(struct agent_link *l)
{
	json_t *msg = json_pack("{s:s}", "type", "poweroff");

	proto_send(l->in.fd, msg, SEND_MS, NULL);
	json_decref(msg);
}
