/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three mappings of one attach, and what its queues start with.
 *
 * The daemon is trusted, but another version of it, or a bug, must give an error and not a crash:
 * the reply, the descriptors' sizes and the header in the rings are checked against each other
 * before anything is used, and the header is copied first. All checks of ranges are in 64 bits.
 *
 * Buffers. Each queue gets an equal share of them: one for every rx slot, posted, one for every tx
 * slot, and the rest as spares.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static bool power_of_two(uint32_t v)
{
	return v && !(v & (v - 1));
}

/* The memfd's own size in *size, which is what is mapped: huge pages are unmapped as a whole. */
static int check_size(const char *what, int fd, uint64_t announced, uint64_t least, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return rn_fail(-EPROTO, "reply to attach: %s: %s", what, strerror(errno));
	*size = (uint64_t)st.st_size;
	if (announced < least)
		return rn_fail(-EPROTO, "reply to attach: %s_size is %llu", what,
			       (unsigned long long)announced);
	if (!S_ISREG(st.st_mode) || *size < announced || *size > SIZE_MAX)
		return rn_fail(-EPROTO, "reply to attach: %s has %llu bytes, %llu were announced",
			       what, (unsigned long long)*size, (unsigned long long)announced);
	return 0;
}

/* NULL: *err says why. */
static void *map(const char *what, int fd, uint64_t size, int prot, int *err)
{
	void *p = mmap(NULL, (size_t)size, prot, MAP_SHARED | MAP_POPULATE, fd, 0);

	if (p != MAP_FAILED)
		return p;
	*err = rn_fail(-errno, "cannot map %s: %s", what, strerror(errno));
	return NULL;
}

static bool inside(uint64_t off, uint64_t len, uint64_t size, uint32_t align)
{
	return off >= sizeof(struct rawnet_rings) && len <= size && off <= size - len &&
	       off % align == 0;
}

static int check_queue(const struct rawnet_rings *h, uint32_t i)
{
	const struct rawnet_queue_desc *d = &h->queue[i];
	const uint64_t slot = sizeof(struct rawnet_slot), ctl = sizeof(struct rawnet_ring_ctl);

	if (!power_of_two(d->rx_size) || d->rx_size < RAWNET_RING_MIN ||
	    d->rx_size > RAWNET_RING_MAX)
		return rn_fail(-EPROTO, "rings: queue %u: rx_size is %u", i, d->rx_size);
	if (!power_of_two(d->tx_size) || d->tx_size < RAWNET_RING_MIN ||
	    d->tx_size > RAWNET_RING_MAX)
		return rn_fail(-EPROTO, "rings: queue %u: tx_size is %u", i, d->tx_size);
	if (!inside(d->rx_ctl, ctl, h->size, RAWNET_LINE) ||
	    !inside(d->tx_ctl, ctl, h->size, RAWNET_LINE) ||
	    !inside(d->rx_slots, slot * d->rx_size, h->size, sizeof(struct rawnet_slot)) ||
	    !inside(d->tx_slots, slot * d->tx_size, h->size, sizeof(struct rawnet_slot)) ||
	    (d->rx_stamp &&
	     !inside(d->rx_stamp, sizeof(uint64_t) * d->rx_size, h->size, sizeof(uint64_t))))
		return rn_fail(-EPROTO, "rings: queue %u: an offset is outside or not aligned", i);
	return 0;
}

static int check_rings(const struct rn_mem *mem)
{
	const struct rawnet_rings *h = &mem->head;
	int err = 0;

	if (h->magic != RAWNET_ABI_MAGIC || h->version != RAWNET_ABI_VERSION)
		return rn_fail(-EPROTO, "rings: magic %#x, version %u: not those of this library",
			       h->magic, h->version);
	if (h->size > mem->rings_size || h->n_queues != mem->n_queues)
		return rn_fail(-EPROTO, "rings: size or n_queues differ from the reply to attach");
	if (!power_of_two(h->buf_size) || h->buf_size < RAWNET_BUF_MIN ||
	    h->buf_size > RAWNET_BUF_MAX)
		return rn_fail(-EPROTO, "rings: buf_size is %u", h->buf_size);
	if (h->n_bufs == 0 || (uint64_t)h->n_bufs * h->buf_size > mem->packets_size ||
	    (uint64_t)h->n_bufs * h->buf_size > (uint64_t)UINT32_MAX + 1)
		return rn_fail(-EPROTO, "rings: n_bufs is %u, packet memory has %llu bytes",
			       h->n_bufs, (unsigned long long)mem->packets_size);
	if (h->headroom >= h->buf_size)
		return rn_fail(-EPROTO, "rings: headroom is %u", h->headroom);
	for (uint32_t i = 0; i < h->n_queues && !err; i++)
		err = check_queue(h, i);
	return err;
}

static int check_counters(const struct rn_mem *mem)
{
	const struct rawnet_counters *c = mem->counters;

	if (c->magic != RAWNET_ABI_MAGIC || c->version != RAWNET_ABI_VERSION)
		return rn_fail(-EPROTO, "counters: magic %#x, version %u", c->magic, c->version);
	if (c->n_queues < mem->n_queues)
		return rn_fail(-EPROTO, "counters: n_queues is %u", c->n_queues);
	return 0;
}

/* Buffers begin at multiples of a large power of two. Packets that did so too would share a few
 * sets of the caches; where there is room, they begin at four different lines. */
static uint32_t starts(const struct rawnet_rings *h)
{
	uint32_t used = h->headroom + h->max_frame;
	uint32_t room = used < h->buf_size ? (h->buf_size - used) / RN_LINE : 0;

	return room >= 3 ? 3 : room >= 1 ? 1 : 0;
}

/* One queue's share; false: too small to fill its rings. */
static bool start_queue(struct rn_mem *mem, uint32_t i)
{
	const struct rawnet_queue_desc *d = &mem->head.queue[i];
	const uint32_t share = mem->head.n_bufs / mem->n_queues;
	struct rn_start *s = &mem->start[i];
	uint32_t off = i * share * mem->head.buf_size;

	if (share < d->rx_size + d->tx_size)
		return false;
	s->rx = (struct rawnet_ring) {.ctl = (void *)(mem->rings + d->rx_ctl),
				      .slots = (void *)(mem->rings + d->rx_slots),
				      .mask = d->rx_size - 1};
	if (d->rx_stamp)
		s->rx.stamps = (const void *)(mem->rings + d->rx_stamp);
	s->tx = (struct rawnet_ring) {.ctl = (void *)(mem->rings + d->tx_ctl),
				      .slots = (void *)(mem->rings + d->tx_slots),
				      .mask = d->tx_size - 1};
	for (uint32_t k = 0; k < d->rx_size; k++, off += mem->head.buf_size)
		s->rx.slots[k].off = off;
	for (uint32_t k = 0; k < d->tx_size; k++, off += mem->head.buf_size)
		s->tx.slots[k].off = rn_mem_start(mem, off);
	s->n_free = share - d->rx_size - d->tx_size;
	for (uint32_t k = s->n_free; k > 0; k--, off += mem->head.buf_size)
		s->free_bufs[k - 1] = off;
	s->rx.client = d->rx_size;
	rawnet_ring_publish(&s->rx);
	return true;
}

static int start_queues(struct rn_mem *mem)
{
	mem->starts = starts(&mem->head);
	for (uint32_t i = 0; i < mem->n_queues; i++) {
		mem->start[i].free_bufs = malloc(sizeof(uint32_t) * mem->head.n_bufs);
		if (!mem->start[i].free_bufs)
			return rn_fail(-ENOMEM, "no memory for the list of free buffers");
		if (!start_queue(mem, i))
			return rn_fail(-EINVAL,
				       "n_bufs: %u buffers are too few for %u queues of %u + %u",
				       mem->head.n_bufs, mem->n_queues, mem->head.queue[i].rx_size,
				       mem->head.queue[i].tx_size);
	}
	return 0;
}

static int map_all(struct rn_mem *mem, const int *fds)
{
	const int rw = PROT_READ | PROT_WRITE;
	int err = 0;

	mem->rings = map("rings", fds[0], mem->rings_size, rw, &err);
	if (!mem->rings)
		return err;
	memcpy(&mem->head, mem->rings, sizeof(mem->head));
	if ((err = check_rings(mem)))
		return err;
	mem->packets = map("packets", fds[1], mem->packets_size, rw, &err);
	if (!mem->packets)
		return err;
	mem->counters = map("counters", fds[2], mem->counters_size, PROT_READ, &err);
	if (!mem->counters)
		return err;
	if ((err = check_counters(mem)))
		return err;
	return start_queues(mem);
}

static int check_reply(struct rn_mem *mem, const struct rawnet_rep_attach *rep,
		       const struct rn_msg *m)
{
	uint64_t sets;
	int err;

	if (rep->n_queues < 1 || rep->n_queues > RAWNET_QUEUES_MAX)
		return rn_fail(-EPROTO, "reply to attach: n_queues is %u", rep->n_queues);
	if (m->n_fds != 3 + rep->n_queues)
		return rn_fail(m->cut ? -EMFILE : -EPROTO,
			       "reply to attach: %u descriptors for %u queues%s", m->n_fds,
			       rep->n_queues, m->cut ? ": too many open files" : "");
	sets = offsetof(struct rawnet_counters, queue) +
	       (uint64_t)rep->n_queues * sizeof(struct rawnet_counter_set);
	err = check_size("rings", m->fds[0], rep->rings_size, sizeof(struct rawnet_rings),
			 &mem->rings_size);
	if (!err)
		err = check_size("packets", m->fds[1], rep->packets_size, RAWNET_BUF_MIN,
				 &mem->packets_size);
	if (!err)
		err = check_size("counters", m->fds[2], rep->counters_size, sets,
				 &mem->counters_size);
	return err;
}

static void take_wake_fds(struct rn_mem *mem, uint32_t n, struct rn_msg *m)
{
	for (; mem->n_queues < n; mem->n_queues++) {
		mem->start[mem->n_queues].wake_fd = m->fds[3 + mem->n_queues];
		m->fds[3 + mem->n_queues] = -1;
	}
}

int rn_mem_map(struct rn_mem **mem, const struct rawnet_rep_attach *rep, struct rn_msg *m)
{
	struct rn_mem *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return rn_fail(-ENOMEM, "no memory for an attachment");
	new->refs = 1;
	err = check_reply(new, rep, m);
	if (!err) {
		take_wake_fds(new, rep->n_queues, m);
		err = map_all(new, m->fds);
	}
	if (err) {
		rn_mem_unref(new);
		return err;
	}
	*mem = new;
	return 0;
}

struct rn_mem *rn_mem_ref(struct rn_mem *mem)
{
	__atomic_add_fetch(&mem->refs, 1, __ATOMIC_RELAXED);
	return mem;
}

static void unmap(const void *p, uint64_t size)
{
	if (p)
		munmap((void *)(uintptr_t)p, (size_t)size);
}

void rn_mem_unref(struct rn_mem *mem)
{
	if (!mem || __atomic_sub_fetch(&mem->refs, 1, __ATOMIC_ACQ_REL))
		return;
	unmap(mem->rings, mem->rings_size);
	unmap(mem->packets, mem->packets_size);
	unmap(mem->counters, mem->counters_size);
	for (uint32_t i = 0; i < mem->n_queues; i++) {
		free(mem->start[i].free_bufs);
		close(mem->start[i].wake_fd);
	}
	free(mem);
}
