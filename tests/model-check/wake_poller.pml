/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A poller sleeps and a client wakes it: rawnet_ring_must_wake() of rawnet/ring.h and the client's byte;
 * rn_poller_make_hot(), make_cold() of daemon/poller_turn.c, rn_poller_idle() (here sleep_if_idle()) and
 * block() of poller_sleep.c. The queue's sleep flag is set while it is cold, and while the poller sleeps. A poller that is awake may look at a cold queue or not, and
 * need not before it sleeps: the flag was set, and it looked, when the queue became cold.
 *
 * Shown: the poller takes all PACKETS packets; a poller that sleeps for ever is a deadlock.
 *
 * Cuts: 1 the client without its fence, 2 the poller without the one before it sleeps, 3 the poller
 * does not look once more, 4 make_cold() without its fence.
 */
#define THREADS 2
#define INDEX	0 /* the client's */
#define FLAG	1 /* sleep.daemon */
#define LOCS	2
#define PACKETS 3
#define TURNS	4 /* in which it becomes cold or sleeps */
#define HISTORY 12
#define READER(l) (1 - (l))

#include "memory.pml"

bit bytes;

inline fence_unless(c)
{
	if
	:: cut == c
	:: else -> FENCE
	fi
}

proctype client()
{
	byte me = 0, sent = 0, f = 0;

	do
	:: sent < PACKETS ->
		sent++;
		STORE(INDEX, sent, RELEASE);
		fence_unless(1);
		LOAD(FLAG, f, RELAXED);
		if
		:: f -> atomic { TELL(0); bytes = 1 }
		:: else
		fi;
		f = 0
	:: else -> break
	od
}

inline look()
{
	LOAD(INDEX, seen, ACQUIRE)
}

inline make_hot()
{
	hot = 1;
	STORE(FLAG, 0, RELAXED)
}

inline make_cold()
{
	STORE(FLAG, 1, RELAXED);
	fence_unless(4);
	look();
	if
	:: seen != taken -> STORE(FLAG, 0, RELAXED)
	:: else -> hot = 0
	fi
}

inline sleep_if_idle()
{
	if
	:: hot -> STORE(FLAG, 1, RELAXED)
	:: else
	fi;
	fence_unless(2);
	if
	:: cut == 3 || !hot
	:: else -> look()
	fi;
	if
	:: seen != taken
	:: else ->
		atomic { bytes -> bytes = 0; HEAR(0) };
		if
		:: !hot -> make_hot()
		:: else
		fi
	fi;
	if
	:: hot -> STORE(FLAG, 0, RELAXED)
	:: else
	fi
}

proctype poller()
{
	byte me = 1, taken = 0, seen = 0, turns = 0;
	bit hot = 1;

	do
	:: taken < PACKETS ->
		look();
		if
		:: seen != taken ->
			taken = seen;
			if
			:: !hot -> make_hot()
			:: else
			fi
		:: else ->
			if
			:: hot && turns < TURNS -> turns++; make_cold()
			:: turns < TURNS -> turns++; sleep_if_idle()
			:: skip
			fi
		fi
	:: !hot && taken < PACKETS && turns < TURNS -> turns++; sleep_if_idle() /* without a look at it */
	:: taken == PACKETS -> break
	od
}

init
{
	atomic {
		read_cut();
		run client();
		run poller()
	}
}
