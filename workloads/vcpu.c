// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An allocator with a free list for each id, as tcmalloc has one for each CPU: objects are taken
 * from and given to the list of the id that the thread has at that moment, in restartable
 * sequences. An empty list is filled with a batch of objects from the pool behind the lists, a full
 * one gives a batch back. One operation is one allocation or one release.
 *
 * By cpu_id, a process that wanders over many CPUs leaves a filled list behind on each. By
 * vm_vcpu_id there are about as many lists as threads that run at once.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vcpu.h"

#define CHECK_EVERY 256 /* operations between looks at the ids */
#define CHECK_ROUNDS 16
#define CHUNK (256u << 10)

enum { COUNT_NOT_UNIQUE, COUNT_NODE, COUNT_RESTARTS };

struct object {
	struct seq_node node;
	uint32_t owner; /* index of the worker that has it, plus 1; 0: free */
};

struct pool {
	struct seq_list list[SEQ_IDS];
	pthread_mutex_t lock;  /* of all that follows */
	struct seq_node *free; /* objects in no list */
	char *chunk;	       /* memory not made objects of yet */
	size_t left;	       /* of it */
	uint64_t bytes;	       /* of all chunks */
	size_t size;	       /* of an object */
	unsigned batch, hold;
	uint64_t wander; /* operations between moves; 0: never */
};

/* What a worker has allocated. */
struct holding {
	struct object **object;
	unsigned n;
	uint32_t looks;
};

static const char *index_of(const struct worker *w)
{
	return seq_area() + ((struct vcpu *)w->run->priv)->offset;
}

/* ---- the pool behind the lists ----------------------------------------------------------------
 */

/* An object that is in no list; NULL: no memory. The lock is held. Chunks stay until the program
 * ends. */
static struct seq_node *pool_take(struct pool *p)
{
	struct seq_node *node = p->free;

	if (node) {
		p->free = node->next;
		return node;
	}
	if (p->left < p->size) {
		void *chunk = mmap(
			NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (chunk == MAP_FAILED)
			return NULL;
		p->chunk = chunk;
		p->left = CHUNK;
		p->bytes += CHUNK;
	}
	node = (struct seq_node *)p->chunk;
	p->chunk += p->size;
	p->left -= p->size;
	return node;
}

static void pool_give(struct pool *p, struct seq_node *node)
{
	node->next = p->free;
	p->free = node;
}

/* ---- the lists ---------------------------------------------------------------------------------
 */

/* Keeps going until the sequence went through or was refused. */
static enum seq push(struct worker *w, struct pool *p, struct seq_node *node)
{
	enum seq seq;

	while ((seq = seq_push(p->list, index_of(w), node, 2 * p->batch)) == SEQ_ABORTED)
		w->counter[COUNT_RESTARTS]++;
	return seq;
}

static enum seq pop(struct worker *w, struct pool *p, struct seq_node **node)
{
	enum seq seq;

	while ((seq = seq_pop(p->list, index_of(w), node)) == SEQ_ABORTED)
		w->counter[COUNT_RESTARTS]++;
	return seq;
}

/* Puts a batch but one into the list, of whatever id the thread then has, and returns that one. */
static struct seq_node *refill(struct worker *w, struct pool *p)
{
	struct seq_node *node, *batch = NULL, *one;

	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i + 1 < p->batch && (node = pool_take(p)); i++) {
		node->next = batch;
		batch = node;
	}
	one = pool_take(p);
	pthread_mutex_unlock(&p->lock);
	while ((node = batch)) {
		batch = node->next;
		if (push(w, p, node) == SEQ_DONE)
			continue;
		pthread_mutex_lock(&p->lock);
		pool_give(p, node);
		pthread_mutex_unlock(&p->lock);
	}
	return one;
}

/* Gives @node and a batch off the list back to the pool. */
static void spill(struct worker *w, struct pool *p, struct seq_node *node)
{
	pthread_mutex_lock(&p->lock);
	pool_give(p, node);
	for (unsigned i = 0; i < p->batch && pop(w, p, &node) == SEQ_DONE; i++)
		pool_give(p, node);
	pthread_mutex_unlock(&p->lock);
}

static int allocate(struct worker *w, struct pool *p, struct holding *h)
{
	struct seq_node *node;
	struct object *o;

	if (pop(w, p, &node) != SEQ_DONE)
		node = refill(w, p);
	if (!node)
		return worker_fail(w, "vcpu: %u bytes for objects: %s", CHUNK, strerror(errno));
	o = (struct object *)node;
	/* Two threads that had one list at the same time hand out an object twice, or lose some. */
	w->counter[COUNT_NOT_UNIQUE] += o->owner != 0;
	o->owner = w->index + 1;
	h->object[h->n++] = o;
	return 0;
}

static void release(struct worker *w, struct pool *p, struct holding *h, unsigned which)
{
	struct object *o = h->object[which];

	h->object[which] = h->object[--h->n];
	w->counter[COUNT_NOT_UNIQUE] += o->owner != w->index + 1;
	o->owner = 0;
	if (push(w, p, &o->node) != SEQ_DONE)
		spill(w, p, &o->node);
}

/* ---- the load ----------------------------------------------------------------------------------
 */

int vcpu_hop(struct worker *w, const struct vcpu *v)
{
	const unsigned *cpu = v->set.n ? v->set.cpu : v->machine.cpu;
	unsigned n = v->set.n ? v->set.n : v->machine.ncpus;

	/* A CPU that has gone off line, or left the cpuset, is no mistake. */
	if (pin_self(cpu[worker_random(w) % n]) && errno != EINVAL)
		return worker_fail(w, "vcpu: moving to another CPU: %s", strerror(errno));
	return 0;
}

static int check_ids(struct worker *w, struct vcpu *v, struct holding *h)
{
	struct ids_look look = ids_look(&v->ids, ids_token(w->index + 1, h->looks++), CHECK_ROUNDS);

	w->counter[COUNT_RESTARTS] += look.restarts;
	w->counter[COUNT_NOT_UNIQUE] += look.fault == IDS_NOT_UNIQUE;
	w->counter[COUNT_NODE] += look.fault == IDS_NODE_CHANGED || look.fault == IDS_NODE_WRONG;
	if (look.fault == IDS_OUT_OF_RANGE) {
		char text[200];

		ids_describe(&v->ids, &look, text, sizeof(text));
		return worker_fail(w, "vcpu: %s", text);
	}
	return 0;
}

static int one_operation(struct worker *w, struct pool *p, struct holding *h)
{
	uint64_t random = worker_random(w);

	if (!h->n || (h->n < p->hold && random & 1))
		return allocate(w, p, h);
	release(w, p, h, (random >> 1) % h->n);
	return 0;
}

static int vcpu_run(struct worker *w)
{
	struct vcpu *v = w->run->priv;
	struct holding *h = w->priv;
	struct pool *p = v->pool;

	while (worker_continues(w)) {
		if (one_operation(w, p, h))
			return -1;
		worker_lap(w);
		worker_count(w, 1);
		if (w->ops % CHECK_EVERY == 0 && check_ids(w, v, h))
			return -1;
		if (p->wander && w->ops % p->wander == 0 && vcpu_hop(w, v))
			return -1;
	}
	while (h->n)
		release(w, p, h, h->n - 1);
	return 0;
}

static int vcpu_verify(struct worker *w)
{
	return stress_run(w);
}

static int restrict_self(struct worker *w, const struct cpus *set)
{
	cpu_set_t *mask = CPU_ALLOC(SEQ_IDS);
	size_t size = CPU_ALLOC_SIZE(SEQ_IDS);
	int ret;

	if (!mask)
		return worker_fail(w, "out of memory");
	CPU_ZERO_S(size, mask);
	for (unsigned i = 0; i < set->n; i++)
		CPU_SET_S(set->cpu[i], size, mask);
	ret = sched_setaffinity(0, size, mask);
	CPU_FREE(mask);
	return ret ? worker_fail(w, "--cpuset: %s", strerror(errno)) : 0;
}

static int vcpu_begin(struct worker *w)
{
	struct vcpu *v = w->run->priv;
	struct holding *h = calloc(1, sizeof(*h));

	w->priv = h;
	if (h)
		h->object = calloc(v->pool->hold, sizeof(struct object *));
	if (!h || !h->object)
		return worker_fail(w, "out of memory");
	return v->set.n && restrict_self(w, &v->set) ? -1 : 0;
}

static void vcpu_end(struct worker *w)
{
	struct holding *h = w->priv;

	free(h->object);
	free(h);
}

static int pool_setup(struct run *run, struct vcpu *v)
{
	struct pool *p = v->pool = run_alloc(run, sizeof(*p));

	if (!p)
		return -1;
	pthread_mutex_init(&p->lock, NULL);
	p->size = (run_uint(run, "size") + 15) & ~(size_t)15;
	p->batch = run_uint(run, "batch");
	p->hold = run_uint(run, "hold");
	p->wander = run_uint(run, "wander");
	if (p->wander && run->worker[0].cpu >= 0)
		return run_bad_param(run,
			"--wander %llu: not with --pin, which keeps workers in place",
			(unsigned long long)p->wander);
	return 0;
}

static int set_setup(struct run *run, struct vcpu *v)
{
	const char *text = run_text(run, "cpuset");
	struct error err;

	if (pin_resolve(text, &v->set, &err)) {
		/* It speaks of --pin, which takes the same lists. */
		const char *why = strstr(err.text, ": ");

		return run_bad_param(run, "--cpuset %s%s", text, why ? why : "");
	}
	if (v->set.n && run->worker[0].cpu >= 0)
		return run_bad_param(run, "--cpuset %s: not with --pin", text);
	return 0;
}

static int vcpu_setup(struct run *run)
{
	bool verify = run_choice(run, "verify");
	unsigned workers = run_uint(run, "workers");
	struct vcpu *v = run_alloc(run, sizeof(*v));

	if (!v)
		return -1;
	run->priv = v;
	if (!verify && (run_given(run, "disturb") || run_given(run, "expect")))
		return run_bad_param(run, "--disturb and --expect go with --verify");
	if (!verify && run_choice(run, "index") == IDS_BY_NODE)
		return run_bad_param(run, "--index node_id: with --verify alone, which must then "
					  "fail: threads share it");
	v->offset = ids_offset(run, run_choice(run, "index"));
	if (v->offset < 0 || ids_machine(run, &v->machine) || set_setup(run, v) ||
		pool_setup(run, v))
		return -1;
	if (verify)
		return stress_setup(run, v, workers);
	/* Packing is a matter of --verify; the load counts lists. */
	return ids_open(&v->ids, &v->machine, v->offset, UINT32_MAX)
		       ? run_fail(run, "out of memory")
		       : 0;
}

static const struct figure vcpu_figures[] = {
	{"ids_seen", "ids whose list was used"},
	{"id_max", "the greatest of them"},
	{"cached_bytes", "memory that lies free in lists at the end"},
	{"arena_bytes", "memory taken from the system for objects"},
	{"uniqueness_violations", "times that two threads had one id at the same moment"},
	{"node_violations", "times that an id was seen on a second node, or with a wrong one"},
	{"restarts_per_op", "sequences begun again"},
	{"moves", "of --verify: changes of affinity"},
	{"forks", "of --verify: processes"},
	{"execs", "of --verify: programs"},
	{"threads", "of --verify: short-lived threads"},
	{"borrowings", "of --verify: requests to kernel threads"},
	{"cpusets", "of --verify: changes of cpuset"},
	{"hotplugs", "of --verify: CPUs taken off line"},
	{.name = NULL},
};

static void vcpu_report(const struct run *run, double *value)
{
	const struct vcpu *v = run->priv;
	const struct pool *p = v->pool;
	uint64_t counter[WORKER_COUNTERS] = {0}, ops = 0, used = 0, cached = 0;
	unsigned max = 0;

	for (unsigned i = 0; i < run->nworkers; i++) {
		ops += run->worker[i].ops;
		for (unsigned k = 0; k < WORKER_COUNTERS; k++)
			counter[k] += run->worker[i].counter[k];
	}
	for (unsigned id = 0; id < SEQ_IDS; id++) {
		const struct seq_list *list = &p->list[id];

		used += list->used;
		max = list->used ? id : max;
		cached += list->head ? list->head->depth * p->size : 0;
	}
	value[0] = used;
	value[1] = max;
	value[2] = cached;
	value[3] = p->bytes;
	value[4] = counter[COUNT_NOT_UNIQUE];
	value[5] = counter[COUNT_NODE];
	value[6] = ops ? (double)counter[COUNT_RESTARTS] / ops : 0;
	for (unsigned i = 7; i < ARRAY_SIZE(vcpu_figures) - 1; i++)
		value[i] = NAN;
	if (v->stress) {
		/* It uses no lists, and ends at the first violation. */
		for (unsigned i = 0; i < 7; i++)
			value[i] = NAN;
		stress_report(v->stress, value + 7);
	}
}

static void vcpu_teardown(struct run *run)
{
	struct vcpu *v = run->priv;

	if (!v)
		return;
	if (v->stress)
		stress_teardown(v->stress);
	pin_free(&v->set);
}

static const char *const choices_disturb[] = {"none", "process", "machine", NULL};
static const char *const choices_expect[] = {"all", "unique", NULL};

static const struct param vcpu_params[] = {
	PARAM_WORKERS_DEFAULT("4"),
	PARAM_ROW("index", PARAM_CHOICE, "vm_vcpu_id", 0, 0, choices_index,
		"what free lists go by, of struct rseq; node_id: for a --verify that must fail"),
	PARAM_ROW("cpuset", PARAM_CPUS, "none", 0, 0, NULL,
		"CPUs that all workers may run on; none: all"),
	PARAM_ROW("wander", PARAM_UINT, "0", 0, UINT64_C(1) << 40, NULL,
		"operations of a worker between moves to a CPU drawn at random; 0: left to the "
		"scheduler"),
	PARAM_ROW("hold", PARAM_UINT, "64", 1, 65536, NULL,
		"objects that a worker holds at most; how many it has is a random walk"),
	PARAM_ROW("batch", PARAM_UINT, "32", 1, 4096, NULL,
		"objects that an empty list is filled with; a list holds twice as many"),
	PARAM_ROW("size", PARAM_UINT, "64", 32, 4096, NULL, "bytes of an object"),
	PARAM_ROW("disturb", PARAM_CHOICE, "process", 0, 0, choices_disturb,
		"with --verify: nothing; what a process can do; CPUs off line and cpusets as well, "
		"as "
		"root"),
	PARAM_ROW("expect", PARAM_CHOICE, "all", 0, 0, choices_expect,
		"with --verify: all that rseq-vcpu-id promises, or unique ids alone, as Linux 6.3 "
		"does"),
	PARAM_LATENCY_DEFAULT("off"),
	{.name = NULL},
};

WORKLOAD(vcpu) = {
	.name = "vcpu",
	.summary = "free lists by CPU or by virtual CPU id, used in restartable sequences",
	.same_as = "tcmalloc's per-CPU caches",
	.params = vcpu_params,
	.figures = vcpu_figures,
	.setup = vcpu_setup,
	.begin = vcpu_begin,
	.run = vcpu_run,
	.verify = vcpu_verify,
	.end = vcpu_end,
	.report = vcpu_report,
	.teardown = vcpu_teardown,
};
