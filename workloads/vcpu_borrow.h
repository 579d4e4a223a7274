/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel threads that use the address space of a process: for a while (a worker that runs between
 * two of the process's threads and keeps its mm loaded), as a thread of the process (those of
 * io_uring), or for their whole life (those of vhost, which are threads of the process as well from
 * Linux 6.4 on).
 */
#ifndef KAB_VCPU_BORROW_H
#define KAB_VCPU_BORROW_H

#include "trip.h"
#include "workload.h"

struct borrow {
	struct trip trip;
	bool has_trip;
	int ring;	    /* of io_uring; -1: none */
	struct ring *rings; /* its maps */
	int vhost;	    /* which device there is; -1: none */
};

/* Opens what this kernel has. -1: nothing at all, error or reason set. */
int borrow_open(struct worker *w, struct borrow *b);
/* One request to one of them, by @random. */
int borrow_step(struct worker *w, struct borrow *b, uint64_t random);
void borrow_close(struct borrow *b);

#endif
