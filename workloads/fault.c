// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads of one process fault in memory while others change the map. Each faulter has an area of
 * its own. It touches every page once, which is a page fault each, drops them, and starts again.
 * Each mapper maps and unmaps, or protects, or advises on, an area of its own, which takes the
 * whole address space's lock for writing. One operation is a page touched. Without faulters, it is
 * a change of the map.
 *
 * What will-it-scale's page_fault1 to 3 and mmap1 and 2 do apart: with --drop munmap it is
 * page_fault1 (--backing file: page_fault2, shared: page_fault3), without faulters mmap1.
 */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

#define HUGE_PAGE (2UL << 20)

enum backing { BACKING_ANON, BACKING_FILE, BACKING_SHARED };
enum drop { DROP_MADVISE, DROP_MUNMAP };
enum change { CHANGE_MMAP, CHANGE_MPROTECT, CHANGE_MADVISE };

struct load {
	unsigned faulters;
	size_t step, size; /* bytes from one touch to the next, and of an area */
	enum backing backing;
	enum drop drop;
	enum change change;
	bool read, thp;
	uint64_t pause_ns; /* of a mapper, after each change */
};

/* A worker's area: whole from begin to end, but for the moment in which it is mapped anew. */
struct area {
	const struct load *load;
	unsigned char *addr;
	int fd;	       /* -1: not of a file */
	uint64_t turn; /* times dropped, --verify */
};

static void *area_map(const struct area *a, void *where)
{
	const struct load *l = a->load;
	int flags = (l->backing == BACKING_SHARED ? MAP_SHARED : MAP_PRIVATE) |
		    (a->fd < 0 ? MAP_ANONYMOUS : 0) | (where ? MAP_FIXED : 0);
	void *addr = mmap(where, l->size, PROT_READ | PROT_WRITE, flags, a->fd, 0);

	if (addr != MAP_FAILED && l->backing == BACKING_ANON)
		madvise(addr, l->size, l->thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return addr;
}

/* An address for @size bytes and nothing next to them, at a huge page: no area merges with
 * another's. */
static void *area_place(size_t size)
{
	size_t around = size + 2 * HUGE_PAGE;
	unsigned char *addr =
		mmap(NULL, around, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (addr == MAP_FAILED)
		return NULL;
	return (void *)(((uintptr_t)addr + HUGE_PAGE) & ~(HUGE_PAGE - 1));
}

static int fault_begin(struct worker *w)
{
	const struct load *l = w->run->priv;
	struct area *a = malloc(sizeof(*a));
	void *where;

	if (!a)
		return worker_fail(w, "out of memory");
	*a = (struct area){.load = l, .fd = -1};
	w->priv = a;
	if (l->backing != BACKING_ANON) {
		a->fd = memfd_create("kab-fault", MFD_CLOEXEC);
		if (a->fd < 0 || ftruncate(a->fd, l->size))
			return worker_fail(
				w, "fault: a file of %zu bytes: %s", l->size, strerror(errno));
	}
	where = area_place(l->size);
	a->addr = where ? area_map(a, where) : MAP_FAILED;
	if (a->addr == MAP_FAILED)
		return worker_fail(w, "fault: mmap of %zu bytes: %s", l->size, strerror(errno));
	return 0;
}

/* The holes around the area stay until the process ends. */
static void fault_end(struct worker *w)
{
	struct area *a = w->priv;

	munmap(a->addr, a->load->size);
	if (a->fd >= 0)
		close(a->fd);
	free(a);
}

/* Gives all pages back, so that the next touch of each is a page fault again. */
static int area_drop(struct worker *w, struct area *a)
{
	const struct load *l = a->load;

	if (l->drop == DROP_MADVISE) {
		if (madvise(a->addr, l->size, MADV_DONTNEED))
			return worker_fail(w, "fault: MADV_DONTNEED: %s", strerror(errno));
		return 0;
	}
	if (munmap(a->addr, l->size) || area_map(a, a->addr) != a->addr)
		return worker_fail(
			w, "fault: mapping %zu bytes anew: %s", l->size, strerror(errno));
	return 0;
}

static inline void touch(const struct area *a, size_t at)
{
	volatile unsigned char *byte = a->addr + at;

	if (a->load->read)
		(void)*byte;
	else
		*byte = 1;
}

static int faulter_run(struct worker *w, struct area *a)
{
	while (worker_continues(w)) {
		for (size_t at = 0; at < a->load->size && worker_continues(w);
			at += a->load->step) {
			touch(a, at);
			worker_lap(w);
			worker_count(w, 1);
		}
		if (area_drop(w, a))
			return -1;
		worker_lap_start(w);
	}
	return 0;
}

/* One change of the map, undone at once. Returns 0 or -1 with errno. */
static int change_map(const struct area *a)
{
	const struct load *l = a->load;

	switch (l->change) {
	case CHANGE_MMAP:
		return munmap(a->addr, l->size) || area_map(a, a->addr) != a->addr ? -1 : 0;
	case CHANGE_MPROTECT:
		return mprotect(a->addr, l->size, PROT_READ)
			       ?: mprotect(a->addr, l->size, PROT_READ | PROT_WRITE);
	default:
		return madvise(a->addr, l->size, MADV_DONTFORK)
			       ?: madvise(a->addr, l->size, MADV_DOFORK);
	}
}

static int mapper_run(struct worker *w, const struct area *a)
{
	struct timespec pause = {
		.tv_sec = a->load->pause_ns / 1000000000,
		.tv_nsec = a->load->pause_ns % 1000000000,
	};

	worker_lap_start(w);
	while (worker_continues(w)) {
		if (change_map(a))
			return worker_fail(w, "fault: changing the map: %s", strerror(errno));
		worker_lap(w);
		worker_count(w, 1);
		if (a->load->pause_ns) {
			nanosleep(&pause, NULL);
			worker_lap_start(w);
		}
	}
	return 0;
}

static int fault_run(struct worker *w)
{
	const struct load *l = w->run->priv;

	return w->index < l->faulters ? faulter_run(w, w->priv) : mapper_run(w, w->priv);
}

/* What the first word of a page must show before it is written in this turn. */
static uint64_t left_over(const struct area *a, uint64_t tag)
{
	return a->load->backing == BACKING_SHARED && a->turn ? tag - 1 : 0;
}

/*
 * Each page must be found as the last turn left it, which is empty unless it is a shared file's,
 * and keep what is written to it until it is dropped.
 */
static int verify_turn(struct worker *w, struct area *a)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t at = 0; at < a->load->size; at += a->load->step) {
			volatile uint64_t *word = (void *)(a->addr + at);
			uint64_t tag =
				((uint64_t)w->index << 48 | at / a->load->step << 32) + a->turn;
			uint64_t want = pass ? tag : left_over(a, tag), seen = *word;

			if (seen != want)
				return worker_fail(w,
					"fault: worker %u, turn %llu, page %zu: found %#llx, "
					"expected %#llx",
					w->index, (unsigned long long)a->turn, at / a->load->step,
					(unsigned long long)seen, (unsigned long long)want);
			*word = tag;
			worker_count(w, !pass);
		}
	}
	a->turn++;
	return area_drop(w, a);
}

static int fault_verify(struct worker *w)
{
	const struct load *l = w->run->priv;
	struct area *a = w->priv;

	if (w->index >= l->faulters)
		return mapper_run(w, a);
	while (worker_continues(w)) {
		if (verify_turn(w, a))
			return -1;
		worker_lap(w);
	}
	return 0;
}

/* Changes of the map in a second, by all mappers beside the faulters. */
static void fault_report(const struct run *run, double *value)
{
	const struct load *l = run->priv;

	value[0] = l->faulters && run->nworkers > l->faulters ? 0 : NAN;
	for (unsigned i = l->faulters; i < run->nworkers && l->faulters; i++) {
		const struct worker *w = &run->worker[i];

		if (w->end_ns > w->start_ns)
			value[0] += w->ops * 1e9 / (w->end_ns - w->start_ns);
	}
}

static int fault_setup(struct run *run)
{
	unsigned faulters = run_uint(run, "faulters"), mappers = run_uint(run, "mappers");
	struct load *l = run_alloc(run, sizeof(*l));

	if (!l)
		return -1;
	run->priv = l;
	*l = (struct load){
		.faulters = faulters,
		.thp = run_choice(run, "thp"),
		.backing = run_choice(run, "backing"),
		.drop = run_choice(run, "drop"),
		.change = run_choice(run, "change"),
		.read = run_choice(run, "access"),
		.pause_ns = run_uint(run, "pause"),
	};
	l->step = l->thp ? HUGE_PAGE : (size_t)sysconf(_SC_PAGESIZE);
	l->size = run_uint(run, "pages") * l->step;
	if (!faulters && !mappers)
		return run_bad_param(
			run, "--faulters 0 --mappers 0: expected at least one of either");
	if (l->thp && l->backing != BACKING_ANON)
		return run_bad_param(run, "--thp on --backing %s: expected --backing anon",
			run_text(run, "backing"));
	if (l->thp && access("/sys/kernel/mm/transparent_hugepage", F_OK))
		return run_skip(run, "--thp on: the kernel has no transparent huge pages");
	if (run_open_files(run, faulters + mappers) ||
		run_workers(run, faulters + mappers, run_threads(run) ? 0 : 1))
		return -1;
	for (unsigned i = faulters; faulters && i < run->nworkers; i++)
		run->worker[i].role = ROLE_BACKGROUND;
	return 0;
}

static const char *const choices_backing[] = {"anon", "file", "shared", NULL};
static const char *const choices_drop[] = {"madvise", "munmap", NULL};
static const char *const choices_change[] = {"mmap", "mprotect", "madvise", NULL};
static const char *const choices_access[] = {"write", "read", NULL};

static const struct param fault_params[] = {
	PARAM_ROW("faulters", PARAM_UINT, "1", 0, 4096, NULL, "tasks that fault"),
	PARAM_ROW("mappers", PARAM_UINT, "0", 0, 4096, NULL, "tasks that change the map meanwhile"),
	PARAM_ROW("pages", PARAM_UINT, "128", 1, 65536, NULL, "pages of each area"),
	PARAM_ROW("backing", PARAM_CHOICE, "anon", 0, 0, choices_backing,
		"what areas are: private memory, a file mapped privately, or shared"),
	PARAM_ROW("drop", PARAM_CHOICE, "madvise", 0, 0, choices_drop,
		"how a faulter gives pages back: the area stays, or is mapped anew"),
	PARAM_ROW("access", PARAM_CHOICE, "write", 0, 0, choices_access, "how pages are touched"),
	PARAM_ROW("thp", PARAM_CHOICE, "off", 0, 0, choices_off_on, "huge pages of 2 MiB"),
	PARAM_ROW("change", PARAM_CHOICE, "mmap", 0, 0, choices_change,
		"what a mapper does, and undoes"),
	PARAM_ROW("pause", PARAM_DURATION, "0", 0, DAY_NS, NULL,
		"sleep of a mapper after each change"),
	PARAM_MODE_DEFAULT("thread"),
	PARAM_LATENCY_DEFAULT("off"),
	{.name = NULL},
};

static const struct figure fault_figures[] = {
	{"map_changes_per_s", "changes of the map in a second, by mappers beside faulters"},
	{.name = NULL},
};

WORKLOAD(fault) = {
	.name = "fault",
	.summary = "threads fault in memory while others change the map",
	.same_as = "will-it-scale page_fault1 to 3, mmap1",
	.params = fault_params,
	.figures = fault_figures,
	.setup = fault_setup,
	.begin = fault_begin,
	.run = fault_run,
	.verify = fault_verify,
	.end = fault_end,
	.report = fault_report,
};
