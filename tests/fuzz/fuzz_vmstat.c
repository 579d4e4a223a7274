// SPDX-License-Identifier: GPL-2.0-or-later
/* Two captures of /proc/vmstat, and the figures of their difference. */
#include "fuzz.h"
#include "vmstat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__free_char char *text = fuzz_text(data, size);
	const char *second = fuzz_second(text);
	struct sample s = {.ops = 1000};
	struct error err = {0};
	json_t *o = vmstat_figures("vmstat", text, second, &s, &err);

	fuzz_assert(o || err.status);
	json_decref(o);
	sample_clear(&s);
	return 0;
}
