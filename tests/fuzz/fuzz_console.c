// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's console, the instructions that QEMU's plugin counted, and names of functions for them.
 */
#include "console.h"
#include "functions.h"
#include "fuzz.h"
#include "proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__free_char char *text = fuzz_text(data, size);
	const char *nm = fuzz_second(text);
	__free_char char *clean = proto_clean((const char *)data, size), *folded = NULL,
			 *line = NULL;
	const struct console_pattern *p = console_find(text, &line);
	struct sample s = {.ops = 1000};

	fuzz_assert(clean && (!p || line));
	folded = functions_fold(text, nm);
	functions_set_metrics(folded, &s);
	functions_set_metrics(text, &s);
	sample_clear(&s);
	return 0;
}
