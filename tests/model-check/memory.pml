/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared memory as hardware and compilers give it, for the models that include this. A model says
 * THREADS and LOCS before, and then uses
 *
 *	STORE(l, v, order)   LOAD(l, v, order)   FENCE   EXCHANGE(l, v, old)   STORE_SC(l, v)
 *	SLOT_WRITE(l, v)     SLOT_READ(l, v)     TELL(k) HEAR(k)
 *
 * in processes that have the variable `me` (0 .. THREADS - 1). order is RELAXED, RELEASE or ACQUIRE. Slots are plain memory; the rest is atomic. TELL and HEAR are what a byte through
 * socket or eventfd k (0 .. KERNEL - 1) orders. There are two memories:
 *
 * TSO: what x86 does. A store goes into the thread's own buffer, first in, first out, and another
 * process moves it to memory at any later time; the thread itself sees it at once. A fence waits
 * until the buffer is empty. Orders have no effect, and a byte through the kernel overtakes what
 * is in the buffer, which is more than x86 allows.
 *
 * WEAK: release and acquire of C11 and no more, so ARMv8 as well. Each location has the history of
 * its stores. A thread has a view, the oldest store of each location that it may still read; a
 * load takes any that is not older. A release store carries the view of its thread, an acquire
 * load takes that over, a sequentially consistent fence exchanges views with all other fences. A
 * thread that touches a slot must have the last access to it in its view, else it is a data race.
 * What the only READER(l) of a location cannot read any more is forgotten, so that a history is as
 * long as what is unread (HISTORY) and runs may have no end; a view of what is forgotten is 0.
 * Left out is what C11 allows besides: loads that see stores of the future, which no hardware shows
 * where an acquire load or a branch comes first; and a store never goes in front of another thread's
 * in a history, which matters for one location only, written by sequentially consistent operations.
 */
#define RELAXED 0
#define RELEASE 1
#define ACQUIRE 1

hidden byte m_i, m_j, m_by; /* of the macros, inside a step */
byte cut; /* what is left out in this run: 0 nothing, else the number in the model's heading */

inline read_cut()
{
	c_code { now.cut = getenv("CUT") ? atoi(getenv("CUT")) : 0; };
}

#ifdef TSO
#define BUFFER 3

byte mem[LOCS];
byte b_loc[THREADS * BUFFER], b_val[THREADS * BUFFER], b_len[THREADS];

inline STORE(l, v, order)
{
	d_step {
		b_len[me] < BUFFER;
		b_loc[me * BUFFER + b_len[me]] = l;
		b_val[me * BUFFER + b_len[me]] = v;
		b_len[me]++
	}
}

inline LOAD(l, v, order)
{
	d_step {
		v = mem[l];
		m_i = 0;
		do
		:: m_i < b_len[me] ->
			if
			:: b_loc[me * BUFFER + m_i] == l -> v = b_val[me * BUFFER + m_i]
			:: else
			fi;
			m_i++
		:: else -> break
		od;
		m_i = 0
	}
}

#define FENCE (b_len[me] == 0)

inline EXCHANGE(l, v, old)
{
	d_step { b_len[me] == 0; old = mem[l]; mem[l] = v }
}

inline STORE_SC(l, v)
{
	d_step { b_len[me] == 0; mem[l] = v }
}

#define SLOT_WRITE(l, v) STORE(l, v, RELAXED)
#define SLOT_READ(l, v)	 LOAD(l, v, RELAXED)
#define TELL(k)		 skip
#define HEAR(k)		 skip

active [THREADS] proctype drain()
{
	byte me = _pid;
end:
	do
	:: d_step {
		b_len[me] > 0;
		mem[b_loc[me * BUFFER]] = b_val[me * BUFFER];
		b_len[me]--;
		m_i = 0;
		do
		:: m_i < b_len[me] ->
			b_loc[me * BUFFER + m_i] = b_loc[me * BUFFER + m_i + 1];
			b_val[me * BUFFER + m_i] = b_val[me * BUFFER + m_i + 1];
			m_i++
		:: else -> break
		od;
		b_loc[me * BUFFER + b_len[me]] = 0;
		b_val[me * BUFFER + b_len[me]] = 0;
		m_i = 0
	}
	od
}
#else /* WEAK */
#ifndef KERNEL
#define KERNEL 1
#endif

byte value[LOCS * HISTORY]; /* of each store; of a slot only the last */
byte newest[LOCS]; /* its place in the history */
byte carried[LOCS * HISTORY * LOCS]; /* the view that a release store carries */
byte view[THREADS * LOCS], fences[LOCS], told[KERNEL * LOCS];

#define V(l) view[me * LOCS + (l)]

/* The later of both, for each location. */
#define JOIN(to, to_at, from, from_at) \
	m_i = 0; \
	do \
	:: m_i < LOCS -> \
		if \
		:: to[(to_at) + m_i] < from[(from_at) + m_i] -> to[(to_at) + m_i] = from[(from_at) + m_i] \
		:: else \
		fi; \
		m_i++ \
	:: else -> break \
	od; \
	m_i = 0

#define LESS(x) x = (x > m_by -> x - m_by : 0)

/* The oldest `by` stores of the location are forgotten. */
inline forget(l, by)
{
	m_by = by;
	newest[l] = newest[l] - m_by;
	LESS(fences[l]);
	for (m_i : 0 .. THREADS - 1) {
		LESS(view[m_i * LOCS + (l)])
	}
	for (m_i : 0 .. KERNEL - 1) {
		LESS(told[m_i * LOCS + (l)])
	}
	for (m_i : 0 .. HISTORY - 1) {
		value[(l) * HISTORY + m_i] =
			(m_i <= newest[l] -> value[(l) * HISTORY + m_i + m_by] : 0);
		for (m_j : 0 .. LOCS - 1) {
			carried[((l) * HISTORY + m_i) * LOCS + m_j] = (m_i <= newest[l] ->
				carried[((l) * HISTORY + m_i + m_by) * LOCS + m_j] : 0)
		}
	}
	for (m_i : 0 .. LOCS * HISTORY - 1) {
		LESS(carried[m_i * LOCS + (l)])
	}
	m_i = 0;
	m_j = 0;
	m_by = 0
}

inline STORE(l, v, order)
{
	d_step {
		newest[l]++;
		assert(newest[l] < HISTORY);
		V(l) = newest[l];
		value[(l) * HISTORY + newest[l]] = v;
		if
		:: (order) == RELEASE ->
			JOIN(carried, ((l) * HISTORY + newest[l]) * LOCS, view, me * LOCS)
		:: else -> carried[((l) * HISTORY + newest[l]) * LOCS + (l)] = newest[l]
		fi
	}
}

inline LOAD(l, v, order)
{
	atomic {
		do
		:: V(l) < newest[l] -> V(l) = V(l) + 1
		:: break
		od;
		v = value[(l) * HISTORY + V(l)];
		d_step {
			if
			:: (order) == ACQUIRE ->
				JOIN(view, me * LOCS, carried, ((l) * HISTORY + V(l)) * LOCS)
			:: else
			fi;
			if
			:: READER(l) == me && V(l) > 0 -> forget(l, V(l))
			:: else
			fi
		}
	}
}

inline fence()
{
	JOIN(view, me * LOCS, fences, 0);
	JOIN(fences, 0, view, me * LOCS)
}

#define FENCE d_step { fence() }

/* Reads and writes the newest store; a fence on both sides. */
inline EXCHANGE(l, v, old)
{
	d_step {
		fence();
		old = value[(l) * HISTORY + newest[l]];
		JOIN(view, me * LOCS, carried, ((l) * HISTORY + newest[l]) * LOCS);
		newest[l]++;
		assert(newest[l] < HISTORY);
		V(l) = newest[l];
		value[(l) * HISTORY + newest[l]] = v;
		JOIN(carried, ((l) * HISTORY + newest[l]) * LOCS, view, me * LOCS);
		fence();
		forget(l, newest[l])
	}
}

inline STORE_SC(l, v)
{
	STORE(l, v, RELEASE);
	FENCE
}

/* Any access, also one that reads, must come after the last one. Only the last counts. */
inline touch(l)
{
	assert(V(l) == newest[l]);
	newest[l]++;
	V(l) = newest[l];
	m_by = newest[l] - 1;
	newest[l] = 1;
	LESS(fences[l]);
	for (m_i : 0 .. THREADS - 1) {
		LESS(view[m_i * LOCS + (l)])
	}
	for (m_i : 0 .. LOCS * HISTORY - 1) {
		LESS(carried[m_i * LOCS + (l)])
	}
	m_i = 0;
	m_by = 0
}

#define SLOT_WRITE(l, v) d_step { touch(l); value[(l) * HISTORY] = v }
#define SLOT_READ(l, v)	 d_step { touch(l); v = value[(l) * HISTORY] }
#define TELL(k)		 d_step { JOIN(told, (k) * LOCS, view, me * LOCS) }
#define HEAR(k)		 d_step { JOIN(view, me * LOCS, told, (k) * LOCS) }
#endif
