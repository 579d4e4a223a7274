/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rate of this machine's time stamp counter, which a guest under TCG sees as its own. */
#ifndef KAB_TSC_H
#define KAB_TSC_H

/*
 * In kHz, measured against CLOCK_MONOTONIC_RAW to a few parts in a million, once in a boot of this
 * machine: it is kept under the cache folder, so that all guests of a run are told the same. A
 * guest left to itself calibrates against an emulated timer and lands up to 0.1 % off, differently
 * in each boot.
 */
unsigned tsc_khz(void);

#endif
