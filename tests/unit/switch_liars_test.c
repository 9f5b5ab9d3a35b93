/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local switching: who sends to many, asks for many, or rewrites what it sends.
 *
 * Promise: what a client sends to another of its port is checked as if it left, a copy decides
 * whose it is, and it costs nobody else anything. Seen to fail without its defence: the frame given
 * to the receiver from the sender's memory (run_plain() in tx.c): five of six runs of flipped found
 * frames for another MAC or port; no end to what a queue's rate grants at once (COPIES_ONCE in
 * switch.c): copies_at_once had 60 copies of 60 frames.
 */
#include <pthread.h>
#include <urcu-qsbr.h>

#include "switch_site.h"

#include "neigh_msg.h"

/* "auto" is not what this tests. */
const struct rn_backend *const rn_backends[] = {NULL};

/* ---- to groups ---- */

/* a and b subscribe. */
static void subscribe(struct site *s, uint32_t kind)
{
	struct rn_subscribers *set = calloc(1, sizeof(*set) + 2 * sizeof(set->at[0]));

	set->n = 2;
	set->at[0] = s->a.at;
	set->at[1] = s->b.at;
	__atomic_store_n(&s->a.at->copies, kind, __ATOMIC_RELAXED);
	__atomic_store_n(&s->b.at->copies, kind, __ATOMIC_RELAXED);
	rcu_assign_pointer(s->left->subscribers, set);
}

/* A loop port has no packet socket to close. */
static void unsubscribe(struct site *s)
{
	struct rn_subscribers *set = s->left->subscribers;

	rcu_assign_pointer(s->left->subscribers, NULL);
	synchronize_rcu();
	s->a.at->copies = s->b.at->copies = 0;
	free(set);
}

static void copies(void **state)
{
	const struct rawnet_slot *slot;
	uint64_t left_out;
	struct site s;

	(void)state;
	open_site(&s, false, true, 256);
	s.left->config.copy_rate = 1; /* so bursts alone count */
	subscribe(&s, RAWNET_COPY_BROADCAST);
	frame_to(&s, ones);
	memmove(s.frame + 16, s.frame + 12, s.len - 12);
	memcpy(s.frame + 12, "\x81\x00\x20\x07", 4);
	s.len += 4;
	send_times(&s, &s.a, 40);
	assert_in_range(rig_counter(&s.b, RAWNET_Q_RX_COPIES), 32, 39);
	left_out = port_count(s.left, RAWNET_P_COPY_DROP);
	assert_int_equal(rig_counter(&s.b, RAWNET_Q_RX_COPIES) + left_out, 40);
	assert_int_equal(rig_await(&s.b, 32) + left_out, 40);
	slot = rawnet_rx_slot(&s.b.rx, 0);
	assert_int_equal(slot->flags, RAWNET_RX_COPY | RAWNET_RX_VLAN);
	assert_int_equal(slot->u.rx.vlan_tci, 0x2007);
	assert_int_equal(slot->len, s.len - 4);
	assert_memory_equal(s.b.mem + slot->off, s.frame, 12);
	assert_memory_equal(s.b.mem + slot->off + 12, s.frame + 16, s.len - 16);
	/* They left too, and the sender has none of them. */
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 40);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_RX_PACKETS), 0);
	/* Not what nobody asked for; and what one uses up is not the other's. */
	s.frame[0] = 0x33;
	send_times(&s, &s.a, 4);
	assert_int_equal(port_count(s.left, RAWNET_P_COPY_PACKETS), 40);
	s.frame[0] = 0xff;
	send_times(&s, &s.b, 4);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_RX_COPIES), 4);
	unsubscribe(&s);
	close_site(&s);
}

/* What one queue may send to groups at once does not grow with the rate: each frame is copied for
 * all who want it. The bucket's own clock says what came in between. */
static void copies_at_once(void **state)
{
	enum {
		RATE = 5000, /* a second, for each of two: 20 ms would grant 100 */
		ONCE = 32,
		MANY = 60
	};
	const struct rn_bucket *bucket;
	uint64_t since, copied, granted;
	struct site s;

	(void)state;
	do {
		open_site(&s, false, true, 256);
		bucket = &s.a.at->queue[0].copies;
		s.left->config.copy_rate = 2 * RATE;
		subscribe(&s, RAWNET_COPY_BROADCAST);
		frame_to(&s, ones);
		send_times(&s, &s.a, 1);
		since = bucket->last;
		send_times(&s, &s.a, MANY - 1);
		granted = (bucket->last - since) * RATE / 1000000000u;
		copied = rig_counter(&s.b, RAWNET_Q_RX_COPIES);
		assert_in_range(copied, ONCE, ONCE + granted + 1);
		assert_int_equal(copied + port_count(s.left, RAWNET_P_COPY_DROP), MANY);
		unsubscribe(&s);
		close_site(&s);
	} while (granted > 10); /* the poller had to wait for a core: that showed nothing */
}

/* An ARP request of a for 10.0.0.`last`; vlan 0: untagged. */
static void ask(struct site *s, uint8_t last, const uint8_t dmac[6], const uint8_t smac[6],
		uint16_t vlan)
{
	const uint8_t target[4] = {10, 0, 0, last}, sender[4] = {10, 0, 0, 1};
	uint8_t arp[RN_NEIGH_FRAME];

	s->len = rn_neigh_announcement(4, target, smac, vlan, arp);
	memcpy(arp, dmac, 6);
	memcpy(arp + s->len - 14, sender, 4);
	memcpy(s->frame, arp, s->len);
	send_times(s, &s->a, 1);
}

static void questions(void **state)
{
	static const uint8_t a_mac[6] = {2, 0, 0, 0, 0, 0x0a};
	const struct rawnet_slot *slot;
	struct site s;

	(void)state;
	open_site(&s, true, true, 64);
	rig_rule(s.left, &s.a, "macvlan 02:00:00:00:00:0a addr 10.0.0.1");
	rig_rule(s.left, &s.a, "macvlan 02:00:00:00:00:0a addr 10.0.0.1 vlan 9");
	rig_rule(s.left, &s.b, "macvlan 02:00:00:00:00:0b addr 10.0.0.2");
	rig_rule(s.left, &s.b, "ipvlan 10.0.0.3");
	rig_rule(s.left, &s.b, "ipvlan 10.0.0.4 vlan 9");
	ask(&s, 2, ones, a_mac, 0); /* answered, and on the wire all the same */
	assert_int_equal(rig_await(&s.a, 1), 1);
	slot = rawnet_rx_slot(&s.a.rx, 0);
	assert_int_equal(slot->len, 42);
	assert_memory_equal(s.a.mem + slot->off, a_mac, 6);
	assert_memory_equal(s.a.mem + slot->off + 22, b_mac, 6);
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 1);
	ask(&s, 3, s.left->mac, a_mac, 0); /* to one MAC: answered only */
	assert_int_equal(rig_await(&s.a, 2), 2);
	assert_memory_equal(s.a.mem + rawnet_rx_slot(&s.a.rx, 1)->off + 22, s.left->mac, 6);
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), 1);
	ask(&s, 4, ones, a_mac, 9);
	assert_int_equal(rig_await(&s.a, 3), 3);
	assert_memory_equal(s.a.mem + rawnet_rx_slot(&s.a.rx, 2)->off + 12, "\x81\x00\x00\x09", 4);
	assert_int_equal(port_count(s.left, RAWNET_P_NEIGH_REPLIES), 3);
	/* Nobody's, of another VLAN, its own. */
	ask(&s, 77, ones, a_mac, 0);
	ask(&s, 4, ones, a_mac, 0);
	ask(&s, 1, ones, a_mac, 0);
	assert_int_equal(port_count(s.left, RAWNET_P_NEIGH_REPLIES), 3);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_RX_PACKETS), 3);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_TX_DROP_SPOOF), 0);
	close_site(&s);
}

/* ---- what may be local ---- */

/* Thousands of rules come and go: a MAC may be local while a rule names it, and no longer. */
static void names(void **state)
{
	enum {
		MACS = 3000
	};
	static uint64_t id[MACS];
	struct rn_queue *q;
	const struct rn_macs *m;
	struct site s;
	char text[64];

	(void)state;
	open_site(&s, false, true, 64);
	q = &s.a.at->queue[0];
	m = rn_switch_on(s.left);
	assert_non_null(m);
	for (unsigned i = 0; i < MACS; i++) {
		snprintf(text, sizeof(text), "macvlan 02:00:00:01:%02x:%02x", i >> 8, i & 0xff);
		id[i] = rig_rule(s.left, &s.b, text);
	}
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 2 * MACS; i++) {
			const uint8_t mac[8] = {2, 0, 0, 1, (uint8_t)(i >> 8), (uint8_t)i};
			bool there = i < MACS && (!round || i % 3);

			assert_int_equal(rn_switch_may(q, m, mac), there);
		}
		for (unsigned i = 0; !round && i < MACS; i += 3)
			delete_rule(&s, id[i]);
	}
	for (unsigned i = 0; i < MACS; i++)
		if (i % 3)
			delete_rule(&s, id[i]);
	for (unsigned i = 0; i < sizeof(m->bit) / sizeof(m->bit[0]); i++)
		assert_int_equal(m->bit[i], 0);
	assert_int_equal(m->n_masks, 0);
	close_site(&s);
}

/* ---- a sender that rewrites its frames ---- */

struct flipper {
	struct rig_client *c;
	bool stop;
};

/* Destination MAC and port turn: b's, the wire's, and back. */
static void *flip(void *arg)
{
	static const uint8_t macs[2] = {0x0b, 0x77};
	struct flipper *f = arg;

	for (uint32_t i = 0; !__atomic_load_n(&f->stop, __ATOMIC_RELAXED); i++) {
		uint8_t *buffer = f->c->mem + f->c->tx.slots[i & f->c->tx.mask].off;

		__atomic_store_n(&buffer[5], macs[i / 64 % 2], __ATOMIC_RELAXED);
		__atomic_store_n(&buffer[37], 7 + i / 128 % 2, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* How many came: each is for this MAC, and for port 7 where that is all that the rule takes. */
static uint32_t check(struct rig_client *c, uint8_t last, bool port)
{
	uint32_t n = rawnet_rx_avail(&c->rx);

	for (uint32_t k = 0; k < n; k++) {
		const uint8_t *frame = c->mem + rawnet_rx_slot(&c->rx, k)->off;

		assert_int_equal(frame[5], last);
		assert_true(!port || frame[37] == 7);
	}
	take(c, n);
	return n;
}

static void flipped(void **state)
{
	struct flipper flipper = {0};
	uint64_t here = 0, there = 0, sent = 0;
	pthread_t thread;
	struct site s;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* this client races with the daemon on purpose */
#endif
	open_site(&s, false, true, 256);
	rig_rule(s.left, &s.b, "dmac 02:00:00:00:00:0b udp dport 7");
	flipper.c = &s.a;
	frame_to(&s, b_mac);
	for (uint32_t i = 0; i <= s.a.tx.mask; i++)
		memcpy(s.a.mem + s.a.tx.slots[i].off, s.frame, s.len);
	assert_int_equal(pthread_create(&thread, NULL, flip, &flipper), 0);
	while (sent < 20000 || !here || !there) {
		while (rawnet_tx_room(&s.a.tx, 1)) {
			rawnet_tx_slot(&s.a.tx, 0)->len = (uint16_t)s.len;
			rawnet_tx_fill(&s.a.tx, 1);
			sent++;
		}
		rig_flush(&s.a);
		assert_true(rig_drained(&s.a));
		rig_await(&s.b, 0);
		here += check(&s.b, 0x0b, true);
		rig_await(&s.far, 0);
		there += check(&s.far, 0x77, false);
	}
	__atomic_store_n(&flipper.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(rig_counter(&s.a, RAWNET_Q_TX_PACKETS), sent);
	assert_int_equal(port_count(s.left, RAWNET_P_LOCAL_PACKETS), here);
	assert_int_equal(port_count(s.left, RAWNET_P_TX_PACKETS), sent - here);
	print_message("%llu came to the other, %llu to the wire\n", (unsigned long long)here,
		      (unsigned long long)there);
	close_site(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),    cmocka_unit_test(copies_at_once),
		cmocka_unit_test(questions), cmocka_unit_test(names),
		cmocka_unit_test(flipped),
	};

	return cmocka_run_group_tests_name("switch_liars", tests, NULL, NULL);
}
