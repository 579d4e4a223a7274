// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two tasks bounce an int over two pipes, each blocking until it is its turn. One operation is one
 * round trip: a write and a read in each task, as perf bench sched pipe counts them.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

#define TOKEN_STOP (-1)

struct ends {
	int read, write;
};

struct pipes {
	struct ends end[2]; /* worker 0's and worker 1's */
	uint64_t delay_loops;
};

static int token_get(struct worker *w, const struct ends *end, int *token)
{
	ssize_t n = read(end->read, token, sizeof(*token));

	if (n != sizeof(*token))
		return worker_fail(w, "pipe: read: %s", n < 0 ? strerror(errno) : "end of file");
	return 0;
}

static int token_put(struct worker *w, const struct ends *end, int token)
{
	if (write(end->write, &token, sizeof(token)) != sizeof(token))
		return worker_fail(w, "pipe: write: %s", strerror(errno));
	return 0;
}

/*
 * A slowdown of known size. It is counted in turns of an empty loop, so that its share of a round trip is much the same on
 * machines of any speed. Both tasks bear it: were it one's alone, the scheduler would let the other preempt it
 * more often, and pairs that preempt take fewer instructions a round trip than pairs that sleep.
 */
static void spin(uint64_t loops)
{
	while (loops--)
		__asm__ volatile("" ::: "memory");
}

/* Worker 0 owns the run: it counts round trips and sends the other one home. */
static int lead(struct worker *w, const struct pipes *p)
{
	const struct ends end = p->end[0];
	int token = 0;

	while (worker_continues(w)) {
		if (token_put(w, &end, token) || token_get(w, &end, &token))
			return -1;
		spin(p->delay_loops);
		worker_lap(w);
		worker_count(w, 1);
	}
	return token_put(w, &end, TOKEN_STOP);
}

static int follow(struct worker *w, const struct pipes *p)
{
	const struct ends end = p->end[1];
	int token;

	for (;;) {
		if (token_get(w, &end, &token))
			return -1;
		if (token == TOKEN_STOP)
			return 0;
		spin(p->delay_loops);
		if (token_put(w, &end, token))
			return -1;
	}
}

static int pipe_run(struct worker *w)
{
	return w->index == 0 ? lead(w, w->run->priv) : follow(w, w->run->priv);
}

/* The same with a number in the token, which must come back one greater, each time. */
static int verify_lead(struct worker *w, const struct pipes *p)
{
	const struct ends *end = &p->end[0];
	int token;

	for (int sent = 0; worker_continues(w); sent = (sent + 1) & INT32_MAX) {
		if (token_put(w, end, sent) || token_get(w, end, &token))
			return -1;
		if ((uint32_t)token != (uint32_t)sent + 1)
			return worker_fail(
				w, "pipe: sent %d, got %d back instead of one more", sent, token);
		worker_lap(w);
		worker_count(w, 1);
	}
	return token_put(w, end, TOKEN_STOP);
}

static int verify_follow(struct worker *w, const struct pipes *p)
{
	const struct ends *end = &p->end[1];
	int token;

	for (;;) {
		if (token_get(w, end, &token))
			return -1;
		if (token == TOKEN_STOP)
			return 0;
		if (token_put(w, end, (int)((uint32_t)token + 1)))
			return -1;
	}
}

static int pipe_verify(struct worker *w)
{
	return w->index == 0 ? verify_lead(w, w->run->priv) : verify_follow(w, w->run->priv);
}

static int pipe_setup(struct run *run)
{
	struct pipes *p = run_alloc(run, sizeof(*p));
	int there[2], back[2];

	if (!p || run_workers(run, 2, run_threads(run) ? 0 : 1))
		return -1;
	if (pipe(there) || pipe(back))
		return run_fail(run, "pipe: %s", strerror(errno));
	p->end[0] = (struct ends){.read = back[0], .write = there[1]};
	p->end[1] = (struct ends){.read = there[0], .write = back[1]};
	p->delay_loops = run_uint(run, "delay-loops");
	run->priv = p;
	run->worker[1].role = ROLE_SERVER;
	return 0;
}

static const struct param pipe_params[] = {
	PARAM_MODE_DEFAULT("process"),
	PARAM_LATENCY_DEFAULT("off"),
	PARAM_ROW("delay-loops", PARAM_UINT, "0", 0, 1000000000, NULL,
		"turns of an empty loop in each task a round trip: a slowdown of known size"),
	{.name = NULL},
};

WORKLOAD(pipe) = {
	.name = "pipe",
	.summary = "two tasks bounce a token over two pipes",
	.same_as = "perf bench sched pipe",
	.params = pipe_params,
	.setup = pipe_setup,
	.run = pipe_run,
	.verify = pipe_verify,
};
