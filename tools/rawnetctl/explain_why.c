/* SPDX-License-Identifier: BSD-2-Clause */
/* Why other rules do not get the packet: field by field, as rawnet/flow.h says what a match means.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"

#define NEAREST 8u /* rules that are named where nobody asked for those of one client ... */
#define MOST	1000u /* ... and where somebody did */

const char *const explain_fields[RAWNET_FIELD_COUNT] = {
	"dport", "sport", "dst", "src", "proto", "whole", "ethertype", "vlan", "smac", "dmac"};

const struct rawnet_attachment_info *explain_attachment(const struct explain *e, uint32_t id)
{
	for (size_t i = 0; i < e->attachments.n; i++) {
		const struct rawnet_attachment_info *at = ctl_entry(&e->attachments, i);

		if (at->attachment == id)
			return at;
	}
	return NULL;
}

const struct rawnet_flow_info *explain_flow(const struct explain *e, uint64_t rule)
{
	for (size_t i = 0; i < e->flows.n; i++) {
		const struct rawnet_flow_info *f = ctl_entry(&e->flows, i);

		if (f->rule == rule)
			return f;
	}
	return NULL;
}

/* ---- the packet ---- */

const char *explain_address(const struct rawnet_seen *seen, const uint8_t *address, char *text,
			    size_t size)
{
	if (seen->ethertype != 0x0800 && seen->ethertype != 0x86dd)
		return "none";
	return inet_ntop(seen->ethertype == 0x0800 ? AF_INET : AF_INET6, address, text,
			 (socklen_t)size);
}

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return "tcp";
	case IPPROTO_UDP: return "udp";
	case IPPROTO_SCTP: return "sctp";
	case IPPROTO_ICMP: return "icmp";
	case IPPROTO_ICMPV6: return "icmpv6";
	default: return NULL;
	}
}

__attribute__((format(printf, 3, 4))) static void add(char *text, size_t size, const char *fmt, ...)
{
	const size_t n = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + n, size - n, fmt, args);
	va_end(args);
}

void explain_packet_text(const struct rawnet_seen *p, char *text, size_t size)
{
	char a[INET6_ADDRSTRLEN];

	text[0] = '\0';
	add(text, size, "dmac %s smac %s", ctl_mac(p->dmac), ctl_mac(p->smac));
	if (p->vlan)
		add(text, size, " vlan %u", p->vlan);
	add(text, size, " ethertype 0x%04x", p->ethertype);
	if (p->ethertype != 0x0800 && p->ethertype != 0x86dd)
		return;
	add(text, size, " dst %s", explain_address(p, p->dst, a, sizeof(a)));
	add(text, size, " src %s", explain_address(p, p->src, a, sizeof(a)));
	if (proto_name(p->proto))
		add(text, size, " %s", proto_name(p->proto));
	else
		add(text, size, " proto %u", p->proto);
	if (p->whole)
		add(text, size, " dport %u sport %u", p->dport, p->sport);
	if (p->fragment)
		add(text, size, " (a fragment)");
}

/* ---- one rule ---- */

__attribute__((format(printf, 2, 3))) static void reason(struct explain_other *o, const char *fmt,
							 ...)
{
	va_list args;

	if (o->n == EXPLAIN_REASONS)
		return;
	va_start(args, fmt);
	vsnprintf(o->reason[o->n++], EXPLAIN_REASON, fmt, args);
	va_end(args);
}

static bool same_mac(const uint8_t *a, const uint8_t *b, const uint8_t *mask)
{
	for (unsigned i = 0; i < 6; i++)
		if ((a[i] ^ b[i]) & mask[i])
			return false;
	return true;
}

static bool in_prefix(const uint8_t *a, const uint8_t *prefix, unsigned len)
{
	return !memcmp(a, prefix, len / 8) &&
	       (!(len % 8) || !((a[len / 8] ^ prefix[len / 8]) & (0xff00u >> (len % 8)) & 0xffu));
}

static void compare_link(const struct explain *e, const struct rawnet_match *m,
			 struct explain_other *o)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const struct rawnet_seen *p = &e->rep.seen;
	const bool own = !(m->fields & RAWNET_M_DMAC);

	if (!same_mac(p->dmac, own ? e->rep.mac : m->dmac, own ? all : m->dmac_mask))
		reason(o, "dmac is %s, the rule takes %s%s", ctl_mac(p->dmac),
		       ctl_mac(own ? e->rep.mac : m->dmac), own ? " (the port's)" : "");
	if ((m->fields & RAWNET_M_SMAC) && !same_mac(p->smac, m->smac, m->smac_mask))
		reason(o, "smac is %s, the rule takes %s", ctl_mac(p->smac), ctl_mac(m->smac));
	if (!(m->fields & RAWNET_M_VLAN) && p->vlan)
		reason(o, "the packet is tagged with vlan %u, the rule takes untagged ones",
		       p->vlan);
	else if ((m->fields & RAWNET_M_VLAN) && !p->vlan)
		reason(o, "the packet is untagged, the rule takes vlan %u", m->vlan);
	else if ((m->fields & RAWNET_M_VLAN) && p->vlan != m->vlan)
		reason(o, "vlan is %u, the rule takes %u", p->vlan, m->vlan);
	if ((m->fields & RAWNET_M_ETHERTYPE) && p->ethertype != m->ethertype)
		reason(o, "ethertype is 0x%04x, the rule takes 0x%04x", p->ethertype, m->ethertype);
}

static void compare_address(const struct rawnet_seen *p, const char *name, const uint8_t *is,
			    const uint8_t *prefix, unsigned len, struct explain_other *o)
{
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];

	if (!in_prefix(is, prefix, len))
		reason(o, "%s is %s, the rule takes %s/%u", name,
		       explain_address(p, is, a, sizeof(a)),
		       explain_address(p, prefix, b, sizeof(b)), len);
}

static void compare_port(const struct rawnet_seen *p, const char *name, uint16_t is, uint16_t port,
			 struct explain_other *o)
{
	if (p->whole && is != port)
		reason(o, "%s is %u, the rule takes %u", name, is, port);
}

/* Where the families differ, that alone is said: nothing behind it can be compared. */
static void compare(const struct explain *e, const struct rawnet_match *m, struct explain_other *o)
{
	const struct rawnet_seen *p = &e->rep.seen;

	compare_link(e, m, o);
	if ((m->fields & RAWNET_M_ETHERTYPE) && p->ethertype != m->ethertype)
		return;
	if (m->fields & RAWNET_M_DST)
		compare_address(p, "dst", p->dst, m->dst, m->dst_len, o);
	if (m->fields & RAWNET_M_SRC)
		compare_address(p, "src", p->src, m->src, m->src_len, o);
	if ((m->fields & RAWNET_M_PROTO) && p->proto != m->proto) {
		reason(o, "proto is %u, the rule takes %u", p->proto, m->proto);
		return;
	}
	if ((m->fields & (RAWNET_M_SPORT | RAWNET_M_DPORT)) && !p->whole)
		reason(o, "%s, the rule takes whole packets with ports",
		       p->fragment ? "the packet is a fragment" : "the packet has no ports");
	if (m->fields & RAWNET_M_SPORT)
		compare_port(p, "sport", p->sport, m->sport, o);
	if (m->fields & RAWNET_M_DPORT)
		compare_port(p, "dport", p->dport, m->dport, o);
}

static void explain_one(const struct explain *e, const struct rawnet_flow_info *f,
			struct explain_other *o)
{
	o->flow = f;
	o->n = 0;
	compare(e, &f->match, o);
	if (o->n)
		return;
	if (e->rep.verdict == RAWNET_VERDICT_GROUP)
		reason(o, "no rule takes packets to a group address");
	else if (e->rep.verdict == RAWNET_VERDICT_NEIGH)
		reason(o, "no rule takes ARP and neighbour discovery to the port's own MAC");
	else
		reason(o, "it matches, but its shape comes later in the order (place %u)",
		       f->shape);
}

/* ---- all of them ---- */

static bool is_of(const struct explain *e, const struct rawnet_flow_info *f, uint32_t client)
{
	for (uint32_t i = 0; i < f->n_targets && i < 8; i++) {
		const struct rawnet_attachment_info *at = explain_attachment(e, f->targets[i]);

		if (at && at->client == client)
			return true;
	}
	return !client;
}

static int by_nearness(const void *a, const void *b)
{
	const struct explain_other *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return x->flow->rule < y->flow->rule ? -1 : x->flow->rule > y->flow->rule;
}

int explain_others(struct explain *e, uint32_t client)
{
	const size_t room = client ? MOST : NEAREST;
	struct explain_other *o = calloc(room + 1, sizeof(*o)); /* the last one is scratch */

	if (!o)
		return ctl_refuse(e->c, "out of memory");
	e->others = o;
	for (size_t i = 0; i < e->flows.n; i++) {
		const struct rawnet_flow_info *f = ctl_entry(&e->flows, i);

		if (f->rule == e->rep.rule || !is_of(e, f, client))
			continue;
		explain_one(e, f, &o[e->n_others]);
		if (e->n_others < room) {
			e->n_others++;
			continue;
		}
		qsort(o, room + 1, sizeof(*o), by_nearness);
		e->left_out++;
	}
	qsort(o, e->n_others, sizeof(*o), by_nearness);
	return CTL_OK;
}
