// SPDX-License-Identifier: GPL-2.0-or-later
#include "tsc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "util.h"

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

static unsigned measure(void)
{
	static const struct timespec span = {.tv_nsec = SPAN_NS};
	struct reading a, b;

	a = read_both();
	nanosleep(&span, NULL);
	b = read_both();
	return (double)(b.ticks - a.ticks) * 1e6 / (b.ns - a.ns) + 0.5;
}

/* Where the rate is kept while the machine runs; NULL: it does not tell its boots apart. */
static char *kept_path(void)
{
	char *boot = file_read("/proc/sys/kernel/random/boot_id", NULL, NULL), *path = NULL;

	if (boot)
		path = xasprintf("%s/tsc-%.8s", kab_cache(), boot);
	free(boot);
	return path;
}

unsigned tsc_khz(void)
{
	__free_char char *path = kept_path(), *text = NULL;
	static unsigned khz;

	if (khz)
		return khz;
	text = path ? file_read(path, NULL, NULL) : NULL;
	khz = text ? strtoul(text, NULL, 10) : 0;
	if (khz)
		return khz;
	khz = measure();
	free(text);
	text = xasprintf("%u\n", khz);
	/* One that cannot be kept is measured again next time. */
	if (path && !dir_make(kab_cache(), NULL))
		file_write_atomic(path, text, strlen(text), NULL);
	return khz;
}
