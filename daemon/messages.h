/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of one client: reading, dispatching to handlers, replying, events. Control thread only.
 */
#ifndef RN_MESSAGES_H
#define RN_MESSAGES_H

#include "client.h"

/* Watches the client's socket. */
int rn_messages_start(struct rn_client *client);
/* A request that the last daemon left unanswered. */
void rn_messages_unanswered(struct rn_client *client, uint32_t id, uint32_t type);
/* To a request whose handler said RN_LATER: the reply with its header, or, with rc < 0, the
 * sentence that refuses it. */
void rn_messages_answer(struct rn_client *client, const struct rawnet_hdr *request, int rc,
			const struct rawnet_hdr *reply, const char *text);
/* The last message, if it fits the socket. */
void rn_messages_bye(struct rn_client *client, enum rawnet_reason reason, const char *text);

#endif
