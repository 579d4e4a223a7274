/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is the memory of tso.pml that of x86? The two patterns that tell:
 *
 * STORE_BUFFERING	both CPUs store and then look at the other's word. Both may miss the other's store, unless
 *			each has a barrier between (FENCED).
 * MESSAGE_PASSING	one CPU stores data and then a flag. Who sees the flag sees the data, without any barrier,
 *			unless buffers are OUT_OF_ORDER.
 */
#define CPUS 2
#define WORDS 2
#include "tso.pml"

byte seen[2];
bool done[2];

proctype cpu(byte c)
{
#ifdef STORE_BUFFERING
	store(c, c, 1);
# ifdef FENCED
	fence(c);
# endif
	load(c, 1 - c, seen[c]);
#else
	if
	:: c == 0 ->
		store(0, 0, 1);
		store(0, 1, 1)
	:: else ->
		load(1, 1, seen[0]);
		load(1, 0, seen[1])
	fi;
#endif
	done[c] = true
}

init {
	atomic { run drain(0); run drain(1); run cpu(0); run cpu(1) }
	(done[0] && done[1]);
#ifdef STORE_BUFFERING
	assert(seen[0] || seen[1])
#else
	assert(!seen[0] || seen[1])
#endif
}
