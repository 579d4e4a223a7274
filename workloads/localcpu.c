// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads, each pinned to a CPU, map pages of a device into a window of their own, touch them and
 * unmap them. One operation is one such round: two ioctls, and one unmap that ends in a TLB flush,
 * of all CPUs that run the other threads or, with VM_LOCAL_CPU, of the thread's own. What the other
 * threads do matters as much as what this one does: a CPU that sleeps is not interrupted. With all
 * of them in the loop, all are busy.
 *
 * The load of the table in the VM_LOCAL_CPU posting: threads of a file server that map application
 * buffers.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kab_localcpu_abi.h"
#include "workload.h"

#define DEVICE "/dev/kab_localcpu"

enum flag { FLAG_AUTO, FLAG_ON, FLAG_OFF };

struct localcpu {
	unsigned pages; /* mapped in one operation */
	size_t page_size;
	bool local; /* windows get VM_LOCAL_CPU */
	unsigned busy __attribute__((aligned(128))); /* workers that have begun, of all runs so far */
};

/* A worker's device, and what it maps next. */
struct window {
	const struct localcpu *load;
	int fd;
	unsigned char *addr; /* NULL: not mapped yet */
	unsigned pool;	     /* pages in it: twice a window's, so that no page comes back at once */
	unsigned first;	     /* page of the pool that is mapped next */
	unsigned round;	     /* runs begun */
};

static int window_map(struct worker *w, const struct window *win)
{
	const struct kab_localcpu_range range = {.pages = win->load->pages, .first = win->first};

	if (ioctl(win->fd, KAB_LOCALCPU_MAP, &range))
		return worker_fail(
			w, "localcpu: mapping %u pages: %s", range.pages, strerror(errno));
	return 0;
}

static int window_unmap(struct worker *w, const struct window *win)
{
	const struct kab_localcpu_range range = {.pages = win->load->pages};

	if (ioctl(win->fd, KAB_LOCALCPU_UNMAP, &range))
		return worker_fail(
			w, "localcpu: unmapping %u pages: %s", range.pages, strerror(errno));
	return 0;
}

static void window_advance(struct window *win)
{
	win->first += win->load->pages;
	if (win->first >= win->pool)
		win->first -= win->pool;
}

static const volatile struct kab_localcpu_stamp *window_stamp(
	const struct window *win, unsigned page)
{
	return (const volatile void *)(win->addr + page * win->load->page_size);
}

/* One operation: maps, touches and unmaps. */
static inline int cycle(struct worker *w, struct window *win)
{
	if (window_map(w, win))
		return -1;
	for (unsigned i = 0; i < win->load->pages; i++)
		(void)window_stamp(win, i)->number;
	if (window_unmap(w, win))
		return -1;
	window_advance(win);
	return 0;
}

/*
 * Operations that count for nothing, until every worker is at it. A worker that is alone interrupts nobody and is
 * a thousand times as fast where a flush has to wait for virtual CPUs that the host is not running; the
 * milliseconds until the last worker has left the start barrier would outweigh all the rest.
 */
static int until_all_are_busy(struct worker *w, struct window *win)
{
	struct localcpu *load = w->run->priv;
	unsigned round = ++((struct window *)w->priv)->round;

	__atomic_add_fetch(&load->busy, 1, __ATOMIC_RELAXED);
	while (worker_continues(w) &&
		__atomic_load_n(&load->busy, __ATOMIC_RELAXED) < round * w->run->nworkers)
		if (cycle(w, win))
			return -1;
	return 0;
}

static int localcpu_run(struct worker *w)
{
	struct window win = *(struct window *)w->priv;

	if (until_all_are_busy(w, &win))
		return -1;
	worker_lap_start(w);
	while (worker_continues(w)) {
		if (cycle(w, &win))
			return -1;
		worker_lap(w);
		worker_count(w, 1);
	}
	return 0;
}

/* Each page of the window must be the one that was mapped there last. */
static int check(struct worker *w, const struct window *win)
{
	for (unsigned i = 0; i < win->load->pages; i++) {
		const volatile struct kab_localcpu_stamp *stamp = window_stamp(win, i);
		uint64_t magic = stamp->magic, number = stamp->number;
		unsigned want = (win->first + i) % win->pool;

		if (magic != KAB_LOCALCPU_MAGIC)
			return worker_fail(w,
				"localcpu: operation %llu, CPU %d: page %u of the window is not of "
				"the pool: it begins with %#llx",
				(unsigned long long)w->ops, w->cpu, i, (unsigned long long)magic);
		if (number != want)
			return worker_fail(w,
				"localcpu: operation %llu, CPU %d: page %u of the window shows "
				"page "
				"%llu of the pool, %u is mapped",
				(unsigned long long)w->ops, w->cpu, i, (unsigned long long)number,
				want);
	}
	return 0;
}

/*
 * Maps, looks, and has the next pages in the place of those at once: with VM_LOCAL_CPU by mapping
 * over them, else by unmapping first. Every page must be seen as soon as it is mapped.
 */
static int localcpu_verify(struct worker *w)
{
	struct window win = *(struct window *)w->priv;

	while (worker_continues(w)) {
		if (window_map(w, &win) || check(w, &win))
			return -1;
		if (!win.load->local && window_unmap(w, &win))
			return -1;
		window_advance(&win);
		if (window_map(w, &win) || check(w, &win) || window_unmap(w, &win))
			return -1;
		window_advance(&win);
		worker_lap(w);
		worker_count(w, 1);
	}
	return 0;
}

/* Opens the device on the worker's own thread and CPU, which thereby own the window. */
static int localcpu_begin(struct worker *w)
{
	const struct localcpu *load = w->run->priv;
	struct window *win = calloc(1, sizeof(*win));
	struct kab_localcpu_setup setup = {
		.flags = load->local ? KAB_LOCALCPU_LOCAL : 0,
		.pages = 2 * load->pages,
	};
	void *addr;

	if (!win)
		return worker_fail(w, "out of memory");
	w->priv = win;
	*win = (struct window){.load = load, .fd = open(DEVICE, O_RDWR | O_CLOEXEC)};
	if (win->fd < 0)
		return worker_fail(w, "%s: %s", DEVICE, strerror(errno));
	if (ioctl(win->fd, KAB_LOCALCPU_SETUP, &setup))
		return worker_fail(w, "%s: a pool of %u pages%s: %s", DEVICE, setup.pages,
			load->local ? " for VM_LOCAL_CPU" : "", strerror(errno));
	addr = mmap(NULL, load->pages * load->page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		win->fd, 0);
	if (addr == MAP_FAILED)
		return worker_fail(
			w, "%s: mmap of %u pages: %s", DEVICE, load->pages, strerror(errno));
	win->addr = addr;
	win->pool = setup.pages;
	return 0;
}

static void localcpu_end(struct worker *w)
{
	struct window *win = w->priv;

	munmap(win->addr, win->load->pages * win->load->page_size);
	close(win->fd);
	free(win);
}

/* Whether this kernel has the device, and whether windows get VM_LOCAL_CPU. */
static int choose_flag(struct run *run, bool *local)
{
	enum flag flag = run_choice(run, "flag");
	struct kab_localcpu_info info;
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		return run_skip(run,
			"no %s: the kernel lacks the series vm-local-cpu, its first patch at least",
			DEVICE);
	if (fd < 0)
		return run_fail(run, "%s: %s", DEVICE, strerror(errno));
	ret = ioctl(fd, KAB_LOCALCPU_INFO, &info);
	if (ret)
		run_fail(run, "%s: what it can do: %s", DEVICE, strerror(errno));
	close(fd);
	if (ret)
		return -1;

	*local = flag != FLAG_OFF && info.features & KAB_LOCALCPU_FEATURE_LOCAL;
	if (flag == FLAG_ON && !*local)
		return run_skip(run, "--flag on: the kernel has no VM_LOCAL_CPU");
	return 0;
}

static int localcpu_setup(struct run *run)
{
	unsigned threads = run_uint(run, "threads");
	struct localcpu *load = run_alloc(run, sizeof(*load));
	cpu_set_t usable;

	if (!load)
		return -1;
	run->priv = load;
	load->pages = run_uint(run, "pages");
	load->page_size = sysconf(_SC_PAGESIZE);
	if (choose_flag(run, &load->local))
		return -1;

	if (!threads && sched_getaffinity(0, sizeof(usable), &usable))
		return run_fail(run, "sched_getaffinity: %s", strerror(errno));
	if (!threads)
		threads = CPU_COUNT(&usable);
	if (run_open_files(run, threads) || run_workers(run, threads, threads))
		return -1;
	if (run->worker[0].cpu < 0)
		return run_bad_param(run,
			"--pin none: a window belongs to a thread that stays on one "
			"CPU; expected spread, compact or a list of CPUs");
	return 0;
}

static const char *const choices_flag[] = {"auto", "on", "off", NULL};

static const struct param localcpu_params[] = {
	{"threads", PARAM_UINT, "0", "threads of one process; 0: one for each CPU that can be used",
		0, 4096, NULL},
	{"pages", PARAM_UINT, "1", "pages mapped, touched and unmapped in one operation", 1,
		KAB_LOCALCPU_MAX_PAGES / 2, NULL},
	{"flag", PARAM_CHOICE, "auto",
		"windows get VM_LOCAL_CPU: on, off, or wherever the kernel has it (auto)", 0, 0,
		choices_flag},
	PARAM_PIN_DEFAULT("spread"),
	PARAM_LATENCY_DEFAULT("on"),
	{.name = NULL},
};

WORKLOAD(localcpu) = {
	.name = "localcpu",
	.summary =
		"pinned threads map pages of a device, touch them and unmap them, each on its CPU",
	.same_as = "the VM_LOCAL_CPU posting's table",
	.params = localcpu_params,
	.setup = localcpu_setup,
	.begin = localcpu_begin,
	.run = localcpu_run,
	.verify = localcpu_verify,
	.end = localcpu_end,
};
