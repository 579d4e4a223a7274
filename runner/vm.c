// SPDX-License-Identifier: GPL-2.0-or-later
/* The vm executor: a guest under KVM where that works, else under TCG with a thread for each CPU. */
#include "vm_guest.h"
#include "kvm_probe.h"

#include <string.h>

#define TCG_BOOTS 4
/* Whole, since what a guest that dies of something else leaves on its console may hold those words, too. */
#define COARSE "the guest did not boot as it should: " VM_COARSE_TIMER

static const struct vm_guest_options kvm_guest = {.accel = QEMU_KVM},
				     tcg_guest = {.accel = QEMU_TCG};

bool vm_lost_write(const char *text)
{
	return strstr(text, "oops: int3: 0000");
}

/* The same of a guest that did not come up: it may have been reset without a word, too. */
static bool spares_boot(const char *text)
{
	return vm_lost_write(text) || strstr(text, VM_RESET_SILENTLY) || strstr(text, COARSE);
}

/*
 * A guest that is up, but for its timers: a kernel without an ACPI PM timer (CONFIG_X86_PM_TIMER, which ours have) verifies
 * the local APIC's by counting ticks, and where the emulator was late with one does without. Its sleeps take 4 ms instead of
 * 0.1 and its CPUs interrupt each other for each tick: another machine than that of the next boot. Returns NULL and @err then,
 * with @ex gone; else @ex.
 */
static struct executor *with_fine_timer(struct executor *ex, struct error *err)
{
	if (!ex || !vm_guest_has_coarse_timer(ex))
		return ex;
	vm_guest_shutdown(ex);
	error_set(err, KAB_ENVIRONMENT, COARSE);
	return NULL;
}

static void set_tcg_retries(struct executor *ex, json_int_t retries)
{
	json_object_set_new(vm_guest_env(ex), "tcg_boot_retries", json_integer(retries));
}

static json_int_t tcg_retries(struct executor *ex)
{
	return json_integer_value(json_object_get(vm_guest_env(ex), "tcg_boot_retries"));
}

/* A kernel that boots shows that it was KVM that failed in the probe. */
static void note_no_kvm(struct executor *ex, struct kvm_probe *kvm)
{
	if (!kvm->settled)
		kvm_probe_settle(kvm);
	kvm->settled = true;
	json_object_set_new(vm_guest_env(ex), "kvm_lack", json_string(kvm->reason));
}

/*
 * Boots under TCG, again where the emulator and not the kernel was at fault: QEMU before 8.1 with a thread for each CPU
 * can miss a write to code that another CPU is translating. A kernel that patches a static key while
 * it boots then dies of an int3 that is long gone; about one boot in fifty does. And now and then a guest with
 * eight CPUs on two nodes is reset while it looks for PCI devices, without a triple fault (-d cpu_reset shows none). And see
 * with_fine_timer(). How often any of it happened stands in the environment as tcg_boot_retries.
 */
static struct executor *boot_tcg(const struct boot_request *req, struct error *err)
{
	for (int retries = 0;; retries++) {
		struct executor *ex = with_fine_timer(vm_guest_boot(req, &tcg_guest, err), err);

		if (ex)
			set_tcg_retries(ex, retries);
		if (ex || !spares_boot(err->text))
			return ex;
		if (retries + 1 == TCG_BOOTS) {
			error_prefix(err, "%d times in a row", TCG_BOOTS);
			return NULL;
		}
	}
}

static struct executor *boot(const struct boot_request *req, struct error *err)
{
	struct kvm_probe kvm;
	struct executor *ex;

	if (kvm_probe(req->kernel, &kvm, err))
		return NULL;
	if (kvm.works)
		return vm_guest_boot(req, &kvm_guest, err);
	ex = boot_tcg(req, err);
	if (!ex)
		return NULL;
	note_no_kvm(ex, &kvm);
	return ex;
}

/* Of the machines that are launched: asked once, since what is not settled yet takes seconds. */
static struct kvm_probe kvm_of_launch;
static bool kvm_asked;

/* Who boots a group again where one of it did not come up is the caller, one by one. */
static struct executor *launch(const struct boot_request *req, struct error *err)
{
	if (!kvm_asked && kvm_probe(req->kernel, &kvm_of_launch, err))
		return NULL;
	kvm_asked = true;
	return vm_guest_launch(req, kvm_of_launch.works ? &kvm_guest : &tcg_guest, err);
}

static int await(struct executor **ex, const struct boot_request *req, struct error *err)
{
	json_int_t retries = 0;

	if (vm_guest_await(*ex, req, err))
		*ex = NULL;
	else if (!kvm_of_launch.works)
		*ex = with_fine_timer(*ex, err);
	if (!*ex) {
		if (kvm_of_launch.works || !spares_boot(err->text))
			return -1;
		*ex = boot_tcg(req, err);
		if (!*ex)
			return -1;
		retries = 1 + tcg_retries(*ex);
	}
	if (kvm_of_launch.works)
		return 0;
	set_tcg_retries(*ex, retries);
	note_no_kvm(*ex, &kvm_of_launch);
	return 0;
}

/* Static keys are switched in jobs, too. */
static int run(
	struct executor *ex, const struct job *job, struct job_result *res, struct error *err)
{
	const json_t *accel = json_object_get(vm_guest_env(ex), "accelerator");

	if (vm_guest_run(ex, job, res, err))
		return -1;
	res->lost_write = res->machine_lost && res->status == SAMPLE_OOPS &&
			  vm_lost_write(res->reason) &&
			  !strcmp(json_string_value(accel), qemu_accel_name(QEMU_TCG));
	return 0;
}

const struct executor_ops vm_executor = {
	.name = "vm",
	.boot = boot,
	.launch = launch,
	.await = await,
	.run = run,
	.env = vm_guest_env,
	.shutdown = vm_guest_shutdown,
};
