// SPDX-License-Identifier: GPL-2.0-or-later
/* --pin -> CPUs, by the topology that sysfs shows; without sysfs, in the order of their numbers. */
#include "pin.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CPUS 8192

union cpu_mask {
	cpu_set_t set;
	char room[CPU_ALLOC_SIZE(MAX_CPUS)];
};

struct place {
	unsigned cpu, node, package, core;
	unsigned sibling; /* which hardware thread of its core */
	unsigned rank;	  /* which core of its package */
};

/* Reads "3" or "3-5" off *@text. */
static bool parse_range(const char **text, unsigned long *first, unsigned long *last)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	*first = *last = strtoul(*text, &end, 10);
	if (*end == '-') {
		if (!isdigit((unsigned char)end[1]))
			return false;
		*last = strtoul(end + 1, &end, 10);
	}
	*text = end;
	return *first <= *last && *last < MAX_CPUS;
}

static bool is_policy(const char *text)
{
	return !strcmp(text, "none") || !strcmp(text, "spread") || !strcmp(text, "compact");
}

bool pin_valid(const char *text)
{
	unsigned long first, last;

	if (is_policy(text))
		return true;
	do {
		if (!parse_range(&text, &first, &last))
			return false;
	} while (*text == ',' && text++);
	return !*text;
}

static int allowed_mask(union cpu_mask *mask, struct error *err)
{
	memset(mask, 0, sizeof(*mask));
	if (sched_getaffinity(0, sizeof(*mask), &mask->set))
		return error_set(err, STATUS_FAILED, "sched_getaffinity: %s", strerror(errno));
	return 0;
}

static bool is_allowed(const union cpu_mask *mask, unsigned cpu)
{
	return CPU_ISSET_S(cpu, sizeof(*mask), &mask->set);
}

/* "0-3,8" of what is in @mask. */
static void mask_text(const union cpu_mask *mask, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (unsigned cpu = 0; cpu < MAX_CPUS && len < size; cpu++) {
		unsigned last = cpu;

		if (!is_allowed(mask, cpu))
			continue;
		while (last + 1 < MAX_CPUS && is_allowed(mask, last + 1))
			last++;
		len += snprintf(text + len, size - len, last > cpu ? "%s%u-%u" : "%s%u",
			len ? "," : "", cpu, last);
		cpu = last;
	}
}

static int add_cpu(struct cpus *cpus, unsigned cpu, struct error *err)
{
	unsigned *grown = realloc(cpus->cpu, (cpus->n + 1) * sizeof(*grown));

	if (!grown)
		return error_set(err, STATUS_FAILED, "out of memory");
	cpus->cpu = grown;
	cpus->cpu[cpus->n++] = cpu;
	return 0;
}

static int resolve_list(
	const char *list, const union cpu_mask *mask, struct cpus *cpus, struct error *err)
{
	const char *text = list;
	unsigned long first, last;
	char usable[200];

	do {
		parse_range(&text, &first, &last);
		for (unsigned long cpu = first; cpu <= last; cpu++) {
			if (!is_allowed(mask, cpu)) {
				mask_text(mask, usable, sizeof(usable));
				return error_set(err, STATUS_USAGE,
					"--pin %s: CPU %lu is not among those that can be used "
					"here (%s)",
					list, cpu, usable);
			}
			if (add_cpu(cpus, cpu, err))
				return -1;
		}
	} while (*text++ == ',');
	return 0;
}

/* A number from the CPU's topology folder; 0 when there is none. */
static unsigned topology(unsigned cpu, const char *what)
{
	unsigned value = 0;
	char path[80];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/topology/%s", cpu, what);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%u", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

/* The CPU's folder holds a link named after its node; without NUMA there is none. */
static unsigned node_of(unsigned cpu)
{
	unsigned node = 0;
	struct dirent *d;
	char path[60];
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u", cpu);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((d = readdir(dir)))
		if (sscanf(d->d_name, "node%u", &node) == 1)
			break;
	closedir(dir);
	return node;
}

#define BY(field)                                            \
	do {                                                 \
		if (x->field != y->field)                    \
			return x->field < y->field ? -1 : 1; \
	} while (0)

static int by_nearness(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	BY(node);
	BY(package);
	BY(core);
	BY(cpu);
	return 0;
}

static int by_distance(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	BY(sibling);
	BY(rank);
	BY(node);
	BY(package);
	BY(cpu);
	return 0;
}

/* Numbers hardware threads in their cores and cores in their packages; @place is in order of
 * nearness. */
static void rank_places(struct place *place, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		const struct place *last = &place[i - 1];

		if (place[i].node != last->node || place[i].package != last->package)
			continue;
		if (place[i].core == last->core) {
			place[i].sibling = last->sibling + 1;
			place[i].rank = last->rank;
		} else {
			place[i].rank = last->rank + 1;
		}
	}
}

static int resolve_policy(
	bool spread, const union cpu_mask *mask, struct cpus *cpus, struct error *err)
{
	unsigned n = 0;
	struct place *place = calloc(CPU_COUNT_S(sizeof(*mask), &mask->set), sizeof(*place));
	int ret = 0;

	if (!place)
		return error_set(err, STATUS_FAILED, "out of memory");
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		if (is_allowed(mask, cpu))
			place[n++] = (struct place){
				.cpu = cpu,
				.node = node_of(cpu),
				.package = topology(cpu, "physical_package_id"),
				.core = topology(cpu, "core_id"),
			};
	qsort(place, n, sizeof(*place), by_nearness);
	rank_places(place, n);
	if (spread)
		qsort(place, n, sizeof(*place), by_distance);
	for (unsigned i = 0; i < n && !ret; i++)
		ret = add_cpu(cpus, place[i].cpu, err);
	free(place);
	return ret;
}

int pin_resolve(const char *text, struct cpus *cpus, struct error *err)
{
	union cpu_mask mask;

	*cpus = (struct cpus){0};
	if (!strcmp(text, "none"))
		return 0;
	if (allowed_mask(&mask, err))
		return -1;
	if (!is_policy(text))
		return resolve_list(text, &mask, cpus, err);
	return resolve_policy(!strcmp(text, "spread"), &mask, cpus, err);
}

void pin_free(struct cpus *cpus)
{
	free(cpus->cpu);
	*cpus = (struct cpus){0};
}

int pin_self(unsigned cpu)
{
	union cpu_mask mask;

	memset(&mask, 0, sizeof(mask));
	CPU_SET_S(cpu, sizeof(mask), &mask.set);
	return sched_setaffinity(0, sizeof(mask), &mask.set);
}

bool pin_holds(unsigned cpu)
{
	union cpu_mask mask;

	memset(&mask, 0, sizeof(mask));
	return !sched_getaffinity(0, sizeof(mask), &mask.set) &&
	       CPU_COUNT_S(sizeof(mask), &mask.set) == 1 &&
	       CPU_ISSET_S(cpu, sizeof(mask), &mask.set) && sched_getcpu() == (int)cpu;
}
