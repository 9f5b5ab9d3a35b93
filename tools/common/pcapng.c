/* SPDX-License-Identifier: BSD-2-Clause */
/* See pcapng.h. Blocks are built in memory: type, length, body padded to 4 bytes, length again. */
#include "pcapng.h"

#include <string.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINK_ETHERNET = 1,
	OPT_COMMENT = 1,
	OPT_SECTION_PROGRAM = 4, /* shb_userappl */
	OPT_IF_NAME = 2,
	OPT_IF_RESOLUTION = 9, /* if_tsresol: 9 means 10^-9 s */
	OPT_PACKET_FLAGS = 2, /* epb_flags: 1 inbound, 2 outbound */
};

struct block {
	uint8_t b[512];
	uint32_t n;
};

static void put(struct block *k, const void *data, uint32_t n)
{
	memcpy(k->b + k->n, data, n);
	k->n += n;
}

static void put32(struct block *k, uint32_t v)
{
	put(k, &v, 4);
}

static void put_option(struct block *k, uint16_t code, const void *data, uint16_t n)
{
	static const uint8_t zeros[4];

	put(k, &code, 2);
	put(k, &n, 2);
	put(k, data, n);
	put(k, zeros, -n & 3u);
}

static void put_text(struct block *k, uint16_t code, const char *text)
{
	size_t n = strlen(text);

	put_option(k, code, text, n < 200 ? (uint16_t)n : 200);
}

/* Type and length in front, and the length once more behind `more` bytes that follow. */
static void begin(struct block *k, uint32_t type)
{
	k->n = 0;
	put32(k, type);
	put32(k, 0);
}

static void set_length(struct block *k, uint32_t length)
{
	memcpy(k->b + 4, &length, 4);
}

static void write_whole(FILE *out, struct block *k)
{
	put32(k, 0); /* end of options */
	set_length(k, k->n + 4);
	put32(k, k->n + 4);
	fwrite(k->b, 1, k->n, out);
}

void pcapng_begin(FILE *out, const char *program, const char *dev, uint32_t snap)
{
	const uint16_t version[2] = {1, 0}, link[2] = {LINK_ETHERNET, 0};
	const int64_t unknown = -1;
	const uint8_t nanoseconds = 9;
	struct block k;

	begin(&k, BLOCK_SECTION);
	put32(&k, BYTE_ORDER_MAGIC);
	put(&k, version, sizeof(version));
	put(&k, &unknown, sizeof(unknown));
	put_text(&k, OPT_SECTION_PROGRAM, program);
	write_whole(out, &k);
	begin(&k, BLOCK_INTERFACE);
	put(&k, link, sizeof(link));
	put32(&k, snap);
	put_text(&k, OPT_IF_NAME, dev);
	put_option(&k, OPT_IF_RESOLUTION, &nanoseconds, 1);
	write_whole(out, &k);
}

uint32_t pcapng_packet(FILE *out, const struct pcapng_packet *p)
{
	static const uint8_t zeros[4];
	const uint32_t flags = p->outbound ? 2 : 1;
	struct block head, tail = {.n = 0};
	uint32_t total;

	begin(&head, BLOCK_PACKET);
	put32(&head, 0); /* the interface */
	put32(&head, (uint32_t)(p->stamp >> 32));
	put32(&head, (uint32_t)p->stamp);
	put32(&head, p->kept);
	put32(&head, p->len);
	put(&tail, zeros, -p->kept & 3u);
	put_option(&tail, OPT_PACKET_FLAGS, &flags, sizeof(flags));
	if (p->comment)
		put_text(&tail, OPT_COMMENT, p->comment);
	put32(&tail, 0); /* end of options */
	total = head.n + p->kept + tail.n + 4;
	put32(&tail, total);
	set_length(&head, total);
	fwrite(head.b, 1, head.n, out);
	fwrite(p->data, 1, p->kept, out);
	fwrite(tail.b, 1, tail.n, out);
	return total;
}
