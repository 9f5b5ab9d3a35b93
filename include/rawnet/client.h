/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * librawnet: a program's side of rawnetd.
 *
 *   struct rawnet *rn;              a connection, identified by the kernel (uid, gid, pid)
 *   struct rawnet_attachment *at;   a share of one port: packet memory, queues, rules
 *   struct rawnet_queue *q;         one rx ring and one tx ring
 *
 * Return values: 0 or a count, or -errno; rawnet_error() has the sentence that goes with it.
 * Options: fill `size` with sizeof the struct and zero the rest; zero always means the default.
 *
 * Threads. A connection, its attachments and rules may be used by any thread, the library takes a
 * lock. A queue is used by one thread at a time, without any lock. With RAWNET_NO_THREAD the
 * program calls rawnet_process() itself when rawnet_fd() is readable; otherwise the library has one
 * sleeping thread that reads the control socket, delivers events, and after a daemon restart
 * attaches again, restores the rules and reports the gap.
 *
 * Restart. When the daemon goes away, bursts return 0 and waits time out. After the re-attach a
 * queue switches to its new memory inside its next rx or tx burst, rawnet_queue_sync(), or wait:
 * pointers and offsets from before that call are then void, packets that stood in the old rings are
 * lost and counted in rawnet_gap(). Programs that use the rings in place call rawnet_queue_sync()
 * each turn.
 *
 * Packets are whole Ethernet frames without FCS, bytes as on the wire.
 */
#ifndef RAWNET_CLIENT_H
#define RAWNET_CLIENT_H

#include "abi.h"
#include "counters.h"
#include "flow.h"
#include "prefetch.h"
#include "proto.h"
#include "ring.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RAWNET_API __attribute__((visibility("default")))

struct rawnet;
struct rawnet_attachment;

/* ---- connection ---- */

#define RAWNET_NO_THREAD    0x1u /* the program calls rawnet_process() */
#define RAWNET_NO_RECONNECT 0x2u /* a lost daemon is final: calls return -ENOTCONN */

struct rawnet_options {
	uint32_t size;
	uint32_t flags; /* RAWNET_NO_* */
	const char *socket; /* NULL: $RAWNET_SOCKET, else RAWNET_DEFAULT_SOCKET */
	const char *label; /* what the client calls itself; NULL: none */
	const char *program; /* NULL: the name of the executable */
	uint32_t timeout_ms; /* for each request; 0: 5000 */
	uint32_t reserved;
	/* Called by the library's thread or rawnet_process(), without a lock held. */
	void (*event)(void *arg, const struct rawnet_event *event);
	void (*gone)(void *arg, const struct rawnet_disconnect *why); /* why is NULL for a crash */
	void (*back)(void *arg, uint64_t gap_ns); /* attached again, rules restored, after gap_ns */
	void *arg;
};

/* Connects and says HELLO. Errors: -ENOENT, -ECONNREFUSED (no daemon), -EACCES (socket's mode),
 * -EPROTO (versions), -ETIMEDOUT. Cost: system calls; sets up one thread unless told not to. */
RAWNET_API int rawnet_connect(struct rawnet **rn, const struct rawnet_options *options);

/* Detaches everything, deletes the rules that are not persistent, frees. NULL is allowed. */
RAWNET_API void rawnet_close(struct rawnet *rn);

/* The sentence for the last error of this thread's last call; never NULL. */
RAWNET_API const char *rawnet_error(void);

/* What the daemon said in HELLO. */
RAWNET_API const struct rawnet_rep_hello *rawnet_hello(const struct rawnet *rn);

/* To poll for reading with RAWNET_NO_THREAD: readable when rawnet_process() has work. The same
 * until the close. */
RAWNET_API int rawnet_fd(const struct rawnet *rn);

/* Handles what has arrived, without blocking (but for the replies of a daemon that is just back):
 * 0, -ENOTCONN with RAWNET_NO_RECONNECT, -ECONNABORTED after the daemon ended this client. */
RAWNET_API int rawnet_process(struct rawnet *rn);

/* The gap of the last restart: nanoseconds without a daemon, and tx packets that were published but
 * not taken; 0 restarts: all zero. */
struct rawnet_gap_info {
	uint32_t size;
	uint32_t restarts;
	uint64_t last_ns, total_ns;
	uint64_t tx_lost, rx_lost;
};
RAWNET_API int rawnet_gap(struct rawnet *rn, struct rawnet_gap_info *gap);

/* Which events (RAWNET_EVENT_*) the callback gets. */
RAWNET_API int rawnet_subscribe(struct rawnet *rn, uint32_t mask);

/* One request and its reply, for tools: `req` with its header's type set; `rep` gets up to rep_size
 * bytes, zero-padded. A refusal is returned as its errno, with rawnet_error(). Received descriptors
 * are closed. Lists: see rawnet_list_next. */
RAWNET_API int rawnet_request(struct rawnet *rn, void *req, size_t req_size, void *rep,
			      size_t rep_size);

/* ---- attachment ---- */

struct rawnet_attach_options {
	uint32_t size;
	uint32_t n_queues; /* these as in struct rawnet_req_attach */
	uint32_t rx_size;
	uint32_t tx_size;
	uint32_t buf_size;
	uint32_t n_bufs;
	uint32_t headroom;
	uint32_t flags;
	uint32_t copies;
};

/* Attaches to a port by its Linux name. The rx rings are posted full; what buffers remain are for
 * tx: each tx slot starts with a buffer of its own, the rest are free (rawnet_buf_get).
 * Errors: -ENODEV, -EACCES (policy), -EDQUOT (quota), -EMSGSIZE (buf_size), -EINVAL, -ENOMEM. */
RAWNET_API int rawnet_attach(struct rawnet *rn, const char *dev,
			     const struct rawnet_attach_options *options,
			     struct rawnet_attachment **at);
RAWNET_API int rawnet_detach(struct rawnet_attachment *at);
RAWNET_API int rawnet_copies(struct rawnet_attachment *at, uint32_t copies);

/* What the daemon granted: id, MAC, MTU, queues, offloads. Valid until the detach. */
RAWNET_API const struct rawnet_rep_attach *
rawnet_attachment_info(const struct rawnet_attachment *at);

/* Sum of the queues' counters, or one queue's; read from shared memory, no system call. */
RAWNET_API int rawnet_counters(const struct rawnet_attachment *at, uint32_t queue,
			       uint64_t v[RAWNET_COUNTERS_SPACE]);

/* ---- queue ---- */

/* Open, so that the ring functions inline; members are the library's to write, but for rx and tx
 * through the functions of ring.h. */
struct rawnet_queue {
	struct rawnet_ring rx, tx;
	uint8_t *mem; /* packet memory, shared by the queues of the attachment */
	uint64_t mem_size;
	uint32_t buf_size; /* a power of two */
	uint32_t headroom;
	uint32_t max_frame;
	uint32_t busy; /* the poller never sleeps */
	uint32_t changed; /* the library's thread sets it (release): rawnet_queue_sync() has work */
	uint32_t index;
	int wake_fd; /* of the wait; readable after a wake-up */
	uint32_t n_free; /* spare buffers */
	uint32_t *free_bufs; /* their offsets, taken last-in-first-out: warm in the cache */
	struct rawnet_attachment *at;
};

/* Queue 0..n_queues-1; NULL beyond. The pointer stays valid until the detach, over restarts. */
RAWNET_API struct rawnet_queue *rawnet_queue(struct rawnet_attachment *at, uint32_t index);

/* Takes over new memory after a restart: 1 if it did (all offsets and pointers are void), else 0.
 * Cost: a load of a line that nobody writes. */
RAWNET_API int rawnet_queue_switch(struct rawnet_queue *q);
static inline int rawnet_queue_sync(struct rawnet_queue *q)
{
	if (__builtin_expect(__atomic_load_n(&q->changed, __ATOMIC_ACQUIRE) == 0, 1))
		return 0;
	return rawnet_queue_switch(q);
}

/* A packet by its parts, for the burst calls. */
struct rawnet_packet {
	uint8_t *data; /* in packet memory */
	uint32_t len;
	uint16_t flags; /* RAWNET_RX_* when received; RAWNET_TX_* without MORE to send */
	uint16_t vlan_tci;
	union {
		struct {
			uint32_t hash;
			uint16_t rule;
		} rx;
		struct {
			uint8_t l2_len, l3_len, l4_len;
			uint16_t tso_mss;
		} tx;
	} u;
	uint64_t stamp; /* with RAWNET_RX_STAMP */
};

/* Receives up to n packets: returns how many. Their buffers are the caller's until they are sent
 * (rawnet_tx_burst) or freed (rawnet_buf_put). Each is replaced in the ring by a spare buffer, so
 * that no more are received than spare buffers are there. No system call while the poller is awake.
 */
RAWNET_API uint32_t rawnet_rx_burst(struct rawnet_queue *q, struct rawnet_packet *p, uint32_t n);

/* Sends up to n packets, each in one buffer got from rx or rawnet_buf_get, which then belong to the
 * queue: returns how many were taken; the others are still the caller's. No system call while the
 * poller is awake. What is refused later is counted (rawnet_counters), not reported here. */
RAWNET_API uint32_t rawnet_tx_burst(struct rawnet_queue *q, const struct rawnet_packet *p,
				    uint32_t n);

/* A spare buffer with at least `headroom` bytes in front of the pointer and max_frame behind it, or
 * NULL; and back. */
RAWNET_API uint8_t *rawnet_buf_get(struct rawnet_queue *q);
RAWNET_API void rawnet_buf_put(struct rawnet_queue *q, uint8_t *data);

static inline uint8_t *rawnet_data(const struct rawnet_queue *q, const struct rawnet_slot *slot)
{
	return q->mem + slot->off;
}

/* Asks for the first line of the k-th free tx slot's memory ahead of its use. The poller's core
 * read it last: the first write to it waits for that core, and what is published behind that write
 * waits with it. For who sends a packet now and then, once one is published, for the next; a stream
 * of packets hides that wait by itself. Reads a slot. */
static inline void rawnet_tx_prefetch(const struct rawnet_queue *q, uint32_t k)
{
	rawnet_prefetch_write(rawnet_data(q, rawnet_tx_slot(&q->tx, k)));
}

/* After writing to the rings in place: publish both rings, wake the poller if it sleeps.
 * One system call if it sleeps, else none. */
RAWNET_API void rawnet_kick(struct rawnet_queue *q);
static inline void rawnet_flush(struct rawnet_queue *q)
{
	rawnet_ring_publish(&q->rx);
	rawnet_ring_publish(&q->tx);
	if (!q->busy && (rawnet_ring_must_wake(&q->tx) ||
			 __atomic_load_n(&q->rx.ctl->sleep.daemon, __ATOMIC_RELAXED)))
		rawnet_kick(q);
}

/* What to wait for. */
#define RAWNET_WAIT_RX 0x1u /* packets to read */
#define RAWNET_WAIT_TX 0x2u /* tx slots to take back */

/* Sleeps until there is something, timeout_ms passed (-1: none), or a signal came: 1, 0, or -EINTR.
 * 1 also when the memory is new after a restart: the next burst may be empty.
 * For programs with their own loop: rawnet_arm() returns 1 if there is something already, else poll
 * or epoll rawnet_queue_fd() for reading, then rawnet_disarm(). Both return -ECONNABORTED or
 * -ENOTCONN once the attachment has ended for good, and -ENOMEM or -ENOSPC when a restart of the
 * daemon has brought a socket that cannot be watched yet. */
RAWNET_API int rawnet_wait(struct rawnet_queue *q, uint32_t what, int timeout_ms);
RAWNET_API int rawnet_arm(struct rawnet_queue *q, uint32_t what);
RAWNET_API void rawnet_disarm(struct rawnet_queue *q);
RAWNET_API int rawnet_queue_fd(const struct rawnet_queue *q);

/* ---- flow rules ---- */

/* Text to match and back, by the grammar of flow.h. parse: 0, or -EINVAL with rawnet_error() naming
 * the word. format: always a text that parses to the same match; returns its length. */
RAWNET_API int rawnet_match_parse(const char *text, struct rawnet_match *match);
RAWNET_API int rawnet_match_format(const struct rawnet_match *match, char *text, size_t size);

/* Which of `words`, NULL-terminated, `word` was probably meant to be, but for one typing error in
 * words of up to 3 letters, two up to 6, three above; NULL if none is so near. For programs whose
 * command lines have words of their own around a match. */
RAWNET_API const char *rawnet_nearest_word(const char *word, const char *const *words);

struct rawnet_flow_options {
	uint32_t size;
	uint32_t flags; /* RAWNET_FLOW_PERSIST | GROUP | FORCE | CHECK */
	uint32_t confirm; /* seconds until it goes back unless confirmed; 0: for good */
	uint32_t gap; /* enum rawnet_gap */
	uint32_t attachment; /* another target, by id ... */
	uint32_t reserved;
	const char *label; /* ... or by label; default: this attachment */
};

/* Adds a rule: its id in *rule. Errors: -EINVAL (contradiction), -EEXIST (same match), -EBUSY
 * (would take another user's traffic), -EPERM (protected match, or not yours), -EACCES (policy),
 * -EDQUOT, -ENOSPC (shapes or table full). Restored after a restart. */
RAWNET_API int rawnet_flow_add(struct rawnet_attachment *at, const struct rawnet_match *match,
			       const struct rawnet_flow_options *options, uint64_t *rule);
/* The same for n matches, pipelined: returns how many were added, in order, or the first's -errno.
 */
RAWNET_API int rawnet_flow_add_many(struct rawnet_attachment *at, const struct rawnet_match *match,
				    uint32_t n, const struct rawnet_flow_options *options,
				    uint64_t *rules);
RAWNET_API int rawnet_flow_del(struct rawnet *rn, uint64_t rule);
RAWNET_API int rawnet_flow_move(struct rawnet *rn, uint64_t rule, const struct rawnet_target *to);
RAWNET_API int rawnet_flow_confirm(struct rawnet *rn, uint64_t rule);

/* Walks a list (FLOW_LIST, PORT_LIST, CLIENT_LIST, ATTACHMENT_LIST, POLLER_LIST): calls each() for
 * every entry until it returns non-zero, which is then returned. `entry_size` is what the caller
 * knows of an entry: shorter ones are zero-padded. */
RAWNET_API int rawnet_list_each(struct rawnet *rn, enum rawnet_msg type,
				const struct rawnet_req_list *filter, size_t entry_size,
				int (*each)(void *arg, const void *entry), void *arg);

/* ---- routes ---- */

/* How to send to an address: what the kernel would write into the headers. */
struct rawnet_nexthop {
	uint32_t size;
	uint32_t mtu; /* longest IP packet, in bytes */
	uint16_t vlan; /* id of the tag; 0: untagged */
	uint8_t smac[6]; /* of the interface; a macvlan client has its own */
	uint8_t dmac[6];
	uint8_t via_family; /* 4 or 6 */
	uint8_t has_src;
	uint8_t src[16]; /* which the host would send from, of the destination's family */
	uint8_t via[16]; /* the gateway, or the destination itself: whose MAC dmac is */
};

/* Asks the kernel, through the daemon, how a packet to addr (family 4: 4 bytes; 6: 16) leaves by
 * port dev. A MAC that is not known is resolved by the kernel; the call waits for that up to
 * timeout_ms (0: not at all; -1: until the kernel gives up, some seconds). Answers age: ask again
 * every few seconds what is in use, which also keeps the kernel's entry fresh.
 * Errors: -EINPROGRESS (still asking: everything but dmac is filled in), -EHOSTUNREACH (nobody
 * answers; likewise, or the route says so), -ENETUNREACH (no route), -EXDEV (leaves by another
 * interface, or is this host), -EACCES (policy, or the route), -ENODEV, -EOPNOTSUPP, -EINVAL. Cost:
 * a request to the daemon, and system calls there. Any thread. */
RAWNET_API int rawnet_route(struct rawnet *rn, const char *dev, unsigned family, const void *addr,
			    int timeout_ms, struct rawnet_nexthop *hop);

/* ---- names ---- */

struct rawnet_counter_info {
	const char *name;
	const char *unit;
	const char *help;
};
/* What a counter is; NULL beyond the last. */
RAWNET_API const struct rawnet_counter_info *rawnet_queue_counter_info(unsigned counter);
RAWNET_API const struct rawnet_counter_info *rawnet_port_counter_info(unsigned counter);
RAWNET_API const char *rawnet_reason_text(unsigned reason);
RAWNET_API const char *rawnet_version(void);

#ifdef __cplusplus
}
#endif
#endif
