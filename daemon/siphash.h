/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-1-3 (J.-P. Aumasson, D. J. Bernstein: "SipHash: a fast short-input PRF", 2012), for
 * tables whose keys a client or the wire chooses: who does not know the secret cannot make keys
 * that collide, and who measures how long look-ups take does not learn it, as he would of a hash
 * that is linear. Over whole words.
 */
#ifndef RN_SIPHASH_H
#define RN_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct rn_secret {
	uint64_t k[2];
};

struct rn_sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rn_sip_rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void rn_sip_round(struct rn_sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rn_sip_rotate(s->v1, 13) ^ s->v0;
	s->v3 = rn_sip_rotate(s->v3, 16) ^ s->v2;
	s->v0 = rn_sip_rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rn_sip_rotate(s->v1, 17) ^ s->v2;
	s->v3 = rn_sip_rotate(s->v3, 21) ^ s->v0;
	s->v2 = rn_sip_rotate(s->v2, 32);
}

static inline struct rn_sip rn_sip_begin(const struct rn_secret *secret)
{
	return (struct rn_sip) {
		.v0 = secret->k[0] ^ 0x736f6d6570736575u,
		.v1 = secret->k[1] ^ 0x646f72616e646f6du,
		.v2 = secret->k[0] ^ 0x6c7967656e657261u,
		.v3 = secret->k[1] ^ 0x7465646279746573u,
	};
}

static inline void rn_sip_word(struct rn_sip *s, uint64_t word)
{
	s->v3 ^= word;
	rn_sip_round(s);
	s->v0 ^= word;
}

/* n: words that were put in. */
static inline uint64_t rn_sip_end(struct rn_sip *s, size_t n)
{
	rn_sip_word(s, (uint64_t)n * 8 << 56);
	s->v2 ^= 0xff;
	rn_sip_round(s);
	rn_sip_round(s);
	rn_sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t rn_siphash(const struct rn_secret *secret, const uint64_t *words, size_t n)
{
	struct rn_sip s = rn_sip_begin(secret);

	for (size_t i = 0; i < n; i++)
		rn_sip_word(&s, words[i]);
	return rn_sip_end(&s, n);
}

#endif
