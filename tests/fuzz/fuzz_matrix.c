// SPDX-License-Identifier: GPL-2.0-or-later
/* A matrix file, and what is made of it: canonical JSON, and the plan. */
#include "fuzz.h"
#include "matrix.h"
#include "plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__free_char char *text = fuzz_text(data, size);
	struct error err = {0};
	struct matrix *m = matrix_parse("m.yaml", text, &err);
	struct matrix *again;
	json_t *one, *two;

	if (!m) {
		/* Every refusal says where. */
		fuzz_assert(err.status == KAB_USAGE && !strncmp(err.text, "m.yaml:", 7));
		return 0;
	}
	again = matrix_parse("m.yaml", text, &err);
	fuzz_assert(again);
	one = matrix_to_json(m);
	two = matrix_to_json(again);
	fuzz_assert(one && json_equal(one, two));
	json_decref(one);
	json_decref(two);
	matrix_free(m);
	matrix_free(again);
	return 0;
}
