// SPDX-License-Identifier: GPL-2.0-or-later
/* kab schedstat BEFORE AFTER: what the scheduler counted between two captures. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "commands.h"
#include "schedstat.h"
#include "util.h"

struct captures {
	char *text[2];
	struct schedstat parsed[2];
};

static int read_captures(char **paths, struct captures *c, struct error *err)
{
	for (int i = 0; i < 2; i++) {
		c->text[i] = file_read(paths[i], NULL, err);
		if (!c->text[i]) {
			err->status = KAB_USAGE;
			return -1;
		}
		if (schedstat_parse(paths[i], c->text[i], &c->parsed[i], err))
			return -1;
	}
	return 0;
}

static void captures_clear(struct captures *c)
{
	for (int i = 0; i < 2; i++) {
		schedstat_clear(&c->parsed[i]);
		free(c->text[i]);
	}
}

static void print_json(const struct schedstat_delta *d, bool by_cpu)
{
	json_t *o = schedstat_to_json(d), *cpus = json_array();
	struct schedstat_share shares[SCHEDSTAT_VCPU_SHARES];

	for (size_t i = 0; by_cpu && i < d->ncpus; i++) {
		json_t *cpu = json_pack("{s:i}", "cpu", d->cpus[i].cpu);

		schedstat_columns_to_json(cpu, d->cpus[i].value, d->ncolumns);
		json_array_append_new(cpus, cpu);
	}
	if (by_cpu)
		json_object_set(o, "by_cpu", cpus);
	if (!schedstat_shares(d, shares))
		for (size_t i = 0; i < SCHEDSTAT_VCPU_SHARES; i++)
			json_object_set_new(o, shares[i].metric, json_real(shares[i].share));
	cli_print_json(o);
	json_decref(cpus);
}

static void print_list(const char *what, const unsigned *cpus, size_t n)
{
	if (!n)
		return;
	printf("%s, left out of all sums:", what);
	for (size_t i = 0; i < n; i++)
		printf(" cpu%u", cpus[i]);
	putchar('\n');
}

static void print_shares(const struct schedstat_delta *d)
{
	struct schedstat_share shares[SCHEDSTAT_VCPU_SHARES];
	double sum = 0;

	if (schedstat_shares(d, shares))
		return;
	printf("\nvirtual CPU ids, share of all events\n");
	for (size_t i = 0; i < SCHEDSTAT_VCPU_SHARES; i++) {
		if (i < SCHEDSTAT_VCPU_NO_ATOMIC)
			sum += shares[i].share;
		printf("  %-34s %10.3f %%\n", shares[i].counter, 100 * shares[i].share);
	}
	printf("  %-34s %10.3f %%\n", "the first three: no atomic operation", 100 * sum);
}

static void print_columns(const uint64_t *value, size_t ncolumns)
{
	for (size_t i = 0; i < ncolumns; i++)
		printf("  %-34s %20" PRIu64 "\n", schedstat_cpu_column(i), value[i]);
}

static void print_levels(const struct schedstat_delta *d, bool all)
{
	for (size_t level = 0; level < d->nlevels; level++) {
		printf("\ndomain%zu, all CPUs\n", level);
		for (size_t i = 0; i < d->ndomain_columns; i++)
			if (all || d->levels[level][i])
				printf("  %-34s %20" PRIu64 "\n",
					schedstat_domain_column(d->format, i), d->levels[level][i]);
	}
}

static void print_table(const struct schedstat_delta *d, bool by_cpu)
{
	printf("schedstat version %u, %zu CPUs, %" PRIu64 " jiffies\n",
		schedstat_version(d->format), d->ncpus, d->jiffies);
	print_list("only in the first capture", d->only_before, d->nonly_before);
	print_list("only in the second capture", d->only_after, d->nonly_after);
	if (d->domains_changed)
		printf("domains built anew in between, left out of all sums: %zu\n",
			d->domains_changed);
	if (schedstat_is_off(d))
		printf("booted without schedstats=enable: only rq_cpu_time, run_delay and pcount "
		       "count\n");
	printf("\nall CPUs\n");
	print_columns(d->sum, d->ncolumns);
	for (size_t i = 0; by_cpu && i < d->ncpus; i++) {
		printf("\ncpu%u\n", d->cpus[i].cpu);
		print_columns(d->cpus[i].value, d->ncolumns);
	}
	print_levels(d, by_cpu);
	print_shares(d);
}

static int show_difference(char **paths, const struct cli_common *common, struct error *err)
{
	struct captures c = {0};
	struct schedstat_delta d = {0};
	int ret = read_captures(paths, &c, err);

	if (!ret && schedstat_subtract(&c.parsed[0], &c.parsed[1], &d, err))
		ret = error_prefix(err, "%s, %s", paths[0], paths[1]);
	if (!ret && common->json)
		print_json(&d, common->verbose);
	else if (!ret)
		print_table(&d, common->verbose);
	schedstat_delta_clear(&d);
	captures_clear(&c);
	return ret;
}

int cmd_schedstat(int argc, char **argv)
{
	const struct usage u = {
		.verb = "schedstat",
		.synopsis = "BEFORE AFTER [options]",
		.summary = "The difference of two captures of /proc/schedstat, by name. Sums over "
			   "CPUs and, for\n"
			   "domains, the counters that moved; with -v every CPU and every counter.",
	};
	struct cli_common common = {0};
	struct error err;
	int nargs, ret = cli_parse(&u, argc, argv, &common, &nargs, &err);

	if (ret > 0)
		return KAB_OK;
	if (!ret && nargs != 2)
		ret = error_set(&err, KAB_USAGE,
			"expected two captures, BEFORE and AFTER, found %d", nargs);
	if (!ret)
		ret = show_difference(argv, &common, &err);
	return ret ? cli_fail("schedstat", &err) : KAB_OK;
}
