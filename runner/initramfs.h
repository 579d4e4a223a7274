/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root file system that a guest starts on: our init, our workloads, nothing else. */
#ifndef KAB_INITRAMFS_H
#define KAB_INITRAMFS_H

#include "error.h"
#include "util.h"

/*
 * The "newc" cpio archive, see Documentation/driver-api/early-userspace/buffer-format.rst: entries
 * in order, cpio_end() last. @mode holds type and permissions as in stat(2); device numbers matter
 * for S_IFCHR alone.
 */
void cpio_add(struct buf *b, const char *name, unsigned mode, unsigned major, unsigned minor,
	const void *data, size_t len);
void cpio_end(struct buf *b);

/*
 * The path of an archive that holds kab-guest as /init and kab-workload (if it is built), under
 * <cache>/initramfs/ by the hash of its content; made if it is not there. NULL and err. Caller
 * frees.
 */
char *initramfs_path(struct error *err);

#endif
