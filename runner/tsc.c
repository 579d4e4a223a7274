// SPDX-License-Identifier: GPL-2.0-or-later
#include "tsc.h"

#include <stdint.h>
#include <time.h>
#include <x86intrin.h>

#define SPAN_NS 20000000
#define TRIES 32

struct reading {
	uint64_t ns, ticks;
};

static uint64_t raw_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Clock and counter at one moment: the reading that was interrupted least. */
static struct reading read_both(void)
{
	struct reading best = {0};
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t before = __rdtsc(), ns = raw_ns(), after = __rdtsc();

		if (after - before >= shortest)
			continue;
		shortest = after - before;
		best = (struct reading){ns, before + shortest / 2};
	}
	return best;
}

unsigned tsc_khz(void)
{
	static const struct timespec span = {.tv_nsec = SPAN_NS};
	static unsigned khz;
	struct reading a, b;

	if (khz)
		return khz;
	a = read_both();
	nanosleep(&span, NULL);
	b = read_both();
	khz = (double)(b.ticks - a.ticks) * 1e6 / (b.ns - a.ns) + 0.5;
	return khz;
}
