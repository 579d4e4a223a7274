/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The looks of a run of adaptive length: after how many blocks it was judged whether there are
 * enough. */
#ifndef KAB_LOOKS_H
#define KAB_LOOKS_H

#include <jansson.h>

#include "stats.h"

struct looks;

/* After @blocks[0] < ... blocks, of at most @max that the budget allows. Caller frees. */
struct looks *looks_new(const unsigned *blocks, size_t n, unsigned max);
/* Those that run.json tells of (plan.looks, plan.max_blocks); NULL: a run of fixed length. Caller
 * frees. */
struct looks *looks_of_run(const json_t *run);
void looks_free(struct looks *l);

/*
 * stats_compare() of blocks numbered @number (ascending, from 0) of a run that looked at them on
 * the way: p and its floor hold over all looks up to the last block here, and so does the interval,
 * which is that look's own (Jennison and Turnbull 1989, repeated confidence intervals). Blocks
 * beyond the last look count as one more.
 */
int looks_compare(struct looks *l, const struct pair *pairs, const unsigned *number, size_t n,
	const struct stats_options *opt, struct estimate *e);

#endif
