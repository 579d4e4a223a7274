/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/schedstat (Documentation/scheduler/sched-stats.rst, and kernel/sched/stats.c, which
 * decides): one capture, and the difference of two. Formats are tables by version and number of
 * columns; nothing else is read.
 */
#ifndef KAB_SCHEDSTAT_H
#define KAB_SCHEDSTAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "error.h"

#define SCHEDSTAT_CPU_COLUMNS 21    /* 9, or 21 with the counters of virtual CPU ids */
#define SCHEDSTAT_DOMAIN_COLUMNS 45 /* 36 in versions 15 and 16, 45 in 17 */
#define SCHEDSTAT_MAX_CPUS 8192

struct schedstat_domain {
	const char *label; /* "MC ffff": name (version 17) and CPU mask, in the capture's text */
	unsigned label_len;
	uint32_t value[SCHEDSTAT_DOMAIN_COLUMNS];
};

struct schedstat_cpu {
	unsigned cpu;
	uint64_t value[SCHEDSTAT_CPU_COLUMNS];
	size_t first_domain, ndomains; /* most local first */
};

struct schedstat_format;

struct schedstat {
	const struct schedstat_format *format;
	uint64_t timestamp; /* jiffies */
	size_t ncolumns;    /* of a cpu line */
	struct schedstat_cpu *cpus;
	size_t ncpus;
	struct schedstat_domain *domains;
	size_t ndomains;
};

/*
 * Parses @text, which must outlive @s; schedstat_clear() frees. -1 with KAB_USAGE and "@file:line:
 * reason" for anything that is not a whole capture of a known format.
 */
int schedstat_parse(const char *file, const char *text, struct schedstat *s, struct error *err);
void schedstat_clear(struct schedstat *s);

/* What one CPU, or all of them, counted between two captures. */
struct schedstat_delta {
	const struct schedstat_format *format;
	size_t ncolumns, ndomain_columns;
	uint64_t jiffies;
	uint64_t sum[SCHEDSTAT_CPU_COLUMNS]; /* of the CPUs in both captures */
	struct schedstat_cpu *cpus;	     /* those CPUs' own deltas; no domains */
	size_t ncpus;
	uint64_t (*levels)[SCHEDSTAT_DOMAIN_COLUMNS]; /* summed over CPUs, by level of the domain */
	size_t nlevels;
	unsigned *only_before, *only_after; /* CPUs that came or went: in no sum */
	size_t nonly_before, nonly_after;
	size_t domains_changed; /* domains that were built anew in between: in no sum */
};

/*
 * @after - @before. 32-bit counters wrap, 64-bit ones never do: one that is smaller in @after, two
 * formats, or no common CPU are errors (KAB_USAGE). schedstat_delta_clear() frees.
 */
int schedstat_subtract(const struct schedstat *before, const struct schedstat *after,
	struct schedstat_delta *d, struct error *err);
void schedstat_delta_clear(struct schedstat_delta *d);

unsigned schedstat_version(const struct schedstat_format *f);
/* Name of column @i of a cpu line, without regard to how many there are: "sched_count". */
const char *schedstat_cpu_column(size_t i);
/* Name of column @i of a domain line: "busy_lb_failed", "ttwu_wake_remote". */
const char *schedstat_domain_column(const struct schedstat_format *f, size_t i);
/* The sum of the cpu column called @name; 0 where these captures lack it. */
uint64_t schedstat_sum(const struct schedstat_delta *d, const char *name);

/*
 * The eight ways in which a task gets, keeps and loses a virtual CPU id, and after them four that
 * tell where those which were allocated came from. All shares are of the sum of the eight; the first
 * SCHEDSTAT_VCPU_NO_ATOMIC of them cost no atomic operation.
 */
#define SCHEDSTAT_VCPU_EVENTS 8
#define SCHEDSTAT_VCPU_SHARES 12
#define SCHEDSTAT_VCPU_NO_ATOMIC 3
struct schedstat_share {
	const char *counter; /* "nr_vcpu_cache_hit" */
	const char *metric;  /* "vcpu_cache_hit_share" */
	double share;	     /* 0 to 1 */
};
/* 0; -1 when the captures have no such counters or none of them moved. */
int schedstat_shares(
	const struct schedstat_delta *d, struct schedstat_share out[SCHEDSTAT_VCPU_SHARES]);

/*
 * True when the counters that need "schedstats=enable" on the kernel's command line stood still
 * while tasks ran: then only rq_cpu_time, run_delay and pcount mean anything.
 */
bool schedstat_is_off(const struct schedstat_delta *d);

/* Sets each column of a cpu line in @o by its name. */
void schedstat_columns_to_json(json_t *o, const uint64_t *value, size_t ncolumns);
/*
 * {version, jiffies, cpus, <column>: sum, ..., domains: [{<column>: sum} by level]}, and where they
 * apply only_before and only_after [cpu], domains_changed, off (in words). Counters of domains that
 * stood still are left out.
 */
json_t *schedstat_to_json(const struct schedstat_delta *d);

#endif
