/* SPDX-License-Identifier: BSD-2-Clause */
/* driver.h: theory and contract. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driver.h"
#include "ring.h"

#define ALL_LEFT (CX_RING_SIZE / sizeof(struct cx_record)) /* bounds what a live writer can add */

#define DRIVER_OF(source, member) \
	((struct cx_driver *)(void *)((char *)(source)-offsetof(struct cx_driver, member)))

struct cx_driver {
	struct cx_end *end;
	struct cx_source sock;
	struct cx_source process; /* a pidfd, readable when the process has died */
	pid_t pid;
	struct cx_shm *shm;
	struct cx_ring ring[CX_RINGS];
};

/* ---- attaching ---- */

static struct cx_shm *make_shm(int *memfd)
{
	struct cx_shm *s;
	int fd = memfd_create("cx-wire", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return NULL;
	/* Sealed, so that the driver cannot make our accesses fault. */
	if (ftruncate(fd, CX_SHM_SIZE) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		goto close_fd;
	s = mmap(NULL, CX_SHM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		goto close_fd;
	*memfd = fd;
	return s;
close_fd:
	close(fd);
	return NULL;
}

static void fill_shm(struct cx_driver *d)
{
	const struct cx_end *e = d->end;
	struct cx_shm *s = d->shm;
	uint32_t i;

	s->magic = CX_WIRE_MAGIC;
	s->version = CX_WIRE_VERSION;
	s->size = CX_SHM_SIZE;
	s->ring_size = CX_RING_SIZE;
	s->ifindex = e->ifindex;
	memcpy(s->end, e->name, sizeof(s->end));
	memcpy(s->netdev, e->netdev, sizeof(s->netdev));
	memcpy(s->mac, e->mac, sizeof(s->mac));
	atomic_init(&s->link, e->link);
	atomic_init(&s->mtu, e->mtu);
	for (i = 0; i < CX_RINGS; i++) {
		s->ring_off[i] = CX_SHM_DATA + i * CX_RING_SIZE;
		cx_ring_init(&d->ring[i], &s->ring[i], (uint8_t *)s + s->ring_off[i], CX_RING_SIZE);
	}
}

/* The answer that carries the memory. */
static int answer(int sock, int memfd)
{
	struct cx_msg m = {
		.magic = CX_WIRE_MAGIC, .version = CX_WIRE_VERSION, .type = CX_MSG_ANSWER};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl = {0};
	struct iovec iov = {&m, sizeof(m)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &ctl,
			     .msg_controllen = sizeof(ctl)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &memfd, sizeof(memfd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void sock_ready(struct cx_source *s)
{
	struct cx_driver *d = DRIVER_OF(s, sock);
	char bytes[64];
	ssize_t n;

	do
		n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (n > 0);
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		cx_driver_detach(d);
}

static void process_ready(struct cx_source *s)
{
	cx_driver_detach(DRIVER_OF(s, process));
}

static int watch(struct cx_driver *d, int sock)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	int code;

	d->sock = (struct cx_source) {.fd = fcntl(sock, F_DUPFD_CLOEXEC, 0), .ready = sock_ready};
	code = d->sock.fd < 0 ? -errno : cx_loop_add(&d->sock);
	if (code) {
		cx_loop_remove(&d->sock);
		return code;
	}
	/* Best effort: the process may be in a namespace that we cannot see into. */
	getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	d->pid = peer.pid;
	d->process.fd = (int)syscall(SYS_pidfd_open, d->pid, 0);
	if (d->process.fd >= 0)
		cx_loop_add(&d->process);
	return 0;
}

int cx_driver_attach(struct cx_end *e, int sock, char *err, size_t size)
{
	struct cx_driver *d;
	int code = -ENOMEM, memfd = -1;

	if (e->driver) {
		snprintf(err, size, "end '%s' is taken by process %d", e->name,
			 (int)e->driver->pid);
		return -EBUSY;
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		goto fail;
	d->end = e;
	d->process = (struct cx_source) {.fd = -1, .ready = process_ready};
	d->shm = make_shm(&memfd);
	if (!d->shm)
		goto free_driver;
	fill_shm(d);
	code = answer(sock, memfd);
	close(memfd);
	if (code == 0)
		code = watch(d, sock);
	if (code)
		goto unmap;
	e->driver = d;
	e->count[CX_ATTACHES]++;
	return 0;
unmap:
	munmap(d->shm, CX_SHM_SIZE);
free_driver:
	free(d);
fail:
	snprintf(err, size, "end '%s': %s", e->name, strerror(-code));
	return code;
}

int cx_driver_pid(const struct cx_driver *d)
{
	return d->pid;
}

/* ---- detaching ---- */

/* Delivers up to `budget` frames of a ring, in order; their number. */
static int drain(struct cx_end *e, struct cx_ring *r, enum cx_ring_id id, int budget)
{
	const uint8_t *frame;
	uint32_t len;
	int n = 0;

	while (n < budget && (frame = cx_ring_peek(r, &len))) {
		if (id == CX_RING_TX)
			cx_end_send(e, frame, len);
		else
			cx_end_to_netdev(e, frame, len);
		cx_ring_release(r, len);
		n++;
	}
	return n;
}

/* What the driver did not take from its receive ring: read it in its place. */
static void recover(struct cx_driver *d)
{
	struct cx_end *e = d->end;
	struct cx_ring left = d->ring[CX_RING_RX];

	left.seen = d->ring[CX_RING_RX].mine;
	left.mine = atomic_load_explicit(&left.ctl->tail, memory_order_acquire);
	if (left.broken || left.seen - left.mine > left.size || (left.mine & 7)) {
		e->count[CX_BROKEN]++;
		return;
	}
	e->count[CX_RECOVERED] += (uint64_t)drain(e, &left, CX_RING_RX, ALL_LEFT);
}

void cx_driver_detach(struct cx_driver *d)
{
	struct cx_end *e = d->end;

	e->driver = NULL;
	e->count[CX_UNSTEERED] += (uint64_t)drain(e, &d->ring[CX_RING_UP], CX_RING_UP, ALL_LEFT);
	e->count[CX_FROM_DRIVER] += (uint64_t)drain(e, &d->ring[CX_RING_TX], CX_RING_TX, ALL_LEFT);
	recover(d);
	cx_loop_remove(&d->sock);
	cx_loop_remove(&d->process);
	munmap(d->shm, CX_SHM_SIZE);
	free(d);
}

/* ---- each turn ---- */

bool cx_driver_deliver(struct cx_driver *d, const uint8_t *frame, uint32_t len)
{
	uint8_t *to = cx_ring_reserve(&d->ring[CX_RING_RX], len);

	if (!to)
		return false;
	memcpy(to, frame, len);
	cx_ring_commit(&d->ring[CX_RING_RX], len);
	return true;
}

int cx_driver_poll(struct cx_driver *d)
{
	struct cx_end *e = d->end;
	int up = drain(e, &d->ring[CX_RING_UP], CX_RING_UP, CX_IN_BUDGET);
	int tx = drain(e, &d->ring[CX_RING_TX], CX_RING_TX, CX_OUT_BUDGET);

	e->count[CX_UNSTEERED] += (uint64_t)up;
	e->count[CX_FROM_DRIVER] += (uint64_t)tx;
	if (d->ring[CX_RING_RX].broken || d->ring[CX_RING_TX].broken ||
	    d->ring[CX_RING_UP].broken) {
		fprintf(stderr, "end %s: process %d wrote nonsense into its rings, detached\n",
			e->name, (int)d->pid);
		e->count[CX_BROKEN]++;
		cx_driver_detach(d);
	}
	return up + tx;
}

static void send_wake(struct cx_driver *d)
{
	/* A full socket already holds a wake-up; its end is noticed by sock_ready. */
	(void)!send(d->sock.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void cx_driver_flush(struct cx_driver *d)
{
	struct cx_ring_ctl *ctl = d->shm->ring;
	bool frames = cx_ring_settle(&d->ring[CX_RING_RX], &ctl[CX_RING_RX].head);
	bool room = cx_ring_settle(&d->ring[CX_RING_TX], &ctl[CX_RING_TX].tail);
	uint32_t why;

	room |= cx_ring_settle(&d->ring[CX_RING_UP], &ctl[CX_RING_UP].tail);
	if (!frames && !room)
		return;
	why = atomic_load_explicit(&d->shm->device_sleep, memory_order_seq_cst);
	if (((frames && (why & CX_SLEEP_FRAMES)) || (room && (why & CX_SLEEP_ROOM))) &&
	    atomic_exchange_explicit(&d->shm->device_sleep, 0, memory_order_seq_cst))
		send_wake(d);
}

void cx_driver_tell(struct cx_driver *d)
{
	atomic_store_explicit(&d->shm->link, d->end->link, memory_order_relaxed);
	atomic_store_explicit(&d->shm->mtu, d->end->mtu, memory_order_relaxed);
	send_wake(d);
}

bool cx_driver_sleep(struct cx_driver *d)
{
	atomic_store_explicit(&d->shm->wired_sleep, 1, memory_order_seq_cst);
	return cx_ring_is_empty(&d->ring[CX_RING_TX]) && cx_ring_is_empty(&d->ring[CX_RING_UP]);
}

void cx_driver_wake(struct cx_driver *d)
{
	atomic_store_explicit(&d->shm->wired_sleep, 0, memory_order_seq_cst);
}
