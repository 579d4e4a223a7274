/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kab-workload says of itself ("kab-workload describe --json"): its workloads and their
 * parameters, so that a matrix is checked before anything is built or booted.
 */
#ifndef KAB_CATALOG_H
#define KAB_CATALOG_H

#include <jansson.h>

#include "error.h"

/*
 * Asks kab-workload. An array of {name, params: [{name, kind, min, max, choices}]}; kind is uint,
 * duration, choice or cpus; bounds are decimal strings (64 bits), of a duration in ns. New
 * reference. NULL with KAB_ENVIRONMENT when there is no such program or its answer is no catalogue.
 */
json_t *catalog_read(struct error *err);
/* The same of an answer at hand. */
json_t *catalog_parse(const char *text, struct error *err);

/* Borrowed; NULL: no such workload, no such parameter. */
const json_t *catalog_workload(const json_t *catalog, const char *name);
const json_t *catalog_param(const json_t *workload, const char *name);

/*
 * NULL when @value suits @param, else what was expected ("a whole number from 1 to 4096"), which
 * the caller frees.
 */
char *catalog_check(const json_t *param, const char *value);

#endif
