// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Switches between tasks that pipe and messaging do not make:
 *
 *   user-kernel    to a kernel thread and back: a request that a kernel worker carries out while
 * the caller sleeps; one operation is one request user-idle      to the idle task and back: a sleep
 * as short as can be; one operation is one sleep two-processes  from a thread of one process to a
 * thread of another one, both with several: four threads hand a token around; one operation is one
 * round, of four switches
 *
 * With all on one CPU, which is the default, each switch is between these tasks.
 */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "trip.h"
#include "workload.h"

enum mode { USER_KERNEL, USER_IDLE, TWO_PROCESSES };

#define THREADS 2	/* of each process */
#define SLEEP_NS 100000 /* long enough for the CPU to become idle before it ends */
#define STOP 1

struct load {
	enum mode mode;
	int from[2 * THREADS], to[2 * THREADS]; /* worker i reads from[i] and writes to[i] */
	double busy_ns;				/* of user-idle; NAN: not known */
};

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
	l->busy_ns = idle < 0 || after < 0 ? NAN : began - (after - idle);
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

static int switch_setup(struct run *run)
{
	struct load *l = run_alloc(run, sizeof(*l));

	if (!l)
		return -1;
	l->mode = run_choice(run, "mode");
	l->busy_ns = NAN;
	run->priv = l;
	if (l->mode == USER_KERNEL && check_trip(run))
		return -1;
	if (l->mode != TWO_PROCESSES)
		return run_workers(run, 1, 0);
	if (run_workers(run, 2 * THREADS, THREADS))
		return -1;
	for (unsigned i = 1; i < 2 * THREADS; i++)
		run->worker[i].role = ROLE_SERVER;
	return make_ring(run, l);
}

static void switch_report(const struct run *run, double *value)
{
	const struct load *l = run->priv;

	value[0] = run->worker[0].ops ? l->busy_ns / run->worker[0].ops : NAN;
}

static const char *const choices_switch[] = {"user-kernel", "user-idle", "two-processes", NULL};

static const struct param switch_params[] = {
	PARAM_ROW("mode", PARAM_CHOICE, "user-kernel", 0, 0, choices_switch, "between which tasks"),
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
	.summary = "switches to a kernel thread, to idle, or between threads of two processes",
	.same_as = "will-it-scale context_switch1",
	.params = switch_params,
	.figures = switch_figures,
	.setup = switch_setup,
	.run = switch_run,
	.report = switch_report,
};
