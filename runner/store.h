/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run folder: run.json, samples.jsonl, raw/, boots/, report/. Append-only; every line is synced before
 * store_append() returns. Self-contained: copy it anywhere and store_open() reads it.
 */
#ifndef KAB_STORE_H
#define KAB_STORE_H

#include <jansson.h>

#include "matrix.h"
#include "plan.h"
#include "sample.h"

#define STORE_SCHEMA 1

struct store; /* opaque; one process holds the lock of one that is open for writing */

/*
 * Makes <results>/<date>-<matrix>-<id>/ and in it run.json, locked for writing:
 *
 *   schema      STORE_SCHEMA
 *   name        the matrix's
 *   state       "running"; later "finished"
 *   created, created_ns, finished, finished_ns     UTC in words, and CLOCK_REALTIME
 *   matrix      {path (absolute), text (the file as read), json (matrix_to_json())}
 *   plan        {seed (decimal string: 64 bits), hash, blocks, cells, boots}; more boots raise blocks and boots
 *               With a budget also looks [blocks ...], max_blocks (that the budget allows), closed {cell: blocks}.
 *   options     as given: {only, aa, blocks, label}; absent keys were not given
 *   arms        @arms: [{label, key, ...}], what each arm was built from
 *   env         @env: the host's {kernel_release, cpu_model, cpus, memory_bytes, executor}
 *   overhead    at the end: {wall_ns, boot_ns, job_ns, workload_ns, rest_ns, rest_share, host {all_s, busy_s, stolen_s, own_s}}
 *
 * The three JSON arguments are borrowed and may be NULL.
 */
struct store *store_create(const char *results, const struct plan *plan, json_t *options, json_t *arms,
			   json_t *env, struct error *err);
/*
 * Opens a folder. @write takes the lock ("held by process N" is KAB_ENVIRONMENT) and cuts off a torn last
 * line of samples.jsonl; *@torn (may be NULL) says how many bytes. A folder of another schema version is
 * refused by name (KAB_USAGE); a bad line in the middle names file and line.
 */
struct store *store_open(const char *path, bool write, size_t *torn, struct error *err);
void store_close(struct store *s);

/*
 * Path of the newest run under @results whose run.json @match accepts, or NULL. Caller frees. Folders that are no
 * runs, runs of another schema version and the reference run are passed over.
 */
typedef bool store_match(void *arg, const json_t *run);
char *store_find(const char *results, store_match *match, void *arg);
/* Newest finished run under @results, else the reference run (kab_home()/results/reference), else NULL. */
char *store_find_newest(const char *results);
/* State in run.json is "finished". */
bool store_finished(const json_t *run);
/*
 * The runs in the folder @results that this kab can read, the one begun first at the head: objects of run (its folder), name, state, created, finished
 * and executor. Empty where there are none. New reference.
 */
json_t *store_list(const char *results);
/* $KAB_RESULTS, else kab_home()/results where that can be written, else "results". Caller frees. */
char *store_default_results(void);

const char *store_path(const struct store *s);
/* run.json, borrowed. */
json_t *store_run(const struct store *s);
/* What run.json says of the arm called @label, borrowed; NULL: nothing. */
const json_t *store_arm(const struct store *s, const char *label);
/*
 * Parsed back from run.json; owned by the store. Opening a run also defines the metrics of its external figures
 * (figures_define()).
 */
const struct matrix *store_matrix(const struct store *s);

/*
 * All samples in file order; a line whose id was seen before replaces nothing and is dropped. Borrowed until the
 * next store_append().
 */
const struct sample *store_samples(const struct store *s, size_t *n);
bool store_has(const struct store *s, const char *sample_id);
/* Appends and syncs. ENOSPC and the like: KAB_ENVIRONMENT, and the file is cut back to whole lines. */
int store_append(struct store *s, const struct sample *smp, struct error *err);
/* raw/<sample id>/<name>. */
int store_raw(struct store *s, const char *sample_id, const char *name, const void *data, size_t len,
	      struct error *err);
/*
 * Where the logs of a boot's @life'th life belong: boots/<number>/, from the second life on boots/<number>/life<n>/, so
 * that no console is lost. Caller frees; the folder need not be there.
 */
char *store_boot_path(const struct store *s, unsigned number, unsigned life);
/* The same, made on demand. */
char *store_boot_dir(struct store *s, unsigned number, unsigned life, struct error *err);
/* Merges @patch into run.json (atomic rename): state, finished time, number of blocks ... */
int store_update(struct store *s, json_t *patch, struct error *err);

#endif
