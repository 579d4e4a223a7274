/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory as x86 shows it (total store order): a CPU's stores wait in a buffer, first in, first out, before the others
 * see them, the CPU itself sees them at once, and a locked operation waits until its buffer is empty. spin by itself
 * knows nothing of the kind: without this, every barrier could go and all would still be well.
 *
 * CPUS and WORDS are defined by whoever includes this. With OUT_OF_ORDER, buffers give up their stores in any order,
 * which x86 does not do.
 */
#define ROOM 3 /* stores that a buffer holds */

typedef buffer_t {
	byte word[ROOM];
	byte value[ROOM];
	byte used
};

buffer_t buffer[CPUS];
byte memory[WORDS];

inline put_out(c_, i_)
{
	memory[buffer[c_].word[i_]] = buffer[c_].value[i_];
	buffer[c_].used--;
	if
	:: i_ == 0 -> buffer[c_].word[0] = buffer[c_].word[1]; buffer[c_].value[0] = buffer[c_].value[1]
	:: else
	fi;
	if
	:: i_ <= 1 -> buffer[c_].word[1] = buffer[c_].word[2]; buffer[c_].value[1] = buffer[c_].value[2]
	:: else
	fi;
	buffer[c_].word[2] = 0;
	buffer[c_].value[2] = 0
}

/* Empties the buffer of CPU @c whenever it likes. */
proctype drain(byte c)
{
end:	do
	:: d_step { buffer[c].used > 0 -> put_out(c, 0) }
#ifdef OUT_OF_ORDER
	:: d_step { buffer[c].used > 1 && buffer[c].word[1] != buffer[c].word[0] -> put_out(c, 1) }
#endif
	od
}

inline store(c_, w_, v_)
{
	d_step {
		buffer[c_].used < ROOM;
		buffer[c_].word[buffer[c_].used] = w_;
		buffer[c_].value[buffer[c_].used] = v_;
		buffer[c_].used++
	}
}

/* What CPU @c sees: the youngest of its own stores, or memory. */
inline look(c_, w_, r_)
{
	r_ = memory[w_];
	if
	:: buffer[c_].used > 0 && buffer[c_].word[0] == w_ -> r_ = buffer[c_].value[0]
	:: else
	fi;
	if
	:: buffer[c_].used > 1 && buffer[c_].word[1] == w_ -> r_ = buffer[c_].value[1]
	:: else
	fi;
	if
	:: buffer[c_].used > 2 && buffer[c_].word[2] == w_ -> r_ = buffer[c_].value[2]
	:: else
	fi
}

inline load(c_, w_, r_)
{
	d_step { look(c_, w_, r_) }
}

/* Locked operations. Each is one step, which can be taken only while the buffer is empty. */
inline fence(c_)
{
	(buffer[c_].used == 0)
}

inline add(c_, w_, v_, r_)
{
	d_step { buffer[c_].used == 0; memory[w_] = memory[w_] + v_; r_ = memory[w_] }
}

inline exchange(c_, w_, v_, r_)
{
	d_step { buffer[c_].used == 0; r_ = memory[w_]; memory[w_] = v_ }
}

inline compare_exchange(c_, w_, old_, new_, r_)
{
	d_step {
		buffer[c_].used == 0;
		r_ = memory[w_];
		if
		:: r_ == old_ -> memory[w_] = new_
		:: else
		fi
	}
}

/* The same as add(), but that the CPU's stores may wait: no operation of x86. */
inline add_unfenced(w_, v_, r_)
{
	d_step { memory[w_] = memory[w_] + v_; r_ = memory[w_] }
}
