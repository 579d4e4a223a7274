// SPDX-License-Identifier: GPL-2.0-or-later
/* The vm executor: a guest under KVM where that works, else under TCG with a thread for each CPU.
 */
#include "vm_guest.h"
#include "kvm_probe.h"

static struct executor *boot(const struct boot_request *req, struct error *err)
{
	struct vm_guest_options opt = {.accel = QEMU_TCG};
	struct kvm_probe kvm;
	struct executor *ex;

	if (kvm_probe(req->kernel, &kvm, err))
		return NULL;
	if (kvm.works)
		opt.accel = QEMU_KVM;
	ex = vm_guest_boot(req, &opt, err);
	if (!ex || kvm.works)
		return ex;
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
