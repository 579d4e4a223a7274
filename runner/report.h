/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts -> report.html, report.md, cover-letter.txt and the plots beside them. */
#ifndef KAB_REPORT_H
#define KAB_REPORT_H

#include "compare.h"

/* Where the report of a run belongs, or that of @other's arms against the baseline of @run. Caller frees. */
char *report_folder(const struct store *run, const struct store *other);
/*
 * Writes into that folder, or @out: report.html (one self-contained file), report.md, cover-letter.txt (ASCII, 72
 * columns), *.svg, *.png, and the .dat files that the plots were drawn from. @other: as compare_runs() had it for @c, or NULL.
 */
int report_write(const struct store *run, const struct store *other, const struct comparison *c, const char *out,
	struct error *err);

#endif
