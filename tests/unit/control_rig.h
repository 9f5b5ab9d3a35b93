/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rig for tests of the control side: a daemon with loop ports in this process, whose loop is
 * turned by hand, and clients that speak the protocol over its real sockets, as any user. Nothing
 * has to be waited for but what the kernel is asked for (asker.h): after control_turn() the daemon
 * has done all else that it was asked.
 */
#ifndef CONTROL_RIG_H
#define CONTROL_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "rawnet/proto.h"
#include "daemon.h"

#define CONTROL_FDS 80u

struct control {
	char dir[64], conf[80], path[80]; /* folder of this rig, its configuration and its socket */
	struct rn_daemon *daemon;
	/* of the last reply */
	char text[240]; /* of a refusal */
	int fds[CONTROL_FDS];
	uint32_t n_fds;
};

/* Writes the configuration and starts. "@" in the text is the rig's folder. The rig adds `daemon`
 * with a socket @/sock that everybody may open, unless the text has one. */
void control_open(struct control *c, const char *text);
void control_close(struct control *c);
void control_configure(struct control *c, const char *text);
/* The loop, until nothing is left to be done. */
void control_turn(struct control *c);
/* The same, until cond(arg); fails after some seconds. */
void control_await(struct control *c, bool (*cond)(void *arg), void *arg);
/* SIGHUP, taken. */
void control_reload(struct control *c, const char *text);

/* A connection of this user, group and supplementary groups; nothing has been said on it. */
int control_connect_as(struct control *c, const char *path, uid_t uid, gid_t gid,
		       const gid_t *groups, size_t n_groups);
int control_connect(struct control *c, uid_t uid);
/* And HELLO was said. */
int control_client(struct control *c, uid_t uid, const char *label);
void control_bye(struct control *c, int fd);

/* Sends it as it is. */
void control_send(int fd, const void *message, size_t size);
/* The next message, or 0 at the end of the connection, or -EAGAIN; its size. Descriptors that came
 * with it are in c->fds until the next one. */
int control_receive(struct control *c, int fd, void *message, size_t size);
/* Asks and takes the reply, which must be the next message that is not an event: hdr.error. The
 * header's type, size and id are filled in. A refusal's sentence is in c->text. */
int control_ask(struct control *c, int fd, uint16_t type, void *request, size_t request_size,
		void *reply, size_t reply_size);
#define CONTROL_ASK(c, fd, NAME, request, reply) \
	control_ask(c, fd, RAWNET_MSG_##NAME, request, sizeof(*(request)), reply, sizeof(*(reply)))
/* Fails the test unless the refusal is this errno with these words, and nothing changed by it. */
void control_refused(struct control *c, int fd, uint16_t type, void *request, size_t size,
		     int error, const char *words);
#define CONTROL_REFUSED(c, fd, NAME, request, error, words) \
	control_refused(c, fd, RAWNET_MSG_##NAME, request, sizeof(*(request)), error, words)

/* Shorthands that must succeed. */
uint32_t control_attach(struct control *c, int fd, const char *dev);
uint64_t control_flow(struct control *c, int fd, const char *dev, const char *match,
		      uint32_t attachment, uint32_t flags);
/* The request for that. */
struct rawnet_req_flow_add control_flow_request(const char *dev, const char *match,
						uint32_t attachment, uint32_t flags);
int control_del(struct control *c, int fd, uint64_t rule);
/* A rule's entry in the list that fd sees; false: it is not there. */
bool control_find(struct control *c, int fd, uint64_t rule, struct rawnet_flow_info *info);
/* The last event on this connection whose `what` is this; false: there is none. Takes all. */
bool control_event(struct control *c, int fd, const char *what, struct rawnet_event *event);
/* The connection ends with DISCONNECT for this reason. */
void control_ended(struct control *c, int fd, enum rawnet_reason reason);

/* All that the daemon keeps, as text; the caller frees it. */
char *control_state(const struct rn_daemon *d);

#endif
