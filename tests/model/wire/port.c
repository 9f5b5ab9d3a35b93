/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.h: theory and contract. Linked into the preload library: whatever that library interposes
 * is called through `sys`.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "port.h"
#include "ring.h"

#define ANSWER_S 5 /* a wire process that hangs must not hang the driver */

struct cx_port {
	int sock;
	_Atomic bool gone;
	struct cx_shm *shm;
	struct cx_port_info info;
	struct cx_ring ring[CX_RINGS];
};

static const struct cx_sys libc_sys = {
	.socket = socket, .mmap = mmap, .munmap = munmap, .close = close};
static const struct cx_sys *sys = &libc_sys;

void cx_port_use_sys(const struct cx_sys *table)
{
	sys = table;
}

__attribute__((format(printf, 4, 5))) static int fail(char *err, size_t size, int code,
						      const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, size, fmt, ap);
	va_end(ap);
	return code;
}

/* ---- attaching ---- */

static int connect_to(const char *path, char *err, size_t size)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = ANSWER_S};
	int fd, code;

	if (strlen(path) >= sizeof(to.sun_path))
		return fail(err, size, -ENAMETOOLONG, "wire socket '%s': the path is too long",
			    path);
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = sys->socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(err, size, -errno, "wire socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	code = errno == ECONNREFUSED ? -ENOENT : -errno;
	sys->close(fd);
	if (code == -ENOENT)
		return fail(err, size, code, "no wire process listens on '%s'", path);
	return fail(err, size, code, "wire socket '%s': %s", path, strerror(-code));
}

static int ask(int sock, const char *end, char *err, size_t size)
{
	struct cx_msg m = {.magic = CX_WIRE_MAGIC,
			   .version = CX_WIRE_VERSION,
			   .type = CX_MSG_ATTACH,
			   .len = (uint32_t)strlen(end)};
	char buf[sizeof(m) + 256];

	if (m.len >= CX_NAME_MAX)
		return fail(err, size, -ENAMETOOLONG, "end '%.32s': the name is too long", end);
	memcpy(buf, &m, sizeof(m));
	memcpy(buf + sizeof(m), end, m.len);
	if (send(sock, buf, sizeof(m) + m.len, MSG_NOSIGNAL) < 0)
		return fail(err, size, -errno, "wire process: %s", strerror(errno));
	return 0;
}

/* Reads the answer: the memfd, or -errno with the wire process's own sentence. */
static int hear(int sock, char *err, size_t size)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl = {0};
	char text[512] = "";
	struct cx_msg m = {0};
	struct iovec iov[2] = {{&m, sizeof(m)}, {text, sizeof(text) - 1}};
	struct msghdr msg = {.msg_iov = iov,
			     .msg_iovlen = 2,
			     .msg_control = &ctl,
			     .msg_controllen = sizeof(ctl)};
	struct cmsghdr *c;
	ssize_t n;
	int fd = -EPROTO;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	c = CMSG_FIRSTHDR(&msg);
	if (n > 0 && c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	if (n < (ssize_t)sizeof(m) || m.magic != CX_WIRE_MAGIC || m.type != CX_MSG_ANSWER)
		fail(err, size, 0, "the wire process gave no sensible answer");
	else if (m.err >= 0 && fd >= 0)
		return fd;
	else
		fail(err, size, 0, "%s", text);
	if (fd >= 0)
		sys->close(fd);
	return n >= (ssize_t)sizeof(m) && m.err < 0 ? m.err : -EPROTO;
}

/* Maps the memory and checks what the rings will rely on. */
static int map(struct cx_port *p, int memfd, char *err, size_t size)
{
	struct cx_shm *s;
	int i;

	s = sys->mmap(NULL, CX_SHM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (s == MAP_FAILED)
		return fail(err, size, -errno, "mapping the wire's memory: %s", strerror(errno));
	p->shm = s;
	if (s->magic != CX_WIRE_MAGIC || s->version != CX_WIRE_VERSION || s->size != CX_SHM_SIZE ||
	    s->ring_size != CX_RING_SIZE)
		return fail(err, size, -EPROTO,
			    "the wire's memory is of version %u, this device speaks %u", s->version,
			    CX_WIRE_VERSION);
	for (i = 0; i < CX_RINGS; i++) {
		uint32_t off = s->ring_off[i];

		if (off < CX_SHM_DATA || off % 64 || off > CX_SHM_SIZE - CX_RING_SIZE)
			return fail(err, size, -EPROTO, "the wire's ring %d lies outside", i);
		cx_ring_init(&p->ring[i], &s->ring[i], (uint8_t *)s + off, CX_RING_SIZE);
	}
	p->info.ifindex = s->ifindex;
	memcpy(p->info.mac, s->mac, sizeof(p->info.mac));
	memcpy(p->info.end, s->end, CX_NAME_MAX - 1);
	memcpy(p->info.netdev, s->netdev, CX_NAME_MAX - 1);
	return 0;
}

int cx_port_attach(const char *path, const char *end, struct cx_port **out, char *err,
		   size_t err_size)
{
	struct cx_port *p = calloc(1, sizeof(*p));
	int memfd, code;

	if (!p)
		return fail(err, err_size, -ENOMEM, "no memory for a port");
	p->sock = code = connect_to(path, err, err_size);
	if (code < 0)
		goto free_port;
	code = ask(p->sock, end, err, err_size);
	if (code)
		goto close_sock;
	memfd = code = hear(p->sock, err, err_size);
	if (code < 0)
		goto close_sock;
	code = map(p, memfd, err, err_size);
	sys->close(memfd);
	if (code)
		goto unmap;
	*out = p;
	return 0;
unmap:
	if (p->shm)
		sys->munmap(p->shm, CX_SHM_SIZE);
close_sock:
	sys->close(p->sock);
free_port:
	free(p);
	return code;
}

void cx_port_detach(struct cx_port *p)
{
	sys->munmap(p->shm, CX_SHM_SIZE);
	sys->close(p->sock);
	free(p);
}

/* ---- what it knows ---- */

const struct cx_port_info *cx_port_info(const struct cx_port *p)
{
	return &p->info;
}

uint32_t cx_port_mtu(const struct cx_port *p)
{
	return atomic_load_explicit(&p->shm->mtu, memory_order_relaxed);
}

bool cx_port_link(const struct cx_port *p)
{
	return !atomic_load_explicit(&p->gone, memory_order_relaxed) &&
	       atomic_load_explicit(&p->shm->link, memory_order_relaxed) == 1;
}

int cx_port_fd(const struct cx_port *p)
{
	return p->sock;
}

/* ---- frames ---- */

const uint8_t *cx_port_peek(struct cx_port *p, uint32_t *len)
{
	return cx_ring_peek(&p->ring[CX_RING_RX], len);
}

void cx_port_release(struct cx_port *p, uint32_t len)
{
	cx_ring_release(&p->ring[CX_RING_RX], len);
}

uint8_t *cx_port_reserve(struct cx_port *p, enum cx_ring_id ring, uint32_t len)
{
	return cx_ring_reserve(&p->ring[ring], len);
}

void cx_port_commit(struct cx_port *p, enum cx_ring_id ring, uint32_t len)
{
	cx_ring_commit(&p->ring[ring], len);
}

bool cx_port_has_room(struct cx_port *p, enum cx_ring_id ring, uint32_t bytes)
{
	return cx_ring_has_room(&p->ring[ring], bytes);
}

static int copy(struct cx_port *p, enum cx_ring_id ring, const void *frame, uint32_t len)
{
	uint8_t *to;

	if (len < CX_FRAME_MIN || len > CX_FRAME_MAX)
		return -EMSGSIZE;
	to = cx_ring_reserve(&p->ring[ring], len);
	if (!to) {
		atomic_fetch_add_explicit(&p->shm->device_drops[ring], 1, memory_order_relaxed);
		return -ENOBUFS;
	}
	memcpy(to, frame, len);
	cx_ring_commit(&p->ring[ring], len);
	return 0;
}

int cx_port_send(struct cx_port *p, const void *frame, uint32_t len)
{
	return copy(p, CX_RING_TX, frame, len);
}

int cx_port_to_kernel(struct cx_port *p, const void *frame, uint32_t len)
{
	return copy(p, CX_RING_UP, frame, len);
}

/* ---- waking and sleeping ---- */

void cx_port_flush(struct cx_port *p)
{
	bool moved = cx_ring_settle(&p->ring[CX_RING_TX], &p->shm->ring[CX_RING_TX].head);

	moved |= cx_ring_settle(&p->ring[CX_RING_UP], &p->shm->ring[CX_RING_UP].head);
	if (!moved || !atomic_load_explicit(&p->shm->wired_sleep, memory_order_seq_cst))
		return;
	/* A full socket already holds a wake-up; a dead peer is noticed in cx_port_wake. */
	if (atomic_exchange_explicit(&p->shm->wired_sleep, 0, memory_order_seq_cst))
		(void)!send(p->sock, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool cx_port_sleep(struct cx_port *p, bool room)
{
	uint32_t why = CX_SLEEP_FRAMES | (room ? CX_SLEEP_ROOM : 0);

	cx_port_flush(p);
	atomic_store_explicit(&p->shm->device_sleep, why, memory_order_seq_cst);
	if (cx_ring_is_empty(&p->ring[CX_RING_RX]) &&
	    !(room && !cx_ring_is_full(&p->ring[CX_RING_TX]) &&
	      !cx_ring_is_full(&p->ring[CX_RING_UP])))
		return true;
	atomic_store_explicit(&p->shm->device_sleep, 0, memory_order_seq_cst);
	return false;
}

int cx_port_wake(struct cx_port *p)
{
	char bytes[64];
	ssize_t n;

	atomic_store_explicit(&p->shm->device_sleep, 0, memory_order_seq_cst);
	do
		n = recv(p->sock, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		atomic_store_explicit(&p->gone, true, memory_order_relaxed);
	return atomic_load_explicit(&p->gone, memory_order_relaxed) ? -EPIPE : 0;
}
