/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own self-tests in guests. All of the tests, and fewer turns of each than they take by themselves, as
 * they do with KAB_TEST_FULL. A guest that the emulator lost a write of is followed by another one.
 */
#ifndef KAB_TEST_SELFTESTS_H
#define KAB_TEST_SELFTESTS_H

#include <sys/types.h>

#include "matrix.h"

struct results {
	unsigned passed, failed, skipped;
	unsigned not_started; /* of the failed ones; not those that came after the death of the guest */
	bool oops;
};

/* Which to run, and how; NULL is for all that came with the kernel, as the head of this file says. */
struct selection {
	const char *folder;	     /* of another kernel's */
	const char *program;	     /* "target:program", as in kselftest's list */
	bool first_failure;	     /* up to the first that failed */
	const char *const *settings; /* "NAME=VALUE" of the environment, up to NULL, instead of fewer turns */
	unsigned timeout_s;	     /* a program's; 0: the usual one */
};

/*
 * Builds @arm's kernel if need be, boots it once and runs those self-tests that are @selected. A guest that dies or
 * hangs has failed. -1: it did not come to that, for the reason that is printed.
 */
int selftests_run(const struct arm *arm, const struct machine *machine, const struct selection *selected,
	struct results *r);

/* A file of a folder that is to be run; fails the test if it cannot be written. */
void selftests_write(const char *folder, const char *name, const char *text, mode_t mode);

#endif
