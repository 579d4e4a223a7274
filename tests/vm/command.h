/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kab by its command line, for tests that boot guests. */
#ifndef KAB_TEST_COMMAND_H
#define KAB_TEST_COMMAND_H

struct buf;

/* $KAB, or the one that was built. */
const char *kab(void);
/*
 * Runs "kab ARGS", printf's arguments, in a shell and returns its exit status; it must not die of a signal. Standard output
 * goes to @out (NULL: nowhere), standard error where the test's own does.
 */
int run_kab(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
