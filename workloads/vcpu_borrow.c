// SPDX-License-Identifier: GPL-2.0-or-later
#include "vcpu_borrow.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define ENTRIES 8

/* The two rings and the requests of one io_uring; see io_uring(7). */
struct ring {
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqe;
	size_t sq_size, cq_size, sqe_size;
};

static const char *const vhost_devices[] = {
	"/dev/vhost-net", "/dev/vhost-vsock", "/dev/vhost-scsi"};

static void *map_ring(int fd, size_t size, uint64_t what)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	return p == MAP_FAILED ? NULL : p;
}

static void ring_free(struct ring *r)
{
	if (r->sq)
		munmap(r->sq, r->sq_size);
	if (r->cq)
		munmap(r->cq, r->cq_size);
	if (r->sqe)
		munmap(r->sqe, r->sqe_size);
	free(r);
}

/* Leaves @b->ring at -1 where the kernel has no io_uring, or does not let us have one. */
static void ring_open(struct borrow *b)
{
	struct ring *r = calloc(1, sizeof(*r));
	const struct io_uring_params *p;

	b->ring = -1;
	if (!r)
		return;
	p = &r->params;
	b->ring = syscall(SYS_io_uring_setup, ENTRIES, &r->params);
	if (b->ring >= 0) {
		r->sq_size = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
		r->cq_size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
		r->sqe_size = p->sq_entries * sizeof(*r->sqe);
		r->sq = map_ring(b->ring, r->sq_size, IORING_OFF_SQ_RING);
		r->cq = map_ring(b->ring, r->cq_size, IORING_OFF_CQ_RING);
		r->sqe = map_ring(b->ring, r->sqe_size, IORING_OFF_SQES);
	}
	b->rings = r;
	if (r->sq && r->cq && r->sqe)
		return;
	if (b->ring >= 0)
		close(b->ring);
	b->ring = -1;
	ring_free(r);
	b->rings = NULL;
}

/*
 * Requests that do nothing, but on threads that io_uring makes in this process. The entries are
 * filled in the order of their numbers, so that one store of the tail hands all of them over.
 */
static int ring_step(struct worker *w, struct borrow *b, unsigned n)
{
	struct ring *r = b->rings;
	uint32_t *tail = (uint32_t *)(r->sq + r->params.sq_off.tail);
	uint32_t *array = (uint32_t *)(r->sq + r->params.sq_off.array);
	uint32_t mask = r->params.sq_entries - 1;
	uint32_t *cq_head = (uint32_t *)(r->cq + r->params.cq_off.head);
	uint32_t *cq_tail = (uint32_t *)(r->cq + r->params.cq_off.tail);

	for (unsigned i = 0; i < n; i++) {
		uint32_t at = (*tail + i) & mask;

		r->sqe[at] = (struct io_uring_sqe){.opcode = IORING_OP_NOP, .flags = IOSQE_ASYNC};
		array[at] = at;
	}
	__atomic_store_n(tail, *tail + n, __ATOMIC_RELEASE);
	while (syscall(SYS_io_uring_enter, b->ring, n, n, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		if (errno != EINTR && errno != EAGAIN)
			return worker_fail(w, "vcpu: io_uring: %s", strerror(errno));
	__atomic_store_n(cq_head, __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	return 0;
}

/* A kernel thread that has this process's address space, from here to the close. */
static int vhost_step(struct worker *w, const struct borrow *b)
{
	int fd = open(vhost_devices[b->vhost], O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return worker_fail(w, "vcpu: %s: %s", vhost_devices[b->vhost], strerror(errno));
	ret = ioctl(fd, VHOST_SET_OWNER);
	if (ret)
		worker_fail(w, "vcpu: %s: %s", vhost_devices[b->vhost], strerror(errno));
	close(fd);
	return ret;
}

int borrow_open(struct worker *w, struct borrow *b)
{
	*b = (struct borrow){.vhost = -1};
	b->has_trip = !trip_open(&b->trip);
	ring_open(b);
	for (unsigned i = 0; i < ARRAY_SIZE(vhost_devices); i++)
		if (!access(vhost_devices[i], R_OK | W_OK))
			b->vhost = i;
	if (!b->has_trip && b->ring < 0 && b->vhost < 0)
		return worker_fail(w, "vcpu: neither asynchronous I/O nor io_uring nor vhost");
	return 0;
}

int borrow_step(struct worker *w, struct borrow *b, uint64_t random)
{
	switch (random % 8) {
	case 0:
		if (b->vhost >= 0)
			return vhost_step(w, b);
		/* fall through */
	case 1 ... 3:
		if (b->ring >= 0)
			return ring_step(w, b, 1 + (random >> 8) % ENTRIES);
		/* fall through */
	default:
		if (b->has_trip && trip_go(&b->trip))
			return worker_fail(w, "vcpu: asynchronous I/O: %s", strerror(errno));
		return 0;
	}
}

void borrow_close(struct borrow *b)
{
	if (b->has_trip)
		trip_close(&b->trip);
	if (b->ring < 0)
		return;
	close(b->ring);
	ring_free(b->rings);
}
