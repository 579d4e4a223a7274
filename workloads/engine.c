// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What all workloads share: workers as threads or processes, the start barrier, the end of a run,
 * and the sums.
 *
 * Everything lies in memory that is shared before the first worker exists, so that threads and
 * processes are treated alike. A worker announces itself at the barrier and sleeps on `go`; the
 * main process sleeps in sigtimedwait() until the last worker of a stage sends it SIGUSR1, a
 * process dies (SIGCHLD) or time is up, so that it takes no CPU time from the load and needs no
 * file descriptors. A run by time ends when the main process stores 0 into each worker's limit.
 * Workers die with the main process (PR_SET_PDEATHSIG, or as its threads).
 */
#include "engine.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mark.h"
#include "pin.h"

#define WORKER_STACK (256 << 10)

enum failure { FAILURE_NONE, FAILURE_BEING_WRITTEN, FAILURE_WRITTEN };

struct engine {
	struct run run;
	const struct params *params;
	int (*loop)(struct worker *w); /* the workload's run, or its verify */
	struct cpus pins;
	unsigned per_process; /* 0: all workers are threads of the main process */
	unsigned nactive;
	unsigned stages;  /* 2 with --warmup: it comes first */
	uint64_t set_ops; /* 0: the run ends by time */

	pid_t main_pid;
	pid_t *pid; /* one for each process of workers */
	unsigned processes;
	pthread_t *thread; /* one for each worker that is a thread of the main process */
	sigset_t wakeups;

	/* Written by workers, but only outside their loops. */
	uint32_t ready, active_done, done; /* workers so far, over all stages */
	uint32_t go;			   /* stage that may run; a futex */
	uint32_t failure;
	struct error error; /* valid once failure is FAILURE_WRITTEN */
};

static void *share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Failing: the first error of a run wins, and the main process learns of it at once. */

static int fail(struct engine *e, enum status status, const char *fmt, va_list ap)
{
	uint32_t none = FAILURE_NONE;

	if (!__atomic_compare_exchange_n(&e->failure, &none, FAILURE_BEING_WRITTEN, false,
		    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return -1;
	e->error.status = status;
	vsnprintf(e->error.text, sizeof(e->error.text), fmt, ap);
	__atomic_store_n(&e->failure, FAILURE_WRITTEN, __ATOMIC_RELEASE);
	kill(e->main_pid, SIGUSR1);
	return -1;
}

#define FAIL_FUNCTION(name, object, engine, status) \
	int name(object, const char *fmt, ...)      \
	{                                           \
		va_list ap;                         \
                                                    \
		va_start(ap, fmt);                  \
		fail(engine, status, fmt, ap);      \
		va_end(ap);                         \
		return -1;                          \
	}

FAIL_FUNCTION(run_fail, struct run *run, run->engine, STATUS_FAILED)
FAIL_FUNCTION(run_skip, struct run *run, run->engine, STATUS_SKIPPED)
FAIL_FUNCTION(run_bad_param, struct run *run, run->engine, STATUS_USAGE)
FAIL_FUNCTION(worker_fail, struct worker *w, w->run->engine, STATUS_FAILED)

/* What setup may ask for. */

static const struct value *value(const struct run *run, const char *name)
{
	const struct value *v = params_find(run->engine->params, name);

	/* A name that is in no table is a mistake in the workload's source. */
	assert(v);
	return v;
}

uint64_t run_uint(const struct run *run, const char *name)
{
	return value(run, name)->number;
}

unsigned run_choice(const struct run *run, const char *name)
{
	return value(run, name)->number;
}

const char *run_text(const struct run *run, const char *name)
{
	return value(run, name)->text;
}

bool run_threads(const struct run *run)
{
	const struct value *mode = params_find(run->engine->params, "mode");

	return !mode || !strcmp(mode->text, "thread");
}

bool run_given(const struct run *run, const char *name)
{
	return value(run, name)->given;
}

void *run_alloc(struct run *run, size_t size)
{
	void *p = share(size);

	if (!p)
		run_fail(run, "%zu bytes of shared memory: %s", size, strerror(errno));
	return p;
}

int run_open_files(struct run *run, unsigned count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return run_fail(run, "getrlimit: %s", strerror(errno));
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < count + 32)
		return run_fail(run, "%u open files are needed and the limit is %llu (ulimit -Hn)",
			count + 32, (unsigned long long)limit.rlim_max);
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < count + 32)
		limit.rlim_cur = count + 32;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return run_fail(run, "setrlimit: %s", strerror(errno));
	return 0;
}

void run_set_ops(struct run *run, uint64_t ops)
{
	run->engine->set_ops = ops;
}

int run_workers(struct run *run, unsigned workers, unsigned per_process)
{
	struct engine *e = run->engine;
	uint64_t seed = run_uint(run, "seed");

	run->worker = run_alloc(run, workers * sizeof(*run->worker));
	if (!run->worker)
		return -1;
	run->nworkers = workers;
	e->per_process = per_process;
	for (unsigned i = 0; i < workers; i++) {
		struct worker *w = &run->worker[i];

		w->run = run;
		w->index = i;
		w->cpu = e->pins.n ? (int)e->pins.cpu[i % e->pins.n] : -1;
		w->random = seed + ((uint64_t)i << 32);
	}
	return 0;
}

/* Workers. */

static void futex_wait(uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void futex_wake_all(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* One more worker came to the end of a part of a stage; the last one wakes the main process. */
static void announce(struct engine *e, uint32_t *count)
{
	if (__atomic_add_fetch(count, 1, __ATOMIC_ACQ_REL) % e->run.nworkers == 0)
		kill(e->main_pid, SIGUSR1);
}

static void barrier(struct engine *e, uint32_t stage)
{
	uint32_t go;

	announce(e, &e->ready);
	while ((go = __atomic_load_n(&e->go, __ATOMIC_ACQUIRE)) < stage)
		futex_wait(&e->go, go);
}

static void limit_workers(struct engine *e, enum role role, uint64_t limit)
{
	for (unsigned i = 0; i < e->run.nworkers; i++)
		if (e->run.worker[i].role == role)
			__atomic_store_n(&e->run.worker[i].limit, limit, __ATOMIC_RELAXED);
}

/* The fields of *@a that are reported, less those of *@b. */
static void usage_sub(struct rusage *a, const struct rusage *b)
{
	timersub(&a->ru_utime, &b->ru_utime, &a->ru_utime);
	timersub(&a->ru_stime, &b->ru_stime, &a->ru_stime);
	a->ru_nvcsw -= b->ru_nvcsw;
	a->ru_nivcsw -= b->ru_nivcsw;
	a->ru_minflt -= b->ru_minflt;
	a->ru_majflt -= b->ru_majflt;
}

static int worker_stage(struct worker *w, unsigned stage)
{
	struct engine *e = w->run->engine;
	struct rusage before;

	barrier(e, stage);
	getrusage(RUSAGE_THREAD, &before);
	w->lap_ns = clock_ns();
	__atomic_store_n(&w->start_ns, w->lap_ns, __ATOMIC_RELAXED);
	if (e->loop(w))
		return -1;
	w->end_ns = clock_ns();
	getrusage(RUSAGE_THREAD, &w->usage);
	usage_sub(&w->usage, &before);

	if (w->role == ROLE_ACTIVE &&
		__atomic_add_fetch(&e->active_done, 1, __ATOMIC_RELAXED) % e->nactive == 0)
		limit_workers(e, ROLE_BACKGROUND, 0);
	announce(e, &e->done);
	return 0;
}

static int worker_main(struct worker *w)
{
	const struct workload *workload = w->run->workload;
	struct engine *e = w->run->engine;
	int ret = 0;

	if (w->cpu >= 0 && pin_self(w->cpu))
		return worker_fail(w, "worker %u: CPU %d: %s", w->index, w->cpu, strerror(errno));
	/* Something else may decide where programs run, and say so to nobody. */
	if (w->cpu >= 0 && !pin_holds(w->cpu))
		return worker_fail(w,
			"worker %u was pinned to CPU %d, but does not run there alone", w->index,
			w->cpu);
	if (workload->begin && workload->begin(w))
		return worker_fail(w, "worker %u failed to begin", w->index);
	for (unsigned stage = 1; stage <= e->stages && !ret; stage++)
		ret = worker_stage(w, stage);
	if (ret)
		return worker_fail(w, "worker %u failed", w->index);
	if (workload->end)
		workload->end(w);
	return 0;
}

static void *worker_thread(void *arg)
{
	worker_main(arg);
	return NULL;
}

/* Makes threads of the @n workers from @w on; they are joined with join_threads(). */
static int make_threads(struct worker *w, unsigned n, pthread_t *thread)
{
	pthread_attr_t attr;
	int ret = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK);
	for (unsigned i = 0; i < n && !ret; i++)
		ret = pthread_create(&thread[i], &attr, worker_thread, &w[i]);
	pthread_attr_destroy(&attr);
	return ret ? run_fail(w->run, "thread: %s", strerror(ret)) : 0;
}

static void join_threads(pthread_t *thread, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
}

/* A process of @n workers from @w on: itself the worker, or the parent of threads. */
static int process_main(struct worker *w, unsigned n)
{
	struct engine *e = w->run->engine;
	pthread_t *thread;

	/* The second check is for a parent that died before the first line took effect. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != e->main_pid)
		return -1;
	if (n == 1)
		return worker_main(w);
	thread = calloc(n, sizeof(*thread));
	if (!thread)
		return worker_fail(w, "out of memory");
	if (make_threads(w, n, thread))
		return -1;
	join_threads(thread, n);
	free(thread);
	return 0;
}

/* The main process. */

static int start_processes(struct engine *e)
{
	unsigned n = e->run.nworkers / e->per_process;

	e->pid = calloc(n, sizeof(*e->pid));
	if (!e->pid)
		return run_fail(&e->run, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		struct worker *first = &e->run.worker[i * e->per_process];
		pid_t pid = fork();

		if (pid < 0)
			return run_fail(&e->run, "process %u of %u: %s", i + 1, n, strerror(errno));
		if (!pid)
			_exit(process_main(first, e->per_process) ? STATUS_FAILED : STATUS_OK);
		e->pid[i] = pid;
		e->processes = i + 1;
	}
	return 0;
}

static int start_threads(struct engine *e)
{
	e->thread = calloc(e->run.nworkers, sizeof(*e->thread));
	if (!e->thread)
		return run_fail(&e->run, "out of memory");
	return make_threads(e->run.worker, e->run.nworkers, e->thread);
}

/* Says how the process with wait status @status ended, unless it ended well. */
static int check_exit(struct engine *e, int status)
{
	if (WIFSIGNALED(status))
		return run_fail(&e->run, "a worker process was killed by signal %d (%s)",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return run_fail(
			&e->run, "a worker process exited with status %d", WEXITSTATUS(status));
	return 0;
}

static int reap_dead(struct engine *e)
{
	int status;

	while (waitpid(-1, &status, WNOHANG) > 0)
		if (check_exit(e, status))
			return -1;
	return 0;
}

/* Sleeps until SIGUSR1, SIGCHLD or @deadline_ns (0: none). */
static int sleep_until(struct engine *e, uint64_t deadline_ns)
{
	uint64_t now = deadline_ns ? clock_ns() : 0,
		 left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec t = {left / 1000000000, left % 1000000000};

	return sigtimedwait(&e->wakeups, NULL, deadline_ns ? &t : NULL);
}

enum waited { WAITED_ALL, WAITED_TIME, WAITED_FAILURE };

/* Waits until all workers have announced themselves at *@count for the @stage-th time. */
static enum waited wait_for(
	struct engine *e, const uint32_t *count, unsigned stage, uint64_t deadline_ns)
{
	for (;;) {
		int sig;

		if (__atomic_load_n(&e->failure, __ATOMIC_ACQUIRE) == FAILURE_WRITTEN)
			return WAITED_FAILURE;
		if (__atomic_load_n(count, __ATOMIC_ACQUIRE) >= stage * e->run.nworkers)
			return WAITED_ALL;
		if (deadline_ns && clock_ns() >= deadline_ns)
			return WAITED_TIME;
		sig = sleep_until(e, deadline_ns);
		if (sig == SIGCHLD && reap_dead(e))
			return WAITED_FAILURE;
	}
}

/* Zeroes what workers count in and shares out @ops among the active ones. */
static void reset_workers(struct engine *e, uint64_t ops)
{
	unsigned active = 0;

	for (unsigned i = 0; i < e->run.nworkers; i++) {
		struct worker *w = &e->run.worker[i];

		w->ops = 0;
		w->start_ns = 0;
		memset(w->counter, 0, sizeof(w->counter));
		w->limit = UINT64_MAX;
		if (ops && w->role == ROLE_ACTIVE) {
			w->limit = ops / e->nactive + (active < ops % e->nactive);
			active++;
		}
		if (w->latency) {
			memset(w->latency, 0, sizeof(*w->latency));
			w->latency->min = UINT64_MAX;
		}
	}
}

/* When the first of those whose time counts began; now, while none has. */
static uint64_t first_start(struct engine *e)
{
	uint64_t first = clock_ns();

	for (unsigned i = 0; i < e->run.nworkers; i++) {
		uint64_t start = __atomic_load_n(&e->run.worker[i].start_ns, __ATOMIC_RELAXED);

		if (e->run.worker[i].role != ROLE_BACKGROUND && start && start < first)
			first = start;
	}
	return first;
}

/*
 * Waits for the workers' end, at most until the first has worked for @duration_ns: where waking up
 * takes long, that is a while after they were told to go.
 */
static enum waited wait_for_time(struct engine *e, unsigned stage, uint64_t duration_ns)
{
	uint64_t until = clock_ns() + duration_ns;
	enum waited waited;

	do
		waited = wait_for(e, &e->done, stage, until);
	while (waited == WAITED_TIME && (until = first_start(e) + duration_ns) > clock_ns());
	return waited;
}

/* One stage: for @ops operations, or for @duration_ns if that is 0. */
static int run_stage(struct engine *e, unsigned stage, uint64_t ops, uint64_t duration_ns)
{
	enum waited waited;

	if (wait_for(e, &e->ready, stage, 0) == WAITED_FAILURE)
		return -1;
	reset_workers(e, ops);
	MARK_BEGIN();
	__atomic_store_n(&e->go, stage, __ATOMIC_RELEASE);
	futex_wake_all(&e->go);
	waited = ops ? wait_for(e, &e->done, stage, 0) : wait_for_time(e, stage, duration_ns);
	if (waited == WAITED_TIME) {
		limit_workers(e, ROLE_ACTIVE, 0);
		waited = wait_for(e, &e->done, stage, 0);
	}
	MARK_END();
	return waited == WAITED_ALL ? 0 : -1;
}

static int run_stages(struct engine *e)
{
	uint64_t warmup_ns = run_uint(&e->run, "warmup"),
		 duration_ns = run_uint(&e->run, "duration");

	if (e->stages == 2 && run_stage(e, 1, 0, warmup_ns))
		return -1;
	return run_stage(e, e->stages, e->set_ops, duration_ns);
}

static int end_workers(struct engine *e)
{
	int status;

	if (e->thread)
		join_threads(e->thread, e->run.nworkers);
	while (e->processes && waitpid(-1, &status, 0) > 0)
		if (check_exit(e, status))
			return -1;
	return 0;
}

static void kill_workers(struct engine *e)
{
	for (unsigned i = 0; i < e->processes; i++)
		kill(e->pid[i], SIGKILL);
	for (unsigned i = 0; i < e->processes; i++)
		waitpid(e->pid[i], NULL, 0);
}

/* Counts the active workers and, with --latency, gives them room. */
static int prepare_workers(struct engine *e)
{
	const struct value *latency = params_find(e->params, "latency");
	struct run *run = &e->run;
	struct latency *room = NULL;

	if (latency && latency->number) {
		room = run_alloc(run, run->nworkers * sizeof(*room));
		if (!room)
			return -1;
	}
	for (unsigned i = 0; i < run->nworkers; i++) {
		if (run->worker[i].role != ROLE_ACTIVE)
			continue;
		e->nactive++;
		run->worker[i].latency = room ? &room[i] : NULL;
	}
	return e->nactive ? 0 : run_fail(run, "setup left no active worker");
}

static int setup(struct engine *e)
{
	const struct value *workers = params_find(e->params, "workers");
	struct run *run = &e->run;

	if (pin_resolve(value(run, "pin")->text, &e->pins, &e->error)) {
		e->failure = FAILURE_WRITTEN;
		return -1;
	}
	if (workers && run_workers(run, workers->number, run_threads(run) ? 0 : 1))
		return -1;
	if (run->workload->setup && run->workload->setup(run))
		return run_fail(run, "setup failed");
	return prepare_workers(e);
}

/*
 * The signals that wake the main process are blocked in it, and in the workers that inherit the
 * mask, before anything can fail. A worker that writes to one that is gone gets an error, not
 * SIGPIPE.
 */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/*
 * SIGCHLD is waited for only where workers are processes: threads of this process may have children
 * of their own, which must not wake it.
 */
static void choose_wakeups(struct engine *e)
{
	sigemptyset(&e->wakeups);
	sigaddset(&e->wakeups, SIGUSR1);
	if (e->per_process)
		sigaddset(&e->wakeups, SIGCHLD);
}

static int run_workload(struct engine *e, struct result *res)
{
	choose_wakeups(e);
	if (e->per_process ? start_processes(e) : start_threads(e))
		return -1;
	if (run_stages(e) || end_workers(e))
		return -1;
	result_sum(res, &e->run);
	res->by_time = !e->set_ops;
	return 0;
}

static struct engine *engine_new(const struct workload *w, const struct params *params)
{
	struct engine *e = share(sizeof(*e));

	if (!e)
		return NULL;
	e->run.workload = w;
	e->run.engine = e;
	e->params = params;
	e->main_pid = getpid();
	e->stages = params_find(params, "warmup")->number ? 2 : 1;
	/* A --duration given goes before a default number of operations. */
	if (!params_find(params, "duration")->given)
		e->set_ops = params_find(params, "ops")->number;
	e->loop = w->verify && params_find(params, "verify")->number ? w->verify : w->run;
	return e;
}

int engine_run(const struct workload *w, const struct params *params, struct result *res,
	struct error *err)
{
	struct engine *e = engine_new(w, params);
	int ret;

	if (!e)
		return error_set(err, STATUS_FAILED, "shared memory: %s", strerror(errno));
	block_signals();
	ret = setup(e);
	if (!ret) {
		ret = run_workload(e, res);
		/* Threads of a failed run may be anywhere: what they use stays. */
		if (ret)
			kill_workers(e);
	}
	if (w->teardown && (!ret || !e->thread))
		w->teardown(&e->run);
	pin_free(&e->pins);
	free(e->pid);
	free(e->thread);
	if (ret)
		*err = e->error;
	return ret;
}
