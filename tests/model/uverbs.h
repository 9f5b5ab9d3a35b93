/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's side of uverbs: one command, however it arrived (write(), or the ioctl that wraps
 * a write command), and the ioctl methods that have no write command.
 *
 * Handlers run under the lock, on a thread of the program. They return 0 or -errno.
 */
#ifndef CX_UVERBS_H
#define CX_UVERBS_H

#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <rdma/mlx5-abi.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include "model.h"

struct cx_cmd {
	struct cx_ctx *ctx;
	const void *in, *drv_in;
	void *out, *drv_out;
	uint32_t in_len, drv_in_len, out_len, drv_out_len;
};

/* Copies the request; a shorter one is padded with zeros. */
void cx_cmd_in(const struct cx_cmd *c, void *to, size_t len);
void cx_cmd_drv_in(const struct cx_cmd *c, void *to, size_t len);
/* Copy the response; return the bytes that fitted. */
uint32_t cx_cmd_out(struct cx_cmd *c, const void *from, size_t len);
uint32_t cx_cmd_drv_out(struct cx_cmd *c, const void *from, size_t len);

typedef int cx_handler(struct cx_cmd *c);
cx_handler cx_get_context, cx_query_device, cx_query_device_ex, cx_query_port, cx_alloc_pd,
	cx_dealloc_pd, cx_reg_mr, cx_dereg_mr, cx_create_channel, cx_create_cq, cx_create_cq_ex,
	cx_destroy_cq, cx_modify_cq, cx_create_qp, cx_create_qp_ex, cx_query_qp, cx_modify_qp,
	cx_destroy_qp, cx_create_wq, cx_modify_wq, cx_destroy_wq, cx_create_ind, cx_destroy_ind,
	cx_create_flow, cx_destroy_flow;

/* An ioctl method's attributes. */
struct cx_attrs {
	struct cx_ctx *ctx;
	struct ib_uverbs_ioctl_hdr *hdr;
};

struct ib_uverbs_attr *cx_attr(const struct cx_attrs *a, uint16_t id);
const void *cx_attr_in(const struct ib_uverbs_attr *a); /* inline or by pointer */
uint64_t cx_attr_const(const struct cx_attrs *a, uint16_t id, uint64_t none);
int cx_attr_out(const struct cx_attrs *a, uint16_t id, const void *from, size_t len);

typedef int cx_method(struct cx_attrs *a);
cx_method cx_uar_alloc, cx_uar_destroy, cx_matcher_create, cx_matcher_destroy, cx_flow_create_dv;

int cx_uverbs_ioctl(struct cx_ctx *ctx, struct ib_uverbs_ioctl_hdr *hdr);
int cx_uverbs_write(struct cx_ctx *ctx, const void *buf, size_t len);
/* The command's number (with the extended flag), or 0 if there is no such name; cx_command_count.
 */
int cx_command_index(const char *name);
const char *cx_command_name(int index);
int cx_command_count(void);

/* Destroys an object that may have users, on the way out; see context.c. */
int cx_pd_free(struct cx_obj *o);
int cx_mr_free(struct cx_obj *o);
int cx_cq_free(struct cx_obj *o);
int cx_qp_free(struct cx_obj *o);
int cx_wq_free(struct cx_obj *o);
int cx_ind_free(struct cx_obj *o);
int cx_flow_free(struct cx_obj *o);
int cx_matcher_free(struct cx_obj *o);
int cx_uar_free(struct cx_obj *o);

#endif
