/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client may send, said a second time: slowly, from the bytes and the match alone, without
 * keys, masks, or any code of the daemon. One rule after the other is asked.
 */
#ifndef POLICE_ORACLE_H
#define POLICE_ORACLE_H

#include "net_frames.h"
#include "rawnet/flow.h"

struct oracle_port {
	uint8_t mac[6];
	uint8_t v4[2][4], v6[16]; /* its addresses */
};

/* A frame as the oracle sees it; -1 and NULL: not there. */
struct view {
	const uint8_t *f;
	int len, l3, end;
	int vid, type;
	bool stag; /* the outer tag stands in the frame and is not 802.1Q */
	int ip; /* 4, 6: a whole IP header; 0 */
	const uint8_t *src, *dst;
	int proto; /* -1: not known */
	int l4; /* offset; -1: fragment, or not known */
	bool fragment;
	int sport, dport; /* -1: none */
};

static inline bool oracle_is_tag(int type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200 ||
	       type == 0x9300;
}

static inline void view_ports(struct view *v)
{
	int least = v->proto == 6 ? 20 : v->proto == 17 ? 8 : v->proto == 132 ? 12 : 0;

	if (v->proto == 58 && v->ip == 6 && v->end - v->l4 < 4)
		v->l4 = -1;
	if (!least)
		return;
	if (v->end - v->l4 < least) {
		v->l4 = -1;
		return;
	}
	v->sport = (int)get_be16(v->f + v->l4);
	v->dport = (int)get_be16(v->f + v->l4 + 2);
}

static inline void view_ip4(struct view *v)
{
	const uint8_t *h = v->f + v->l3;
	int room = v->len - v->l3, header, total;

	if (room < 20 || h[0] < 0x45 || h[0] > 0x4f)
		return;
	header = (h[0] - 0x40) * 4;
	total = (int)get_be16(h + 2);
	if (total < header || total > room)
		return;
	v->ip = 4;
	v->src = h + 12;
	v->dst = h + 16;
	v->proto = h[9];
	v->end = v->l3 + total;
	v->fragment = (get_be16(h + 6) & 0x3fff) != 0;
	if (v->fragment)
		return;
	v->l4 = v->l3 + header;
	view_ports(v);
}

static inline void view_ip6(struct view *v)
{
	const uint8_t *h = v->f + v->l3;
	int room = v->len - v->l3, at, next, n = 0;

	if (room < 40 || (h[0] & 0xf0) != 0x60 || 40 + (int)get_be16(h + 4) > room)
		return;
	v->ip = 6;
	v->src = h + 8;
	v->dst = h + 24;
	v->end = v->l3 + 40 + (int)get_be16(h + 4);
	at = v->l3 + 40;
	next = h[6];
	while (next == 0 || next == 43 || next == 60 || next == 51 || next == 44) {
		int size;

		if (++n > 6 || v->end - at < 8)
			return;
		if (next == 44) {
			v->fragment = true;
			v->proto = v->f[at];
			return;
		}
		size = next == 51 ? 8 + v->f[at + 1] * 4 : 8 + v->f[at + 1] * 8;
		if (size > v->end - at)
			return;
		next = v->f[at];
		at += size;
	}
	v->proto = next;
	v->l4 = at;
	view_ports(v);
}

static inline struct view view_of(const uint8_t *f, int len, int tci)
{
	struct view v = {.f = f, .len = len, .l3 = 14, .vid = 0, .proto = -1, .l4 = -1};

	v.sport = v.dport = -1;
	v.type = (int)get_be16(f + 12);
	if (tci >= 0) {
		v.vid = tci % 4096;
	} else if ((v.type == 0x8100 || v.type == 0x88a8) && len >= 18) {
		v.stag = v.type == 0x88a8;
		v.vid = (int)get_be16(f + 14) % 4096;
		v.type = (int)get_be16(f + 16);
		v.l3 = 18;
	}
	if (v.type == 0x0800)
		view_ip4(&v);
	if (v.type == 0x86dd)
		view_ip6(&v);
	return v;
}

static inline bool in_prefix(const uint8_t *a, const uint8_t *net, int bits)
{
	for (int i = 0; i < bits; i++) {
		if ((a[i / 8] ^ net[i / 8]) >> (7 - i % 8) & 1)
			return false;
	}
	return true;
}

static inline bool mac_in(const uint8_t *mac, const uint8_t *want, const uint8_t *mask)
{
	for (int i = 0; i < 6; i++) {
		if ((mac[i] & mask[i]) != (want[i] & mask[i]))
			return false;
	}
	return true;
}

/* Would the rule take the answer to this frame? */
static inline bool oracle_mirrors(const struct oracle_port *p, const struct rawnet_match *m,
				  const struct view *v)
{
	if (m->fields & RAWNET_M_DMAC ? !mac_in(v->f + 6, m->dmac, m->dmac_mask)
				      : memcmp(v->f + 6, p->mac, 6) != 0)
		return false;
	if ((m->fields & RAWNET_M_SMAC) && !mac_in(v->f, m->smac, m->smac_mask))
		return false;
	if (v->vid != (m->fields & RAWNET_M_VLAN ? m->vlan : 0))
		return false;
	if ((m->fields & RAWNET_M_ETHERTYPE) && v->type != m->ethertype)
		return false;
	if ((m->fields & RAWNET_M_DST) && (!v->ip || !in_prefix(v->src, m->dst, m->dst_len)))
		return false;
	if ((m->fields & RAWNET_M_SRC) && (!v->ip || !in_prefix(v->dst, m->src, m->src_len)))
		return false;
	if ((m->fields & RAWNET_M_PROTO) && v->proto != m->proto)
		return false;
	if ((m->fields & RAWNET_M_SPORT) && v->dport != m->sport)
		return false;
	return !(m->fields & RAWNET_M_DPORT) || v->sport == m->dport;
}

static inline bool all_zero(const uint8_t *p, int n)
{
	while (n--) {
		if (*p++)
			return false;
	}
	return true;
}

static inline bool oracle_arp(const struct rawnet_match *m, const struct view *v)
{
	const uint8_t *a = v->f + v->l3;

	if (m->model != RAWNET_MODEL_MACVLAN || v->len - v->l3 < 28)
		return false;
	if (get_be16(a) != 1 || get_be16(a + 2) != 0x800 || a[4] != 6 || a[5] != 4)
		return false;
	if (memcmp(a + 8, v->f + 6, 6) != 0)
		return false;
	if (all_zero(a + 14, 4))
		return true;
	return (m->fields & RAWNET_M_ADDR4) && !memcmp(a + 14, m->addr4, 4);
}

static inline bool oracle_nd(const struct rawnet_match *m, const struct view *v)
{
	const uint8_t *icmp = v->f + v->l4;
	bool has6 = m->fields & RAWNET_M_ADDR6,
	     none = !(m->fields & (RAWNET_M_ADDR4 | RAWNET_M_ADDR6));
	bool from_lease = has6 && !memcmp(v->src, m->addr6, 16), from_none = all_zero(v->src, 16);
	int at = icmp[0] == 133 ? 8 : 24, left = v->end - v->l4 - at;
	bool target;

	if (m->model != RAWNET_MODEL_MACVLAN || left < 0 || (!from_lease && !from_none))
		return false;
	target = at == 24 && has6 && !memcmp(icmp + 8, m->addr6, 16);
	if (icmp[0] == 134 || icmp[0] == 137)
		return false;
	if (icmp[0] == 136 && !(from_lease && target))
		return false;
	if (icmp[0] == 135 && from_none && !none && !target)
		return false;
	for (icmp += at; left > 0; left -= icmp[1] * 8, icmp += icmp[1] * 8) {
		if (left < 8 || icmp[1] == 0 || icmp[1] * 8 > left)
			return false;
		if ((icmp[0] == 1 || icmp[0] == 2) && memcmp(icmp + 2, v->f + 6, 6) != 0)
			return false;
	}
	return true;
}

static inline bool oracle_ip(const struct oracle_port *p, const struct rawnet_match *m,
			     const struct view *v)
{
	if (v->ip == 6) {
		if (v->proto < 0)
			return false;
		if (v->fragment && (v->proto == 58 || v->proto == 0 || v->proto == 43 ||
				    v->proto == 44 || v->proto == 51 || v->proto == 60))
			return false;
		if (v->proto == 58 && v->l4 < 0)
			return false;
		if (v->proto == 58 && v->f[v->l4] >= 133 && v->f[v->l4] <= 137)
			return oracle_nd(m, v);
	}
	if (m->model == RAWNET_MODEL_MACVLAN) {
		if (!(m->fields & (RAWNET_M_ADDR4 | RAWNET_M_ADDR6)))
			return true;
		if (v->ip == 4)
			return (m->fields & RAWNET_M_ADDR4) && !memcmp(v->src, m->addr4, 4);
		return (m->fields & RAWNET_M_ADDR6) && !memcmp(v->src, m->addr6, 16);
	}
	if (m->fields & RAWNET_M_DST)
		return true;
	if (v->ip == 4)
		return !memcmp(v->src, p->v4[0], 4) || !memcmp(v->src, p->v4[1], 4);
	return !memcmp(v->src, p->v6, 16);
}

static inline bool oracle_link(const uint8_t *f, int len)
{
	static const uint8_t bridge[6] = {1, 0x80, 0xc2}, cisco[6] = {1, 0, 0xc, 0xcc, 0xcc, 0xcc};
	int at = 12;

	if (!memcmp(f, bridge, 5) && f[5] <= 15)
		return true;
	if (!memcmp(f, cisco, 6) || (!memcmp(f, cisco, 5) && f[5] == 0xcd))
		return true;
	while (oracle_is_tag((int)get_be16(f + at)) && at + 6 <= len)
		at += 4;
	switch (get_be16(f + at)) {
	case 0x8808:
	case 0x8809:
	case 0x88cc:
	case 0x888e: return true;
	default: return false;
	}
}

static inline bool oracle_allows(const struct oracle_port *p, const struct rawnet_match *m,
				 const uint8_t *f, int len, int tci)
{
	struct view v = view_of(f, len, tci);

	if (v.stag || v.type < 0x600 || (f[6] & 1) || !oracle_mirrors(p, m, &v))
		return false;
	if (oracle_is_tag(v.type))
		return m->fields & RAWNET_M_ETHERTYPE;
	if (v.type == 0x0806)
		return oracle_arp(m, &v);
	if (v.type == 0x0800 || v.type == 0x86dd)
		return v.ip && oracle_ip(p, m, &v);
	return true;
}
#endif
