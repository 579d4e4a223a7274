// SPDX-License-Identifier: GPL-2.0-or-later
/* How everything below main() fails. */
#include <stdarg.h>
#include <stdio.h>

#include "workload.h"

int error_set(struct error *err, enum status status, const char *fmt, ...)
{
	va_list ap;

	err->status = status;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}
