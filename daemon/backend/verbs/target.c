/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Targets: where rules send packets. A target is an indirection table over the receive WQs of all
 * its attachments' queues; the device takes the entry that the packet's hash names. The hash is
 * the daemon's own (Toeplitz with the well-known key), so that a group spreads flows over its
 * members as struct rn_members says, on any backend.
 *
 * One QP hashes one kind of packet (mlx5_ib, create_rss_raw_qp_tir), so a target has a QP for each
 * kind, made when the first rule needs it. A packet that has nothing to hash goes to the first WQ.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "../../attachment.h"
#include "../../poller.h"
#include "../../state.h"
#include "rdma.h"

#define TABLE_MAX   2048u
#define FEED_NAP_NS 100000
#define FEED_NAPS   2000u

/* Microsoft's key for the verification of RSS; flow/hash.c has the same. */
static uint8_t rss_key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
			      0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
			      0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
			      0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static const uint64_t fields[RN_HASH_KINDS] = {
	[RN_HASH_IP4] = IBV_RX_HASH_SRC_IPV4 | IBV_RX_HASH_DST_IPV4,
	[RN_HASH_IP6] = IBV_RX_HASH_SRC_IPV6 | IBV_RX_HASH_DST_IPV6,
	[RN_HASH_TCP4] = IBV_RX_HASH_SRC_IPV4 | IBV_RX_HASH_DST_IPV4 | IBV_RX_HASH_SRC_PORT_TCP |
			 IBV_RX_HASH_DST_PORT_TCP,
	[RN_HASH_UDP4] = IBV_RX_HASH_SRC_IPV4 | IBV_RX_HASH_DST_IPV4 | IBV_RX_HASH_SRC_PORT_UDP |
			 IBV_RX_HASH_DST_PORT_UDP,
	[RN_HASH_TCP6] = IBV_RX_HASH_SRC_IPV6 | IBV_RX_HASH_DST_IPV6 | IBV_RX_HASH_SRC_PORT_TCP |
			 IBV_RX_HASH_DST_PORT_TCP,
	[RN_HASH_UDP6] = IBV_RX_HASH_SRC_IPV6 | IBV_RX_HASH_DST_IPV6 | IBV_RX_HASH_SRC_PORT_UDP |
			 IBV_RX_HASH_DST_PORT_UDP,
};

/* ---- the table ---- */

static struct ibv_wq *wq_of(const struct rn_attachment *at, uint32_t i)
{
	return rn_rdma_queue_of(&at->queue[i])->wq;
}

/* Entry e: the member by the low bits of the hash, its queue by those above (deliver_whose.c). */
static struct ibv_wq *entry(const struct rn_members *members, uint32_t e)
{
	const struct rn_attachment *at = members->m[0].at;

	if (members->n == 1)
		return wq_of(at, e % at->n_queues);
	at = members->m[members->table[e % RN_RSS_TABLE]].at;
	return wq_of(at, e / RN_RSS_TABLE % at->n_queues);
}

static uint32_t log2_up(uint32_t v)
{
	return v > 1 ? 32u - (uint32_t)__builtin_clz(v - 1) : 0;
}

/* How many entries, as a power of two. A number of queues that is none gets four times as many
 * entries, so that no queue gets much more than its share. */
static uint32_t table_log(const struct rn_rdma *rdma, const struct rn_members *members)
{
	uint32_t most = 0, log, limit = rdma->caps.max_indirection;

	for (uint32_t i = 0; i < members->n; i++)
		if (members->m[i].at->n_queues > most)
			most = members->m[i].at->n_queues;
	log = log2_up(most);
	if (most & (most - 1))
		log += 2;
	if (members->n > 1)
		log += log2_up(RN_RSS_TABLE);
	if (limit > TABLE_MAX || !limit)
		limit = TABLE_MAX;
	while (1u << log > limit)
		log--;
	return log;
}

static struct ibv_rwq_ind_table *make_table(struct rn_rdma *rdma, struct ibv_wq **wq, uint32_t log)
{
	struct ibv_rwq_ind_table_init_attr attr = {.log_ind_tbl_size = log, .ind_tbl = wq};

	return ibv_create_rwq_ind_table(rdma->ctx, &attr);
}

static int fill(struct rn_rdma *rdma, struct rn_target *t, const struct rn_members *members,
		struct rn_err *err)
{
	uint32_t log = members->n ? table_log(rdma, members) : 0;
	struct ibv_wq **wq = calloc(1u << log, sizeof(struct ibv_wq *));

	if (!wq)
		return rn_fail(err, -ENOMEM, "rule: out of memory");
	for (uint32_t e = 0; e < 1u << log; e++)
		wq[e] = members->n ? entry(members, e) : rdma->drop_wq;
	for (uint32_t i = 0; i < members->n; i++)
		t->queues += members->m[i].at->n_queues;
	t->table = make_table(rdma, wq, log);
	if (t->table)
		t->first = log ? make_table(rdma, wq, 0) : t->table;
	free(wq);
	return t->first ? 0 : rn_rdma_fail(err, rdma, "indirection table", errno);
}

/* ---- life ---- */

static void target_free(struct rn_target *t)
{
	for (unsigned k = 0; k < RN_HASH_KINDS; k++)
		if (t->qp[k])
			ibv_destroy_qp(t->qp[k]);
	if (t->first && t->first != t->table)
		ibv_destroy_rwq_ind_table(t->first);
	if (t->table)
		ibv_destroy_rwq_ind_table(t->table);
	free(t);
}

/* A target that exists already: nobody's, or an attachment's own. A group has one for each rule. */
static struct rn_target *find(const struct rn_rdma *rdma, const struct rn_members *members)
{
	if (!members->n)
		return rdma->nobody;
	return members->n == 1 ? ((struct rn_rdma_mem *)members->m[0].at->hw)->target : NULL;
}

static void remember(struct rn_target *t, const struct rn_members *members)
{
	if (!members->n)
		t->rdma->nobody = t;
	if (members->n != 1)
		return;
	t->of = members->m[0].at->hw;
	t->of->target = t;
}

/*
 * A client posts its buffers when it has attached, and then asks for its first rule; its poller may
 * not have looked since, and the first packets would find a device without buffers. So a poller
 * that has buffers to take gets the time to take them, once for each attachment.
 */
static bool is_due(const struct rn_queue *q)
{
	uint32_t posted = __atomic_load_n(&q->rx.ctl->client, __ATOMIC_RELAXED) -
			  __atomic_load_n(&q->state->rx_daemon, __ATOMIC_RELAXED);

	/* What a client lies about, or has not posted, is not waited for. */
	return posted > rn_rdma_spare(q) + 1 && posted <= q->rx.mask + 1 &&
	       !__atomic_load_n(&rn_rdma_queue_of(q)->fed, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&q->fault, __ATOMIC_RELAXED);
}

static void await_buffers(const struct rn_attachment *at)
{
	const struct timespec nap = {.tv_nsec = FEED_NAP_NS};
	struct rn_rdma_mem *mem = at->hw;
	uint32_t n = 0;

	for (uint32_t i = 0; !mem->awaited && i < at->n_queues; i++)
		for (; is_due(&at->queue[i]) && n < FEED_NAPS; n++) {
			rn_poller_poke(at->queue[i].poller);
			nanosleep(&nap, NULL);
		}
	mem->awaited = true;
}

int rn_target_get(struct rn_rdma *rdma, const struct rn_members *members, struct rn_target **out,
		  struct rn_err *err)
{
	struct rn_target *t = find(rdma, members);
	int rc;

	for (uint32_t i = 0; i < members->n; i++)
		await_buffers(members->m[i].at);
	if (t) {
		t->refs++;
		*out = t;
		return 0;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return rn_fail(err, -ENOMEM, "rule: out of memory");
	t->rdma = rdma;
	t->refs = 1;
	rc = fill(rdma, t, members, err);
	if (rc) {
		target_free(t);
		return rc;
	}
	remember(t, members);
	*out = t;
	return 0;
}

void rn_target_put(struct rn_target *t)
{
	if (!t || --t->refs)
		return;
	if (t->of)
		t->of->target = NULL;
	else if (t == t->rdma->nobody)
		t->rdma->nobody = NULL;
	target_free(t);
}

int rn_target_qp(struct rn_target *t, enum rn_hash_kind kind, struct ibv_qp **qp,
		 struct rn_err *err)
{
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_RAW_PACKET,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_IND_TABLE |
			     IBV_QP_INIT_ATTR_RX_HASH,
		.pd = t->rdma->pd,
		.rwq_ind_tbl = kind == RN_HASH_NONE ? t->first : t->table,
		.rx_hash_conf = {.rx_hash_function = IBV_RX_HASH_FUNC_TOEPLITZ,
				 .rx_hash_key_len = sizeof(rss_key),
				 .rx_hash_key = rss_key,
				 .rx_hash_fields_mask = fields[kind]},
	};

	if (!t->qp[kind])
		t->qp[kind] = ibv_create_qp_ex(t->rdma->ctx, &attr);
	if (!t->qp[kind])
		return rn_rdma_fail(err, t->rdma, "hashing queue pair", errno);
	*qp = t->qp[kind];
	return 0;
}
