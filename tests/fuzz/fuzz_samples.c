// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of samples.jsonl: what is read is written the same way again. */
#include "fuzz.h"
#include "sample.h"

static void one_line(const char *line)
{
	json_t *o = json_loads(line, 0, NULL), *first, *second;
	struct sample s = {0}, again = {0};
	struct error err = {0};

	if (!o)
		return;
	if (!sample_from_json(o, &s, &err)) {
		first = sample_to_json(&s);
		fuzz_assert(first && !sample_from_json(first, &again, &err));
		second = sample_to_json(&again);
		fuzz_assert(second && json_equal(first, second));
		json_decref(first);
		json_decref(second);
	}
	sample_clear(&s);
	sample_clear(&again);
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__free_char char *text = fuzz_text(data, size);
	char *rest = text;

	for (char *line; (line = strsep(&rest, "\n"));)
		one_line(line);
	return 0;
}
