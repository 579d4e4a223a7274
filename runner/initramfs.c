// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes the guest's initramfs. */
#include "initramfs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

static void pad4(struct buf *b)
{
	static const char zero[4];

	buf_add(b, zero, -b->len & 3);
}

/*
 * One entry of a "newc" cpio archive, see
 * Documentation/driver-api/early-userspace/buffer-format.rst.
 * @mode holds type and permissions as in stat(2); device numbers matter for S_IFCHR alone.
 */
static void cpio_add(struct buf *b, const char *name, unsigned mode, unsigned major, unsigned minor,
	const void *data, size_t len)
{
	/* magic, ino, mode, uid, gid, nlink, mtime, size, dev major and minor, rdev major and
	 * minor, name size, checksum (unused). The kernel needs inode numbers only for hard links.
	 */
	buf_addf(b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 0, mode, 0, 0, 1,
		0, (unsigned)len, 0, 0, major, minor, (unsigned)strlen(name) + 1, 0);
	buf_add(b, name, strlen(name) + 1);
	pad4(b);
	buf_add(b, data, len);
	pad4(b);
}

/* Comes last. */
static void cpio_end(struct buf *b)
{
	cpio_add(b, "TRAILER!!!", 0, 0, 0, NULL, 0);
}

static const struct {
	const char *name;
	unsigned mode, major, minor;
} nodes[] = {
	{"bin", S_IFDIR | 0755, 0, 0},
	{"dev", S_IFDIR | 0755, 0, 0},
	/* The kernel opens these two before init can mount devtmpfs. */
	{"dev/console", S_IFCHR | 0600, 5, 1},
	{"dev/null", S_IFCHR | 0666, 1, 3},
	{"host", S_IFDIR | 0755, 0, 0},
	{"proc", S_IFDIR | 0755, 0, 0},
	{"sys", S_IFDIR | 0755, 0, 0},
	{"tmp", S_IFDIR | 01777, 0, 0},
};

static const struct {
	const char *program, *name;
	bool optional;
} programs[] = {
	{"kab-guest", "init", false},
	{"kab-workload", "bin/kab-workload", true},
};

/* Adds one of our programs from where it lies on the host. */
static int add_program(
	struct buf *b, const char *program, const char *name, bool optional, struct error *err)
{
	__free_char char *path = kab_program(program), *data = NULL;
	size_t len;

	if (!path && optional)
		return 0;
	if (!path)
		return error_set(err, KAB_ENVIRONMENT,
			"%s is neither beside kab nor in its libexec folder; build it, or set "
			"KAB_LIBEXEC",
			program);
	data = file_read(path, &len, err);
	if (!data)
		return -1;
	cpio_add(b, name, S_IFREG | 0755, 0, 0, data, len);
	return 0;
}

static int build(struct buf *b, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		cpio_add(b, nodes[i].name, nodes[i].mode, nodes[i].major, nodes[i].minor, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (add_program(
			    b, programs[i].program, programs[i].name, programs[i].optional, err))
			return -1;
	cpio_end(b);
	return 0;
}

char *initramfs_path(struct error *err)
{
	__free_char char *folder = xasprintf("%s/initramfs", kab_cache());
	struct buf b = {0};
	char hash[65], *path = NULL;

	if (build(&b, err))
		goto out;
	sha256_hex(b.data, b.len, hash);
	path = xasprintf("%s/%.32s.cpio", folder, hash);
	if (access(path, R_OK) &&
		(dir_make(folder, err) || file_write_atomic(path, b.data, b.len, err))) {
		free(path);
		path = NULL;
	}
out:
	buf_free(&b);
	return path;
}
