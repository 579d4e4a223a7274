/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * matrix -> cells -> ordered boots and samples. Everything follows from (matrix, seed): the same two give the
 * same plan, which is what makes a run resumable.
 *
 * Each block boots every arm once on every machine, in an order drawn for the block. The order of cells
 * inside a boot is drawn for each block and machine and shared by the block's arms, so that what a cell
 * inherits from the one before it cancels in the pairing. Exact boots all have the matrix's order: there is nothing
 * to cancel, and another order would be another path to count.
 */
#ifndef KAB_PLAN_H
#define KAB_PLAN_H

#include "matrix.h"

struct cell {
	char *id; /* "pipe/mode=process", "/cpus=4" (and "/nodes=2") appended where machines differ */
	size_t workload; /* index into matrix->workloads */
	size_t machine;
	struct params params; /* the cell's own; an arm's overrides come on top when a sample runs */
	unsigned closed; /* blocks from this one on leave it out; 0: none do */
};

struct plan_sample {
	char *id; /* unique in the run and derived from position: "b003.patched.m0.s012" */
	size_t cell;
	unsigned seq;	/* position in the boot, from 0 */
	unsigned turn;	/* position among the samples of its cell, from 0: the same in each arm of a block */
	bool warmup;	/* recorded, marked, never compared */
	/*
	 * Runs under perf stat, where that is observed: warm-up samples of the first two blocks, so that no timed
	 * sample pays for it. A matrix without warm-ups gets one round of them in these blocks.
	 */
	bool perf_stat;
	enum pass pass; /* in the last rounds of a boot; marked as a warm-up, too */
};

struct plan_boot {
	char *id; /* "b003.patched.m0" */
	unsigned block, number; /* number: position in the run from 0; names boots/<number> */
	size_t arm, machine;
	struct plan_sample *samples;
	size_t nsamples;
};

struct plan {
	const struct matrix *matrix; /* borrowed; with options.aa the plan's own copy with equal arms */
	struct matrix *aa;	     /* that copy, owned; NULL */
	uint64_t seed;
	struct cell *cells;
	size_t ncells;
	struct plan_boot *boots;
	size_t nboots;
	char hash[65]; /* of matrix, options and seed: what a resumed run must agree on */
};

struct plan_options {
	const char *only; /* fnmatch(3) glob over cell ids; NULL: all */
	unsigned blocks;  /* 0: the matrix's */
	bool aa;	  /* every arm becomes a copy of the baseline, labels kept */
	uint64_t seed;	  /* 0: the matrix's, else drawn */
};

/* NULL with KAB_USAGE where nothing is left to run. @m must outlive the plan. */
struct plan *plan_make(const struct matrix *m, const struct plan_options *opt, struct error *err);
void plan_free(struct plan *p);
/* Appends blocks [@p's current count, @blocks) in place, of cells that are not closed; the earlier ones do not change. */
void plan_extend(struct plan *p, unsigned blocks);
unsigned plan_blocks(const struct plan *p);
/* Smallest two-sided p of a paired permutation test with @blocks blocks: 2 / 2^blocks, at most 1. */
double plan_p_floor(unsigned blocks);
/* Number of (cell, arm) comparisons of primary metrics, what Holm divides by. */
size_t plan_primary_comparisons(const struct plan *p);
/* Fewest blocks whose p floor lies below alpha / m. */
unsigned plan_blocks_needed(size_t m, double alpha);

#endif
