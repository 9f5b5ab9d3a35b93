/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame that rawnetctl explain asks about: made from the words of a match, or read from a
 * capture. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <string.h>

#include "explain.h"

enum {
	MIN_FRAME = 60,
	IPV4 = 0x0800,
	IPV6 = 0x86dd,
	VLAN = 0x8100,
	SOME_PORT = 40000, /* where the words name none */
};

struct frame {
	uint8_t *b;
	uint32_t n;
};

static void put(struct frame *f, const void *data, uint32_t n)
{
	memcpy(f->b + f->n, data, n);
	f->n += n;
}

static void put16(struct frame *f, uint16_t v)
{
	v = htons(v);
	put(f, &v, sizeof(v));
}

/* Bytes of the transport header; those behind the ports are never looked at. */
static uint32_t l4_size(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return 20;
	case IPPROTO_SCTP: return 12;
	default: return 8;
	}
}

/* An address of the port's own, else one that documentation uses (RFC 5737, RFC 3849). */
static void own_address(const char *dev, int family, uint8_t address[16])
{
	struct ifaddrs *list, *a;

	inet_pton(family, family == AF_INET ? "192.0.2.1" : "2001:db8::1", address);
	if (getifaddrs(&list))
		return;
	for (a = list; a; a = a->ifa_next) {
		if (!a->ifa_addr || a->ifa_addr->sa_family != family ||
		    strcmp(a->ifa_name, dev) != 0)
			continue;
		if (family == AF_INET)
			memcpy(address, &((struct sockaddr_in *)(void *)a->ifa_addr)->sin_addr, 4);
		else
			memcpy(address, &((struct sockaddr_in6 *)(void *)a->ifa_addr)->sin6_addr,
			       16);
		break;
	}
	freeifaddrs(list);
}

static void put_ip(struct frame *f, const struct rawnet_match *m, const char *dev)
{
	const bool four = m->ethertype == IPV4;
	const uint8_t proto = (m->fields & RAWNET_M_PROTO) ? m->proto : IPPROTO_UDP;
	const uint16_t payload = (uint16_t)l4_size(proto);
	const uint32_t size = four ? 4 : 16;
	uint8_t src[16], dst[16];

	own_address(dev, four ? AF_INET : AF_INET6, dst);
	inet_pton(four ? AF_INET : AF_INET6, four ? "198.51.100.1" : "2001:db8:ffff::1", src);
	if (m->fields & RAWNET_M_DST)
		memcpy(dst, m->dst, sizeof(dst));
	if (m->fields & RAWNET_M_SRC)
		memcpy(src, m->src, sizeof(src));
	if (four) {
		put(f, (const uint8_t[]) {0x45, 0}, 2);
		put16(f, 20 + payload);
		put(f, (const uint8_t[]) {0, 0, 0, 0, 64, proto, 0, 0}, 8);
	} else {
		put(f, (const uint8_t[]) {0x60, 0, 0, 0}, 4);
		put16(f, payload);
		put(f, (const uint8_t[]) {proto, 64}, 2);
	}
	put(f, src, size);
	put(f, dst, size);
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
		put(f, (const uint8_t[]) {proto == IPPROTO_ICMP ? 8 : 128, 0}, 2); /* an echo */
		f->n += payload - 2u;
		return;
	}
	put16(f, (m->fields & RAWNET_M_SPORT) ? m->sport : SOME_PORT);
	put16(f, (m->fields & RAWNET_M_DPORT) ? m->dport : SOME_PORT);
	f->n += payload - 4u;
}

int explain_make(struct explain *e, const char *words)
{
	static const uint8_t somebody[6] = {0x02, 0, 0x5e, 0, 0x53, 1};
	struct frame f = {.b = e->req.frame};
	struct rawnet_match m;

	if (rawnet_match_parse(words, &m))
		return ctl_usage(e->c, "%s", rawnet_error());
	if (!(m.fields & RAWNET_M_ETHERTYPE)) /* only Ethernet was said */
		m.ethertype = IPV4;
	put(&f, (m.fields & RAWNET_M_DMAC) ? m.dmac : e->port.mac, 6);
	put(&f, (m.fields & RAWNET_M_SMAC) ? m.smac : somebody, 6);
	if (m.fields & RAWNET_M_VLAN) {
		put16(&f, VLAN);
		put16(&f, m.vlan);
	}
	put16(&f, m.ethertype);
	if (m.ethertype == IPV4 || m.ethertype == IPV6)
		put_ip(&f, &m, e->port.dev);
	e->req.kept = e->req.len = f.n < MIN_FRAME ? MIN_FRAME : f.n;
	return CTL_OK;
}

int explain_read(struct explain *e, const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h = NULL;
	const uint8_t *data;
	pcap_t *p = pcap_open_offline(path, why);
	int rc = CTL_OK;

	if (!p)
		return ctl_usage(e->c, "%s", why);
	if (pcap_datalink(p) != DLT_EN10MB)
		rc = ctl_usage(e->c, "%s: not of Ethernet frames", path);
	else if (pcap_next_ex(p, &h, &data) != 1)
		rc = ctl_usage(e->c, "%s: no packet in it", path);
	else if (h->len > RAWNET_EXPLAIN_MAX || h->caplen > h->len)
		rc = ctl_usage(e->c, "%s: a packet of %u bytes", path, h->len);
	if (!rc && h) {
		e->req.len = h->len;
		e->req.kept = h->caplen < RAWNET_EXPLAIN_KEPT ? h->caplen : RAWNET_EXPLAIN_KEPT;
		memcpy(e->req.frame, data, e->req.kept);
	}
	pcap_close(p);
	return rc;
}
