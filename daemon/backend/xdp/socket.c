/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See socket.h. Rings and flags as in the kernel's Documentation/networking/af_xdp.rst; ring
 * accesses by libxdp, whose inline functions hold the barriers.
 *
 * No ring can overflow: the completion ring has a place for each chunk of each room, the fill and
 * tx rings twice as many as there are chunks, because the kernel shows a received packet or a
 * completed one before it gives back the places it took them from (xsk_flush in net/xdp/xsk.c: rx
 * ring first, then fill ring).
 */
#include "socket.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "program.h"
#include "shared.h"

#define RX_CHUNKS   2048u
#define FILL_PLACES (2 * RX_CHUNKS)
#define SMALL	    2048u
#define LARGE	    4096u
#define MOST_PARTS  8u /* chunks of one frame: what struct rn_frame holds */
#define TX_BUDGET   256 /* packets a system call; the kernel's own is 32 */

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9 /* include/uapi/linux/if_xdp.h, Linux 6.17 */
#endif

/* In front of a received frame stand the kernel's headroom and, where the kernel copies, room for
 * the program's verdict, which then shares a line with the frame's headers and not with what nobody
 * reads. A device that writes the frame itself does so to whole lines. */
#define VERDICT	 (uint32_t)sizeof(struct rn_xdp_verdict)
#define HEADROOM (XDP_PACKET_HEADROOM + VERDICT)

/* One tag may come on top of max_frame. */
static uint32_t chunk_for(uint32_t max_frame)
{
	return max_frame + 4 + HEADROOM <= SMALL ? SMALL : LARGE;
}

uint32_t rn_xsk_rx_room(uint32_t max_frame, bool frags)
{
	return (chunk_for(max_frame) - HEADROOM) * (frags ? MOST_PARTS : 1);
}

/* ---- life ---- */

static uint32_t power_of_two(uint32_t n)
{
	return n < 2 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

/* umem_fd < 0: memory of its own. */
static void *map_memory(struct rn_xsk *x)
{
	int flags = x->umem_fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *addr = mmap(NULL, x->size, PROT_READ | PROT_WRITE, flags, x->umem_fd, 0);

	if (addr == MAP_FAILED)
		return NULL;
	madvise(addr, x->size, MADV_HUGEPAGE); /* worth having, nothing depends on it */
	madvise(addr, x->size, MADV_DONTDUMP); /* other people's packets */
	return addr;
}

static void plan_memory(struct rn_xsk *x, const struct rn_xsk_config *config)
{
	uint32_t parts;

	x->chunk_size = chunk_for(config->max_frame);
	x->chunk_mask = ~(uint64_t)(x->chunk_size - 1);
	parts = (config->max_frame + 4 + x->chunk_size - 1) / x->chunk_size;
	x->room_size = parts * x->chunk_size;
	x->tx_base = (uint64_t)RX_CHUNKS * x->chunk_size;
	x->size = x->tx_base + (uint64_t)RN_XSK_ROOMS * x->room_size;
	x->n_descs = power_of_two(RN_XSK_ROOMS * parts);
}

static int make_memory(struct rn_xsk *x, const struct rn_xsk_config *config, struct rn_err *err)
{
	x->free_room = calloc(RN_XSK_ROOMS, sizeof(*x->free_room));
	x->under_way = calloc(RN_XSK_ROOMS, sizeof(*x->under_way));
	x->umem = map_memory(x);
	if (!x->umem || !x->free_room || !x->under_way)
		return rn_fail(err, -ENOMEM, "%s: queue %u: %lu bytes of packet memory: %s",
			       config->dev, config->queue, (unsigned long)x->size,
			       strerror(ENOMEM));
	return 0;
}

static int make_umem(struct rn_xsk *x, const struct rn_xsk_config *config, struct rn_err *err)
{
	const struct xsk_umem_config uc = {
		.fill_size = FILL_PLACES,
		.comp_size = x->n_descs,
		.frame_size = x->chunk_size,
		.frame_headroom = config->copy ? VERDICT : 0,
	};
	int rc = xsk_umem__create(&x->u, x->umem, x->size, &x->fill, &x->done, &uc);

	if (rc == -ENOBUFS || rc == -EPERM)
		return rn_fail(err, rc,
			       "%s: queue %u: locking %lu bytes was refused: raise RLIMIT_MEMLOCK "
			       "or give CAP_IPC_LOCK",
			       config->dev, config->queue, (unsigned long)x->size);
	if (rc == -EAFNOSUPPORT)
		return rn_fail(err, rc, "%s: this kernel has no AF_XDP sockets", config->dev);
	return rc ? rn_fail(err, rc, "%s: queue %u: packet memory: %s", config->dev, config->queue,
			    strerror(-rc))
		  : 0;
}

static void read_options(struct rn_xsk *x)
{
	struct xdp_options options = {0};
	socklen_t size = sizeof(options);

	if (!getsockopt(x->fd, SOL_XDP, XDP_OPTIONS, &options, &size))
		x->zero_copy = options.flags & XDP_OPTIONS_ZEROCOPY;
}

static int make_socket(struct rn_xsk *x, const struct rn_xsk_config *config, struct rn_err *err)
{
	const struct xsk_socket_config sc = {
		.rx_size = RX_CHUNKS,
		.tx_size = 2 * x->n_descs,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = (uint16_t)(XDP_USE_NEED_WAKEUP | (config->copy ? XDP_COPY : 0) |
					 (config->frags ? XDP_USE_SG : 0)),
	};
	int budget = TX_BUDGET;
	int rc = xsk_socket__create(&x->s, config->dev, config->queue, x->u, &x->rx, &x->tx, &sc);

	if (rc == -EINVAL && config->frags)
		return rn_fail(err, -EOPNOTSUPP,
			       "%s: frames of %u bytes need AF_XDP sockets with several buffers "
			       "(Linux 6.6 and a driver that has them): lower the MTU",
			       config->dev, config->max_frame);
	if (rc == -EBUSY)
		return rn_fail(err, rc,
			       "%s: queue %u: another AF_XDP socket is bound to this queue",
			       config->dev, config->queue);
	if (rc)
		return rn_fail(err, rc, "%s: queue %u: AF_XDP socket: %s", config->dev,
			       config->queue, strerror(-rc));
	x->fd = xsk_socket__fd(x->s);
	read_options(x);
	/* Older kernels lack it and take more system calls. */
	setsockopt(x->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
	return 0;
}

static void fill_chunk(struct rn_xsk *x, uint32_t chunk)
{
	uint32_t at = 0;

	if (xsk_ring_prod__reserve(&x->fill, 1, &at))
		*xsk_ring_prod__fill_addr(&x->fill, at) = (uint64_t)chunk * x->chunk_size;
	xsk_ring_prod__submit(&x->fill, 1);
}

static struct rn_xsk *allocate(const struct rn_xsk_config *config, struct rn_err *err)
{
	struct rn_xsk *x = calloc(1, sizeof(*x));

	if (!x) {
		rn_fail(err, -ENOMEM, "%s: out of memory", config->dev);
		return NULL;
	}
	x->fd = x->umem_fd = -1;
	plan_memory(x, config);
	return x;
}

static int make_file(struct rn_xsk *x, const struct rn_xsk_config *config, struct rn_err *err)
{
	if (!config->keep)
		return 0;
	x->umem_fd = memfd_create("rawnet-umem", MFD_CLOEXEC);
	if (x->umem_fd < 0 || ftruncate(x->umem_fd, (off_t)x->size) < 0)
		return rn_fail(err, -errno, "%s: queue %u: packet memory: %s", config->dev,
			       config->queue, strerror(errno));
	return 0;
}

static int create(const struct rn_xsk_config *config, struct rn_xsk **out, struct rn_err *err)
{
	struct rn_xsk *x = allocate(config, err);
	int rc;

	if (!x)
		return -ENOMEM;
	rc = make_file(x, config, err);
	if (!rc)
		rc = make_memory(x, config, err);
	if (!rc)
		rc = make_umem(x, config, err);
	if (!rc)
		rc = make_socket(x, config, err);
	if (rc) {
		rn_xsk_free(x);
		return rc;
	}
	for (uint32_t i = RN_XSK_ROOMS; i-- > 0;)
		x->free_room[x->n_free++] = (uint16_t)i;
	for (uint32_t i = 0; i < RX_CHUNKS; i++)
		fill_chunk(x, i);
	*out = x;
	return 0;
}

/* The kernel takes a moment to let go of a socket that was closed, and so does a service manager
 * that was told to. */
int rn_xsk_create(const struct rn_xsk_config *config, struct rn_xsk **out, struct rn_err *err)
{
	const struct timespec pause = {.tv_nsec = RN_XDP_PAUSE_NS};
	int rc = create(config, out, err);

	for (int i = 1; i < RN_XDP_TRIES && rc == -EBUSY; i++) {
		nanosleep(&pause, NULL);
		rc = create(config, out, err);
	}
	return rc;
}

void rn_xsk_free(struct rn_xsk *x)
{
	if (!x)
		return;
	if (x->s)
		xsk_socket__delete(x->s);
	else if (x->fd >= 0)
		close(x->fd);
	for (unsigned i = 0; i < 4; i++)
		if (x->ring[i].addr)
			munmap(x->ring[i].addr, x->ring[i].size);
	if (x->u)
		xsk_umem__delete(x->u);
	if (x->umem)
		munmap(x->umem, x->size);
	if (x->umem_fd >= 0)
		close(x->umem_fd);
	free(x->free_room);
	free(x->under_way);
	free(x);
}

void rn_xsk_counters(const struct rn_xsk *x, uint64_t v[RAWNET_COUNTERS_SPACE])
{
	struct xdp_statistics st = {0};
	socklen_t size = sizeof(st);

	if (getsockopt(x->fd, SOL_XDP, XDP_STATISTICS, &st, &size))
		return;
	/* rx_dropped: no chunk was free, or the frame is longer than one (net/xdp/xsk.c). */
	v[RAWNET_P_RX_DROP_RING] += st.rx_dropped + st.rx_ring_full;
	v[RAWNET_P_TX_DROP_DEVICE] += st.tx_invalid_descs;
}

/* ---- going on with the last daemon's socket ---- */

static int map_ring(struct rn_xsk *x, unsigned which, const struct xdp_ring_offset *off,
		    uint64_t page_offset, size_t entries)
{
	size_t size = off->desc + entries;
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, x->fd,
			  (off_t)page_offset);

	if (addr == MAP_FAILED)
		return -errno;
	x->ring[which].addr = addr;
	x->ring[which].size = size;
	return 0;
}

/* Both kinds of ring of xsk.h have the same members. */
#define POINT(r, which, off, n)                                                      \
	do {                                                                         \
		uint8_t *base = x->ring[which].addr;                                 \
		(r)->producer = (void *)(base + (off).producer);                     \
		(r)->consumer = (void *)(base + (off).consumer);                     \
		(r)->flags = (void *)(base + (off).flags);                           \
		(r)->ring = base + (off).desc;                                       \
		(r)->size = (n);                                                     \
		(r)->mask = (n)-1;                                                   \
		(r)->cached_prod = __atomic_load_n((r)->producer, __ATOMIC_ACQUIRE); \
		(r)->cached_cons = __atomic_load_n((r)->consumer, __ATOMIC_ACQUIRE); \
	} while (0)

static int map_rings(struct rn_xsk *x)
{
	struct xdp_mmap_offsets off;
	socklen_t size = sizeof(off);
	int rc;

	if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &size))
		return -errno;
	if (size != sizeof(off))
		return -EPROTO;
	rc = map_ring(x, 0, &off.fr, XDP_UMEM_PGOFF_FILL_RING, FILL_PLACES * sizeof(uint64_t));
	if (!rc)
		rc = map_ring(x, 1, &off.cr, XDP_UMEM_PGOFF_COMPLETION_RING,
			      x->n_descs * sizeof(uint64_t));
	if (!rc)
		rc = map_ring(x, 2, &off.rx, XDP_PGOFF_RX_RING,
			      RX_CHUNKS * sizeof(struct xdp_desc));
	if (!rc)
		rc = map_ring(x, 3, &off.tx, XDP_PGOFF_TX_RING,
			      2 * x->n_descs * sizeof(struct xdp_desc));
	if (rc)
		return rc;
	POINT(&x->fill, 0, off.fr, FILL_PLACES);
	POINT(&x->done, 1, off.cr, x->n_descs);
	POINT(&x->rx, 2, off.rx, RX_CHUNKS);
	POINT(&x->tx, 3, off.tx, 2 * x->n_descs);
	/* A producer's cached_cons is kept ahead by the size (xsk.h, xsk_prod_nb_free). */
	x->fill.cached_cons += x->fill.size;
	x->tx.cached_cons += x->tx.size;
	return 0;
}

/* Marks the chunks that stand in the fill ring or the rx ring. The fill ring first: a chunk goes
 * from there to the rx ring, where nobody takes it now. */
static void mark_chunks(const struct rn_xsk *x, uint8_t *seen)
{
	uint32_t from = __atomic_load_n(x->fill.consumer, __ATOMIC_ACQUIRE);
	uint32_t to = __atomic_load_n(x->fill.producer, __ATOMIC_ACQUIRE);

	for (; from != to; from++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): map_rings() has set it */
		uint64_t addr = ((const uint64_t *)x->fill.ring)[from & x->fill.mask];

		if (addr < x->tx_base)
			seen[addr / x->chunk_size] = 1;
	}
	from = __atomic_load_n(x->rx.consumer, __ATOMIC_ACQUIRE);
	to = __atomic_load_n(x->rx.producer, __ATOMIC_ACQUIRE);
	for (; from != to; from++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the same */
		uint64_t addr = ((const struct xdp_desc *)x->rx.ring)[from & x->rx.mask].addr;

		if (addr < x->tx_base)
			seen[addr / x->chunk_size] = 1;
	}
}

/* A daemon that died between taking frames and giving their chunks back lost those chunks: what is
 * in neither ring, seen twice with time between. With zero copy the device may hold the others. */
static void reclaim_chunks(struct rn_xsk *x)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	uint8_t seen[RX_CHUNKS] = {0};

	if (x->zero_copy)
		return;
	mark_chunks(x, seen);
	nanosleep(&pause, NULL);
	mark_chunks(x, seen);
	for (uint32_t i = 0; i < RX_CHUNKS; i++)
		if (!seen[i])
			fill_chunk(x, i);
}

/* Rooms whose descriptors the kernel has not completed are under way; all others are free. What the
 * kernel has taken and not completed is waited for, up to 100 ms. */
static void reclaim_rooms(struct rn_xsk *x)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	uint32_t completed = 0;

	for (int i = 0; i < 50; i++) {
		completed = __atomic_load_n(x->done.producer, __ATOMIC_ACQUIRE);
		if (completed == __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE))
			break;
		nanosleep(&pause, NULL);
	}
	x->done.cached_prod = x->done.cached_cons = completed;
	__atomic_store_n(x->done.consumer, completed, __ATOMIC_RELEASE);
	for (uint32_t i = completed; i != x->tx.cached_prod; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): map_rings() has set it */
		uint64_t addr = ((const struct xdp_desc *)x->tx.ring)[i & x->tx.mask].addr;

		x->under_way[(addr - x->tx_base) / x->room_size]++;
	}
	for (uint32_t i = RN_XSK_ROOMS; i-- > 0;)
		if (!x->under_way[i])
			x->free_room[x->n_free++] = (uint16_t)i;
}

int rn_xsk_adopt(const struct rn_xsk_config *config, int fd, int umem_fd, struct rn_xsk **out,
		 struct rn_err *err)
{
	struct rn_xsk *x = allocate(config, err);
	struct stat st;
	int rc = 0;

	if (!x)
		return -ENOMEM;
	if (fstat(umem_fd, &st) < 0 || (uint64_t)st.st_size != x->size)
		rc = rn_fail(err, -EBADMSG, "%s: its frames have another size now", config->dev);
	x->fd = fd;
	x->umem_fd = umem_fd;
	if (!rc)
		rc = make_memory(x, config, err);
	if (!rc && (rc = map_rings(x)))
		rn_fail(err, rc, "%s: queue %u: rings: %s", config->dev, config->queue,
			strerror(-rc));
	if (rc) {
		x->fd = x->umem_fd = -1; /* the caller's */
		rn_xsk_free(x);
		return rc;
	}
	read_options(x);
	reclaim_chunks(x);
	reclaim_rooms(x);
	*out = x;
	return 0;
}
