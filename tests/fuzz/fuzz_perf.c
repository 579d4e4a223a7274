// SPDX-License-Identifier: GPL-2.0-or-later
/* What perf stat -j prints. */
#include "fuzz.h"
#include "perfdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__free_char char *text = fuzz_text(data, size);
	struct sample s = {.ops = 1000};
	struct error err = {0};
	json_t *o = perfdata_figures("perf", NULL, text, &s, &err);

	fuzz_assert(o || err.status);
	json_decref(o);
	sample_clear(&s);
	return 0;
}
