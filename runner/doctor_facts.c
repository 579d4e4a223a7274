// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads this machine, and tries what cannot be read: KVM, the PMU, perf. */
#include "doctor.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host_load.h"
#include "kvm_probe.h"
#include "run.h"
#include "sysinfo.h"
#include "util.h"
#include "vm_guest.h"

#define LOAD_WINDOW_NS 300000000 /* long enough for a tick count of 10 ms to mean something */

/* What a default run writes, and what a kernel takes while it is built, sources included. */
#define RESULTS_BYTES 100000000ull
#define BUILD_BYTES 2300000000ull

/* What @script prints, cut at the first newline; *@ok: it exited 0. NULL: it cannot be run. Caller
 * frees. */
static char *say(const char *script, bool *ok)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct buf out = {};
	int status = run_capture(argv, NULL, &out, NULL);

	*ok = status >= 0 && WIFEXITED(status) && !WEXITSTATUS(status);
	if (out.data)
		out.data[strcspn(out.data, "\n")] = '\0';
	return out.data;
}

static bool found(const char *program)
{
	__free_char char *script = xasprintf("command -v %s", program);
	bool ok;

	free(say(script, &ok));
	return ok;
}

/* ---- kernels and KVM ------------------------------------------------------------------------- */

/* The default matrix's arms: how many kernels they need and have. Path of one that is built, or
 * NULL; caller frees. */
static char *look_for_kernels(json_t *facts)
{
	__free_char char *path = xasprintf("%s/matrix/default.yaml", kab_home());
	struct matrix *m = matrix_read(path, NULL);
	struct run_arm *arms = m ? run_arms(m, false, false, NULL, NULL) : NULL;
	size_t needed = 0, built = 0;
	char *image = NULL;

	for (size_t i = 0; arms && i < m->narms; i++) {
		const struct kernel *k = &arms[i].kernel;
		size_t first = 0;

		while (strcmp(arms[first].kernel.key, k->key))
			first++;
		if (first < i)
			continue;
		needed++;
		built += k->built;
		if (k->built && !image)
			image = xstrdup(k->image);
	}
	if (arms)
		json_object_set_new(facts, "kernels",
			json_pack("{s:I,s:I,s:f}", "needed", (json_int_t)needed, "built",
				(json_int_t)built, "minutes", kernel_build_minutes()));
	if (m) {
		run_arms_free(arms, m->narms);
		matrix_free(m);
	}
	return image;
}

/* A kernel that boots without KVM shows that it was KVM that failed. */
static int settle(const char *kernel, struct kvm_probe *p, struct error *err)
{
	const struct machine small = {.cpus = 2, .nodes = 1, .memory = 256ull << 20};
	__free_char char *dir = xasprintf("%s/doctor.%d", kab_cache(), (int)getpid());
	const struct boot_request req = {.machine = &small, .kernel = kernel, .dir = dir};
	const struct vm_guest_options opt = {.accel = QEMU_TCG};
	struct error why = {0};
	struct executor *ex = vm_guest_boot(&req, &opt, &why);

	if (ex)
		kvm_probe_settle(p);
	vm_guest_shutdown(ex);
	dir_remove(dir, NULL);
	if (!ex && why.status == KAB_INTERRUPTED)
		return error_set(err, KAB_INTERRUPTED, "%s", why.text);
	return 0;
}

static int try_kvm(json_t *facts, const char *kernel, struct error *err)
{
	struct kvm_probe p;

	if (kvm_probe(kernel, &p, err))
		return -1;
	if (!p.settled && kernel && settle(kernel, &p, err))
		return -1;
	json_object_set_new(facts, "kvm",
		json_pack("{s:b,s:b,s:s}", "works", p.works, "tried", p.settled || kernel != NULL,
			"reason", p.reason));
	return 0;
}

static void add_qemu(json_t *facts)
{
	struct error why = {.text = "no qemu-system-x86_64"};
	const char *version = found("qemu-system-x86_64") ? qemu_version(&why) : NULL;

	if (version)
		json_object_set_new(facts, "qemu", json_string(version));
	else
		json_object_set_new(facts, "qemu_why", json_string(why.text));
}

/* ---- counters -------------------------------------------------------------------------------- */

static json_t *works(bool yes, const char *reason)
{
	return json_pack("{s:b,s:s}", "works", yes, "reason", yes ? "" : reason);
}

/* Counts the cycles of a short loop: an event that opens may still count nothing. */
static json_t *try_pmu(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	__close_fd int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	uint64_t cycles = 0;

	if (fd < 0)
		return works(false,
			errno == ENOENT ? "this processor shows no counters" : strerror(errno));
	ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
	for (volatile int i = 0; i < 1000000; i++)
		;
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	if (read(fd, &cycles, sizeof(cycles)) != sizeof(cycles))
		return works(false, "the counter cannot be read");
	return works(cycles > 0, "the counter stands still");
}

static void add_perf(json_t *facts)
{
	bool ok;
	__free_char char *version = found("perf") ? say("perf --version 2>&1", &ok) : NULL;
	__free_char char *output = NULL;
	json_t *o;

	if (!version || !ok)
		return;
	/* By a counter that every kernel has: whether the program can count at all here. */
	output = say("perf stat -x, -e task-clock true 2>&1", &ok);
	o = works(ok, output ? output : "perf stat failed");
	json_object_set_new(o, "version",
		json_string(version + (strncmp(version, "perf version ", 13) ? 0 : 13)));
	json_object_set_new(facts, "perf", o);
}

static void add_programs(json_t *facts)
{
	static const char *const names[] = {
		"qemu-system-x86_64", "gcc", "make", "patch", "gnuplot"};
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		json_object_set_new(o, names[i], json_boolean(found(names[i])));
	json_object_set_new(facts, "programs", o);
}

/* ---- the machine ----------------------------------------------------------------------------- */

/* The first number of the file behind @prefix ("" for its start); -1: there is none. */
static double number_in(const char *path, const char *prefix)
{
	__free_char char *text = file_read(path, NULL, NULL);
	const char *at = text ? strstr(text, prefix) : NULL;
	char *end;
	double v;

	if (!at)
		return -1;
	v = strtod(at + strlen(prefix), &end);
	return end == at + strlen(prefix) ? -1 : v;
}

/* A switch that may be written either way round; absent where no such file is. */
static void add_switch(json_t *facts, const char *key, const char *path, double on)
{
	double v = number_in(path, "");

	if (v >= 0 && !json_object_get(facts, key))
		json_object_set_new(facts, key, json_boolean(v == on));
}

/* "max 100000", or microseconds of each period: the CPUs that a container may use. */
static void add_quota(json_t *facts)
{
	__free_char char *text = file_read("/sys/fs/cgroup/cpu.max", NULL, NULL);
	double quota, period;

	if (text && sscanf(text, "%lf %lf", &quota, &period) == 2 && period > 0)
		json_object_set_new(facts, "cpu_quota", json_real(quota / period));
}

static void add_cpus(json_t *facts)
{
	__free_char char *cpuinfo = file_read("/proc/cpuinfo", NULL, NULL);
	cpu_set_t set;

	if (!sched_getaffinity(0, sizeof(set), &set))
		json_object_set_new(facts, "cpu_allowed", json_integer(CPU_COUNT(&set)));
	add_quota(facts);
	json_object_set_new(facts, "hypervisor",
		json_boolean(cpuinfo && strstr(cpuinfo, " hypervisor") != NULL));
	add_switch(facts, "turbo", "/sys/devices/system/cpu/intel_pstate/no_turbo", 0);
	add_switch(facts, "turbo", "/sys/devices/system/cpu/cpufreq/boost", 1);
	add_switch(facts, "smt", "/sys/devices/system/cpu/smt/active", 1);
}

static void add_load(json_t *facts)
{
	static const struct timespec window = {.tv_nsec = LOAD_WINDOW_NS};
	struct host_load before = host_load_read(), after;
	json_t *sums;

	nanosleep(&window, NULL);
	after = host_load_read();
	sums = host_load_json(&before, &after, NULL);
	json_object_set_new(facts, "load",
		json_pack("{s:f,s:f}", "others", host_load_others(sums), "stolen",
			host_load_stolen(sums)));
	json_decref(sums);
}

/* The nearest folder above @path that is there: what will be made lies on its file system. */
static void add_room(json_t *room, const char *key, const char *path, uint64_t need)
{
	__free_char char *at = xstrdup(path), *shown = path_without_home(path);
	struct statvfs fs;
	char *slash;

	while (statvfs(at, &fs)) {
		slash = strrchr(at, '/');
		if (!slash)
			return;
		slash[slash == at] = '\0';
		if (slash == at && statvfs(at, &fs))
			return;
	}
	json_object_set_new(room, key,
		json_pack("{s:s,s:I,s:I}", "path", shown, "free_bytes",
			(json_int_t)fs.f_bavail * (json_int_t)fs.f_frsize, "need_bytes",
			(json_int_t)need));
}

static void add_rooms(json_t *facts)
{
	const json_t *kernels = json_object_get(facts, "kernels");
	bool built = kernels && json_equal(json_object_get(kernels, "needed"),
					json_object_get(kernels, "built"));
	__free_char char *results = store_default_results();
	json_t *room = json_object();

	add_room(room, "cache", kab_cache(), built ? 0 : BUILD_BYTES);
	add_room(room, "results", results, RESULTS_BYTES);
	json_object_set_new(facts, "room", room);
}

static void add_memory(json_t *facts)
{
	double kib = number_in("/proc/meminfo", "MemAvailable:");

	if (kib >= 0)
		json_object_set_new(
			facts, "memory_available_bytes", json_integer((json_int_t)kib * 1024));
}

json_t *doctor_facts(const struct doctor_options *opt, struct error *err)
{
	json_t *facts = sysinfo_read(), *packages = doctor_packages();
	__free_char char *kernel = opt->kernel ? xstrdup(opt->kernel) : NULL;

	/* What a boot loader says of this machine is nobody's business in a report that is handed
	 * on. */
	json_object_del(facts, "cmdline");
	/* First, before anything here adds to it. */
	add_load(facts);
	json_object_set_new(facts, "root", json_boolean(!geteuid()));
	if (packages)
		json_object_set_new(facts, "packages", packages);
	add_programs(facts);
	add_qemu(facts);
	add_perf(facts);
	json_object_set_new(facts, "pmu", try_pmu());
	add_cpus(facts);
	add_memory(facts);
	/* A kernel's key is made of the compiler, among others. */
	if (opt->look_for_kernels && found("gcc") && found("ld")) {
		char *image = look_for_kernels(facts);

		if (kernel)
			free(image);
		else
			kernel = image;
	}
	add_rooms(facts);
	if (!try_kvm(facts, opt->try_kvm ? kernel : NULL, err) && !kab_interrupted)
		return facts;
	json_decref(facts);
	if (kab_interrupted)
		error_set(err, KAB_INTERRUPTED, "interrupted");
	return NULL;
}

int doctor_record(struct store *run, const char *kernel, bool kvm, struct error *err)
{
	const struct doctor_options opt = {.kernel = kernel, .try_kvm = kvm};
	json_t *facts = doctor_facts(&opt, err), *patch;
	int ret;

	if (!facts)
		return -1;
	patch = json_pack("{s:o}", "doctor", doctor_judge(facts));
	ret = store_update(run, patch, err);
	json_decref(patch);
	json_decref(facts);
	return ret;
}
