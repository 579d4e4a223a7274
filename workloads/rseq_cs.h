/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restartable sequences of x86-64, in the area that glibc registers for each thread (2.35 and
 * later; a static program's, too). The kernel's side: Documentation of rseq(2), kernel/rseq.c.
 *
 * A sequence begins when its descriptor is stored into the area and ends with one store, the
 * commit. A thread that is preempted, migrated or sent a signal in between goes on at the abort
 * handler instead. Hence what is read from the area within a sequence (CPU, node, virtual CPU id)
 * holds until the commit, and nobody else with the same id ran meanwhile: plain loads and stores
 * are enough.
 */
#ifndef KAB_RSEQ_CS_H
#define KAB_RSEQ_CS_H

#include <stdint.h>
#include <sys/rseq.h>

#ifndef __x86_64__
/* cppcheck-suppress preprocessorErrorDirective */
#error "restartable sequences are written for x86-64 alone"
#endif

/* Offsets in struct rseq. Those from 20 on are of kernels that announce a feature size. */
#define RSEQ_OFFSET_CPU 4
#define RSEQ_OFFSET_CS 8
#define RSEQ_OFFSET_NODE 20
#define RSEQ_OFFSET_VCPU 24

#define SEQ_IDS 8192 /* ids that arrays by id have room for */

enum seq {
	SEQ_DONE,
	SEQ_ABORTED, /* nothing happened; try again */
	SEQ_REFUSED, /* nothing happened, for the reason that the function has */
};

/* An element of a list; it lies at the beginning of what is kept in lists. */
struct seq_node {
	struct seq_node *next;
	uint32_t depth; /* elements from here to the end of the list */
};

/* The list of one id. */
struct seq_list {
	struct seq_node *head;
	uint32_t used; /* whether anything was ever in it */
} __attribute__((aligned(128)));

/* What is known of one id, for seq_claim(). */
struct seq_slot {
	uint64_t owner; /* who claimed it last */
	uint32_t node;	/* where it was first seen, plus 1; 0: not yet */
} __attribute__((aligned(64)));

static inline char *seq_area(void)
{
	return (char *)__builtin_thread_pointer() + __rseq_offset;
}

/*
 * Labels: 1 start, 2 behind the commit, 3 descriptor, 4 abort, 5 refused, 6 out. The four bytes
 * before the abort handler must be the signature that the area was registered with; those before
 * them make an undefined instruction of it, so that it cannot be jumped to.
 */
#define SEQ_STR(x) #x
#define SEQ_XSTR(x) SEQ_STR(x)
/* clang-format off */
#define SEQ_BEGIN							\
	".pushsection __rseq_cs, \"aw\"\n\t"				\
	".balign 32\n"							\
	"3:	.long 0, 0\n\t"						\
	".quad 1f, 2f - 1f, 4f\n\t"					\
	".popsection\n\t"						\
	"leaq 3b(%%rip), %%rax\n\t"					\
	"movq %%rax, " SEQ_XSTR(RSEQ_OFFSET_CS) "(%[area])\n"		\
	"1:\n\t"
#define SEQ_END								\
	"xorl %[ret], %[ret]\n"						\
	"6:\n\t"							\
	".pushsection __rseq_failure, \"ax\"\n\t"			\
	".byte 0x0f, 0xb9, 0x3d\n\t"					\
	".long " SEQ_XSTR(RSEQ_SIG) "\n"				\
	"4:	movl $1, %[ret]\n\t"					\
	"jmp 6b\n"							\
	"5:	movl $2, %[ret]\n\t"					\
	"jmp 6b\n\t"							\
	".popsection\n\t"

/*
 * Puts @node in front of the list of this thread's id, which lies at @index in its area. Refused
 * when there are @capacity nodes already.
 */
static inline enum seq seq_push(
	struct seq_list *lists, const char *index, struct seq_node *node, uint32_t capacity)
{
	uint32_t ret;

	asm volatile(SEQ_BEGIN
		"movl (%[index]), %%eax\n\t"
		"cmpl %[ids], %%eax\n\t"
		"jae 5f\n\t"
		"shlq $7, %%rax\n\t"
		"addq %[lists], %%rax\n\t"
		"movq (%%rax), %%rcx\n\t"
		"xorl %%edx, %%edx\n\t"
		"testq %%rcx, %%rcx\n\t"
		"jz 7f\n\t"
		"movl 8(%%rcx), %%edx\n\t"
		"cmpl %[capacity], %%edx\n\t"
		"jae 5f\n"
		"7:	incl %%edx\n\t"
		"movq %%rcx, (%[node])\n\t"
		"movl %%edx, 8(%[node])\n\t"
		"movl $1, 8(%%rax)\n\t"
		"movq %[node], (%%rax)\n"
		"2:\n\t"
		SEQ_END
		: [ret] "=&r"(ret)
		: [area] "r"(seq_area()), [index] "r"(index), [lists] "r"(lists),
		  [node] "r"(node), [capacity] "r"(capacity), [ids] "i"(SEQ_IDS)
		: "rax", "rcx", "rdx", "memory", "cc");
	return ret;
}

/* Takes the first node off the list of this thread's id. Refused when there is none. */
static inline enum seq seq_pop(struct seq_list *lists, const char *index, struct seq_node **node)
{
	uint32_t ret;

	asm volatile(SEQ_BEGIN
		"movl (%[index]), %%eax\n\t"
		"cmpl %[ids], %%eax\n\t"
		"jae 5f\n\t"
		"shlq $7, %%rax\n\t"
		"addq %[lists], %%rax\n\t"
		"movq (%%rax), %[node]\n\t"
		"testq %[node], %[node]\n\t"
		"jz 5f\n\t"
		"movq (%[node]), %%rcx\n\t"
		"movq %%rcx, (%%rax)\n"
		"2:\n\t"
		SEQ_END
		: [ret] "=&r"(ret), [node] "=&r"(*node)
		: [area] "r"(seq_area()), [index] "r"(index), [lists] "r"(lists),
		  [ids] "i"(SEQ_IDS)
		: "rax", "rcx", "memory", "cc");
	return ret;
}

/* What a thread found out about itself within one sequence. */
struct seq_view {
	uint32_t id, cpu;
	uint32_t node;	/* as the kernel wrote it; meaningless where it writes none */
	uint64_t owner; /* of the slot; another's token: who claimed it at the same time */
};

/*
 * Writes @token into the slot of this thread's id and reads it back @rounds times. Another token
 * there is the proof of a second thread that was running with that id: the thread wrote it within a
 * sequence of its own, thus while it ran, and after this thread's write, hence while this one ran,
 * too. Refused then, and when the id is beyond the slots (@owner is @token all the same).
 */
static inline enum seq seq_claim(struct seq_slot *slots, const char *index, uint64_t token,
	uint32_t rounds, struct seq_view *view)
{
	uint32_t ret, done;

	view->owner = token;
	asm volatile(SEQ_BEGIN
		"movl (%[index]), %%eax\n\t"
		"movl %%eax, %[id]\n\t"
		"movl " SEQ_XSTR(RSEQ_OFFSET_CPU) "(%[area]), %%ecx\n\t"
		"movl %%ecx, %[cpu]\n\t"
		"movl " SEQ_XSTR(RSEQ_OFFSET_NODE) "(%[area]), %%ecx\n\t"
		"movl %%ecx, %[nid]\n\t"
		"cmpl %[ids], %%eax\n\t"
		"jae 5f\n\t"
		"shlq $6, %%rax\n\t"
		"addq %[slots], %%rax\n\t"
		"movq %[token], (%%rax)\n"
		"7:	movq (%%rax), %%rcx\n\t"
		"cmpq %[token], %%rcx\n\t"
		"jne 8f\n\t"
		"decl %[rounds]\n\t"
		"jnz 7b\n\t"
		"movl $1, %[done]\n"
		"2:\n\t"
		".pushsection __rseq_failure, \"ax\"\n"
		"8:	movq %%rcx, %[owner]\n\t"
		"jmp 5f\n\t"
		".popsection\n\t"
		SEQ_END
		: [ret] "=&r"(ret), [rounds] "+r"(rounds), [done] "=m"(done),
		  [id] "=m"(view->id), [cpu] "=m"(view->cpu), [nid] "=m"(view->node),
		  [owner] "+m"(view->owner)
		: [area] "r"(seq_area()), [index] "r"(index), [slots] "r"(slots),
		  [token] "r"(token), [ids] "i"(SEQ_IDS)
		: "rax", "rcx", "memory", "cc");
	return ret;
}
/* clang-format on */

#endif
