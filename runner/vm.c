// SPDX-License-Identifier: GPL-2.0-or-later
/* The vm executor: a guest under KVM where that works, else under TCG with a thread for each CPU. */
#include "vm_guest.h"
#include "kvm_probe.h"

#include <string.h>

#define TCG_BOOTS 4

/*
 * Boots under TCG, again where the emulator and not the kernel was at fault: QEMU before 8.1 with a thread for each CPU
 * can miss a write to code that another CPU is translating. A kernel that patches a static key while
 * it boots then dies of an int3 that is long gone; about one boot in fifty does. How often it
 * happened stands in the environment as tcg_boot_retries.
 */
static struct executor *boot_tcg(const struct boot_request *req, struct error *err)
{
	const struct vm_guest_options opt = {.accel = QEMU_TCG};

	for (int retries = 0;; retries++) {
		struct executor *ex = vm_guest_boot(req, &opt, err);

		if (ex)
			json_object_set_new(
				vm_guest_env(ex), "tcg_boot_retries", json_integer(retries));
		if (ex || retries + 1 == TCG_BOOTS || !strstr(err->text, "int3: 0000"))
			return ex;
	}
}

static struct executor *boot(const struct boot_request *req, struct error *err)
{
	const struct vm_guest_options opt = {.accel = QEMU_KVM};
	struct kvm_probe kvm;
	struct executor *ex;

	if (kvm_probe(req->kernel, &kvm, err))
		return NULL;
	if (kvm.works)
		return vm_guest_boot(req, &opt, err);
	ex = boot_tcg(req, err);
	if (!ex)
		return NULL;
	/* The kernel boots, so it was KVM that failed in the probe. */
	if (!kvm.settled)
		kvm_probe_settle(&kvm);
	json_object_set_new(vm_guest_env(ex), "kvm_lack", json_string(kvm.reason));
	return ex;
}

const struct executor_ops vm_executor = {
	.name = "vm",
	.boot = boot,
	.run = vm_guest_run,
	.env = vm_guest_env,
	.shutdown = vm_guest_shutdown,
};
