/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policing by the NIC's own egress tables (mirror.h says what they are told), so that a policed
 * queue may send by reference: what the NIC reads is what it checks, and a client that rewrites its
 * memory meanwhile gains nothing. Asked for by nic_policing.
 *
 * A send queue is guarded from before its first request until it is destroyed, with what it still
 * held: what the daemon does not vouch for is dropped. Mirrors of rules let more pass, and come and
 * go with the rules. While all rules of an attachment have theirs, its queues send by reference;
 * with one that the tables cannot say, or have no room for, all of it is checked by the daemon as
 * ever, which vouches for each request. So neither the order in which flows change nor one that is
 * refused opens a hole: what may pass is what stands in the tables, or was checked. Whom the policy
 * lets spoof is guarded too, and vouched for, since a reload can end that.
 *
 * A queue is told to send by reference behind the last flow that this needs, and told not to before
 * the client hears of a rule without a mirror: none of its frames is lost. What is under way when a
 * rule ends is dropped by the NIC.
 *
 * Control thread; nic_polices is read by pollers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../attachment.h"
#include "matcher.h"
#include "mirror.h"
#include "mlx5.h"

/* What one member of a rule may send by it. */
struct share {
	struct share *next;
	struct rn_attachment *at;
	bool beyond; /* not said in the tables, or not all of it */
	uint32_t n;
	struct rn_mlx5_flow *flow[];
};

static struct rn_mlx5_flow *make(struct rn_mlx5_port *m, struct rn_mlx5_flow_attr *attr, bool drop)
{
	struct mlx5dv_flow_action_attr action = {.type = MLX5DV_FLOW_ACTION_DROP};

	attr->egress = true;
	return rn_mlx5_flow_make(m, attr, &action, drop);
}

/* ---- guards ---- */

static void unguard(struct rn_mlx5_port *m, struct rn_mlx5_flow *guard[RN_GUARDS])
{
	for (unsigned i = 0; i < RN_GUARDS; i++) {
		rn_mlx5_flow_unmake(m, guard[i]);
		guard[i] = NULL;
	}
}

static int guard(struct rn_mlx5_port *m, uint32_t sqn, struct rn_mlx5_flow *guard[RN_GUARDS])
{
	int error;

	for (enum rn_guard g = 0; g < RN_GUARDS; g++) {
		struct rn_mlx5_flow_attr attr = {.priority = rn_guard_priority(g)};

		rn_guard_fill(&attr.value, &attr.mask, g, sqn);
		guard[g] = make(m, &attr, g != RN_GUARD_VOUCHED);
		if (!guard[g]) {
			error = errno;
			unguard(m, guard);
			return error;
		}
	}
	return 0;
}

/* Asks the device, with flows of a queue that nobody has: 0 is none. */
static int try_all(struct rn_mlx5_port *m)
{
	struct rn_shape shape = {
		.mask = {.ethertype = 0xffff, .proto = 0xff, .l4 = 1, .dport = 0xffff}};
	struct rn_rule udp = {.key = {.ethertype = htons(0x0800), .proto = 17, .dport = htons(9)},
			      .shape = &shape,
			      .match = {.fields = RAWNET_M_DST}};
	struct rn_mlx5_flow_attr attr = {.priority = rn_mirror_priority(0)};
	struct rn_mlx5_flow *g[RN_GUARDS], *mirror;
	int error = guard(m, 0, g);

	if (error)
		return error;
	rn_mirror_fill(&attr.value, &attr.mask, &udp, NULL, 0, 0);
	mirror = make(m, &attr, false);
	error = mirror ? 0 : errno;
	rn_mlx5_flow_unmake(m, mirror);
	unguard(m, g);
	return error;
}

void rn_mlx5_egress_open(struct rn_mlx5_port *m)
{
	const struct rn_port_config *config = &m->rdma.port->config;

	if (!config->police || !config->nic_policing)
		m->no_nic_policing = "it is not asked for (nic_policing)";
	else if (!m->has.empw)
		m->no_nic_policing = "without multi-packet send there is nothing to gain";
	else if (try_all(m))
		m->no_nic_policing = "the device or its kernel driver refuses such egress flows";
}

/* Whether its packets may go by reference now. Release: the flows are there. */
static void decide(struct rn_attachment *at)
{
	const struct rn_rdma_mem *mem = at->hw;

	for (uint32_t i = 0; i < at->n_queues; i++) {
		struct rn_mlx5_queue *m = at->queue[i].hw;

		if (m)
			__atomic_store_n(&m->tx.nic_polices,
					 m->tx.vouched_be && mem->rules && !mem->unmirrored,
					 __ATOMIC_RELEASE);
	}
}

void rn_mlx5_guard(struct rn_mlx5_port *m, struct rn_queue *q)
{
	struct rn_mlx5_queue *queue = rn_mlx5_queue_of(q);

	if (m->no_nic_policing || guard(m, queue->tx.sqn, queue->guard))
		return;
	queue->tx.vouched_be = htobe32(RN_VOUCHED);
}

void rn_mlx5_unguard(struct rn_mlx5_port *m, struct rn_mlx5_queue *queue)
{
	unguard(m, queue->guard);
}

/* ---- mirrors of rules ---- */

static bool mirror_on(struct rn_mlx5_port *m, struct share *s, const struct rn_rule *rule,
		      uint32_t sqn, uint32_t flows)
{
	for (uint32_t i = 0; i < flows; i++) {
		struct rn_mlx5_flow_attr attr = {.priority = rn_mirror_priority(rule->shape->slot)};

		if (!rn_mirror_fill(&attr.value, &attr.mask, rule, m->rdma.port->addresses, i, sqn))
			continue;
		s->flow[s->n] = make(m, &attr, false);
		if (!s->flow[s->n])
			return false;
		s->n++;
	}
	return true;
}

static void drop_flows(struct rn_mlx5_port *m, struct share *s)
{
	while (s->n)
		rn_mlx5_flow_unmake(m, s->flow[--s->n]);
}

static struct share *make_share(struct rn_mlx5_port *m, const struct rn_rule *rule,
				struct rn_attachment *at)
{
	const uint32_t flows = rn_mirror_flows(rule, m->rdma.port->addresses);
	struct share *s = calloc(1, sizeof(*s) + sizeof(s->flow[0]) * flows * at->n_queues);
	struct rn_rdma_mem *mem = at->hw;

	if (!s)
		return NULL;
	s->at = at;
	s->beyond = rn_mirror_beyond(rule) != NULL;
	for (uint32_t i = 0; i < at->n_queues && !s->beyond; i++) {
		const struct rn_mlx5_queue *q = at->queue[i].hw;

		if (q->tx.vouched_be)
			s->beyond = !mirror_on(m, s, rule, q->tx.sqn, flows);
	}
	mem->rules++;
	mem->unmirrored += s->beyond;
	decide(at);
	if (s->beyond)
		drop_flows(m, s); /* of no use now: room for others */
	return s;
}

static void drop_share(struct rn_mlx5_port *m, struct share *s)
{
	struct rn_rdma_mem *mem = s->at->hw;

	mem->rules--;
	mem->unmirrored -= s->beyond;
	decide(s->at);
	drop_flows(m, s);
	free(s);
}

static bool is_member(const struct rn_rule *rule, const struct rn_attachment *at)
{
	for (uint32_t i = 0; i < rule->members->n; i++)
		if (rule->members->m[i].at == at)
			return true;
	return false;
}

static struct share *share_of(struct share *s, const struct rn_attachment *at)
{
	while (s && s->at != at)
		s = s->next;
	return s;
}

static void add_share(struct rn_mlx5_port *m, struct share **list, const struct rn_rule *rule,
		      struct rn_attachment *at)
{
	struct share *s = make_share(m, rule, at);

	if (!s) {
		/* Out of memory: the daemon polices this attachment to its end. */
		((struct rn_rdma_mem *)at->hw)->unmirrored++;
		decide(at);
		return;
	}
	s->next = *list;
	*list = s;
}

/* Those of members that left. */
static void drop_others(struct rn_mlx5_port *m, struct share **list, const struct rn_rule *rule)
{
	while (*list) {
		struct share *s = *list;

		if (rule && is_member(rule, s->at)) {
			list = &s->next;
			continue;
		}
		*list = s->next;
		drop_share(m, s);
	}
}

void rn_mlx5_mirror(struct rn_rdma *rdma, const struct rn_rule *rule, void **mirror)
{
	struct rn_mlx5_port *m = rn_mlx5_port_of(rdma->port);
	struct share *list = *mirror;

	if (m->no_nic_policing)
		return;
	for (uint32_t i = 0; rule && i < rule->members->n; i++)
		if (!share_of(list, rule->members->m[i].at))
			add_share(m, &list, rule, rule->members->m[i].at);
	drop_others(m, &list, rule);
	*mirror = list;
}

/* New ones before the old ones go: equal flows are one to the device, as long as any of them is
 * there. */
void rn_mlx5_addresses(struct rn_port *port)
{
	struct rn_mlx5_port *m = rn_mlx5_port_of(port);
	struct rn_rule *rule;

	if (!m || m->no_nic_policing)
		return;
	for (rule = rn_steer_next(port->steer, NULL); rule;
	     rule = rn_steer_next(port->steer, rule)) {
		struct rn_rdma_rule *r = rule->hw;
		struct share *old;

		if (!r || !rn_mirror_of_port(rule))
			continue;
		old = r->mirror;
		r->mirror = NULL;
		rn_mlx5_mirror(&m->rdma, rule, &r->mirror);
		drop_others(m, &old, NULL);
	}
}
