/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disturbs a process by what only root can do: CPUs go off line and come back, and its cpuset
 * changes. */
#ifndef KAB_VCPU_MACHINE_H
#define KAB_VCPU_MACHINE_H

#include "vcpu_ids.h"

struct disturber;

/*
 * Starts a process that does so to this one until disturber_stop(), or until this one dies, and
 * then puts everything back. NULL: failed or skipped, with the reason set.
 */
struct disturber *disturber_start(struct run *run, const struct ids_machine *m);
void disturber_stop(struct disturber *d);
uint64_t disturber_cpusets(const struct disturber *d);
uint64_t disturber_hotplugs(const struct disturber *d);

#endif
