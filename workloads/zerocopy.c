// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads receive by TCP_ZEROCOPY_RECEIVE, which puts the pages of what has arrived into a mapping
 * of the socket, while another one has the address space's lock for writing most of the time. One
 * operation is a remote procedure call: a request of a few bytes, and an answer of whole pages that
 * are mapped, looked at, and unmapped by the next one.
 *
 * A page can be mapped only if it is alone in its fragment, not part of a larger allocation and
 * nobody's but TCP's. Over the loopback device that is so for what was sent with MSG_ZEROCOPY: on
 * its way in, it is copied to fresh pages. And segments must be cut to whole pages: the device gets
 * an MTU to that effect, in a network namespace of our own, which goes with the process, however
 * that ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/tcp.h>
#include <math.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

#define SEGMENT_PAGES 15       /* of 4 KiB: as much as a 64 KiB packet holds */
#define HEADERS (20 + 20 + 12) /* IPv4, TCP, its time stamps */
#define RECEIVE_BUFFER (4 << 20)
#define ANSWERS 8 /* answers that differ from each other */

/* A request: the number of the answer, from 1; 0 sends the server home. */
typedef uint32_t request_t;

struct load {
	unsigned receivers;
	size_t message, page;
	uint64_t pause_ns;	/* of a writer, after each change */
	unsigned char *answers; /* ANSWERS of them; the first word of each page is its number */
	struct connection {
		int client, server;
	} connection[];
};

enum { COUNT_MAPPED, COUNT_COPIED }; /* bytes: worker->counter[] */

/* Role by index: receivers, a server for each, writers. */

static int send_whole(struct worker *w, int fd, const void *data, size_t size)
{
	if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
		return worker_fail(w, "zerocopy: send: %s", strerror(errno));
	return 0;
}

/* Server */

/* Takes notice of what has been sent, lest the notices use up the socket's memory. */
static void forget_sent(int fd)
{
	char control[128];
	struct msghdr msg = {.msg_control = control};

	do
		msg.msg_controllen = sizeof(control);
	while (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0);
}

static int server_run(struct worker *w, const struct load *l, int fd)
{
	request_t request;

	for (;;) {
		ssize_t n = recv(fd, &request, sizeof(request), MSG_WAITALL);
		const unsigned char *answer = l->answers + (request - 1) % ANSWERS * l->message;
		size_t done = 0;

		if (n != sizeof(request))
			return worker_fail(w, "zerocopy: a request: %s",
				n < 0 ? strerror(errno) : "end of file");
		if (!request)
			return 0;
		while (done < l->message) {
			n = send(fd, answer + done, l->message - done, MSG_ZEROCOPY | MSG_NOSIGNAL);
			if (n <= 0)
				return worker_fail(w, "zerocopy: send: %s", strerror(errno));
			done += n;
			forget_sent(fd);
		}
	}
}

/* Receiver */

/* Waits for a page: SO_RCVLOWAT is as much. */
static int await(struct worker *w, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return worker_fail(w, "zerocopy: poll: %s", strerror(errno));
	return 0;
}

/* Looks at the pages at @p, of the answer to @request from its byte @from on. */
static int look(struct worker *w, const struct load *l, const unsigned char *p, size_t from,
	size_t size, request_t request, bool verify)
{
	for (size_t at = from; at % l->page == 0 && at < from + size; at += l->page, p += l->page) {
		uint64_t seen = *(const volatile uint64_t *)p;
		uint64_t want = ((request - 1) % ANSWERS * l->message + at) / l->page + 1;

		if (verify && seen != want)
			return worker_fail(w,
				"zerocopy: receiver %u, answer %u, byte %zu: found page %#llx, "
				"expected %#llx",
				w->index, request, at, (unsigned long long)seen,
				(unsigned long long)want);
	}
	return 0;
}

/* Takes what could not be mapped, which is to be seen in the figures. */
static int copy_rest(struct worker *w, const struct load *l, int fd, size_t *done, size_t size,
	request_t request, bool verify)
{
	unsigned char buffer[4096];

	while (size) {
		size_t want = l->page - *done % l->page;
		ssize_t n = recv(fd, buffer, want < size ? want : size, MSG_WAITALL);

		if (n <= 0)
			return worker_fail(
				w, "zerocopy: recv: %s", n < 0 ? strerror(errno) : "end of file");
		if (*done % l->page == 0 && n >= 8 &&
			look(w, l, buffer, *done, l->page, request, verify))
			return -1;
		w->counter[COUNT_COPIED] += n;
		*done += n;
		size -= n;
	}
	return 0;
}

static int receive(struct worker *w, const struct load *l, int fd, request_t request, bool verify)
{
	unsigned char *map = w->priv;
	size_t done = 0;

	while (done < l->message) {
		struct tcp_zerocopy_receive zc = {
			.address = (uintptr_t)map,
			.length = l->message - done,
		};
		socklen_t len = sizeof(zc);

		if (await(w, fd))
			return -1;
		if (getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc, &len))
			return worker_fail(
				w, "zerocopy: TCP_ZEROCOPY_RECEIVE: %s", strerror(errno));
		if (look(w, l, map, done, zc.length, request, verify))
			return -1;
		w->counter[COUNT_MAPPED] += zc.length;
		done += zc.length;
		if (copy_rest(w, l, fd, &done, zc.recv_skip_hint, request, verify))
			return -1;
	}
	return 0;
}

static int receiver_run(struct worker *w, const struct load *l, int fd, bool verify)
{
	request_t request = 0;

	while (worker_continues(w)) {
		request = request == UINT32_MAX ? 1 : request + 1;
		if (send_whole(w, fd, &request, sizeof(request)) ||
			receive(w, l, fd, request, verify))
			return -1;
		worker_lap(w);
		worker_count(w, 1);
	}
	request = 0;
	return send_whole(w, fd, &request, sizeof(request));
}

/* Writer */

/* Changes a page of its own back and forth. Both take the address space's lock for writing. */
static int writer_run(struct worker *w, const struct load *l)
{
	struct timespec pause = {
		.tv_sec = l->pause_ns / 1000000000, .tv_nsec = l->pause_ns % 1000000000};

	while (worker_continues(w)) {
		if (madvise(w->priv, l->page, MADV_DONTFORK) ||
			madvise(w->priv, l->page, MADV_DOFORK))
			return worker_fail(w, "zerocopy: madvise: %s", strerror(errno));
		worker_count(w, 2);
		if (l->pause_ns)
			nanosleep(&pause, NULL);
	}
	return 0;
}

static int run_role(struct worker *w, bool verify)
{
	const struct load *l = w->run->priv;

	if (w->index < l->receivers)
		return receiver_run(w, l, l->connection[w->index].client, verify);
	if (w->index < 2 * l->receivers)
		return server_run(w, l, l->connection[w->index - l->receivers].server);
	return writer_run(w, l);
}

static int zerocopy_run(struct worker *w)
{
	return run_role(w, false);
}

static int zerocopy_verify(struct worker *w)
{
	return run_role(w, true);
}

static int zerocopy_begin(struct worker *w)
{
	const struct load *l = w->run->priv;

	if (w->index < l->receivers)
		w->priv = mmap(
			NULL, l->message, PROT_READ, MAP_SHARED, l->connection[w->index].client, 0);
	else if (w->index >= 2 * l->receivers)
		w->priv = mmap(
			NULL, l->page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->priv == MAP_FAILED && errno == ENODEV)
		return run_skip(w->run, "sockets cannot be mapped: the kernel lacks CONFIG_MMU or "
					"TCP's part of it");
	if (w->priv == MAP_FAILED)
		return worker_fail(w, "zerocopy: mmap: %s", strerror(errno));
	return 0;
}

static void zerocopy_end(struct worker *w)
{
	const struct load *l = w->run->priv;

	if (w->priv)
		munmap(w->priv, w->index < l->receivers ? l->message : l->page);
}

/* The loopback device of a namespace of our own, up, with segments of whole pages. */
static int own_network(struct run *run)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_mtu = HEADERS + SEGMENT_PAGES * 4096};
	int fd, ret;

	if (unshare(CLONE_NEWNET)) {
		if (errno == EINVAL)
			return run_skip(
				run, "the kernel has no network namespaces: config fragment netns");
		if (errno == EPERM)
			return run_skip(run, "a network namespace of its own needs root");
		return run_fail(run, "zerocopy: unshare: %s", strerror(errno));
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ret = fd < 0 ? -1 : ioctl(fd, SIOCSIFMTU, &ifr);
	ifr.ifr_flags = IFF_UP;
	ret = ret ?: ioctl(fd, SIOCSIFFLAGS, &ifr);
	if (ret)
		run_fail(run, "zerocopy: the loopback device: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

static int connect_pair(
	struct run *run, struct connection *c, int listener, const struct sockaddr_in *addr)
{
	int on = 1, page = sysconf(_SC_PAGESIZE), buffer = RECEIVE_BUFFER;

	c->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* A segment is at most half the window, which the buffer is for from the first packet on.
	 */
	if (c->client < 0 || setsockopt(c->client, SOL_SOCKET, SO_RCVLOWAT, &page, sizeof(page)) ||
		setsockopt(c->client, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) ||
		setsockopt(c->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
		connect(c->client, (const struct sockaddr *)addr, sizeof(*addr)))
		return run_fail(run, "zerocopy: a connection: %s", strerror(errno));
	c->server = accept(listener, NULL, NULL);
	if (c->server < 0 || setsockopt(c->server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
		setsockopt(c->server, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)))
		return run_fail(run, "zerocopy: accept: %s", strerror(errno));
	return 0;
}

static int connect_all(struct run *run, struct load *l)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ret = 0;
	socklen_t len = sizeof(addr);

	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
		listen(listener, 1) || getsockname(listener, (struct sockaddr *)&addr, &len))
		ret = run_fail(run, "zerocopy: a listening socket: %s", strerror(errno));
	for (unsigned i = 0; i < l->receivers && !ret; i++)
		ret = connect_pair(run, &l->connection[i], listener, &addr);
	if (listener >= 0)
		close(listener);
	return ret;
}

/* Pages that begin with their numbers, from 1. */
static int make_answers(struct run *run, struct load *l)
{
	size_t size = ANSWERS * l->message;

	l->answers = run_alloc(run, size);
	if (!l->answers)
		return -1;
	for (size_t at = 0; at < size; at += l->page)
		*(uint64_t *)(l->answers + at) = at / l->page + 1;
	return 0;
}

static int zerocopy_setup(struct run *run)
{
	unsigned receivers = run_uint(run, "receivers"), writers = run_uint(run, "writers");
	struct load *l = run_alloc(run, sizeof(*l) + receivers * sizeof(l->connection[0]));

	if (!l)
		return -1;
	run->priv = l;
	l->receivers = receivers;
	l->page = sysconf(_SC_PAGESIZE);
	l->message = run_uint(run, "message");
	l->pause_ns = run_uint(run, "pause");
	if (l->message % l->page)
		return run_bad_param(run, "--message %zu: expected a multiple of a page, %zu bytes",
			l->message, l->page);
	if (run_open_files(run, 2 * receivers + 8) || own_network(run) || make_answers(run, l) ||
		connect_all(run, l) || run_workers(run, 2 * receivers + writers, 0))
		return -1;
	for (unsigned i = receivers; i < run->nworkers; i++)
		run->worker[i].role = i < 2 * receivers ? ROLE_SERVER : ROLE_BACKGROUND;
	return 0;
}

static void zerocopy_teardown(struct run *run)
{
	struct load *l = run->priv;

	if (!l)
		return;
	for (unsigned i = 0; i < l->receivers; i++) {
		if (l->connection[i].client > 0)
			close(l->connection[i].client);
		if (l->connection[i].server > 0)
			close(l->connection[i].server);
	}
}

static void zerocopy_report(const struct run *run, double *value)
{
	const struct load *l = run->priv;
	double mapped = 0, copied = 0, changes = 0;

	for (unsigned i = 0; i < run->nworkers; i++) {
		const struct worker *w = &run->worker[i];

		mapped += w->counter[COUNT_MAPPED];
		copied += w->counter[COUNT_COPIED];
		if (i >= 2 * l->receivers && w->end_ns > w->start_ns)
			changes += w->ops * 1e9 / (w->end_ns - w->start_ns);
	}
	value[0] = mapped + copied > 0 ? mapped / (mapped + copied) : NAN;
	value[1] = run->nworkers > 2 * l->receivers ? changes : NAN;
}

static const struct param zerocopy_params[] = {
	PARAM_ROW("receivers", PARAM_UINT, "1", 1, 1024, NULL, "threads that receive"),
	PARAM_ROW("writers", PARAM_UINT, "1", 0, 64, NULL,
		"threads beside them that take the address space's lock for writing, by madvise()"),
	PARAM_ROW("message", PARAM_UINT, "4096", 4096, 1048576, NULL,
		"bytes of an answer, a multiple of a page"),
	PARAM_ROW("pause", PARAM_DURATION, "0", 0, DAY_NS, NULL,
		"sleep of a writer after each change"),
	PARAM_LATENCY_DEFAULT("off"),
	{.name = NULL},
};

static const struct figure zerocopy_figures[] = {
	{"mapped_share", "bytes received by mapping, of all"},
	{"map_changes_per_s", "changes of the map in a second, by writers"},
	{.name = NULL},
};

WORKLOAD(zerocopy) = {
	.name = "zerocopy",
	.summary = "threads receive by mapping TCP's pages while another one changes the map",
	.same_as = "the per-vma-lock posting's TCP case",
	.params = zerocopy_params,
	.figures = zerocopy_figures,
	.setup = zerocopy_setup,
	.begin = zerocopy_begin,
	.run = zerocopy_run,
	.verify = zerocopy_verify,
	.end = zerocopy_end,
	.report = zerocopy_report,
	.teardown = zerocopy_teardown,
};
