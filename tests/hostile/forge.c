/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Acts on the wire: frames that are not the mirror of the client's rule, sent as they are, and sent
 * honest while a thread turns them into those and back. The test listens at the other end.
 */
#include "hostile.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the honest frame (Ethernet, IPv4, UDP) that are replaced. */
struct patch {
	uint32_t at;
	uint32_t len;
	const char *bytes;
};

struct forgery {
	const char *name;
	struct patch patch[3];
	const char *insert; /* behind the MACs */
	uint32_t insert_len;
	uint16_t flags; /* of the slot */
	uint16_t tci;
};

#define BYTES(at, text)                      \
	{                                    \
		(at), sizeof(text) - 1, text \
	}
#define ARP(text) BYTES(12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02" text)

/* clang-format off */
static const struct forgery forgeries[] = {
	{"source MAC", {BYTES(6, "\x02\xee\xee\xee\xee\xee")}, NULL, 0, 0, 0},
	{"source MAC, group", {BYTES(6, "\xff\xff\xff\xff\xff\xff")}, NULL, 0, 0, 0},
	{"source address", {BYTES(26, "\x0a\x4d\x00\x63")}, NULL, 0, 0, 0},
	{"source port", {BYTES(34, "\x1b\x59")}, NULL, 0, 0, 0}, /* 7001: the victim's */
	{"protocol", {BYTES(23, "\x06")}, NULL, 0, 0, 0},
	{"fragment without ports", {BYTES(20, "\x00\x20")}, NULL, 0, 0, 0},
	{"first fragment", {BYTES(20, "\x20\x00")}, NULL, 0, 0, 0},
	{"IP options to hide ports", {BYTES(14, "\x4f")}, NULL, 0, 0, 0},
	{"IPv6 in place of IPv4", {BYTES(12, "\x86\xdd\x60")}, NULL, 0, 0, 0},
	{"version 6 under IPv4", {BYTES(14, "\x65")}, NULL, 0, 0, 0},
	{"ARP, the host's addresses", {ARP("\x02\xee\xee\xee\xee\xee\x0a\x4d\x00\x01")}, NULL, 0, 0, 0},
	{"ARP, the peer's addresses", {ARP("\x02\xee\xee\xee\xee\xee\x0a\x4d\x00\x02")}, NULL, 0, 0, 0},
	{"pause", {BYTES(0, "\x01\x80\xc2\x00\x00\x01"), BYTES(12, "\x88\x08\x00\x01\xff\xff")}, NULL, 0, 0, 0},
	{"pause, unicast", {BYTES(12, "\x88\x08\x00\x01\xff\xff")}, NULL, 0, 0, 0},
	{"LLDP", {BYTES(0, "\x01\x80\xc2\x00\x00\x0e"), BYTES(12, "\x88\xcc")}, NULL, 0, 0, 0},
	{"EAPOL", {BYTES(0, "\x01\x80\xc2\x00\x00\x03"), BYTES(12, "\x88\x8e")}, NULL, 0, 0, 0},
	{"slow protocols", {BYTES(0, "\x01\x80\xc2\x00\x00\x02"), BYTES(12, "\x88\x09")}, NULL, 0, 0, 0},
	{"spanning tree", {BYTES(0, "\x01\x80\xc2\x00\x00\x00"), BYTES(12, "\x00\x26\x42\x42\x03")}, NULL, 0, 0, 0},
	{"bridge group address", {BYTES(0, "\x01\x80\xc2\x00\x00\x00")}, NULL, 0, 0, 0},
	{"another ethertype", {BYTES(12, "\x88\xb5")}, NULL, 0, 0, 0},
	{"tag in the frame", {{0, 0, NULL}}, "\x81\x00\x00\x07", 4, 0, 0},
	{"priority tag in the frame", {{0, 0, NULL}}, "\x81\x00\xe0\x00", 4, 0, 0},
	{"service tag in the frame", {{0, 0, NULL}}, "\x88\xa8\x00\x07", 4, 0, 0},
	{"two tags in the frame", {{0, 0, NULL}}, "\x88\xa8\x00\x07\x81\x00\x00\x08", 8, 0, 0},
	{"tag in the slot", {{0, 0, NULL}}, NULL, 0, RAWNET_TX_VLAN, 7},
};
/* clang-format on */
#define FORGERIES (sizeof(forgeries) / sizeof(forgeries[0]))

/* Not forged, but for somebody else. */
static const struct forgery turns[] = {
	{"destination port", {BYTES(36, "\x27\x0f")}, NULL, 0, 0, 0},
	{"destination MAC", {BYTES(0, "\x02\xee\xee\xee\xee\xee")}, NULL, 0, 0, 0},
	{"destination address", {BYTES(30, "\x0a\x4d\x00\x63")}, NULL, 0, 0, 0},
};
#define TIMES 64u

static uint32_t apply(const struct forgery *f, uint8_t frame[FRAME_MAX])
{
	uint32_t len = orders.frame_len;

	memcpy(frame, orders.frame, 12);
	if (f->insert_len)
		memcpy(frame + 12, f->insert, f->insert_len);
	memcpy(frame + 12 + f->insert_len, orders.frame + 12, len - 12);
	for (unsigned i = 0; i < 3 && f->patch[i].len; i++)
		memcpy(frame + f->patch[i].at, f->patch[i].bytes, f->patch[i].len);
	return len + f->insert_len;
}

/* {"source MAC": [sent, dropped], ...} */
static int forge(void)
{
	struct session s;

	session_open(&s, "forger", NULL);
	for (size_t i = 0; i < FORGERIES; i++) {
		uint64_t sent = session_count(&s, RAWNET_Q_TX_PACKETS), dropped = session_drops(&s);
		uint8_t frame[FRAME_MAX];
		uint32_t len = apply(&forgeries[i], frame);

		for (uint32_t n = 0; n < TIMES; n++) {
			struct rawnet_slot *slot = &s.tx.slots[s.tx.client & s.tx.mask];

			while (!rawnet_tx_room(&s.tx, 1))
				session_kick(&s);
			session_send(&s, frame, len);
			slot->flags = forgeries[i].flags;
			slot->u.tx.vlan_tci = forgeries[i].tci;
		}
		session_kick(&s);
		if (!session_drained(&s))
			die("%s: not taken", forgeries[i].name);
		printf("%c\"%s\": [%llu, %llu]", i ? ',' : '{', forgeries[i].name,
		       (unsigned long long)(session_count(&s, RAWNET_Q_TX_PACKETS) - sent),
		       (unsigned long long)(session_drops(&s) - dropped));
	}
	puts("}");
	session_close(&s);
	return 0;
}

/* ---- honest, and rewritten behind the check ---- */

static struct {
	struct session *s;
	const struct forgery *now; /* NULL: honest */
	uint32_t stop;
} swapper;

static uint8_t *buffer_of(const struct session *s, uint32_t slot)
{
	return s->mem + (s->rx.mask + 1 + slot) * s->head.buf_size;
}

/* One after another all buffers are turned and turned back, as fast as memory goes. */
static void *swap_forever(void *unused)
{
	(void)unused;
	for (uint32_t n = 0; !__atomic_load_n(&swapper.stop, __ATOMIC_RELAXED); n++) {
		const struct forgery *f = __atomic_load_n(&swapper.now, __ATOMIC_ACQUIRE);
		uint8_t *buffer = buffer_of(swapper.s, n & swapper.s->tx.mask);

		for (unsigned i = 0; f && i < 3 && f->patch[i].len; i++) {
			const struct patch *p = &f->patch[i];
			bool forged = (n / (swapper.s->tx.mask + 1)) & 1;

			for (uint32_t k = 0; k < p->len; k++)
				__atomic_store_n(buffer + p->at + k,
						 forged ? (uint8_t)p->bytes[k]
							: orders.frame[p->at + k],
						 __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

/* Publishes whole rings of what stands in the buffers, for so long. */
static void send_for(struct session *s, double seconds)
{
	double end = now() + seconds;

	do {
		uint32_t n = rawnet_tx_room(&s->tx, s->tx.mask + 1);

		while (n--) {
			s->tx.slots[s->tx.client & s->tx.mask] = (struct rawnet_slot) {
				.off = (s->rx.mask + 1 + (s->tx.client & s->tx.mask)) *
				       s->head.buf_size,
				.len = (uint16_t)orders.frame_len};
			s->tx.client++;
		}
		session_kick(s);
	} while (now() < end && !session_ended(s, 0));
	session_drained(s);
}

/* {"source MAC": [sent, dropped], ...} */
static int swap_each(const struct forgery *forgery, size_t n)
{
	struct session s;
	pthread_t thread;
	bool first = true;

	session_open(&s, "swapper", NULL);
	swapper.s = &s;
	if (pthread_create(&thread, NULL, swap_forever, NULL))
		die("no thread");
	for (size_t i = 0; i < n; i++) {
		uint64_t sent = session_count(&s, RAWNET_Q_TX_PACKETS), dropped = session_drops(&s);

		if (!forgery[i].patch[0].len)
			continue;
		for (uint32_t k = 0; k <= s.tx.mask; k++)
			memcpy(buffer_of(&s, k), orders.frame, orders.frame_len);
		__atomic_store_n(&swapper.now, &forgery[i], __ATOMIC_RELEASE);
		send_for(&s, orders.seconds);
		__atomic_store_n(&swapper.now, NULL, __ATOMIC_RELEASE);
		printf("%c\"%s\": [%llu, %llu]", first ? '{' : ',', forgery[i].name,
		       (unsigned long long)(session_count(&s, RAWNET_Q_TX_PACKETS) - sent),
		       (unsigned long long)(session_drops(&s) - dropped));
		first = false;
	}
	puts("}");
	__atomic_store_n(&swapper.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	session_close(&s);
	return 0;
}

static int swap(void)
{
	return swap_each(forgeries, FORGERIES);
}

static int turn(void)
{
	return swap_each(turns, sizeof(turns) / sizeof(turns[0]));
}

const struct act wire_acts[] = {
	{"forge", "sends frames that are not the mirror of its rule", forge},
	{"swap", "sends honest frames that a thread turns into such ones and back", swap},
	{"turn", "sends honest frames that a thread addresses to somebody else and back", turn},
	{0},
};
