// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KAB_TEST_SKIP_H
#define KAB_TEST_SKIP_H

#include <stdlib.h>
#include <time.h>

/*
 * Leaves the running cmocka test, saying why: the driver counts a skip without its "# SKIP: " line as a failure.
 * The arguments are printf's.
 */
#define skip_because(...) \
	do { \
		print_message("# SKIP: " __VA_ARGS__); \
		print_message("\n"); \
		skip(); \
	} while (0)

/* Leaves the test but in "make test-full", whose cost is @what. A macro: not all programs that include this use cmocka. */
#define need_full(what) \
	do { \
		if (!getenv("KAB_TEST_FULL")) \
			skip_because("%s: make test-full", what); \
	} while (0)

/* Minutes until $KAB_TEST_DEADLINE (seconds since 1970), or many where there is no limit. */
static inline long minutes_left(void)
{
	const char *deadline = getenv("KAB_TEST_DEADLINE");

	return deadline ? (atol(deadline) - (long)time(NULL)) / 60 : 1000000;
}

/*
 * Leaves the test where the time limit of whoever started the tests leaves less than @n minutes: what came out by
 * then is worth more than a run that is cut off and says nothing. "make test" has no limit unless told one.
 */
#define need_minutes(n, what) \
	do { \
		if (minutes_left() < (n)) \
			skip_because("%s takes about %d minutes here, and %ld are left until the time limit", what, \
				(int)(n), minutes_left()); \
	} while (0)

#endif
