/* SPDX-License-Identifier: BSD-2-Clause */
/* See stream.h. */
#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "tool.h"

void stream_init(struct stream *s)
{
	*s = (struct stream) {.addresses = {.sport = 9, .dport = 9, .flows = 1}};
}

uint64_t stream_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- keys ---- */

static bool address(struct probe_addresses *a, const char *word, uint8_t bytes[16])
{
	const uint8_t family = strchr(word, ':') ? 6 : 4;

	if (inet_pton(family == 4 ? AF_INET : AF_INET6, word, bytes) != 1)
		return false;
	if (a->family && a->family != family)
		return false;
	a->family = family;
	return true;
}

static bool number16(const char *word, uint64_t least, uint64_t most, uint16_t *v)
{
	uint64_t wide;
	bool good = value_number(word, least, most, &wide);

	*v = (uint16_t)wide;
	return good;
}

static bool key_src(void *object, const char *word)
{
	struct stream *s = object;

	return address(&s->addresses, word, s->addresses.src);
}

static bool key_dst(void *object, const char *word)
{
	struct stream *s = object;

	return address(&s->addresses, word, s->addresses.dst);
}

static bool key_sport(void *object, const char *word)
{
	return number16(word, 1, 65535, &((struct stream *)object)->addresses.sport);
}

static bool key_dport(void *object, const char *word)
{
	return number16(word, 1, 65535, &((struct stream *)object)->addresses.dport);
}

static bool key_dmac(void *object, const char *word)
{
	struct stream *s = object;

	s->has_dmac = true;
	return value_mac(word, s->addresses.dmac);
}

static bool key_smac(void *object, const char *word)
{
	struct stream *s = object;

	s->has_smac = true;
	return value_mac(word, s->addresses.smac);
}

static bool key_to(void *object, const char *word)
{
	((struct stream *)object)->to = word;
	return true;
}

static bool key_vlan(void *object, const char *word)
{
	return number16(word, 1, 4094, &((struct stream *)object)->vlan);
}

static bool key_queue(void *object, const char *word)
{
	uint64_t v;
	bool good = value_number(word, 0, RAWNET_QUEUES_MAX - 1, &v);

	((struct stream *)object)->queue = (uint32_t)v;
	return good;
}

static const struct key keys[] = {
	{"src", key_src, "an address of the same family as dst"},
	{"dst", key_dst, "an address of the same family as src"},
	{"sport", key_sport, "1 to 65535"},
	{"dport", key_dport, "1 to 65535"},
	{"dmac", key_dmac, "a MAC address"},
	{"smac", key_smac, "a MAC address"},
	{"to", key_to, "a port"},
	{"vlan", key_vlan, "1 to 4094"},
	{"queue", key_queue, "the number of a queue"},
};

struct key_table stream_keys(struct stream *s)
{
	return (struct key_table) {keys, sizeof(keys) / sizeof(keys[0]), s};
}

int stream_check(const struct stream *s)
{
	static const uint8_t none[16];
	const struct probe_addresses *a = &s->addresses;

	if (!memcmp(a->src, none, 16) || !memcmp(a->dst, none, 16))
		return keys_wrong("src and dst are needed");
	if (!s->has_dmac && !s->to)
		return keys_wrong("dmac, or to, is needed");
	if (a->dport + a->flows - 1 > 65535)
		return keys_wrong("%u flows from dport %u on: ports end at 65535", a->flows,
				  a->dport);
	return 0;
}

/* ---- attachments and rules ---- */

/* What comes back, or arrives elsewhere: the addresses of the frames, exchanged or not. With one
 * flow all of it is named, so that whoever may have the ports only may have the rule. */
static void make_match(const struct stream *s, bool back, struct rawnet_match *m)
{
	const struct probe_addresses *a = &s->addresses;
	const bool one = a->flows == 1;

	memset(m, 0, sizeof(*m));
	m->size = sizeof(*m);
	m->fields = RAWNET_M_SRC | RAWNET_M_DST | RAWNET_M_PROTO;
	m->family = a->family;
	m->proto = 17; /* UDP */
	memcpy(m->src, back ? a->dst : a->src, 16);
	memcpy(m->dst, back ? a->src : a->dst, 16);
	m->src_len = m->dst_len = a->family == 4 ? 32 : 128;
	if (back || one) {
		m->fields |= RAWNET_M_DPORT;
		m->dport = back ? a->sport : a->dport;
	}
	if (!back || one) {
		m->fields |= RAWNET_M_SPORT;
		m->sport = back ? a->dport : a->sport;
	}
	if (s->vlan) {
		m->fields |= RAWNET_M_VLAN;
		m->vlan = s->vlan;
	}
}

static int attach(struct rawnet *rn, const char *dev, struct rawnet_attachment **at)
{
	int rc = rawnet_attach(rn, dev, NULL, at);

	return rc ? (tool_fail(), rc) : 0;
}

static int add_rule(struct rawnet_attachment *at, const struct rawnet_match *m)
{
	uint64_t rule;
	int rc = rawnet_flow_add(at, m, NULL, &rule);

	return rc ? (tool_fail(), rc) : 0;
}

void stream_receive_from(struct stream *s, struct rawnet_attachment *at)
{
	s->n_rx = rawnet_attachment_info(at)->n_queues;
	for (uint32_t i = 0; i < s->n_rx; i++)
		s->rx[i] = rawnet_queue(at, i);
}

/* The rule at the sender is also what lets it send: its frames are the mirror of that rule. */
int stream_open(struct stream *s, struct rawnet *rn, const char *dev)
{
	struct probe_addresses *a = &s->addresses;
	struct rawnet_attachment *at, *far = NULL;
	struct rawnet_match m;
	int rc = attach(rn, dev, &at);

	if (!rc && s->to)
		rc = attach(rn, s->to, &far);
	if (rc)
		return rc;
	s->tx = rawnet_queue(at, s->queue);
	if (!s->tx)
		return keys_wrong("queue %u: %s has %u", s->queue, dev,
				  rawnet_attachment_info(at)->n_queues);
	if (!s->has_smac)
		memcpy(a->smac, rawnet_attachment_info(at)->mac, 6);
	if (!s->has_dmac)
		memcpy(a->dmac, rawnet_attachment_info(far)->mac, 6);
	probe_template(&s->frame, a);
	stream_receive_from(s, far ? far : at);
	make_match(s, true, &m);
	rc = add_rule(at, &m);
	make_match(s, false, &m);
	if (!rc && far)
		rc = add_rule(far, &m);
	return rc;
}

/* ---- frames ---- */

uint32_t stream_most(const struct stream *s)
{
	return s->tx->max_frame - (s->vlan ? 4 : 0);
}

void stream_new_magic(struct stream *s)
{
	uint16_t unique;

	if (getrandom(&unique, sizeof(unique), 0) != sizeof(unique))
		unique = (uint16_t)stream_now();
	s->addresses.magic = s->magic = PROBE_MAGIC | unique;
	probe_template(&s->frame, &s->addresses);
}

void stream_write(const struct stream *s, struct rawnet_slot *slot, uint32_t len,
		  const struct probe_mark *mark)
{
	*slot = (struct rawnet_slot) {.off = slot->off & ~(s->tx->buf_size - 1),
				      .len = (uint16_t)len};
	probe_write(&s->frame, rawnet_data(s->tx, slot), len, mark);
	if (s->vlan) {
		slot->flags = RAWNET_TX_VLAN;
		slot->u.tx.vlan_tci = s->vlan;
	}
}

static void take(struct stream *s, struct track *t, const uint8_t *frame, uint32_t len,
		 uint64_t now)
{
	struct probe_mark mark;

	t->received++;
	t->bytes += len;
	if (probe_read(frame, len, &s->magic, &mark))
		track_add(t, mark.number, now > mark.time ? now - mark.time : 0);
}

uint32_t stream_receive(struct stream *s, struct rawnet_queue *q, struct track *t, uint64_t *now)
{
	const struct rawnet_slot *slot;
	uint32_t n;

	rawnet_queue_sync(q);
	n = rawnet_rx_avail(&q->rx);
	n = n < STREAM_BURST ? n : STREAM_BURST;
	if (!n)
		return 0;
	*now = stream_now();
	for (uint32_t k = 0; k < n; k++) {
		slot = rawnet_rx_slot(&q->rx, k);
		if (!(slot->flags & RAWNET_RX_ERROR))
			take(s, t, rawnet_data(q, slot), slot->len, *now);
	}
	rawnet_rx_release(&q->rx, n);
	rawnet_flush(q);
	return n;
}
