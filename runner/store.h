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

struct store; /* opaque; one process holds the lock of one that is open for writing */

/*
 * Makes <results>/<date>-<matrix>-<id>/ with run.json (schema, matrix text and JSON, plan seed and hash, blocks,
 * options, arms, host environment, state "running"), locked for writing. @arms: array of what each arm
 * was built from (label, key, base version, patch and config hashes, config), @env: the host's.
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

/* Newest unfinished run under @results whose plan hash is @hash, or NULL. Caller frees. */
char *store_find_unfinished(const char *results, const char *hash);
/* Newest finished run under @results, else the reference run, else NULL. Caller frees. */
char *store_find_newest(const char *results);

const char *store_path(const struct store *s);
/* run.json, borrowed. */
json_t *store_run(const struct store *s);
/* Parsed back from run.json; owned by the store. */
const struct matrix *store_matrix(const struct store *s);

/* All samples in file order; a line whose id was seen before replaces nothing and is dropped. Borrowed. */
const struct sample *store_samples(const struct store *s, size_t *n);
bool store_has(const struct store *s, const char *sample_id);
/* Appends and syncs. ENOSPC and the like: KAB_ENVIRONMENT, and the file is cut back to whole lines. */
int store_append(struct store *s, const struct sample *smp, struct error *err);
/* raw/<sample id>/<name>. */
int store_raw(struct store *s, const char *sample_id, const char *name, const void *data, size_t len,
	      struct error *err);
/* boots/<number>/ made on demand; caller frees. */
char *store_boot_dir(struct store *s, unsigned number, struct error *err);
/* Merges @patch into run.json (atomic rename): state, finished time, number of blocks ... */
int store_update(struct store *s, json_t *patch, struct error *err);

#endif
