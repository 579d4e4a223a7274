/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the executors vm and exact have in common: a guest under QEMU. */
#ifndef KAB_VM_GUEST_H
#define KAB_VM_GUEST_H

#include "executor.h"
#include "qemu.h"

/* What is said of a guest that was reset with no complaint on its console. */
#define VM_RESET_SILENTLY "the guest was reset without a word on its console"

/* What a kernel says whose CPUs have no timer finer than a tick, 4 ms, and that of CPU 0 alone. */
#define VM_COARSE_TIMER "APIC timer disabled due to verification failure"

struct vm_guest_options {
	enum qemu_accel accel;
	unsigned slowdown; /* how many times longer than usual things may take; 0 is 1 */
	unsigned ready_s;  /* limit of the boot; 0: the usual */
};

/*
 * Boots a guest for @req. The rest is as executor_ops says: vm_guest_env() and vm_guest_run() take
 * what it returns, vm_guest_shutdown() frees it.
 */
struct executor *vm_guest_boot(
	const struct boot_request *req, const struct vm_guest_options *opt, struct error *err);
/*
 * The same in two halves, so that several guests can come up side by side: QEMU is started, and
 * then its guest is waited for. What vm_guest_await() fails for it frees.
 */
struct executor *vm_guest_launch(
	const struct boot_request *req, const struct vm_guest_options *opt, struct error *err);
int vm_guest_await(struct executor *ex, const struct boot_request *req, struct error *err);
int vm_guest_run(
	struct executor *ex, const struct job *job, struct job_result *res, struct error *err);
json_t *vm_guest_env(struct executor *ex);
/* Whether its console holds VM_COARSE_TIMER. */
bool vm_guest_has_coarse_timer(const struct executor *ex);
void vm_guest_shutdown(struct executor *ex);
/* The QEMU process, for tests that end it from outside. */
pid_t vm_guest_pid(const struct executor *ex);

#endif
