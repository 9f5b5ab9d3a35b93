/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the tests' client that are about frames. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define FRAME_MAX 65536u

void do_mode(char *line)
{
	const char *m = word(&line);

	me.mode = !strcmp(m, "echo")	? MODE_ECHO
		  : !strcmp(m, "count") ? MODE_COUNT
		  : !strcmp(m, "stall") ? MODE_STALL
					: MODE_KEEP;
	me.n_kept = 0;
	say_ok("%s", m);
}

/* What was kept, and forgets it: [flags, tci, rule, "hex"]... */
void do_frames(char *line)
{
	(void)line;
	printf("ok [");
	for (uint32_t i = 0; i < me.n_kept; i++) {
		const struct kept *k = &me.kept[i];

		printf("%s[%u,%u,%u,\"", i ? "," : "", k->flags, k->tci, k->rule);
		for (uint32_t b = 0; b < k->len; b++)
			printf("%02x", k->data[b]);
		printf("\"]");
	}
	puts("]");
	fflush(stdout);
	me.n_kept = 0;
}

/* Times of arrival of what was kept, and does not forget it. */
void do_stamps(char *line)
{
	(void)line;
	printf("ok [");
	for (uint32_t i = 0; i < me.n_kept; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)me.kept[i].stamp);
	puts("]");
	fflush(stdout);
}

static uint32_t from_hex(const char *hex, uint8_t *frame)
{
	uint32_t n = 0;

	for (; hex[0] && hex[1] && n < FRAME_MAX; hex += 2) {
		const char byte[3] = {hex[0], hex[1], '\0'};

		frame[n++] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return n;
}

/* The frame in slots of at most seg bytes, their metadata in the first. */
static void fill(struct rawnet_queue *q, const struct rawnet_slot *like, const uint8_t *frame,
		 uint32_t len, uint32_t seg)
{
	uint32_t n = 0, piece;

	for (uint32_t at = 0; at < len; at += piece, n++) {
		struct rawnet_slot *slot = rawnet_tx_slot(&q->tx, n);
		const uint32_t off = slot->off & ~(q->buf_size - 1);

		piece = len - at > seg ? seg : len - at;
		*slot = n ? (struct rawnet_slot) {0} : *like;
		slot->off = off;
		slot->len = (uint16_t)piece;
		if (at + piece < len)
			slot->flags |= RAWNET_TX_MORE;
		memcpy(q->mem + off, frame + at, piece);
	}
	rawnet_tx_fill(&q->tx, n);
	rawnet_flush(q);
}

/* send QUEUE TIMES FLAGS TCI L2 L3 L4 MSS SEG HEX; SEG 0: as large as a buffer is. */
void do_send(char *line)
{
	struct rawnet_queue *q = rawnet_queue(me.at, (uint32_t)number(&line));
	const uint64_t times = number(&line);
	static uint8_t frame[FRAME_MAX];
	struct rawnet_slot like = {0};
	uint32_t seg, len;

	like.flags = (uint16_t)number(&line);
	like.u.tx.vlan_tci = (uint16_t)number(&line);
	like.u.tx.l2_len = (uint8_t)number(&line);
	like.u.tx.l3_len = (uint8_t)number(&line);
	like.u.tx.l4_len = (uint8_t)number(&line);
	like.u.tx.tso_mss = (uint16_t)number(&line);
	seg = (uint32_t)number(&line);
	len = from_hex(word(&line), frame);
	seg = seg && seg < q->buf_size ? seg : q->buf_size;
	for (uint64_t i = 0; i < times; i++) {
		rawnet_queue_sync(q);
		while (rawnet_tx_room(&q->tx, RAWNET_TX_SEGS) < RAWNET_TX_SEGS)
			if (rawnet_wait(q, RAWNET_WAIT_TX, 1000) < 0)
				break;
		fill(q, &like, frame, len, seg);
	}
	say_ok("%llu", (unsigned long long)times);
}
