/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kab run says: before it starts, of a plan, and at the end. */
#ifndef KAB_RUN_TEXT_H
#define KAB_RUN_TEXT_H

#include "run.h"
#include "util.h"

/* "4 h 2 min", "3 min 20 s", "12 s". */
void run_text_duration(double seconds, char *out, size_t size);
/*
 * Arms, cells, boots, kernels to build, time, and what these blocks can decide. @arms: looked up,
 * at least. Caller frees with buf_free().
 */
void run_text_plan(struct buf *b, const struct plan *plan, const struct run_arm *arms);
/*
 * What an arm of run.json was made of, series by the last part of their paths: "6.1.192 + vm-local-cpu:1, config netns, cmdline "quiet"", or "the running kernel".
 * Caller frees.
 */
char *run_text_arm(const json_t *arm);
/* Every cell, and how often it is sampled in a boot. */
void run_text_cells(struct buf *b, const struct plan *plan);
/* Every boot and the cells in it, in order. */
void run_text_order(struct buf *b, const struct plan *plan);
/* Both as one object. New reference. */
json_t *run_json_plan(const struct plan *plan, const struct run_arm *arms);
/* Samples by status, where the time went. */
void run_text_summary(struct buf *b, const struct store *s);
json_t *run_json_summary(const struct store *s);
/* Samples of @s that are neither ok nor skipped. */
size_t run_failed_samples(const struct store *s);

#endif
