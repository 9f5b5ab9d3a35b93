/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile: a client that breaks every rule it can. It speaks the protocol and works the rings by
 * hand, since the library would not let it. Each act is one attack; it prints one JSON object that
 * says what was done and how it ended, and the test that ran it judges.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

#include <rawnet/client.h>

#define FRAME_MAX 2048u

/* One connection, with at most one attachment; queue 0 is the one that acts work on. */
struct session {
	int sock;
	uint32_t next_id;
	struct rawnet_rep_hello hello;
	struct rawnet_rep_attach at; /* attachment 0: none */
	int fds[3 + RAWNET_QUEUES_MAX]; /* rings, packets, counters, wake-up sockets */
	unsigned n_fds;
	struct rawnet_rings head; /* as the daemon wrote it */
	uint8_t *rings, *mem;
	uint64_t mem_size;
	const struct rawnet_counters *counters;
	struct rawnet_ring rx, tx;
	uint32_t ended; /* 1 + enum rawnet_reason; 0: no DISCONNECT seen */
	char bye[240]; /* the sentence that came with it */
	bool lost; /* the connection is gone */
};

/* The command line. */
struct orders {
	const char *socket;
	const char *dev;
	const char *match; /* of the rule that acts add to their attachment; NULL: none */
	double seconds; /* for acts that go on for a while */
	uint64_t count; /* for acts that do a number of things */
	int fd; /* a connection that somebody else made, or -1 */
	uint8_t frame[FRAME_MAX]; /* one that the rule's mirror allows */
	uint32_t frame_len;
};
extern struct orders orders;

struct act {
	const char *name;
	const char *what;
	int (*run)(void);
};
extern const struct act ring_acts[], memory_acts[], message_acts[], wire_acts[], quota_acts[],
	death_acts[], meddle_acts[];

/* ---- wire.c: the protocol; what fails that must not ends the program ---- */

/* Connected, nothing said. */
void session_dial(struct session *s);
void session_hello(struct session *s, const char *label);
/* HELLO, ATTACH to orders.dev, all rx slots posted. request: sizes, or NULL for small rings. */
void session_join(struct session *s, const char *label, const struct rawnet_req_attach *request);
/* The same, and the rule of orders.match. */
void session_open(struct session *s, const char *label, const struct rawnet_req_attach *request);
void session_close(struct session *s);
/* ATTACH alone: 0, or the refusal's -errno. */
int session_attach(struct session *s, const struct rawnet_req_attach *request);
void session_post(struct session *s);
/* One request and its reply: 0 or -errno of the refusal, -ECONNABORTED after a DISCONNECT,
 * -ENOTCONN when the daemon hung up. text: of the refusal, 240 bytes, or NULL. */
int session_ask(struct session *s, void *req, uint32_t size, uint16_t type, void *rep,
		size_t rep_size, char *text);
int session_rule(struct session *s, const char *match, uint64_t *rule);
/* Waits for a DISCONNECT (or the end of the connection), at most so long. True: it came. */
bool session_ended(struct session *s, double seconds);
/* Publishes tx, and wakes the poller if it sleeps. */
void session_kick(struct session *s);
/* Fills the next tx slot with a copy of the frame in that slot's own buffer. */
void session_send(struct session *s, const uint8_t *frame, uint32_t len);
/* Waits until the daemon has taken all published tx slots; false: it does not. */
bool session_drained(struct session *s);
/* Value of a counter of queue 0, read from shared memory. */
uint64_t session_count(const struct session *s, enum rawnet_queue_counter c);
/* Sum of TX_DROP_*. */
uint64_t session_drops(const struct session *s);

/* ---- main.c ---- */

double now(void);
uint64_t random_next(void); /* the same sequence in every run; one per thread */
void random_seed(uint64_t seed);
const char *reason_word(const struct session *s); /* JSON: "\"ring\"" ..., "\"hung up\"", "null" */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
