// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Switches between tasks that pipe and messaging do not make, and what becomes of the memory map
 * that a CPU keeps when it goes idle:
 *
 *   user-kernel    to a kernel thread and back: a request that a kernel worker carries out while
 *                  the caller sleeps; one operation is one request
 *   user-idle      to the idle task and back: a sleep as short as can be; one operation is one
 *                  sleep. With --threads on all CPUs, these all keep one map
 *   two-processes  from a thread of one process to a thread of another one, both with several: four
 *                  threads hand a token around; one operation is one round, of four switches
 *   use-mm         a kernel thread takes the map over, gives it back and ends; one operation is one
 *                  such thread
 *   exit           a process ends while other CPUs, which --borrowers of its threads have just
 *                  left, keep its map; one operation is one process, its latency that of the end
 *   exec           a process is made and executes another program; one operation is one process
 *
 * With all on one CPU, which is the default, each switch of the first three is between these tasks.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trip.h"
#include "workload.h"

enum mode { USER_KERNEL, USER_IDLE, TWO_PROCESSES, USE_MM, EXIT, EXEC };

#define THREADS 2	/* of each process */
#define SLEEP_NS 100000 /* long enough for the CPU to become idle before it ends */
#define STOP 1

struct load {
	enum mode mode;
	int from[2 * THREADS], to[2 * THREADS]; /* worker i reads from[i] and writes to[i] */
	unsigned borrowers;
	uint64_t exit_ns; /* when the process of "exit" began to end */
	double busy_ns[]; /* of each worker in user-idle; NAN: not known */
};

static const char *const vhost_devices[] = {
	"/dev/vhost-net", "/dev/vhost-vsock", "/dev/vhost-scsi"};

/* ---- user-kernel -------------------------------------------------------------------------------
 */

static int run_trips(struct worker *w)
{
	struct trip t;
	int ret = 0;

	if (trip_open(&t))
		return worker_fail(w, "switch: asynchronous I/O: %s", strerror(errno));
	worker_lap_start(w);
	while (worker_continues(w) && !ret) {
		ret = trip_go(&t);
		worker_lap(w);
		worker_count(w, 1);
	}
	if (ret)
		worker_fail(w, "switch: asynchronous I/O: %s", strerror(errno));
	trip_close(&t);
	return ret;
}

/* ---- user-idle ---------------------------------------------------------------------------------
 */

/* Time that @cpu has slept, by /proc/timer_list, which root alone may read; -1: not known. */
static double idle_ns(unsigned cpu)
{
	FILE *f = fopen("/proc/timer_list", "re");
	char line[200];
	unsigned at = ~0u, n;
	double ns = -1, v;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "cpu: %u", &n) == 1)
			at = n;
		if (at == cpu && sscanf(line, " .idle_sleeptime : %lf nsecs", &v) == 1)
			ns = v;
	}
	if (f)
		fclose(f);
	return ns;
}

/*
 * What a switch costs does not show in the rate, since part of it goes by while the timer runs; it
 * shows in the time that the CPU was not idle.
 */
static int run_sleeps(struct worker *w, struct load *l)
{
	const struct timespec time = {.tv_nsec = SLEEP_NS};
	double idle = w->cpu >= 0 ? idle_ns(w->cpu) : -1, after;
	uint64_t began;

	prctl(PR_SET_TIMERSLACK, 1);
	began = clock_ns();
	worker_lap_start(w);
	while (worker_continues(w)) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
		worker_lap(w);
		worker_count(w, 1);
	}
	began = clock_ns() - began;
	after = w->cpu >= 0 ? idle_ns(w->cpu) : -1;
	l->busy_ns[w->index] = idle < 0 || after < 0 ? NAN : began - (after - idle);
	return 0;
}

/* ---- two-processes -----------------------------------------------------------------------------
 */

static int hand_on(struct worker *w, const struct load *l, char token)
{
	if (write(l->to[w->index], &token, 1) != 1)
		return worker_fail(w, "switch: write: %s", strerror(errno));
	return 0;
}

static int take(struct worker *w, const struct load *l, char *token)
{
	ssize_t n = read(l->from[w->index], token, 1);

	if (n != 1)
		return worker_fail(w, "switch: read: %s", n < 0 ? strerror(errno) : "end of file");
	return 0;
}

/* Worker 0 owns the run; the token that ends it goes around once, too. */
static int lead(struct worker *w, const struct load *l)
{
	char token = 0;

	while (worker_continues(w)) {
		if (hand_on(w, l, 0) || take(w, l, &token))
			return -1;
		worker_lap(w);
		worker_count(w, 1);
	}
	return hand_on(w, l, STOP) || take(w, l, &token) ? -1 : 0;
}

static int follow(struct worker *w, const struct load *l)
{
	char token;

	do {
		if (take(w, l, &token) || hand_on(w, l, token))
			return -1;
	} while (token != STOP);
	return 0;
}

/* Workers 0 and 1 are threads of one process, 2 and 3 of the other: 0, 2, 1, 3 and around. */
static int make_ring(struct run *run, struct load *l)
{
	static const unsigned order[2 * THREADS] = {0, 2, 1, 3};

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		int fd[2];

		if (pipe(fd))
			return run_fail(run, "pipe: %s", strerror(errno));
		l->to[order[i]] = fd[1];
		l->from[order[(i + 1) % ARRAY_SIZE(order)]] = fd[0];
	}
	return 0;
}

/* ---- use-mm ------------------------------------------------------------------------------------
 */

/* The first device whose kernel thread takes over a process's memory map; NULL: there is none. */
static const char *vhost_device(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(vhost_devices); i++)
		if (!access(vhost_devices[i], R_OK | W_OK))
			return vhost_devices[i];
	return NULL;
}

static int run_uses(struct worker *w)
{
	const char *device = vhost_device();

	worker_lap_start(w);
	while (worker_continues(w)) {
		int fd = open(device, O_RDWR | O_CLOEXEC);

		if (fd < 0 || ioctl(fd, VHOST_SET_OWNER))
			return worker_fail(w, "switch: %s: %s", device, strerror(errno));
		close(fd);
		worker_lap(w);
		worker_count(w, 1);
	}
	return 0;
}

/* ---- exit --------------------------------------------------------------------------------------
 */

#define PAUSE_US 200 /* until the CPUs of threads that have ended are idle */

static void *leave_cpu(void *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((uintptr_t)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	return NULL;
}

/* Threads that have been on other CPUs and ended there; then the process ends. */
static void live_and_die(struct load *l)
{
	pthread_t thread[CPU_SETSIZE];

	for (uintptr_t i = 0; i < l->borrowers; i++)
		if (pthread_create(&thread[i], NULL, leave_cpu, (void *)(i + 1)))
			_exit(1);
	for (unsigned i = 0; i < l->borrowers; i++)
		pthread_join(thread[i], NULL);
	usleep(PAUSE_US);
	l->exit_ns = clock_ns();
	_exit(0);
}

static int run_exits(struct worker *w, struct load *l)
{
	while (worker_continues(w)) {
		int status;
		pid_t pid = fork();

		if (pid < 0)
			return worker_fail(w, "switch: fork: %s", strerror(errno));
		if (!pid)
			live_and_die(l);
		if (waitpid(pid, &status, 0) < 0 || status)
			return worker_fail(w, "switch: a process that was to end well did not");
		if (w->latency)
			latency_add(w->latency, clock_ns() - l->exit_ns);
		worker_count(w, 1);
	}
	return 0;
}

/* ---- exec --------------------------------------------------------------------------------------
 */

/* fork() and not vfork(): a map that has just been made is left behind by each exec. */
static int run_execs(struct worker *w)
{
	char *const argv[] = {"kab-workload", "list", NULL};

	worker_lap_start(w);
	while (worker_continues(w)) {
		int status;
		pid_t pid = fork();

		if (pid < 0)
			return worker_fail(w, "switch: fork: %s", strerror(errno));
		if (!pid) {
			dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
			execv("/proc/self/exe", argv);
			_exit(1);
		}
		if (waitpid(pid, &status, 0) < 0 || status)
			return worker_fail(w, "switch: a program that was to be executed was not");
		worker_lap(w);
		worker_count(w, 1);
	}
	return 0;
}

/* ---- the workload ------------------------------------------------------------------------------
 */

static int switch_run(struct worker *w)
{
	struct load *l = w->run->priv;

	switch (l->mode) {
	case USER_KERNEL:
		return run_trips(w);
	case USER_IDLE:
		return run_sleeps(w, l);
	case USE_MM:
		return run_uses(w);
	case EXIT:
		return run_exits(w, l);
	case EXEC:
		return run_execs(w);
	case TWO_PROCESSES:
		break;
	}
	return w->index == 0 ? lead(w, l) : follow(w, l);
}

/* Whether this kernel has what the mode needs. */
static int check_trip(struct run *run)
{
	struct trip t;

	if (trip_open(&t))
		return run_skip(run, "--mode user-kernel: asynchronous I/O: %s", strerror(errno));
	trip_close(&t);
	return 0;
}

/* Whether this machine has what @l asks of it, and whether that makes sense. */
static int check(struct run *run, const struct load *l, unsigned threads)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (threads > 1 && (l->mode == TWO_PROCESSES || l->mode == EXIT))
		return run_bad_param(run, "--threads %u: not with --mode %s", threads,
			run_text(run, "mode"));
	if (run_given(run, "borrowers") && l->mode != EXIT)
		return run_bad_param(run, "--borrowers: with --mode exit alone");
	if (l->mode == EXIT && l->borrowers >= cpus)
		return run_skip(run, "--borrowers %u: there are %ld CPUs, one of which is the worker's",
			l->borrowers, cpus);
	if (l->mode == USE_MM && !vhost_device())
		return run_skip(run, "--mode use-mm: there is no vhost device");
	return l->mode == USER_KERNEL ? check_trip(run) : 0;
}

static int switch_setup(struct run *run)
{
	unsigned threads = run_uint(run, "threads");
	struct load *l = run_alloc(run, sizeof(*l) + threads * sizeof(l->busy_ns[0]));

	if (!l)
		return -1;
	l->mode = run_choice(run, "mode");
	l->borrowers = run_uint(run, "borrowers");
	for (unsigned i = 0; i < threads; i++)
		l->busy_ns[i] = NAN;
	run->priv = l;
	if (check(run, l, threads))
		return -1;
	if (l->mode != TWO_PROCESSES)
		return run_workers(run, threads, l->mode == EXIT || l->mode == EXEC ? 1 : 0);
	if (run_workers(run, 2 * THREADS, THREADS))
		return -1;
	for (unsigned i = 1; i < 2 * THREADS; i++)
		run->worker[i].role = ROLE_SERVER;
	return make_ring(run, l);
}

/* Known if it is known of each worker and no two share a CPU, whose time would count twice. */
static void switch_report(const struct run *run, double *value)
{
	const struct load *l = run->priv;
	double busy = 0;
	uint64_t ops = 0;

	value[0] = NAN;
	if (l->mode != USER_IDLE)
		return;
	for (unsigned i = 0; i < run->nworkers; i++) {
		for (unsigned j = 0; j < i; j++)
			if (run->worker[j].cpu == run->worker[i].cpu)
				return;
		busy += l->busy_ns[i];
		ops += run->worker[i].ops;
	}
	value[0] = ops ? busy / ops : NAN;
}

static const char *const choices_switch[] = {
	"user-kernel", "user-idle", "two-processes", "use-mm", "exit", "exec", NULL};

static const struct param switch_params[] = {
	PARAM_ROW("mode", PARAM_CHOICE, "user-kernel", 0, 0, choices_switch, "between which tasks"),
	PARAM_ROW("threads", PARAM_UINT, "1", 1, 1024, NULL,
		"workers, where the mode has one: threads of one process; processes with exec"),
	PARAM_ROW("borrowers", PARAM_UINT, "1", 0, CPU_SETSIZE - 1, NULL,
		"of exit: CPUs from 1 on that keep the map of the process that ends"),
	PARAM_PIN_DEFAULT("0"),
	PARAM_LATENCY_DEFAULT("off"),
	{.name = NULL},
};

static const struct figure switch_figures[] = {
	{"busy_ns_per_op", "of user-idle: time that the CPU was not idle, where root asks"},
	{.name = NULL},
};

WORKLOAD(switches) = {
	.name = "switch",
	.summary = "switches to a kernel thread, to idle or another process; the end of borrowed memory maps",
	.same_as = "will-it-scale context_switch1",
	.params = switch_params,
	.figures = switch_figures,
	.setup = switch_setup,
	.run = switch_run,
	.report = switch_report,
};
