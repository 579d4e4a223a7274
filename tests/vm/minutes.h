/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KAB_TEST_MINUTES_H
#define KAB_TEST_MINUTES_H

#include "kernel.h"

/* What building a debug kernel takes on a slow machine of two CPUs. */
#define MINUTES_TO_BUILD 14

/* Minutes for a test of @minutes on @arm's kernel, and for the kernel where it is still to be built. */
static inline int minutes_on(const struct arm *arm, int minutes)
{
	struct kernel k = {};
	struct error err;
	bool built = !kernel_resolve(arm, &k, &err) && k.built;

	kernel_clear(&k);
	return minutes + (built ? 0 : MINUTES_TO_BUILD);
}

#endif
