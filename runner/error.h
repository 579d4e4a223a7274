/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How everything below main() fails: a function that can fail takes a struct error as its last
 * argument, fills it in and returns -1 (or NULL). Nothing below main() prints or exits.
 */
#ifndef KAB_ERROR_H
#define KAB_ERROR_H

#include <stdarg.h>

/* Exit statuses of the kab program; of several, 1 goes before 3 before 0. */
enum kab_exit {
	KAB_OK = 0,	    /* done; for compare: nothing worse, nothing unclear */
	KAB_REGRESSION = 1, /* a regression, or failed samples */
	KAB_USAGE = 2,	    /* usage or bad input */
	KAB_UNCLEAR = 3,
	KAB_ENVIRONMENT = 4, /* a kernel that did not build or boot, no QEMU, no space */
	KAB_INTERRUPTED = 130,
};

struct error {
	enum kab_exit status;
	char text[2048]; /* one or more lines, no newline at the end */
};

/*
 * Fills in @err (which may be NULL) and returns -1, so that a caller can
 * "return error_set(err, KAB_USAGE, ...)".
 */
int error_set(struct error *err, enum kab_exit status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "text: " before what @err says already; returns -1. */
int error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
