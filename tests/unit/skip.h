// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KAB_TEST_SKIP_H
#define KAB_TEST_SKIP_H

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

#endif
