/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jobs in guests of one kernel that may die of the emulator's own fault (job_result.lost_write): another guest is
 * booted then, and the job is run again in it.
 */
#ifndef KAB_TEST_GUESTS_H
#define KAB_TEST_GUESTS_H

#include "executor.h"

#define GUESTS_MAY_LOSE 4 /* a job whose guest dies once more could not be run */

struct guests {
	struct boot_request req;
	struct executor *now; /* NULL: none, or one that did not boot */
	unsigned lost;	      /* to the emulator, so far */
};

/* Boots @g's guest as @g->req says, which goes on being @g's. -1: it did not, for the reason that is printed. */
int guests_boot(struct guests *g);

/* Runs @job in the guest and fills @res, which is the caller's to clear. -1: it could not be run, with @res empty. */
int guests_run(struct guests *g, const struct job *job, struct job_result *res);

/* There may be none. */
void guests_shutdown(struct guests *g);

#endif
