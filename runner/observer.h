/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Observers turn captures made before and after a workload into figures. Captures lie outside the
 * workload's timed window; parsing happens on the host.
 */
#ifndef KAB_OBSERVER_H
#define KAB_OBSERVER_H

#include <jansson.h>

#include "error.h"
#include "matrix.h"
#include "sample.h"

struct observer {
	enum observer_bit bit;
	const char *name;      /* as in the matrix: "schedstat" */
	const char *path;      /* captured file: "/proc/schedstat"; NULL: perf's and functions */
	/*
	 * @before and @after are the captured texts, NULL where the file was not there: then the figures are
	 * {"unavailable": reason}, which is no error. Otherwise a JSON object of summed deltas, new reference, and
	 * metrics set in @s by rule (counts an operation: "ctx_switches_per_op", "tlb_shootdowns_per_op" ...,
	 * with @s->ops). No function at all: functions, which come with the sample (functions.h), and
	 * perf-record, which has samples of its own (profile.h). NULL and err ("file:line: reason"; @file is what to call the capture) on malformed text.
	 */
	json_t *(*figures)(const char *file, const char *before, const char *after, struct sample *s,
			   struct error *err);
};

extern const struct observer observers[];
extern const size_t nobservers;

#endif
