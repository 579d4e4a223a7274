/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes jobs from kab and answers with samples: the work of PID 1 in a guest, and of the local
 * executor's child. */
#ifndef KAB_AGENT_H
#define KAB_AGENT_H

#include <jansson.h>

#include "error.h"
#include "jobrun.h"

/*
 * Says ready with @env on @fd and serves until kab says poweroff (0) or goes away or talks nonsense
 * (-1 and err). Asks for a real-time priority first, so that a machine full of runnable work still
 * beats; jobs do not inherit it. A machine that refuses it is served all the same.
 */
int agent_serve(int fd, const struct jobrun_place *place, const json_t *env, struct error *err);

/* Tells kab why there will be no ready. */
void agent_fail(int fd, const struct error *why);

#endif
