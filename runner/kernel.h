/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base + series + config -> a built kernel in the cache. The key is the content; nothing is built twice. */
#ifndef KAB_KERNEL_H
#define KAB_KERNEL_H

#include <jansson.h>

#include "error.h"
#include "matrix.h"

struct kernel {
	char key[65];	    /* SHA-256 of base checksum, patches, config fragments, alignment, compiler */
	char *dir;	    /* <cache>/kernels/<key>/ */
	char *image;	    /* bzImage */
	char *vmlinux;	    /* NULL if not kept */
	char *selftests;    /* folder of installed self-tests; NULL if the series have none */
	char *base_version; /* "6.1.192"; NULL while a tarball has never been unpacked */
	bool debug;	    /* lockdep, KASAN or KCSAN is on */
	bool built;	    /* it is in the cache */
	int lock;	    /* descriptor that keeps "kernel clean" off while in use; 0: none */
	json_t *meta;	    /* meta.json: what run.json records of the arm (hashes, sizes, build seconds, config) */
};

/*
 * Progress of a build, for a terminal: stage ("wait", "extract", "patch", "config", "build", "selftests", "publish"), done
 * of total (0: unknown). During "build" it is called from a thread of its own, the caller being blocked.
 */
typedef void kernel_progress(void *arg, const char *stage, unsigned long done, unsigned long total);

/* Key and place of what @arm needs, without building. Bad input is KAB_USAGE, a base that is not there KAB_ENVIRONMENT. */
int kernel_resolve(const struct arm *arm, struct kernel *k, struct error *err);
/*
 * kernel_resolve(), and a build if it is not there: extract, patch, configure, check the configuration,
 * build, publish by rename. A failing hunk is named by series, patch, file and base version; an option
 * that did not take is named; a failed build leaves its log, named in the error. Two processes that want
 * one kernel: the second waits. Until kernel_clear() the entry is locked against "kernel clean".
 */
int kernel_build(const struct arm *arm, struct kernel *k, kernel_progress *progress, void *arg,
		 struct error *err);
/*
 * Whether the patches of @arm apply to its base, without building: what kernel_build() would say of one that does not.
 * The base is unpacked if it was not yet.
 */
int kernel_check_patches(const struct arm *arm, kernel_progress *progress, void *arg, struct error *err);
void kernel_clear(struct kernel *k);

/*
 * Minutes that a kernel takes to build here: the mean of those in the cache that were built from nothing. 0 where there
 * is none.
 */
double kernel_build_minutes(void);

#endif
