/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs one job in the process that calls it: captures, fork and exec, output, time limit, and the
 * end of everything that the job started. Used by the agent (agent.c), which is a process of its
 * own: it must have no other children, since whatever the job leaves behind is found as a child of
 * the caller.
 */
#ifndef KAB_JOBRUN_H
#define KAB_JOBRUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "executor.h"

/* Where jobs run. Strings are borrowed. */
struct jobrun_place {
	const char *workload; /* path of kab-workload; NULL: it is not built */
	const char *root;     /* folder that host_root jobs are confined to; NULL: there is none */
	const char *root_workload; /* path of kab-workload inside @root */
	const char *root_lack; /* why a host_root job cannot run; NULL: it can (@root may then be
				  NULL) */
	const char *tmp;       /* a writable folder, the same path inside @root */
	bool exact;	       /* time is counted instructions: jobs start at round times alone */
};

/* Called about each second while the job runs. */
typedef void jobrun_beat(void *arg);

/*
 * Runs @job and fills in @res (status OK, FAILED or TIMEOUT; machine_lost is left alone). All of
 * its processes are dead and reaped on return. The caller frees with job_result_clear().
 */
void jobrun(const struct job *job, const struct jobrun_place *place, jobrun_beat *beat, void *arg,
	struct job_result *res);

#endif
