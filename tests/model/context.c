/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contexts: an open uverbs descriptor, what the device says of itself, and the end of everything
 * that hangs on the descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "referee.h"
#include "steer.h"
#include "sys.h"
#include "uverbs.h"
#include "wires.h"

int cx_ctx_open(struct cx_dev *dev)
{
	struct cx_ctx *ctx;
	int err = cx_dev_start(dev);

	if (err) {
		errno = -err;
		return -1;
	}
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return -1;
	/* A character device, so that libibverbs' check of st_rdev holds (tree.c). */
	ctx->fd = cx_libc.open("/dev/zero", O_RDWR | O_CLOEXEC);
	if (ctx->fd < 0 || ctx->fd >= CX_MAX_FD) {
		if (ctx->fd >= 0)
			cx_libc.close(ctx->fd);
		free(ctx);
		errno = EMFILE;
		return -1;
	}
	ctx->dev = dev;
	ctx->next = dev->ctxs;
	dev->ctxs = ctx;
	cx_fd_mark(ctx->fd, true);
	return ctx->fd;
}

struct cx_ctx *cx_ctx_by_fd(int fd)
{
	int i;

	for (i = 0; i < cx_settings.devs; i++) {
		struct cx_ctx *c;

		for (c = cx_devs[i].ctxs; c; c = c->next)
			if (c->fd == fd)
				return c;
	}
	return NULL;
}

int cx_obj_destroy(struct cx_obj *o)
{
	static int (*const free_of[CX_TYPES])(struct cx_obj *) = {
		[CX_PD] = cx_pd_free,	  [CX_MR] = cx_mr_free,		  [CX_CQ] = cx_cq_free,
		[CX_QP] = cx_qp_free,	  [CX_WQ] = cx_wq_free,		  [CX_IND] = cx_ind_free,
		[CX_FLOW] = cx_flow_free, [CX_MATCHER] = cx_matcher_free, [CX_UAR] = cx_uar_free,
	};

	if (o->refs)
		return -EBUSY;
	return free_of[o->type](o);
}

/* Objects that have no users go first, newest first, until none is left: what the kernel does
 * when a descriptor is closed. */
static void destroy_all(struct cx_ctx *ctx)
{
	while (ctx->objs) {
		struct cx_obj *o = ctx->objs, *next;

		for (; o; o = next) {
			next = o->next;
			if (o->refs)
				continue;
			if (cx_settings.leaks)
				cx_violation("exit.leak", NULL, 0, "%s with handle %u was left",
					     cx_type_name(o->type), o->handle);
			cx_obj_destroy(o);
		}
	}
}

bool cx_ctx_close(int fd)
{
	struct cx_ctx *ctx = cx_ctx_by_fd(fd), **p;
	uint32_t i;

	if (!ctx)
		return false;
	destroy_all(ctx);
	while (ctx->channels) {
		ctx->channels->refs = 0;
		ctx->channels->closed = true;
		cx_channel_put(ctx->channels);
	}
	for (i = 0; i < ctx->pages; i++)
		cx_page_free(&ctx->dev->uar, ctx->page[i]);
	for (i = 0; i < CX_LATE_PAGES; i++)
		if (ctx->late[i])
			cx_page_free(&ctx->dev->uar, ctx->late[i]);
	if (ctx->live)
		ctx->dev->live_ctxs--;
	for (p = &ctx->dev->ctxs; *p != ctx; p = &(*p)->next)
		;
	*p = ctx->next;
	free(ctx);
	return true;
}

static int alloc_static_pages(struct cx_ctx *ctx, uint32_t bfregs)
{
	uint32_t pages = (bfregs + 1) / 2;

	if (pages > sizeof(ctx->page) / sizeof(ctx->page[0]))
		return -ENOMEM;
	for (; ctx->pages < pages; ctx->pages++) {
		int page = cx_page_alloc(&ctx->dev->uar);

		if (page < 0)
			return page;
		ctx->page[ctx->pages] = (uint16_t)page;
	}
	return 0;
}

/* mlx5_ib_alloc_ucontext: drivers/infiniband/hw/mlx5/main.c */
int cx_get_context(struct cx_cmd *c)
{
	struct mlx5_ib_alloc_ucontext_req_v2 req;
	const struct cx_personality *pers = c->ctx->dev->pers;
	struct ib_uverbs_get_context_resp core = {.num_comp_vectors = 2};
	struct mlx5_ib_alloc_ucontext_resp r = {
		.qp_tab_size = CX_MAX_QUEUES,
		.bf_reg_size = 512,
		.cache_line_size = 64,
		.max_sq_desc_sz = CX_MAX_SQ_DESC,
		.max_rq_desc_sz = 512,
		.max_send_wqebb = 32768,
		.max_recv_wr = 32768,
		.max_srq_recv_wr = 32767,
		.num_ports = 1,
		.cqe_version = 1,
		.cmds_supp_uhw = MLX5_USER_CMDS_SUPP_UHW_QUERY_DEVICE,
		.eth_min_inline = pers->min_inline ? MLX5_USER_INLINE_MODE_L2
						   : MLX5_USER_INLINE_MODE_NONE,
		.clock_info_versions = 1 << MLX5_IB_CLOCK_INFO_V1,
		.comp_mask = MLX5_IB_ALLOC_UCONTEXT_RESP_MASK_CORE_CLOCK_OFFSET,
		.log_uar_size = 12,
		.num_uars_per_page = 1,
	};
	int err;

	cx_cmd_drv_in(c, &req, sizeof(req));
	if (c->ctx->live || (req.flags & MLX5_IB_ALLOC_UCTX_DEVX))
		return -EINVAL; /* no DevX: libmlx5 asks again without */
	if (cx_settings.static_uar || !(req.lib_caps & MLX5_LIB_CAP_DYN_UAR)) {
		r.tot_bfregs = req.total_num_bfregs;
		r.num_dyn_bfregs = 2 * CX_LATE_PAGES;
		err = alloc_static_pages(c->ctx, r.tot_bfregs);
		if (err)
			return err;
	}
	r.response_length = c->drv_out_len < sizeof(r) ? c->drv_out_len : sizeof(r);
	c->ctx->async = cx_channel_new(c->ctx);
	if (!c->ctx->async)
		return -ENOMEM;
	core.async_fd = (uint32_t)c->ctx->async->fd;
	c->ctx->live = true;
	c->ctx->dev->live_ctxs++;
	cx_cmd_out(c, &core, sizeof(core));
	cx_cmd_drv_out(c, &r, sizeof(r));
	return 0;
}

static void fill_device(const struct cx_dev *dev, struct ib_uverbs_query_device_resp *r)
{
	uint64_t guid = 0;

	memcpy((uint8_t *)&guid, dev->mac, 3);
	memcpy((uint8_t *)&guid + 5, dev->mac + 3, 3);
	*r = (struct ib_uverbs_query_device_resp) {
		.fw_ver = (16ull << 32) | (35u << 16) | 2000,
		.node_guid = guid,
		.sys_image_guid = guid,
		.max_mr_size = UINT64_MAX,
		.page_size_cap = 0xfffffffffffff000,
		.vendor_id = 0x2c9,
		.vendor_part_id = dev->pers->part_id,
		.max_qp = CX_MAX_QUEUES,
		.max_qp_wr = 32768,
		.device_cap_flags = IB_UVERBS_DEVICE_RAW_IP_CSUM |
				    IB_UVERBS_DEVICE_MANAGED_FLOW_STEERING |
				    IB_UVERBS_DEVICE_PORT_ACTIVE_EVENT,
		.max_sge = 30,
		.max_cq = CX_MAX_QUEUES,
		.max_cqe = 4194303,
		.max_mr = CX_MAX_MRS,
		.max_pd = CX_MAX_OBJS,
		.max_pkeys = 1,
		.max_raw_ethy_qp = CX_MAX_QUEUES,
		.phys_port_cnt = 1,
	};
}

static void fill_mlx5(const struct cx_dev *dev, struct mlx5_ib_query_device_resp *r)
{
	const struct cx_personality *p = dev->pers;
	uint32_t raw = 1u << IB_UVERBS_QPT_RAW_PACKET;

	*r = (struct mlx5_ib_query_device_resp) {
		.tso_caps = {p->max_tso, raw},
		.rss_caps = {.rx_hash_fields_mask = 0xff,
			     .rx_hash_function = MLX5_RX_HASH_FUNC_TOEPLITZ},
		.cqe_comp_caps = {p->comp_max, p->comp_formats},
		.mlx5_ib_support_multi_pkt_send_wqes =
			(p->legacy_mpw || p->empw ? MLX5_IB_ALLOW_MPW : 0) |
			(p->empw ? MLX5_IB_SUPPORT_EMPW : 0),
	};
}

int cx_query_device(struct cx_cmd *c)
{
	struct ib_uverbs_query_device_resp r;

	fill_device(c->ctx->dev, &r);
	cx_cmd_out(c, &r, sizeof(r));
	return 0;
}

int cx_query_device_ex(struct cx_cmd *c)
{
	struct ib_uverbs_ex_query_device_resp r = {
		.timestamp_mask = 0x7fffffffffffffff,
		.hca_core_clock = CX_CLOCK_KHZ,
		.rss_caps = {.supported_qpts = 1u << IB_UVERBS_QPT_RAW_PACKET,
			     .max_rwq_indirection_tables = 1u << 11,
			     .max_rwq_indirection_table_size = 1u << 11},
		.max_wq_type_rq = 1u << 15,
		.raw_packet_caps = IB_UVERBS_RAW_PACKET_CAP_CVLAN_STRIPPING |
				   IB_UVERBS_RAW_PACKET_CAP_SCATTER_FCS |
				   IB_UVERBS_RAW_PACKET_CAP_IP_CSUM,
	};
	struct mlx5_ib_query_device_resp m;

	fill_device(c->ctx->dev, &r.base);
	r.device_cap_flags_ex = r.base.device_cap_flags | IB_UVERBS_DEVICE_RAW_SCATTER_FCS |
				IB_UVERBS_DEVICE_PCI_WRITE_END_PADDING;
	r.response_length = c->out_len < sizeof(r) ? c->out_len : sizeof(r);
	fill_mlx5(c->ctx->dev, &m);
	m.response_length = c->drv_out_len < sizeof(m) ? c->drv_out_len : sizeof(m);
	cx_cmd_out(c, &r, sizeof(r));
	cx_cmd_drv_out(c, &m, sizeof(m));
	return 0;
}

static uint8_t ib_mtu(uint32_t mtu)
{
	uint32_t size = 256;
	uint8_t code = 1; /* IB_MTU_256 */

	for (; code < 5 && size * 2 + 64 <= mtu; code++)
		size *= 2;
	return code;
}

int cx_query_port(struct cx_cmd *c)
{
	struct cx_dev *dev = c->ctx->dev;
	struct ib_uverbs_query_port req;
	struct ib_uverbs_query_port_resp r = {
		.port_cap_flags = IB_UVERBS_PCF_CM_SUP | IB_UVERBS_PCF_IP_BASED_GIDS,
		.max_msg_sz = 1u << 30,
		.gid_tbl_len = 1,
		.pkey_tbl_len = 1,
		.max_mtu = 5,
		.active_mtu = ib_mtu(cx_wire_mtu(dev)),
		.max_vl_num = 1,
		.active_width = 2, /* 4X */
		.active_speed = 32, /* EDR: 100 Gbit/s */
		.link_layer = 2, /* Ethernet */
	};

	cx_cmd_in(c, &req, sizeof(req));
	if (req.port_num != 1)
		return -EINVAL;
	r.state = dev->port_up ? 4 : 1;
	r.phys_state = dev->port_up ? 5 : 3;
	cx_cmd_out(c, &r, sizeof(r));
	return 0;
}
