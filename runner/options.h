/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of option tables that more than one verb has, so that they read and mean the same in each.
 * The value goes into the member of *@o; a verb's own table still tells what it takes, in the order
 * of its --help.
 */
#ifndef KAB_OPTIONS_H
#define KAB_OPTIONS_H

#include "cli.h"

/* clang-format off */

/* Of one kernel. */
#define OPTION_BASE(o) \
	{"base", 0, OPT_STRING, "BASE", "Debian package, or path of a tarball or git tree", \
		&(o)->base}
#define OPTION_REV(o) \
	{"rev", 0, OPT_STRING, "REV", "revision of a git tree (default HEAD)", &(o)->rev}

/* Of a run. */
#define OPTION_DRY_RUN(o) \
	{"dry-run", 'n', OPT_FLAG, NULL, "print the plan, run nothing", &(o)->dry_run}
#define OPTION_ONLY(o) \
	{"only", 0, OPT_STRING, "GLOB", "only cells whose name matches, as 'pipe/*'", &(o)->only}
#define OPTION_NEW(o) \
	{"new", 0, OPT_FLAG, NULL, "start a new run even if one is unfinished", &(o)->fresh}
#define OPTION_BLOCKS(o) \
	{"blocks", 0, OPT_COUNT, "N", "instead of the matrix's", &(o)->blocks}
#define OPTION_SEED(o) \
	{"seed", 0, OPT_STRING, "N", "instead of the matrix's or a drawn one", &(o)->seed}
#define OPTION_RESULTS(o) \
	{"results", 0, OPT_STRING, "DIR", "where run folders lie", &(o)->results}
#define OPTION_YES(o) \
	{"yes", 'y', OPT_FLAG, NULL, "run the commands of a matrix without asking", &(o)->yes}

/* Of a matrix that gets arms of the verb's own. */
#define OPTION_CONFIG(o) \
	{"config", 0, OPT_STRING, "LIST", "config fragments of both kernels", &(o)->config}
#define OPTION_MATRIX(o) \
	{"matrix", 0, OPT_STRING, "MATRIX", \
		"measure what it says, with its arms replaced (default: matrix/try.yaml)", &(o)->matrix}
#define OPTION_EXACT(o) \
	{"exact", 0, OPT_FLAG, NULL, "count instructions instead of time: matrix/try-exact.yaml", \
		&(o)->exact}

/* clang-format on */

#endif
