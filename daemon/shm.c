/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See shm.h. The order of one region: create, size, map and lock for the daemon, seal, reopen
 * read-only if the client may only read, then FS_IMMUTABLE_FL (linux/fs.h; tmpfs has it since 6.0),
 * which existing descriptors survive but nobody can truncate, punch or reopen for writing.
 *
 * Huge pages: MADV_HUGEPAGE on a 2 MiB multiple, which takes effect where shmem_enabled allows it.
 * hugetlbfs is not used: it does not know the immutable flag, and a hole punched there raises
 * SIGBUS in the daemon.
 */
#include "shm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE	 4096u
#define HUGEPAGE (2u << 20)

static size_t round_up(size_t size, size_t to)
{
	return (size + to - 1) / to * to;
}

static int map_region(struct rn_region *r, bool huge, const char *what, struct rn_err *err)
{
	void *addr = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);

	if (addr == MAP_FAILED)
		return rn_fail(err, -errno, "%s memory: mapping %zu bytes: %s", what, r->size,
			       strerror(errno));
	r->addr = addr;
	if (huge)
		madvise(r->addr, r->size, MADV_HUGEPAGE); /* advice: refusal is no error */
	if (mlock(r->addr, r->size) < 0)
		return rn_fail(err, -errno, "%s memory: locking %zu bytes: %s (see LimitMEMLOCK)",
			       what, r->size, strerror(errno));
	/* Cores and children of the daemon have no business in packets. */
	madvise(r->addr, r->size, MADV_DONTDUMP);
	madvise(r->addr, r->size, MADV_DONTFORK);
	return 0;
}

static int make_region(struct rn_region *r, size_t size, bool huge, const char *what,
		       struct rn_err *err)
{
	char name[32];

	snprintf(name, sizeof(name), "rawnet-%s", what);
	r->size = size;
	r->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->fd < 0)
		return rn_fail(err, -errno, "%s memory: memfd_create: %s", what, strerror(errno));
	if (fchmod(r->fd, 0600) < 0 || ftruncate(r->fd, (off_t)size) < 0)
		return rn_fail(err, -errno, "%s memory: %zu bytes: %s", what, size,
			       strerror(errno));
	return map_region(r, huge, what, err);
}

/* A descriptor of the same file that cannot write. */
static int reopen_readonly(struct rn_region *r, struct rn_err *err)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->fd);
	r->client_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->client_fd < 0)
		return rn_fail(err, -errno, "counters: opening %s read-only: %s", path,
			       strerror(errno));
	return 0;
}

/* False: this kernel, or this set of capabilities, does not do it. */
static bool make_immutable(const struct rn_region *r)
{
	int flags;

	if (ioctl(r->fd, FS_IOC_GETFLAGS, &flags) < 0)
		return false;
	flags |= FS_IMMUTABLE_FL;
	return ioctl(r->fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static int seal(struct rn_shm *shm, struct rn_err *err)
{
	struct rn_region *shared[] = {&shm->rings, &shm->packets, &shm->counters};

	shm->immutable = true;
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		if (fcntl(shared[i]->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
		    0)
			return rn_fail(err, -errno, "sealing memory: %s", strerror(errno));
		if (!make_immutable(shared[i]))
			shm->immutable = false;
	}
	return 0;
}

int rn_shm_create(struct rn_shm *shm, size_t rings, size_t packets, size_t counters, size_t state,
		  bool huge, struct rn_err *err)
{
	int rc;

	memset(shm, 0, sizeof(*shm));
	shm->rings.fd = shm->packets.fd = shm->counters.fd = shm->state.fd = -1;
	shm->rings.client_fd = shm->packets.client_fd = shm->counters.client_fd = -1;
	shm->state.client_fd = -1;
	shm->huge = huge;

	rc = make_region(&shm->rings, round_up(rings, PAGE), false, "rings", err);
	if (!rc)
		rc = make_region(&shm->packets, round_up(packets, huge ? HUGEPAGE : PAGE), huge,
				 "packet", err);
	if (!rc)
		rc = make_region(&shm->counters, round_up(counters, PAGE), false, "counters", err);
	if (!rc)
		rc = make_region(&shm->state, round_up(state, PAGE), false, "state", err);
	if (!rc)
		rc = reopen_readonly(&shm->counters, err);
	if (!rc)
		rc = seal(shm, err);
	if (rc) {
		rn_shm_destroy(shm);
		return rc;
	}
	shm->rings.client_fd = shm->rings.fd;
	shm->packets.client_fd = shm->packets.fd;
	return 0;
}

void rn_shm_sent(struct rn_shm *shm)
{
	if (shm->counters.client_fd > 0 && shm->counters.client_fd != shm->counters.fd)
		close(shm->counters.client_fd);
	shm->counters.client_fd = -1;
}

static int adopt_region(struct rn_region *r, int fd, size_t least, const char *what,
			struct rn_err *err)
{
	struct stat st;

	r->fd = r->client_fd = fd;
	if (fstat(fd, &st) < 0 || (size_t)st.st_size < least)
		return rn_fail(err, -EBADMSG, "%s memory: not of the size that it had", what);
	r->size = (size_t)st.st_size;
	return map_region(r, false, what, err);
}

int rn_shm_adopt(struct rn_shm *shm, const int fds[4], size_t rings, size_t packets,
		 size_t counters, size_t state, struct rn_err *err)
{
	int rc;

	memset(shm, 0, sizeof(*shm));
	shm->packets.fd = fds[1]; /* closed by destroy, however far this gets */
	shm->counters.fd = fds[2];
	shm->state.fd = fds[3];
	rc = adopt_region(&shm->rings, fds[0], rings, "rings", err);
	if (!rc)
		rc = adopt_region(&shm->packets, fds[1], packets, "packet", err);
	if (!rc)
		rc = adopt_region(&shm->counters, fds[2], counters, "counters", err);
	if (!rc)
		rc = adopt_region(&shm->state, fds[3], state, "state", err);
	return rc;
}

static void destroy_region(struct rn_region *r)
{
	if (r->addr)
		munmap(r->addr, r->size);
	if (r->client_fd > 0 && r->client_fd != r->fd)
		close(r->client_fd);
	if (r->fd > 0)
		close(r->fd);
	memset(r, 0, sizeof(*r));
	r->fd = r->client_fd = -1;
}

void rn_shm_destroy(struct rn_shm *shm)
{
	destroy_region(&shm->rings);
	destroy_region(&shm->packets);
	destroy_region(&shm->counters);
	destroy_region(&shm->state);
}
