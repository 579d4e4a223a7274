/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program prints: a run's JSON object, and what it says of its workloads, as text or JSON.
 */
#ifndef KAB_OUTPUT_H
#define KAB_OUTPUT_H

#include <stdio.h>

#include "params.h"
#include "result.h"
#include "workload.h"

/* One JSON object and a newline. */
void output_result(FILE *f, const struct params *params, const struct result *res);
/* "pipe        two tasks ..." */
void output_summary(FILE *f, const struct workload *w);
/* Parameters with defaults and what they take, and figures, for people. */
void output_description(FILE *f, const struct workload *w, const struct params *params);
/*
 * The same for programs: an object {name, summary, same_as, params: [{name, kind, default, min,
 * max, choices, help}], figures: [{name, help}]} without a newline. Bounds are decimal strings,
 * because they have 64 bits, and those of a duration are in ns.
 */
void output_catalog_entry(FILE *f, const struct workload *w, const struct params *params);

#endif
