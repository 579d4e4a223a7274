// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vcpu --verify: threads that look at their ids all the time, and others that try to make those
 * wrong.
 *
 * The active workers are threads of the main process. Beside them one background worker for each
 * kind of disturbance counts, as its operations, what it did: it moves the active ones about;
 * starts processes of a few threads, in which packing can be judged sharply; starts programs;
 * starts threads that end at once; has kernel threads use the address space. What a process cannot
 * do to itself is done from outside (vcpu_machine.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vcpu.h"
#include "vcpu_borrow.h"
#include "vcpu_machine.h"

#define MAX_ROUNDS 512	  /* reads of one look; long enough for two threads to meet */
#define PROCESS_THREADS 4 /* at most, of a process that the forker starts */
#define BURST 8		  /* threads that live at the same time for a few looks */
#define STACK (64 << 10)

struct stress {
	struct vcpu *v;
	unsigned active; /* workers that are not background */
	enum disturb disturb;
	bool all; /* all promises are held against the kernel, not uniqueness alone */
	struct disturber *machine;
	const struct run *run;
	pid_t tid[]; /* of the active workers; 0: not there yet */
};

/* A thread that looks at its id, in whatever process. */
struct walker {
	struct worker *w; /* who takes its failure */
	const struct stress *s;
	struct ids *ids;
	const char *where; /* kind of process, for messages */
	uint64_t random;
	uint32_t looks, tid;
	bool *stop; /* NULL: it ends after a number of looks */
};

static uint64_t draw(uint64_t *state)
{
	/* An LCG (Knuth's MMIX); its high bits are the good ones. */
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return *state >> 33;
}

/* ---- looking -----------------------------------------------------------------------------------
 */

static int look(struct walker *k)
{
	struct ids_look l =
		ids_look(k->ids, ids_token(k->tid, k->looks++), 1 + draw(&k->random) % MAX_ROUNDS);
	char text[200];

	if (l.fault == IDS_FINE)
		return 0;
	ids_describe(k->ids, &l, text, sizeof(text));
	return worker_fail(k->w, "vcpu: in %s: %s", k->where, text);
}

static void nap(unsigned us)
{
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* A mask of CPUs: one of them, any of them, or all. */
static int set_random_affinity(pid_t tid, const struct ids_machine *m, uint64_t *random)
{
	cpu_set_t *mask = CPU_ALLOC(SEQ_IDS);
	size_t size = CPU_ALLOC_SIZE(SEQ_IDS);
	unsigned kind = draw(random) % 4;
	int ret;

	if (!mask)
		return -1;
	CPU_ZERO_S(size, mask);
	for (unsigned i = 0; i < m->ncpus; i++)
		if (kind == 0 || (kind == 1 && draw(random) % 2))
			CPU_SET_S(m->cpu[i], size, mask);
	CPU_SET_S(m->cpu[draw(random) % m->ncpus], size, mask);
	ret = sched_setaffinity(tid, size, mask);
	CPU_FREE(mask);
	/* CPUs off line or out of the cpuset, and a thread that has ended, are no mistakes. */
	return ret && (errno == EINVAL || errno == ESRCH) ? 0 : ret;
}

/* What a thread does to itself between two looks: mostly nothing. */
static int divert(struct walker *k)
{
	switch (draw(&k->random) % 32) {
	case 0:
		if (set_random_affinity(0, &k->s->v->machine, &k->random))
			return worker_fail(k->w, "vcpu: affinity: %s", strerror(errno));
		return 0;
	case 1:
		sched_yield();
		return 0;
	case 2:
		nap(draw(&k->random) % 100);
		return 0;
	default:
		return 0;
	}
}

static int walk(struct walker *k, unsigned looks)
{
	k->tid = gettid();
	for (unsigned i = 0; i < looks; i++)
		if (look(k) || divert(k))
			return -1;
	return 0;
}

static void *walk_for_a_while(void *arg)
{
	struct walker *k = arg;

	return walk(k, 1 + draw(&k->random) % 64) ? k : NULL;
}

static void *walk_until_stopped(void *arg)
{
	struct walker *k = arg;

	while (!__atomic_load_n(k->stop, __ATOMIC_RELAXED))
		if (walk(k, 16))
			return k;
	return NULL;
}

/* Threads that run @body; returns how many there are now, which is fewer than @n without memory. */
static unsigned start_threads(
	pthread_t *thread, struct walker *k, unsigned n, void *(*body)(void *))
{
	pthread_attr_t attr;
	unsigned i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	for (i = 0; i < n; i++)
		if (pthread_create(&thread[i], &attr, body, &k[i]))
			break;
	pthread_attr_destroy(&attr);
	return i;
}

static int join_threads(pthread_t *thread, unsigned n)
{
	int ret = 0;

	for (unsigned i = 0; i < n; i++) {
		void *failed;

		pthread_join(thread[i], &failed);
		ret |= failed ? -1 : 0;
	}
	return ret;
}

/* ---- disturbances ------------------------------------------------------------------------------
 */

static int move_step(struct worker *w, struct stress *s)
{
	pid_t tid = __atomic_load_n(&s->tid[worker_random(w) % s->active], __ATOMIC_RELAXED);

	if (tid && set_random_affinity(tid, &s->v->machine, &w->random))
		return worker_fail(w, "vcpu: affinity of a thread: %s", strerror(errno));
	nap(worker_random(w) % 200);
	worker_count(w, 1);
	return 0;
}

static void init_walkers(struct walker *k, unsigned n, struct worker *w, const struct stress *s,
	struct ids *ids, const char *where)
{
	for (unsigned i = 0; i < n; i++)
		k[i] = (struct walker){
			.w = w, .s = s, .ids = ids, .where = where, .random = worker_random(w)};
}

/* Many short lives: each takes an id, and gives it back as it ends. */
static int burst_step(struct worker *w, struct stress *s)
{
	struct walker k[BURST];
	pthread_t thread[BURST];
	unsigned n = 1 + worker_random(w) % BURST;

	init_walkers(k, n, w, s, &s->v->ids, "a short-lived thread");
	n = start_threads(thread, k, n, walk_for_a_while);
	worker_count(w, n);
	return join_threads(thread, n);
}

/*
 * One process of @threads threads: alone at first, which is the case without a bit in any mask;
 * then they are several, which must change nothing of what was seen; then it is alone again.
 */
static int process_main(struct worker *w, const struct stress *s, unsigned threads)
{
	struct walker k[PROCESS_THREADS];
	pthread_t thread[PROCESS_THREADS];
	struct ids ids;
	int ret;

	if (ids_open(&ids, &s->v->machine, s->v->offset, s->all ? threads : UINT_MAX))
		return worker_fail(w, "out of memory");
	ids.keep_nodes = s->all;
	init_walkers(k, threads, w, s, &ids,
		threads == 1   ? "a process of 1 thread"
		: threads == 2 ? "a process of 2 threads"
			       : "a process of a few threads");
	ret = walk(&k[0], 64);
	if (!ret && threads > 1) {
		unsigned n = start_threads(thread, k + 1, threads - 1, walk_for_a_while);

		ret = walk(&k[0], 64);
		ret |= join_threads(thread, n);
	}
	return ret ? ret : walk(&k[0], 64);
}

/* In a child: dies with the thread that started it, and shares nothing that it must not change. */
static void begin_child(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static int fork_step(struct worker *w, struct stress *s)
{
	pid_t child[3], parent = getpid();
	unsigned n = 1 + worker_random(w) % ARRAY_SIZE(child), made;
	int ret = 0, status;

	for (made = 0; made < n; made++) {
		uint64_t random = worker_random(w);

		child[made] = fork();
		if (child[made] < 0)
			break;
		if (child[made])
			continue;
		begin_child(parent);
		/* The worker is shared memory: the child draws from a copy. */
		struct worker own = *w;

		own.random = random;
		if (random % 8 == 0)
			_exit(0);
		_exit(process_main(&own, s, 1 + random % PROCESS_THREADS) ? 1 : 0);
	}
	for (unsigned i = 0; i < made; i++)
		if (waitpid(child[i], &status, 0) != child[i] || status)
			ret = worker_fail(w, "vcpu: a process of the test ended with status %#x",
				(unsigned)status);
	worker_count(w, made);
	return ret;
}

/* ---- programs ----------------------------------------------------------------------------------
 */

extern char **environ;

#define PROGRAM "/proc/self/exe"

struct program {
	char seed[24], workers[8];
	const char *argv[18];
};

/* This program with a short test of its own. */
static void make_program(struct program *p, struct worker *w, const struct stress *s)
{
	const char *const argv[] = {"kab-workload", "run", "vcpu", "--verify", "--disturb", "none",
		"--index", ids_name(&s->v->ids), "--expect", s->all ? "all" : "unique",
		"--duration", "10ms", "--workers", p->workers, "--seed", p->seed, NULL};

	snprintf(p->seed, sizeof(p->seed), "%u", (unsigned)worker_random(w));
	snprintf(p->workers, sizeof(p->workers), "%u", (unsigned)(1 + worker_random(w) % 4));
	memcpy(p->argv, argv, sizeof(argv));
}

struct exec_arg {
	const struct program *p;
	int out;
};

static void exec_program(const struct program *p, int out)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execv(PROGRAM, (char *const *)p->argv);
	_exit(127);
}

static void *exec_thread(void *arg)
{
	const struct exec_arg *e = arg;

	exec_program(e->p, e->out);
	return NULL;
}

/* In a child: makes threads that run on, then replaces them all; by the first thread or by the
 * second one. */
static void exec_among_threads(
	struct worker *w, const struct stress *s, const struct program *p, int out, bool by_second)
{
	struct exec_arg e = {p, out};
	struct walker k[2];
	pthread_t thread[2], second;
	bool stop = false;
	struct ids ids;

	if (ids_open(&ids, &s->v->machine, s->v->offset, UINT_MAX))
		_exit(126);
	ids.keep_nodes = s->all;
	init_walkers(k, 2, w, s, &ids, "a process before exec");
	k[0].stop = k[1].stop = &stop;
	start_threads(thread, k, 2, walk_until_stopped);
	nap(worker_random(w) % 1000);
	if (!by_second || pthread_create(&second, NULL, exec_thread, &e))
		exec_program(p, out);
	for (;;)
		pause();
}

static pid_t spawn_program(const struct program *p, int out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int ret;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	ret = posix_spawn(&pid, PROGRAM, &actions, NULL, (char *const *)p->argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	errno = ret;
	return ret ? -1 : pid;
}

/* posix_spawn lets the child use this address space until it has the new one. */
static pid_t start_program(struct worker *w, struct stress *s, const struct program *p, int out)
{
	unsigned kind = worker_random(w) % 4;
	pid_t parent = getpid(), pid;
	struct worker own;

	if (kind == 0)
		return spawn_program(p, out);
	own = *w;
	pid = fork();
	if (pid)
		return pid;
	begin_child(parent);
	if (kind == 1)
		exec_program(p, out);
	exec_among_threads(&own, s, p, out, kind == 3);
	return 0;
}

static int exec_step(struct worker *w, struct stress *s)
{
	struct program p;
	char said[300] = "";
	int ends[2], status = 0;
	ssize_t n;
	pid_t pid;

	make_program(&p, w, s);
	if (pipe2(ends, O_CLOEXEC))
		return worker_fail(w, "vcpu: pipe: %s", strerror(errno));
	pid = start_program(w, s, &p, ends[1]);
	close(ends[1]);
	n = pid > 0 ? read(ends[0], said, sizeof(said) - 1) : 0;
	close(ends[0]);
	if (pid < 0)
		return worker_fail(w, "vcpu: a process: %s", strerror(errno));
	waitpid(pid, &status, 0);
	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	if (status)
		return worker_fail(
			w, "vcpu: after exec: wait status %#x: %s", (unsigned)status, said);
	worker_count(w, 1);
	return 0;
}

/* ---- kernel threads ----------------------------------------------------------------------------
 */

static int borrow_main(struct worker *w, struct stress *s)
{
	struct borrow b;
	int ret;

	(void)s;
	ret = borrow_open(w, &b);
	while (!ret && worker_continues(w)) {
		ret = borrow_step(w, &b, worker_random(w));
		worker_count(w, 1);
	}
	borrow_close(&b);
	return ret;
}

/* ---- the workers -------------------------------------------------------------------------------
 */

/* In the order of the figures. A step is short, since the run waits for the last one. */
static const struct {
	int (*step)(struct worker *w, struct stress *s);
} disturbances[] = {{move_step}, {fork_step}, {exec_step}, {burst_step}, {borrow_main}};

static int run_active(struct worker *w, struct stress *s)
{
	struct walker k = {.w = w,
		.s = s,
		.ids = &s->v->ids,
		.where = "the main process",
		.random = worker_random(w)};

	__atomic_store_n(&s->tid[w->index], gettid(), __ATOMIC_RELAXED);
	while (worker_continues(w)) {
		if (walk(&k, 1))
			return -1;
		worker_lap(w);
		worker_count(w, 1);
	}
	return 0;
}

int stress_run(struct worker *w)
{
	struct stress *s = ((struct vcpu *)w->run->priv)->stress;

	if (w->index < s->active)
		return run_active(w, s);
	while (worker_continues(w))
		if (disturbances[w->index - s->active].step(w, s))
			return -1;
	return 0;
}

int stress_setup(struct run *run, struct vcpu *v, unsigned active)
{
	struct stress *s = run_alloc(run, sizeof(*s) + active * sizeof(s->tid[0]));
	unsigned background;

	if (!s)
		return -1;
	*s = (struct stress){
		.v = v,
		.active = active,
		.disturb = run_choice(run, "disturb"),
		.all = run_choice(run, "expect") == 0,
		.run = run,
	};
	background = s->disturb == DISTURB_NONE ? 0 : ARRAY_SIZE(disturbances);
	if (run_workers(run, active + background, 0))
		return -1;
	for (unsigned i = active; i < active + background; i++)
		run->worker[i].role = ROLE_BACKGROUND;
	/* The main thread waits, but is one. With disturbances there may be any number. */
	if (ids_open(
		    &v->ids, &v->machine, v->offset, !background && s->all ? active + 1 : UINT_MAX))
		return run_fail(run, "out of memory");
	v->ids.keep_nodes = s->all;
	if (s->disturb == DISTURB_MACHINE) {
		s->machine = disturber_start(run, &v->machine);
		if (!s->machine)
			return -1;
	}
	v->stress = s;
	return 0;
}

void stress_report(const struct stress *s, double *value)
{
	for (unsigned i = 0; s->disturb != DISTURB_NONE && i < ARRAY_SIZE(disturbances); i++)
		*value++ = s->run->worker[s->active + i].ops;
	if (!s->machine)
		return;
	*value++ = disturber_cpusets(s->machine);
	*value++ = disturber_hotplugs(s->machine);
}

void stress_teardown(struct stress *s)
{
	if (s->machine)
		disturber_stop(s->machine);
}
