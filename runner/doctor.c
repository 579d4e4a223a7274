// SPDX-License-Identifier: GPL-2.0-or-later
/* The rules: what a fact means for a measurement. One rule, one line of the table. */
#include "doctor.h"

#include <stdio.h>
#include <string.h>

#include "conditions.h"
#include "util.h"

/* From here on a share of CPU time is worth a word; see conditions_host.c. */
#define OTHERS_SHARE 0.05
#define STOLEN_SHARE 0.01

#define DEFAULT_VCPUS 4
#define GUEST_BYTES (1ull << 30)	  /* of the default matrix */
#define MEMORY_SPARE_BYTES (512ull << 20) /* QEMU's own, kab, the page cache that 9p lives on */
#define CPU_MINUTES_PER_KERNEL 10	  /* measured, from no object at all */

enum level { OK, NOTE, COSTS, STOPS };

static const char *const level_names[] = {"ok", "note", "costs", "stops"};

struct finding {
	enum level level;
	struct buf value, cost;
};

static void __attribute__((format(printf, 3, 4)))
cost(struct finding *f, enum level level, const char *fmt, ...)
{
	__free_char char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	if (f->level < level)
		f->level = level;
	buf_addf(&f->cost, "%s%s", f->cost.len ? "; " : "", text);
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static double number_at(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static bool is_true(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* ---- what guests run on ---------------------------------------------------------------------- */

static void qemu(const json_t *facts, struct finding *f)
{
	const char *version = text_at(facts, "qemu");
	int major = 0, minor = 0;

	if (!*version) {
		buf_addstr(&f->value, "not there");
		cost(f, STOPS, "no guest can be started (%s); make deps installs it",
			text_at(facts, "qemu_why"));
		return;
	}
	buf_addstr(&f->value, version);
	sscanf(version, "%d.%d", &major, &minor);
	if (!is_true(json_object_get(facts, "kvm"), "works") &&
		(major < 8 || (major == 8 && !minor)))
		cost(f, NOTE,
			"before 8.1 its emulator may miss a write to patched code: about one boot "
			"in fifty is started again, and perf runs around warm-ups alone");
}

static void kvm(const json_t *facts, struct finding *f)
{
	const json_t *kvm = json_object_get(facts, "kvm");

	if (is_true(kvm, "works")) {
		buf_addstr(&f->value, "a guest booted under it");
		return;
	}
	buf_addf(&f->value, "%s: %s", is_true(kvm, "tried") ? "does not work" : "not known",
		text_at(kvm, "reason"));
	if (is_true(kvm, "tried"))
		cost(f, COSTS,
			"guests are emulated (TCG): times and rates do not stand for hardware, "
			"counts (switches, interrupts, flushes, faults) do; the exact executor "
			"gives instructions");
	else
		cost(f, NOTE, "the first run tries it");
}

static void kernels(const json_t *facts, struct finding *f)
{
	const json_t *k = json_object_get(facts, "kernels");
	double needed = number_at(k, "needed"), built = number_at(k, "built");
	double cpus = number_at(facts, "cpus"), minutes = number_at(k, "minutes");

	if (!k) {
		buf_addstr(&f->value, "not looked for");
		return;
	}
	buf_addf(&f->value, "%.0f of the default matrix's %.0f are built", built, needed);
	if (built < needed)
		cost(f, NOTE,
			"the first run builds %.0f, about %.0f minutes here; once, they are kept",
			needed - built,
			(needed - built) * (minutes > 0 ? minutes : CPU_MINUTES_PER_KERNEL / (cpus > 0 ? cpus : 1)));
}

/* ---- counters -------------------------------------------------------------------------------- */

static void pmu(const json_t *facts, struct finding *f)
{
	const json_t *pmu = json_object_get(facts, "pmu");

	if (is_true(pmu, "works")) {
		buf_addstr(&f->value, "counts cycles");
		return;
	}
	buf_addstr(&f->value, text_at(pmu, "reason"));
	cost(f, COSTS,
		"no cycles and no instructions: perf-stat has software events alone, and perf "
		"record samples by a clock; instructions can be counted by the exact executor");
}

static void perf(const json_t *facts, struct finding *f)
{
	const json_t *perf = json_object_get(facts, "perf");

	if (!perf) {
		buf_addstr(&f->value, "not there");
		cost(f, COSTS,
			"perf-stat and perf record have nothing to run, and workloads such as "
			"perf bench fail; make deps installs it");
		return;
	}
	buf_addstr(&f->value, text_at(perf, "version"));
	if (!is_true(perf, "works"))
		cost(f, COSTS, "perf stat fails on this machine's kernel: %s",
			text_at(perf, "reason"));
}

/* Guests run as root and have levels of their own. */
static void paranoia(const json_t *facts, struct finding *f)
{
	const json_t *level = json_object_get(facts, "perf_event_paranoid");

	if (!level) {
		buf_addstr(&f->value, "no such setting");
		cost(f, NOTE, "this kernel has no perf events: the local executor has no perf");
		return;
	}
	buf_addf(&f->value, "%d%s", (int)json_integer_value(level),
		is_true(facts, "root") ? ", which does not bind root" : "");
	if (!is_true(facts, "root") && json_integer_value(level) > 1)
		cost(f, NOTE,
			"the local executor's perf %s; sysctl kernel.perf_event_paranoid=1 lifts "
			"that (guests are not concerned)",
			json_integer_value(level) > 2 ? "counts nothing"
						      : "counts user space alone");
}

static void schedstat(const json_t *facts, struct finding *f)
{
	const json_t *version = json_object_get(facts, "schedstat_version");

	if (!version) {
		buf_addstr(&f->value, "this machine's kernel has none");
		cost(f, NOTE, "the local executor counts no context switches; guests do");
		return;
	}
	buf_addf(&f->value, "version %d, %s", (int)json_integer_value(version),
		number_at(facts, "sched_schedstats") ? "on" : "off");
	if (!number_at(facts, "sched_schedstats"))
		cost(f, NOTE,
			"the local executor counts no wake-ups; sysctl kernel.sched_schedstats=1 "
			"turns them on (guests have them on)");
}

/* ---- what makes figures wander --------------------------------------------------------------- */

static void cpus(const json_t *facts, struct finding *f)
{
	double have = number_at(facts, "cpus"), may = number_at(facts, "cpu_allowed");
	double quota = number_at(facts, "cpu_quota");

	buf_addf(&f->value, "%.0f, %s", have, text_at(facts, "cpu_model"));
	if (may > 0 && may < have)
		cost(f, COSTS, "affinity leaves us %.0f of them", may);
	if (quota > 0 && quota < have)
		cost(f, COSTS,
			"a cgroup leaves us %.3g of them, by stopping everything for a while",
			quota);
	if (have < DEFAULT_VCPUS)
		cost(f, COSTS,
			"the default matrix's guests have %d virtual CPUs, which wait for each "
			"other: wider intervals",
			DEFAULT_VCPUS);
}

static void machine(const json_t *facts, struct finding *f)
{
	double stolen = number_at(json_object_get(facts, "load"), "stolen");

	buf_addstr(&f->value, is_true(facts, "hypervisor") ? "virtual" : "real");
	if (is_true(facts, "hypervisor"))
		cost(f, NOTE, "other machines on the same hardware may take its time unseen");
	if (stolen > STOLEN_SHARE)
		cost(f, COSTS, "just now a hypervisor gave %.0f %% of it to others", stolen * 100);
}

static void load(const json_t *facts, struct finding *f)
{
	double others = number_at(json_object_get(facts, "load"), "others");

	/* Ticks and clock are not read at one moment. */
	if (others > 1)
		others = 1;
	buf_addf(&f->value, "other programs have %.0f %% of the CPUs", others * 100);
	if (others > OTHERS_SHARE)
		cost(f, COSTS, "wider intervals: measure when the machine has nothing else to do");
}

static void governor(const json_t *facts, struct finding *f)
{
	const char *name = text_at(facts, "governor"), *why;

	if (!*name) {
		buf_addstr(&f->value, "not ours to see");
		return;
	}
	buf_addstr(&f->value, name);
	if (condition_is_unsteady("governor", name, &why))
		cost(f, COSTS,
			"%s; 'performance' in "
			"/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor "
			"ends that",
			why);
}

static void turbo(const json_t *facts, struct finding *f)
{
	const json_t *on = json_object_get(facts, "turbo");

	buf_addstr(&f->value, !on ? "not ours to see" : json_is_true(on) ? "on" : "off");
	if (json_is_true(on))
		cost(f, NOTE,
			"frequencies depend on how many cores are busy, and how warm they are");
}

static void smt(const json_t *facts, struct finding *f)
{
	const json_t *on = json_object_get(facts, "smt");

	buf_addstr(&f->value, !on ? "not known" : json_is_true(on) ? "on" : "off");
	if (json_is_true(on))
		cost(f, NOTE, "two CPUs share a core: what one does is seen by the other");
}

static void clocksource(const json_t *facts, struct finding *f)
{
	const char *name = text_at(facts, "clocksource"), *why;

	buf_addstr(&f->value, *name ? name : "not known");
	if (condition_is_unsteady("clocksource", name, &why))
		cost(f, COSTS, "%s", why);
}

static void thp(const json_t *facts, struct finding *f)
{
	const char *name = text_at(facts, "thp");

	buf_addstr(&f->value, *name ? name : "not in this kernel");
	if (!strcmp(name, "always"))
		cost(f, NOTE,
			"where guests' memory gets huge pages depends on what is free, and times "
			"with it");
}

static void mitigations(const json_t *facts, struct finding *f)
{
	const json_t *all = json_object_get(facts, "mitigations");
	size_t mitigated = 0, vulnerable = 0;
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)all, key, v) {
		const char *text = json_string_value(v);

		mitigated += text && !strncmp(text, "Mitigation", 10);
		vulnerable += text && !strncmp(text, "Vulnerable", 10);
	}
	buf_addf(&f->value, "%zu on, %zu left open, of %zu known faults of processors", mitigated,
		vulnerable, json_object_size(all));
	if (vulnerable)
		cost(f, NOTE,
			"paths into the kernel cost less here than on a machine that closes them");
}

/* ---- room ------------------------------------------------------------------------------------ */

static void memory(const json_t *facts, struct finding *f)
{
	double have = number_at(facts, "memory_available_bytes");

	buf_addf(&f->value, "%.1f GiB free", have / (1 << 30));
	if (have < GUEST_BYTES)
		cost(f, STOPS, "a guest of the default matrix has 1 GiB");
	else if (have < GUEST_BYTES + MEMORY_SPARE_BYTES)
		cost(f, COSTS, "a guest of the default matrix has 1 GiB: it may be swapped out");
}

static void disk(const json_t *facts, struct finding *f)
{
	const json_t *room = json_object_get(facts, "room");
	const char *key;
	json_t *o;

	json_object_foreach ((json_t *)room, key, o) {
		double have = number_at(o, "free_bytes"), need = number_at(o, "need_bytes");

		buf_addf(&f->value, "%s%.1f GB for %s in %s", f->value.len ? ", " : "", have / 1e9,
			strcmp(key, "cache") ? "runs" : "kernels", text_at(o, "path"));
		if (have < need)
			cost(f, STOPS, "%s needs %.1f GB; %s names another place",
				strcmp(key, "cache") ? "a run" : "building kernels", need / 1e9,
				strcmp(key, "cache") ? "KAB_RESULTS" : "XDG_CACHE_HOME");
	}
}

static size_t add_names(struct buf *b, const json_t *packages, const char *group)
{
	const json_t *list = json_object_get(packages, group);

	for (size_t i = 0; i < json_array_size(list); i++)
		buf_addf(b, "%s%s", b->len ? " " : "", json_string_value(json_array_get(list, i)));
	return json_array_size(list);
}

static const struct {
	const char *group;
	enum level level;
	const char *cost;
} package_costs[] = {
	{"kernel", STOPS, "kernels cannot be built"},
	{"run", STOPS, "guests, or workloads in them, do not run"},
	{"build", NOTE, "kab itself cannot be built anew"},
	{"test", NOTE, "make test does not run whole"},
	{"offered", NOTE, "a test or two are skipped"},
};

/* Where dpkg is not there, the programs that matter most stand for packages. */
static void programs(const json_t *facts, struct finding *f)
{
	const json_t *all = json_object_get(facts, "programs");
	const char *name;
	json_t *v;

	buf_addstr(&f->value, "no dpkg here");
	json_object_foreach ((json_t *)all, name, v) {
		if (!json_is_true(v))
			cost(f, STOPS, "no %s", name);
	}
}

static void packages(const json_t *facts, struct finding *f)
{
	const json_t *all = json_object_get(facts, "packages");

	if (!all) {
		programs(facts, f);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(package_costs); i++)
		if (add_names(&f->value, all, package_costs[i].group))
			cost(f, package_costs[i].level, "%s", package_costs[i].cost);
	if (!f->value.len) {
		buf_addstr(&f->value, "all there");
		return;
	}
	buf_addstr(&f->value, " missing");
	if (f->level == STOPS)
		cost(f, STOPS, "make deps, as root, installs them");
}

static const struct {
	const char *name, *title;
	void (*judge)(const json_t *facts, struct finding *f);
} rules[] = {
	{"packages", "packages", packages},
	{"qemu", "QEMU", qemu},
	{"kvm", "KVM", kvm},
	{"kernels", "kernels", kernels},
	{"cpus", "CPUs", cpus},
	{"machine", "machine", machine},
	{"load", "load", load},
	{"memory", "memory", memory},
	{"disk", "disk", disk},
	{"perf", "perf", perf},
	{"pmu", "PMU", pmu},
	{"paranoia", "perf paranoia", paranoia},
	{"schedstat", "schedstat", schedstat},
	{"governor", "governor", governor},
	{"turbo", "turbo", turbo},
	{"smt", "SMT", smt},
	{"clocksource", "clocksource", clocksource},
	{"thp", "huge pages", thp},
	{"mitigations", "mitigations", mitigations},
};

json_t *doctor_judge(const json_t *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct finding f = {};
		json_t *o;

		rules[i].judge(facts, &f);
		o = json_pack("{s:s,s:s,s:s,s:s}", "name", rules[i].name, "title", rules[i].title,
			"level", level_names[f.level], "value", f.value.data);
		if (f.cost.len)
			json_object_set_new(o, "cost", json_string(f.cost.data));
		json_array_append_new(list, o);
		buf_free(&f.value);
		buf_free(&f.cost);
	}
	return list;
}

size_t doctor_count(const json_t *findings, const char *level)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(findings); i++)
		n += !strcmp(text_at(json_array_get(findings, i), "level"), level);
	return n;
}
