/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the XDP program and the daemon share: the order of shapes, what stands in front of their
 * tables, the verdict that travels in front of a packet, and the counters of the program.
 */
#ifndef RN_XDP_SHARED_H
#define RN_XDP_SHARED_H

#include "key.h"

#define RN_XDP_SHAPES 16
#define RN_XDP_QUEUES 64

/*
 * In front of each table stands a filter of one bit for each value of a hash of the masked key. A
 * clear bit says that no rule has such a key, and spares the look-up, which reads two or three
 * cache lines of a large table only to find nothing; the filters of all shapes are small enough to
 * stay in the second-level cache. A set bit says nothing. With 6,000 rules in a table one look-up
 * of twenty is made in vain; far above 100,000 nearly all are, as without a filter.
 */
#define RN_XDP_FILTER_BITS  17 /* of the index of a bit */
#define RN_XDP_FILTER_WORDS (1 << (RN_XDP_FILTER_BITS - 6))

/*
 * Behind the filter stands a cache of some rules: the first that come, one for each place that the
 * hash leads to. Where there are few rules, as usual, a packet's is found there, in one line and
 * without the hash and the calls of a table, which take a fortieth of all that an echo costs.
 * Entry 0 stands for none. An entry is written before its number is put in a place, and again only
 * after all programs have ended that could have found it there.
 */
#define RN_XDP_PLACES 1024
#define RN_XDP_CACHED 128

struct rn_xdp_cached {
	struct rn_key key; /* masked */
	unsigned int slot;
	unsigned int handle;
};

struct rn_xdp_front {
	unsigned long long filter[RN_XDP_SHAPES][RN_XDP_FILTER_WORDS]; /* by slot, as the tables */
	RN_U8 place[RN_XDP_PLACES]; /* number of an entry */
	struct rn_xdp_cached cached[RN_XDP_CACHED];
};

/* Shapes in order of preference. The program reads order[current]; the daemon fills the other one
 * and turns `current`, and waits for running programs before it fills that one again. */
struct rn_xdp_order {
	int n;
	unsigned int slot[RN_XDP_SHAPES]; /* index of the shape's table in `shapes` */
	struct rn_key mask[RN_XDP_SHAPES];
};

/* Metadata of a packet that a rule takes. It ends where the frame begins. */
struct rn_xdp_verdict {
	unsigned int handle;
	unsigned int cookie; /* chosen at random by the daemon: other bytes there are no verdict */
};

struct rn_xdp_counts {
	unsigned long long no_socket; /* matched, but its receive queue has no socket */
	unsigned long long too_long; /* matched, but longer than what the port's sockets take */
	unsigned long long passed; /* left to the kernel */
};

/* The index of a masked key's bit: a multilinear hash (a product of each word with an odd number of
 * its own, added up), whose products do not wait for each other; its upper bits are the good ones.
 */
static inline unsigned int rn_xdp_hash(const unsigned long long key[7])
{
	unsigned long long sum = key[0] * 0x9e3779b97f4a7c15ull + key[1] * 0xbf58476d1ce4e5b9ull +
				 key[2] * 0x94d049bb133111ebull + key[3] * 0xd6e8feb86659fd93ull +
				 key[4] * 0xa0761d6478bd642full + key[5] * 0xe7037ed1a0b428dbull +
				 key[6] * 0x8ebc6af09c88c6e3ull;

	return (unsigned int)(sum >> (64 - RN_XDP_FILTER_BITS));
}

static inline unsigned int rn_xdp_place(unsigned int slot, unsigned int hash)
{
	return (hash ^ slot << 6) & (RN_XDP_PLACES - 1);
}

#endif
