// SPDX-License-Identifier: GPL-2.0-or-later
/* What patch(1) says, and the config fragments of a series beside the .config that came out. */
#include "fuzz.h"
#include "kernel_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__free_char char *text = fuzz_text(data, size);
	const char *config = fuzz_second(text);
	__free_char char *failure = patch_failure(text, NULL);
	struct settings s = {0};
	struct error err = {0};
	struct buf out = {0};
	json_t *o;

	fuzz_assert(failure && *failure);
	if (!settings_add(&s, "series", text, size % 4, &err) &&
		!settings_add(&s, "config", config, 0, &err)) {
		settings_text(&s, &out);
		for (size_t i = 1; i < s.n; i++)
			fuzz_assert(strcmp(s.v[i - 1].option, s.v[i].option) < 0);
		settings_check(&s, config, NULL, &err);
	}
	o = config_to_json(config);
	fuzz_assert(o);
	json_decref(o);
	buf_free(&out);
	settings_clear(&s);
	return 0;
}
