/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of this machine's CPUs others had while a run measured. */
#ifndef KAB_HOST_LOAD_H
#define KAB_HOST_LOAD_H

#include <jansson.h>

/* Seconds of CPU since some moment; see host_load_read(). */
struct host_load {
	double all;    /* that the machine had, idle or not: time by CPUs */
	double busy;   /* that programs took, ours and others' */
	double stolen; /* that a hypervisor gave to other machines */
	double own;    /* that this process and its ended children took */
};

/* Totals since some moment, by the clock, /proc/stat and getrusage(2); all 0 where /proc/stat
 * cannot be read. */
struct host_load host_load_read(void);
/*
 * Adds what was between @before and @after to the sums in @earlier (the JSON of a session before
 * this one, or NULL): {all_s, busy_s, stolen_s, own_s}. New reference.
 */
json_t *host_load_json(
	const struct host_load *before, const struct host_load *after, const json_t *earlier);
/* Shares of all CPU time that other programs and other machines took; 0 where @sums does not tell.
 */
double host_load_others(const json_t *sums);
double host_load_stolen(const json_t *sums);

#endif
