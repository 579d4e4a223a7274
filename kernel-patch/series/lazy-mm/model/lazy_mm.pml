/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who borrows an mm, who frees it, and when: mm/lazy_mm.c and linux/lazy_mm.h. One mm with three users.
 *
 * CPU 0	its task ends, in exit_mm(): borrows, gives up being a user, and goes on as a kernel thread; then the CPU
 *		comes to a task of another mm
 * CPU 1	its task sleeps: the CPU borrows. The task may wake up here, whereupon the CPU returns the mm to it, and
 *		then ends as that of CPU 0 does; or elsewhere, and the CPU comes to a task of another mm
 * CPU 2	its task ends without the CPU's borrowing anything (it stands for a process that execs); before that it may
 *		have run the task of CPU 1, which ended here
 *
 * With KERNEL_THREAD, instead of the two on CPUs 1 and 2, a kernel thread that has the mm by kthread_use_mm() and a reference
 * to the mm_struct alone. It sleeps on CPU 1, wakes up there or on CPU 2, and gives the mm up. With BORROWED_BEFORE, CPU 1
 * borrows from a user task that slept there and has been elsewhere since, when the thread comes to run there.
 *
 * The last user releases the mm: marks, or with SHOOTDOWN interrupts, the CPUs that borrow it. In the other case, too, a
 * CPU that borrows it may be interrupted, by a flush, and let it go unless it is marked.
 *
 * An mm is not freed while a CPU has it, nor is it left over. What else can be defined takes something out, and then
 * one or the other must happen:
 *
 * USERS_UNFENCED	going out of use does not wait for the CPU's stores
 * RETURN_PLAIN		the word is read and then cleared, not exchanged
 * MARK_PLAIN		the word is read and then marked
 * MARK_FIRST		the CPU gets its mark before the reference
 * LOOK_LEFT_OUT	the last user does not look at the words
 * BORROW_LATE		the task is let go before the word is stored
 * SHOT_UNANSWERED	who interrupts does not wait for the answer
 * LET_GO_PLAIN		a flush does not look whether the word is marked
 * THREAD_UNCOUNTED	the CPU of a kernel thread that sleeps takes no reference
 */
#define CPUS 3
#define WORDS 5
#include "tso.pml"

/* Words 0 and 1: those of CPUs 0 and 1. */
#define WORD(c) (c)
#define USERS 2
#define COUNT 3
#define ON_CPU 4 /* whether CPU 1's task is still there */

#define NOTHING 0
#define MM 1
#define MARKED 2

bool freed;	 /* not memory: what holds */
bool taken;	 /* CPU 1's task has been woken up somewhere; under a lock in the kernel */
bool shot[2];	 /* an interrupt waits for the CPU */
byte ended;
bool over;

/* CPU @c, which borrows, does something with the mm. */
inline use(c)
{
	assert(!freed)
}

inline drop(c)
{
	d_step {
		buffer[c].used == 0;
		assert(memory[COUNT] > 0);
		memory[COUNT] = memory[COUNT] - 1;
		if
		:: memory[COUNT] == 0 -> assert(!freed); freed = true
		:: else
		fi
	}
}

inline hand_over(c, w)
{
#ifdef MARK_FIRST
	compare_exchange(c, w, MM, MARKED, got);
	if
	:: got == MM -> add(c, COUNT, 1, got)
	:: else
	fi
#else
	add(c, COUNT, 1, got);
# ifdef MARK_PLAIN
	load(c, w, got);
	if
	:: got == MM -> store(c, w, MARKED)
	:: else
	fi;
# else
	compare_exchange(c, w, MM, MARKED, got);
# endif
	if
	:: got != MM -> drop(c)
	:: else
	fi
#endif
}

/* Interrupts come to a CPU that releases, too. */
inline shoot(c, w)
{
	if
	:: w == c -> answer(c)
	:: else ->
		shot[w] = true;
#ifndef SHOT_UNANSWERED
		do
		:: !shot[w] -> break
		:: c < 2 && shot[c % 2] -> answer(c)
		od
#endif
	fi
}

inline look_at(c, w)
{
	load(c, w, got);
	if
	:: got == MM ->
#ifdef SHOOTDOWN
		shoot(c, w)
#else
		hand_over(c, w)
#endif
	:: else
	fi
}

/* The interrupt: the CPU gives up the mm if it has it. */
inline answer(c)
{
	load(c, c, mine);
	if
	:: mine == MM ->
		has = false;
		store(c, c, NOTHING);
		fence(c)
	:: else
	fi;
	shot[c] = false
}

inline put_users(c)
{
#ifdef USERS_UNFENCED
	add_unfenced(USERS, 255, got);
#else
	add(c, USERS, 255, got);
#endif
	if
	:: got == 0 ->
#ifndef LOOK_LEFT_OUT
		look_at(c, 0);
		look_at(c, 1);
#endif
		drop(c)
	:: else
	fi
}

/* The interrupt of a flush: as much of it as there is to do at once. */
inline let_go(c)
{
#ifdef LET_GO_PLAIN
	exchange(c, c, NOTHING, mine);
	has = false
#else
	compare_exchange(c, c, MM, NOTHING, mine);
	if
	:: mine == MM -> has = false
	:: else
	fi
#endif
}

/* To a user task, whatever its mm. The page table is the last thing that is used of this one. */
inline return_mm(c)
{
	if
	:: has -> use(c)
	:: else
	fi;
	has = false;
#ifdef RETURN_PLAIN
	load(c, c, got);
	store(c, c, NOTHING);
	fence(c);
#else
	exchange(c, c, NOTHING, got);
#endif
	if
	:: got == MARKED -> drop(c)
	:: else
	fi
}

/* As a kernel thread, until there is another task. */
inline be_lazy(c)
{
	do
	:: has -> use(c)
	:: shot[c] -> answer(c)
#ifndef SHOOTDOWN
	:: has -> let_go(c)
#endif
	:: break
	od
}

/* A CPU that has nothing to do with the mm any more answers interrupts. */
inline stay(c)
{
	do
	:: shot[c] -> answer(c)
	:: over -> break
	od
}

inline end_task(c)
{
	store(c, c, MM);
	has = true;
	put_users(c);
	be_lazy(c);
	return_mm(c)
}

proctype cpu0()
{
	byte got, mine;
	bool has;

	end_task(0);
	ended++;
	stay(0)
}

proctype cpu1()
{
	byte got, mine;
	bool has, here;

#ifdef BORROW_LATE
	store(1, ON_CPU, 0);
	store(1, WORD(1), MM);
#else
	store(1, WORD(1), MM);
	store(1, ON_CPU, 0);
#endif
	has = true;
	be_lazy(1);
	if
	:: atomic { !taken -> taken = true }; here = true
	:: taken || true
	fi;
	return_mm(1);
	if
	:: here -> end_task(1)
	:: else
	fi;
	ended++;
	stay(1)
}

proctype cpu2()
{
	byte got, mine, on;
	bool has;

	/* Its task may have to wait for that of CPU 1, or that one for nobody: it is woken up at last. */
	do
	:: atomic { !taken -> taken = true };
		do
		:: load(2, ON_CPU, on);
			if
			:: on == 0 -> break
			:: else
			fi
		od;
		put_users(2);
		break
	:: taken -> break
	od;
	put_users(2);
	ended++
}

/*
 * Sleeps on CPU 1, wakes up here, and gives the mm up, so that the CPU borrows it with the thread's reference; or wakes up on
 * CPU 2, which drops that reference, without having borrowed for long.
 */
proctype thread1()
{
	byte got, mine;
	bool has;

#ifdef BORROWED_BEFORE
	has = true;
	be_lazy(1);
	return_mm(1);
#endif
#ifdef THREAD_UNCOUNTED
	store(1, WORD(1), MM);
#else
	add(1, COUNT, 1, got);
	store(1, WORD(1), MARKED);
#endif
	store(1, ON_CPU, 0);
	has = true;
	be_lazy(1);
	if
	:: atomic { !taken -> taken = true };
		return_mm(1);
		store(1, WORD(1), MARKED);
		has = true;
		be_lazy(1);
		return_mm(1)
	:: return_mm(1)
	fi;
	ended++;
	stay(1)
}

proctype thread2()
{
	byte got, mine, on;
	bool has;

	do
	:: atomic { !taken -> taken = true };
		do
		:: load(2, ON_CPU, on);
			if
			:: on == 0 -> break
			:: else
			fi
		od;
		drop(2);
		break
	:: taken -> break
	od;
	ended++
}

init {
	atomic {
#ifdef KERNEL_THREAD
		memory[USERS] = 1;
		memory[COUNT] = 2;
# ifdef BORROWED_BEFORE
		memory[WORD(1)] = MM;
# endif
#else
		memory[USERS] = 3;
		memory[COUNT] = 1;
#endif
		memory[ON_CPU] = 1;
		run drain(0);
		run drain(1);
		run drain(2);
		run cpu0();
#ifdef KERNEL_THREAD
		run thread1();
		run thread2()
#else
		run cpu1();
		run cpu2()
#endif
	}
	(ended == 3 && buffer[0].used == 0 && buffer[1].used == 0 && buffer[2].used == 0);
	assert(freed);
	assert(memory[COUNT] == 0);
	assert(memory[0] == NOTHING && memory[1] == NOTHING);
	over = true
}
