/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marks around what is measured, for an emulator that counts instructions (runner/qemu-plugin/count.c): long no-operations with
 * a displacement that no compiler makes. Elsewhere they do nothing, and take no time to speak of.
 */
#ifndef KAB_MARK_H
#define KAB_MARK_H

#ifdef __x86_64__
#define MARK(number) __asm__ volatile(".byte 0x0f, 0x1f, 0x84, 0x00, 'k', 'a', 'b', " number ::: "memory")
#else
#define MARK(number) ((void)0)
#endif

#define MARK_BEGIN() MARK("1")
#define MARK_END() MARK("2")

#endif
