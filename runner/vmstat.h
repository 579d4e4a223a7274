/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/vmstat: events of memory management. */
#ifndef KAB_VMSTAT_H
#define KAB_VMSTAT_H

#include "observer.h"

/*
 * Deltas of event counters by name (those that moved), and the metric page_faults_per_op. Gauges
 * such as nr_free_pages are left out. See struct observer.
 */
json_t *vmstat_figures(const char *file, const char *before, const char *after, struct sample *s,
	struct error *err);

#endif
