/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * YAML read by tables. libyaml's document API keeps where each node began, so every mistake is
 * reported as "file:line:column: what is wrong, what was expected". A table of keys says how a
 * mapping fills in a struct; a reader says how one node fills in one field.
 *
 * Aliases stand for the node they name. What a reader may visit is bounded by the tables' own
 * depth, so that a node that contains itself ends in a type error; file, mapping and list sizes are
 * bounded as well.
 */
#ifndef KAB_SCHEMA_H
#define KAB_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include <yaml.h>

#include "error.h"
#include "util.h"

#define SCHEMA_MAX_TEXT (256u << 10) /* bytes of a file */
#define SCHEMA_MAX_ENTRIES 4096	     /* keys of a mapping, items of a list */

struct schema {
	yaml_document_t doc;
	const char *path; /* borrowed: the name used in messages */
	struct error *err;
	void *context; /* the user's own, for readers */
};

struct schema_key;
/* Reads @node into @field. 0, or -1 with schema_error(). What it stores, the struct's owner frees.
 */
typedef int schema_reader(
	struct schema *s, yaml_node_t *node, const struct schema_key *key, void *field);
/* Takes one pair of a mapping, or with a NULL @key one item of a list. */
typedef int schema_visitor(struct schema *s, yaml_node_t *key, yaml_node_t *value, void *arg);

struct schema_key {
	const char *name;
	schema_reader *read;
	size_t offset; /* of the field in the struct that schema_map() fills in */
	bool required;
	double min, max; /* bounds of a number, both included; max 0: none */
};

/*
 * Parses @text, one document whose root is a mapping. -1 with KAB_USAGE and the place of the syntax
 * error. On success schema_close() ends it; all yaml_node_t pointers die with it.
 */
int schema_open(struct schema *s, const char *path, const char *text, struct error *err);
void schema_close(struct schema *s);
yaml_node_t *schema_root(struct schema *s);

/* "path:line:column: text" of @node, KAB_USAGE; returns -1. Control characters are made visible. */
int schema_error(struct schema *s, const yaml_node_t *node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "path:line:column" of @node. Caller frees. */
char *schema_place(const struct schema *s, const yaml_node_t *node);
/* "a mapping", "a list", "'text'", "nothing": what a node is, for messages. @out holds at least 64
 * bytes. */
const char *schema_found(const yaml_node_t *node, char out[64]);

/*
 * Fills in @target from the mapping @node by @keys. A key that @keys lacks goes to @other with
 * @target, or, when that is NULL, is an error that suggests the nearest key. @what names the
 * mapping in messages ("an arm"). An empty node counts as an empty mapping.
 */
int schema_map(struct schema *s, yaml_node_t *node, const char *what, const struct schema_key *keys,
	size_t nkeys, schema_visitor *other, void *target);
/* Calls @visit for each pair of the mapping @node; a key that occurs twice is an error. */
int schema_pairs(
	struct schema *s, yaml_node_t *node, const char *what, schema_visitor *visit, void *arg);
/* Calls @visit for each item of the list @node; a scalar is a list of one, an empty list an error.
 */
int schema_items(
	struct schema *s, yaml_node_t *node, const char *what, schema_visitor *visit, void *arg);

/* The text of a scalar that is not empty, borrowed from @s; NULL with an error that says "expected
 * @what". */
const char *schema_text(struct schema *s, const yaml_node_t *node, const char *what);
/* The empty node: "key:" with nothing behind it, or a plain ~. The word null is text: a workload is
 * called that. */
bool schema_is_null(const yaml_node_t *node);

/* Readers. Bounds are those of the key, in the unit of the field. */
schema_reader schema_node;     /* yaml_node_t *: for a later look */
schema_reader schema_string;   /* char *, owned by the struct */
schema_reader schema_unsigned; /* unsigned */
schema_reader schema_u64;      /* uint64_t, decimal */
schema_reader schema_bool;     /* bool: true, false */
schema_reader schema_size;     /* uint64_t, bytes: "512M", "2G", K M G T are powers of 1024 */
schema_reader schema_duration; /* double, seconds: "90s", "20m", "2h", "500ms", a bare number is
				  seconds */
schema_reader schema_share;    /* double: "1%" or 0.01 */
schema_reader schema_path;     /* char *: a string whose leading "~/" is $HOME */
/* @path with $HOME in place of a leading "~/". Caller frees. */
char *schema_expand_home(const char *path);

/* Collects the words that would have been right, for a message about one that was not. */
struct suggestion {
	const char *word; /* what stood there */
	const char *best; /* nearest so far, NULL: none is near */
	unsigned distance;
	struct buf all;
};
void suggestion_offer(struct suggestion *g, const char *candidate);
/* schema_error() "@what 'word'; did you mean 'best'?", or the list of what is known; frees @g's
 * list. */
int suggestion_error(
	struct schema *s, const yaml_node_t *node, const char *what, struct suggestion *g);

#endif
