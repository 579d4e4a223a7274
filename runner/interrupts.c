// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A header names the CPUs that are on line; each line below has a label, a count for each of them,
 * and words. Counts are unsigned int in the kernel and wrap. arch_show_interrupts() of
 * arch/x86/kernel/irq.c prints the lines read here.
 */
#include "interrupts.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observer_text.h"
#include "util.h"

#define MAX_CPUS 8192

/*
 * What is read. A shootdown is sent as a function call on x86, so that CAL includes TLB; the
 * difference is left to who reads the report, since one call may carry more than one function.
 */
static const struct {
	const char *label;
	const char *key;    /* in JSON */
	const char *metric; /* the same an operation */
} rows[] = {
	{"TLB", "tlb_shootdowns", "tlb_shootdowns_per_op"},
	{"RES", "reschedule_ipis", "reschedule_ipis_per_op"},
	{"CAL", "call_function_ipis", "call_function_ipis_per_op"},
	{"LOC", "timer_interrupts", "timer_interrupts_per_op"},
};

struct capture {
	unsigned *cpus; /* ascending */
	size_t ncpus;
	uint32_t *count[ARRAY_SIZE(rows)]; /* by CPU of @cpus; NULL: there is no such line */
};

static void capture_clear(struct capture *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		free(c->count[i]);
	free(c->cpus);
	*c = (struct capture){0};
}

/* "      CPU0       CPU2 " */
static int read_header(struct text_lines *t, struct capture *c, struct error *err)
{
	const char *at = text_next(t);
	char *end;

	while (at && at[strspn(at, " ")]) {
		unsigned long cpu;

		at += strspn(at, " ");
		if (strncmp(at, "CPU", 3) || !isdigit((unsigned char)at[3]))
			break;
		cpu = strtoul(at + 3, &end, 10);
		if (cpu >= MAX_CPUS || (c->ncpus && cpu <= c->cpus[c->ncpus - 1]))
			break;
		c->cpus = xrealloc_array(c->cpus, c->ncpus + 1, sizeof(*c->cpus));
		c->cpus[c->ncpus++] = cpu;
		at = end;
	}
	if (!at || at[strspn(at, " ")] || !c->ncpus)
		return text_error(
			t, err, "expected a header of CPUs in ascending order: CPU0 CPU1 ...");
	return 0;
}

static int read_row(
	struct text_lines *t, const char *at, size_t row, struct capture *c, struct error *err)
{
	if (c->count[row])
		return text_error(t, err, "a second line %s", rows[row].label);
	c->count[row] = xcalloc(c->ncpus, sizeof(*c->count[row]));
	for (size_t i = 0; i < c->ncpus; i++) {
		uint64_t v;

		if (!text_number(&at, &v) || v > UINT32_MAX)
			return text_error(t, err, "%s: expected %zu counts of 32 bits, found %zu",
				rows[row].label, c->ncpus, i);
		c->count[row][i] = v;
	}
	at += strspn(at, " ");
	if (isdigit((unsigned char)*at))
		return text_error(t, err, "%s: more counts than the %zu CPUs of the header",
			rows[row].label, c->ncpus);
	return 0;
}

static int parse(
	const char *file, const char *which, const char *text, struct capture *c, struct error *err)
{
	struct text_lines t = text_open(file, which, text);
	const char *line;
	int ret = read_header(&t, c, err);

	while (!ret && (line = text_next(&t))) {
		const char *label = line + strspn(line, " "), *colon = strchr(label, ':');

		if (!colon)
			ret = text_error(
				&t, err, "expected a label and a colon, found '%.30s'", line);
		for (size_t i = 0; !ret && i < ARRAY_SIZE(rows); i++)
			if ((size_t)(colon - label) == strlen(rows[i].label) &&
				!memcmp(label, rows[i].label, colon - label))
				ret = read_row(&t, colon + 1, i, c, err);
	}
	if (!ret)
		ret = text_end(&t, err);
	text_close(&t);
	return ret;
}

/* Sum over the CPUs in both captures, each modulo 2^32. @*common is how many those are. */
static uint64_t sum_row(
	const struct capture *b, const struct capture *a, size_t row, size_t *common)
{
	uint64_t sum = 0;

	*common = 0;
	for (size_t i = 0, j = 0; i < b->ncpus && j < a->ncpus;) {
		if (b->cpus[i] < a->cpus[j]) {
			i++;
		} else if (a->cpus[j] < b->cpus[i]) {
			j++;
		} else {
			sum += (uint32_t)(a->count[row][j++] - b->count[row][i++]);
			++*common;
		}
	}
	return sum;
}

static json_t *subtract(const struct capture *b, const struct capture *a, struct sample *s)
{
	json_t *o = json_object();
	size_t common = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t sum;

		if (!b->count[i] || !a->count[i])
			continue; /* a kernel without SMP has no such line */
		sum = sum_row(b, a, i, &common);
		json_object_set_new(o, rows[i].key, json_integer(sum));
		observer_per_op(s, rows[i].metric, sum);
	}
	json_object_set_new(o, "cpus", json_integer(common));
	if (common != b->ncpus || common != a->ncpus)
		json_object_set_new(
			o, "cpus_left_out", json_integer(b->ncpus + a->ncpus - 2 * common));
	return o;
}

json_t *interrupts_figures(const char *file, const char *before, const char *after,
	struct sample *s, struct error *err)
{
	struct capture b = {0}, a = {0};
	json_t *o = NULL;

	if (!before || !after)
		return observer_unavailable("/proc/interrupts");
	if (!parse(file, "before", before, &b, err) && !parse(file, "after", after, &a, err))
		o = subtract(&b, &a, s);
	capture_clear(&b);
	capture_clear(&a);
	return o;
}
