// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Workers go from CPU to CPU and change what belongs to each, while users, threads that stay
 * where the scheduler has them, change the data of the CPU that they are on, in restartable
 * sequences. One operation is the visit of one CPU's data. By which right a worker changes them is
 * the method: paired with the CPU, there by affinity, under a lock that users then take as well,
 * or none.
 *
 * A change is a count, which takes its time between load and store. Counts that are missing in the
 * end are updates lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rseq_cs.h"
#include "workload.h"

#define NR_SCHED_PAIR_CPU 548
#define NR_SCHED_SETAFFINITY2 549
#define PAIR_SET 1
#define PAIR_CLEAR 2
#define AFFINITY_OFFLINE 1

#define CLAIM_ROUNDS 300

enum method { METHOD_PAIR, METHOD_AFFINITY, METHOD_AFFINITY2, METHOD_LOCK, METHOD_NONE };

/* The data of one CPU. */
struct place {
	uint64_t count;
	pthread_mutex_t lock; /* for METHOD_LOCK */
} __attribute__((aligned(128)));

/* What one worker has done in all runs, as the places have not forgotten the warm-up either. */
struct tally {
	uint64_t changes, restarts, refused, visits, hotplugs;
	uint32_t target; /* CPU that a worker visits */
	cpu_set_t home;	 /* where it may run otherwise */
} __attribute__((aligned(128)));

struct load {
	enum method method;
	unsigned workers, users, cpus;
	uint32_t burst, delay;
	struct place *place;  /* by CPU */
	struct seq_slot *slot; /* likewise, for --verify */
	struct tally *tally;  /* by worker */
};

/* Adds one to the count of the CPU whose number lies at @index. */
/* clang-format off */
static inline enum seq seq_count(struct place *place, const char *index, uint32_t delay)
{
	uint32_t ret;

	asm volatile(SEQ_BEGIN
		"movl (%[index]), %%eax\n\t"
		"shlq $7, %%rax\n\t"
		"addq %[place], %%rax\n\t"
		"movq (%%rax), %%rcx\n\t"
		"movl %[delay], %%edx\n"
		"7:	decl %%edx\n\t"
		"jnz 7b\n\t"
		"incq %%rcx\n\t"
		"movq %%rcx, (%%rax)\n"
		"2:\n\t"
		SEQ_END
		: [ret] "=&r"(ret)
		: [area] "r"(seq_area()), [index] "r"(index), [place] "r"(place),
		  [delay] "r"(delay)
		: "rax", "rcx", "rdx", "memory", "cc");
	return ret;
}
/* clang-format on */

static const char *here(void)
{
	return seq_area() + RSEQ_OFFSET_CPU;
}

static uint32_t cpu_at(const char *index)
{
	return *(const volatile uint32_t *)index;
}

/* Under the lock of that CPU's data. The thread may be elsewhere by then, which does not matter. */
static void locked_count(struct load *l, const char *index)
{
	struct place *p = &l->place[cpu_at(index)];
	uint64_t count;

	pthread_mutex_lock(&p->lock);
	count = p->count;
	for (uint32_t i = 0; i < l->delay; i++)
		__asm__ volatile("");
	p->count = count + 1;
	pthread_mutex_unlock(&p->lock);
}

static void change(struct load *l, struct tally *t, const char *index)
{
	if (l->method == METHOD_LOCK)
		locked_count(l, index);
	else
		while (seq_count(l->place, index, l->delay) != SEQ_DONE)
			t->restarts++;
	t->changes++;
}

/* Claims the data instead of changing them; two that do so at the same time find out. */
static int claim(struct worker *w, struct load *l, struct tally *t, const char *index)
{
	uint64_t token = (uint64_t)(w->index + 1) << 48 | ++t->changes;
	struct seq_view view;
	struct place *p = l->method == METHOD_LOCK ? &l->place[cpu_at(index)] : NULL;
	uint32_t locked = p ? p - l->place : 0;
	enum seq ret;

	if (p) {
		pthread_mutex_lock(&p->lock);
		index = (const char *)&locked;
	}
	while ((ret = seq_claim(l->slot, index, token, CLAIM_ROUNDS, &view)) == SEQ_ABORTED)
		t->restarts++;
	if (p)
		pthread_mutex_unlock(&p->lock);
	if (ret == SEQ_DONE)
		return 0;
	return worker_fail(w,
		"paircpu: thread %u was changing the data of CPU %u, and so was thread %u at the same "
		"time",
		w->index, view.id, (unsigned)(view.owner >> 48) - 1);
}

static long pair_cpu(int cmd, int cpu)
{
	return syscall(NR_SCHED_PAIR_CPU, cmd, 0, cpu);
}

/* Gets a right to the data of t->target; 1: they cannot be had now. */
static int arrive(struct worker *w, const struct load *l, const struct tally *t)
{
	cpu_set_t set;
	long ret = 0;

	CPU_ZERO(&set);
	CPU_SET(t->target, &set);
	switch (l->method) {
	case METHOD_PAIR:
		ret = pair_cpu(PAIR_SET, t->target);
		break;
	case METHOD_AFFINITY:
		ret = sched_setaffinity(0, sizeof(set), &set);
		break;
	case METHOD_AFFINITY2:
		ret = syscall(NR_SCHED_SETAFFINITY2, 0, sizeof(set), &set, AFFINITY_OFFLINE);
		break;
	default:
		break;
	}
	if (!ret)
		return 0;
	if (l->method == METHOD_AFFINITY && errno == EINVAL)
		return 1;
	return worker_fail(w, "paircpu: CPU %u: %s", t->target, strerror(errno));
}

static int leave(struct worker *w, const struct load *l, const struct tally *t)
{
	if (l->method == METHOD_PAIR && pair_cpu(PAIR_CLEAR, t->target))
		return worker_fail(
			w, "paircpu: no longer paired with CPU %u: %s", t->target, strerror(errno));
	return 0;
}

static int worker_loop(struct worker *w, struct load *l, struct tally *t, bool verify)
{
	while (worker_continues(w)) {
		int ret;

		t->target = (t->target + 1) % l->cpus;
		ret = arrive(w, l, t);
		if (ret < 0)
			return -1;
		if (ret) {
			t->refused++;
			continue;
		}
		for (uint32_t i = 0; i < l->burst; i++) {
			if (!verify)
				change(l, t, (const char *)&t->target);
			else if (claim(w, l, t, (const char *)&t->target))
				return -1;
		}
		if (leave(w, l, t))
			return -1;
		t->visits++;
		worker_lap(w);
		worker_count(w, 1);
	}
	return 0;
}

static int user_loop(struct worker *w, struct load *l, struct tally *t, bool verify)
{
	while (worker_continues(w)) {
		if (!verify)
			change(l, t, here());
		else if (claim(w, l, t, here()))
			return -1;
	}
	return 0;
}

static int online_write(unsigned cpu, bool online)
{
	char path[80];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = write(fd, online ? "1" : "0", 1) == 1 ? 0 : -1;
	close(fd);
	return ret;
}

/* Takes one CPU after the other off line for some milliseconds, but the first. */
static int hotplug_loop(struct worker *w, const struct load *l, struct tally *t)
{
	while (worker_continues(w)) {
		unsigned cpu = 1 + t->hotplugs % (l->cpus - 1);

		if (online_write(cpu, false)) {
			/* The next one may be that can. */
			usleep(1000);
			t->hotplugs++;
			continue;
		}
		usleep(worker_random(w) % 20000);
		/* A CPU that does not come back at once (EBUSY) must do so in the end. */
		for (unsigned tries = 0; online_write(cpu, true); tries++) {
			if (tries == 1000)
				return worker_fail(w, "paircpu: CPU %u does not come back: %s", cpu,
					strerror(errno));
			usleep(1000);
		}
		t->hotplugs++;
		usleep(worker_random(w) % 20000);
	}
	return 0;
}

static int paircpu_loop(struct worker *w, bool verify)
{
	struct load *l = w->run->priv;
	struct tally *t = &l->tally[w->index];
	int ret;

	if (w->index >= l->workers + l->users)
		return hotplug_loop(w, l, t);
	if (w->index >= l->workers)
		return user_loop(w, l, t, verify);
	ret = worker_loop(w, l, t, verify);
	/* Where the affinity methods have not left it. */
	sched_setaffinity(0, sizeof(t->home), &t->home);
	return ret;
}

static int paircpu_run(struct worker *w)
{
	return paircpu_loop(w, false);
}

static int paircpu_verify(struct worker *w)
{
	return paircpu_loop(w, true);
}

static int paircpu_begin(struct worker *w)
{
	struct load *l = w->run->priv;
	struct tally *t = &l->tally[w->index];

	/* Workers begin their rounds apart from each other. */
	t->target = (uint64_t)w->index * l->cpus / l->workers % l->cpus;
	if (sched_getaffinity(0, sizeof(t->home), &t->home))
		return worker_fail(w, "paircpu: sched_getaffinity: %s", strerror(errno));
	return 0;
}

/* Whether this kernel has what the method takes. */
static int check_method(struct run *run, enum method method)
{
	errno = 0;
	if (method == METHOD_PAIR && pair_cpu(0, 0) != (PAIR_SET | PAIR_CLEAR))
		return run_skip(run, "--method pair: the kernel has no sched_pair_cpu()");
	if (method == METHOD_AFFINITY2 &&
		(syscall(NR_SCHED_SETAFFINITY2, 0, 0, NULL, ~0U) != -1 || errno != EINVAL))
		return run_skip(run, "--method setaffinity2: the kernel has no sched_setaffinity2()");
	if (!__rseq_size)
		return run_skip(run, "no struct rseq: the kernel lacks rseq(2), or libc does not use it");
	return 0;
}

static int check_hotplug(struct run *run, unsigned cpus)
{
	for (unsigned cpu = 1; cpu < cpus; cpu++) {
		char path[80];

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
		if (!access(path, W_OK))
			return 0;
	}
	return run_skip(run, "--hotplug: no CPU that can be taken off line by this user");
}

static int paircpu_setup(struct run *run)
{
	bool hotplug = run_choice(run, "hotplug");
	struct load *l = run_alloc(run, sizeof(*l));
	unsigned all;

	if (!l)
		return -1;
	run->priv = l;
	l->method = run_choice(run, "method");
	l->workers = run_uint(run, "workers");
	l->burst = run_uint(run, "burst");
	l->delay = run_uint(run, "delay");
	l->cpus = sysconf(_SC_NPROCESSORS_CONF);
	l->users = run_uint(run, "users") ? run_uint(run, "users") : l->cpus;
	if (l->cpus > CPU_SETSIZE)
		return run_skip(run, "more than %d CPUs", CPU_SETSIZE);
	if (check_method(run, l->method) || (hotplug && check_hotplug(run, l->cpus)))
		return -1;
	all = l->workers + l->users + hotplug;
	if (run_workers(run, all, 0))
		return -1;
	for (unsigned i = l->workers; i < all; i++)
		run->worker[i].role = ROLE_BACKGROUND;
	l->place = run_alloc(run, l->cpus * sizeof(*l->place));
	l->slot = run_alloc(run, l->cpus * sizeof(*l->slot));
	l->tally = run_alloc(run, all * sizeof(*l->tally));
	if (!l->place || !l->slot || !l->tally)
		return -1;
	for (unsigned i = 0; i < l->cpus; i++)
		pthread_mutex_init(&l->place[i].lock, NULL);
	return 0;
}

static const struct figure paircpu_figures[] = {
	{"lost_updates", "changes that were made and are not there"},
	{"changes_per_user_op", "changes by users for each visit"},
	{"restarts_per_change", "sequences begun again"},
	{"refused_per_op", "visits that could not be made, the CPU being off line"},
	{"hotplugs", "times that a CPU was taken off line, or could not be"},
	{.name = NULL},
};

static void paircpu_report(const struct run *run, double *value)
{
	const struct load *l = run->priv;
	struct tally sum = {.changes = 0};
	uint64_t by_users = 0, found = 0;

	for (unsigned i = 0; i < run->nworkers; i++) {
		const struct tally *t = &l->tally[i];

		sum.changes += t->changes;
		sum.restarts += t->restarts;
		sum.refused += t->refused;
		sum.visits += t->visits;
		sum.hotplugs += t->hotplugs;
		by_users += i >= l->workers ? t->changes : 0;
	}
	for (unsigned i = 0; i < l->cpus; i++)
		found += l->place[i].count;
	/* --verify changes nothing, and ends at the first mistake. */
	value[0] = run_choice(run, "verify") ? NAN : (double)(sum.changes - found);
	value[1] = sum.visits ? (double)by_users / sum.visits : NAN;
	value[2] = sum.changes ? (double)sum.restarts / sum.changes : NAN;
	value[3] = sum.visits ? (double)sum.refused / sum.visits : NAN;
	value[4] = run_choice(run, "hotplug") ? sum.hotplugs : NAN;
}

static const char *const choices_method[] = {
	"pair", "setaffinity", "setaffinity2", "lock", "none", NULL};

static const struct param paircpu_params[] = {
	PARAM_WORKERS_DEFAULT("1"),
	PARAM_ROW("users", PARAM_UINT, "0", 0, 4096, NULL,
		"threads that change the data of the CPU that they are on; 0: one for each CPU"),
	PARAM_ROW("method", PARAM_CHOICE, "pair", 0, 0, choices_method,
		"how workers get at the data of a CPU"),
	PARAM_ROW("burst", PARAM_UINT, "10", 1, 1000000, NULL, "changes in one visit"),
	PARAM_ROW("delay", PARAM_UINT, "50", 1, 1000000, NULL,
		"turns of an empty loop between load and store of a change"),
	PARAM_ROW("hotplug", PARAM_CHOICE, "off", 0, 0, choices_off_on,
		"CPUs go off line and come back meanwhile, as root"),
	PARAM_LATENCY_DEFAULT("on"),
	{.name = NULL},
};

WORKLOAD(paircpu) = {
	.name = "paircpu",
	.summary = "changes of other CPUs' data: paired with them, by affinity, by a lock",
	.same_as = "the sched_pair_cpu posting's use",
	.params = paircpu_params,
	.figures = paircpu_figures,
	.setup = paircpu_setup,
	.begin = paircpu_begin,
	.run = paircpu_run,
	.verify = paircpu_verify,
	.report = paircpu_report,
};
