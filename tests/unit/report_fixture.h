/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole runs made up of chosen effects, for tests of what is said of them. */
#ifndef REPORT_FIXTURE_H
#define REPORT_FIXTURE_H

#include "run_fixture.h"
#include "stats.h"

/* Three arms on 1, 2 and 4 vCPUs: the arms of the series vm-local-cpu, and a control. */
extern const char report_matrix[];

struct report_effects {
	double factor;	   /* arm patched: rate of the baseline times this in the localcpu cells */
	double shootdowns; /* an operation and sibling, of arms other than patched */
	bool latency;	   /* samples carry histograms */
	unsigned operations; /* in each of them; 0: 2000 */
	unsigned blocks;   /* only the first ones are run; 0: all */
	enum sample_status status; /* of every sample */
};

/* A finished run of @matrix. Its path; caller frees. */
char *report_run(struct run_fixture *f, const char *matrix, const struct report_effects *effects);

#endif
