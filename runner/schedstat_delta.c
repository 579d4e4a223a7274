// SPDX-License-Identifier: GPL-2.0-or-later
/* The difference of two captures of /proc/schedstat, and what is made of it. */
#include "schedstat.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "schedstat_format.h"
#include "util.h"

static void add_cpu_number(unsigned **v, size_t *n, unsigned cpu)
{
	*v = xrealloc_array(*v, *n + 1, sizeof(**v));
	(*v)[(*n)++] = cpu;
}

/*
 * Did a counter go back? One of 32 bits wraps, and is taken for that unless it would have counted
 * more than half its range: captures of two boots, or in the wrong order, must not become a sum.
 */
static bool went_back(enum schedstat_width width, uint64_t before, uint64_t after)
{
	return width == SCHEDSTAT_U32 ? (uint32_t)(after - before) > INT32_MAX : after < before;
}

static int subtract_cpu(const struct schedstat_cpu *before, const struct schedstat_cpu *after,
	struct schedstat_delta *d, struct error *err)
{
	struct schedstat_cpu *c = &d->cpus[d->ncpus++];

	*c = (struct schedstat_cpu){.cpu = after->cpu};
	for (size_t i = 0; i < d->ncolumns; i++) {
		const struct schedstat_column *column = &schedstat_cpu_columns[i];

		if (went_back(column->width, before->value[i], after->value[i]))
			return error_set(err, KAB_USAGE,
				"cpu%u: %s went back from %" PRIu64 " to %" PRIu64
				"; are these captures of one boot, in order?",
				after->cpu, column->name, before->value[i], after->value[i]);
		c->value[i] = after->value[i] - before->value[i];
		if (column->width == SCHEDSTAT_U32)
			c->value[i] &= UINT32_MAX;
		d->sum[i] += c->value[i];
	}
	return 0;
}

/*
 * Domains are built anew when CPUs come and go, and their counters start again at 0. The mask may
 * be the same as before, so that a counter that seems to have wrapped by more than half its range
 * is taken for such a start.
 */
static bool same_domain(
	const struct schedstat_domain *old, const struct schedstat_domain *new, size_t ncolumns)
{
	if (old->label_len != new->label_len || memcmp(old->label, new->label, new->label_len))
		return false;
	for (size_t i = 0; i < ncolumns; i++)
		if (went_back(SCHEDSTAT_U32, old->value[i], new->value[i]))
			return false;
	return true;
}

static void subtract_domains(const struct schedstat *before, const struct schedstat_cpu *b,
	const struct schedstat *after, const struct schedstat_cpu *a, struct schedstat_delta *d)
{
	size_t common = a->ndomains < b->ndomains ? a->ndomains : b->ndomains;

	d->domains_changed += a->ndomains + b->ndomains - 2 * common;
	for (size_t level = 0; level < common; level++) {
		const struct schedstat_domain *old = &before->domains[b->first_domain + level];
		const struct schedstat_domain *new = &after->domains[a->first_domain + level];

		if (!same_domain(old, new, d->ndomain_columns)) {
			d->domains_changed++;
			continue;
		}
		if (level >= d->nlevels) {
			d->levels = xrealloc_array(d->levels, level + 1, sizeof(*d->levels));
			memset(d->levels + d->nlevels, 0,
				(level + 1 - d->nlevels) * sizeof(*d->levels));
			d->nlevels = level + 1;
		}
		for (size_t i = 0; i < d->ndomain_columns; i++)
			d->levels[level][i] += (uint32_t)(new->value[i] - old->value[i]);
	}
}

/* No domain outlives a change of the CPUs that are on line. */
static void drop_domains(const struct schedstat *after, struct schedstat_delta *d)
{
	free(d->levels);
	d->levels = NULL;
	d->nlevels = 0;
	d->domains_changed = after->ndomains;
}

static int check_formats(
	const struct schedstat *before, const struct schedstat *after, struct error *err)
{
	if (before->format != after->format)
		return error_set(err, KAB_USAGE, "captures of two versions of schedstat, %u and %u",
			before->format->version, after->format->version);
	if (before->ncolumns != after->ncolumns)
		return error_set(err, KAB_USAGE,
			"cpu lines of %zu columns in one capture, of %zu in the other",
			before->ncolumns, after->ncolumns);
	/* A kernel of 32 bits has jiffies that wrap. */
	if (after->timestamp < before->timestamp &&
		(before->timestamp > UINT32_MAX ||
			went_back(SCHEDSTAT_U32, before->timestamp, after->timestamp)))
		return error_set(err, KAB_USAGE,
			"the timestamp went back from %" PRIu64 " to %" PRIu64
			"; are these captures of one boot, in order?",
			before->timestamp, after->timestamp);
	return 0;
}

/* Both lists ascend, so that one walk pairs them. */
static int subtract_cpus(const struct schedstat *before, const struct schedstat *after,
	struct schedstat_delta *d, struct error *err)
{
	size_t i = 0, j = 0;

	d->cpus = xcalloc(after->ncpus, sizeof(*d->cpus));
	while (i < before->ncpus || j < after->ncpus) {
		const struct schedstat_cpu *b = &before->cpus[i], *a = &after->cpus[j];

		if (j == after->ncpus || (i < before->ncpus && b->cpu < a->cpu)) {
			add_cpu_number(&d->only_before, &d->nonly_before, b->cpu);
			i++;
		} else if (i == before->ncpus || a->cpu < b->cpu) {
			add_cpu_number(&d->only_after, &d->nonly_after, a->cpu);
			j++;
		} else {
			if (subtract_cpu(b, a, d, err))
				return -1;
			subtract_domains(before, b, after, a, d);
			i++;
			j++;
		}
	}
	if (d->nonly_before || d->nonly_after)
		drop_domains(after, d);
	return d->ncpus ? 0 : error_set(err, KAB_USAGE, "no CPU is in both captures");
}

int schedstat_subtract(const struct schedstat *before, const struct schedstat *after,
	struct schedstat_delta *d, struct error *err)
{
	*d = (struct schedstat_delta){
		.format = after->format,
		.ncolumns = after->ncolumns,
		.ndomain_columns = after->format->ndomain_columns,
		.jiffies = after->timestamp - before->timestamp,
	};
	if (!check_formats(before, after, err) && !subtract_cpus(before, after, d, err))
		return 0;
	schedstat_delta_clear(d);
	return -1;
}

void schedstat_delta_clear(struct schedstat_delta *d)
{
	free(d->cpus);
	free(d->levels);
	free(d->only_before);
	free(d->only_after);
	*d = (struct schedstat_delta){0};
}

uint64_t schedstat_sum(const struct schedstat_delta *d, const char *name)
{
	for (size_t i = 0; i < d->ncolumns; i++)
		if (!strcmp(schedstat_cpu_columns[i].name, name))
			return d->sum[i];
	return 0;
}

bool schedstat_is_off(const struct schedstat_delta *d)
{
	return schedstat_sum(d, "pcount") && !schedstat_sum(d, "sched_count") &&
	       !schedstat_sum(d, "ttwu_count");
}

int schedstat_shares(
	const struct schedstat_delta *d, struct schedstat_share out[SCHEDSTAT_VCPU_SHARES])
{
	static const struct schedstat_share events[SCHEDSTAT_VCPU_SHARES] = {
		{"nr_vcpu_single_thread", "vcpu_single_thread_share", 0},
		{"nr_vcpu_thread_transfer", "vcpu_thread_transfer_share", 0},
		{"nr_vcpu_cache_hit", "vcpu_cache_hit_share", 0},
		{"nr_vcpu_cache_evict", "vcpu_cache_evict_share", 0},
		{"nr_vcpu_cache_discard_wrong_node", "vcpu_cache_discard_share", 0},
		{"nr_vcpu_allocate", "vcpu_allocate_share", 0},
		{"nr_vcpu_remove_release_mm", "vcpu_release_mm_share", 0},
		{"nr_vcpu_remove_migrate", "vcpu_migrate_share", 0},
		{"nr_vcpu_allocate_node_reuse", "vcpu_allocate_node_reuse_share", 0},
		{"nr_vcpu_allocate_node_new", "vcpu_allocate_node_new_share", 0},
		{"nr_vcpu_allocate_node_rebalance", "vcpu_allocate_node_rebalance_share", 0},
		{"nr_vcpu_allocate_node_steal", "vcpu_allocate_node_steal_share", 0},
	};
	double sum = 0;

	memcpy(out, events, sizeof(events));
	for (size_t i = 0; i < SCHEDSTAT_VCPU_EVENTS; i++)
		sum += schedstat_sum(d, events[i].counter);
	if (sum <= 0)
		return -1;
	for (size_t i = 0; i < SCHEDSTAT_VCPU_SHARES; i++)
		out[i].share = schedstat_sum(d, events[i].counter) / sum;
	return 0;
}

static json_t *numbers_json(const unsigned *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_integer(v[i]));
	return a;
}

static json_t *levels_json(const struct schedstat_delta *d)
{
	json_t *levels = json_array();

	for (size_t level = 0; level < d->nlevels; level++) {
		json_t *o = json_object();

		for (size_t i = 0; i < d->ndomain_columns; i++)
			if (d->levels[level][i])
				json_object_set_new(o, d->format->domain_columns[i],
					json_integer(d->levels[level][i]));
		json_array_append_new(levels, o);
	}
	return levels;
}

void schedstat_columns_to_json(json_t *o, const uint64_t *value, size_t ncolumns)
{
	for (size_t i = 0; i < ncolumns; i++)
		if (schedstat_cpu_columns[i].width != SCHEDSTAT_ZERO)
			json_object_set_new(
				o, schedstat_cpu_columns[i].name, json_integer(value[i]));
}

json_t *schedstat_to_json(const struct schedstat_delta *d)
{
	json_t *o = json_object();

	json_object_set_new(o, "version", json_integer(d->format->version));
	json_object_set_new(o, "jiffies", json_integer(d->jiffies));
	json_object_set_new(o, "cpus", json_integer(d->ncpus));
	schedstat_columns_to_json(o, d->sum, d->ncolumns);
	json_object_set_new(o, "domains", levels_json(d));
	if (d->nonly_before)
		json_object_set_new(
			o, "only_before", numbers_json(d->only_before, d->nonly_before));
	if (d->nonly_after)
		json_object_set_new(o, "only_after", numbers_json(d->only_after, d->nonly_after));
	if (d->domains_changed)
		json_object_set_new(o, "domains_changed", json_integer(d->domains_changed));
	if (schedstat_is_off(d))
		json_object_set_new(o, "off",
			json_string("only times and pcount: the kernel was booted without "
				    "schedstats=enable"));
	return o;
}
