/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device and its objects.
 *
 * Locking: one mutex (cx_lock) covers every field of every struct here, unless a field says
 * otherwise. Two kinds of threads take it: the program's threads, in an interposed system call,
 * and the device thread, for each turn (device.c). The program's own memory (rings, doorbell
 * records, packets) is not covered: the device reads and writes it as a NIC would, with an acquire
 * load of whatever publishes it and a release store of the byte that hands it over.
 *
 * Everything a device object points to in the program's memory is used only while the object
 * lives; an object is destroyed under the lock, so never during a turn.
 *
 * Why that is enough: there is one lock, so no order to keep. What is looked at without it is
 * atomic and decides nothing but who goes which way: the marks of descriptors (preload.c), who
 * waits for the lock (object.c), the end of the device thread (device.c). Settings are read once,
 * before any thread. Sockets to the program are written under the lock and never block. Under the
 * lock nothing waits for the program; the device thread blocks all signals, so no handler runs in
 * it. A command sees every register written before it, since it looks at them first (preload.c), so
 * an order that the program keeps between its threads is one that the device sees. A forked child
 * passes through to libc. Checked: conformance/threads_test.c, with ThreadSanitizer in the tsan
 * build.
 */
#ifndef CX_MODEL_H
#define CX_MODEL_H

#include <pthread.h>
#include <stdatomic.h>
#include "config.h"
#include "formats.h"

#define CX_MAX_OBJS    (1u << 18)
#define CX_MAX_QUEUES  (1u << 14)
#define CX_MAX_MRS     (1u << 14)
#define CX_MAX_PAGES   512 /* of doorbell registers */
#define CX_LATE_PAGES  32 /* static UARs that a context may map later, for thread domains */
#define CX_MAX_FRAME   16384
#define CX_MAX_SQ_DESC 1024

enum cx_type {
	CX_PD = 1,
	CX_MR,
	CX_CQ,
	CX_QP,
	CX_WQ,
	CX_IND,
	CX_FLOW,
	CX_MATCHER,
	CX_UAR,
	CX_TYPES
};

struct cx_dev;
struct cx_ctx;

struct cx_obj {
	enum cx_type type;
	uint32_t handle;
	uint32_t refs; /* objects that need this one */
	struct cx_ctx *ctx;
	struct cx_obj *prev, *next; /* in ctx->objs, newest first */
};

/* A socket pair to the program: completion channel or asynchronous events (events.c). */
struct cx_channel {
	struct cx_channel *next;
	struct cx_ctx *ctx;
	int fd; /* the program's end: its number only */
	int peer, reader; /* our end, and a duplicate of the program's, to take events back */
	uint32_t refs;
	bool closed;
};

/* One open uverbs descriptor: an ibv_context, a transport domain of its own. */
struct cx_ctx {
	struct cx_ctx *next;
	struct cx_dev *dev;
	int fd;
	bool live; /* GET_CONTEXT was answered */
	struct cx_channel *async;
	struct cx_channel *channels;
	struct cx_obj *objs;
	uint32_t pages; /* static UARs */
	uint16_t page[16];
	uint16_t late[CX_LATE_PAGES]; /* by MLX5_IB_MMAP_ALLOC_WC; 0: not mapped yet */
	uint32_t next_bfreg;
};

struct cx_pd {
	struct cx_obj o;
	uint32_t pdn;
};

struct cx_mr {
	struct cx_obj o;
	struct cx_pd *pd;
	uint32_t lkey;
	uint64_t start, iova, len;
	uint32_t access;
};

struct cx_comp { /* a compression session being gathered */
	struct cx_rx_cqe title;
	struct cx_mini_cqe mini[64];
	uint32_t n;
};

struct cx_cq {
	struct cx_obj o;
	struct cx_cq *next; /* in dev->cqs */
	uint32_t cqn, cnt, log, size;
	uint8_t *buf;
	_Atomic uint32_t *dbrec; /* [0] consumer index, [1] arm */
	uint32_t pi;
	uint32_t ci_seen; /* consumer index when it was last read: only when the ring seems full */
	uint64_t user_handle;
	struct cx_channel *channel;
	uint32_t page; /* UAR page of the arm register */
	bool ignore_overrun, broken;
	uint32_t comp_format; /* 0: not compressed */
	struct cx_comp comp;
	bool armed;
	bool solicited;
	uint32_t arm_seen, arm_ci; /* last value of the arm record; its consumer index */
	int fired_sn; /* sequence number of the last event, -1 before the first */
	uint32_t late_arms; /* with that number, since then */
	uint32_t comp_sent, async_sent;
};

enum cx_state {
	CX_RESET,
	CX_READY,
	CX_ERROR
};

struct cx_sq {
	struct cx_sq *next; /* in dev->sqs */
	struct cx_qp *qp;
	struct cx_pd *pd;
	struct cx_cq *cq;
	uint32_t sqn, tisn, uidx, cnt, page;
	uint8_t *buf;
	_Atomic uint32_t *dbrec; /* [1] of the QP's record */
	enum cx_state state;
	uint16_t pi, ci; /* WQEBBs, free running: rung, executed */
	uint16_t reported; /* end of the last WQE that a CQE told the driver about */
	uint64_t due; /* delayed completions: not before this time */
	bool prewritten; /* completions were, while paused (control.c) */
};

struct cx_rq {
	struct cx_rq *next; /* in dev->rqs */
	struct cx_ctx *ctx;
	struct cx_pd *pd;
	struct cx_cq *cq;
	uint32_t rqn, uidx, cnt, shift;
	uint8_t *buf;
	_Atomic uint32_t *dbrec;
	enum cx_state state;
	uint16_t ci;
	uint16_t end; /* doorbell record when it was last read: only when ci has come there */
	bool strip, fcs;
	uint8_t drops; /* since the last CQE, saturating */
	uint64_t out_of_buffer;
};

struct cx_wq {
	struct cx_obj o;
	struct cx_rq rq;
	uint64_t user_handle;
	uint32_t async_sent;
};

struct cx_ind {
	struct cx_obj o;
	uint32_t num, log;
	struct cx_wq **wq;
};

/* Where a flow's frames go. */
struct cx_tir {
	uint32_t tirn;
	struct cx_rq *rq; /* direct, or NULL */
	struct cx_ind *ind;
	uint8_t key[40];
	uint64_t fields; /* MLX5_RX_HASH_* */
	bool loop_uc, loop_mc; /* takes frames of its own transport domain */
	struct cx_ctx *ctx;
};

struct cx_qp {
	struct cx_obj o;
	struct cx_pd *pd;
	bool rss, has_sq, has_rq;
	uint32_t state; /* enum ibv_qp_state */
	uint8_t port;
	struct cx_sq sq;
	struct cx_rq rq;
	struct cx_tir tir;
	uint64_t user_handle;
	uint32_t async_sent;
	uint32_t cap[5]; /* as asked: send wr, recv wr, send sge, recv sge, inline */
};

struct cx_uar {
	struct cx_obj o;
	uint32_t page;
};

/* Numbers of queues: SQ, RQ and CQ share one space, and are not reused soon. */
struct cx_number {
	enum {
		CX_NONE,
		CX_IS_SQ,
		CX_IS_RQ,
		CX_IS_CQ
	} kind;
	void *queue;
};

struct cx_pages {
	int memfd;
	uint8_t *map; /* the device's own mapping */
	uint32_t high; /* pages in use are below this */
	bool used[CX_MAX_PAGES];
};

struct cx_stats {
	uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes, rx_missed, out_of_buffer, tx_denied,
		loopback, kernel, faults;
};

struct cx_wire; /* wire.c */
struct cx_steer; /* steer.c */

struct cx_dev {
	const struct cx_config *cfg;
	const struct cx_personality *pers;
	int index;
	bool attached;
	uint8_t mac[6];
	bool port_up;
	bool pulled; /* by command: the link is down whatever the wire says */
	struct cx_ctx *ctxs;
	struct cx_sq *sqs;
	struct cx_rq *rqs;
	struct cx_cq *cqs;
	struct cx_mr *mr[CX_MAX_MRS];
	uint32_t next_mr, next_pd;
	struct cx_number num[CX_MAX_QUEUES];
	uint32_t next_num;
	struct cx_pages uar, clock;
	struct cx_wire *wire;
	struct cx_steer *rx, *tx;
	uint32_t self_loop; /* TIRs that asked for loopback */
	uint32_t live_ctxs;
	uint64_t now; /* device clock, cycles, of this turn */
	struct cx_stats stats;
};

extern struct cx_dev cx_devs[CX_MAX_DEVS];
extern pthread_mutex_t cx_mutex;

/* ---- object.c ---- */
void cx_lock(void); /* for the program's threads: the device thread steps back */
void cx_step_back(void); /* for the device thread, without the lock */
void cx_unlock(void);
void *cx_obj_new(struct cx_ctx *ctx, enum cx_type type, size_t size);
void *cx_obj_find(struct cx_ctx *ctx, uint32_t handle, enum cx_type type);
void cx_obj_free(struct cx_obj *o);
const char *cx_type_name(enum cx_type type);
uint32_t cx_number_new(struct cx_dev *dev, int kind, void *queue);
void cx_number_free(struct cx_dev *dev, uint32_t number);
struct cx_number *cx_number_find(struct cx_dev *dev, uint32_t number);

/* ---- context.c ---- */
int cx_ctx_open(struct cx_dev *dev); /* descriptor or -1 with errno */
struct cx_ctx *cx_ctx_by_fd(int fd); /* lock held */
bool cx_ctx_close(int fd); /* destroys everything that hangs on it */
int cx_obj_destroy(struct cx_obj *o); /* 0 or -EBUSY */

/* ---- events.c ---- */
struct cx_channel *cx_channel_new(struct cx_ctx *ctx);
struct cx_channel *cx_channel_by_fd(struct cx_ctx *ctx, int fd);
void cx_channel_put(struct cx_channel *ch);
bool cx_channel_close_fd(int fd);
void cx_event_async(struct cx_ctx *ctx, uint64_t element, uint32_t type);
void cx_event_qp(struct cx_qp *qp, uint32_t type);
void cx_event_wq(struct cx_wq *wq, uint32_t type);
void cx_event_cq(struct cx_cq *cq, uint32_t type);
void cx_event_device(struct cx_dev *dev, uint64_t element, uint32_t type);
void cx_event_comp(struct cx_cq *cq);
/* Takes back what the program has not read; returns how many it had. */
uint32_t cx_event_purge_async(struct cx_ctx *ctx, uint64_t element);
uint32_t cx_event_purge_comp(struct cx_cq *cq);
bool cx_event_unread_comp(struct cx_cq *cq); /* there is one that the program has not read */

/* ---- uar.c ---- */
int cx_pages_init(struct cx_pages *p, const char *name);
void cx_pages_exit(struct cx_pages *p);
int cx_page_alloc(struct cx_pages *p);
void cx_page_free(struct cx_pages *p, uint32_t page);
void *cx_ctx_mmap(struct cx_ctx *ctx, void *addr, size_t len, int prot, int flags, off_t off);
bool cx_ctx_has_page(const struct cx_ctx *ctx, uint32_t page); /* as a UAR object */
bool cx_uar_scan(struct cx_dev *dev); /* true if a register was written */

/* ---- cq.c, compress.c ---- */
void cx_cq_req(struct cx_sq *sq, uint16_t wqe, uint8_t opcode, uint32_t bytes);
void cx_cq_error(struct cx_cq *cq, uint8_t op, uint32_t qpn, uint32_t uidx, uint16_t wqe,
		 uint8_t opcode, uint8_t syndrome);
void cx_cq_receive(struct cx_cq *cq, struct cx_rx_cqe *cqe);
bool cx_cq_room(struct cx_cq *cq, uint32_t n);
void cx_cq_put(struct cx_cq *cq, const void *cqe, uint8_t op_own);
void *cx_cq_slot(struct cx_cq *cq, uint32_t index);
void cx_cq_arm(struct cx_cq *cq);
void cx_cq_notify(struct cx_cq *cq);
void cx_comp_add(struct cx_cq *cq, const struct cx_rx_cqe *cqe);
void cx_comp_flush(struct cx_cq *cq);

/* ---- pd_mr.c ---- */
/* The bytes of [addr, addr + len) for a queue of pd, or NULL with the broken rule in *why. */
uint8_t *cx_mr_data(struct cx_dev *dev, struct cx_pd *pd, uint32_t lkey, uint64_t addr,
		    uint32_t len, bool write, const char **why);

/* ---- sq.c ---- */
void cx_sq_ring(struct cx_sq *sq);
int cx_sq_run(struct cx_sq *sq, int budget);
void cx_sq_skip(struct cx_sq *sq); /* what was posted while completions were pre-written */
void cx_sq_state(struct cx_sq *sq, enum cx_state state);
void cx_sq_fail(struct cx_sq *sq, uint8_t opcode, uint8_t syndrome);

/* ---- rq.c ---- */
struct cx_frame;
void cx_rq_deliver(struct cx_rq *rq, const struct cx_frame *f, uint32_t hash, uint8_t hash_type,
		   uint32_t tag);
uint16_t cx_rq_posted(const struct cx_rq *rq); /* WQEs, by the doorbell record */
bool cx_rq_takes(struct cx_rq *rq); /* a frame now would find a buffer */
void cx_rq_state(struct cx_rq *rq, enum cx_state state);
void cx_rq_init(struct cx_rq *rq, struct cx_ctx *ctx);
void cx_rq_fail(struct cx_rq *rq, uint8_t syndrome);
void cx_rq_flush(struct cx_rq *rq);

/* ---- device.c ---- */
int cx_dev_start(struct cx_dev *dev); /* lock held; wire, pages, thread */
void cx_dev_stop_all(void);
bool cx_dev_turn(void); /* lock held: one turn of every device; true if there was work */
void cx_dev_receive(struct cx_dev *dev, const uint8_t *data, uint32_t len);
struct cx_wqe;
/* A frame of the request w. */
void cx_dev_transmit(struct cx_sq *sq, const struct cx_wqe *w, const uint8_t *data, uint32_t len);
uint64_t cx_now_ns(void);
extern bool cx_started;

/* ---- clock.c ---- */
void cx_clock_init(struct cx_dev *dev);
void cx_clock_tick(struct cx_dev *dev, uint64_t ns);
#define CX_CLOCK_KHZ 156250u /* of the free-running counter */

#endif
