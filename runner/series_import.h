/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patches as people have them -> a folder of patches that an arm can name. */
#ifndef KAB_SERIES_IMPORT_H
#define KAB_SERIES_IMPORT_H

#include "kernel_parts.h"

struct series_import {
	char *name;		/* for labels and file names: letters, digits, "._+-" */
	char *folder;		/* absolute; with the patches and their order */
	struct strings patches; /* names of their files, in order */
	struct buf notes;	/* lines: what was left out */
};

/*
 * @what is a folder of patches, an mbox (a mail thread saved as one file, or one mail), or
 * "git:TREE:RANGE". A folder is used where it lies, all else is written to <cache>/tries/. Mails
 * are put in the order of their "[PATCH n/m]"; cover letters and replies are left out, and of
 * several versions all but the last. KAB_USAGE where a patch is missing.
 */
int series_import(const char *what, struct series_import *s, struct error *err);
/*
 * What is between the revisions @from and @to of the git tree @tree, as a series of one patch. 1:
 * no patch holds it, since there is nothing, or links, binary files or too much.
 */
int series_between(const char *tree, const char *from, const char *to, struct series_import *s,
	struct error *err);
void series_import_clear(struct series_import *s);

#endif
