/* SPDX-License-Identifier: BSD-2-Clause */
#include "mirror.h"

#include <netinet/in.h>

enum {
	TYPE_LEAST = 0x0600, /* below it is a length */
	TYPE_IP4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_IP6 = 0x86dd
};

static void set_sqn(struct rn_match *value, struct rn_match *mask, uint32_t sqn)
{
	rn_match_set(value, mask, RN_MATCH_SQN, sqn, 0xffffff);
}

void rn_guard_fill(struct rn_match *value, struct rn_match *mask, enum rn_guard guard, uint32_t sqn)
{
	/* Without the group bit: see the header. */
	static const uint8_t bridges[6] = {0x00, 0x80, 0xc2},
			     cisco[6] = {0, 0, 0x0c, 0xcc, 0xcc, 0xcc};
	static const uint8_t bridges_mask[6] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xf0};
	static const uint8_t cisco_mask[6] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xfe};

	memset(value, 0, sizeof(*value));
	memset(mask, 0, sizeof(*mask));
	set_sqn(value, mask, sqn);
	if (guard == RN_GUARD_VOUCHED)
		rn_match_set(value, mask, RN_MATCH_METADATA, RN_VOUCHED, 0xffffffff);
	else if (guard == RN_GUARD_BRIDGES)
		rn_match_set_mac(value, mask, RN_MATCH_DMAC, bridges, bridges_mask);
	else if (guard == RN_GUARD_CISCO)
		rn_match_set_mac(value, mask, RN_MATCH_DMAC, cisco, cisco_mask);
}

static uint16_t type_of(const struct rn_rule *rule)
{
	return ntohs(rule->key.ethertype);
}

static bool is_ip(const struct rn_rule *rule)
{
	return rule->shape->mask.ethertype &&
	       (type_of(rule) == TYPE_IP4 || type_of(rule) == TYPE_IP6);
}

/* Behind these the device and the daemon's parser may see different headers; and neighbour
 * discovery is checked by what it says. */
static bool follows_headers(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_ICMPV6: return true;
	default: return false;
	}
}

/* Ethertypes of which policing asks more than the MACs: link control, tags. */
static bool special(uint16_t type)
{
	switch (type) {
	case 0x8100:
	case 0x88a8:
	case 0x9100:
	case 0x9200:
	case 0x9300: /* tags */
	case 0x8808: /* pause */
	case 0x8809: /* slow protocols */
	case 0x888e: /* EAPOL */
	case 0x88cc: /* LLDP */ return true;
	default: return type < TYPE_LEAST;
	}
}

const char *rn_mirror_beyond(const struct rn_rule *rule)
{
	const struct rn_key *key = &rule->key, *mask = &rule->shape->mask;

	if (mask->ethertype != 0xffff)
		return "it names no ethertype, so its owner may send ARP and link control is to be "
		       "told "
		       "apart";
	if (type_of(rule) == TYPE_ARP)
		return "the tables cannot check the sender fields of ARP";
	if (!is_ip(rule))
		return special(type_of(rule)) ? "its ethertype is checked more closely" : NULL;
	if (type_of(rule) == TYPE_IP6 && (mask->proto != 0xff || follows_headers(key->proto)))
		return "it names no IPv6 protocol that tells neighbour discovery and extension "
		       "headers "
		       "apart";
	/* As a destination they would be in Linux' table behind all others. */
	if ((key->smac[0] & mask->smac[0] & 1) ||
	    (type_of(rule) == TYPE_IP4 && key->src[0] >> 4 == 14))
		return "it is about packets from a group address";
	return NULL;
}

static bool leases_any(const struct rn_rule *rule)
{
	return rule->match.model == RAWNET_MODEL_MACVLAN &&
	       (rule->match.fields & (RAWNET_M_ADDR4 | RAWNET_M_ADDR6));
}

bool rn_mirror_of_port(const struct rn_rule *rule)
{
	return is_ip(rule) && rule->match.model != RAWNET_MODEL_MACVLAN &&
	       !(rule->match.fields & RAWNET_M_DST);
}

uint32_t rn_mirror_flows(const struct rn_rule *rule, const struct rn_addresses *own)
{
	const bool four = type_of(rule) == TYPE_IP4;

	if (rn_mirror_of_port(rule))
		return !own ? 0 : four ? own->n4 : own->n6;
	if (is_ip(rule) && leases_any(rule))
		return !!(rule->match.fields & (four ? RAWNET_M_ADDR4 : RAWNET_M_ADDR6));
	return 1;
}

/* The one address that the i-th flow is about; NULL: any that the rule's dst allows. */
static const uint8_t *source_of(const struct rn_rule *rule, const struct rn_addresses *own,
				uint32_t i)
{
	const bool four = type_of(rule) == TYPE_IP4;

	if (rn_mirror_of_port(rule))
		return four ? own->v4[i] : own->v6[i];
	if (is_ip(rule) && leases_any(rule))
		return four ? rule->match.addr4 : rule->match.addr6;
	return NULL;
}

/* Source and destination exchanged. */
static struct rn_key exchanged(const struct rn_key *k)
{
	struct rn_key x = *k;

	memcpy(x.dmac, k->smac, sizeof(x.dmac));
	memcpy(x.smac, k->dmac, sizeof(x.smac));
	memcpy(x.dst, k->src, sizeof(x.dst));
	memcpy(x.src, k->dst, sizeof(x.src));
	x.sport = k->dport;
	x.dport = k->sport;
	return x;
}

/* False: the rule's own dst excludes it. */
static bool fix_source(struct rn_key *key, struct rn_key *mask, const uint8_t *source,
		       uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		if ((source[i] ^ key->src[i]) & mask->src[i])
			return false;
	memcpy(key->src, source, size);
	memset(mask->src, 0xff, size);
	return true;
}

bool rn_mirror_fill(struct rn_match *value, struct rn_match *mask, const struct rn_rule *rule,
		    const struct rn_addresses *own, uint32_t i, uint32_t sqn)
{
	struct rn_key k = exchanged(&rule->key), m = exchanged(&rule->shape->mask);
	const uint8_t *source = source_of(rule, own, i);

	if (source && !fix_source(&k, &m, source, type_of(rule) == TYPE_IP4 ? 4 : 16))
		return false;
	rn_match_fill(value, mask, &k, &m, m.l4);
	/* What another protocol carries is not IP of this frame, whatever the device's parser
	 * found. */
	if (is_ip(rule))
		rn_match_set(value, mask, RN_MATCH_SMAC + 1, type_of(rule), 0xffff);
	set_sqn(value, mask, sqn);
	return true;
}
