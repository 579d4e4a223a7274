/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a workload: workers, start barrier, end, sums. */
#ifndef KAB_ENGINE_H
#define KAB_ENGINE_H

#include "params.h"
#include "result.h"
#include "workload.h"

/*
 * Runs @w from setup to teardown. @res stays valid until the program ends. After -1 workers may
 * still exist as threads: the caller reports @err and ends the program.
 */
int engine_run(const struct workload *w, const struct params *params, struct result *res,
	struct error *err);

#endif
