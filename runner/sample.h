/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of one workload in one boot, and its line in samples.jsonl. */
#ifndef KAB_SAMPLE_H
#define KAB_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "error.h"

#define SAMPLE_SCHEMA 1

enum sample_status {
	SAMPLE_OK,
	SAMPLE_SKIPPED, /* this kernel lacks what the workload needs (exit 77) */
	SAMPLE_FAILED,
	SAMPLE_TIMEOUT,
	SAMPLE_OOPS,
	SAMPLE_HANG,
	SAMPLE_NO_BOOT,
	SAMPLE_STATUSES
};
const char *sample_status_name(enum sample_status s); /* "ok", "skipped", ... "no-boot" */
int sample_status_parse(const char *name);	      /* -1: unknown */

struct figure_value {
	char *name;
	double value;
};

/* Log-bucket histogram as the workloads print it: see workloads/histogram.h for the bucket rule. */
struct histogram {
	uint64_t *bucket; /* dense, index = bucket number */
	size_t n;
	uint64_t min, max, sum, count;
};

struct sample {
	char *id, *boot_id, *arm, *cell, *reason, *started;
	unsigned block, boot, seq, life; /* life: 0, or how often this boot had to be started again */
	unsigned turn; /* of its cell, from 1, where the block's arms were up at once; 0: they were not */
	bool warmup;
	char *pass; /* "perf-record", "tracepoints": run for perf's sake, and a warm-up to all else; NULL */
	enum sample_status status;
	uint64_t ops, elapsed_ns;
	struct figure_value *metrics; /* every figure that is compared or shown, observers' included */
	size_t nmetrics;
	struct histogram latency; /* n = 0: none */
	uint64_t *workers;	  /* ops of each worker */
	size_t nworkers;
	json_t *params, *schedstat, *perf, *interrupts, *vmstat, *env; /* owned; NULL: none */
};

/* New reference; one object, schema first. */
json_t *sample_to_json(const struct sample *s);
/* Fills in @s, which sample_clear() empties. -1 names the key that is missing or of the wrong type. */
int sample_from_json(const json_t *o, struct sample *s, struct error *err);
void sample_clear(struct sample *s);
/* The metric's value, or NAN. */
double sample_metric(const struct sample *s, const char *name);
/* Sets or replaces it. A value that is not finite is no figure: nothing is set. */
void sample_set_metric(struct sample *s, const char *name, double value);
/* {buckets: [[index, count], ...], count, sum, min, max} -> @h, which is empty (all 0) before. KAB_USAGE. */
int histogram_from_json(const json_t *o, struct histogram *h, struct error *err);
/* An array of counts -> @s->workers. KAB_USAGE. */
int sample_set_workers(struct sample *s, const json_t *list, struct error *err);

#endif
