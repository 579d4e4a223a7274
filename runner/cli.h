/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all subcommands share: option tables that also make --help, colours, progress. */
#ifndef KAB_CLI_H
#define KAB_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

enum opt_kind { OPT_FLAG, OPT_STRING, OPT_UINT, OPT_COUNT, OPT_PERCENT };

struct option_spec {
	const char *name; /* long name without dashes */
	char letter;	  /* 0: none */
	enum opt_kind kind;
	const char *arg; /* name of the argument in help, NULL for flags */
	const char *help;
	/* bool *, const char **, unsigned * (a count is 1 at least), double * (a percent: "2%" or 0.02) */
	void *value;
};

struct usage {
	const char *verb;     /* "run" */
	const char *synopsis; /* "MATRIX [options]" */
	const char *summary;
	const struct option_spec *options; /* the verb's own; common ones are added */
	size_t noptions;
};

/* Common to all verbs: --help, --json, -q/--quiet, -v/--verbose, --no-color. */
struct cli_common {
	bool help, json, quiet, verbose, no_color;
};

/*
 * Parses GNU style (options and operands mixed, --opt=value, --). Operands are moved to argv[0..*nargs).
 * Returns 0; 1 when --help was printed (exit 0); -1 with KAB_USAGE.
 */
int cli_parse(const struct usage *u, int argc, char **argv, struct cli_common *c, int *nargs,
	      struct error *err);
/*
 * The last thing main() does: flushes standard output. Returns @status, or KAB_ENVIRONMENT, told on standard error,
 * when not all of it could be written. A pipe whose reader has left is no error: it had read enough.
 */
int cli_flush(int status);
/* "kab run: text" on standard error; returns err->status. */
int cli_fail(const char *verb, const struct error *err);
/*
 * The newest finished run, else the reference run: what "kab compare", "report" and "show" mean when none is named. It is
 * told on standard error, unless @c is quiet or JSON. NULL with KAB_USAGE; caller frees.
 */
char *cli_newest_run(const char *verb, const struct cli_common *c, struct error *err);
/* Two operands are one folder: a comparison of a run with itself. Then true, with KAB_USAGE. */
bool cli_same_run(const char *run, const char *other, struct error *err);
/* Prints what --json asks for, its keys in order and a newline after it, and drops @owned. */
void cli_print_json(json_t *owned);
/* Colours: standard output is a terminal, no --no-color, no NO_COLOR. */
bool cli_color(const struct cli_common *c);
/*
 * Progress: on a terminal one line rewritten in place, in a pipe a plain line for each stage change, with
 * --quiet nothing.
 */
struct progress;
struct progress *progress_start(const struct cli_common *c);
/* @done of @total (0: unknown); the ETA is worked out from the pace inside the stage. */
void progress_update(struct progress *p, const char *stage, const char *detail, unsigned long done,
		     unsigned long total);
/* A line that stays: "pipe/mode=process patched: oops, see boots/3/console.log". */
void progress_note(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void progress_end(struct progress *p);

#endif
