/* SPDX-License-Identifier: BSD-2-Clause */
/* iface.h: theory and contract. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iface.h"
#include "wire.h"

#define BATCH	   32
#define PACKET_MAX 65536 /* a packet before segmentation; larger ones arrive truncated */
#define RCVBUF	   (8 << 20)

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

struct out_frame {
	uint32_t len;
	uint8_t data[CX_FRAME_MAX];
};

struct in_packet {
	struct virtio_net_hdr hdr;
	uint8_t room[2]; /* data at a multiple of 4 */
	uint8_t data[PACKET_MAX];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} ctl;
};

struct cx_iface {
	int fd, index;
	char name[IFNAMSIZ];
	unsigned int queued;
	struct out_frame out[BATCH];
	struct in_packet in[BATCH];
};

/* Puts a VLAN tag back while frames are emitted. */
struct tagger {
	cx_frame_fn emit;
	void *ctx;
	uint8_t tag[4];
};

static int set_options(const struct cx_iface *f)
{
	struct packet_mreq all = {.mr_ifindex = f->index, .mr_type = PACKET_MR_PROMISC};
	int one = 1, size = RCVBUF;

	if (setsockopt(f->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(f->fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    setsockopt(f->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(f->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)))
		return -errno;
	/* Best effort: a smaller buffer drops bursts, which a wire may do. */
	if (setsockopt(f->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

static int open_socket(struct cx_iface *f)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int code;

	/* No protocol until it is bound: otherwise it would see every interface for a moment. */
	f->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->fd < 0)
		return -errno;
	at.sll_ifindex = f->index;
	code = set_options(f);
	if (code == 0 && bind(f->fd, (struct sockaddr *)&at, sizeof(at)))
		code = -errno;
	if (code)
		close(f->fd);
	return code;
}

int cx_iface_open(const char *name, struct cx_iface **out, char *err, size_t size)
{
	struct cx_iface *f;
	int code, index = (int)if_nametoindex(name);

	if (!index) {
		snprintf(err, size, "interface '%s': there is none of this name", name);
		return -ENODEV;
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		snprintf(err, size, "interface '%s': no memory", name);
		return -ENOMEM;
	}
	f->index = index;
	snprintf(f->name, sizeof(f->name), "%s", name);
	code = open_socket(f);
	if (code) {
		snprintf(err, size, "interface '%s': %s", name,
			 code == -EPERM ? "a packet socket needs CAP_NET_RAW" : strerror(-code));
		free(f);
		return code;
	}
	*out = f;
	return 0;
}

void cx_iface_close(struct cx_iface *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

int cx_iface_fd(const struct cx_iface *f)
{
	return f->fd;
}

int cx_iface_index(const struct cx_iface *f)
{
	return f->index;
}

const char *cx_iface_name(const struct cx_iface *f)
{
	return f->name;
}

/* ---- receiving ---- */

static void emit_tagged(void *ctx, const uint8_t *frame, uint32_t len)
{
	const struct tagger *t = ctx;
	uint8_t tagged[CX_FRAME_MAX];

	if (len > sizeof(tagged) - 4 || len < CX_FRAME_MIN)
		return;
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, t->tag, 4);
	memcpy(tagged + 16, frame + 12, len - 12);
	t->emit(t->ctx, tagged, len + 4);
}

static bool find_tag(struct msghdr *msg, uint8_t tag[4])
{
	struct tpacket_auxdata aux;
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	uint16_t word[2];

	if (!c || c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
		return false;
	memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return false;
	word[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q);
	word[1] = htons(aux.tp_vlan_tci);
	memcpy(tag, word, sizeof(word));
	return true;
}

static int finish(struct in_packet *p, struct msghdr *msg, uint32_t len, cx_frame_fn emit,
		  void *ctx)
{
	struct tagger t = {.emit = emit, .ctx = ctx};

	if ((msg->msg_flags & MSG_TRUNC) || len < sizeof(p->hdr) + CX_FRAME_MIN)
		return -EMSGSIZE;
	len -= (uint32_t)sizeof(p->hdr);
	if (find_tag(msg, t.tag))
		return cx_gso_finish(&p->hdr, p->data, len, emit_tagged, &t);
	return cx_gso_finish(&p->hdr, p->data, len, emit, ctx);
}

static int receive_batch(struct cx_iface *f, cx_frame_fn emit, void *ctx, uint64_t *lost)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH][2];
	int i, n;

	memset(msgs, 0, sizeof(msgs));
	for (i = 0; i < BATCH; i++) {
		struct in_packet *p = &f->in[i];

		iov[i][0] = (struct iovec) {&p->hdr, sizeof(p->hdr)};
		iov[i][1] = (struct iovec) {p->data, sizeof(p->data)};
		msgs[i].msg_hdr = (struct msghdr) {.msg_iov = iov[i],
						   .msg_iovlen = 2,
						   .msg_control = &p->ctl,
						   .msg_controllen = sizeof(p->ctl)};
	}
	n = recvmmsg(f->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0) {
		/* A packet that the kernel could not describe was taken off the queue. */
		*lost += errno == EINVAL;
		return errno == EINVAL ? 1 : 0;
	}
	for (i = 0; i < n; i++)
		*lost += finish(&f->in[i], &msgs[i].msg_hdr, msgs[i].msg_len, emit, ctx) != 0;
	return n;
}

/* What found no room in the socket since the last look. */
static uint64_t dropped(const struct cx_iface *f)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	return getsockopt(f->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) ? 0 : stats.tp_drops;
}

int cx_iface_receive(struct cx_iface *f, int budget, cx_frame_fn emit, void *ctx, uint64_t *lost)
{
	int n = 0, got;

	do {
		got = receive_batch(f, emit, ctx, lost);
		n += got;
	} while (got == BATCH && n < budget);
	*lost += dropped(f);
	return n;
}

/* ---- sending ---- */

unsigned int cx_iface_flush(struct cx_iface *f)
{
	static const struct virtio_net_hdr plain; /* checksums are complete, nothing to cut */
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH][2];
	unsigned int i, done = 0, refused = 0;

	memset(msgs, 0, sizeof(msgs));
	for (i = 0; i < f->queued; i++) {
		iov[i][0] = (struct iovec) {(void *)(uintptr_t)&plain, sizeof(plain)};
		iov[i][1] = (struct iovec) {f->out[i].data, f->out[i].len};
		msgs[i].msg_hdr = (struct msghdr) {.msg_iov = iov[i], .msg_iovlen = 2};
	}
	while (done < f->queued) {
		int n = sendmmsg(f->fd, msgs + done, f->queued - done, MSG_DONTWAIT);

		refused += n <= 0;
		done += n > 0 ? (unsigned int)n : 1;
	}
	f->queued = 0;
	return refused;
}

unsigned int cx_iface_send(struct cx_iface *f, const uint8_t *frame, uint32_t len)
{
	struct out_frame *o = &f->out[f->queued++];

	o->len = len;
	memcpy(o->data, frame, len);
	return f->queued == BATCH ? cx_iface_flush(f) : 0;
}
