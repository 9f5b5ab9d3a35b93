/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the exporter listens: sockets that the service manager passed, or addresses of its own. */
#ifndef EXPORTER_LISTEN_H
#define EXPORTER_LISTEN_H

#include "serve.h"

/* "/path", "127.0.0.1:9748", "[::1]:9748", ":9748" (the former). 0, or -errno with a sentence on
 * stderr; addresses that others can reach are refused. */
int listen_on(struct serve *s, const char *address);
/* Those that were passed, as sd_listen_fds(3) says: how many, or -errno. */
int listen_passed(struct serve *s);
/* Removes the paths of sockets that listen_on() made. */
void listen_end(void);

#endif
