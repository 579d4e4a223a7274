/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kab's side of the protocol: one agent, one job at a time, and what may go wrong with either. */
#ifndef KAB_LINK_H
#define KAB_LINK_H

#include "executor.h"
#include "proto.h"

/* How a wait for the agent ended. */
enum link_end {
	LINK_OK,
	LINK_FAILED,	  /* the agent says why it cannot work, or speaks another version */
	LINK_CLOSED,	  /* it is gone */
	LINK_GARBAGE,	  /* it talks nonsense */
	LINK_SILENT,	  /* no heartbeat */
	LINK_OVERDUE,	  /* it beats, but the job's time was up long ago; or no ready in time */
	LINK_INTERRUPTED, /* the user wants to stop */
};

struct link_limits {
	unsigned ready_s;   /* from the start to ready */
	unsigned silence_s; /* without a message while a job runs */
	unsigned grace_s;   /* what the agent may take beyond a job's own limit to end it */
	unsigned slowdown;  /* seconds of ours in which the agent's clock moves by at least one */
};

/*
 * Limits for an ordinary kernel, times @factor (1 or more) for slow ones. $KAB_HANG_LIMIT_S and
 * $KAB_BOOT_LIMIT_S replace silence_s and ready_s whatever the factor.
 */
struct link_limits link_limits(unsigned factor);

struct agent_link {
	struct proto_reader in; /* of a non-blocking descriptor, borrowed */
	struct link_limits limits;
};

/* Waits for ready; *@env is a new reference. */
enum link_end link_ready(struct agent_link *l, json_t **env, struct error *err);
/*
 * Runs @job. LINK_OK: @res holds what the agent says of it, and *@klog the kernel's warnings
 * meanwhile (owned by the caller, NULL: none). Else err has the reason and @res is left alone.
 */
enum link_end link_job(struct agent_link *l, const struct job *job, struct job_result *res,
	char **klog, struct error *err);
/* The whole kernel log; NULL where the agent does not answer. Caller frees. */
char *link_klog(struct agent_link *l);
/* Asks the agent to end; does not wait. */
void link_poweroff(struct agent_link *l);

#endif
