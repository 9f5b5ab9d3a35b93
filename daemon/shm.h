/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared memory of one attachment: four memfds, sized and sealed (SHRINK|GROW|SEAL), the three
 * shared ones made immutable (FS_IMMUTABLE_FL), so that nobody can punch holes under the daemon; a
 * seal alone does not stop that. The daemon's mappings are locked. Control thread only.
 */
#ifndef RN_SHM_H
#define RN_SHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct rn_region {
	int fd;
	int client_fd; /* what the client gets: the same, or a read-only reopened descriptor */
	uint8_t *addr;
	size_t size;
};

struct rn_shm {
	struct rn_region rings, packets, counters, state;
	bool immutable; /* the kernel took FS_IMMUTABLE_FL on all of them */
	bool huge; /* packet memory is in huge pages */
};

/* Sizes in bytes, rounded up to pages. All or nothing. */
int rn_shm_create(struct rn_shm *shm, size_t rings, size_t packets, size_t counters, size_t state,
		  bool huge, struct rn_err *err);
/* Memory of the last daemon: fds of rings, packets, counters, state, all taken over. Sizes must
 * agree. */
int rn_shm_adopt(struct rn_shm *shm, const int fds[4], size_t rings, size_t packets,
		 size_t counters, size_t state, struct rn_err *err);
/* The client has its descriptors: closes the one that only it needed. */
void rn_shm_sent(struct rn_shm *shm);
/* Unmaps and closes everything; safe on a zeroed or half-made struct. */
void rn_shm_destroy(struct rn_shm *shm);

#endif
