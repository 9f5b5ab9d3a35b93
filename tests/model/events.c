/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asynchronous events and completion events, as the kernel's event files give them: 16 and 8
 * bytes, one record a read. A SEQPACKET socket pair carries them.
 *
 * An object that is destroyed takes its unread events back, and answers how many were read;
 * libibverbs waits until the program has acknowledged so many. Since a socket cannot be edited,
 * its records are taken out, sifted and put back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys.h"
#include "uverbs.h"

#define ROOM (1 << 20) /* bytes of the socket: a storm of events fits */

struct cx_channel *cx_channel_new(struct cx_ctx *ctx)
{
	struct cx_channel *ch = calloc(1, sizeof(*ch));
	int fd[2], room = ROOM;

	if (!ch)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		goto free_channel;
	ch->fd = fd[0];
	ch->peer = fd[1];
	ch->reader = dup(fd[0]);
	if (ch->reader < 0)
		goto close_pair;
	setsockopt(ch->peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	ch->ctx = ctx;
	ch->next = ctx->channels;
	ctx->channels = ch;
	cx_fd_mark(ch->fd, true);
	return ch;
close_pair:
	cx_libc.close(fd[0]);
	cx_libc.close(fd[1]);
free_channel:
	free(ch);
	return NULL;
}

struct cx_channel *cx_channel_by_fd(struct cx_ctx *ctx, int fd)
{
	struct cx_channel *ch;

	for (ch = ctx->channels; ch; ch = ch->next)
		if (ch->fd == fd && !ch->closed && ch != ctx->async)
			return ch;
	return NULL;
}

/* Frees a channel that is closed and has no CQ left. */
void cx_channel_put(struct cx_channel *ch)
{
	struct cx_channel **p;

	if (!ch->closed || ch->refs)
		return;
	for (p = &ch->ctx->channels; *p != ch; p = &(*p)->next)
		;
	*p = ch->next;
	if (ch->ctx->async == ch)
		ch->ctx->async = NULL;
	cx_libc.close(ch->peer);
	cx_libc.close(ch->reader);
	free(ch);
}

bool cx_channel_close_fd(int fd)
{
	int i;

	for (i = 0; i < cx_settings.devs; i++) {
		struct cx_ctx *ctx;

		for (ctx = cx_devs[i].ctxs; ctx; ctx = ctx->next) {
			struct cx_channel *ch;

			for (ch = ctx->channels; ch; ch = ch->next) {
				if (ch->fd != fd || ch->closed)
					continue;
				ch->closed = true;
				cx_channel_put(ch);
				return true;
			}
		}
	}
	return false;
}

static bool post(struct cx_channel *ch, const void *record, size_t len)
{
	return ch && !ch->closed && send(ch->peer, record, len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

/* Is one of element's there? Only looked at: taken out for a moment, a program that polls and then
 * reads without waiting would find nothing. */
static bool has(struct cx_channel *ch, uint64_t element, size_t len)
{
	struct ib_uverbs_async_event_desc rec;
	int start = 0, off = -1;
	bool found = false;

	if (!ch || ch->closed ||
	    setsockopt(ch->reader, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof(start)) < 0)
		return false;
	while (!found && recv(ch->reader, &rec, len, MSG_DONTWAIT | MSG_PEEK) == (ssize_t)len)
		found = rec.element == element;
	setsockopt(ch->reader, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off));
	return found;
}

/* The first 8 bytes of a record say whose it is. */
static uint32_t purge(struct cx_channel *ch, uint64_t element, size_t len)
{
	struct ib_uverbs_async_event_desc *kept = NULL;
	uint32_t taken = 0, n = 0, i;
	struct ib_uverbs_async_event_desc rec;

	if (!has(ch, element, len))
		return 0;
	while (recv(ch->reader, &rec, len, MSG_DONTWAIT) == (ssize_t)len) {
		void *more;

		if (rec.element == element) {
			taken++;
			continue;
		}
		more = realloc(kept, (n + 1) * sizeof(*kept));
		if (!more)
			break;
		kept = more;
		kept[n++] = rec;
	}
	for (i = 0; i < n; i++)
		post(ch, &kept[i], len);
	free(kept);
	return taken;
}

uint32_t cx_event_purge_async(struct cx_ctx *ctx, uint64_t element)
{
	return purge(ctx->async, element, sizeof(struct ib_uverbs_async_event_desc));
}

uint32_t cx_event_purge_comp(struct cx_cq *cq)
{
	return purge(cq->channel, cq->user_handle, sizeof(struct ib_uverbs_comp_event_desc));
}

bool cx_event_unread_comp(struct cx_cq *cq)
{
	return has(cq->channel, cq->user_handle, sizeof(struct ib_uverbs_comp_event_desc));
}

void cx_event_async(struct cx_ctx *ctx, uint64_t element, uint32_t type)
{
	struct ib_uverbs_async_event_desc rec = {.element = element, .event_type = type};

	post(ctx->async, &rec, sizeof(rec));
}

void cx_event_qp(struct cx_qp *qp, uint32_t type)
{
	qp->async_sent++;
	cx_event_async(qp->o.ctx, qp->user_handle, type);
}

void cx_event_wq(struct cx_wq *wq, uint32_t type)
{
	wq->async_sent++;
	cx_event_async(wq->o.ctx, wq->user_handle, type);
}

void cx_event_cq(struct cx_cq *cq, uint32_t type)
{
	cq->async_sent++;
	cx_event_async(cq->o.ctx, cq->user_handle, type);
}

void cx_event_device(struct cx_dev *dev, uint64_t element, uint32_t type)
{
	struct cx_ctx *ctx;

	for (ctx = dev->ctxs; ctx; ctx = ctx->next)
		cx_event_async(ctx, element, type);
}

void cx_event_comp(struct cx_cq *cq)
{
	struct ib_uverbs_comp_event_desc rec = {.cq_handle = cq->user_handle};

	if (post(cq->channel, &rec, sizeof(rec)))
		cq->comp_sent++;
}

int cx_create_channel(struct cx_cmd *c)
{
	struct cx_channel *ch = cx_channel_new(c->ctx);
	struct ib_uverbs_create_comp_channel_resp r;

	if (!ch)
		return -ENOMEM;
	r.fd = (uint32_t)ch->fd;
	cx_cmd_out(c, &r, sizeof(r));
	return 0;
}
