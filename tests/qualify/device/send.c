/* SPDX-License-Identifier: BSD-2-Clause */
/* What a ConnectX does with requests to send. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "match.h"

/* A queue at each end with a rule between, and eight buffers. */
struct path {
	struct ask_tx tx;
	struct ask_rx rx;
	struct ibv_flow *rule;
};

static void path_close(struct path *p)
{
	if (p->rule)
		ibv_destroy_flow(p->rule);
	ask_tx_close(&p->tx);
	ask_rx_close(&p->rx);
}

static bool path_open(struct ask *a, struct path *p, const struct rule_wish *wish, struct answer *r)
{
	int rc;

	memset(p, 0, sizeof(*p));
	rc = ask_tx_open(a->from, &p->tx);
	if (!rc)
		rc = ask_rx_open(a->to, &p->rx, false);
	p->rule = rc ? NULL : ask_rule(a, &p->rx, wish);
	if (p->rule) {
		for (unsigned i = 0; i < 8; i++)
			ask_post(a->to, &p->rx);
		return true;
	}
	cannot(r, "queues or rule refused: %m");
	path_close(p);
	return false;
}

/* ---- how much of a frame must stand in the request ---- */

static void with_inline(struct ask *a, struct path *p, uint16_t inlined)
{
	uint8_t *w = ask_request(&p->tx);
	const uint32_t at = rn_header_segs(inlined);

	memcpy(w + RN_INLINE_AT, a->frame.b, inlined);
	rn_eth_put_behind(w + RN_SEG, 0, 0, inlined);
	rn_data_put(w + at * RN_SEG, a->frame.len - inlined, htobe32(a->from->mr->lkey),
		    (uintptr_t)a->from->mem + inlined);
	ask_ring(&p->tx, w, RN_OP_SEND, at + 1);
}

void ask_min_inline(struct ask *a, struct answer *r)
{
	const uint32_t part = a->from->attr.orig_attr.vendor_part_id;
	const bool needs = part >= 0x1013 && part <= 0x1016;
	struct rn_cqe sent = {0}, got = {0};
	struct path p;
	bool done, came;

	if (!path_open(a, &p, &(struct rule_wish) {0}, r))
		return;
	ask_frame(a, 1, false, false, true);
	with_inline(a, &p, 0);
	done = ask_completion(a, &p.tx.cq, &sent);
	came = ask_completion(a, &p.rx.cq, &got) && !ask_syndrome(&got);
	say(r, "without inline headers: %s, the frame %s; ", ask_outcome(done, &sent),
	    came ? "arrives" : "does not arrive");
	assume(r, came == !needs, "part 0x%x needs %u bytes inline", part, needs ? 18 : 0);
	path_close(&p);
	if (!path_open(a, &p, &(struct rule_wish) {0}, r))
		return;
	with_inline(a, &p, 18);
	done = ask_completion(a, &p.tx.cq, &sent);
	came = ask_completion(a, &p.rx.cq, &got) && !ask_syndrome(&got);
	say(r, "with 18 bytes: %s, the frame %s", ask_outcome(done, &sent),
	    came ? "arrives" : "does not arrive");
	path_close(&p);
}

/* ---- what must stand in a checksum that the device computes ---- */

static uint16_t pseudo_sum(const struct frame *f)
{
	const bool six = f->b[f->l3] >> 4 == 6;

	return frame_sum(f->b + f->l3 + (six ? 8 : 12), six ? 32 : 8,
			 f->b[f->l3 + (six ? 6 : 9)] + f->len - f->l4);
}

static bool comes_right(struct ask *a, struct path *p, uint16_t preset, bool tcp)
{
	uint8_t *field = a->from->mem + a->frame.l4 + (tcp ? 16 : 6), *w = ask_request(&p->tx);
	struct rn_cqe sent, got;

	field[0] = (uint8_t)(preset >> 8);
	field[1] = (uint8_t)preset;
	rn_eth_put(w + RN_SEG, RN_ETH_L3_CSUM | RN_ETH_L4_CSUM, 0, 0);
	rn_data_put(w + 32, a->frame.len, htobe32(a->from->mr->lkey), (uintptr_t)a->from->mem);
	ask_ring(&p->tx, w, RN_OP_SEND, 3);
	return ask_completion(a, &p->tx.cq, &sent) && !ask_syndrome(&sent) &&
	       ask_completion(a, &p->rx.cq, &got) && !ask_syndrome(&got) &&
	       frame_l4_right(ask_received(a->to, &got), a->frame.len);
}

void ask_checksum_preset(struct ask *a, struct answer *r)
{
	static const char *const presets[] = {"zero", "the pseudo header's sum", "rubbish"};
	bool right[3] = {true, true, true};

	if (a->from->attr.orig_attr.vendor_part_id <= 0x1016) {
		cannot(r, "the device needs headers inline");
		return;
	}
	for (unsigned kind = 0; kind < 4; kind++) {
		const bool six = kind & 1, tcp = kind & 2;
		struct path p;

		if (!path_open(a, &p, &(struct rule_wish) {.six = six, .tcp = tcp}, r))
			return;
		ask_frame(a, 1, six, tcp, false);
		right[0] &= comes_right(a, &p, 0, tcp);
		right[1] &= comes_right(a, &p, pseudo_sum(&a->frame), tcp);
		right[2] &= comes_right(a, &p, 0xdead, tcp);
		path_close(&p);
	}
	say(r, "UDP and TCP over IPv4 and IPv6 come out right with");
	for (unsigned i = 0; i < 3; i++)
		say(r, "%s %s: %s", i ? "," : "", presets[i], right[i] ? "yes" : "no");
	assume(r, right[0] && right[1] && right[2], "whatever stands in the field");
}

/* ---- a segment of length 0 ---- */

void ask_zero_length(struct ask *a, struct answer *r)
{
	struct rn_cqe sent = {0}, got = {0};
	struct path p;
	uint8_t *w;
	bool done, came;

	if (!path_open(a, &p, &(struct rule_wish) {0}, r))
		return;
	ask_frame(a, 1, false, false, true);
	w = ask_request(&p.tx);
	rn_data_put(w + 32, 0, htobe32(a->from->mr->lkey), (uintptr_t)a->from->mem);
	rn_data_put(w + 48, a->frame.len, htobe32(a->from->mr->lkey), (uintptr_t)a->from->mem);
	ask_ring(&p.tx, w, RN_OP_SEND, 4);
	done = ask_completion(a, &p.tx.cq, &sent);
	came = ask_completion(a, &p.rx.cq, &got) && !ask_syndrome(&got);
	say(r, "a segment of length 0 in front of the frame: %s, the frame %s",
	    ask_outcome(done, &sent), came ? "arrives: it is skipped" : "does not arrive");
	path_close(&p);
}

/* ---- several packets in one request ---- */

void ask_multi_packet(struct ask *a, struct answer *r)
{
	const bool has = a->from->dv.flags & MLX5DV_CONTEXT_FLAGS_ENHANCED_MPW;
	struct rn_cqe sent = {0}, got;
	unsigned came = 0;
	struct path p;
	uint8_t *w;
	bool done;

	if (!path_open(a, &p, &(struct rule_wish) {0}, r))
		return;
	ask_frame(a, 1, false, false, true);
	w = ask_request(&p.tx);
	for (unsigned i = 0; i < 2; i++)
		rn_data_put(w + RN_EMPW_AT + i * RN_SEG, a->frame.len, htobe32(a->from->mr->lkey),
			    (uintptr_t)a->from->mem);
	ask_ring(&p.tx, w, RN_OP_EMPW, 4);
	done = ask_completion(a, &p.tx.cq, &sent);
	while (came < 2 && ask_completion(a, &p.rx.cq, &got) && !ask_syndrome(&got))
		came++;
	say(r,
	    "the device %s it; a queue of libibverbs (with a DEVX context where the kernel gives "
	    "one): %s, %u of 2 frames arrive",
	    has ? "names" : "does not name", ask_outcome(done, &sent), came);
	assume(r, has == (came == 2), "where it is named it works on such a queue");
	path_close(&p);
}

/* ---- malformed requests ---- */

enum fault {
	FAULT_INDEX,
	FAULT_NUMBER,
	FAULT_SIZE,
	FAULT_OPCODE,
	FAULTS
};

static void ring_malformed(struct ask *a, struct path *p, enum fault fault)
{
	uint8_t *w = ask_request(&p->tx);
	const uint16_t index = (uint16_t)(p->tx.pi + (fault == FAULT_INDEX ? 7 : 0));
	const uint32_t number = p->tx.dv.sqn + (fault == FAULT_NUMBER ? 1 : 0);

	rn_eth_put(w + RN_SEG, 0, 0, 0);
	rn_data_put(w + 32, a->frame.len, htobe32(a->from->mr->lkey), (uintptr_t)a->from->mem);
	/* Opcode 8 is an RDMA write. */
	rn_ctrl_put(w, fault == FAULT_OPCODE ? 0x08 : RN_OP_SEND, index, number,
		    fault == FAULT_SIZE ? 9 : 3, RN_CE_ALWAYS);
	ask_doorbell(&p->tx, w, 1);
}

void ask_malformed(struct ask *a, struct answer *r)
{
	static const char *const names[FAULTS] = {"wrong index", "wrong queue number", "wrong size",
						  "wrong opcode"};
	bool refused = true;

	for (unsigned i = 0; i < FAULTS; i++) {
		struct rn_cqe sent = {0}, got;
		struct path p;
		bool done, came;

		if (!path_open(a, &p, &(struct rule_wish) {0}, r))
			return;
		ask_frame(a, 1, false, false, true);
		ring_malformed(a, &p, (enum fault)i);
		done = ask_completion(a, &p.tx.cq, &sent);
		came = ask_completion(a, &p.rx.cq, &got);
		say(r, "%s%s: %s%s", i ? "; " : "", names[i], ask_outcome(done, &sent),
		    came ? ", sent all the same" : "");
		refused &= done && ask_syndrome(&sent) == RN_SYNDROME_QP_OP;
		path_close(&p);
	}
	assume(r, refused, "syndrome 0x02 (the software ConnectX guesses so)");
}

/* ---- memory of another protection domain ---- */

void ask_foreign_key(struct ask *a, struct answer *r)
{
	struct ibv_pd *pd = ibv_alloc_pd(a->from->ctx);
	struct ibv_mr *mr = pd ? ibv_reg_mr(pd, a->from->mem, MEM, IBV_ACCESS_LOCAL_WRITE) : NULL;
	struct rn_cqe sent = {0}, got;
	struct path p;
	bool done, came;
	uint8_t *w;

	if (!mr) {
		cannot(r, "a second protection domain: %m");
	} else if (path_open(a, &p, &(struct rule_wish) {0}, r)) {
		ask_frame(a, 1, false, false, true);
		w = ask_request(&p.tx);
		rn_data_put(w + 32, a->frame.len, htobe32(mr->lkey), (uintptr_t)a->from->mem);
		ask_ring(&p.tx, w, RN_OP_SEND, 3);
		done = ask_completion(a, &p.tx.cq, &sent);
		came = ask_completion(a, &p.rx.cq, &got);
		say(r, "sending with the key of another protection domain: %s, %s",
		    ask_outcome(done, &sent), came ? "and the frame arrives" : "no frame");
		assume(r, done && !came && ask_syndrome(&sent),
		       "refused: a client is confined to its memory by the device");
		path_close(&p);
	}
	if (mr)
		ibv_dereg_mr(mr);
	if (pd)
		ibv_dealloc_pd(pd);
}

/* ---- egress tables ---- */

#define MARK 0x52617721u

struct tables {
	struct mlx5dv_flow_matcher *matcher[3];
	struct ibv_flow *flow[3];
};

enum {
	MARKED, /* passes */
	MIRROR, /* passes: the datagrams of ask_frame */
	REST /* is dropped */
};

static bool table_add(struct ask *a, struct tables *t, unsigned i, const struct rn_match *value,
		      const struct rn_match *mask)
{
	struct {
		size_t size;
		struct rn_match match;
	} v = {sizeof(v.match), *value}, m = {sizeof(m.match), *mask};
	struct mlx5dv_flow_action_attr drop = {.type = MLX5DV_FLOW_ACTION_DROP};
	struct mlx5dv_flow_matcher_attr attr = {
		.type = IBV_FLOW_ATTR_NORMAL,
		.flags = IBV_FLOW_ATTR_FLAGS_EGRESS,
		.priority = (uint16_t)(i == REST ? 15 : i),
		.match_criteria_enable = rn_match_criteria(mask),
		.match_mask = (struct mlx5dv_flow_match_parameters *)(void *)&m,
	};

	t->matcher[i] = mlx5dv_create_flow_matcher(a->from->ctx, &attr);
	if (t->matcher[i])
		t->flow[i] = mlx5dv_create_flow(t->matcher[i], (void *)&v, i == REST, &drop);
	return t->flow[i];
}

static void table_drop(struct tables *t, unsigned i)
{
	if (t->flow[i])
		ibv_destroy_flow(t->flow[i]);
	if (t->matcher[i])
		mlx5dv_destroy_flow_matcher(t->matcher[i]);
	t->flow[i] = NULL;
	t->matcher[i] = NULL;
}

static bool tables_open(struct ask *a, struct tables *t, uint32_t sqn)
{
	struct rn_match value, mask;

	for (unsigned i = 0; i < 3; i++) {
		memset(&value, 0, sizeof(value));
		memset(&mask, 0, sizeof(mask));
		rn_match_set(&value, &mask, RN_MATCH_SQN, sqn, 0xffffff);
		if (i == MARKED)
			rn_match_set(&value, &mask, RN_MATCH_METADATA, MARK, 0xffffffff);
		if (i == MIRROR) {
			rn_match_set(&value, &mask, RN_MATCH_SMAC + 1, 0x0800, 0xffff);
			rn_match_set(&value, &mask, RN_MATCH_IP,
				     RN_MATCH_IP_VERSION(4) | RN_MATCH_IP_PROTO(17),
				     RN_MATCH_IP_VERSION(15) | RN_MATCH_IP_PROTO(0xff));
			rn_match_set(&value, &mask, RN_MATCH_UDP, PORT, 0xffff);
		}
		if (!table_add(a, t, i, &value, &mask))
			return false;
	}
	return true;
}

/* A frame, marked or not: does it arrive? */
static bool arrives(struct ask *a, struct path *p, uint8_t opcode, uint32_t mark)
{
	struct rn_cqe e;
	uint8_t *w = ask_request(&p->tx);

	rn_eth_mark(w + RN_SEG, htobe32(mark));
	rn_data_put(w + 32, a->frame.len, htobe32(a->from->mr->lkey), (uintptr_t)a->from->mem);
	ask_ring(&p->tx, w, opcode, 3);
	if (!ask_completion(a, &p->tx.cq, &e) || ask_syndrome(&e))
		return false;
	return ask_completion(a, &p->rx.cq, &e) && !ask_syndrome(&e);
}

void ask_egress(struct ask *a, struct answer *r)
{
	const bool multi = a->from->dv.flags & MLX5DV_CONTEXT_FLAGS_ENHANCED_MPW;
	struct tables t = {0};
	bool mirror, rest, mark, marks = true;
	struct path p;

	if (a->from->attr.orig_attr.vendor_part_id <= 0x1016) {
		cannot(r, "it needs headers in each request: the daemon polices on such a device");
		return;
	}
	if (!path_open(a, &p, &(struct rule_wish) {0}, r))
		return;
	ask_frame(a, 1, false, false, true);
	if (!tables_open(a, &t, p.tx.dv.sqn)) {
		say(r, "flows by send queue and metadata are refused (%s): the daemon polices",
		    strerror(errno));
	} else {
		mirror = arrives(a, &p, RN_OP_SEND, 0);
		table_drop(&t, MIRROR);
		rest = arrives(a, &p, RN_OP_SEND, 0);
		mark = arrives(a, &p, RN_OP_SEND, MARK);
		if (multi)
			marks = arrives(a, &p, RN_OP_EMPW, MARK) && !arrives(a, &p, RN_OP_EMPW, 0);
		say(r,
		    "what a flow names %s, the rest %s; marked requests %s, of several packets %s",
		    mirror ? "passes" : "is lost", rest ? "passes" : "is dropped",
		    mark ? "pass" : "are lost", marks ? "as well" : "differ");
		assume(r, mirror && !rest && mark && marks,
		       "the tables pass and drop as told (nic_policing must stay off otherwise)");
	}
	for (unsigned i = 0; i < 3; i++)
		table_drop(&t, i);
	path_close(&p);
}
