/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kernel functions the instructions of a sample were spent in, as QEMU's plugin counted them.
 */
#ifndef KAB_FUNCTIONS_H
#define KAB_FUNCTIONS_H

#include "sample.h"
#include "store.h"

struct functions;

/*
 * Follows the windows that the plugin writes to @path while a guest runs, by the symbols of
 * @vmlinux. NULL with KAB_ENVIRONMENT where its symbols cannot be read. functions_close() frees.
 */
struct functions *functions_open(const char *path, const char *vmlinux, struct error *err);
void functions_close(struct functions *f);
/*
 * The last window that was finished since the call before: "kernel N", "user N", then "NAME N" for
 * each function that ran, the most instructions first. NULL: there is none. Caller frees.
 */
char *functions_take(struct functions *f);
/* Folds one window's @text ("ADDRESS COUNT" lines, "user COUNT") by @nm, the output of nm -n; for
 * tests. Caller frees. */
char *functions_fold(const char *text, const char *nm);

/* Sets kernel_instructions_per_op and user_instructions_per_op of @s from what functions_take()
 * returned. */
void functions_set_metrics(const char *text, struct sample *s);

/*
 * Instructions an operation in each function, by arm, over the samples of @cell that are compared,
 * the function that differs most first: {cell, baseline, arms: [label ...], functions: [{name,
 * per_op: [...], difference: [...]}]}. NULL with KAB_USAGE where the run has none. New reference.
 */
json_t *functions_table(const struct store *run, const char *cell, struct error *err);
/* The first @most of it for people; 0: all. Caller frees. */
char *functions_text(const json_t *table, size_t most);

#endif
