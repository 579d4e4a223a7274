/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a job printed -> the metrics of a sample. */
#ifndef KAB_FIGURES_H
#define KAB_FIGURES_H

#include "error.h"
#include "executor.h"
#include "matrix.h"
#include "sample.h"

/*
 * Makes the metrics of external programs known: each figure of @m by its own name, as a rate (ratio
 * scale), primary unless its workload is "primary: false".
 */
void figures_define(const struct matrix *m);

/*
 * The JSON object of kab-workload run (see kab-workload(1)): fills in @s's ops, elapsed time,
 * workers, histogram, and as metrics ops_per_s, latency_p50_ns and latency_p99_ns (of the
 * histogram) and the workload's own figures. -1 with KAB_ENVIRONMENT, naming the key, when @out is
 * no such object; @s may then be half filled.
 */
int figures_of_workload(const char *out, struct sample *s, struct error *err);

/*
 * One figure of an external program's output @out, by the rule @f: a POSIX extended regular
 * expression, whose first group is the number; a JSON pointer (RFC 6901) into the output as JSON;
 * the same pointer into the output as YAML, first document. Sets the metric f->name in @s; without
 * a rule (FIGURE_NONE) the metric elapsed_ns is what @s->elapsed_ns says. -1 with KAB_ENVIRONMENT,
 * saying what was looked for.
 */
int figures_of_command(
	const char *out, const struct figure *f, struct sample *s, struct error *err);

/*
 * @res of a job -> @s's status, reason, figures, metrics and elapsed time. Exit 0 is ok, 77 is
 * skipped, and anything else failed, with the first line of standard error as reason; a figure that
 * cannot be read is failed, too.
 */
void figures_of_result(
	const struct workload_spec *w, const struct job_result *res, struct sample *s);

#endif
