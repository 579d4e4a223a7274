/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the running kernel and its machine are: the conditions that a figure was measured under. */
#ifndef KAB_SYSINFO_H
#define KAB_SYSINFO_H

#include <jansson.h>

/*
 * {kernel_release, kernel_version, machine, cmdline, cpu_model, cpus (online), nodes (online),
 * memory_bytes, clocksource, mitigations {name: text}, thp, governor, schedstat_version,
 * sched_schedstats, perf_event_paranoid, uptime_ms} of the kernel this runs on. A key whose source
 * is not there is left out: absent is not the same as empty or zero. New reference.
 */
json_t *sysinfo_read(void);

#endif
