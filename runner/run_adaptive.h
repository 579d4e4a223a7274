/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a run goes on whose matrix gives a budget instead of a number of blocks. */
#ifndef KAB_RUN_ADAPTIVE_H
#define KAB_RUN_ADAPTIVE_H

#include "run.h"

/*
 * To be called when all of @r's plan is done. Takes a look: closes the cells whose primary
 * comparisons are settled, and adds blocks of the others as long as the budget allows. 1: there is
 * more to run; 0: that was all, as always with a fixed number of blocks; -1 as run_execute().
 *
 * A comparison is settled when its interval is no wider than the matrix's precision to either side;
 * without a precision, when it is called a change or the same.
 */
int run_adaptive_next(struct run *r, struct error *err);
/* Closes the cells of @p that run.json says were closed, before the plan is extended. */
void run_adaptive_restore(struct plan *p, const json_t *run);

#endif
