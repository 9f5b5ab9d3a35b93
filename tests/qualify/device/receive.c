/* SPDX-License-Identifier: BSD-2-Clause */
/* What a ConnectX does with what it receives. */
#include <stdio.h>
#include <string.h>

#include "ask.h"

/* ---- errors of a receive queue ---- */

struct odd_buffer {
	const char *name;
	uint32_t len; /* 0: SLOT */
	bool wrong_key, wrong_address, foreign;
	bool fatal; /* as rawnet takes it: the queue stops */
};

static const struct odd_buffer odd_buffers[] = {
	{.name = "a buffer that is too short", .len = 64},
	{.name = "a key that is none", .wrong_key = true, .fatal = true},
	{.name = "an address outside the memory", .wrong_address = true, .fatal = true},
	{.name = "the key of another protection domain", .foreign = true, .fatal = true},
};
#define N_ODD (sizeof(odd_buffers) / sizeof(odd_buffers[0]))

struct outcome {
	uint8_t syndrome;
	bool completed, goes_on;
};

static void post_odd(struct ask_port *port, struct ask_rx *rx, const struct odd_buffer *odd,
		     const struct ibv_mr *foreign)
{
	uint32_t lkey = odd->wrong_key ? 0x00deadff : port->mr->lkey;

	ask_post_odd(rx, odd->len ? odd->len : SLOT, odd->foreign ? foreign->lkey : lkey,
		     odd->wrong_address ? (uintptr_t)port->mem + 16 * (uint64_t)MEM
					: (uintptr_t)port->mem + MEM / 2);
}

/* One frame into the odd buffer, then one into a good one behind it. */
static bool try_odd(struct ask *a, const struct odd_buffer *odd, const struct ibv_mr *foreign,
		    struct outcome *o)
{
	struct ibv_flow *rule = NULL;
	struct ask_tx tx = {0};
	struct ask_rx rx = {0};
	struct rn_cqe e = {0};
	bool ready = !ask_tx_open(a->from, &tx) && !ask_rx_open(a->to, &rx, false) &&
		     (rule = ask_rule(a, &rx, &(struct rule_wish) {0}));

	if (ready) {
		post_odd(a->to, &rx, odd, foreign);
		for (unsigned i = 0; i < 4; i++)
			ask_post(a->to, &rx);
		ask_frame(a, 1, false, false, true);
		ask_send(a, &tx, 0, a->frame.len);
		o->completed = ask_completion(a, &rx.cq, &e);
		o->syndrome = o->completed ? ask_syndrome(&e) : 0;
		ask_send(a, &tx, 0, a->frame.len);
		o->goes_on = ask_completion(a, &rx.cq, &e) && !ask_syndrome(&e);
	}
	if (rule)
		ibv_destroy_flow(rule);
	ask_tx_close(&tx);
	ask_rx_close(&rx);
	return ready;
}

void ask_receive_errors(struct ask *a, struct answer *r)
{
	struct ibv_pd *pd = ibv_alloc_pd(a->to->ctx);
	struct ibv_mr *mr = pd ? ibv_reg_mr(pd, a->to->mem, MEM, IBV_ACCESS_LOCAL_WRITE) : NULL;
	bool as_assumed = mr != NULL, asked = mr != NULL;

	for (unsigned i = 0; i < N_ODD && asked; i++) {
		struct outcome o = {0};

		asked = try_odd(a, &odd_buffers[i], mr, &o);
		say(r, "%s%s: ", i ? "; " : "", odd_buffers[i].name);
		if (o.completed && !o.syndrome)
			say(r, "taken");
		else if (o.completed)
			say(r, "syndrome 0x%02x", o.syndrome);
		else
			say(r, "no completion");
		say(r, ", the queue %s", o.goes_on ? "goes on" : "stops");
		as_assumed &= o.syndrome && o.goes_on == !odd_buffers[i].fatal;
	}
	if (asked)
		assume(r, as_assumed,
		       "an error each time; only a frame that is too long leaves the queue going");
	else
		cannot(r, "queues or rule refused: %m");
	if (mr)
		ibv_dereg_mr(mr);
	if (pd)
		ibv_dealloc_pd(pd);
}

/* ---- how many completions a session has at most ---- */

#define FRAMES 192u

/* The longest session among the completions of FRAMES frames; *got: how many of these came. */
static uint32_t longest_session(struct ask *a, struct ask_rx *rx, uint32_t *got)
{
	uint32_t longest = 0, n;
	struct rn_cqe e;

	for (*got = 0; *got < FRAMES && ask_completion(a, &rx->cq, &e); *got += n) {
		n = 1;
		if (RN_CQE_KIND(e.op_own) == RN_CQE_COMPRESSED)
			n = be32toh(e.byte_cnt);
		if (n > RN_MINI_MAX || !n)
			return longest;
		for (uint32_t i = 0; i < n; i++) /* entry ci - 1 was the title */
			rn_cqe_release(rx->cq.ring, rx->cq.ci - 1 + i, rx->cq.log);
		rx->cq.ci += n - 1;
		longest = n > longest ? n : longest;
	}
	return longest;
}

/* All at once, so that the device has something to put together. */
static void send_burst(struct ask *a, struct ask_tx *tx)
{
	uint8_t *w = NULL;

	ask_frame(a, 1, false, false, true);
	for (uint32_t i = 0; i < FRAMES; i++) {
		w = ask_request(tx);
		rn_data_put(w + 32, a->frame.len, htobe32(a->from->mr->lkey),
			    (uintptr_t)a->from->mem);
		rn_ctrl_put(w, RN_OP_SEND, tx->pi, tx->dv.sqn, 3, RN_CE_ERROR);
		tx->pi++;
	}
	ask_doorbell(tx, w, 0);
}

void ask_compression(struct ask *a, struct answer *r)
{
	const struct mlx5dv_cqe_comp_caps *caps = &a->to->dv.cqe_comp_caps;
	struct ibv_flow *rule = NULL;
	struct ask_tx tx = {0};
	struct ask_rx rx = {0};
	uint32_t longest, got;

	say(r, "the device says at most %u, formats 0x%x", caps->max_num, caps->supported_format);
	if (caps->max_num < 2 || !(caps->supported_format & MLX5DV_CQE_RES_FORMAT_HASH)) {
		say(r, ": none");
	} else if (ask_tx_open(a->from, &tx) || ask_rx_open(a->to, &rx, true) ||
		   !(rule = ask_rule(a, &rx, &(struct rule_wish) {0}))) {
		cannot(r, "queues or rule refused: %m");
	} else {
		for (uint32_t i = 0; i < ENTRIES; i++)
			ask_post(a->to, &rx);
		send_burst(a, &tx);
		longest = longest_session(a, &rx, &got);
		say(r, "; of %u frames sent at once %u arrive, the longest session has %u", FRAMES,
		    got, longest);
		assume(r, longest <= RN_MINI_MAX && got == FRAMES, "never more than %u",
		       RN_MINI_MAX);
	}
	if (rule)
		ibv_destroy_flow(rule);
	ask_tx_close(&tx);
	ask_rx_close(&rx);
}
