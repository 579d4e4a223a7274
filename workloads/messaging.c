// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Groups of senders and receivers: each sender writes 100-byte messages to every receiver of its
 * group in turn, each receiver reads what comes over its one socketpair or pipe. One operation is
 * one message delivered. perf bench sched messaging and hackbench do the same; with --loops L the
 * work is theirs, groups x senders x receivers x L messages, and elapsed_ns their "Total time".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "workload.h"

#define MESSAGE_SIZE 100
#define MAX_WORKERS 32768

struct message {
	uint8_t last; /* the sender's last one to this receiver */
	uint8_t pad[3];
	uint32_t sender;
	uint64_t number;
	uint8_t fill[MESSAGE_SIZE - 16];
};

_Static_assert(offsetof(struct message, fill) + sizeof(((struct message *)0)->fill) == MESSAGE_SIZE,
	"a message is what goes over the wire, without the padding behind it");

struct channel {
	int in, out;
};

struct layout {
	unsigned senders, receivers;
	struct channel channel[]; /* receivers of group 0, of group 1 ... */
};

/* A worker's place: its group has receivers first, then senders. */
struct place {
	unsigned member; /* number within the receivers, or the senders */
	bool sends;
	const struct channel *channel; /* the group's */
};

static struct place place_of(const struct worker *w, const struct layout *l)
{
	unsigned size = l->senders + l->receivers, group = w->index / size,
		 member = w->index % size;
	bool sends = member >= l->receivers;

	return (struct place){
		.member = sends ? member - l->receivers : member,
		.sends = sends,
		.channel = &l->channel[group * l->receivers],
	};
}

static int put(struct worker *w, int fd, const struct message *m)
{
	const char *data = (const char *)m;
	size_t done = 0;
	ssize_t n;

	do {
		n = write(fd, data + done, MESSAGE_SIZE - done);
		if (n < 0)
			return worker_fail(w, "messaging: write: %s", strerror(errno));
		done += n;
	} while (done < MESSAGE_SIZE);
	return 0;
}

static int get(struct worker *w, int fd, struct message *m)
{
	char *data = (char *)m;
	size_t done = 0;
	ssize_t n;

	do {
		n = read(fd, data + done, MESSAGE_SIZE - done);
		if (n <= 0)
			return worker_fail(
				w, "messaging: read: %s", n < 0 ? strerror(errno) : "end of file");
		done += n;
	} while (done < MESSAGE_SIZE);
	return 0;
}

/* Whole rounds, until the limit is reached; the messages of the last round say so. */
static int send_rounds(struct worker *w, const struct layout *l, const struct place *place)
{
	struct message m;

	memset(&m, 'm', sizeof(m));
	m.sender = place->member;
	m.number = 0;
	do {
		m.last = worker_left(w) <= l->receivers;
		for (unsigned i = 0; i < l->receivers; i++)
			if (put(w, place->channel[i].out, &m))
				return -1;
		m.number++;
		worker_count(w, l->receivers);
	} while (!m.last);
	return 0;
}

/* Until each of the group's senders has sent its last message. */
static int receive(struct worker *w, const struct layout *l, const struct place *place)
{
	int fd = place->channel[place->member].in;
	unsigned ended = 0;
	struct message m;

	while (ended < l->senders) {
		if (get(w, fd, &m))
			return -1;
		ended += m.last;
	}
	return 0;
}

static int messaging_run(struct worker *w)
{
	const struct layout *l = w->run->priv;
	struct place place = place_of(w, l);

	return place.sends ? send_rounds(w, l, &place) : receive(w, l, &place);
}

/* Each sender's messages come whole and in order, none missing and none twice. */
static int check(struct worker *w, const struct layout *l, const struct message *m, uint64_t *next)
{
	if (m->sender >= l->senders)
		return worker_fail(
			w, "messaging: a message from sender %u of %u", m->sender, l->senders);
	if (m->number != next[m->sender])
		return worker_fail(w, "messaging: message %llu of sender %u came instead of %llu",
			(unsigned long long)m->number, m->sender,
			(unsigned long long)next[m->sender]);
	for (unsigned i = 0; i < sizeof(m->fill); i++)
		if (m->fill[i] != 'm')
			return worker_fail(w, "messaging: byte %u of message %llu is 0x%02x", i,
				(unsigned long long)m->number, m->fill[i]);
	next[m->sender]++;
	return 0;
}

static int receive_checked(struct worker *w, const struct layout *l, const struct place *place)
{
	uint64_t *next = calloc(l->senders, sizeof(*next));
	unsigned ended = 0;
	struct message m;
	int ret = 0;

	if (!next)
		return worker_fail(w, "out of memory");
	while (ended < l->senders && !ret) {
		ret = get(w, place->channel[place->member].in, &m) || check(w, l, &m, next);
		ended += m.last;
	}
	free(next);
	return ret ? -1 : 0;
}

static int messaging_verify(struct worker *w)
{
	const struct layout *l = w->run->priv;
	struct place place = place_of(w, l);

	return place.sends ? send_rounds(w, l, &place) : receive_checked(w, l, &place);
}

static int open_channel(struct run *run, struct channel *channel)
{
	bool sockets = run_choice(run, "transport") == 0;
	int fd[2];

	if (sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, fd) : pipe(fd))
		return run_fail(run, "%s: %s", sockets ? "socketpair" : "pipe", strerror(errno));
	*channel = (struct channel){.in = fd[0], .out = fd[1]};
	return 0;
}

static int set_loops(struct run *run, uint64_t pairs)
{
	uint64_t loops = run_uint(run, "loops");

	if (!loops)
		return 0;
	if (run_given(run, "ops") || run_given(run, "duration"))
		return run_bad_param(run, "--loops %llu: not with --ops or --duration",
			(unsigned long long)loops);
	run_set_ops(run, loops * pairs);
	return 0;
}

static int messaging_setup(struct run *run)
{
	uint64_t senders = run_uint(run, "senders"), receivers = run_uint(run, "receivers");
	uint64_t instances = run_uint(run, "instances");
	uint64_t groups = run_uint(run, "groups") * instances;
	uint64_t workers = groups * (senders + receivers);
	struct layout *l;

	if (workers > MAX_WORKERS)
		return run_bad_param(run,
			"--instances x --groups x (--senders + --receivers) = %llu: at most %d "
			"tasks",
			(unsigned long long)workers, MAX_WORKERS);
	l = run_alloc(run, sizeof(*l) + groups * receivers * sizeof(l->channel[0]));
	if (!l || run_open_files(run, 2 * groups * receivers) ||
		set_loops(run, groups * senders * receivers))
		return -1;
	if (run_workers(run, workers,
		    !run_threads(run) ? 1
		    : instances > 1   ? workers / instances
				      : 0))
		return -1;
	l->senders = senders;
	l->receivers = receivers;
	run->priv = l;
	for (unsigned i = 0; i < workers; i++)
		if (!place_of(&run->worker[i], l).sends)
			run->worker[i].role = ROLE_SERVER;
	for (unsigned i = 0; i < groups * receivers; i++)
		if (open_channel(run, &l->channel[i]))
			return -1;
	return 0;
}

static const char *const transports[] = {"socketpair", "pipe", NULL};

static const struct param messaging_params[] = {
	PARAM_ROW("groups", PARAM_UINT, "10", 1, 1024, NULL, "groups of senders and receivers"),
	PARAM_ROW("senders", PARAM_UINT, "20", 1, 1024, NULL, "senders in each group"),
	PARAM_ROW("receivers", PARAM_UINT, "20", 1, 1024, NULL, "receivers in each group"),
	PARAM_ROW("loops", PARAM_UINT, "0", 0, 1000000000, NULL,
		"messages from each sender to each receiver; 0: as --ops or --duration say"),
	PARAM_ROW(
		"transport", PARAM_CHOICE, "socketpair", 0, 0, transports, "what carries messages"),
	PARAM_ROW("instances", PARAM_UINT, "1", 1, 256, NULL,
		"copies of it all at once, in separate processes"),
	PARAM_MODE_DEFAULT("process"),
	{.name = NULL},
};

WORKLOAD(messaging) = {
	.name = "messaging",
	.summary = "groups of senders and receivers exchange 100-byte messages",
	.same_as = "perf bench sched messaging, hackbench",
	.params = messaging_params,
	.setup = messaging_setup,
	.run = messaging_run,
	.verify = messaging_verify,
};
