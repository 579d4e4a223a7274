/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats of a report. Each appends one whole file to @b; figures lie in the folder @dir. */
#ifndef KAB_REPORT_FORMAT_H
#define KAB_REPORT_FORMAT_H

#include "report_data.h"

#define COVER_WIDTH 72 /* columns that every mail program leaves alone */

/* One self-contained page: nothing in it comes from elsewhere, and no script. -1: a figure cannot
 * be read. */
int report_html(const struct report *r, const char *dir, struct buf *b, struct error *err);
/* GitHub-flavoured markdown, with the figures beside it. */
int report_md(const struct report *r, const char *dir, struct buf *b, struct error *err);
/* For a mail: ASCII, at most COVER_WIDTH columns, primary cells and what reproduces them. */
int report_cover(const struct report *r, const char *dir, struct buf *b, struct error *err);

/* Parts of report_html(). */
void html_verdicts(struct buf *b, const struct report *r);
void html_doctor(struct buf *b, const struct report *r);
void html_profile(struct buf *b, const struct report *r);
void html_functions(struct buf *b, const struct report *r);
void html_other_rows(struct buf *b, const struct report *r);
void html_published(struct buf *b, const struct report *r);
void html_kernels(struct buf *b, const struct report *r);
void html_environment(struct buf *b, const struct report *r);
void html_bad_samples(struct buf *b, const struct report *r);
void html_method(struct buf *b, const struct report *r);
extern const char html_style[];

/* Folded stacks of every cell and arm, into the folder stacks/ of @dir, where the run recorded any. */
int report_stacks(const struct report *r, const char *dir, struct error *err);

/* Part of report_md(). */
void md_doctor(struct buf *b, const struct report *r);

#endif
