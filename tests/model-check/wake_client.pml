/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client sleeps and the daemon wakes it: client-lib/wait.c and rawnet/ring.h; rn_poller_publish()
 * and wake_told() of daemon/poller_turn.c; wakes.c, waker.c. The client may give up waiting at any
 * time, and wait again. The poller looks twice whether it sleeps: behind the publication without a
 * fence, and if it does not, a turn later with one. It may put a wake-up off for as long as it likes
 * (wakes.h), until it sleeps itself. The waker is a thread of its own; there is one queue, so one
 * slot and one ring that feeds it.
 *
 * Shown: the client gets all PACKETS packets; a client that sleeps for ever is a deadlock, which the
 * checker reports.
 *
 * Cuts: 1 wake_told() without its fence, 2 the client without its fence, 3 rn_waker_wake() without its
 * fence, 4 the waker without the fence before it sleeps, 5 the waker clears `pending` with release only,
 * 6 rn_wakes_run() without its fence, 7 what was published is not remembered for a second look.
 */
#define THREADS 3
#define INDEX	0 /* the daemon's */
#define FLAG	1 /* sleep.client */
#define PENDING 2
#define TAIL	3
#define ASLEEP	4
#define LOCS	5
#define PACKETS 2
#ifndef GIVE_UP
#define GIVE_UP 1 /* times */
#endif
#define HISTORY 8
#define NOBODY	3
#define READER(l) ((l) == INDEX -> 2 : ((l) == TAIL -> 1 : ((l) == PENDING -> NOBODY : 0)))
#define SOCKET	0
#define EVENTFD 1
#define KERNEL	2

#include "memory.pml"

bit bytes, event; /* in the socket; on the eventfd */

inline fence_unless(c)
{
	if
	:: cut == c
	:: else -> FENCE
	fi
}

/* rn_waker_wake */
inline waker_wake()
{
	EXCHANGE(PENDING, 1, f);
	if
	:: f
	:: else ->
		tail++;
		STORE(TAIL, tail, RELEASE);
		fence_unless(3);
		LOAD(ASLEEP, f, RELAXED);
		if
		:: f -> atomic { TELL(EVENTFD); event = 1 }
		:: else
		fi
	fi;
	f = 0
}

/* rn_wakes_run(): the client may have woken by itself. */
inline wake_held()
{
	held = 0;
	fence_unless(6);
	LOAD(FLAG, f, RELAXED);
	if
	:: f -> waker_wake()
	:: else
	fi
}

/* sleeps() and rn_wakes_add(), at once or later */
inline wake_if_asleep()
{
	LOAD(FLAG, f, RELAXED);
	owed = !f;
	if
	:: f && !held -> waker_wake()
	:: f -> f = 0; held = 1
	:: else
	fi
}

inline wake_told()
{
	if
	:: owed ->
		fence_unless(1);
		wake_if_asleep();
		owed = 0
	:: else
	fi
}

/* rn_poller_publish() with and without something new, and rn_wakes_run() */
proctype poller()
{
	byte me = 0, sent = 0, tail = 0, f = 0;
	bit held = 0, owed = 0;

	do
	:: sent < PACKETS ->
		if
		:: wake_told()
		:: true /* the turn's second publication: the fence is the next turn's */
		fi;
		sent++;
		STORE(INDEX, sent, RELEASE);
		wake_if_asleep();
		if
		:: cut == 7 -> owed = 0
		:: else
		fi
	:: owed -> wake_told()
	:: held -> wake_held()
	:: sent == PACKETS && !held && !owed -> break
	od
}

inline drain_feed()
{
	n = 0;
	LOAD(TAIL, t, ACQUIRE);
	do
	:: head != t ->
		head++;
		n = 1;
		if
		:: cut == 5 -> STORE(PENDING, 0, RELEASE)
		:: else -> STORE_SC(PENDING, 0)
		fi;
		atomic { TELL(SOCKET); bytes = 1 }
	:: else -> break
	od;
	t = 0
}

proctype waker()
{
	byte me = 1, head = 0, t = 0;
	bit n = 0;

	do
	:: drain_feed();
		STORE(ASLEEP, 1, RELAXED);
		fence_unless(4);
		drain_feed();
		if
		:: n
		:: else ->
end:			atomic { event -> HEAR(EVENTFD) }
		fi;
		n = 0;
		STORE(ASLEEP, 0, RELAXED);
		event = 0
	od
}

inline news()
{
	LOAD(INDEX, seen, ACQUIRE)
}

/* sleep_for_news */
inline wait_for_it()
{
	STORE(FLAG, 1, RELAXED);
	fence_unless(2);
	do
	:: news();
		if
		:: seen != taken -> break
		:: seen == taken ->
			if
			:: atomic { bytes -> bytes = 0; HEAR(SOCKET) }
			:: atomic { given_up < GIVE_UP -> given_up++ }; break
			fi
		fi
	od;
	STORE(FLAG, 0, RELAXED)
}

proctype client()
{
	byte me = 2, taken = 0, seen = 0, given_up = 0;

	do
	:: taken < PACKETS ->
		news();
		if
		:: seen == taken -> wait_for_it()
		:: else
		fi;
		taken = seen
	:: else -> break
	od
}

init
{
	atomic {
		read_cut();
		run poller();
		run waker();
		run client()
	}
}
