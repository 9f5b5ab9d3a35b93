/* SPDX-License-Identifier: BSD-2-Clause */
/* Acts on the rings: indexes that lie, chains without an end, slots and headers that change under
 * the daemon's eyes. */
#include "hostile.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* ---- indexes ---- */

static void store(uint32_t *index, uint32_t v)
{
	__atomic_store_n(index, v, __ATOMIC_RELEASE);
}

static void publish_at(struct session *s, uint32_t index)
{
	s->tx.client = index;
	session_kick(s);
}

static void tx_ahead(struct session *s)
{
	publish_at(s, s->tx.mask + 2);
}

static void tx_far_ahead(struct session *s)
{
	publish_at(s, 1u << 31);
}

static void tx_back(struct session *s)
{
	for (int i = 0; i < 4; i++)
		session_send(s, orders.frame, orders.frame_len);
	session_kick(s);
	session_drained(s);
	publish_at(s, s->tx.client - 1);
}

static void chain(struct session *s, uint32_t n, bool finished)
{
	for (uint32_t i = 0; i < n; i++) {
		session_send(s, orders.frame, orders.frame_len);
		s->tx.slots[i].flags = i + 1 < n || !finished ? RAWNET_TX_MORE : 0;
	}
	session_kick(s);
}

static void tx_unfinished(struct session *s)
{
	chain(s, 3, false);
}

static void tx_endless(struct session *s)
{
	chain(s, s->tx.mask + 1, false);
}

static void tx_too_long(struct session *s)
{
	chain(s, RAWNET_TX_SEGS + 1, true);
}

/* Told before the rule: a packet that came first would give a slot back, and make it true. The
 * daemon looks at an rx ring when it has a packet for it: the test sends them. */
static void rx_ahead(struct session *s)
{
	store(&s->rx.ctl->client, s->rx.mask + 2);
}

static void rx_back(struct session *s)
{
	const struct timespec t = {.tv_nsec = 1000000};
	double end = now() + 20;

	/* Behind what the daemon used. Back in front of that is no lie: it never looks there. */
	while (rawnet_ring_load(&s->rx.ctl->daemon) != s->rx.mask + 1 && now() < end)
		nanosleep(&t, NULL);
	store(&s->rx.ctl->client, s->rx.mask);
}

static int lies(void)
{
	static const struct {
		const char *name;
		void (*tell)(struct session *s);
		bool early; /* before the session has its rule */
	} lie[] = {
		{"tx ahead", tx_ahead, false},
		{"tx far ahead", tx_far_ahead, false},
		{"tx back", tx_back, false},
		{"tx chain unfinished", tx_unfinished, false},
		{"tx chain endless", tx_endless, false},
		{"tx chain too long", tx_too_long, false},
		{"rx ahead", rx_ahead, true},
		{"rx back", rx_back, false},
	};

	for (size_t i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
		struct session s;
		int rc;

		session_join(&s, "liar", NULL);
		if (lie[i].early)
			lie[i].tell(&s);
		rc = session_rule(&s, orders.match, NULL); /* who was found out already gets none */
		if (!lie[i].early) {
			if (rc)
				die("FLOW_ADD: %s", strerror(-rc));
			lie[i].tell(&s);
		}
		session_ended(&s, 20);
		printf("%c\"%s\": %s", i ? ',' : '{', lie[i].name, reason_word(&s));
		session_close(&s);
	}
	puts("}");
	return 0;
}

/* Random values in every word of the controls that a client can write, ended or not, again and
 * again. */
static int jump(void)
{
	double end = now() + orders.seconds;
	unsigned sessions = 0, ended = 0;

	while (now() < end) {
		struct session s;
		double some = now() + 0.2;

		session_open(&s, "jumper", NULL);
		random_seed(++sessions);
		while (now() < some && now() < end) {
			uint32_t *word[] = {&s.tx.ctl->client,	     &s.rx.ctl->client,
					    &s.tx.ctl->daemon,	     &s.rx.ctl->daemon,
					    &s.tx.ctl->sleep.client, &s.tx.ctl->sleep.daemon};

			store(word[random_next() % 6], (uint32_t)(random_next() >> 40) & 0xff);
			session_kick(&s);
			if (session_ended(&s, 0))
				break;
		}
		ended += session_ended(&s, 0.05);
		session_close(&s);
	}
	printf("{\"sessions\": %u, \"ended\": %u}\n", sessions, ended);
	return 0;
}

/* ---- slots and headers that change ---- */

static struct {
	struct session *s;
	void (*change)(struct session *s, uint64_t r);
	uint32_t stop;
} flipper;

static void *flip_forever(void *unused)
{
	(void)unused;
	random_seed(7);
	while (!__atomic_load_n(&flipper.stop, __ATOMIC_RELAXED))
		flipper.change(flipper.s, random_next());
	return NULL;
}

/* A field of some slot, in its range or not. MORE is left out of flags: a chain without an end ends
 * the client, which is another act. */
static void change_slot(struct session *s, uint64_t r)
{
	struct rawnet_ring *ring = (r & 1) ? &s->tx : &s->rx;
	struct rawnet_slot *slot = &ring->slots[(r >> 1) & ring->mask];
	uint32_t off = (uint32_t)(r >> 32);

	switch ((r >> 24) % 5) {
	case 0: slot->off = off; break;
	case 1: slot->off = off % (uint32_t)s->mem_size; break;
	case 2: slot->len = (uint16_t)off; break;
	/* Mostly none: flags that are unknown are found first, and hide what else is wrong. */
	case 3: slot->flags = (uint16_t)(off & 7 ? 0 : off & ~RAWNET_TX_MORE); break;
	default: memcpy(&slot->u, &off, sizeof(off)); break;
	}
}

/* A header byte of some frame. */
static void change_header(struct session *s, uint64_t r)
{
	uint32_t buf = s->rx.mask + 1 + ((uint32_t)r & s->tx.mask);

	s->mem[buf * s->head.buf_size + (r >> 16) % 54] = (uint8_t)(r >> 40);
}

/* What the daemon wrote for the client to read; it never reads it back. */
static void change_ours(struct session *s, uint64_t r)
{
	switch (r % 4) {
	case 0: store(&s->tx.ctl->daemon, (uint32_t)(r >> 32)); break;
	case 1: store(&s->rx.ctl->daemon, (uint32_t)(r >> 32)); break;
	case 2: store(&s->tx.ctl->sleep.daemon, (uint32_t)(r >> 32) & 1); break;
	default: s->rings[(r >> 8) % sizeof(struct rawnet_rings)] = (uint8_t)(r >> 32); break;
	}
}

static uint64_t finished(const struct session *s)
{
	return session_count(s, RAWNET_Q_TX_PACKETS) + session_drops(s);
}

/* Frames go out one after another while the other thread changes things. */
static uint64_t send_meanwhile(struct session *s)
{
	double end = now() + orders.seconds;
	uint64_t sent = 0;

	while (now() < end && !session_ended(s, 0)) {
		for (uint32_t done = rawnet_ring_load(&s->tx.ctl->daemon);
		     (uint32_t)sent - done <= s->tx.mask; sent++)
			session_send(s, orders.frame, orders.frame_len);
		session_kick(s);
		s->rx.client = s->rx.mask + 1 + rawnet_ring_load(&s->rx.ctl->daemon);
		rawnet_ring_publish(&s->rx);
	}
	return sent;
}

/* The same where the shared indexes are among the lies: counters say how far the daemon is, which
 * is true of backends that copy. A turn counts, and gives slots back when it ends. So half a ring
 * is sent at a time: when one is finished, the turns before it have ended, and with them what was
 * counted when it was sent, but for its own turn. */
static uint64_t send_by_counters(struct session *s)
{
	uint32_t half = (s->tx.mask + 1) / 2, before = 0, last = 0;
	double end = now() + orders.seconds;
	uint64_t sent = 0;

	while (now() < end && !session_ended(s, 0)) {
		session_kick(s);
		if (finished(s) != sent)
			continue;
		s->rx.client = s->rx.mask + 1 + before;
		rawnet_ring_publish(&s->rx);
		before = last;
		last = (uint32_t)(session_count(s, RAWNET_Q_RX_PACKETS) +
				  session_count(s, RAWNET_Q_RX_DROP_SLOT));
		for (uint32_t i = 0; i < half; i++, sent++)
			session_send(s, orders.frame, orders.frame_len);
	}
	return sent;
}

/* Everything published is sent or dropped and counted, however long that takes. */
static bool settled(const struct session *s, uint64_t sent)
{
	double end = now() + 20;

	while (finished(s) != sent)
		if (now() > end)
			return false;
	return true;
}

static int change_while(void (*change)(struct session *, uint64_t), const char *label,
			uint64_t (*send_frames)(struct session *))
{
	struct session s;
	pthread_t thread;
	uint64_t sent;
	bool all;

	session_open(&s, label, NULL);
	flipper.s = &s;
	flipper.change = change;
	if (pthread_create(&thread, NULL, flip_forever, NULL))
		die("no thread");
	sent = send_frames(&s);
	__atomic_store_n(&flipper.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	session_kick(&s);
	send(s.fds[3], "", 1, 0);
	all = settled(&s, sent);
	printf("{\"ended\": %s, \"sent\": %llu, \"all\": %s", reason_word(&s),
	       (unsigned long long)sent, all ? "true" : "false");
	for (unsigned c = 0; c < RAWNET_Q_COUNT; c++)
		printf(", \"%s\": %llu", rawnet_queue_counter_info(c)->name,
		       (unsigned long long)session_count(&s, (enum rawnet_queue_counter)c));
	puts("}");
	session_close(&s);
	return 0;
}

static int slots(void)
{
	return change_while(change_slot, "slots", send_meanwhile);
}

static int headers(void)
{
	return change_while(change_header, "headers", send_meanwhile);
}

static int ours(void)
{
	return change_while(change_ours, "ours", send_by_counters);
}

const struct act ring_acts[] = {
	{"lies", "indexes too far ahead and back, chains without an end: one session each", lies},
	{"jump", "random values in all ring words, session after session", jump},
	{"slots", "sends while a thread rewrites slots", slots},
	{"headers", "sends while a thread rewrites the frames' headers", headers},
	{"ours", "sends while a thread rewrites what only the daemon should write", ours},
	{0},
};
