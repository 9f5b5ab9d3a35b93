/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of matches from outside, what they mean as masked keys, and relations between them. A
 * match means the set of frames whose key, masked, equals its key; so two matches intersect when
 * their keys agree on the bits that both fix, and one covers the other when it fixes no bit that
 * the other does not, and they agree. See match.h.
 */
#include "match.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire.h"

__attribute__((format(printf, 3, 4))) static int refuse(char *err, size_t errlen, const char *fmt,
							...)
{
	va_list args;

	if (err && errlen) {
		va_start(args, fmt);
		vsnprintf(err, errlen, fmt, args);
		va_end(args);
	}
	return -EINVAL;
}

/* ---- checks ---- */

static int check_form(const struct rawnet_match *m, char *err, size_t errlen)
{
	if (m->size != sizeof(*m))
		return refuse(err, errlen, "match: size %u, %zu is known", m->size, sizeof(*m));
	if (m->fields & ~RAWNET_M_KNOWN)
		return refuse(err, errlen, "match: unknown fields 0x%x",
			      m->fields & ~RAWNET_M_KNOWN);
	if (m->model >= RAWNET_MODEL_COUNT)
		return refuse(err, errlen, "match: unknown model %u", m->model);
	if (m->reserved)
		return refuse(err, errlen, "match: reserved is not zero");
	if (!m->fields)
		return refuse(err, errlen, "match: says nothing");
	return 0;
}

static bool all_zero(const uint8_t *bytes, size_t n)
{
	while (n--)
		if (*bytes++)
			return false;
	return true;
}

/* Members that do not count are zero from here on: equal matches are equal bytes. */
static void clear_unused(struct rawnet_match *m)
{
#define CLEAR(field, member)                                        \
	do {                                                        \
		if (!(m->fields & (field)))                         \
			memset(&(m->member), 0, sizeof(m->member)); \
	} while (0)
	CLEAR(RAWNET_M_DMAC, dmac);
	CLEAR(RAWNET_M_DMAC, dmac_mask);
	CLEAR(RAWNET_M_SMAC, smac);
	CLEAR(RAWNET_M_SMAC, smac_mask);
	CLEAR(RAWNET_M_VLAN, vlan);
	CLEAR(RAWNET_M_ETHERTYPE, ethertype);
	CLEAR(RAWNET_M_DST, dst);
	CLEAR(RAWNET_M_DST, dst_len);
	CLEAR(RAWNET_M_SRC, src);
	CLEAR(RAWNET_M_SRC, src_len);
	CLEAR(RAWNET_M_PROTO, proto);
	CLEAR(RAWNET_M_SPORT, sport);
	CLEAR(RAWNET_M_DPORT, dport);
	CLEAR(RAWNET_M_ADDR4, addr4);
	CLEAR(RAWNET_M_ADDR6, addr6);
#undef CLEAR
}

static int check_mac(const char *name, const uint8_t mac[6], const uint8_t mask[6], char *err,
		     size_t errlen)
{
	for (int i = 0; i < 6; i++)
		if (mac[i] & ~mask[i])
			return refuse(err, errlen, "%s: bits outside its mask", name);
	if (all_zero(mask, 6))
		return refuse(err, errlen, "%s: the mask is empty", name);
	return 0;
}

static int check_macs(const struct rawnet_match *m, char *err, size_t errlen)
{
	int rc = 0;

	if (m->fields & RAWNET_M_DMAC) {
		rc = check_mac("dmac", m->dmac, m->dmac_mask, err, errlen);
		if (!rc && (m->dmac[0] & 1))
			return refuse(
				err, errlen,
				"dmac: group addresses stay with the kernel, subscribe to copies");
		if (!rc && !(m->dmac_mask[0] & 1))
			return refuse(err, errlen, "dmac: the mask must fix the group bit");
	}
	if (!rc && (m->fields & RAWNET_M_SMAC))
		rc = check_mac("smac", m->smac, m->smac_mask, err, errlen);
	return rc;
}

static int check_prefix(const char *name, const uint8_t addr[16], unsigned len, unsigned bits,
			char *err, size_t errlen)
{
	if (!len || len > bits)
		return refuse(err, errlen, "%s: prefix length %u, 1 to %u is possible", name, len,
			      bits);
	for (unsigned i = len; i < 128; i++)
		if (addr[i / 8] & (0x80u >> i % 8))
			return refuse(err, errlen, "%s: bits outside the prefix /%u", name, len);
	return 0;
}

static bool group_address(const struct rawnet_match *m)
{
	return m->family == 4 ? (m->dst[0] >= 224 && m->dst_len >= 4) : m->dst[0] == 0xff;
}

static int check_addresses(struct rawnet_match *m, char *err, size_t errlen)
{
	unsigned bits = m->family == 4 ? 32 : 128;
	int rc = 0;

	if (!(m->fields & (RAWNET_M_DST | RAWNET_M_SRC))) {
		if (m->family)
			return refuse(err, errlen, "family %u without an address", m->family);
		return 0;
	}
	if (m->family != 4 && m->family != 6)
		return refuse(err, errlen, "family %u: 4 or 6 is possible", m->family);
	if (m->fields & RAWNET_M_DST)
		rc = check_prefix("dst", m->dst, m->dst_len, bits, err, errlen);
	if (!rc && (m->fields & RAWNET_M_SRC))
		rc = check_prefix("src", m->src, m->src_len, bits, err, errlen);
	if (!rc && (m->fields & RAWNET_M_DST) && group_address(m))
		rc = refuse(err, errlen,
			    "dst: group addresses stay with the kernel, subscribe to copies");
	return rc;
}

/* Fills in the ethertype that an address or a protocol implies, and refuses contradictions. */
static int check_type(struct rawnet_match *m, char *err, size_t errlen)
{
	uint16_t implied = m->family == 4 ? TYPE_IP4 : m->family == 6 ? TYPE_IP6 : 0;

	if ((m->fields & RAWNET_M_PROTO) && ((m->proto == PROTO_ICMP6 && m->family == 4) ||
					     (m->proto == PROTO_ICMP && m->family == 6)))
		return refuse(err, errlen, "proto %s: the address is of the other family",
			      m->family == 4 ? "icmpv6" : "icmp");
	if (!implied && (m->fields & RAWNET_M_PROTO)) {
		bool given = (m->fields & RAWNET_M_ETHERTYPE) != 0;

		implied = m->proto == PROTO_ICMP6	    ? TYPE_IP6
			  : given && m->proto != PROTO_ICMP ? m->ethertype
							    : TYPE_IP4;
	}
	if (!(m->fields & RAWNET_M_ETHERTYPE)) {
		m->ethertype = implied;
		if (implied)
			m->fields |= RAWNET_M_ETHERTYPE;
		return 0;
	}
	if (m->ethertype < 0x600)
		return refuse(err, errlen, "ethertype 0x%04x: 0x0600 to 0xffff is possible",
			      m->ethertype);
	if (implied && implied != m->ethertype)
		return refuse(err, errlen, "ethertype 0x%04x: the address or protocol needs 0x%04x",
			      m->ethertype, implied);
	if ((m->fields & RAWNET_M_PROTO) && m->ethertype != TYPE_IP4 && m->ethertype != TYPE_IP6)
		return refuse(err, errlen, "proto: ethertype 0x%04x has no protocol", m->ethertype);
	return 0;
}

static int check_ports(const struct rawnet_match *m, char *err, size_t errlen)
{
	const char *name = (m->fields & RAWNET_M_SPORT) ? "sport" : "dport";

	if (!(m->fields & (RAWNET_M_SPORT | RAWNET_M_DPORT)))
		return 0;
	if (!(m->fields & RAWNET_M_PROTO) ||
	    (m->proto != PROTO_TCP && m->proto != PROTO_UDP && m->proto != PROTO_SCTP))
		return refuse(err, errlen, "%s: needs proto tcp, udp or sctp", name);
	if ((m->fields & RAWNET_M_SPORT) && !m->sport)
		return refuse(err, errlen, "sport: 1 to 65535 is possible");
	if ((m->fields & RAWNET_M_DPORT) && !m->dport)
		return refuse(err, errlen, "dport: 1 to 65535 is possible");
	return 0;
}

/* An address that somebody can have: not zero, not a group. */
static int check_leased(const char *name, const uint8_t *addr, int family, char *err, size_t errlen)
{
	if (all_zero(addr, family == 4 ? 4 : 16) ||
	    (family == 4 ? addr[0] >= 224 : addr[0] == 0xff))
		return refuse(err, errlen, "%s: not the address of a host", name);
	return 0;
}

static int check_leases(const struct rawnet_match *m, char *err, size_t errlen)
{
	int rc = 0;

	if (m->model == RAWNET_MODEL_IPVLAN)
		rc = check_leased("ipvlan", m->dst, m->family, err, errlen);
	if (!rc && (m->fields & RAWNET_M_ADDR4))
		rc = check_leased("addr", m->addr4, 4, err, errlen);
	if (!rc && (m->fields & RAWNET_M_ADDR6))
		rc = check_leased("addr", m->addr6, 6, err, errlen);
	return rc;
}

static int check_model(const struct rawnet_match *m, char *err, size_t errlen)
{
	static const uint8_t whole[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	unsigned bits = m->family == 4 ? 32 : 128;

	if (m->model == RAWNET_MODEL_MACVLAN &&
	    (!(m->fields & RAWNET_M_DMAC) || memcmp(m->dmac_mask, whole, 6) ||
	     all_zero(m->dmac, 6)))
		return refuse(err, errlen, "macvlan: needs a whole MAC");
	if (m->model == RAWNET_MODEL_IPVLAN &&
	    (!(m->fields & RAWNET_M_DST) || m->dst_len != bits || (m->fields & RAWNET_M_DMAC)))
		return refuse(err, errlen, "ipvlan: needs a whole address, and takes no dmac");
	if (m->model != RAWNET_MODEL_MACVLAN && (m->fields & (RAWNET_M_ADDR4 | RAWNET_M_ADDR6)))
		return refuse(err, errlen, "addr: goes with macvlan");
	return check_leases(m, err, errlen);
}

int rn_match_check(struct rawnet_match *m, char *err, size_t errlen)
{
	int rc = check_form(m, err, errlen);

	if (!rc)
		clear_unused(m);
	if (!rc)
		rc = check_macs(m, err, errlen);
	if (!rc && (m->fields & RAWNET_M_VLAN) && (!m->vlan || m->vlan > 4094))
		rc = refuse(err, errlen, "vlan %u: 1 to 4094 is possible", m->vlan);
	if (!rc)
		rc = check_addresses(m, err, errlen);
	if (!rc)
		rc = check_type(m, err, errlen);
	if (!rc && m->ethertype == TYPE_ARP && !(m->fields & RAWNET_M_DMAC))
		rc = refuse(err, errlen,
			    "ethertype arp: ARP to the port's own MAC stays with the kernel");
	if (!rc)
		rc = check_ports(m, err, errlen);
	if (!rc)
		rc = check_model(m, err, errlen);
	return rc;
}

/* ---- meaning ---- */

static void prefix_mask(uint8_t mask[16], unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		mask[i / 8] |= (uint8_t)(0x80u >> i % 8);
}

void rn_match_key(const struct rawnet_match *m, const uint8_t port_mac[6], struct rn_key *key,
		  struct rn_key *mask)
{
	memset(key, 0, sizeof(*key));
	memset(mask, 0, sizeof(*mask));
	if (m->fields & RAWNET_M_DMAC) {
		memcpy(key->dmac, m->dmac, 6);
		memcpy(mask->dmac, m->dmac_mask, 6);
	} else {
		memcpy(key->dmac, port_mac, 6);
		memset(mask->dmac, 0xff, 6);
	}
	if (m->fields & RAWNET_M_SMAC) {
		memcpy(key->smac, m->smac, 6);
		memcpy(mask->smac, m->smac_mask, 6);
	}
	key->vlan = (m->fields & RAWNET_M_VLAN) ? htons(m->vlan) : 0;
	mask->vlan = 0xffff;
	if (m->fields & RAWNET_M_ETHERTYPE) {
		key->ethertype = htons(m->ethertype);
		mask->ethertype = 0xffff;
	}
	if (m->fields & RAWNET_M_DST) {
		memcpy(key->dst, m->dst, 16);
		prefix_mask(mask->dst, m->dst_len);
	}
	if (m->fields & RAWNET_M_SRC) {
		memcpy(key->src, m->src, 16);
		prefix_mask(mask->src, m->src_len);
	}
	if (m->fields & RAWNET_M_PROTO) {
		key->proto = m->proto;
		mask->proto = 0xff;
	}
	if (m->fields & (RAWNET_M_SPORT | RAWNET_M_DPORT))
		key->l4 = mask->l4 = 1;
	if (m->fields & RAWNET_M_SPORT) {
		key->sport = htons(m->sport);
		mask->sport = 0xffff;
	}
	if (m->fields & RAWNET_M_DPORT) {
		key->dport = htons(m->dport);
		mask->dport = 0xffff;
	}
}

/* ---- relations ---- */

/* Do a and b agree on what both fix? covers: and does b fix all that a does? */
static bool agree(const struct rawnet_match *a, const struct rawnet_match *b,
		  const uint8_t port_mac[6], bool covers)
{
	struct rn_key ka, ma, kb, mb;
	const uint8_t *xa, *ya, *xb, *yb;

	rn_match_key(a, port_mac, &ka, &ma);
	rn_match_key(b, port_mac, &kb, &mb);
	xa = (const uint8_t *)&ka;
	ya = (const uint8_t *)&ma;
	xb = (const uint8_t *)&kb;
	yb = (const uint8_t *)&mb;
	for (size_t i = 0; i < sizeof(ka); i++)
		if (((xa[i] ^ xb[i]) & ya[i] & yb[i]) || (covers && (ya[i] & ~yb[i])))
			return false;
	return true;
}

bool rn_match_intersects(const struct rawnet_match *a, const struct rawnet_match *b,
			 const uint8_t port_mac[6])
{
	return agree(a, b, port_mac, false);
}

bool rn_match_covers(const struct rawnet_match *a, const struct rawnet_match *b,
		     const uint8_t port_mac[6])
{
	return agree(a, b, port_mac, true);
}
