/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A matrix, its plan and a results folder of their own, for tests of what a run leaves on disk. */
#ifndef RUN_FIXTURE_H
#define RUN_FIXTURE_H

#include "matrix.h"
#include "plan.h"
#include "sample.h"
#include "store.h"

struct run_fixture {
	char *results; /* fresh and empty */
	struct matrix *matrix;
	struct plan *plan;
};

/*
 * Arms stock and patched, workloads null (two cells by workers, patched overrides its "pin") and a
 * command; one warm-up and two samples of each cell in a boot, three blocks, seed 7.
 */
extern const char fixture_matrix[];
void fixture_make(struct run_fixture *f, const char *matrix_text);
void fixture_drop(struct run_fixture *f);
/* A sample of the plan's boot @boot, position @seq, as if it had been run. sample_clear() frees. */
struct sample fixture_sample(const struct run_fixture *f, size_t boot, size_t seq);
/* A run with its first @n samples of boot 0, closed again. Its path; caller frees. */
char *fixture_run(const struct run_fixture *f, size_t n);
/* Whole text of <folder>/<name>; caller frees. */
char *fixture_read(const char *folder, const char *name);
void fixture_write(const char *folder, const char *name, const char *text);

#endif
