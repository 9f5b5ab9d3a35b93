/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for tests: a builder that knows the formats byte by byte, a slow checksum that shares no
 * code with the daemon, buffers that end at an unmapped page so that one byte read too far is a
 * crash in every build, and a generator of numbers that gives the same ones in every run.
 */
#ifndef NET_FRAMES_H
#define NET_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t frames_seed = 0x9e3779b97f4a7c15u;

static inline uint32_t rnd(uint32_t below)
{
	frames_seed ^= frames_seed << 13;
	frames_seed ^= frames_seed >> 7;
	frames_seed ^= frames_seed << 17;
	return (uint32_t)(frames_seed >> 20) % below;
}

static inline void rnd_fill(uint8_t *p, size_t len)
{
	while (len--)
		*p++ = (uint8_t)rnd(256);
}

/* len bytes of which the last is followed by an unmapped page; for the life of the program. */
static inline uint8_t *guarded(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (len + page - 1) / page * page + page;
	uint8_t *map =
		mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + size, page, PROT_NONE))
		abort();
	return map + size - len;
}

/* What a frame is to be; zero means the plainest. */
struct want {
	uint8_t dmac[6], smac[6];
	int tags; /* 0..2 tags inside the frame */
	uint16_t tpid[2], tci[2];
	int version; /* 4, 6, or 0: ethertype and payload only */
	uint16_t ethertype; /* with version 0 */
	uint8_t src[16], dst[16];
	int options; /* IPv4: words of options, 0..10 */
	int ext; /* IPv6: destination option headers, 0..6 */
	uint16_t frag; /* IPv4: flags and offset; IPv6: not 0 makes a fragment header of it */
	uint8_t proto;
	uint16_t sport, dport;
	int l4_words; /* TCP: words of options, 0..10 */
	uint8_t tcp_flags;
	uint16_t id;
	uint32_t seq;
	uint32_t payload; /* bytes behind the L4 header, random */
	uint32_t padding; /* bytes behind the IP packet */
	/* out */
	uint32_t l3, l4, data, end;
};

static inline uint8_t *be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static inline uint32_t get_be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return get_be16(p) << 16 | get_be16(p + 2);
}

static inline uint8_t *frame_l4(uint8_t *p, struct want *w)
{
	if (w->frag & 0x1fff)
		return p;
	if (w->proto == 6) {
		p = be16(be16(p, w->sport), w->dport);
		p = be16(be16(p, w->seq >> 16), w->seq);
		p = be16(be16(p, 0x1234), 0x5678);
		*p++ = (uint8_t)((5 + w->l4_words) << 4);
		*p++ = w->tcp_flags;
		p = be16(be16(be16(p, 0x7fff), 0xdead), 0);
		memset(p, 1, (size_t)w->l4_words * 4);
		p += w->l4_words * 4;
	} else if (w->proto == 17) {
		p = be16(be16(p, w->sport), w->dport);
		p = be16(be16(p, 8 + w->payload), 0xdead);
	} else if (w->proto == 132) {
		p = be16(be16(p, w->sport), w->dport);
		memset(p, 0x11, 8);
		p += 8;
	}
	return p;
}

static inline uint8_t *frame_ip4(uint8_t *p, struct want *w, uint8_t **length)
{
	*p++ = (uint8_t)(0x45 + w->options);
	*p++ = 0;
	*length = p;
	p = be16(be16(p + 2, w->id), w->frag);
	*p++ = 64;
	*p++ = w->proto;
	p = be16(p, 0xdead);
	memcpy(p, w->src, 4);
	memcpy(p + 4, w->dst, 4);
	memset(p + 8, 1, (size_t)w->options * 4);
	return p + 8 + w->options * 4;
}

static inline uint8_t *frame_ip6(uint8_t *p, struct want *w, uint8_t **length)
{
	*p++ = 0x60;
	memset(p, 0, 3);
	*length = p + 3;
	p += 5;
	*p++ = w->ext ? 60 : w->frag ? 44 : w->proto;
	*p++ = 64;
	memcpy(p, w->src, 16);
	memcpy(p + 16, w->dst, 16);
	p += 32;
	for (int i = 0; i < w->ext; i++) {
		uint32_t words = i & 1; /* lengths of 8 and 16 bytes take turns */

		memset(p, 0, 16);
		p[0] = i + 1 < w->ext ? 60 : w->frag ? 44 : w->proto;
		p[1] = (uint8_t)words;
		p += 8 + words * 8;
	}
	if (w->frag) {
		*p++ = w->proto;
		*p++ = 0;
		p = be16(p, (uint32_t)(w->frag & 0x1fff) << 3 | (w->frag >> 13 & 1));
		memset(p, 7, 4);
		p += 4;
	}
	return p;
}

/* Writes the frame, returns its length. Checksum fields hold rubbish. */
static inline uint32_t frame_build(uint8_t *frame, struct want *w)
{
	uint8_t *p = frame, *length = NULL, *l3;

	memcpy(p, w->dmac, 6);
	memcpy(p + 6, w->smac, 6);
	p += 12;
	for (int i = 0; i < w->tags; i++)
		p = be16(be16(p, w->tpid[i] ? w->tpid[i] : 0x8100), w->tci[i]);
	p = be16(p, w->version == 4 ? 0x0800 : w->version == 6 ? 0x86dd : w->ethertype);
	w->l3 = (uint32_t)(p - frame);
	l3 = p;
	if (w->version == 4)
		p = frame_ip4(p, w, &length);
	else if (w->version == 6)
		p = frame_ip6(p, w, &length);
	w->l4 = (uint32_t)(p - frame);
	if (w->version)
		p = frame_l4(p, w);
	w->data = (uint32_t)(p - frame);
	rnd_fill(p, w->payload);
	p += w->payload;
	w->end = (uint32_t)(p - frame);
	if (w->version == 4)
		be16(length, (uint32_t)(p - l3));
	else if (w->version == 6)
		be16(length, (uint32_t)(p - l3) - 40);
	memset(p, 0x5a, w->padding);
	return w->end + w->padding;
}

/* RFC 1071 as it is written: a sum of big-endian words, one at a time. */
static inline uint32_t slow_sum(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static inline uint32_t slow_pseudo(const uint8_t *frame, const struct want *w, uint32_t len)
{
	const uint8_t *h = frame + w->l3;
	uint32_t sum = w->version == 4 ? slow_sum(0, h + 12, 8) : slow_sum(0, h + 8, 32);
	uint8_t tail[8] = {0, 0, 0, 0, 0, 0, 0, w->proto};

	be16(be16(tail, len >> 16), len);
	return slow_sum(sum, tail, 8);
}

/* The sum of a packet whose checksum is right is 0xffff. */
static inline bool slow_l4_ok(const uint8_t *frame, const struct want *w)
{
	uint32_t len = w->end - w->l4;

	return slow_sum(slow_pseudo(frame, w, len), frame + w->l4, len) == 0xffff;
}

static inline bool slow_ip4_ok(const uint8_t *frame, const struct want *w)
{
	return slow_sum(0, frame + w->l3, (frame[w->l3] & 15u) * 4) == 0xffff;
}
#endif
