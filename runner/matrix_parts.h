/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts that a matrix file is read in; private to matrix_*.c. */
#ifndef KAB_MATRIX_PARTS_H
#define KAB_MATRIX_PARTS_H

#include <sys/types.h>

#include "matrix.h"
#include "schema.h"

/* What readers find in schema.context. */
struct matrix_file {
	struct matrix *m;
	const json_t *catalog; /* of own workloads; NULL: they are not checked */
	struct base base;      /* of arms that name none */
};

/* A scalar used in ids and file names: letters, digits, . _ + -. @what is for messages.
 * Borrowed from @s; NULL with an error. */
const char *matrix_label(struct schema *s, const yaml_node_t *node, const char *what);

/* Copies strings; releases them. */
void base_copy(struct base *to, const struct base *from);
void base_clear(struct base *b);

/* Where the matrix is to be run, @path has to be a folder (S_IFDIR) or a file (S_IFREG); -1 with an error. */
int matrix_check_path(struct schema *s, const yaml_node_t *node, const char *path, mode_t kind);

/* base: {package | tree, rev | tarball} into the struct base @field. */
schema_reader matrix_read_base;

/* Readers of whole parts, each into @m; they need those named before them here to be read. */
int matrix_read_workloads(struct schema *s, yaml_node_t *node, struct matrix *m);
int matrix_read_arms(struct schema *s, yaml_node_t *node, struct matrix *m);
/* Arms that the keys "aa" and "layout" add; @node may be NULL: none. They need the baseline. */
int matrix_read_aa(struct schema *s, yaml_node_t *node, struct matrix *m);
int matrix_read_layout(struct schema *s, yaml_node_t *node, struct matrix *m);

/*
 * Checks the parameter @key = @value of the own workload @w against the catalogue; 0 when there is
 * none. The nodes are where a mistake is reported.
 */
int matrix_check_param(struct schema *s, const struct workload_spec *w, const yaml_node_t *key,
	const yaml_node_t *value);
/* The first workload called @name, or NULL. */
const struct workload_spec *matrix_workload(const struct matrix *m, const char *name);

#endif
