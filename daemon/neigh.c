/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See neigh.h. The packet socket takes in only questions from the wire (the filter is there before
 * it is bound), so neither what the host asks nor what is answered here ever comes back. The
 * kernel counts memberships of a socket, so two leases of one MAC need no counting here.
 */
#include "neigh.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "neigh_msg.h"
#include "steer.h"

#define BURST	  64u /* questions of one dispatch */
#define RATE	  1000u /* answers a second */
#define RATE_ROOM 200u /* answers at once */
#define QUESTION  128u /* longest question that is read; more is no question */
#define NSEC	  1000000000ull

/* What one rule leased. */
struct rn_leased {
	struct cds_list_head list;
	bool own_mac, has4, has6;
	uint8_t mac[6]; /* with own_mac; otherwise the port's */
	uint16_t vlan;
	uint8_t addr4[4];
	uint8_t addr6[16];
};

struct rn_neigh {
	struct rn_port *port;
	struct cds_list_head leases;
	int fd;
	uint64_t tokens, last; /* answers; ns */
};

int rn_neigh_create(struct rn_port *port, struct rn_neigh **neigh, struct rn_err *err)
{
	struct rn_neigh *n = calloc(1, sizeof(*n));

	if (!n)
		return rn_fail(err, -ENOMEM, "neighbours: out of memory");
	n->port = port;
	n->fd = -1;
	CDS_INIT_LIST_HEAD(&n->leases);
	*neigh = n;
	return 0;
}

static void close_socket(struct rn_neigh *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

void rn_neigh_destroy(struct rn_neigh *n)
{
	struct rn_leased *l, *next;

	if (!n)
		return;
	cds_list_for_each_entry_safe (l, next, &n->leases, list)
		free(l);
	close_socket(n);
	free(n);
}

static void close_unused(struct rn_neigh *n)
{
	if (cds_list_empty(&n->leases))
		close_socket(n);
}

int rn_neigh_fd(const struct rn_neigh *n)
{
	return n->fd;
}

/* ARP requests and neighbour solicitations that came from the wire. Tags are metadata here. */
static int set_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_PKTTYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 9, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 0, 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20), /* operation */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 6, 5),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 4),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20), /* next header */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 58, 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54), /* ICMPv6 type */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 135, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, QUESTION + 1),
	};
	struct sock_fprog prog = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ? -errno : 0;
}

static int member(struct rn_neigh *n, int op, int type, const uint8_t mac[6])
{
	struct packet_mreq m = {
		.mr_ifindex = (int)n->port->ifindex, .mr_type = (unsigned short)type, .mr_alen = 6};

	memcpy(m.mr_address, mac, 6);
	return setsockopt(n->fd, SOL_PACKET, op, &m, sizeof(m)) ? -errno : 0;
}

/* Lets the lease's MAC, and the group in which it is asked for, into the NIC, or out again. */
static int admit(struct rn_neigh *n, const struct rn_leased *l, int op)
{
	const uint8_t group[6] = {0x33, 0x33, 0xff, l->addr6[13], l->addr6[14], l->addr6[15]};
	int rc = l->own_mac ? member(n, op, PACKET_MR_UNICAST, l->mac) : 0;

	if (rc || !l->has6)
		return rc;
	rc = member(n, op, PACKET_MR_MULTICAST, group);
	if (rc && l->own_mac && op == PACKET_ADD_MEMBERSHIP)
		member(n, PACKET_DROP_MEMBERSHIP, PACKET_MR_UNICAST, l->mac);
	return rc;
}

static int open_socket(struct rn_neigh *n)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)n->port->ifindex};
	int one = 1, rc;

	n->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0)
		return -errno;
	rc = set_filter(n->fd);
	if (!rc && (setsockopt(n->fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
		    bind(n->fd, (const struct sockaddr *)&at, sizeof(at))))
		rc = -errno;
	if (rc)
		close_socket(n);
	return rc;
}

static bool host_owns(const struct rn_port *port, int family, const uint8_t *addr)
{
	return rn_addresses_have(port->addresses, family, addr);
}

/* The interface may be down, its queue full: the asker asks again. */
static bool transmit(struct rn_neigh *n, const uint8_t *frame, uint32_t len)
{
	return send(n->fd, frame, len, MSG_DONTWAIT) == (ssize_t)len;
}

static void announce(struct rn_neigh *n, const struct rn_leased *l)
{
	const uint8_t *mac = l->own_mac ? l->mac : n->port->mac;
	uint8_t out[RN_NEIGH_FRAME];

	if (l->has4 && !host_owns(n->port, 4, l->addr4))
		transmit(n, out, rn_neigh_announcement(4, l->addr4, mac, l->vlan, out));
	if (l->has6 && !host_owns(n->port, 6, l->addr6))
		transmit(n, out, rn_neigh_announcement(6, l->addr6, mac, l->vlan, out));
}

/* False: the rule leases nothing and needs no MAC. */
static bool lease_of(const struct rn_rule *rule, const uint8_t port_mac[6], struct rn_leased *l)
{
	static const uint8_t ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const struct rawnet_match *m = &rule->match;

	memset(l, 0, sizeof(*l));
	l->vlan = (m->fields & RAWNET_M_VLAN) ? m->vlan : 0;
	l->own_mac = (m->fields & RAWNET_M_DMAC) && !memcmp(m->dmac_mask, ones, 6) &&
		     memcmp(m->dmac, port_mac, 6) != 0;
	memcpy(l->mac, m->dmac, 6);
	if (m->model == RAWNET_MODEL_MACVLAN) {
		l->has4 = m->fields & RAWNET_M_ADDR4;
		l->has6 = m->fields & RAWNET_M_ADDR6;
		memcpy(l->addr4, m->addr4, 4);
		memcpy(l->addr6, m->addr6, 16);
	} else if (m->model == RAWNET_MODEL_IPVLAN) {
		l->has4 = m->family == 4;
		l->has6 = m->family == 6;
		memcpy(l->addr4, m->dst, 4);
		memcpy(l->addr6, m->dst, 16);
	}
	return l->own_mac || l->has4 || l->has6;
}

/* Opens the socket if the interface is there, and takes the lease in. */
static int serve(struct rn_neigh *n, const struct rn_leased *l)
{
	int rc = 0;

	if (!n->port->present || !n->port->ifindex)
		return 0; /* rn_neigh_reopen does it */
	if (n->fd < 0)
		rc = open_socket(n);
	if (!rc)
		rc = admit(n, l, PACKET_ADD_MEMBERSHIP);
	if (!rc)
		announce(n, l);
	return rc;
}

int rn_neigh_add(struct rn_neigh *n, struct rn_rule *rule, struct rn_err *err)
{
	struct rn_leased *l, lease;
	int rc;

	if (rule->leased || !lease_of(rule, n->port->mac, &lease))
		return 0;
	l = malloc(sizeof(*l));
	if (!l)
		return rn_fail(err, -ENOMEM, "neighbours: out of memory");
	*l = lease;
	rc = serve(n, l);
	if (rc) {
		free(l);
		close_unused(n);
		return rn_fail(err, rc, "neighbours: packet socket on %s: %s", n->port->config.dev,
			       strerror(-rc));
	}
	cds_list_add(&l->list, &n->leases);
	rule->leased = l;
	return 0;
}

void rn_neigh_del(struct rn_neigh *n, struct rn_rule *rule)
{
	struct rn_leased *l = rule->leased;

	if (!l)
		return;
	rule->leased = NULL;
	cds_list_del(&l->list);
	if (n->fd >= 0)
		admit(n, l, PACKET_DROP_MEMBERSHIP);
	free(l);
	close_unused(n);
}

void rn_neigh_reopen(struct rn_neigh *n)
{
	const struct rn_leased *l;

	close_socket(n);
	cds_list_for_each_entry (l, &n->leases, list)
		serve(n, l);
}

static bool pay(struct rn_neigh *n)
{
	const uint64_t now = rn_mono_ns();
	uint64_t fresh;

	fresh = now - n->last > NSEC ? RATE : (now - n->last) * RATE / NSEC;
	if (fresh) {
		n->tokens = n->tokens + fresh > RATE_ROOM ? RATE_ROOM : n->tokens + fresh;
		n->last = now;
	}
	if (!n->tokens)
		return false;
	n->tokens--;
	return true;
}

static void answer(struct rn_neigh *n, const uint8_t *frame, uint32_t len, uint16_t vlan)
{
	uint64_t *replies = &n->port->counters[0].v[RAWNET_P_NEIGH_REPLIES];
	struct rn_question q;
	uint8_t out[RN_NEIGH_FRAME], mac[6];

	if (!rn_question_parse(frame, len, &q) || host_owns(n->port, q.family, q.target) ||
	    !rn_steer_lease(n->port->steer, q.family, q.target, vlan, mac))
		return;
	/* Our own frame that the network sent back, or the client asking about itself. */
	if (!memcmp(q.mac, mac, 6) || !memcmp(frame + 6, mac, 6) ||
	    !memcmp(frame + 6, n->port->mac, 6))
		return;
	if (pay(n) && transmit(n, out, rn_question_answer(&q, mac, vlan, out)))
		__atomic_fetch_add(replies, 1, __ATOMIC_RELAXED); /* pollers count there too */
}

/* The id of the tag that came with the frame; -1: tagged with something other than 802.1Q. */
static int frame_vlan(struct msghdr *msg)
{
	struct tpacket_auxdata aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(aux)))
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
			return 0;
		if ((aux.tp_status & TP_STATUS_VLAN_TPID_VALID) && aux.tp_vlan_tpid != ETH_P_8021Q)
			return -1;
		return aux.tp_vlan_tci & 0xfff;
	}
	return 0;
}

void rn_neigh_dispatch(struct rn_neigh *n)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	uint8_t frame[QUESTION];
	struct iovec iov = {.iov_base = frame, .iov_len = sizeof(frame)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t len;
	int vlan;

	for (unsigned i = 0; i < BURST && n->fd >= 0; i++) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		len = recvmsg(n->fd, &msg, MSG_DONTWAIT);
		if (len < 0)
			return; /* nothing more, or the interface went down */
		vlan = frame_vlan(&msg);
		if (vlan >= 0 && !(msg.msg_flags & MSG_TRUNC))
			answer(n, frame, (uint32_t)len, (uint16_t)vlan);
	}
}
