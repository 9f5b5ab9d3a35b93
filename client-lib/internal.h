/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the library's files share: the connection, its attachments, their mappings and queues, its
 * rules.
 *
 * Locks. `struct rawnet::lock` protects the connection: the socket, the requests on it, the lists
 * of attachments and rules, the callbacks that wait for delivery. It is held over whole requests,
 * and never while a callback of the program runs. `map_lock` protects which mapping an attachment's
 * counters are read from; it is held for a few loads and stores only. A queue has no lock: its
 * thread owns everything in it but `pending` and `q.changed`, which the connection's side writes.
 *
 * Switch of a queue to new memory, after a restart of the daemon:
 *   connection   generation += 1, changed = 1 (release)         the daemon is gone: tx stops
 *   connection   pending = new mapping (exchange), changed = 1 (release)
 *   queue        takes pending (exchange), uses it, changed = 0 (exchange), and sets it to 1 again
 *                if the generation is no longer the mapping's
 * The exchange of `changed` reads what the connection's side stored last, so a loss of the daemon
 * that comes while a queue switches is either seen in the generation, or leaves changed at 1.
 */
#ifndef RAWNET_CLIENT_LIB_INTERNAL_H
#define RAWNET_CLIENT_LIB_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "rawnet/client.h"
#include "idmap.h"

#define RN_FDS_MAX	   (3u + RAWNET_QUEUES_MAX) /* descriptors of one reply */
#define RN_RING_DEFAULT	   1024u /* what the daemon takes for a ring size of 0 */
#define RN_TIMEOUT_MS	   5000u
#define RN_BACKOFF_MAX	   100u /* milliseconds between attempts to connect again */
#define RN_BACKOFF_SOON	   8u /* the same, so soon after the loss: */
#define RN_BACKOFF_SOON_NS 1000000000u
#define RN_LINE		   64u /* of the caches */
#define RN_CALLS_MAX	   1024u /* events that wait for delivery */

/* ---- error.c ---- */

/* Keeps the sentence for rawnet_error() and returns `err`. */
int rn_fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Copies an option struct of another version of the header: the rest is zero. -EINVAL, -E2BIG. */
int rn_options_copy(void *to, size_t to_size, const void *from, const char *what);

/* ---- wire.c: messages on a socket ---- */

struct rn_msg {
	union {
		struct rawnet_hdr hdr;
		uint64_t align;
		uint8_t bytes[RAWNET_MSG_MAX];
	};
	uint32_t size;
	uint32_t n_fds;
	bool cut; /* more descriptors came than this process may have */
	int fds[RN_FDS_MAX];
};

uint64_t rn_now_ns(void); /* CLOCK_MONOTONIC */
int rn_wire_dial(const char *path, uint64_t deadline); /* a descriptor or -errno */
int rn_wire_send(int fd, const void *msg, size_t size); /* 0, -EAGAIN, -errno */
int rn_wire_recv(int fd, struct rn_msg *m); /* 1, 0 at the end, -EAGAIN, -EPROTO, -errno */
int rn_wire_wait(int fd, short events, uint64_t deadline); /* 0, -ETIMEDOUT */
void rn_msg_close(struct rn_msg *m); /* closes the descriptors that are still in it */
void rn_msg_get(const struct rn_msg *m, void *to, size_t size); /* zero-padded */
int rn_msg_refused(const struct rn_msg *m); /* its error with the daemon's sentence, or 0 */

/* ---- calls.c: callbacks that wait for delivery ---- */

enum rn_call_kind {
	RN_CALL_EVENT,
	RN_CALL_GONE,
	RN_CALL_BACK
};

struct rn_call {
	struct rn_call *next;
	enum rn_call_kind kind;
	uint32_t reserved; /* atomic: is one of rn_calls::reserve, and in use */
	bool crash; /* GONE without a reason */
	uint64_t gap_ns; /* BACK */
	union {
		struct rawnet_event event;
		struct rawnet_disconnect why;
	};
};

struct rn_calls {
	struct rn_call *head, **tail;
	uint32_t n;
	uint32_t lost; /* events that found no room, told with the next one */
	struct rn_call reserve[2]; /* for GONE and BACK, which must be told without memory too */
};

void rn_calls_init(struct rn_calls *calls);
void rn_calls_event(struct rawnet *rn, const struct rawnet_event *event);
void rn_calls_report(struct rawnet *rn, uint32_t kind, const char *what, uint64_t id,
		     const struct rawnet_attachment *at, const char *text);
void rn_calls_gone(struct rawnet *rn, const struct rawnet_disconnect *why);
void rn_calls_back(struct rawnet *rn, uint64_t gap_ns);
void rn_calls_run(struct rawnet *rn, struct rn_call *list); /* without the lock; frees */
void rn_calls_free(struct rn_call *list);

/* ---- mem.c: the mappings of one attach ---- */

/* What a queue starts with. */
struct rn_start {
	struct rawnet_ring rx, tx;
	uint32_t *free_bufs; /* room for every buffer of the attachment */
	uint32_t n_free;
	int wake_fd;
};

struct rn_mem {
	uint32_t refs; /* atomic: the attachment, and each queue that uses it or is to use it */
	uint32_t generation; /* of the attachment, when it was mapped */
	uint32_t n_queues;
	struct rawnet_rings head; /* copy of the header, checked; its queue[] too */
	uint8_t *rings, *packets;
	const struct rawnet_counters *counters;
	uint64_t rings_size, packets_size, counters_size;
	uint32_t starts; /* a new packet begins at one of so many lines of its buffer, less 1 */
	struct rn_start start[RAWNET_QUEUES_MAX];
};

/* Maps what the daemon sent, after checking every size and offset, and posts the buffers. Takes the
 * descriptors out of the message, or leaves them to rn_msg_close. 0, -EPROTO, -ENOMEM. */
int rn_mem_map(struct rn_mem **mem, const struct rawnet_rep_attach *rep, struct rn_msg *m);
/* Where a new packet begins in the buffer at off. */
static inline uint32_t rn_mem_start(const struct rn_mem *mem, uint32_t off)
{
	return off + mem->head.headroom + (off / mem->head.buf_size & mem->starts) * RN_LINE;
}
struct rn_mem *rn_mem_ref(struct rn_mem *mem);
void rn_mem_unref(struct rn_mem *mem); /* the last one unmaps; NULL is allowed */

/* ---- attach.c, queue.c ---- */

struct rn_queue {
	struct rawnet_queue q; /* first: the public part */
	struct rn_mem *mem; /* in use */
	struct rn_mem *pending; /* atomic: to switch to */
	uint32_t bufs_max; /* of the attachment: room in free_bufs */
	uint32_t buf_shift; /* log2 of buf_size */
	uint32_t starts; /* a new packet begins at one of so many lines of its buffer, less 1 */
	int poll_fd; /* epoll over the wake-up socket and, to be noticed, ready_fd */
	bool deaf; /* the wake-up socket is not in it: memory was out */
	uint32_t armed; /* RAWNET_WAIT_* whose sleep flags are set */
	bool unreported; /* switched inside rawnet_wait: the next sync says so */
};

/* A reply that the program may still read, kept until the end. */
struct rn_kept {
	struct rn_kept *next;
	union {
		struct rawnet_rep_hello hello;
		struct rawnet_rep_attach attach;
	};
};

struct rawnet_attachment {
	struct rawnet *rn;
	struct rawnet_attachment *next;
	char dev[RAWNET_DEV];
	struct rawnet_attach_options options; /* copies: as asked last */
	const struct rawnet_rep_attach *info; /* atomic: in the newest of kept */
	struct rn_kept *kept;
	struct rn_mem *mem; /* under map_lock: of the last attach; NULL never */
	bool attached; /* the daemon has it */
	int ended; /* atomic: -errno when it will not come back, for the reason in ended_text */
	char ended_text[256];
	uint32_t generation; /* atomic: attaches lost so far */
	uint32_t n_queues; /* atomic: grows only */
	struct rn_queue *queues[RAWNET_QUEUES_MAX];
	uint64_t base[RAWNET_QUEUES_MAX][RAWNET_COUNTERS_SPACE]; /* counted by former daemons */
};

/* All of these with the connection's lock held. */
int rn_attach_again(struct rawnet_attachment *at);
void rn_attach_lost(struct rawnet_attachment *at);
void rn_attach_end(struct rawnet_attachment *at, int err, const char *text);
void rn_attach_free(struct rawnet_attachment *at);

int rn_queue_new(struct rawnet_attachment *at, struct rn_mem *mem, uint32_t index,
		 struct rn_queue **queue);
void rn_queue_free(struct rn_queue *rq);
void rn_queue_publish(struct rn_queue *rq, struct rn_mem *mem);
void rn_queue_stop(struct rn_queue *rq); /* the daemon is gone */
int rn_queue_switch_in_wait(struct rn_queue *rq); /* its thread; 1 if it did */
int rn_queue_hear(struct rn_queue *rq); /* its thread: no longer deaf, or -errno */
void rn_queue_rouse(struct rn_queue *rq); /* a sleeping thread looks at the queue's state */

/* ---- rule.c, flow.c ---- */

/* A rule as the program asked for it. */
struct rn_rule {
	uint64_t id; /* as the program knows it */
	uint64_t daemon_id; /* as this daemon knows it; 0: it has none */
	struct rn_rule *prev, *next; /* in the order of adding */
	struct rn_rule *more; /* same id: another attachment in the rule's group */
	struct rawnet_attachment *at; /* what it was added on; NULL: not yet in the list */
	struct rawnet_match match;
	uint64_t confirm_by; /* CLOCK_MONOTONIC ns; 0: for good */
	uint32_t flags, confirm, gap;
	char label[RAWNET_LABEL]; /* target by label; else empty */
	bool foreign; /* the target is somebody else's, by id: not restored */
	uint32_t target; /* foreign: its id */
	int error; /* of the last attempt: 1 none yet, 0 added, or -errno with the sentence */
	char text[160];
};

struct rn_rules {
	struct rn_rule *head, *tail;
	struct rn_idmap by_id, by_daemon;
	uint64_t made_up; /* ids that the library gave out itself */
};

int rn_rule_keep(struct rn_rules *rules, struct rn_rule *rule); /* gives it its id */
void rn_rule_drop(struct rn_rules *rules, struct rn_rule *rule); /* frees it */
void rn_rule_drop_id(struct rn_rules *rules, uint64_t id); /* and the others of its group */
struct rn_rule *rn_rule_find(const struct rn_rules *rules, uint64_t id);
int rn_rule_restored(struct rn_rules *rules, struct rn_rule *rule, uint64_t daemon_id);
void rn_rules_lost(struct rn_rules *rules);
void rn_rules_drop_of(struct rn_rules *rules, const struct rawnet_attachment *at);
void rn_rules_free(struct rn_rules *rules);
uint64_t rn_rule_to_daemon(const struct rn_rules *rules, uint64_t id); /* 0: there is none */
uint64_t rn_rule_to_program(const struct rn_rules *rules, uint64_t daemon_id);

/* Adds again, in order, what is not at the daemon and whose attachment is. 0 or the connection's
 * -errno; what is refused is reported as an event. */
int rn_flow_restore(struct rawnet *rn);

/* ---- conn.c, restore.c ---- */

struct rawnet {
	pthread_mutex_t lock;
	pthread_mutex_t map_lock;
	struct rawnet_options options; /* its strings are in the arrays below */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char label[RAWNET_LABEL];
	char program[RAWNET_LABEL];

	int sock; /* -1: no daemon */
	int poll_fd; /* epoll over the socket, the timer and kick_fd: rawnet_fd() */
	int timer_fd; /* next attempt to connect or to attach again */
	int kick_fd; /* callbacks wait, or the thread must end */
	int ready_fd; /* always readable: each queue's poll_fd lets it through once to rouse its
			 thread */
	uint32_t next_id;
	int ended; /* atomic: -errno when the connection is final */
	char ended_text[256];
	pthread_t thread;
	bool has_thread;
	int stop; /* atomic */

	const struct rawnet_rep_hello *hello; /* atomic: in the newest of kept */
	struct rn_kept *kept;
	uint32_t events; /* subscribed */
	struct rawnet_attachment *attachments; /* in the order of attaching */
	struct rn_rules rules;
	struct rn_calls calls;

	bool announced; /* the program believes that there is a daemon */
	bool incomplete; /* connected, but an attachment waits for its port */
	uint64_t lost_at, back_at, retry_at; /* CLOCK_MONOTONIC ns */
	uint32_t backoff_ms;
	uint32_t restarts;
	uint64_t last_ns, total_ns;
	uint64_t tx_lost, rx_lost; /* atomic: added to by the queues' threads */
};

void rn_conn_lock(struct rawnet *rn); /* and keeps the library's thread asleep meanwhile */
void rn_conn_unlock(struct rawnet *rn);
uint64_t rn_conn_deadline(const struct rawnet *rn);
int rn_conn_ready(struct rawnet *rn); /* 0, or why no request can be made */
/* Sends a request, its id in its header. */
int rn_conn_send(struct rawnet *rn, void *req, size_t size, uint64_t deadline);
/* Waits for the reply to `id`, handles whatever else comes. A refusal is no error here. */
int rn_conn_reply(struct rawnet *rn, uint32_t id, struct rn_msg *m, uint64_t deadline);
/* Both, and a refusal is its errno. The caller closes the descriptors if it returns 0. */
int rn_conn_call(struct rawnet *rn, uint16_t type, void *req, size_t size, struct rn_msg *m);
int rn_conn_take(struct rawnet *rn, struct rn_msg *m); /* a message nobody waits for */
int rn_conn_lost(struct rawnet *rn, const struct rawnet_disconnect *why); /* returns -errno */
int rn_conn_open(struct rawnet *rn, uint64_t deadline); /* connect and HELLO */
void rn_conn_kick(struct rawnet *rn);

void rn_restore_later(struct rawnet *rn);
void rn_restore_try(struct rawnet *rn);

#endif
