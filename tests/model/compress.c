/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compressed receive completions, in the HASH and CSUM formats.
 *
 * Completions that differ only in hash, checksum and length are gathered during a turn, and
 * written as a session: a title with format 3 and the count in byte_cnt, and arrays of eight mini
 * CQEs in the slots title+1, title+8, title+16... The session takes as many slots as it has
 * packets; those that hold neither title nor array are not written, and the driver must mark all
 * of them as the hardware's before it gives them back. The title goes last.
 * Layout: drivers/net/ethernet/mellanox/mlx5/core/en_rx.c (mlx5e_decompress_cqes_start).
 */
#include "dma.h"
#include "uverbs.h"

#define ARRAY_SLOT(title, k) ((title) + ((k) ? (k)*CX_MINI_PER_SLOT : 1))

static void start(struct cx_comp *s, const struct cx_rx_cqe *e)
{
	s->title = *e;
	s->n = 0;
}

static bool continues(const struct cx_cq *cq, const struct cx_rx_cqe *e)
{
	const struct cx_comp *s = &cq->comp;
	const struct cx_rx_cqe *t = &s->title;

	return s->n < cq->o.ctx->dev->pers->comp_max && e->hds_ip_ext == t->hds_ip_ext &&
	       e->l4_hdr_type_etc == t->l4_hdr_type_etc && e->vlan_info == t->vlan_info &&
	       e->srqn_uidx == t->srqn_uidx && e->sop_drop_qpn == t->sop_drop_qpn &&
	       e->rss_type == t->rss_type &&
	       be16toh(e->wqe_counter) == (uint16_t)(be16toh(t->wqe_counter) + s->n);
}

void cx_comp_add(struct cx_cq *cq, const struct cx_rx_cqe *e)
{
	struct cx_comp *s = &cq->comp;
	struct cx_mini_cqe *m;

	if (s->n && !continues(cq, e))
		cx_comp_flush(cq);
	if (!s->n)
		start(s, e);
	m = &s->mini[s->n++];
	if (cq->comp_format == MLX5DV_CQE_RES_FORMAT_HASH) {
		m->rss_hash = e->rss_hash;
	} else {
		m->csum = e->csum;
		m->rsvd = 0;
	}
	m->byte_cnt = e->byte_cnt;
}

static void write_session(struct cx_cq *cq)
{
	struct cx_comp *s = &cq->comp;
	uint32_t k, arrays = (s->n + CX_MINI_PER_SLOT - 1) / CX_MINI_PER_SLOT, first = cq->pi;
	uint8_t *title = cx_cq_slot(cq, first);

	for (k = 0; k < arrays; k++)
		cx_dma_write(cx_cq_slot(cq, ARRAY_SLOT(first, k)), &s->mini[k * CX_MINI_PER_SLOT],
			     64);
	s->title.byte_cnt = htobe32(s->n);
	cx_dma_write(title, &s->title, 63);
	atomic_store_explicit((_Atomic uint8_t *)(title + 63),
			      (uint8_t)(MLX5_CQE_RESP_SEND << 4 | CX_CQE_FORMAT_COMP << 2 |
					((first >> cq->log) & 1)),
			      memory_order_release);
	cq->pi += s->n;
	s->n = 0;
	cx_cq_notify(cq);
}

void cx_comp_flush(struct cx_cq *cq)
{
	struct cx_comp *s = &cq->comp;

	if (!s->n)
		return;
	/* Rather than overrun the ring as a block, the last packets come one by one. */
	if (s->n >= 2 && cx_cq_room(cq, s->n)) {
		write_session(cq);
		return;
	}
	while (s->n) {
		struct cx_rx_cqe e = s->title;

		e.byte_cnt = s->mini[0].byte_cnt;
		if (cq->comp_format == MLX5DV_CQE_RES_FORMAT_HASH)
			e.rss_hash = s->mini[0].rss_hash;
		else
			e.csum = s->mini[0].csum;
		cx_cq_put(cq, &e, MLX5_CQE_RESP_SEND << 4);
		s->n--;
		memmove(&s->mini[0], &s->mini[1], s->n * sizeof(s->mini[0]));
		s->title.wqe_counter = htobe16((uint16_t)(be16toh(s->title.wqe_counter) + 1));
	}
}
