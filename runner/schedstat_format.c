// SPDX-License-Identifier: GPL-2.0-or-later
/* The formats of /proc/schedstat, each a table. A new version is a new table. */
#include "schedstat_format.h"

#include "util.h"

#define U32(name)                    \
	{                            \
#name, SCHEDSTAT_U32 \
	}
#define U64(name)                    \
	{                            \
#name, SCHEDSTAT_U64 \
	}

const struct schedstat_column schedstat_cpu_columns[SCHEDSTAT_CPU_COLUMNS] = {
	U32(yld_count),
	{"legacy_zero", SCHEDSTAT_ZERO},
	U32(sched_count),
	U32(sched_goidle),
	U32(ttwu_count),
	U32(ttwu_local),
	U64(rq_cpu_time), /* ns */
	U64(run_delay),	  /* ns */
	U64(pcount),
	/* Twelve more by the series that gives virtual CPU ids to threads. */
	U64(nr_vcpu_single_thread),
	U64(nr_vcpu_thread_transfer),
	U64(nr_vcpu_cache_hit),
	U64(nr_vcpu_cache_evict),
	U64(nr_vcpu_cache_discard_wrong_node),
	U64(nr_vcpu_allocate),
	U64(nr_vcpu_allocate_node_reuse),
	U64(nr_vcpu_allocate_node_new),
	U64(nr_vcpu_allocate_node_rebalance),
	U64(nr_vcpu_allocate_node_steal),
	U64(nr_vcpu_remove_release_mm),
	U64(nr_vcpu_remove_migrate),
};

bool schedstat_cpu_columns_known(size_t n)
{
	return n == 9 || n == SCHEDSTAT_CPU_COLUMNS;
}

/* Counters of load_balance() while the CPU was "idle", "busy" or "newidle". */
#define BALANCE(kind)                                                                       \
#kind "_lb_count", #kind "_lb_balanced", #kind "_lb_failed", #kind "_lb_imbalance", \
		#kind "_lb_gained", #kind "_lb_hot_gained", #kind "_lb_nobusyq",            \
		#kind "_lb_nobusyg"

#define BALANCE_17(kind)                                                                         \
#kind "_lb_count", #kind "_lb_balanced", #kind "_lb_failed", #kind "_lb_imbalance_load", \
		#kind "_lb_imbalance_util", #kind "_lb_imbalance_task",                          \
		#kind "_lb_imbalance_misfit", #kind "_lb_gained", #kind "_lb_hot_gained",        \
		#kind "_lb_nobusyq", #kind "_lb_nobusyg"

#define DOMAIN                                                                                     \
	"alb_count", "alb_failed", "alb_pushed", "sbe_count", "sbe_balanced", "sbe_pushed",        \
		"sbf_count", "sbf_balanced", "sbf_pushed", "ttwu_wake_remote", "ttwu_move_affine", \
		"ttwu_move_balance"

static const struct schedstat_format formats[] = {
	{15, false, 36, {BALANCE(idle), BALANCE(busy), BALANCE(newidle), DOMAIN}},
	{16, false, 36, {BALANCE(busy), BALANCE(idle), BALANCE(newidle), DOMAIN}},
	{17, true, 45, {BALANCE_17(busy), BALANCE_17(idle), BALANCE_17(newidle), DOMAIN}},
};

const struct schedstat_format *schedstat_format_find(unsigned version)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].version == version)
			return &formats[i];
	return NULL;
}

unsigned schedstat_version(const struct schedstat_format *f)
{
	return f->version;
}

const char *schedstat_cpu_column(size_t i)
{
	return schedstat_cpu_columns[i].name;
}

const char *schedstat_domain_column(const struct schedstat_format *f, size_t i)
{
	return f->domain_columns[i];
}
