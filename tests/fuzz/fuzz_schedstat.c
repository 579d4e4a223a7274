// SPDX-License-Identifier: GPL-2.0-or-later
/* Two captures of /proc/schedstat and their difference. */
#include "fuzz.h"
#include "schedstat.h"

static void subtract(const struct schedstat *a, const struct schedstat *b)
{
	struct schedstat_share shares[SCHEDSTAT_VCPU_SHARES];
	struct schedstat_delta d = {0};
	struct error err = {0};

	if (!schedstat_subtract(a, b, &d, &err)) {
		json_t *o = schedstat_to_json(&d);

		fuzz_assert(o && d.ncpus <= a->ncpus && d.ncpus <= b->ncpus);
		schedstat_is_off(&d);
		schedstat_shares(&d, shares);
		json_decref(o);
	}
	schedstat_delta_clear(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__free_char char *text = fuzz_text(data, size);
	const char *after = fuzz_second(text);
	struct schedstat a = {0}, b = {0};
	struct error err = {0};

	if (!schedstat_parse("before", text, &a, &err)) {
		subtract(&a, &a);
		if (!schedstat_parse("after", after, &b, &err))
			subtract(&a, &b);
		schedstat_clear(&b);
	}
	schedstat_clear(&a);
	return 0;
}
