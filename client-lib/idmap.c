/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "idmap.h"

#define FIRST_SIZE 64u

/* Ids are mostly consecutive: a multiplication spreads them (Knuth, vol. 3, 6.4). */
static size_t place(const struct rn_idmap *map, uint64_t id)
{
	return (size_t)((id * 0x9e3779b97f4a7c15u) >> 32) & (map->size - 1);
}

/* Where `id` is, or the empty entry where it would be. */
static size_t find(const struct rn_idmap *map, uint64_t id)
{
	size_t i = place(map, id);

	while (map->entries[i].id && map->entries[i].id != id)
		i = (i + 1) & (map->size - 1);
	return i;
}

void *rn_idmap_get(const struct rn_idmap *map, uint64_t id)
{
	if (!map->size || !id)
		return NULL;
	return map->entries[find(map, id)].value;
}

static int grow(struct rn_idmap *map)
{
	struct rn_idmap bigger = {.size = map->size ? map->size * 2 : FIRST_SIZE,
				  .used = map->used};

	bigger.entries = calloc(bigger.size, sizeof(*bigger.entries));
	if (!bigger.entries)
		return -ENOMEM;
	for (size_t i = 0; i < map->size; i++)
		if (map->entries[i].id)
			bigger.entries[find(&bigger, map->entries[i].id)] = map->entries[i];
	free(map->entries);
	*map = bigger;
	return 0;
}

int rn_idmap_put(struct rn_idmap *map, uint64_t id, void *value)
{
	size_t i;

	if ((map->used + 1) * 3 > map->size * 2 && grow(map))
		return -ENOMEM;
	i = find(map, id);
	if (map->entries[i].id)
		return -EEXIST;
	map->entries[i] = (struct rn_idmap_entry) {id, value};
	map->used++;
	return 0;
}

void rn_idmap_del(struct rn_idmap *map, uint64_t id)
{
	size_t mask = map->size - 1, hole, i;

	if (!map->size || !id || !map->entries[hole = find(map, id)].id)
		return;
	for (i = (hole + 1) & mask; map->entries[i].id; i = (i + 1) & mask) {
		/* An entry may move up to the hole unless its own place lies behind the hole. */
		if (((i - place(map, map->entries[i].id)) & mask) >= ((i - hole) & mask)) {
			map->entries[hole] = map->entries[i];
			hole = i;
		}
	}
	map->entries[hole] = (struct rn_idmap_entry) {0, NULL};
	map->used--;
}

void rn_idmap_free(struct rn_idmap *map)
{
	free(map->entries);
	*map = (struct rn_idmap) {0};
}
