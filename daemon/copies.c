/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See copies.h. The ring is TPACKET_V2 (Documentation/networking/packet_mmap.rst): one status word
 * a frame, which the kernel hands over and we hand back; V3 would hold frames back until a block is
 * full or a timer runs out. The socket takes nothing in until it is bound, and the filter is there
 * before that.
 */
#include "copies.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "attachment.h"
#include "backend/backend.h"
#include "poller.h"
#include "tx.h"
#include "wire.h"

#define FRAMES	     256u
#define FRAMES_BLOCK 8u
#define RATE_DEFAULT 10000u
#define MACS_LEN     12u
#define NSEC	     1000000000u
#define LOSS_NS	     100000000u /* the kernel's count of losses is asked for at most that often */

struct rn_copies {
	struct rn_port *port;
	int fd;
	uint8_t *ring;
	size_t size;
	uint32_t frame_size;
	/* poller */
	uint32_t next;
	uint64_t rate, tokens, last; /* frames a second; tokens are frames; ns */
	struct rn_hwq *unasked; /* frames were taken here since the losses were asked for */
	uint64_t loss_at; /* ns */
};

/* Only what came from the wire to a group: everything else, what the host sends too, is not. */
static int set_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_PKTTYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_BROADCAST, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_MULTICAST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0x40000),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ? -errno : 0;
}

static int set_ring(struct rn_copies *c)
{
	struct tpacket_req req = {0};
	int version = TPACKET_V2, reserve = TAG_LEN;
	uint32_t need = TPACKET2_HDRLEN + 32u + TAG_LEN + c->port->max_frame;

	for (c->frame_size = 2048; c->frame_size < need;)
		c->frame_size *= 2;
	req.tp_frame_size = c->frame_size;
	req.tp_frame_nr = FRAMES;
	req.tp_block_size = c->frame_size * FRAMES_BLOCK;
	req.tp_block_nr = FRAMES / FRAMES_BLOCK;
	if (setsockopt(c->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(c->fd, SOL_PACKET, PACKET_RESERVE, &reserve, sizeof(reserve)) ||
	    setsockopt(c->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		return -errno;
	c->size = (size_t)req.tp_block_size * req.tp_block_nr;
	c->ring = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->ring == MAP_FAILED) {
		c->ring = NULL;
		return -errno;
	}
	madvise(c->ring, c->size, MADV_DONTDUMP);
	return 0;
}

int rn_copies_rebind(struct rn_copies *c, struct rn_err *err)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)c->port->ifindex};
	struct packet_mreq all = {.mr_ifindex = (int)c->port->ifindex,
				  .mr_type = PACKET_MR_ALLMULTI};

	if (bind(c->fd, (const struct sockaddr *)&at, sizeof(at)) ||
	    setsockopt(c->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)))
		return rn_fail(err, -errno, "copies: packet socket on %s: %s", c->port->config.dev,
			       strerror(errno));
	return 0;
}

int rn_copies_open(struct rn_port *port, struct rn_copies **copies, struct rn_err *err)
{
	struct rn_copies *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return rn_fail(err, -ENOMEM, "copies: out of memory");
	c->port = port;
	c->rate = rn_copies_rate(port);
	c->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = c->fd < 0 ? -errno : set_filter(c->fd);
	if (!rc)
		rc = set_ring(c);
	if (rc) {
		rn_fail(err, rc, "copies: packet socket on %s: %s", port->config.dev,
			strerror(-rc));
		goto fail;
	}
	rc = rn_copies_rebind(c, err);
	if (rc)
		goto fail;
	*copies = c;
	return 0;
fail:
	rn_copies_close(c);
	return rc;
}

void rn_copies_close(struct rn_copies *c)
{
	if (!c)
		return;
	if (c->ring)
		munmap(c->ring, c->size);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

int rn_copies_fd(const struct rn_copies *c)
{
	return c->fd;
}

static struct tpacket2_hdr *frame_at(const struct rn_copies *c)
{
	return (struct tpacket2_hdr *)(void *)(c->ring + (size_t)c->next * c->frame_size);
}

static bool filled(const struct rn_copies *c)
{
	/* acquire: pairs with the kernel's barrier before it sets the status (__packet_set_status)
	 */
	return __atomic_load_n(&frame_at(c)->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

/* Tokens gather for a tenth of a second at most, so that a burst is a tenth of the rate. */
static bool pay(struct rn_copies *c, uint64_t now)
{
	uint64_t burst = c->rate / 10 + 1, passed = now - c->last, fresh;

	if (passed > NSEC)
		passed = NSEC;
	fresh = passed * c->rate / NSEC;
	if (fresh) {
		c->tokens = c->tokens + fresh > burst ? burst : c->tokens + fresh;
		c->last = now;
	}
	if (!c->tokens)
		return false;
	c->tokens--;
	return true;
}

/* The kernel drops only while the ring is full, so that there is something to ask for whenever
 * frames were taken and none is left. */
static void count_losses(struct rn_copies *c)
{
	struct tpacket_stats stats = {0};
	socklen_t len = sizeof(stats);

	if (!getsockopt(c->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
		rn_count_port(c->unasked, RAWNET_P_COPY_DROP, stats.tp_drops);
	c->unasked = NULL;
}

/* A socket whose interface went down holds an error, and a descriptor with an error wakes every
 * epoll_wait: it has to be taken before the poller sleeps. */
bool rn_copies_ready(struct rn_copies *c)
{
	int error;
	socklen_t len = sizeof(error);

	if (filled(c))
		return true;
	if (c->unasked)
		count_losses(c);
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return filled(c);
}

/* A tag other than 802.1Q would be mistaken for one as metadata: it goes back where it was. */
static void restore_tag(struct rn_frame *f, uint8_t *data, const struct tpacket2_hdr *h)
{
	const uint8_t tag[TAG_LEN] = {(uint8_t)(h->tp_vlan_tpid >> 8), (uint8_t)h->tp_vlan_tpid,
				      (uint8_t)(h->tp_vlan_tci >> 8), (uint8_t)h->tp_vlan_tci};

	memmove(data - TAG_LEN, data, MACS_LEN); /* into the room of PACKET_RESERVE */
	memcpy(data + MACS_LEN - TAG_LEN, tag, TAG_LEN);
	f->piece[0].data = data - TAG_LEN;
	f->piece[0].len += TAG_LEN;
	f->len += TAG_LEN;
}

static void describe(struct rn_frame *f, struct tpacket2_hdr *h)
{
	uint8_t *data = (uint8_t *)h + h->tp_mac;

	memset(f, 0, sizeof(*f));
	f->n_pieces = 1;
	f->len = h->tp_snaplen;
	f->piece[0].data = data;
	f->piece[0].len = h->tp_snaplen;
	f->tci = -1;
	f->flags = RAWNET_RX_COPY;
	f->stamp = (uint64_t)h->tp_sec * NSEC + h->tp_nsec;
	if (h->tp_status & TP_STATUS_CSUMNOTREADY)
		f->completed = rn_offload_complete(data, f->len);
	if (!(h->tp_status & TP_STATUS_VLAN_VALID))
		return;
	if ((h->tp_status & TP_STATUS_VLAN_TPID_VALID) && h->tp_vlan_tpid != ETH_P_8021Q)
		restore_tag(f, data, h);
	else
		f->tci = h->tp_vlan_tci;
}

uint32_t rn_copies_rate(const struct rn_port *port)
{
	return port->config.copy_rate ? port->config.copy_rate : RATE_DEFAULT;
}

uint32_t rn_copies_kind(const uint8_t *frame)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	return memcmp(frame, broadcast, sizeof(broadcast)) ? RAWNET_COPY_MULTICAST
							   : RAWNET_COPY_BROADCAST;
}

void rn_copies_give(const struct rn_hwq *hwq, const struct rn_frame *f,
		    const struct rn_attachment *except)
{
	const struct rn_subscribers *subs = rcu_dereference(hwq->port->subscribers);
	uint32_t kind = rn_copies_kind(f->piece[0].data);

	for (uint32_t i = 0; subs && i < subs->n; i++) {
		struct rn_attachment *at = subs->at[i];

		if (at != except && (__atomic_load_n(&at->copies, __ATOMIC_RELAXED) & kind))
			rn_deliver_to(&at->queue[at->first[hwq->poller_index]], f, RN_NO_INDEX);
	}
}

static void take(struct rn_copies *c, struct rn_hwq *hwq, uint64_t now)
{
	struct tpacket2_hdr *h = frame_at(c);
	struct rn_frame f;

	rn_count_port(hwq, RAWNET_P_COPY_PACKETS, 1);
	if (h->tp_snaplen < h->tp_len || h->tp_snaplen < ETH_HLEN || !pay(c, now)) {
		rn_count_port(hwq, RAWNET_P_COPY_DROP, 1);
		return;
	}
	describe(&f, h);
	rn_copies_give(hwq, &f, NULL);
}

unsigned rn_copies_run(struct rn_copies *c, struct rn_hwq *hwq, unsigned budget)
{
	uint64_t now;
	unsigned n;

	for (n = 0; n < budget && filled(c); n++) {
		take(c, hwq, rn_poller_now(hwq->poller));
		/* release: the frame has been read before the kernel may write it again */
		__atomic_store_n(&frame_at(c)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		c->next = (c->next + 1) % FRAMES;
		c->unasked = hwq;
	}
	if (n < budget && c->unasked) {
		now = rn_poller_now(hwq->poller);
		if (now - c->loss_at >= LOSS_NS) {
			c->loss_at = now;
			count_losses(c);
		}
	}
	return n;
}
