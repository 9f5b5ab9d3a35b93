/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a system call to a handler: the write commands, by write() or through the ioctl that wraps
 * them, and the ioctl methods.
 *
 * drivers/infiniband/core/uverbs_main.c (verify_hdr, ib_uverbs_write) and uverbs_std_types_device.c
 * (INVOKE_WRITE) say how commands are laid out. A method that is not here answers EPROTONOSUPPORT,
 * and libibverbs falls back to the write command, as on an older kernel.
 */
#include <errno.h>
#include <string.h>

#include "faults.h"
#include "uverbs.h"

#define EX IB_USER_VERBS_CMD_FLAG_EXTENDED

struct command {
	uint32_t number;
	const char *name;
	uint16_t in, out; /* sizes of the core structures, for the legacy form */
	cx_handler *run;
};

#define LEGACY(name, req, resp, fn)                                                       \
	{                                                                                 \
		IB_USER_VERBS_CMD_##name, #name, sizeof(struct ib_uverbs_##req), resp, fn \
	}
#define EXTENDED(number, name, fn)            \
	{                                     \
		EX | (number), name, 0, 0, fn \
	}

static const struct command commands[] = {
	LEGACY(GET_CONTEXT, get_context, sizeof(struct ib_uverbs_get_context_resp), cx_get_context),
	LEGACY(QUERY_DEVICE, query_device, sizeof(struct ib_uverbs_query_device_resp),
	       cx_query_device),
	LEGACY(QUERY_PORT, query_port, sizeof(struct ib_uverbs_query_port_resp), cx_query_port),
	LEGACY(ALLOC_PD, alloc_pd, sizeof(struct ib_uverbs_alloc_pd_resp), cx_alloc_pd),
	LEGACY(DEALLOC_PD, dealloc_pd, 0, cx_dealloc_pd),
	LEGACY(REG_MR, reg_mr, sizeof(struct ib_uverbs_reg_mr_resp), cx_reg_mr),
	LEGACY(DEREG_MR, dereg_mr, 0, cx_dereg_mr),
	LEGACY(CREATE_COMP_CHANNEL, create_comp_channel,
	       sizeof(struct ib_uverbs_create_comp_channel_resp), cx_create_channel),
	LEGACY(CREATE_CQ, create_cq, sizeof(struct ib_uverbs_create_cq_resp), cx_create_cq),
	LEGACY(DESTROY_CQ, destroy_cq, sizeof(struct ib_uverbs_destroy_cq_resp), cx_destroy_cq),
	LEGACY(CREATE_QP, create_qp, sizeof(struct ib_uverbs_create_qp_resp), cx_create_qp),
	LEGACY(QUERY_QP, query_qp, sizeof(struct ib_uverbs_query_qp_resp), cx_query_qp),
	LEGACY(MODIFY_QP, modify_qp, 0, cx_modify_qp),
	LEGACY(DESTROY_QP, destroy_qp, sizeof(struct ib_uverbs_destroy_qp_resp), cx_destroy_qp),
	EXTENDED(IB_USER_VERBS_CMD_QUERY_DEVICE, "QUERY_DEVICE_EX", cx_query_device_ex),
	EXTENDED(IB_USER_VERBS_CMD_CREATE_CQ, "CREATE_CQ_EX", cx_create_cq_ex),
	EXTENDED(IB_USER_VERBS_CMD_CREATE_QP, "CREATE_QP_EX", cx_create_qp_ex),
	EXTENDED(IB_USER_VERBS_CMD_MODIFY_QP, "MODIFY_QP_EX", cx_modify_qp),
	EXTENDED(IB_USER_VERBS_EX_CMD_CREATE_FLOW, "CREATE_FLOW", cx_create_flow),
	EXTENDED(IB_USER_VERBS_EX_CMD_DESTROY_FLOW, "DESTROY_FLOW", cx_destroy_flow),
	EXTENDED(IB_USER_VERBS_EX_CMD_CREATE_WQ, "CREATE_WQ", cx_create_wq),
	EXTENDED(IB_USER_VERBS_EX_CMD_MODIFY_WQ, "MODIFY_WQ", cx_modify_wq),
	EXTENDED(IB_USER_VERBS_EX_CMD_DESTROY_WQ, "DESTROY_WQ", cx_destroy_wq),
	EXTENDED(IB_USER_VERBS_EX_CMD_CREATE_RWQ_IND_TBL, "CREATE_RWQ_IND_TBL", cx_create_ind),
	EXTENDED(IB_USER_VERBS_EX_CMD_DESTROY_RWQ_IND_TBL, "DESTROY_RWQ_IND_TBL", cx_destroy_ind),
	EXTENDED(IB_USER_VERBS_EX_CMD_MODIFY_CQ, "MODIFY_CQ", cx_modify_cq),
};
#define COMMANDS ((int)(sizeof(commands) / sizeof(commands[0])))

static const struct method {
	uint16_t object, method;
	const char *name;
	cx_method *run;
} methods[] = {
	{MLX5_IB_OBJECT_UAR, MLX5_IB_METHOD_UAR_OBJ_ALLOC, "UAR_ALLOC", cx_uar_alloc},
	{MLX5_IB_OBJECT_UAR, MLX5_IB_METHOD_UAR_OBJ_DESTROY, "UAR_DESTROY", cx_uar_destroy},
	{MLX5_IB_OBJECT_FLOW_MATCHER, MLX5_IB_METHOD_FLOW_MATCHER_CREATE, "MATCHER_CREATE",
	 cx_matcher_create},
	{MLX5_IB_OBJECT_FLOW_MATCHER, MLX5_IB_METHOD_FLOW_MATCHER_DESTROY, "MATCHER_DESTROY",
	 cx_matcher_destroy},
	{UVERBS_OBJECT_FLOW, MLX5_IB_METHOD_CREATE_FLOW, "CREATE_FLOW_DV", cx_flow_create_dv},
};
#define METHODS ((int)(sizeof(methods) / sizeof(methods[0])))

int cx_command_count(void)
{
	return COMMANDS + METHODS;
}

const char *cx_command_name(int i)
{
	return i < COMMANDS ? commands[i].name : methods[i - COMMANDS].name;
}

int cx_command_index(const char *name)
{
	int i;

	for (i = 0; i < cx_command_count(); i++)
		if (strcmp(cx_command_name(i), name) == 0)
			return i;
	return -1;
}

/* ---- requests and responses ---- */

static void copy_in(void *to, size_t len, const void *from, uint32_t have)
{
	memset(to, 0, len);
	if (from)
		memcpy(to, from, have < len ? have : len);
}

void cx_cmd_in(const struct cx_cmd *c, void *to, size_t len)
{
	copy_in(to, len, c->in, c->in_len);
}

void cx_cmd_drv_in(const struct cx_cmd *c, void *to, size_t len)
{
	copy_in(to, len, c->drv_in, c->drv_in_len);
}

static uint32_t copy_out(void *to, uint32_t room, const void *from, size_t len)
{
	uint32_t n = len < room ? (uint32_t)len : room;

	if (!to)
		return 0;
	memcpy(to, from, n);
	return n;
}

uint32_t cx_cmd_out(struct cx_cmd *c, const void *from, size_t len)
{
	return copy_out(c->out, c->out_len, from, len);
}

uint32_t cx_cmd_drv_out(struct cx_cmd *c, const void *from, size_t len)
{
	return copy_out(c->drv_out, c->drv_out_len, from, len);
}

static int run_command(struct cx_cmd *c, uint32_t number)
{
	int i, err;

	for (i = 0; i < COMMANDS; i++) {
		if (commands[i].number != number)
			continue;
		if (commands[i].run != cx_get_context && !c->ctx->live)
			return -EINVAL;
		err = cx_fault_command(i);
		return err ? err : commands[i].run(c);
	}
	return -EOPNOTSUPP;
}

/* ---- write() ---- */

static int write_extended(struct cx_ctx *ctx, const struct ib_uverbs_cmd_hdr *hdr, size_t len)
{
	struct ib_uverbs_ex_cmd_hdr ex;
	const uint8_t *p = (const uint8_t *)(hdr + 1);
	struct cx_cmd c = {.ctx = ctx};

	if (len < sizeof(*hdr) + sizeof(ex))
		return -EINVAL;
	memcpy(&ex, p, sizeof(ex));
	p += sizeof(ex);
	c.in_len = hdr->in_words * 8u;
	c.drv_in_len = ex.provider_in_words * 8u;
	if (len != sizeof(*hdr) + sizeof(ex) + c.in_len + c.drv_in_len)
		return -EINVAL;
	c.in = p;
	c.drv_in = p + c.in_len;
	c.out = (void *)(uintptr_t)ex.response;
	c.out_len = hdr->out_words * 8u;
	c.drv_out = (uint8_t *)c.out + c.out_len;
	c.drv_out_len = ex.provider_out_words * 8u;
	return run_command(&c, hdr->command);
}

static int write_legacy(struct cx_ctx *ctx, const struct ib_uverbs_cmd_hdr *hdr, size_t len)
{
	struct cx_cmd c = {.ctx = ctx, .in = hdr + 1};
	uint32_t in = hdr->in_words * 4u, out = hdr->out_words * 4u;
	uint64_t response = 0;
	int i;

	for (i = 0; i < COMMANDS && commands[i].number != hdr->command; i++)
		;
	if (i == COMMANDS)
		return -EOPNOTSUPP;
	if (in != len || in < sizeof(*hdr) + commands[i].in || out < commands[i].out)
		return -EINVAL;
	c.in_len = commands[i].in;
	c.drv_in = (const uint8_t *)c.in + c.in_len;
	c.drv_in_len = in - (uint32_t)sizeof(*hdr) - c.in_len;
	if (commands[i].out) {
		memcpy(&response, c.in, sizeof(response));
		c.out = (void *)(uintptr_t)response;
		c.out_len = commands[i].out;
		c.drv_out = (uint8_t *)c.out + c.out_len;
		c.drv_out_len = out - c.out_len;
	}
	return run_command(&c, hdr->command);
}

int cx_uverbs_write(struct cx_ctx *ctx, const void *buf, size_t len)
{
	const struct ib_uverbs_cmd_hdr *hdr = buf;

	if (len < sizeof(*hdr))
		return -EINVAL;
	if (hdr->command & EX)
		return write_extended(ctx, hdr, len);
	return write_legacy(ctx, hdr, len);
}

/* ---- ioctl ---- */

struct ib_uverbs_attr *cx_attr(const struct cx_attrs *a, uint16_t id)
{
	uint16_t i;

	for (i = 0; i < a->hdr->num_attrs; i++)
		if (a->hdr->attrs[i].attr_id == id)
			return &a->hdr->attrs[i];
	return NULL;
}

const void *cx_attr_in(const struct ib_uverbs_attr *a)
{
	return a->len <= sizeof(a->data) ? (const void *)&a->data
					 : (const void *)(uintptr_t)a->data;
}

uint64_t cx_attr_const(const struct cx_attrs *a, uint16_t id, uint64_t none)
{
	const struct ib_uverbs_attr *at = cx_attr(a, id);
	uint64_t v = 0;

	if (!at)
		return none;
	memcpy(&v, cx_attr_in(at), at->len && at->len < sizeof(v) ? at->len : sizeof(v));
	return v;
}

int cx_attr_out(const struct cx_attrs *a, uint16_t id, const void *from, size_t len)
{
	struct ib_uverbs_attr *at = cx_attr(a, id);

	if (!at || at->len < len)
		return -EINVAL;
	memcpy((void *)(uintptr_t)at->data, from, len);
	at->flags |= UVERBS_ATTR_F_VALID_OUTPUT;
	return 0;
}

static void bind_in(const struct ib_uverbs_attr *a, const void **p, uint32_t *len)
{
	if (a) {
		*p = cx_attr_in(a);
		*len = a->len;
	}
}

static void bind_out(struct ib_uverbs_attr *a, void **p, uint32_t *len)
{
	if (a) {
		*p = (void *)(uintptr_t)a->data;
		*len = a->len;
		a->flags |= UVERBS_ATTR_F_VALID_OUTPUT;
	}
}

static int invoke_write(struct cx_attrs *a)
{
	struct cx_cmd c = {.ctx = a->ctx};
	uint32_t number = (uint32_t)cx_attr_const(a, UVERBS_ATTR_WRITE_CMD, UINT32_MAX);
	int i;

	bind_in(cx_attr(a, UVERBS_ATTR_CORE_IN), &c.in, &c.in_len);
	bind_in(cx_attr(a, UVERBS_ATTR_UHW_IN), &c.drv_in, &c.drv_in_len);
	bind_out(cx_attr(a, UVERBS_ATTR_CORE_OUT), &c.out, &c.out_len);
	bind_out(cx_attr(a, UVERBS_ATTR_UHW_OUT), &c.drv_out, &c.drv_out_len);
	for (i = 0; i < COMMANDS; i++)
		if (commands[i].number == number && !(number & EX) &&
		    (c.in_len < commands[i].in || c.out_len < commands[i].out))
			return -ENOSPC;
	return run_command(&c, number);
}

int cx_uverbs_ioctl(struct cx_ctx *ctx, struct ib_uverbs_ioctl_hdr *hdr)
{
	struct cx_attrs a = {ctx, hdr};
	int i, err;

	if (cx_settings.write_path)
		return -ENOTTY;
	if (hdr->length != sizeof(*hdr) + hdr->num_attrs * sizeof(hdr->attrs[0]))
		return -EINVAL;
	if (hdr->object_id == UVERBS_OBJECT_DEVICE && hdr->method_id == UVERBS_METHOD_INVOKE_WRITE)
		return invoke_write(&a);
	for (i = 0; i < METHODS; i++) {
		if (methods[i].object != hdr->object_id || methods[i].method != hdr->method_id)
			continue;
		err = cx_fault_command(COMMANDS + i);
		return err ? err : methods[i].run(&a);
	}
	return -EPROTONOSUPPORT;
}
