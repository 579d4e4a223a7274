/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does KVM work here? A device node that opens proves nothing: there are hosts where it opens, QEMU
 * starts, the firmware runs, and a kernel then hangs or QEMU aborts. So a small guest has to reach
 * its init.
 */
#ifndef KAB_KVM_PROBE_H
#define KAB_KVM_PROBE_H

#include <stdbool.h>

#include "error.h"

#define KVM_PROBE_LIMIT_S 5

struct kvm_probe {
	bool works;
	bool settled; /* by lack of a device, by a guest that booted, or read from the cache */
	bool cached;
	char reason[512]; /* why not; "" where it works */
};

/*
 * Boots @kernel with our initramfs under KVM, within KVM_PROBE_LIMIT_S. The answer is kept under
 * the cache folder for this boot of the host, its kernel and this QEMU. With @kernel NULL nothing
 * is started: an answer that is not there yet is unsettled. A failure may be the kernel's own, so
 * it is settled only by kvm_probe_settle() once the same kernel has booted without KVM. -1:
 * interrupted.
 */
int kvm_probe(const char *kernel, struct kvm_probe *p, struct error *err);
/* Keeps the answer @p. */
void kvm_probe_settle(const struct kvm_probe *p);

#endif
