/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls of RDMA that the linker does not see: verbs.h makes them through pointers, which an
 * opened device has (device.def), a work queue for what is posted to it, a completion queue for
 * what is polled, and a queue pair for what it is asked to send. They are led here when the device
 * is opened and the queues are made.
 */
#include <errno.h>
#include <infiniband/verbs.h>
#include <string.h>

#include "points.h"

#define HERE __builtin_return_address(0)

#define OP(name, place, failure, error)                \
	static long (*real_##name)(WORDS);             \
	static long fail_##name(WORDS)                 \
	{                                              \
		if (!point_fails(#name, HERE))         \
			return real_##name(THE_WORDS); \
		errno = error;                         \
		return failure;                        \
	}
#include "device.def"
#undef OP

/* Puts `mine` where a pointer to a function stands, and that into *real. */
static void lead(void *place, void (*mine)(void), void *real)
{
	void (*was)(void);

	memcpy(&was, place, sizeof(was));
	if (!was || was == mine)
		return;
	memcpy(real, place, sizeof(was));
	memcpy(place, &mine, sizeof(mine));
}

#define LEAD(place, mine, real) lead(&(place), (void (*)(void))(mine), &(real))

/* ---- queues ---- */

static int (*real_post_send)(struct ibv_qp *, struct ibv_send_wr *, struct ibv_send_wr **);
static int (*real_post_recv)(struct ibv_wq *, struct ibv_recv_wr *, struct ibv_recv_wr **);
static int (*real_start_poll)(struct ibv_cq_ex *, struct ibv_poll_cq_attr *);
static int (*real_wr_complete)(struct ibv_qp_ex *);
static struct ibv_qp *(*real_create_qp)(struct ibv_context *, struct ibv_qp_init_attr_ex *);
static struct ibv_wq *(*real_create_wq)(struct ibv_context *, struct ibv_wq_init_attr *);
static struct ibv_cq_ex *(*real_create_cq)(struct ibv_context *, struct ibv_cq_init_attr_ex *);

static int post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
	if (!point_fails("ibv_post_send", HERE))
		return real_post_send(qp, wr, bad);
	*bad = wr;
	return ENOMEM;
}

static int post_recv(struct ibv_wq *wq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
{
	if (!point_fails("ibv_post_wq_recv", HERE))
		return real_post_recv(wq, wr, bad);
	*bad = wr;
	return ENOMEM;
}

static int start_poll(struct ibv_cq_ex *cq, struct ibv_poll_cq_attr *attr)
{
	return point_fails("ibv_start_poll", HERE) ? EIO : real_start_poll(cq, attr);
}

/* What failed has let go of all that came since ibv_wr_start(). */
static int wr_complete(struct ibv_qp_ex *qp)
{
	if (!point_fails("ibv_wr_complete", HERE))
		return real_wr_complete(qp);
	qp->wr_abort(qp);
	return ENOMEM;
}

static struct ibv_qp *create_qp(struct ibv_context *context, struct ibv_qp_init_attr_ex *attr)
{
	struct ibv_qp *qp = NULL;

	errno = ENOMEM;
	if (!point_fails("ibv_create_qp_ex", HERE))
		qp = real_create_qp(context, attr);
	if (qp && (attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS))
		LEAD(ibv_qp_to_qp_ex(qp)->wr_complete, wr_complete, real_wr_complete);
	return qp;
}

static struct ibv_wq *create_wq(struct ibv_context *context, struct ibv_wq_init_attr *attr)
{
	struct ibv_wq *wq = NULL;

	errno = ENOMEM;
	if (!point_fails("ibv_create_wq", HERE))
		wq = real_create_wq(context, attr);
	if (wq)
		LEAD(wq->post_recv, post_recv, real_post_recv);
	return wq;
}

static struct ibv_cq_ex *create_cq(struct ibv_context *context, struct ibv_cq_init_attr_ex *attr)
{
	struct ibv_cq_ex *cq = NULL;

	errno = ENOMEM;
	if (!point_fails("ibv_create_cq_ex", HERE))
		cq = real_create_cq(context, attr);
	if (cq)
		LEAD(cq->start_poll, start_poll, real_start_poll);
	return cq;
}

/* ---- the device ---- */

struct ibv_context *__real_ibv_open_device(struct ibv_device *device);
struct ibv_context *__wrap_ibv_open_device(struct ibv_device *device);
struct ibv_context *__wrap_ibv_open_device(struct ibv_device *device)
{
	struct ibv_context *context;
	struct verbs_context *table;

	errno = EMFILE;
	if (point_fails("ibv_open_device", HERE))
		return NULL;
	context = __real_ibv_open_device(device);
	table = context ? verbs_get_ctx(context) : NULL;
	if (!table)
		return context;
#define OP(name, place, failure, error) LEAD(table->place, fail_##name, real_##name);
#include "device.def"
	LEAD(context->ops.post_send, post_send, real_post_send);
	LEAD(table->create_qp_ex, create_qp, real_create_qp);
	LEAD(table->create_wq, create_wq, real_create_wq);
	LEAD(table->create_cq_ex, create_cq, real_create_cq);
	return context;
}
