// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct matrix *kernels;

int read_kernels(void **state)
{
	struct error err;

	(void)state;
	kernels = matrix_read(KERNELS, &err);
	if (!kernels)
		print_error("%s\n", err.text);
	return kernels ? 0 : -1;
}

int free_kernels(void **state)
{
	(void)state;
	matrix_free(kernels);
	return 0;
}

const struct arm *find_arm(const char *label)
{
	const struct arm *arm = matrix_arm(kernels, label);

	assert_non_null(arm);
	return arm;
}
