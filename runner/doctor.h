/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What works on this machine, and what each lack costs a measurement. In two steps, so that the
 * second can be tested without a machine that lacks something: facts are read and tried, then
 * judged.
 *
 * Facts are JSON: all of sysinfo_read() but the command line, and
 *
 *   root             we are
 *   qemu             version, or absent with qemu_why
 *   kvm              {works, tried, reason}
 *   pmu              {works, reason}: cycles counted by this kernel
 *   perf             {version, works, reason}; absent: no such program
 *   packages         {kernel: [name, ...], run: ..., build: ..., test: ..., offered: ...} of those
 *                    that are not installed; absent where dpkg is
 *   programs         {name: found} of those that a run cannot do without
 *   memory_available_bytes
 *   room             {cache: {path, free_bytes, need_bytes}, results: ...}
 *   cpu_allowed, cpu_quota    CPUs that we may use by affinity and by cgroup; the latter absent:
 * all hypervisor       this is a virtual machine turbo, smt       booleans; absent: not known load
 * {others, stolen}: shares of this machine's CPU time in the last moments kernels          {needed,
 * built} of the default matrix; absent: not looked at
 */
#ifndef KAB_DOCTOR_H
#define KAB_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "error.h"

struct store;

struct doctor_options {
	const char *kernel; /* to try KVM with; NULL: that of the default matrix that is built */
	bool try_kvm;	    /* false: what is known already of KVM is all that is told */
	bool look_for_kernels;
};

/* New reference; NULL only when interrupted. */
json_t *doctor_facts(const struct doctor_options *opt, struct error *err);
/*
 * [{name, title, level, value, cost}] in a fixed order. Levels: "ok"; "note", which costs nothing
 * for certain; "costs"; "stops", which keeps a default run from working. "cost" is what it costs
 * and what helps, absent with "ok". New reference.
 */
json_t *doctor_judge(const json_t *facts);
/* How many of @findings have @level. */
size_t doctor_count(const json_t *findings, const char *level);
/* Findings into run.json, as "doctor". */
int doctor_record(struct store *run, const char *kernel, bool try_kvm, struct error *err);

/* doctor_packages.c: see "packages" above; NULL: dpkg is not there. New reference. */
json_t *doctor_packages(void);

#endif
