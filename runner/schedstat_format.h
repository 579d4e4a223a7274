/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats of /proc/schedstat as tables; private to schedstat*.c. */
#ifndef KAB_SCHEDSTAT_FORMAT_H
#define KAB_SCHEDSTAT_FORMAT_H

#include <stdbool.h>

#include "schedstat.h"

enum schedstat_width {
	SCHEDSTAT_ZERO, /* always 0: an array of the O(1) scheduler */
	SCHEDSTAT_U32,	/* wraps at 2^32 */
	SCHEDSTAT_U64,	/* never wraps */
};

struct schedstat_column {
	const char *name;
	enum schedstat_width width;
};

/* A cpu line is a prefix of this, the same in all versions. */
extern const struct schedstat_column schedstat_cpu_columns[SCHEDSTAT_CPU_COLUMNS];

/* A domain line: counters for each kind of idleness in turn, then those of the domain. All are 32
 * bits wide. */
struct schedstat_format {
	unsigned version;
	bool named; /* the domain's name stands before its CPU mask */
	size_t ndomain_columns;
	const char *domain_columns[SCHEDSTAT_DOMAIN_COLUMNS];
};

/* NULL: not known. */
const struct schedstat_format *schedstat_format_find(unsigned version);
/* Is @n a number of columns that a cpu line has? */
bool schedstat_cpu_columns_known(size_t n);

#endif
