// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin of QEMU's: counts the instructions that a guest's kernel executes, by the address of
 * each translated block, between two marks that a workload sets (see workloads/mark.h). One virtual
 * CPU, so that nothing needs a lock.
 *
 * Argument: out=FILE. At each end mark a window is appended to it: "window", a line "ADDRESS COUNT"
 * (hexadecimal, decimal) for each block of the kernel that ran, "user COUNT" and "end".
 *
 * What is declared here of QEMU's plugin interface is its version 1, that of QEMU 6.0 to 8.x;
 * distributions export the functions without shipping the header.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum { INLINE_ADD_U64 = 0, CB_NO_REGS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(
	plugin_id id, void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_inline(
	struct qemu_plugin_tb *tb, int op, void *counter, uint64_t add);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
	void (*cb)(unsigned int vcpu, void *arg), int flags, void *arg);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

#define KERNEL_START 0xffff800000000000ull
#define BUCKETS 65536 /* a power of two */

/* Blocks that start at one address, whatever their lengths. Never freed: translated code adds to
 * it. */
struct block {
	struct block *next;
	uint64_t address, count, at_begin;
};

static struct block *buckets[BUCKETS];
static struct block user;
static FILE *out;

static struct block *find_block(uint64_t address)
{
	struct block **head = &buckets[(address ^ address >> 16) & (BUCKETS - 1)], *b;

	for (b = *head; b; b = b->next)
		if (b->address == address)
			return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	*b = (struct block){.next = *head, .address = address};
	*head = b;
	return b;
}

static void begin(unsigned int vcpu, void *arg)
{
	(void)vcpu;
	(void)arg;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct block *b = buckets[i]; b; b = b->next)
			b->at_begin = b->count;
	user.at_begin = user.count;
}

static void end(unsigned int vcpu, void *arg)
{
	(void)vcpu;
	(void)arg;
	fputs("window\n", out);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct block *b = buckets[i]; b; b = b->next)
			if (b->count != b->at_begin)
				fprintf(out, "%llx %llu\n", (unsigned long long)b->address,
					(unsigned long long)(b->count - b->at_begin));
	fprintf(out, "user %llu\nend\n", (unsigned long long)(user.count - user.at_begin));
	fflush(out);
}

/* A long no-operation whose displacement is "kab" and 1 or 2. */
static const unsigned char mark[7] = {0x0f, 0x1f, 0x84, 0x00, 'k', 'a', 'b'};

static void watch_marks(struct qemu_plugin_tb *tb)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const unsigned char *data = qemu_plugin_insn_data(insn);

		if (qemu_plugin_insn_size(insn) != sizeof(mark) + 1 ||
			memcmp(data, mark, sizeof(mark)))
			continue;
		if (data[sizeof(mark)] == 1)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, begin, CB_NO_REGS, NULL);
		else if (data[sizeof(mark)] == 2)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, end, CB_NO_REGS, NULL);
	}
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);
	bool kernel = address >= KERNEL_START;

	(void)id;
	if (!kernel)
		watch_marks(tb);
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64,
		kernel ? &find_block(address)->count : &user.count, qemu_plugin_tb_n_insns(tb));
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	if (!out) {
		fprintf(stderr, "kab-count: expected out=FILE, a file that can be written\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
