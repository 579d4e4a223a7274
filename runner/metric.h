/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one table of metric properties: unit, direction, scale, whether it enters the correction. */
#ifndef KAB_METRIC_H
#define KAB_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metric_better { BETTER_NONE, BETTER_MORE, BETTER_LESS };
enum metric_scale {
	SCALE_RATIO,	    /* rates and times: arm / baseline, shift of the logs */
	SCALE_DIFFERENCE,   /* counts that may be 0: arm - baseline in their own unit */
	SCALE_PATCHED_ONLY, /* counters that only one arm has: shown, never tested */
};

struct metric {
	const char *name; /* key in a sample's metrics, e.g. "ops_per_s"; keys carry units */
	const char *unit; /* "ops/s", "ns", "1/op" ... */
	const char *title; /* a few words for tables and axes */
	enum metric_better better;
	enum metric_scale scale;
	bool primary; /* enters the multiplicity correction by default */
	/*
	 * Counts events an operation, some of which may come with each sample whatever it does: with its start and end, with
	 * time. Instructions and cycles are no events: they are what time is made of.
	 */
	bool counts_events;
};

/*
 * The metric called @name; never NULL: an unknown name gets a neutral entry (no direction, difference,
 * not primary) whose name is @name itself (borrowed).
 */
struct metric metric_find(const char *name);
/* The whole table, for docs, show and tests. */
const struct metric *metric_table(size_t *n);
/*
 * A metric that a matrix file defines (an external program's figure). Strings are copied. The last
 * definition of a name wins over the table.
 */
void metric_define(const struct metric *m);

/*
 * The smallest difference of a difference-scale metric that means anything, in the metric's unit; 0 where only
 * the baseline's size can tell. A relative threshold alone would call 0.0001 against 0.0002 interrupts an
 * operation a doubling. One event in a thousand operations costs a thousandth of such an event, a few
 * nanoseconds for an interrupt or a switch: less than any threshold of the rates it would show in.
 */
double metric_floor(const struct metric *m);

/*
 * Operations that a sample needs for its latency percentile @name to be more than its worst ones: 100 for
 * the 99th, 1000 for the 99.9th, so that one operation or more lies beyond. 0: @name is no percentile.
 */
uint64_t metric_least_ops(const char *name);

#endif
