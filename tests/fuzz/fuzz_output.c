// SPDX-License-Identifier: GPL-2.0-or-later
/* What a workload prints: kab-workload's object, and figures of external programs by regular
 * expression and by pointer into JSON and YAML. */
#include "figures.h"
#include "fuzz.h"

static void as_command(const char *out, enum figure_kind kind, const char *expr)
{
	struct figure f = {
		.kind = kind, .expr = (char *)expr, .name = (char *)"n", .unit = (char *)"1"};
	struct sample s = {0};
	struct error err = {0};

	fuzz_assert(!figures_of_command(out, &f, &s, &err) || err.status);
	sample_clear(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__free_char char *text = fuzz_text(data, size);
	const char *pointer = fuzz_second(text);
	struct sample s = {0};
	struct error err = {0};

	fuzz_assert(!figures_of_workload(text, &s, &err) || err.status);
	sample_clear(&s);
	as_command(text, FIGURE_REGEX, "([0-9.e+-]+) ops/sec");
	as_command(text, FIGURE_JSON, pointer);
	as_command(text, FIGURE_YAML, pointer);
	return 0;
}
