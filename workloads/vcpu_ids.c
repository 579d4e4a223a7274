// SPDX-License-Identifier: GPL-2.0-or-later
#include "vcpu_ids.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif

#define ORIGINAL_SIZE 20 /* of struct rseq before it could grow */
#define REGISTERED_SIZE 32

const char *const choices_index[] = {"cpu_id", "vm_vcpu_id", "node_id", NULL};

static const int offsets[] = {
	[IDS_BY_CPU] = RSEQ_OFFSET_CPU,
	[IDS_BY_VCPU] = RSEQ_OFFSET_VCPU,
	[IDS_BY_NODE] = RSEQ_OFFSET_NODE,
};

/*
 * Bytes of the area that the kernel fills in. glibc before 2.40 registers 32 bytes and tells 20 all
 * the same; what the kernel makes of them is in the auxiliary vector. Later glibc tells what both
 * of them know.
 */
static unsigned usable_size(void)
{
	unsigned long feature = getauxval(AT_RSEQ_FEATURE_SIZE);

	if (__rseq_size != ORIGINAL_SIZE && __rseq_size != REGISTERED_SIZE)
		return __rseq_size;
	if (feature < ORIGINAL_SIZE)
		return ORIGINAL_SIZE;
	return feature < REGISTERED_SIZE ? feature : REGISTERED_SIZE;
}

const char *ids_name(const struct ids *ids)
{
	unsigned i = 0;

	while (offsets[i] != ids->offset)
		i++;
	return choices_index[i];
}

int ids_offset(struct run *run, enum ids_index index)
{
	if (!__rseq_size)
		return run_skip(run, "no restartable sequences: the kernel lacks CONFIG_RSEQ, or "
				     "glibc is told not to "
				     "register them");
	if (usable_size() < (unsigned)offsets[index] + 4)
		return run_skip(run,
			"--index %s: this kernel fills in %u bytes of struct rseq "
			"(AT_RSEQ_FEATURE_SIZE), and %s ends at %d",
			choices_index[index], usable_size(), choices_index[index],
			offsets[index] + 4);
	return offsets[index];
}

/* Nodes that may ever be there, by the end of a list such as "0-1"; 1 without sysfs. */
static unsigned possible_nodes(void)
{
	unsigned first = 0, last = 0;
	FILE *f = fopen("/sys/devices/system/node/possible", "re");

	if (!f)
		return 1;
	if (fscanf(f, "%u-%u", &first, &last) < 2)
		last = first;
	fclose(f);
	return last + 1;
}

/* Back to the CPUs it was allowed; to any, as the kernel would have it, if all of those went off line meanwhile. */
static int allow_again(cpu_set_t *usable, size_t size)
{
	if (!sched_setaffinity(0, size, usable))
		return 0;
	if (errno != EINVAL)
		return errno;
	memset(usable, 0xff, size);
	return sched_setaffinity(0, size, usable) ? errno : 0;
}

/* Lets getcpu(2) tell the node of each CPU: it needs no sysfs, and is what the kernel goes by. */
static int visit_cpus(struct run *run, struct ids_machine *m, cpu_set_t *usable, size_t size)
{
	int ret;

	for (unsigned cpu = 0; cpu < SEQ_IDS; cpu++) {
		unsigned here, node;

		if (!CPU_ISSET_S(cpu, size, usable))
			continue;
		m->cpu[m->ncpus++] = cpu;
		cpu_set_t *one = CPU_ALLOC(SEQ_IDS);

		if (!one)
			return run_fail(run, "out of memory");
		CPU_ZERO_S(size, one);
		CPU_SET_S(cpu, size, one);
		if (!sched_setaffinity(0, size, one) && !getcpu(&here, &node) && here == cpu &&
			node < ARRAY_SIZE(m->cpus_of)) {
			m->node_of[cpu] = node + 1;
			m->cpus_of[node]++;
			m->nodes = node >= m->nodes ? node + 1 : m->nodes;
		}
		CPU_FREE(one);
	}
	ret = allow_again(usable, size);
	return ret ? run_fail(run, "sched_setaffinity: %s", strerror(ret)) : 0;
}

int ids_machine(struct run *run, struct ids_machine *m)
{
	size_t size = CPU_ALLOC_SIZE(SEQ_IDS);
	cpu_set_t *usable = CPU_ALLOC(SEQ_IDS);
	long configured = sysconf(_SC_NPROCESSORS_CONF);
	int ret;

	*m = (struct ids_machine){
		.nodes = possible_nodes(),
		.possible = configured > 0 ? configured : 1,
		.node_of = run_alloc(run, SEQ_IDS),
		.cpu = run_alloc(run, SEQ_IDS * sizeof(*m->cpu)),
		.writes_node = usable_size() >= RSEQ_OFFSET_NODE + 4,
	};
	if (!usable || !m->node_of || !m->cpu)
		ret = run_fail(run, "out of memory");
	else if (sched_getaffinity(0, size, usable))
		ret = run_fail(run, "sched_getaffinity: %s", strerror(errno));
	else
		ret = visit_cpus(run, m, usable, size);
	CPU_FREE(usable);
	for (unsigned i = 0; !ret && i < m->ncpus; i++)
		if (m->cpu[i] >= m->possible)
			m->possible = m->cpu[i] + 1;
	return ret;
}

/*
 * See the head of vcpu_ids.h. A node has an id set aside even before a thread comes there. CPUs that were off line
 * or out of the cpuset when the program began may join later, and then belong to any node.
 */
static unsigned bound_of(const struct ids_machine *m, unsigned threads)
{
	unsigned unknown = m->possible, bound = 0;

	for (unsigned i = 0; i < SEQ_IDS && unknown; i++)
		unknown -= m->node_of[i] != 0;
	for (unsigned node = 0; node < m->nodes && node < ARRAY_SIZE(m->cpus_of); node++) {
		unsigned cpus = m->cpus_of[node] + unknown;
		unsigned most = cpus < threads ? cpus : threads;

		bound += most ? most : 1;
	}
	return bound < m->possible ? bound : m->possible;
}

int ids_open(struct ids *ids, const struct ids_machine *m, int offset, unsigned threads)
{
	void *slot = mmap(NULL, SEQ_IDS * sizeof(*ids->slot), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (slot == MAP_FAILED)
		return -1;
	*ids = (struct ids){
		.machine = m,
		.offset = offset,
		.bound = threads == UINT_MAX || offset != RSEQ_OFFSET_VCPU ? m->possible
									   : bound_of(m, threads),
		.keep_nodes = true,
		.slot = slot,
	};
	return 0;
}

/* The node that the id in @look was first seen on, plus 1. */
static uint32_t first_node(struct seq_slot *slot, uint32_t node)
{
	uint32_t none = 0;

	if (__atomic_load_n(&slot->node, __ATOMIC_RELAXED) ||
		!__atomic_compare_exchange_n(
			&slot->node, &none, node + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return __atomic_load_n(&slot->node, __ATOMIC_RELAXED);
	return node + 1;
}

static enum ids_fault judge(struct ids *ids, struct ids_look *look)
{
	const struct ids_machine *m = ids->machine;
	const struct seq_view *view = &look->view;

	if (view->id >= m->possible)
		return IDS_OUT_OF_RANGE;
	if (view->id >= ids->bound)
		return IDS_NOT_PACKED;
	look->node = view->cpu < SEQ_IDS ? m->node_of[view->cpu] - 1u : UINT32_MAX;
	if (look->node == UINT32_MAX)
		return IDS_FINE;
	if (m->writes_node && view->node != look->node)
		return IDS_NODE_WRONG;
	if (!ids->keep_nodes)
		return IDS_FINE;
	look->before = first_node(&ids->slot[view->id], look->node) - 1;
	return look->before == look->node ? IDS_FINE : IDS_NODE_CHANGED;
}

struct ids_look ids_look(struct ids *ids, uint64_t token, uint32_t rounds)
{
	const char *index = seq_area() + ids->offset;
	struct ids_look look = {.node = UINT32_MAX};
	enum seq seq;

	while ((seq = seq_claim(ids->slot, index, token, rounds, &look.view)) == SEQ_ABORTED)
		look.restarts++;
	if (seq == SEQ_REFUSED && look.view.owner != token)
		look.fault = IDS_NOT_UNIQUE;
	else
		look.fault = judge(ids, &look);
	return look;
}

void ids_describe(const struct ids *ids, const struct ids_look *look, char *text, size_t size)
{
	const struct ids_machine *m = ids->machine;
	const char *name = ids_name(ids);
	unsigned id = look->view.id;

	switch (look->fault) {
	case IDS_FINE:
		snprintf(text, size, "nothing is wrong");
		break;
	case IDS_NOT_UNIQUE:
		snprintf(text, size,
			"not unique: thread %u has %s %u on CPU %u while thread %u runs with it, "
			"too",
			(unsigned)gettid(), name, id, look->view.cpu,
			(unsigned)(look->view.owner >> 32));
		break;
	case IDS_OUT_OF_RANGE:
		snprintf(text, size, "out of range: %s %u with %u possible CPUs", name, id,
			m->possible);
		break;
	case IDS_NOT_PACKED:
		snprintf(text, size, "not packed: %s %u on CPU %u, where ids below %u are enough",
			name, id, look->view.cpu, ids->bound);
		break;
	case IDS_NODE_CHANGED:
		snprintf(text, size,
			"node changed: %s %u is on node %u (CPU %u) and was on node %u before",
			name, id, look->node, look->view.cpu, look->before);
		break;
	case IDS_NODE_WRONG:
		snprintf(text, size, "node wrong: node_id is %u on CPU %u, which is on node %u",
			look->view.node, look->view.cpu, look->node);
		break;
	}
}
