// SPDX-License-Identifier: GPL-2.0-or-later
/* One "name value" a line; which names there are depends on version and configuration of the
 * kernel. */
#include "vmstat.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "observer_text.h"
#include "util.h"

/* Counters that only grow, by how their names begin; the rest are gauges, or of no interest to a
 * patch's reader. */
static const char *const counters[] = {
	"pgfault",
	"pgmajfault",
	"pgfree",
	"pgalloc_",
	"pgreuse",
	"pgmigrate_",
	"pgscan_",
	"pgsteal_",
	"pswpin",
	"pswpout",
	"nr_tlb_",
	"vma_lock_",
	"numa_",
	"thp_",
	"compact_",
	"cow_ksm",
	"ksm_",
};

static bool is_counter(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		size_t n = strlen(counters[i]);
		bool prefix = counters[i][n - 1] == '_';

		if ((prefix ? len > n : len == n) && !memcmp(name, counters[i], n))
			return true;
	}
	return false;
}

/* Counters of one capture by name, in @o. */
static int parse(
	const char *file, const char *which, const char *text, json_t *o, struct error *err)
{
	struct text_lines t = text_open(file, which, text);
	const char *line;
	int ret = 0;

	while (!ret && (line = text_next(&t))) {
		size_t len = strcspn(line, " ");
		const char *at = line + len;
		uint64_t v;

		if (!len || !text_number(&at, &v) || *at)
			ret = text_error(&t, err, "expected 'name value', found '%.40s'", line);
		else if (is_counter(line, len) && v <= INT64_MAX)
			json_object_setn_new(o, line, len, json_integer(v));
	}
	if (!ret)
		ret = text_end(&t, err);
	text_close(&t);
	return ret;
}

/* The series that made these counters is judged by it. Each fault that tried is counted in one of the three. */
static void set_vma_lock_share(const json_t *o, struct sample *s)
{
	double had = json_integer_value(json_object_get(o, "vma_lock_success")),
	       tried = had + json_integer_value(json_object_get(o, "vma_lock_abort")) +
		       json_integer_value(json_object_get(o, "vma_lock_retry"));

	if (tried)
		sample_set_metric(s, "vma_lock_share", had / tried);
}

static json_t *subtract(
	const char *file, const json_t *before, json_t *after, struct sample *s, struct error *err)
{
	json_t *o = json_object();
	const char *name;
	json_t *value;

	json_object_foreach (after, name, value) {
		const json_t *old = json_object_get(before, name);
		json_int_t b = json_integer_value(old), a = json_integer_value(value);

		if (!old)
			continue;
		if (a < b) {
			error_set(err, KAB_USAGE, "%s: %s went back from %" PRId64 " to %" PRId64,
				file, name, (int64_t)b, (int64_t)a);
			json_decref(o);
			return NULL;
		}
		if (a > b)
			json_object_set_new(o, name, json_integer(a - b));
	}
	set_vma_lock_share(o, s);
	/* Of the whole machine, minor and major ones; the workload knows its own. */
	if (json_object_get(after, "pgfault"))
		observer_per_op(
			s, "page_faults_per_op", json_integer_value(json_object_get(o, "pgfault")));
	return o;
}

json_t *vmstat_figures(const char *file, const char *before, const char *after, struct sample *s,
	struct error *err)
{
	json_t *b, *a, *o = NULL;

	if (!before || !after)
		return observer_unavailable("/proc/vmstat");
	b = json_object();
	a = json_object();
	if (!parse(file, "before", before, b, err) && !parse(file, "after", after, a, err))
		o = subtract(file, b, a, s, err);
	json_decref(b);
	json_decref(a);
	return o;
}
