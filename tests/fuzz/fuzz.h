/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzz target is a file with one function in the form that libFuzzer and AFL++ call. make test
 * links it with replay.c, which hands it the kept inputs of tests/fuzz/seeds/<target>.
 */
#ifndef KAB_FUZZ_H
#define KAB_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What holds for every input; a sanitizer or libFuzzer reports the abort. */
#define fuzz_assert(what)        \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

/* The input as text, which ends at its first NUL. Caller frees. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	return xstrndup((const char *)data, size);
}

/* Cuts the second of two texts off the first, at a form feed; "" where there is none. */
static inline char *fuzz_second(char *text)
{
	char *at = strchr(text, '\f');

	if (!at)
		return text + strlen(text);
	*at = '\0';
	return at + 1;
}

#endif
