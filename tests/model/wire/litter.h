/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process would leave behind when it is killed: a directory, the name of a socket. A
 * janitor, a process of its own that does nothing else, removes it once the other has ended,
 * however it ended.
 */
#ifndef CX_LITTER_H
#define CX_LITTER_H

#include <stdbool.h>
#include <sys/un.h>

struct cx_litter {
	char dir[256]; /* a template of mkdtemp: the janitor makes it, and removes it with what is
			  in it */
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/*
 * Leaves a janitor behind; alive is a descriptor that has something to read, or is hung up, when
 * its work begins (a pidfd, or a pipe whose other end nobody else has). The janitor is there before
 * the directory is, so that no moment is left to be killed at; dir holds its name afterwards. An
 * empty string stands for none. 0 or -errno.
 */
int cx_janitor_leave(int alive, struct cx_litter *litter);

/* Listens at a path. What nobody listens on is removed first; what somebody does, only to take it
 * over. 0, -EADDRINUSE, -EEXIST (something else is there), or -errno. */
int cx_socket_listen(int fd, const struct sockaddr_un *at, bool take_over);

#endif
