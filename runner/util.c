// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory, buffers and small files. Linked into the guest agent too, so libc is all it may use. */
#include "util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

volatile int kab_interrupted;

static void *or_die(void *p)
{
	if (!p) {
		static const char text[] = "kab: out of memory\n";

		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
			_exit(KAB_ENVIRONMENT);
		abort();
	}
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	return or_die(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc_array(void *p, size_t n, size_t size)
{
	return or_die(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return or_die(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return or_die(strndup(s, n));
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *s;

	return or_die(vasprintf(&s, fmt, ap) < 0 ? NULL : s);
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}

void free_charp(char **p)
{
	free(*p);
}

void close_fdp(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void close_filep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static void buf_reserve(struct buf *b, size_t more)
{
	size_t want = b->len + more + 1;

	if (want <= b->size)
		return;
	b->size = want > 2 * b->size ? want : 2 * b->size;
	b->data = xrealloc_array(b->data, b->size, 1);
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	buf_reserve(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_addstr(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	buf_reserve(b, n);
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
}

void buf_free(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

char *file_read(const char *path, size_t *len, struct error *err)
{
	__close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf b = {};

	if (fd < 0) {
		error_set(err, KAB_ENVIRONMENT, "%s: %s", path, strerror(errno));
		return NULL;
	}
	for (;;) {
		ssize_t n;

		buf_reserve(&b, 65536);
		n = read(fd, b.data + b.len, b.size - b.len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set(err, KAB_ENVIRONMENT, "%s: %s", path, strerror(errno));
			buf_free(&b);
			return NULL;
		}
		if (!n)
			break;
		b.len += n;
	}
	b.data[b.len] = '\0';
	if (len)
		*len = b.len;
	return b.data;
}

/* The folder that holds @path; caller frees. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= n;
	}
	return 0;
}

int file_write_atomic(const char *path, const void *data, size_t len, struct error *err)
{
	__free_char char *tmp = xasprintf("%s.XXXXXX", path);
	__free_char char *folder = folder_of(path);
	__close_fd int dir = -1;
	int fd = mkostemp(tmp, O_CLOEXEC);

	if (fd < 0)
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", path, strerror(errno));
	if (write_all(fd, data, len) || fchmod(fd, 0644) || fsync(fd))
		goto fail;
	if (close(fd)) {
		fd = -1;
		goto fail;
	}
	fd = -1;
	if (rename(tmp, path))
		goto fail;
	/* The new name itself must survive a power cut. */
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		fsync(dir);
	return 0;
fail:
	error_set(err, KAB_ENVIRONMENT, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	unlink(tmp);
	return -1;
}

int dir_make(const char *path, struct error *err)
{
	__free_char char *p = xstrdup(path);

	for (char *s = p + 1;; s++) {
		char c = *s;

		if (c && c != '/')
			continue;
		*s = '\0';
		if (mkdir(p, 0755) && errno != EEXIST)
			return error_set(err, KAB_ENVIRONMENT, "%s: %s", p, strerror(errno));
		*s = c;
		if (!c)
			return 0;
	}
}

static int remove_at(int at, const char *name)
{
	struct dirent *d;
	DIR *dir;
	int fd;

	if (!unlinkat(at, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while ((d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (remove_at(fd, d->d_name)) {
			int saved = errno;

			closedir(dir);
			errno = saved;
			return -1;
		}
	}
	closedir(dir);
	return unlinkat(at, name, AT_REMOVEDIR);
}

int dir_remove(const char *path, struct error *err)
{
	if (remove_at(AT_FDCWD, path))
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", path, strerror(errno));
	return 0;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void time_iso(char *out, size_t size)
{
	time_t t = time(NULL);
	struct tm tm;

	strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
}
