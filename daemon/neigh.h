/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The neighbour responder: answers ARP requests and neighbour solicitations for addresses that the
 * port leased (macvlan addr, ipvlan), since the kernel does not know them. A packet socket with a
 * filter for just those frames is open only while the port has leases; it also admits leased MACs
 * and solicited-node groups to the NIC's filter (PACKET_ADD_MEMBERSHIP), which ends with the
 * process. Answers are bounded in rate. Control thread only.
 */
#ifndef RN_NEIGH_H
#define RN_NEIGH_H

#include "err.h"
#include "port.h"

struct rn_neigh;
struct rn_rule;

int rn_neigh_create(struct rn_port *port, struct rn_neigh **neigh, struct rn_err *err);
void rn_neigh_destroy(struct rn_neigh *neigh);
/* After a rule with a lease was added (before its reply), or before it is deleted. Others are
 * ignored. Announces a new lease (gratuitous ARP, unsolicited NA). */
int rn_neigh_add(struct rn_neigh *neigh, struct rn_rule *rule, struct rn_err *err);
void rn_neigh_del(struct rn_neigh *neigh, struct rn_rule *rule);
/* To poll for reading; -1 while there are no leases. It may change with add and del. */
int rn_neigh_fd(const struct rn_neigh *neigh);
void rn_neigh_dispatch(struct rn_neigh *neigh);
/* The interface came back with another ifindex or MAC. */
void rn_neigh_reopen(struct rn_neigh *neigh);

#endif
