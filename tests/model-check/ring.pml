/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One ring, rx: rawnet/ring.h on the client's side, daemon/ring.h on the daemon's. The slots in
 * [daemon, client) are the daemon's, all others the client's. The client posts buffers, the daemon
 * returns each with a packet in it; a tx ring is the same with the packet in the other direction, and
 * the daemon's write left out. Both sides publish after one slot or two, and look only when they
 * have used up what they know.
 *
 * Shown: every packet arrives once and in order; a buffer belongs to one side at a time; under WEAK
 * that no slot is touched while the other side may touch it, that is, before it was written or before
 * it was read. All for ever, with indexes that wrap.
 *
 * Cuts: 1 daemon publishes relaxed, 2 client looks relaxed, 3 client publishes relaxed, 4 daemon
 * looks relaxed, 5 daemon publishes before it writes the slot, 6 client before it posts the buffer.
 */
#define THREADS 2
#define SIZE	2
#define CLIENT	0 /* index */
#define DAEMON	1 /* index */
#define SLOT(i) (2 + ((i) % SIZE))
#define LOCS	(2 + SIZE)
#define WRAP	8
#define HISTORY 6
#define READER(l) (1 - (l)) /* of an index: the other side */

#include "memory.pml"

#define BUFFERS 3
#define EMPTY	0 /* of a packet's number: 1 and 2 take turns */

byte of_daemon[BUFFERS]; /* 1: the daemon may write into this buffer */
byte packet[BUFFERS]; /* what is in it */

/* A slot holds one more than the buffer's number. */
inline post(i, b)
{
	assert(!of_daemon[b]);
	d_step { of_daemon[b] = 1; packet[b] = EMPTY };
	SLOT_WRITE(SLOT(i), b + 1)
}

inline publish(what, i, c)
{
	if
	:: cut == c -> STORE(what, i, RELAXED)
	:: else -> STORE(what, i, RELEASE)
	fi
}

inline look(what, i, c)
{
	if
	:: cut == c -> LOAD(what, i, RELAXED)
	:: else -> LOAD(what, i, ACQUIRE)
	fi
}

proctype client()
{
	byte me = 0, mine = 0, seen = 0, taken = 0, b, expected = 1, spare = 2;

	/* All slots are posted at first. */
	post(0, 0);
	post(1, 1);
	mine = SIZE;
	publish(CLIENT, mine, 3);
end:
	do
	:: seen == taken -> look(DAEMON, seen, 2);
		assert((seen + WRAP - taken) % WRAP <= SIZE)
	:: seen != taken ->
		if
		:: cut == 6 -> publish(CLIENT, (mine + 1) % WRAP, 3)
		:: else
		fi;
		SLOT_READ(SLOT(taken), b);
		assert(b > 0 && b <= BUFFERS);
		b--;
		assert(of_daemon[b] && packet[b] == expected); /* not lost, not twice, not early */
		d_step { of_daemon[b] = 0; expected = 3 - expected };
		/* Another buffer goes in its place. */
		post(mine, spare);
		spare = b;
		b = 0;
		taken = (taken + 1) % WRAP;
		mine = (mine + 1) % WRAP;
		if
		:: seen == taken -> publish(CLIENT, mine, 3)
		:: seen != taken -> publish(CLIENT, mine, 3)
		:: seen != taken /* with the next one */
		fi
	od
}

proctype daemon()
{
	byte me = 1, mine = 0, seen = 0, b, next = 1, published = 0;
end:
	do
	:: seen == mine -> look(CLIENT, seen, 4);
		assert((seen + WRAP - mine) % WRAP <= SIZE)
	:: seen != mine ->
		SLOT_READ(SLOT(mine), b);
		assert(b > 0 && b <= BUFFERS);
		b--;
		assert(of_daemon[b] && packet[b] == EMPTY);
		if
		:: cut == 5 -> publish(DAEMON, (mine + 1) % WRAP, 1)
		:: else
		fi;
		d_step { packet[b] = next; next = 3 - next };
		SLOT_WRITE(SLOT(mine), b + 1);
		b = 0;
		mine = (mine + 1) % WRAP
	:: published != mine -> /* at the end of a turn, after one packet or two */
		publish(DAEMON, mine, 1);
		published = mine
	od
}

init
{
	atomic {
		read_cut();
		run client();
		run daemon()
	}
}
