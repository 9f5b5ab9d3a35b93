/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules wait until the poller has given a client's first buffers to the device (target.c).
 *
 * Promise: a client whose buffers do not come (it is stopped, or it lies) stops the control thread
 * for a bounded time, once for each attachment. Seen to fail without its defence:
 *   bounded  without FEED_NAPS: 100,000 naps, when the test gave up; counted for each queue anew:
 *            32,000 where 2,000 are the bound
 *   once     without mem->awaited: 2,000 more for the next rule
 *   liars    every posted index believed: 2,000 naps for a client that posted nothing
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "attachment.h"
#include "backend/verbs/rdma.h"
#include "poller.h"
#include "state.h"

#define QUEUES	16u
#define RING	512u
#define BOUND	2000u
#define GIVE_UP 100000u

static struct rn_rdma rdma;
static struct rn_port port;
static struct rn_hwq hwq = {.port = &port};
static struct rn_target target;
static struct rn_rdma_mem memory;
static struct rn_rdma_queue hw[QUEUES];
static struct rn_queue queue[QUEUES];
static struct rn_queue_state kept[QUEUES];
static struct rawnet_ring_ctl ctl[QUEUES];
static struct rn_attachment at;
static unsigned naps, pokes;
static unsigned fed_after; /* naps until the poller has fed the device; 0: never */

/* ---- the parts that others play ---- */

int __wrap_nanosleep(const struct timespec *length, struct timespec *rest);

int __wrap_nanosleep(const struct timespec *length, struct timespec *rest)
{
	(void)rest;
	assert_int_equal(length->tv_sec, 0);
	assert_in_range(length->tv_nsec, 1, 100000);
	if (++naps == fed_after)
		hw[0].fed = true;
	if (naps == GIVE_UP)
		fail_msg("%u naps", naps);
	return 0;
}

void rn_poller_poke(struct rn_poller *poller)
{
	(void)poller;
	pokes++;
}

int rn_rdma_fail(struct rn_err *err, const struct rn_rdma *of, const char *what, int error)
{
	(void)err;
	(void)of;
	fail_msg("%s: %d", what, error);
	return -1;
}

/* ---- helpers ---- */

/* An attachment of n queues whose clients have posted a whole ring. */
static void attach(uint32_t n)
{
	memset(hw, 0, sizeof(hw));
	memset(queue, 0, sizeof(queue));
	memset(kept, 0, sizeof(kept));
	memset(ctl, 0, sizeof(ctl));
	memory = (struct rn_rdma_mem) {.target = &target};
	at = (struct rn_attachment) {.n_queues = n, .queue = queue, .hw = &memory};
	for (uint32_t i = 0; i < n; i++) {
		queue[i].index = i;
		queue[i].hw = &hw[i];
		queue[i].hwq = &hwq;
		queue[i].state = &kept[i];
		queue[i].rx.ctl = &ctl[i];
		queue[i].rx.mask = RING - 1;
		ctl[i].client = RING;
	}
	naps = pokes = fed_after = 0;
}

/* Naps that the next rule to the attachment takes. */
static unsigned naps_of_a_rule(void)
{
	union {
		struct rn_members members;
		uint8_t room[sizeof(struct rn_members) + sizeof(struct rn_member)];
	} one;
	struct rn_target *out = NULL;
	unsigned before = naps;

	memset(&one, 0, sizeof(one));
	one.members.n = 1;
	one.members.m[0].at = &at;
	assert_int_equal(rn_target_get(&rdma, &one.members, &out, NULL), 0);
	assert_ptr_equal(out, &target);
	return naps - before;
}

/* ---- tests ---- */

static void a_stopped_client_is_waited_for_boundedly(void **state)
{
	(void)state;
	attach(1);
	assert_int_equal(naps_of_a_rule(), BOUND);
	assert_int_equal(pokes, BOUND);
	attach(QUEUES); /* all of them together */
	assert_int_equal(naps_of_a_rule(), BOUND);
}

static void and_once(void **state)
{
	(void)state;
	attach(1);
	naps_of_a_rule();
	assert_int_equal(naps_of_a_rule(), 0);
}

static void no_longer_than_needed(void **state)
{
	(void)state;
	attach(1);
	fed_after = 3;
	assert_int_equal(naps_of_a_rule(), 3);
	attach(1);
	hw[0].fed = true;
	assert_int_equal(naps_of_a_rule(), 0);
}

/* Nothing posted, no more than is kept back for copies, more than there is, a fault. */
static void liars_are_not_waited_for(void **state)
{
	(void)state;
	attach(1);
	ctl[0].client = 0;
	assert_int_equal(naps_of_a_rule(), 0);
	attach(1);
	ctl[0].client = rn_rdma_spare(&queue[0]) + 1;
	assert_int_equal(naps_of_a_rule(), 0);
	attach(1);
	ctl[0].client = RING + 1;
	assert_int_equal(naps_of_a_rule(), 0);
	attach(1);
	kept[0].rx_daemon = RING + 5; /* it went back */
	assert_int_equal(naps_of_a_rule(), 0);
	attach(1);
	queue[0].fault = 1 + RAWNET_BYE_RING;
	assert_int_equal(naps_of_a_rule(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stopped_client_is_waited_for_boundedly),
		cmocka_unit_test(and_once),
		cmocka_unit_test(no_longer_than_needed),
		cmocka_unit_test(liars_are_not_waited_for),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
