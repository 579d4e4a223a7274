// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Time to parse one capture of 1,024 CPUs with 4 domains each, as a large machine prints it after
 * days of uptime (ten digits for most counters). Fails when the median takes longer than the limit.
 */
#include <stdio.h>
#include <stdlib.h>

#include "schedstat.h"
#include "util.h"

#define CPUS 1024
#define DOMAINS 4
#define ROUNDS 101
#define LIMIT_NS 5000000

static void add_cpu(struct buf *b, unsigned cpu)
{
	buf_addf(b, "cpu%u %u 0", cpu, cpu);
	for (unsigned i = 0; i < 4; i++)
		buf_addf(b, " %u", 4000000000u + cpu * 7 + i);
	buf_addf(b, " 123456789012%03u 98765432101%03u 4200000%03u\n", cpu % 1000, cpu % 1000,
		cpu % 1000);
}

static void add_domain(struct buf *b, unsigned cpu, unsigned level)
{
	buf_addf(b, "domain%u ", level);
	for (unsigned word = 0; word < CPUS / 32; word++)
		buf_addf(b, "%s%08x", word ? "," : "",
			level == DOMAINS - 1 ? 0xffffffffu : 1u << (cpu % 32));
	for (unsigned i = 0; i < 36; i++)
		buf_addf(b, " %u", i % 3 ? 1000000000u + cpu * 36 + i : 0);
	buf_addstr(b, "\n");
}

static char *make_capture(void)
{
	struct buf b = {0};

	buf_addstr(&b, "version 15\ntimestamp 4294892726\n");
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		add_cpu(&b, cpu);
		for (unsigned level = 0; level < DOMAINS; level++)
			add_domain(&b, cpu, level);
	}
	return b.data;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	__free_char char *text = make_capture();
	uint64_t ns[ROUNDS];
	struct error err;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t start = now_ns();
		struct schedstat s;

		if (schedstat_parse("capture", text, &s, &err)) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		if (s.ncpus != CPUS || s.ndomains != CPUS * DOMAINS)
			return 1;
		schedstat_clear(&s);
		ns[i] = now_ns() - start;
	}
	qsort(ns, ROUNDS, sizeof(*ns), by_value);
	printf("schedstat: %d CPUs, %d domains each: median %llu ns a parse, worst %llu ns, limit "
	       "%d ns\n",
		CPUS, DOMAINS, (unsigned long long)ns[ROUNDS / 2],
		(unsigned long long)ns[ROUNDS - 1], LIMIT_NS);
	return ns[ROUNDS / 2] > LIMIT_NS;
}
