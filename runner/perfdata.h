/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The output of "perf stat -j". */
#ifndef KAB_PERFDATA_H
#define KAB_PERFDATA_H

#include "observer.h"

/*
 * {event: value}, the unit joined to the event's name where perf gives one ("task-clock_msec").
 * What perf could not count stays as a string that says why ("not supported"). Sets
 * instructions_per_op and cycles_per_op where they were counted. @before is not used; @after is
 * perf's output. See struct observer.
 */
json_t *perfdata_figures(const char *file, const char *before, const char *after, struct sample *s,
	struct error *err);

#endif
