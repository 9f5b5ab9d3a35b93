/* SPDX-License-Identifier: BSD-2-Clause */
/* Acts on the descriptors and mappings that came with the attachment. */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* ---- everything that could change a file under the daemon ---- */

/* One of the three memfds, and where it is mapped. */
struct target {
	const char *name;
	int fd;
	void *addr;
	size_t size;
};

static int shrink(const struct target *t)
{
	return ftruncate(t->fd, 0);
}

static int grow(const struct target *t)
{
	return ftruncate(t->fd, (off_t)t->size * 2);
}

static int punch(const struct target *t)
{
	return fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)t->size);
}

static int punch_one(const struct target *t)
{
	return fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
}

static int zero(const struct target *t)
{
	return fallocate(t->fd, FALLOC_FL_ZERO_RANGE, 0, (off_t)t->size);
}

static int cut_out(const struct target *t)
{
	return fallocate(t->fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096);
}

static int remove_pages(const struct target *t)
{
	return madvise(t->addr, t->size, MADV_REMOVE);
}

static int seal(const struct target *t)
{
	return fcntl(t->fd, F_ADD_SEALS, F_SEAL_WRITE);
}

static int seal_future(const struct target *t)
{
	return fcntl(t->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
}

static int clear_flags(const struct target *t)
{
	int flags = 0;

	return ioctl(t->fd, FS_IOC_SETFLAGS, &flags);
}

static int change_mode(const struct target *t)
{
	return fchmod(t->fd, 0777);
}

static int reopen(const struct target *t, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
	fd = open(path, flags);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int reopen_write(const struct target *t)
{
	return reopen(t, O_RDWR);
}

static int reopen_truncate(const struct target *t)
{
	return reopen(t, O_RDWR | O_TRUNC);
}

static int lease(const struct target *t)
{
	return fcntl(t->fd, F_SETLEASE, F_WRLCK);
}

/* These must be refused for what a client may only read. */
static int write_bytes(const struct target *t)
{
	return pwrite(t->fd, "hostile", 7, 0) == 7 ? 0 : -1;
}

static int map_write(const struct target *t)
{
	void *p = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);

	if (p == MAP_FAILED)
		return -1;
	munmap(p, t->size);
	return 0;
}

static int protect_write(const struct target *t)
{
	return mprotect(t->addr, t->size, PROT_READ | PROT_WRITE);
}

static const struct {
	const char *name;
	int (*try)(const struct target *t);
} tries[] = {
	{"shrink", shrink},
	{"grow", grow},
	{"punch", punch},
	{"punch one page", punch_one},
	{"zero", zero},
	{"cut out", cut_out},
	{"madvise remove", remove_pages},
	{"seal", seal},
	{"seal future writes", seal_future},
	{"clear flags", clear_flags},
	{"change mode", change_mode},
	{"reopen for writing", reopen_write},
	{"reopen and truncate", reopen_truncate},
	{"lease", lease},
	{"write", write_bytes},
	{"map for writing", map_write},
	{"make writable", protect_write},
};
#define TRIES (sizeof(tries) / sizeof(tries[0]))

/* {"rings": {"shrink": "EPERM", "write": "ok", ...}, ...} */
static int files(void)
{
	struct session s;

	session_open(&s, "files", NULL);
	const struct target target[] = {
		{"rings", s.fds[0], s.rings, s.at.rings_size},
		{"packets", s.fds[1], s.mem, s.at.packets_size},
		{"counters", s.fds[2], (void *)(uintptr_t)s.counters, s.at.counters_size},
	};
	for (size_t k = 0; k < 3; k++) {
		printf("%s\"%s\": {", k ? ", " : "{", target[k].name);
		for (size_t i = 0; i < TRIES; i++) {
			int rc = tries[i].try(&target[k]);

			printf("%s\"%s\": \"%s\"", i ? ", " : "", tries[i].name,
			       rc ? strerrorname_np(errno) : "ok");
		}
		printf("}");
	}
	puts("}");
	session_close(&s);
	return 0;
}

/* ---- again and again, while the daemon works on the same pages ---- */

/* Every call that could take a page away from the daemon for a moment, in a loop, while frames come
 * in (the test sends them) and go out. */
static int squeeze(void)
{
	static const struct rawnet_req_attach big = {
		.rx_size = 1024, .tx_size = 64, .n_bufs = 4096, .buf_size = 2048};
	static const int advice[] = {MADV_REMOVE,  MADV_DONTNEED, MADV_COLD,
				     MADV_PAGEOUT, MADV_COLLAPSE, MADV_FREE};
	double end = now() + orders.seconds;
	struct session s;
	uint64_t calls = 0;

	session_open(&s, "squeezer", &big);
	for (; now() < end && !session_ended(&s, 0); calls++) {
		const struct target t[] = {{"", s.fds[0], s.rings, s.at.rings_size},
					   {"", s.fds[1], s.mem, s.at.packets_size}};

		for (int k = 0; k < 2; k++) {
			madvise(t[k].addr, t[k].size, advice[calls % 6]);
			punch(&t[k]);
			punch_one(&t[k]);
		}
		if (rawnet_tx_room(&s.tx, 1))
			session_send(&s, orders.frame, orders.frame_len);
		session_kick(&s);
		s.rx.client = s.rx.mask + 1 + rawnet_ring_load(&s.rx.ctl->daemon);
		rawnet_ring_publish(&s.rx);
	}
	printf("{\"ended\": %s, \"calls\": %llu, \"rx_packets\": %llu, \"tx_packets\": %llu}\n",
	       reason_word(&s), (unsigned long long)calls,
	       (unsigned long long)session_count(&s, RAWNET_Q_RX_PACKETS),
	       (unsigned long long)session_count(&s, RAWNET_Q_TX_PACKETS));
	session_close(&s);
	return 0;
}

/* ---- the wake-up sockets ---- */

/* Filled to the brim, made blocking, never read, shut down: the daemon must not block. */
static int sockets(void)
{
	static const char bytes[4096];
	double end = now() + orders.seconds;
	uint64_t sent = 0;
	struct session s;

	session_open(&s, "sockets", NULL);
	fcntl(s.fds[3], F_SETFL, 0);
	while (now() < end && !session_ended(&s, 0)) {
		sent += send(s.fds[3], bytes, 1 + random_next() % sizeof(bytes),
			     MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
		s.rx.ctl->sleep.client = 1; /* asks to be woken, and never reads */
		s.rx.client = s.rx.mask + 1 + rawnet_ring_load(&s.rx.ctl->daemon);
		rawnet_ring_publish(&s.rx);
	}
	shutdown(s.fds[3], SHUT_RDWR);
	session_ended(&s, 0.2);
	printf("{\"ended\": %s, \"sent\": %llu, \"wakeups\": %llu}\n", reason_word(&s),
	       (unsigned long long)sent, (unsigned long long)session_count(&s, RAWNET_Q_WAKEUPS));
	session_close(&s);
	return 0;
}

const struct act memory_acts[] = {
	{"files", "tries everything on the memfds, once", files},
	{"squeeze", "punches and advises away, in a loop, under traffic", squeeze},
	{"sockets", "floods the wake-up socket, and shuts it down", sockets},
	{0},
};
