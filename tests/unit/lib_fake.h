/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon just real enough to test the client library: a listener in a thread that answers
 * requests and hands out shared memory, and functions with which a test plays the poller.
 *
 * A hook sees every request with the reply that would go out, and may change, withhold or break it.
 * The poller's functions belong to one test thread at a time; everything else is under `lock`.
 */
#ifndef RAWNET_TEST_LIB_FAKE_H
#define RAWNET_TEST_LIB_FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "rawnet/client.h"

#define FAKE_CLIENTS	 8
#define FAKE_ATTACHMENTS 16
#define FAKE_RULES	 20000
#define FAKE_FDS	 (4 + RAWNET_QUEUES_MAX)

struct fake_queue {
	struct rawnet_ring_ctl *rx_ctl, *tx_ctl;
	struct rawnet_slot *rx, *tx;
	uint64_t *stamps;
	uint32_t rx_size, tx_size;
	uint32_t rx_daemon, tx_daemon; /* private indexes */
	int wake_fd; /* the daemon's end */
};

struct fake_attachment {
	uint32_t id; /* 0: free */
	int owner; /* index of the client */
	uint8_t *rings, *packets;
	struct rawnet_counters *counters;
	uint64_t rings_size, packets_size, counters_size;
	uint32_t n_queues, buf_size, n_bufs, headroom;
	struct fake_queue q[RAWNET_QUEUES_MAX];
};

struct fake_rule {
	uint64_t id;
	struct rawnet_req_flow_add req;
};

/* What goes out for a request. */
struct fake_reply {
	union {
		struct rawnet_hdr hdr;
		uint8_t bytes[2 * RAWNET_MSG_MAX];
	};
	uint32_t size;
	int fds[FAKE_FDS]; /* the fake closes them after sending */
	uint32_t n_fds;
	bool silent; /* no reply */
	bool hang_up; /* close the connection instead */
};

struct fake;
typedef void fake_hook(struct fake *f, const struct rawnet_hdr *req, struct fake_reply *rep);

struct fake {
	char path[100];
	pthread_t thread;
	pthread_mutex_t lock;
	int listen_fd, stop_fd;
	int clients[FAKE_CLIENTS]; /* -1: none */
	struct fake_attachment at[FAKE_ATTACHMENTS];
	struct fake_rule *rules; /* in the order of adding */
	uint32_t n_rules;
	uint64_t next_rule;
	uint32_t next_attachment;
	uint32_t min_queues; /* as many as the port needs */
	uint32_t busy; /* RAWNET_RINGS_BUSY */
	uint32_t requests[32]; /* how many of each type came */
	uint32_t events_mask;
	fake_hook *hook;
	void *arg; /* the hook's */
};

/* A new daemon on the path, NULL: a new one; `f` is zeroed but for what the caller sets between
 * init and run. */
void fake_init(struct fake *f, const char *path);
void fake_run(struct fake *f);
/* Ends it like a SIGKILL: all sockets closed, the path stays. */
void fake_kill(struct fake *f);
void fake_end(struct fake *f); /* ... and the path is gone too */

/* What the caller did as the poller comes before what the fake does at the end of a client: for
 * ThreadSanitizer, which does not see that the socket orders them. */
void fake_sync(struct fake *f);

void fake_path(char path[100]); /* a new name in a temporary folder */
void fake_unpath(const char *path);

void fake_set_hook(struct fake *f, fake_hook *hook, void *arg);
void fake_refuse(struct fake_reply *rep, int err, const char *text);
void fake_send_all(struct fake *f, const void *msg, size_t size); /* to every client, unasked */
uint32_t fake_count(struct fake *f, enum rawnet_msg type); /* requests seen */
uint32_t fake_rules(struct fake *f);
struct fake_attachment *fake_at(struct fake *f, unsigned nth); /* the nth one alive, or NULL */

/* ---- the poller ---- */

/* Fills the next posted slot; NULL: none posted. The caller sets metadata, then publishes. */
struct rawnet_slot *fake_fill(struct fake_attachment *a, unsigned queue, const void *data,
			      uint32_t len);
void fake_publish(struct fake_attachment *a, unsigned queue); /* and wakes a sleeping client */
bool fake_deliver(struct fake_attachment *a, unsigned queue, const void *data, uint32_t len);
/* Takes the next tx slot: a copy of it in *slot; false: none. */
bool fake_take(struct fake_attachment *a, unsigned queue, struct rawnet_slot *slot);
void fake_done(struct fake_attachment *a, unsigned queue); /* publishes, wakes */

unsigned open_fds(void); /* descriptors of this process */

#endif
