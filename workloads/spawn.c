// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads that live for a moment, as a thread pool makes them when a burst of work comes in, and as
 * an application does when it starts. Each spawner starts a burst of threads one after the other
 * and waits for all of them. A thread gets a stack of its own, mapped for it with a guard page
 * below; libc registers its restartable sequence; it touches pages of the stack, maps memory and
 * touches that, stays for a while, unmaps and exits. All map and fault in one address space, from
 * the first to the last. One operation is a thread that has come and gone.
 *
 * An Android application's start is --burst 100; a pool of fibers that grows under load is several
 * spawners.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

#define SPARE 4 /* pages at the upper end of a stack that are in use before it is touched */

struct load {
	unsigned burst;
	size_t page, stack, touch,
		heap; /* bytes: of a page, of a stack, of what is touched of it, of own memory */
	uint64_t lifetime_ns;
};

/* A thread to be, in the spawner's table. */
struct child {
	const struct load *load;
	unsigned char *stack; /* lowest address; the first page is the guard */
	pthread_t thread;
	uint64_t start_ns, done_ns; /* with --latency: asked for, and all touched */
	bool timed, verify;
	const char *wrong; /* NULL: all was well */
};

/* Writes to each page of @size bytes at @p; false if one of them was not empty before. */
static bool touch(volatile unsigned char *p, size_t size, size_t page, bool verify)
{
	bool empty = true;

	for (size_t at = 0; at < size; at += page) {
		if (verify && p[at])
			empty = false;
		p[at] = 1;
	}
	return empty;
}

static const char *live(struct child *c)
{
	const struct load *l = c->load;
	unsigned char *heap = NULL;

	/* From the far end of what is to be touched, which is below what this function uses. */
	if (!touch(c->stack + l->stack - l->touch, l->touch - SPARE * l->page, l->page, c->verify))
		return "a stack that was just mapped is not empty";
	if (l->heap) {
		heap = mmap(NULL, l->heap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (heap == MAP_FAILED)
			return "no memory for a thread to map";
		if (!touch(heap, l->heap, l->page, c->verify))
			return "memory that was just mapped is not empty";
	}
	if (c->timed)
		c->done_ns = clock_ns();
	if (l->lifetime_ns)
		nanosleep(&(struct timespec){.tv_sec = l->lifetime_ns / 1000000000,
				  .tv_nsec = l->lifetime_ns % 1000000000},
			NULL);
	for (size_t at = 0; c->verify && at < l->heap; at += l->page)
		if (heap[at] != 1)
			return "a thread's memory has changed";
	if (heap)
		munmap(heap, l->heap);
	return NULL;
}

static void *child_main(void *arg)
{
	struct child *c = arg;

	c->wrong = live(c);
	if (c->timed && !c->done_ns)
		c->done_ns = clock_ns();
	return NULL;
}

/* Maps a stack and starts a thread on it. */
static int child_start(struct worker *w, struct child *c)
{
	const struct load *l = c->load;
	pthread_attr_t attr;
	int ret;

	c->timed = w->latency;
	c->done_ns = 0;
	if (c->timed)
		c->start_ns = clock_ns();
	c->stack = mmap(NULL, l->stack, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (c->stack == MAP_FAILED)
		return worker_fail(w, "spawn: a stack of %zu bytes: %s", l->stack, strerror(errno));
	if (mprotect(c->stack, l->page, PROT_NONE))
		return worker_fail(w, "spawn: a guard page: %s", strerror(errno));
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, c->stack + l->page, l->stack - l->page);
	ret = pthread_create(&c->thread, &attr, child_main, c);
	pthread_attr_destroy(&attr);
	return ret ? worker_fail(w, "spawn: pthread_create: %s", strerror(ret)) : 0;
}

static int child_wait(struct worker *w, struct child *c)
{
	pthread_join(c->thread, NULL);
	munmap(c->stack, c->load->stack);
	if (c->timed)
		latency_add(w->latency, c->done_ns - c->start_ns);
	return c->wrong ? worker_fail(w, "spawn: %s", c->wrong) : 0;
}

/* Bursts, the last of them no longer than what is left to do. */
static int spawn(struct worker *w, bool verify)
{
	const struct load *l = w->run->priv;
	struct child *child = w->priv;

	while (worker_continues(w)) {
		uint64_t left = worker_left(w);
		unsigned n = 0;
		int ret = 0;

		for (; n < l->burst && n < left && !ret; n += !ret) {
			child[n] = (struct child){.load = l, .verify = verify};
			ret = child_start(w, &child[n]);
		}
		for (unsigned i = 0; i < n; i++)
			ret = child_wait(w, &child[i]) || ret ? -1 : 0;
		if (ret)
			return -1;
		worker_count(w, n);
	}
	return 0;
}

static int spawn_run(struct worker *w)
{
	return spawn(w, false);
}

static int spawn_verify(struct worker *w)
{
	return spawn(w, true);
}

static int spawn_begin(struct worker *w)
{
	const struct load *l = w->run->priv;

	w->priv = calloc(l->burst, sizeof(struct child));
	return w->priv ? 0 : worker_fail(w, "out of memory");
}

static void spawn_end(struct worker *w)
{
	free(w->priv);
}

static int spawn_setup(struct run *run)
{
	struct load *l = run_alloc(run, sizeof(*l));
	unsigned spawners = run_uint(run, "spawners");
	size_t page = sysconf(_SC_PAGESIZE);

	if (!l)
		return -1;
	run->priv = l;
	*l = (struct load){
		.burst = run_uint(run, "burst"),
		.page = page,
		/* Two pages that are in use by the time the rest is touched, and never touched by
		   it. */
		.touch = (run_uint(run, "stack-touch") + SPARE) * page,
		.heap = run_uint(run, "heap") * page,
		.lifetime_ns = run_uint(run, "lifetime"),
	};
	/* Below that: the guard, and room to spare. */
	l->stack = l->touch + 16 * page;
	return run_workers(run, spawners, run_threads(run) ? 0 : 1);
}

static const struct param spawn_params[] = {
	PARAM_ROW("spawners", PARAM_UINT, "1", 1, 1024, NULL, "tasks that start threads"),
	PARAM_ROW("burst", PARAM_UINT, "8", 1, 4096, NULL,
		"threads that a spawner starts before it waits for them"),
	PARAM_ROW("stack-touch", PARAM_UINT, "8", 0, 4096, NULL,
		"pages of its stack that a thread touches"),
	PARAM_ROW("heap", PARAM_UINT, "16", 0, 65536, NULL, "pages that a thread maps and touches"),
	PARAM_ROW("lifetime", PARAM_DURATION, "0", 0, DAY_NS, NULL,
		"time that a thread stays once it is done"),
	PARAM_MODE_DEFAULT("thread"),
	PARAM_LATENCY_DEFAULT("off"),
	{.name = NULL},
};

WORKLOAD(spawn) = {
	.name = "spawn",
	.summary = "bursts of threads that touch their stacks, map, fault and exit",
	.same_as = "application starts, growing thread pools",
	.params = spawn_params,
	.setup = spawn_setup,
	.begin = spawn_begin,
	.run = spawn_run,
	.verify = spawn_verify,
	.end = spawn_end,
};
