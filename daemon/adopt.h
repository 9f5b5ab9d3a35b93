/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A restart that clients do not lose anything by: what the service manager's store (store.h) keeps
 * of clients and attachments, and going on with it. Control thread only.
 *
 * Kept of each client with an attachment: its socket. Of each attachment: the memfds of rings,
 * packets, counters and state, and the daemon's ends of the wake-up sockets. Rules are in the
 * journal, the ports' own things are the backends'.
 */
#ifndef RN_ADOPT_H
#define RN_ADOPT_H

#include "client.h"

/* The attachment is complete and belongs to a client. */
void rn_adopt_keep(const struct rn_attachment *at);
/* It is gone; last: the client's socket is not kept any more either. */
void rn_adopt_drop(const struct rn_attachment *at, bool last);
/* The client was told of its attachment. */
void rn_adopt_known(const struct rn_attachment *at);
/* It does not outlive the daemon: its client has to attach again and say what it wants. */
void rn_adopt_never(const struct rn_attachment *at);
/* Something about the client changed that the next daemon must know. */
void rn_adopt_client(const struct rn_client *client);
/* A request is under way: a daemon that dies now owes the client an answer. type 0: answered. */
void rn_adopt_pending(const struct rn_client *client, uint32_t id, uint32_t type);

/* At start, after ports and before anybody else is let in: attachments, clients and rules of the
 * last daemon go on. A client whose things cannot all go on is sent away, and gets them anew when
 * it connects again. Fails where it cannot know what there was: the next start may. */
int rn_adopt_all(struct rn_daemon *daemon, struct rn_err *err);

#endif
