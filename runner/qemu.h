/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One QEMU process: its command line, its start and its end. */
#ifndef KAB_QEMU_H
#define KAB_QEMU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "util.h"

#define QEMU_NODE_MEMORY_MIN (64ull << 20) /* bytes of a node */

enum qemu_accel { QEMU_TCG, QEMU_KVM, QEMU_ICOUNT };

/* What to start. Strings are borrowed; NULL where optional. */
struct qemu_spec {
	enum qemu_accel accel;
	unsigned cpus, nodes;
	uint64_t memory; /* bytes */
	unsigned hz;	 /* CONFIG_HZ of the kernel; 0: unknown */
	const char *kernel, *initrd;
	const char *
		cmdline; /* appended to what the accelerator and the console need; "" for nothing */
	const char *share;   /* folder behind the 9p tag "kab-root"; NULL: none */
	const char *console; /* file that the serial console is written to */
	const char *log;     /* file for QEMU's own words */
	const char *counter, *counts; /* plugin that counts instructions, and the file it writes; NULL: none */
};

/* KiB of a console that are kept, unless instructions are counted by function: $KAB_CONSOLE_LIMIT_KIB, or 65536. */
unsigned qemu_file_limit_kib(void);

struct qemu {
	pid_t pid; /* 0: reaped */
	int pidfd;
	int agent;	     /* our end of the protocol port, non-blocking */
	int qmp;	     /* our end of the monitor, non-blocking */
	int wait_status;     /* once it is reaped */
	uint64_t started_ns; /* CLOCK_MONOTONIC before the fork */
};

/* An argument vector that owns its strings, NULL-terminated once something was added. */
struct argv {
	char **v;
	size_t n;
};
void argv_clear(struct argv *a);

/*
 * The command line for @spec with the two descriptors that the process inherits. -1 with KAB_USAGE
 * where @spec makes no machine (more nodes than CPUs, no memory ...). The caller clears @a, also on
 * error.
 */
int qemu_command(
	const struct qemu_spec *spec, int agent_fd, int qmp_fd, struct argv *a, struct error *err);

/* Starts it in a process group of its own; it dies with us. -1 with KAB_ENVIRONMENT. */
int qemu_start(const struct qemu_spec *spec, struct qemu *q, struct error *err);
/* Waits up to @ms for its end; true once it is reaped. */
bool qemu_wait(struct qemu *q, int ms);
/* Kills it if it lives, reaps it, closes the descriptors. A zeroed @q is left alone. */
void qemu_stop(struct qemu *q);

/* "7.2.22" of the installed QEMU, asked once; NULL and err: there is none. Static. */
const char *qemu_version(struct error *err);
/* "tcg", "kvm", "tcg-icount" */
const char *qemu_accel_name(enum qemu_accel accel);

#endif
