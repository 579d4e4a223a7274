/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ids of restartable sequences: which of them this kernel has, and whether those that the
 * threads of one process see are what was promised.
 *
 * Promised of vm_vcpu_id, in each process for itself: two threads that run at the same moment have
 * different ids (unique); an id lies below the number of possible CPUs (range) and, with no more
 * than T threads since the program began, below the sum over nodes of min(T, CPUs of the node)
 * (packed); an id that was seen on one node is never seen on another (node). The bound of "packed"
 * follows from the rules that ids are given by: one is held by a CPU only as long as a thread of
 * the process belongs to that CPU, so that no node's threads hold more at once than there are
 * threads or CPUs of it; the lowest free id that has been on the node is taken first, the lowest
 * one that has been nowhere next; and each node's first id is set aside once there is a second
 * thread. Linux 6.3 and later promise the first two of these alone.
 */
#ifndef KAB_VCPU_IDS_H
#define KAB_VCPU_IDS_H

#include "rseq_cs.h"
#include "workload.h"

/* A node id is the same for all threads of a node: with it, a test must find that ids are not
 * unique. */
enum ids_index { IDS_BY_CPU, IDS_BY_VCPU, IDS_BY_NODE };

/* For a parameter; in the order of enum ids_index. */
extern const char *const choices_index[];

/* CPUs and nodes, as threads of this program can find out. */
struct ids_machine {
	unsigned possible;     /* CPUs that may ever be there */
	unsigned nodes;	       /* nodes that may ever be there, 1 at least */
	uint8_t *node_of;      /* of SEQ_IDS CPUs: node + 1; 0: not known */
	unsigned cpus_of[255]; /* usable CPUs by node */
	unsigned *cpu, ncpus;  /* those that this program may use, ascending */
	bool writes_node;      /* the kernel writes node ids into the area */
};

/*
 * Finds out about the machine by visiting each CPU that may be used. Lives as long as the program.
 * -1: error set.
 */
int ids_machine(struct run *run, struct ids_machine *m);

/* Offset of the id in a thread's area; -1: skipped or failed, with the reason set. */
int ids_offset(struct run *run, enum ids_index index);

enum ids_fault {
	IDS_FINE,
	IDS_NOT_UNIQUE,
	IDS_OUT_OF_RANGE,
	IDS_NOT_PACKED,
	IDS_NODE_CHANGED, /* an id is seen on a second node */
	IDS_NODE_WRONG,	  /* the area's node is not that of the area's CPU */
};

/* The ids of one process. */
struct ids {
	const struct ids_machine *machine;
	int offset;
	unsigned bound;	 /* ids lie below it */
	bool keep_nodes; /* an id must keep its node */
	struct seq_slot *slot;
};

/* What one look showed. */
struct ids_look {
	struct seq_view view;
	uint32_t node;	 /* of the view's CPU, or UINT32_MAX: not known */
	uint32_t before; /* IDS_NODE_CHANGED: where the id was first seen */
	enum ids_fault fault;
	unsigned restarts; /* sequences that were aborted */
};

/* The table for a process with at most @threads threads; UINT_MAX: no bound on them. 0, or -1 with
 * errno. */
int ids_open(struct ids *ids, const struct ids_machine *m, int offset, unsigned threads);

/*
 * Looks at the calling thread's id, and for @rounds reads whether another thread has the same.
 * @token tells this look from all others of the process that may be going on.
 */
struct ids_look ids_look(struct ids *ids, uint64_t token, uint32_t rounds);
/* What the ids are called, as in choices_index. */
const char *ids_name(const struct ids *ids);
/* The look's fault in words. */
void ids_describe(const struct ids *ids, const struct ids_look *look, char *text, size_t size);

/* A token of thread @tid's @number-th look. */
static inline uint64_t ids_token(uint32_t tid, uint32_t number)
{
	return (uint64_t)tid << 32 | number;
}

#endif
