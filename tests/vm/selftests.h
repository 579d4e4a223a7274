/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own self-tests in guests. All of the tests, and fewer turns of each than they take by themselves, as
 * they do with KAB_TEST_FULL. A guest that the emulator lost a write of is followed by another one.
 */
#ifndef KAB_TEST_SELFTESTS_H
#define KAB_TEST_SELFTESTS_H

#include "matrix.h"

struct results {
	unsigned passed, failed, skipped;
	unsigned not_started; /* of the failed ones; not those that came after the death of the guest */
	bool oops;
};

/*
 * Builds @arm's kernel if need be, boots it once and runs every self-test that came with it, or those in the folder
 * @selftests; with @first_failure up to the first that failed. A guest that dies or hangs has failed. -1: it did not
 * come to that, for the reason that is printed.
 */
int selftests_run(const struct arm *arm, const struct machine *machine, const char *selftests, bool first_failure,
	struct results *r);

#endif
