// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cache's folders:
 *
 *   kernels/<key>/      published kernels; an entry appears by rename(2), whole
 *   sources/<checksum>/ pristine sources, the same
 *   trees/<slot>/       build trees kept for the next kernel, see kernel_tree.c
 *   build/<key>/        a build under way, owned by who holds locks/<key>
 *   build/stale.*       on its way out: whoever comes by may delete it
 *   failed/<key>.log    logs of builds that failed
 *   initramfs/          what guests boot with, by content
 *   locks/<name>        flock(2): exclusive to make or delete an entry, shared to use it; never
 *                       unlinked, so that a name means one inode for good
 *   ccache/             objects of earlier versions of kab; nothing makes it now
 */
#include "kernel_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

char *cache_path(const char *kind, const char *name)
{
	return xasprintf("%s/%s/%s", kab_cache(), kind, name);
}

static char *cache_folder(const char *kind)
{
	return xasprintf("%s/%s", kab_cache(), kind);
}

int cache_lock(const char *name, int how, struct error *err)
{
	__free_char char *folder = cache_folder("locks");
	__free_char char *path = cache_path("locks", name);
	int low, fd;

	if (dir_make(folder, err))
		return -1;
	low = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (low < 0)
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", path, strerror(errno));
	/* Above the standard streams, so that 0 can mean "no lock". */
	fd = fcntl(low, F_DUPFD_CLOEXEC, 3);
	close(low);
	if (fd < 0)
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", path, strerror(errno));
	while (flock(fd, how)) {
		int why = errno;

		if (why == EINTR && !kab_interrupted)
			continue;
		close(fd);
		if (why == EINTR)
			return error_set(err, KAB_INTERRUPTED, "interrupted");
		if (why == EWOULDBLOCK)
			return -1;
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", path, strerror(why));
	}
	return fd;
}

int cache_lock_share(int fd, struct error *err)
{
	while (flock(fd, LOCK_SH)) {
		if (errno != EINTR)
			return error_set(err, KAB_ENVIRONMENT, "flock: %s", strerror(errno));
		if (kab_interrupted)
			return error_set(err, KAB_INTERRUPTED, "interrupted");
	}
	return 0;
}

void cache_discard(const char *path)
{
	__free_char char *folder = cache_folder("build");
	__free_char char *stale = NULL;
	const char *slash = strrchr(path, '/');

	/*
	 * Renamed first: a make that outlived a killed kab still works in it, by its working
	 * directory, and must not meet the tree that is built here next.
	 */
	if (access(path, F_OK) || dir_make(folder, NULL))
		return;
	stale = xasprintf("%s/stale.%d.%llx.%s", folder, getpid(), (unsigned long long)now_ns(),
		slash ? slash + 1 : path);
	if (!rename(path, stale))
		dir_remove(stale, NULL);
}

/* Removes entries of @kind, named <name><suffix>, whose lock <prefix><name> is free. */
static void sweep(const char *kind, const char *prefix, const char *suffix)
{
	__free_char char *folder = cache_folder(kind);
	struct strings names = folder_names(folder, suffix);

	for (size_t i = 0; i < names.n; i++) {
		__free_char char *path = cache_path(kind, names.v[i]);
		__free_char char *name = xasprintf(
			"%s%.*s", prefix, (int)(strlen(names.v[i]) - strlen(suffix)), names.v[i]);
		__close_fd int lock = -1;

		if (!strncmp(names.v[i], "stale.", 6)) {
			dir_remove(path, NULL);
			continue;
		}
		lock = cache_lock(name, LOCK_EX | LOCK_NB, NULL);
		if (lock >= 0)
			cache_discard(path);
	}
	strings_clear(&names);
}

void cache_sweep(void)
{
	sweep("build", "", "");
	sweep("sources", "source-", ".tmp");
}

int cache_space(uint64_t need, struct error *err)
{
	struct statvfs v;
	uint64_t have;

	if (dir_make(kab_cache(), err))
		return -1;
	if (statvfs(kab_cache(), &v))
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", kab_cache(), strerror(errno));
	have = (uint64_t)v.f_bavail * v.f_frsize;
	if (have < need)
		return error_set(err, KAB_ENVIRONMENT,
			"%s: %.1f GB free, building this kernel needs %.1f GB ('kab kernel clean' "
			"makes room, "
			"XDG_CACHE_HOME names another place)",
			kab_cache(), have / 1e9, need / 1e9);
	return 0;
}

uint64_t cache_size(const char *path)
{
	char *const roots[] = {(char *)path, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	uint64_t sum = 0;
	FTSENT *e;

	while (fts && (e = fts_read(fts)))
		/* What build trees and sources share is shared out, so that sizes add up. */
		if (e->fts_info == FTS_F)
			sum += (uint64_t)e->fts_statp->st_blocks * 512 / e->fts_statp->st_nlink;
	if (fts)
		fts_close(fts);
	return sum;
}

void cache_touch(const char *path)
{
	utimensat(AT_FDCWD, path, NULL, 0);
}
