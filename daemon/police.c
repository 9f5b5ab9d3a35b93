/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policing: may this client send this frame? It may send the mirror of its rules: what a rule of
 * its own would take if source and destination were exchanged (rn_steer_mirror), and of that only
 *
 *   tags        the outer tag, the slot's or the frame's own, is 802.1Q and the rule's; another tag
 *               behind it only under a rule that names its TPID as ethertype
 *   source MAC  no group address; inside the rule's dmac by the mirror
 *   802.3       no frames with a length instead of an ethertype: LLC could carry anything
 *   IP          whole headers; from a leased address of the family where a macvlan rule leases any;
 *               from any address where it leases none; from the rule's dst; from an address of the
 *               port itself otherwise
 *   IPv6        no chain of extension headers that the parser gave up on; no fragment that hides
 *               ICMPv6 or an extension header (RFC 6980, RFC 7112)
 *   ARP         under macvlan only, from the frame's own MAC, from the leased address or 0.0.0.0
 *   ND          under macvlan only: solicitations from the leased address or ::, advertisements of
 *               the leased address; link-layer options name the frame's own MAC; never router
 *               advertisements and redirects
 *
 * and never link control: addresses and ethertypes that bridges and NICs take for themselves.
 * One rule has to allow all of a frame; if the first that mirrors it does not, the next is asked.
 * Rules with ports take no fragments, so a client that has only such rules may send none.
 *
 * The hint. Of a frame that was allowed, the bits that this decision looked at are kept: masked
 * bytes, and bounds for the length field. A frame that agrees in all of them is allowed by the same
 * rule for the same reasons, so it is not parsed. Only plain frames make a hint: no ARP, no ICMPv6,
 * no options or extension headers, no fragments. A hint is void when rn_police_changed() was called
 * since: the epoch is read before the rules are, so a hint is never newer than the rules it is of.
 *
 * Who had a rule and has it no longer may be in the middle of a burst that was judged by it, or by
 * a hint of it. So nobody else gets anything before rn_police_settle() has waited for the ends of
 * those turns: what was allowed by then has been given to the device. It leaves before all that the
 * next owner sends if that goes through the same queue of the device; else a queue's depth of the
 * last owner's frames, at most, may leave behind the next one's first.
 */
#include "tx.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "attachment.h"
#include "police_hint.h"
#include "port.h"
#include "queue.h"
#include "steer.h"
#include "wire.h"

enum {
	ND_RS = 133,
	ND_NS = 135,
	ND_NA = 136
};

/* A frame that a client wants to send, taken apart. */
struct sent {
	const uint8_t *frame;
	uint32_t len;
	int tci;
	uint16_t type; /* behind the outer tag */
	struct rn_key key;
	struct rn_headers h;
};

uint64_t rn_police_epoch = 1;

static const uint8_t zeros[16];

void rn_police_changed(void)
{
	/* release: pairs with the acquire in rn_police(); who sees the new epoch sees the new rules
	 */
	__atomic_add_fetch(&rn_police_epoch, 1, __ATOMIC_RELEASE);
}

void rn_police_settle(void)
{
	static uint64_t settled = 1;

	if (settled == rn_police_epoch)
		return;
	synchronize_rcu();
	settled = rn_police_epoch;
}

/* TPIDs in use, those before IEEE 802.1ad included. */
static bool is_tpid(uint16_t type)
{
	return type == TYPE_TAG || type == TYPE_STAG || type == 0x9100 || type == 0x9200 ||
	       type == 0x9300;
}

/* IEEE 802.1Q 8.6.3: reserved addresses that bridges do not forward; and Cisco's two. */
static bool link_address(const uint8_t *mac)
{
	static const uint8_t bridge[5] = {0x01, 0x80, 0xc2, 0, 0};
	static const uint8_t cisco[5] = {0x01, 0x00, 0x0c, 0xcc, 0xcc};

	return (!memcmp(mac, bridge, 5) && mac[5] < 0x10) ||
	       (!memcmp(mac, cisco, 5) && (mac[5] == 0xcc || mac[5] == 0xcd));
}

/* The ethertype behind whatever tags there are decides. */
static bool link_type(const uint8_t *frame, uint32_t len)
{
	uint32_t at = ETH_HEADER;
	uint16_t type = rn_get16(frame + at - 2);

	while (is_tpid(type) && len - at >= TAG_LEN) {
		at += TAG_LEN;
		type = rn_get16(frame + at - 2);
	}
	return type == TYPE_PAUSE || type == TYPE_SLOW || type == TYPE_EAPOL || type == TYPE_LLDP;
}

static bool is_macvlan(const struct rn_rule *rule)
{
	return rule->match.model == RAWNET_MODEL_MACVLAN;
}

static bool leases_any(const struct rn_rule *rule)
{
	return rule->match.fields & (RAWNET_M_ADDR4 | RAWNET_M_ADDR6);
}

static bool leased4(const struct rn_rule *rule, const uint8_t *addr)
{
	return (rule->match.fields & RAWNET_M_ADDR4) && !memcmp(rule->match.addr4, addr, 4);
}

static bool leased6(const struct rn_rule *rule, const uint8_t *addr)
{
	return (rule->match.fields & RAWNET_M_ADDR6) && !memcmp(rule->match.addr6, addr, 16);
}

static bool port_owns(const struct rn_port *port, const struct sent *s)
{
	return rn_addresses_have(rcu_dereference(port->addresses), s->type == TYPE_IP4 ? 4 : 6,
				 s->key.src);
}

static bool arp_allowed(const struct rn_rule *rule, const struct sent *s)
{
	static const uint8_t ethernet_ip4[6] = {0, 1, 8, 0, 6, 4};
	const uint8_t *arp = s->frame + ETH_HEADER + s->h.tagged;

	if (!is_macvlan(rule) || s->len < ETH_HEADER + s->h.tagged + ARP_LEN)
		return false;
	if (memcmp(arp, ethernet_ip4, 6) != 0 || memcmp(arp + 8, s->key.smac, 6) != 0)
		return false;
	return !memcmp(arp + 14, zeros, 4) || leased4(rule, arp + 14);
}

/* Options of ND from at to the end: link-layer addresses (types 1 and 2) must be the frame's own.
 */
static bool nd_options(const struct sent *s, uint32_t at, uint32_t end)
{
	const uint8_t *p;
	uint32_t size;

	for (; at < end; at += size) {
		p = s->frame + at;
		size = end - at >= 8 ? p[1] * 8u : 0;
		if (!size || size > end - at)
			return false;
		if ((p[0] == 1 || p[0] == 2) && memcmp(p + 2, s->key.smac, 6) != 0)
			return false;
	}
	return true;
}

static bool nd_allowed(const struct rn_rule *rule, const struct sent *s)
{
	const uint8_t *icmp = s->frame + s->h.l4, *target = icmp + 8;
	uint32_t end = s->h.l3 + IP6_HEADER + rn_get16(s->frame + s->h.l3 + 4);
	bool probe = !memcmp(s->key.src, zeros, 16);
	uint32_t fixed = icmp[0] == ND_RS ? 8 : 24;

	if (!is_macvlan(rule) || end - s->h.l4 < fixed)
		return false;
	if (!probe && !leased6(rule, s->key.src))
		return false;
	switch (icmp[0]) {
	case ND_RS: break;
	case ND_NS:
		if (probe && leases_any(rule) && !leased6(rule, target))
			return false;
		break;
	case ND_NA:
		if (probe || !leased6(rule, target))
			return false;
		break;
	default: return false;
	}
	return nd_options(s, s->h.l4 + fixed, end);
}

/* Could there be neighbour discovery that the parser did not see? */
static bool hides_icmp6(const struct sent *s)
{
	switch (s->key.proto) {
	case PROTO_HOPOPTS:
	case PROTO_ROUTING:
	case PROTO_FRAGMENT:
	case PROTO_AH:
	case PROTO_DSTOPTS: return true; /* gave up on the chain, or it goes on in a fragment */
	case PROTO_ICMP6: return !s->h.l4;
	default: return false;
	}
}

static bool ip_allowed(const struct rn_port *port, const struct rn_rule *rule, const struct sent *s)
{
	if (!s->h.l3)
		return false;
	if (s->type == TYPE_IP6) {
		if (hides_icmp6(s))
			return false;
		if (s->h.flags & RN_KEY_NEIGH)
			return nd_allowed(rule, s);
	}
	if (is_macvlan(rule))
		return !leases_any(rule) || (s->type == TYPE_IP4 ? leased4(rule, s->key.src)
								 : leased6(rule, s->key.src));
	return (rule->match.fields & RAWNET_M_DST) || port_owns(port, s);
}

/* The rule mirrors the frame; does it allow it? */
static bool allows(const struct rn_port *port, const struct rn_rule *rule, const struct sent *s)
{
	if (is_tpid(s->type))
		return rule->match.fields & RAWNET_M_ETHERTYPE;
	switch (s->type) {
	case TYPE_ARP: return arp_allowed(rule, s);
	case TYPE_IP4:
	case TYPE_IP6: return ip_allowed(port, rule, s);
	default: return true;
	}
}

/* ---- the hint ---- */

/* The fields that the rule looked at, as they stand in the frame: it mirrors the rule. */
static struct rn_key looked_at(const struct rn_rule *rule, const struct sent *s)
{
	const struct rn_key *of = &rule->shape->mask;
	bool any_source = is_macvlan(rule) ? !leases_any(rule) : rule->match.fields & RAWNET_M_DST;
	struct rn_key mask = {.sport = of->dport, .dport = of->sport};

	memcpy(mask.dmac, of->smac, 6);
	if (s->frame[0] & 1)
		memset(mask.dmac, 0xff, 6);
	memcpy(mask.smac, of->dmac, 6);
	if (any_source)
		memcpy(mask.src, of->dst, sizeof(mask.src));
	else
		memset(mask.src, 0xff, sizeof(mask.src));
	memcpy(mask.dst, of->src, sizeof(mask.dst));
	return mask;
}

static void remember(struct rn_police_hint *h, const struct rn_rule *rule, const struct sent *s,
		     uint64_t now)
{
	struct rn_key mask;

	h->epoch = 0;
	if (s->type == TYPE_ARP || is_tpid(s->type))
		return;
	mask = looked_at(rule, s);
	if (!rn_head_make(&h->head, s->frame, s->len, &s->h, &s->key, &mask))
		return;
	h->vlan = s->tci < 0 ? -1 : s->tci & 0xfff;
	h->epoch = now;
}

/* Everything, from the frame itself. */
static __attribute__((noinline)) int judge(struct rn_queue *q, const uint8_t *frame, uint32_t len,
					   int tci, uint64_t now)
{
	const struct rn_port *port = q->at->port;
	struct sent s = {.frame = frame, .len = len, .tci = tci};
	const struct rn_rule *rule;

	if (len < ETH_HEADER)
		return RAWNET_Q_TX_DROP_SPOOF;
	if (link_address(frame) || link_type(frame, len))
		return RAWNET_Q_TX_DROP_LINK;
	rn_key_parse(frame, len, tci, &s.key, &s.h);
	s.type = ntohs(s.key.ethertype);
	if ((frame[6] & 1) || s.type < TYPE_LEAST)
		return RAWNET_Q_TX_DROP_SPOOF;
	if (s.h.tagged && rn_get16(frame + 12) != TYPE_TAG)
		return RAWNET_Q_TX_DROP_SPOOF;
	for (rule = rn_steer_mirror(port->steer, &s.key, q->at); rule;
	     rule = rn_steer_mirror_after(port->steer, &s.key, q->at, rule)) {
		if (!allows(port, rule, &s))
			continue;
		remember(&q->hint, rule, &s, now);
		return 0;
	}
	return RAWNET_Q_TX_DROP_SPOOF;
}

bool rn_police_by_hint(const struct rn_queue *q, const uint8_t *frame, uint32_t len, int tci)
{
	return rn_police_valid(&q->hint, tci) && rn_head_agrees_frame(&q->hint.head, frame, len);
}

int rn_police(struct rn_queue *q, const uint8_t *frame, uint32_t len, int tci)
{
	/* Read before the rules are. */
	uint64_t now = __atomic_load_n(&rn_police_epoch, __ATOMIC_ACQUIRE);

	if (rn_police_by_hint(q, frame, len, tci))
		return 0;
	return judge(q, frame, len, tci, now);
}
