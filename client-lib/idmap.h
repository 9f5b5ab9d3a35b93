/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map from 64-bit ids to pointers: open addressing with linear probing, at most two thirds full,
 * deletion by moving the followers up. Ids are never 0. Not locked: the connection's lock covers
 * it.
 */
#ifndef RAWNET_CLIENT_LIB_IDMAP_H
#define RAWNET_CLIENT_LIB_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct rn_idmap_entry {
	uint64_t id; /* 0: empty */
	void *value;
};

struct rn_idmap {
	struct rn_idmap_entry *entries;
	size_t size; /* a power of two, or 0 before the first insertion */
	size_t used;
};

void *rn_idmap_get(const struct rn_idmap *map, uint64_t id); /* NULL: not there */
int rn_idmap_put(struct rn_idmap *map, uint64_t id, void *value); /* 0, -EEXIST, -ENOMEM */
void rn_idmap_del(struct rn_idmap *map, uint64_t id);
void rn_idmap_free(struct rn_idmap *map);

#endif
