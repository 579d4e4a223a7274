/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every room needs and no library on our list has: allocation that cannot fail, small files. */
#ifndef KAB_UTIL_H
#define KAB_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Allocation: out of memory is the one error that aborts. The caller owns what comes back. */
void *xcalloc(size_t n, size_t size);
void *xrealloc_array(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Cleanup attribute idiom: __free_char char *p = ...; __close_fd int fd = ...; */
void free_charp(char **p);
void close_fdp(int *fd);
struct _IO_FILE;
void close_filep(struct _IO_FILE **f);
#define __free_char __attribute__((cleanup(free_charp)))
#define __close_fd __attribute__((cleanup(close_fdp)))
#define __close_file __attribute__((cleanup(close_filep)))

/* A growing byte buffer, always NUL-terminated; zero-initialise, buf_free() at the end. */
struct buf {
	char *data;
	size_t len, size;
};
void buf_add(struct buf *b, const void *data, size_t len);
void buf_addstr(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_free(struct buf *b);

/* Reads a whole file (regular, /proc or pipe); *@len may be NULL. Caller frees. NULL on error. */
char *file_read(const char *path, size_t *len, struct error *err);
/* Writes @path by way of a temporary file in its folder, fsync and rename. */
int file_write_atomic(const char *path, const void *data, size_t len, struct error *err);
/* mkdir -p. */
int dir_make(const char *path, struct error *err);
/* rm -rf; a missing @path is no error. Does not follow links. */
int dir_remove(const char *path, struct error *err);

/* CLOCK_MONOTONIC in ns. */
uint64_t now_ns(void);
/* UTC, "2026-01-31T12:00:00Z" into a buffer of at least 21 bytes. */
void time_iso(char *out, size_t size);
/* Hex SHA-256 (64 digits + NUL) of @len bytes. */
void sha256_hex(const void *data, size_t len, char out[65]);
int sha256_file(const char *path, char out[65], struct error *err);

/*
 * The folder that holds kernel-patch/, matrix/, plots/ and kab-workload: $KAB_HOME, else the
 * source tree the program was built in if it lies there, else ../share/kab beside the program, else the installed share
 * folder. Static.
 */
const char *kab_home(void);
/* $XDG_CACHE_HOME/kab or ~/.cache/kab. Static. */
const char *kab_cache(void);
/* @path for what is handed on: "~/..." where it lies below $HOME, whose name is nobody's business. Caller frees. */
char *path_without_home(const char *path);

/* Whether @path, followed through links, lies in the matrix/ that came with kab. */
bool path_is_own_matrix(const char *path);
/* What a user means by @name: that file, or where there is none kab's own, so that "matrix/quick.yaml" works anywhere. Caller frees. */
char *path_of_matrix(const char *name);

/*
 * The path of one of our own programs (kab-workload, kab-guest): $KAB_LIBEXEC, else beside the running
 * executable, else in ../libexec/kab from there, else the installed libexec folder. NULL: nowhere. Caller frees.
 */
char *kab_program(const char *name);

/*
 * A child process that dies with us, in a process group of its own. @argv ends with NULL. Output of both
 * streams goes to the file @log (appended) if not NULL. Returns the wait status or -1. Interrupted
 * (kab_interrupted) means: the group is killed, -1 with KAB_INTERRUPTED.
 */
int run_command(const char *const argv[], const char *cwd, const char *log, struct error *err);
/* The same, standard output captured into @out. */
int run_capture(const char *const argv[], const char *cwd, struct buf *out, struct error *err);

/* Set by SIGINT/SIGTERM handlers that main() installs; everything that waits looks at it. */
extern volatile int kab_interrupted;

#endif
