// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The exact executor: a guest whose time is the number of instructions executed, so that
 * a cost on a path is read off to a fraction of a percent however busy the host is. It knows no
 * caches, no contention and no other CPU.
 */
#include "vm_guest.h"

/* A second of the guest is a thousand million instructions, which one thread of TCG takes some 10 s
 * for. */
#define SLOWDOWN 30

static struct executor *boot(const struct boot_request *req, struct error *err)
{
	static const struct vm_guest_options options = {.accel = QEMU_ICOUNT, .slowdown = SLOWDOWN};

	if (req->need_root) {
		error_set(err, KAB_USAGE,
			"the exact executor runs kab's own workloads alone: no commands, no perf");
		return NULL;
	}
	return vm_guest_boot(req, &options, err);
}

const struct executor_ops exact_executor = {
	.name = "exact",
	.boot = boot,
	.run = vm_guest_run,
	.env = vm_guest_env,
	.shutdown = vm_guest_shutdown,
};
