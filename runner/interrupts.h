/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/interrupts: the interrupts that CPUs send one another, and those of their timers. */
#ifndef KAB_INTERRUPTS_H
#define KAB_INTERRUPTS_H

#include "observer.h"

/*
 * Deltas of TLB, RES, CAL and LOC over the CPUs in both captures: {tlb_shootdowns, ...}, and
 * metrics of them an operation. See struct observer.
 */
json_t *interrupts_figures(const char *file, const char *before, const char *after,
	struct sample *s, struct error *err);

#endif
