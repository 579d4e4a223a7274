// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's loop: job in, sample out. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proto.h"
#include "util.h"

#define SEND_MS 60000	     /* a sample may be many MiB through an emulated device */
#define KLOG_MAX (1u << 20)  /* kernel messages of one sample */
#define KLOG_WARNING 4	     /* KERN_WARNING: where the kernel's own complaints begin */
#define KMSG_RECORD_MAX 8192 /* of /dev/kmsg, see Documentation/ABI/testing/dev-kmsg */
#define SYSLOG_READ_ALL 3    /* see syslog(2) */
#define SYSLOG_SIZE_BUFFER 10

struct agent {
	struct proto_reader in;
	const struct jobrun_place *place;
	int kmsg;	/* -1: not readable here */
	const char *id; /* of the job that runs, for its heartbeat */
	bool perf_held; /* see hold_perf_events() */
};

static int send_and_free(struct agent *a, json_t *msg, struct error *err)
{
	int ret = proto_send(a->in.fd, msg, SEND_MS, err);

	json_decref(msg);
	return ret;
}

static void beat(void *arg)
{
	struct agent *a = arg;

	send_and_free(a, json_pack("{s:s, s:s}", "type", "progress", "id", a->id), NULL);
}

/*
 * One record of /dev/kmsg, "priority,sequence,microseconds,flags;text\n key=value\n...", appended
 * the way a console shows it. Records of user space and those below warning are left out.
 */
static void add_record(struct buf *b, const char *record)
{
	const char *text = strchr(record, ';');
	unsigned long long usec;
	unsigned prio;

	if (!text || sscanf(record, "%u,%*u,%llu", &prio, &usec) != 2)
		return;
	if (prio >> 3 || (prio & 7) > KLOG_WARNING)
		return;
	text++;
	buf_addf(b, "[%5llu.%06llu] %.*s\n", usec / 1000000, usec % 1000000,
		(int)strcspn(text, "\n"), text);
}

/* What the kernel complained of since the last call, as text; NULL: nothing. Caller frees. */
static char *klog_new(int kmsg)
{
	char record[KMSG_RECORD_MAX + 1];
	struct buf b = {0};

	while (kmsg >= 0 && b.len < KLOG_MAX) {
		ssize_t n = read(kmsg, record, KMSG_RECORD_MAX);

		/* EPIPE: records were overwritten before we came; go on with what is left. */
		if (n < 0 && (errno == EINTR || errno == EPIPE))
			continue;
		if (n <= 0)
			break;
		record[n] = '\0';
		add_record(&b, record);
	}
	/* What is beyond the limit is no later sample's fault. */
	if (b.len >= KLOG_MAX)
		lseek(kmsg, 0, SEEK_END);
	return b.data;
}

/* The whole kernel log. */
static json_t *klog_message(void)
{
	int size = klogctl(SYSLOG_SIZE_BUFFER, NULL, 0);
	__free_char char *text = xcalloc(size > 0 ? size + 1 : 1, 1);
	int n = size > 0 ? klogctl(SYSLOG_READ_ALL, text, size) : 0;

	return json_pack("{s:s, s:o}", "type", "klog", "text", proto_text(text, n > 0 ? n : 0));
}

/*
 * Opens the software events that perf stat counts, stopped, and never closes them. The first user
 * of an event makes the kernel patch its hooks into the scheduler and the last one takes them out
 * again; QEMU before 8.1 with a thread per virtual CPU can miss such a write while another CPU's
 * code is being translated, and the guest dies of a stale int3. So the hooks go in once, while the
 * guest is idle, and stay.
 */
static void hold_perf_events(struct agent *a)
{
	static const uint64_t events[] = {PERF_COUNT_SW_TASK_CLOCK, PERF_COUNT_SW_CONTEXT_SWITCHES,
		PERF_COUNT_SW_CPU_MIGRATIONS, PERF_COUNT_SW_PAGE_FAULTS};

	if (a->perf_held)
		return;
	a->perf_held = true;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct perf_event_attr attr = {
			.type = PERF_TYPE_SOFTWARE,
			.size = sizeof(attr),
			.config = events[i],
			.disabled = 1,
		};

		syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	}
}

#define ROUND_S 10

/*
 * A message comes at a moment that is the host's, and with it the phase of every tick and timer in
 * what follows. Where time is counted instructions, waiting costs nothing: an idle guest's clock
 * jumps to its next timer. So each job starts at a multiple of 10 s, the same phase in every boot.
 */
static void wait_for_round_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec = (t.tv_sec / ROUND_S + 1) * ROUND_S;
	t.tv_nsec = 0;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static int serve_job(struct agent *a, const json_t *msg, struct error *err)
{
	struct job_result res;
	struct proto_job pj;
	char *klog;
	json_t *sample;

	if (proto_parse_job(msg, &pj, err))
		return -1;
	a->id = pj.job.id;
	if (pj.job.perf_stat)
		hold_perf_events(a);
	if (a->place->exact)
		wait_for_round_time();
	jobrun(&pj.job, a->place, beat, a, &res);
	sample = proto_sample(pj.job.id, &res);
	job_result_clear(&res);
	klog = klog_new(a->kmsg);
	if (klog)
		json_object_set_new(sample, "klog", proto_text(klog, strlen(klog)));
	free(klog);
	if (send_and_free(a, sample, err)) {
		proto_job_clear(&pj);
		return -1;
	}
	sample = json_pack("{s:s, s:s}", "type", "done", "id", pj.job.id);
	proto_job_clear(&pj);
	return send_and_free(a, sample, err);
}

/* One message from kab. 1: it was poweroff. */
static int serve_message(struct agent *a, const json_t *msg, struct error *err)
{
	const char *type = proto_type(msg);

	if (!strcmp(type, "job"))
		return serve_job(a, msg, err);
	if (!strcmp(type, "klog"))
		return send_and_free(a, klog_message(), err);
	if (!strcmp(type, "poweroff"))
		return 1;
	return error_set(err, KAB_USAGE, "unknown message \"%s\"", type);
}

static int serve(struct agent *a, struct error *err)
{
	for (;;) {
		struct pollfd p = {.fd = a->in.fd, .events = POLLIN};
		json_t *msg;
		int ret;

		if (kab_interrupted)
			return error_set(err, KAB_INTERRUPTED, "interrupted");
		/* A line may be in the buffer already, so ask it before the descriptor. */
		if (!memchr(a->in.buf.data ? a->in.buf.data : "", '\n', a->in.buf.len) &&
			poll(&p, 1, -1) < 0)
			continue;
		switch (proto_receive(&a->in, &msg, err)) {
		case PROTO_AGAIN:
			continue;
		case PROTO_EOF:
			return error_set(err, KAB_ENVIRONMENT, "kab is gone");
		case PROTO_GARBAGE:
			return -1;
		case PROTO_MESSAGE:
			break;
		}
		ret = serve_message(a, msg, err);
		json_decref(msg);
		if (ret)
			return ret < 0 ? -1 : 0;
	}
}

int agent_serve(int fd, const struct jobrun_place *place, const json_t *env, struct error *err)
{
	struct sched_param prio = {.sched_priority = 1};
	struct agent a = {.in.fd = fd, .place = place};
	int ret;

	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &prio);
	a.kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (a.kmsg >= 0)
		lseek(a.kmsg, 0, SEEK_END);
	ret = send_and_free(&a,
		json_pack(
			"{s:s, s:i, s:O}", "type", "ready", "protocol", PROTO_VERSION, "env", env),
		err);
	if (!ret)
		ret = serve(&a, err);
	if (a.kmsg >= 0)
		close(a.kmsg);
	proto_reader_clear(&a.in);
	return ret;
}

void agent_fail(int fd, const struct error *why)
{
	struct agent a = {.in.fd = fd};

	send_and_free(&a, json_pack("{s:s, s:s}", "type", "failed", "reason", why->text), NULL);
}
