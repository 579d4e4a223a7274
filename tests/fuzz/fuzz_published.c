// SPDX-License-Identifier: GPL-2.0-or-later
/* A table of published figures. */
#include "fuzz.h"
#include "published.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__free_char char *text = fuzz_text(data, size);
	struct published p = {0};
	struct error err = {0};

	if (published_parse("p.tsv", text, &p, &err)) {
		fuzz_assert(err.status == KAB_USAGE && !strncmp(err.text, "p.tsv", 5));
		return 0;
	}
	fuzz_assert(p.nrows && p.ncolumns && p.title);
	published_clear(&p);
	return 0;
}
