/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the load and the stress test of workload vcpu share. */
#ifndef KAB_VCPU_H
#define KAB_VCPU_H

#include "pin.h"
#include "vcpu_ids.h"
#include "workload.h"

/* What --verify does to the workers, from nothing on; each includes what stands before it. */
enum disturb { DISTURB_NONE, DISTURB_PROCESS, DISTURB_MACHINE };

struct stress;
struct pool;

struct vcpu {
	struct ids_machine machine;
	int offset;	 /* of the id in struct rseq */
	struct ids ids;	 /* of the main process */
	struct cpus set; /* --cpuset */
	struct pool *pool;
	struct stress *stress; /* NULL without --verify */
};

/* Makes the workers of --verify in addition to the @active ones, and what they need. */
int stress_setup(struct run *run, struct vcpu *v, unsigned active);
int stress_run(struct worker *w);
/* Ends what disturbs the machine, and puts back what that changed. */
void stress_teardown(struct stress *s);
/* Values for the figures of --verify, from the first on. */
void stress_report(const struct stress *s, double *value);

/* Moves the calling thread to one CPU of @set, drawn at random, or of all CPUs where that is empty.
 */
int vcpu_hop(struct worker *w, const struct vcpu *v);

#endif
