/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client: one connection to a control socket. Control thread only.
 *
 * Messages are read a bounded number at a time, so that nobody starves the others. While a reply
 * does not fit the socket, or the kernel has not said what it is, no further request of this client
 * is read: a client that does not read stops itself, needs no queue, and has its replies in order.
 * Events that do not fit are counted and left out.
 */
#ifndef RN_CLIENT_H
#define RN_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <urcu/list.h>

#include "rawnet/proto.h"
#include "attachment.h"
#include "bucket.h"
#include "err.h"
#include "policy.h"

struct rn_daemon;
struct rn_question;

struct rn_client {
	struct rn_daemon *daemon;
	struct cds_list_head list;
	int fd;
	sd_event_source *source;
	uint32_t id;
	struct rn_peer peer;
	char socket[108];
	bool admin;
	bool watches; /* sees what belongs to others */
	bool greeted; /* HELLO was said */
	bool incomplete; /* adopted, but not all that it had: it is to connect again */
	bool dead; /* to be reaped at the end of this turn of the loop */
	bool leaving; /* dead or detaching, and some of its rules are there yet */
	bool waits; /* is not read until those who leave are gone: rn_client_waits */
	char label[RAWNET_LABEL];
	char program[RAWNET_LABEL];
	uint64_t connected_ns;
	uint32_t events; /* RAWNET_EVENT_* asked for */
	uint32_t lost; /* events that did not fit */

	struct rn_attachment **attachments;
	uint32_t n_attachments, max_attachments;

	/* a reply that did not fit the socket, and the attachment whose descriptors go with it */
	uint8_t *held;
	uint32_t held_size;
	struct rn_attachment *held_attachment;
	/* an attachment whose rules are being deleted, and the request that the answer is for */
	struct rn_attachment *detaching;
	struct rawnet_hdr detach;
	/* what the kernel is asked for it (asker.h): nothing is read until that is answered */
	struct rn_question *asked;
};

/* Takes a connection over; closes fd if it cannot. */
int rn_client_accept(struct rn_daemon *daemon, int fd, const char *socket);
/* One of the last daemon, by its socket: NULL if it cannot go on, fd is closed then. */
struct rn_client *rn_client_adopt(struct rn_daemon *daemon, int fd, const char *socket,
				  uint32_t id);
/* What the policy grants the client for one attachment to this port. */
struct rn_grant rn_client_grant(struct rn_client *client, const char *dev);
/* The attachment counts against its quota. */
void rn_client_account(struct rn_client *client, struct rn_attachment *at);
/* Ends a client: tells it why (NULL: it is gone already), and lets the reaper do the rest. */
void rn_client_end(struct rn_client *client, enum rawnet_reason reason, const char *text);
void rn_client_lost(struct rn_client *client);
/* Lets the reaper run after this turn of the loop. */
void rn_client_reap_soon(struct rn_daemon *d);
/* The reaper: retires and frees the attachments of all dead clients after one grace period. A
 * client can leave so many rules behind that deleting them takes a NIC seconds: unless it has to be
 * all at once, others get their turns between, but for those of the same user (rn_client_waits). */
void rn_client_reap(struct rn_daemon *daemon, bool all);
/* Is another client of this uid leaving? Then the rules, the quota and the label that this one
 * might ask for are about to be free: it is not read until they are. */
bool rn_client_waits(struct rn_client *client);
/* Detaches one attachment, at once if it has not too many rules. False: the reaper does it, and
 * answers the request then. */
bool rn_client_detach(struct rn_client *client, struct rn_attachment *at,
		      const struct rawnet_hdr *request);
int rn_client_add_attachment(struct rn_client *client, struct rn_attachment *at);
struct rn_attachment *rn_client_attachment(const struct rn_client *client, uint32_t id);
uint32_t rn_client_rules(const struct rn_client *client);
uint64_t rn_client_memory(const struct rn_client *client);

/* All that clients have, in the order of their ids. add: -ENOMEM. behind: the place of the first
 * with a higher id. */
int rn_attachments_add(struct rn_daemon *daemon, struct rn_attachment *at);
void rn_attachments_remove(struct rn_daemon *daemon, const struct rn_attachment *at);
uint32_t rn_attachments_behind(const struct rn_daemon *daemon, uint64_t id);
/* Any client's attachment by id; or by label on this port, of this uid unless any. */
struct rn_attachment *rn_attachment_by_id(const struct rn_daemon *daemon, uint32_t id);
struct rn_attachment *rn_attachment_by_label(const struct rn_daemon *daemon, const char *dev,
					     const char *label, uint32_t uid, bool any);

/* A new policy: rates, rights, or the end. */
void rn_client_regrant(struct rn_client *client);

/* ---- handlers ---- */

struct rn_request {
	struct rn_client *client;
	const void *req; /* of the handler's request struct, missing bytes are zero */
	void *rep; /* of its reply struct, zeroed but for the header */
	struct rn_attachment *attached; /* set by ATTACH: its descriptors go with the reply */
	struct rn_err *err;
};

/* A handler's: the answer is not known yet, rn_messages_answer follows. */
#define RN_LATER				 1
#define RN_HANDLER(NAME, number, request, reply) int rn_handle_##NAME(struct rn_request *r);
RAWNET_REQUESTS(RN_HANDLER)
#undef RN_HANDLER

/* ---- events ---- */

/* Tells everybody who asked and may know. at 0: none; uid -1: for all. */
void rn_event_emit(struct rn_daemon *daemon, uint32_t kind, const char *what, uint64_t id,
		   const struct rn_attachment *at, const char *dev, uint32_t uid, const char *fmt,
		   ...) __attribute__((format(printf, 8, 9)));

#endif
