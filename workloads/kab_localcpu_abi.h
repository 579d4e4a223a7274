/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The interface of /dev/kab_localcpu, for hosts whose kernel headers do not have it: word for word
 * what patch 1 of kernel-patch/series/vm-local-cpu installs as linux/kab_localcpu.h.
 */
/*
 * /dev/kab_localcpu: pool pages that are mapped into a window and unmapped
 * again on demand.
 *
 * Each open has a pool of its own and at most one window, a shared mapping at
 * file offset 0. The thread that opens the device and the CPU it then runs on
 * are its owner. KAB_LOCALCPU_SETUP comes next, once; then mmap(), and any
 * number of KAB_LOCALCPU_MAP and KAB_LOCALCPU_UNMAP. Touching a part of the
 * window that no pool page is mapped at gives SIGBUS.
 */
#ifndef _UAPI_LINUX_KAB_LOCALCPU_H
#define _UAPI_LINUX_KAB_LOCALCPU_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Features of this kernel. */
#define KAB_LOCALCPU_FEATURE_LOCAL	(1 << 0) /* it has VM_LOCAL_CPU */

/* Flags of one open. */
#define KAB_LOCALCPU_LOCAL		(1 << 0) /* the window gets VM_LOCAL_CPU */

#define KAB_LOCALCPU_MAX_PAGES		4096 /* of a pool, and of a window */

/* What a page of the pool begins with; the rest of it is zero. */
struct kab_localcpu_stamp {
	__u64 magic;
	__u64 number;		/* which page of the pool this is, from 0 */
};

#define KAB_LOCALCPU_MAGIC		0x6c6f63616c637075ULL

/*
 * EOPNOTSUPP: KAB_LOCALCPU_LOCAL on a kernel without it. EPERM: not the thread
 * that opened the device. EINVAL: an unknown flag, or KAB_LOCALCPU_LOCAL from a
 * thread that is not pinned to the CPU it was on when it opened the device.
 * EBUSY: done already.
 */
struct kab_localcpu_setup {
	__u32 flags;
	__u32 pages;		/* of the pool, 1 to KAB_LOCALCPU_MAX_PAGES */
};

struct kab_localcpu_info {
	__u32 features;
	__u32 flags;		/* as set up */
	__u32 pages;		/* of the pool; 0 before KAB_LOCALCPU_SETUP */
	__s32 cpu;		/* the owner's */
	__s32 owner;		/* its thread id, as the caller sees it; 0: not visible */
	__u32 reserved;
};

/*
 * Pages [first, first + pages) of the pool, going on at 0 after its last, are
 * mapped at @offset into the window. @first plays no part in unmapping, and
 * unmapping what is not mapped is no error. Only threads of the process that
 * opened the device may do either (EPERM). EBUSY: something is mapped there
 * already; with KAB_LOCALCPU_LOCAL it is replaced instead. ENXIO: no window.
 */
struct kab_localcpu_range {
	__u64 offset;		/* in bytes, a multiple of the page size */
	__u32 pages;
	__u32 first;
};

#define KAB_LOCALCPU_IOC		0xb9
#define KAB_LOCALCPU_INFO	_IOR(KAB_LOCALCPU_IOC, 0, struct kab_localcpu_info)
#define KAB_LOCALCPU_SETUP	_IOW(KAB_LOCALCPU_IOC, 1, struct kab_localcpu_setup)
#define KAB_LOCALCPU_MAP	_IOW(KAB_LOCALCPU_IOC, 2, struct kab_localcpu_range)
#define KAB_LOCALCPU_UNMAP	_IOW(KAB_LOCALCPU_IOC, 3, struct kab_localcpu_range)

#endif /* _UAPI_LINUX_KAB_LOCALCPU_H */
