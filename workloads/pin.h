/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which CPUs workers run on. */
#ifndef KAB_PIN_H
#define KAB_PIN_H

#include "workload.h"

struct cpus {
	unsigned *cpu; /* in the order in which workers get them; owned */
	unsigned n;    /* 0: workers are not pinned */
};

/* none, spread, compact or a list of numbers and ranges; says nothing of which CPUs there are. */
bool pin_valid(const char *text);
/*
 * The CPUs that @text, a valid one, means here. compact: hardware threads of one core, then cores
 * of one package, then the next package or node. spread: one hardware thread of one core of each
 * package and node in turn. A listed CPU that this process may not use is an error (STATUS_USAGE).
 */
int pin_resolve(const char *text, struct cpus *cpus, struct error *err);
void pin_free(struct cpus *cpus);
/* Pins the calling thread; 0, or -1 with errno. */
int pin_self(unsigned cpu);
/* The calling thread runs on @cpu, and may run nowhere else. */
bool pin_holds(unsigned cpu);

#endif
