/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernels that several guest tests boot: the arms of kernels.yaml. */
#ifndef KAB_TEST_KERNELS_H
#define KAB_TEST_KERNELS_H

#include "matrix.h"

#define KERNELS "tests/vm/kernels.yaml"

extern struct matrix *kernels;

/* Set-up and teardown of a group of cmocka tests. */
int read_kernels(void **state);
int free_kernels(void **state);
/* Fails the test if there is none. */
const struct arm *find_arm(const char *label);

#endif
