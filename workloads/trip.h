/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trip to a kernel thread and back: a request that a kernel worker of the caller's CPU carries
 * out while the caller sleeps. The request is an asynchronous fdatasync of a file in memory, which
 * takes next to no time in itself.
 */
#ifndef KAB_TRIP_H
#define KAB_TRIP_H

#include <errno.h>
#include <linux/aio_abi.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct trip {
	aio_context_t context;
	int file;
};

/* 0, or -1 with errno: ENOSYS where the kernel has no asynchronous I/O. */
static inline int trip_open(struct trip *t)
{
	*t = (struct trip){.file = memfd_create("kab-trip", MFD_CLOEXEC)};
	if (t->file < 0)
		return -1;
	if (!syscall(SYS_io_setup, 1, &t->context))
		return 0;
	close(t->file);
	return -1;
}

static inline void trip_close(struct trip *t)
{
	syscall(SYS_io_destroy, t->context);
	close(t->file);
}

/* Goes there and comes back; 0, or -1 with errno. */
static inline int trip_go(struct trip *t)
{
	struct iocb request = {.aio_lio_opcode = IOCB_CMD_FDSYNC, .aio_fildes = t->file},
		    *list = &request;
	struct io_event event;
	long n;

	if (syscall(SYS_io_submit, t->context, 1, &list) != 1)
		return -1;
	do {
		n = syscall(SYS_io_getevents, t->context, 1, 1, &event, NULL);
	} while (n < 0 && errno == EINTR);
	if (n == 1 && event.res < 0)
		errno = -event.res;
	return n == 1 && event.res >= 0 ? 0 : -1;
}

#endif
