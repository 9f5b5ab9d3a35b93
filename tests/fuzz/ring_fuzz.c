/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon reads of a client: rings, slots and packet memory hold whatever the input says,
 * and change while they are read. Transmit runs over a backend that keeps what it is given;
 * delivery writes into what was posted. Between the moment a slot was copied and the moment its
 * bytes are (tx_reserve), and after each frame (tx_submit), the input may rewrite anything.
 *
 * Rings and memory are allocated to the byte, so that the sanitizer sees one too many. Besides:
 * what goes out is the mirror of the rule, as the oracle of policing judges the frame itself; no
 * more goes out than the budget; indexes stay in their ring; a frame that is delivered changes
 * nothing but the buffer that was posted for it.
 *
 * The input is a program: a byte says what happens, what follows are its operands.
 */
#include <string.h>

#include "backend/backend.h"
#include "fuzz.h"
#include "poller.h"
#include "ring.h"
#include "switch.h"
#include "tap.h"
#include "../unit/police_oracle.h"
#include "../unit/police_table.h"

#define RING	  16u
#define BUF_SHIFT 11u
#define BUFS	  24u
#define MEM	  (BUFS << BUF_SHIFT)
#define MTU	  1500u
#define ROOM	  1536u /* the largest frame and 4, in whole lines */

static const uint8_t *input;
static size_t left;
static struct rn_attachment client;
static struct rn_port port;
static struct rn_hwq hwq;
static struct rn_queue q;
static struct rawnet_counter_set counters;
static uint64_t count[RAWNET_COUNTERS_SPACE], now;
static uint8_t *room;
static unsigned submitted, between;
static bool full;
static uint8_t v4[1][4] = {{10, 0, 0, 1}};
static struct rn_addresses addresses = {1, 0, v4, NULL};
static struct oracle_port seen = {.v4 = {{10, 0, 0, 1}, {10, 0, 0, 1}}};

/* ---- what the data path calls of the rest of the daemon ---- */

uint64_t rn_poller_now(struct rn_poller *p)
{
	(void)p;
	return now += 1000;
}

void rn_poller_touch(struct rn_poller *p, struct rn_queue *queue)
{
	(void)p;
	queue->touched = true;
}

void rn_queue_fault(struct rn_queue *queue, enum rawnet_reason reason)
{
	must(reason == RAWNET_BYE_RING);
	queue->dead = 1;
}

void rn_tap_tx(struct rn_queue *queue, const uint8_t *frame, uint32_t len)
{
	(void)queue;
	(void)frame;
	(void)len;
}

void rn_tap_rx(struct rn_hwq *h, const struct rn_rule *rule, const struct rn_attachment *at,
	       const struct rn_frame *frame)
{
	(void)h;
	(void)rule;
	(void)at;
	(void)frame;
}

uint32_t rn_steer_changes(const struct rn_steer *steer)
{
	(void)steer;
	return 0;
}

struct rn_rule *rn_steer_classify(const struct rn_steer *steer, const struct rn_key *key,
				  uint32_t flags)
{
	(void)steer;
	(void)key;
	(void)flags;
	return NULL;
}

/* ---- input ---- */

static uint8_t take(void)
{
	if (!left)
		return 0;
	left--;
	return *input++;
}

static uint32_t take_n(unsigned bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | take();
	return v;
}

/* Mostly an offset that could be meant. */
static uint32_t take_off(void)
{
	uint8_t how = take();

	return how & 0x80 ? take_n(4) : (uint32_t)(how % (BUFS + 1)) << BUF_SHIFT | take_n(1);
}

static void change_slot(struct rn_ring *r)
{
	struct rawnet_slot s = {.off = take_off()};
	uint8_t what = take();

	s.len = (uint16_t)(what & 1 ? take_n(2) : what);
	s.flags = (uint16_t)(what & 2 ? take_n(2) : (what & 4) ? RAWNET_TX_MORE : 0);
	for (int i = 0; (what & 2) && i < 8; i++)
		((uint8_t *)&s.u)[i] = take();
	r->slots[what >> 4] = s;
}

static void change_index(uint32_t *index)
{
	uint8_t by = take();

	*index = by & 0x80 ? take_n(4) : *index + by % (RING + 2);
}

static void change_memory(void)
{
	uint32_t at = take_off(), n = take() & 63;

	for (; n && at < MEM; n--)
		q.mem[at++] = take();
}

static void client_acts(void)
{
	switch (take() % 4) {
	case 0: change_slot(&q.tx); break;
	case 1: change_slot(&q.rx); break;
	case 2: change_index(take() & 1 ? &q.tx.ctl->client : &q.rx.ctl->client); break;
	default: change_memory(); break;
	}
}

/* ---- the backend ---- */

static uint8_t *reserve(struct rn_hwq *h)
{
	(void)h;
	if (between) {
		between--;
		client_acts();
	}
	return full ? NULL : room;
}

/* What goes out, or to somebody of the same port. */
static void sent(const uint8_t *frame, uint32_t len)
{
	must(len >= 14 && len <= port.max_frame + 4);
	submitted++;
	if (q.police) {
		bool good = false;

		for (unsigned i = 0; i < table_n; i++)
			good |= oracle_allows(&seen, &table_rule[i].match, frame, (int)len, -1);
		must(good && !oracle_link(frame, (int)len));
	}
}

static void submit(struct rn_hwq *h, uint32_t len)
{
	(void)h;
	sent(room, len);
	memset(room, 0x5a, ROOM);
	if (between) {
		between--;
		client_acts();
	}
}

/* ---- the switch: every second frame that may be for somebody here is ---- */

const struct rn_macs *rn_steer_macs(const struct rn_steer *steer)
{
	static const struct rn_macs macs; /* the port's own MAC is the one that the frames have */

	(void)steer;
	return &macs;
}

bool rn_switch_look(const struct rn_queue *from, uint64_t mac)
{
	return from == &q && (!mac || (mac & 1));
}

bool rn_switch_frame(struct rn_queue *from, const uint8_t *frame, uint32_t len, uint16_t flags)
{
	must(from == &q && port.config.local_switching);
	must(!(flags & ~(RAWNET_RX_L3_OK | RAWNET_RX_L4_OK)));
	if (len & 1)
		return false;
	sent(frame, len);
	return true;
}

static const struct rn_backend backend = {.tx_reserve = reserve, .tx_submit = submit};

/* ---- what the daemon does ---- */

static void transmit(void)
{
	unsigned budget = 1 + take() % 64;
	uint32_t start = q.tx.daemon;
	uint64_t packets = count[RAWNET_Q_TX_PACKETS];

	between = take() % 8;
	submitted = 0;
	if (q.dead || (q.rest && --q.rest))
		return;
	must(rn_tx_run(&q, budget) <= budget);
	must(submitted <= budget && count[RAWNET_Q_TX_PACKETS] - packets == submitted);
	must(q.tx.daemon - start <= RING && q.tx.client - q.tx.daemon <= RING);
	q.tx.ctl->daemon = q.tx.daemon;
}

static uint8_t before[MEM];

static bool changed_without(uint32_t buf)
{
	const uint32_t at = buf < BUFS ? buf << BUF_SHIFT : MEM;
	const uint32_t behind = buf < BUFS ? (buf + 1) << BUF_SHIFT : MEM;

	return memcmp(before, q.mem, at) || memcmp(before + behind, q.mem + behind, MEM - behind);
}

static void deliver(void)
{
	static uint8_t bytes[4096];
	struct rn_frame f = {.n_pieces = 2, .len = take_n(2) % sizeof(bytes), .tci = -1};
	uint32_t at = q.rx.daemon, buf = q.rx.slots[at & q.rx.mask].off >> BUF_SHIFT;
	const struct rawnet_slot *s = &q.rx.slots[at & q.rx.mask];

	f.piece[0] = (struct rn_piece) {bytes, f.len / 2};
	f.piece[1] = (struct rn_piece) {bytes + f.len / 2, f.len - f.len / 2};
	if (q.dead)
		return;
	memcpy(before, q.mem, MEM);
	if (rn_deliver_to(&q, &f, take())) {
		must(s->len == f.len && s->off >> BUF_SHIFT == buf && buf < BUFS);
		must(s->off + f.len <= (buf + 1) << BUF_SHIFT);
		must(q.rx.daemon == at + 1);
	}
	must(q.rx.client - q.rx.daemon <= RING && !changed_without(buf));
	q.rx.ctl->daemon = q.rx.daemon;
}

static void environment(void)
{
	uint8_t what = take();

	full = what & 1;
	port.link_up = !(what & 2);
	port.config.local_switching = what & 128;
	port.mtu = what & 4 ? 576 : MTU;
	q.limited = what & 8;
	q.headroom = what & 16 ? 64 : 0;
	q.starts = what & 32 ? 3 : 0;
	rn_bucket_set(&q.packets, what & 64 ? 10 : 1000000, 4);
}

static void *exactly(size_t size)
{
	void *p = aligned_alloc(128, size);

	must(p);
	memset(p, 0, size);
	return p;
}

static void set_up(uint8_t first)
{
	memset(&q, 0, sizeof(q));
	memset(count, 0, sizeof(count));
	port = (struct rn_port) {.backend = &backend,
				 .addresses = &addresses,
				 .link_up = true,
				 .n_attachments = 2,
				 .mtu = MTU,
				 .max_frame = MTU + 18};
	memcpy(port.mac, table_port_mac, 6);
	memcpy(seen.mac, table_port_mac, 6);
	hwq = (struct rn_hwq) {.port = &port, .counters = &counters};
	client.port = &port;
	q = (struct rn_queue) {.at = &client,
			       .hwq = &hwq,
			       .count = count,
			       .mem_size = MEM,
			       .buf_shift = BUF_SHIFT,
			       .n_bufs = BUFS,
			       .police = first & 1};
	q.mem = exactly(MEM);
	q.rx.ctl = exactly(sizeof(*q.rx.ctl));
	q.tx.ctl = exactly(sizeof(*q.tx.ctl));
	q.rx.slots = exactly(RING * sizeof(struct rawnet_slot));
	q.tx.slots = exactly(RING * sizeof(struct rawnet_slot));
	q.rx.mask = q.tx.mask = RING - 1;
	room = exactly(ROOM);
	full = false;
	table_clear();
	must(table_add(first & 2 ? "udp dport 53" : "tcp src 10.0.0.0/8 sport 80 dport 8080",
		       &client));
	/* A frame that the first rule lets out, in every buffer: the input needs not find it. */
	for (uint32_t i = 0; i < BUFS; i++) {
		static const uint8_t tail[] = {8,  0, 0x45, 0, 0,  46, 0, 1, 0, 0,  64, 17, 0, 0,
					       10, 0, 0,    1, 10, 0,  0, 2, 0, 53, 0,	9,  0, 26};
		uint8_t *f = q.mem + (i << BUF_SHIFT);

		memcpy(f + 6, table_port_mac, 6);
		memcpy(f + 12, tail, sizeof(tail));
	}
}

static void tear_down(void)
{
	free(q.mem);
	free(q.rx.ctl);
	free(q.tx.ctl);
	free(q.rx.slots);
	free(q.tx.slots);
	free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	left = size < 4096 ? size : 4096;
	set_up(take());
	while (left) {
		switch (take() % 8) {
		case 0: transmit(); break;
		case 1: deliver(); break;
		case 2: environment(); break;
		default: client_acts(); break;
		}
	}
	tear_down();
	return 0;
}
