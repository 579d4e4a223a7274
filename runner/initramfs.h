/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root file system that a guest starts on: our init, our workloads, nothing else. */
#ifndef KAB_INITRAMFS_H
#define KAB_INITRAMFS_H

#include "error.h"

/*
 * The path of an archive that holds kab-guest as /init and kab-workload (if it is built), under
 * <cache>/initramfs/ by the hash of its content; made if it is not there. NULL and err. Caller
 * frees.
 */
char *initramfs_path(struct error *err);

#endif
