/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests whose fields come from the input: mostly what could be meant, ids of what exists, and
 * now and then anything.
 */
#include <string.h>

#include "attachment.h"
#include "control_fuzz.h"
#include "fuzz.h"
#include "match.h"

/* ---- input ---- */

static const uint8_t *input;
static size_t left;
static const struct rn_daemon *d;

void control_input(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
}

bool control_left(void)
{
	return left;
}

uint8_t take(void)
{
	if (!left)
		return 0;
	left--;
	return *input++;
}

static uint32_t take32(void)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 8 | take();
	return v;
}

/* Mostly a number that could be meant; sometimes any. */
static uint32_t number(const uint32_t *usual, size_t n)
{
	uint8_t b = take();

	return b < 0xe0 ? usual[b % n] : take32();
}
#define NUMBER(...) \
	number((const uint32_t[]) {__VA_ARGS__}, sizeof((const uint32_t[]) {__VA_ARGS__}) / 4)

static void text(char *to, size_t size, const char *const *usual, size_t n)
{
	uint8_t b = take();

	memset(to, 0, size);
	if (b < 0xf0)
		strncpy(to, usual[b % n], size - 1);
	else
		for (size_t i = 0; i < size; i++)
			to[i] = (char)take();
}

static void take_dev(char dev[RAWNET_DEV])
{
	static const char *const devs[] = {"a", "b", "a", "b", "", "c"};

	text(dev, RAWNET_DEV, devs, 6);
}

static void take_label(char label[RAWNET_LABEL])
{
	static const char *const labels[] = {"one", "two", "", "one", "a b", "x/y"};

	text(label, RAWNET_LABEL, labels, 6);
}

static uint64_t take_rule(void)
{
	uint8_t k = take();

	for (uint32_t i = 0; i < d->n_served; i++) {
		struct rn_rule *rule = NULL;

		while ((rule = rn_steer_next(d->served[i].port->steer, rule)))
			if (!k--)
				return rule->id;
	}
	return k;
}

static uint32_t take_attachment(void)
{
	uint8_t k = take();

	for (uint32_t i = 0; i < d->n_served; i++) {
		const struct rn_attachment *at;

		cds_list_for_each_entry (at, &d->served[i].port->attachments, list)
			if (!k--)
				return at->id;
	}
	return k;
}

static void take_match(struct rawnet_match *m)
{
	static const char *const usual[] = {"udp dport 7",
					    "udp dport 8",
					    "udp dst 10.0.0.0/24 dport 7",
					    "udp dst 10.0.0.1 dport 7",
					    "tcp dport 22",
					    "udp dport 53",
					    "macvlan 02:00:00:00:00:09",
					    "macvlan 02:00:00:00:00:0a addr 10.0.0.9",
					    "ipvlan 10.0.0.3",
					    "ipvlan 2001:db8::7",
					    "vlan 5 udp sport 9",
					    "udp",
					    "ethertype ipv6 tcp sport 8",
					    "src 10.0.0.0/8 proto 47"};
	uint8_t b = take();

	memset(m, 0, sizeof(*m));
	if (b < 0xf0) {
		must(!rn_match_parse(usual[b % (sizeof(usual) / sizeof(usual[0]))], m, NULL, 0));
		if (b >= 0xc0)
			m->dport = (uint16_t)take();
		return;
	}
	for (size_t i = 0; i < sizeof(*m); i++)
		((uint8_t *)m)[i] = take();
	if (b < 0xf8)
		m->size = sizeof(*m);
}

static void take_target(struct rawnet_target *t)
{
	if (take() & 1)
		t->attachment = take_attachment();
	else
		take_label(t->label);
}

/* ---- requests ---- */

static const struct {
	uint32_t request, reply;
} sizes[] = {
#define ENTRY(NAME, number, request, reply) \
	[number] = {sizeof(struct request), sizeof(struct reply)},
	RAWNET_REQUESTS(ENTRY)
#undef ENTRY
};
#define TYPES (sizeof(sizes) / sizeof(sizes[0]))

static void fill_attach(struct rawnet_req_attach *r)
{
	take_dev(r->dev);
	r->n_queues = NUMBER(0, 1, 2, 3);
	r->rx_size = NUMBER(64, 128, 64, 0);
	r->tx_size = NUMBER(64, 128, 64, 0);
	r->buf_size = NUMBER(0, 2048, 4096, 1024);
	r->n_bufs = NUMBER(0, 256, 1, 300);
	r->headroom = NUMBER(0, 64, 100, 1024);
	r->flags = NUMBER(0, 1, 2, 3);
	r->copies = NUMBER(0, 0, 0, 1);
}

static void fill_flow_add(struct rawnet_req_flow_add *r)
{
	take_dev(r->dev);
	take_match(&r->match);
	take_target(&r->target);
	r->flags = NUMBER(0, RAWNET_FLOW_PERSIST, RAWNET_FLOW_GROUP, RAWNET_FLOW_CHECK,
			  RAWNET_FLOW_PERSIST | RAWNET_FLOW_GROUP, RAWNET_FLOW_FORCE);
	r->confirm = NUMBER(0, 0, 100, 86400);
	r->gap = NUMBER(0, 0, 0, 1);
}

static void fill_list(struct rawnet_req_list *r)
{
	r->cursor = NUMBER(0, 0, 1, 5);
	r->id = NUMBER(0, 0, 1, 2);
	r->attachment = take() & 1 ? take_attachment() : 0;
	r->client = NUMBER(0, 0, d->next_client, 1);
	if (take() & 1)
		take_dev(r->dev);
}

/* A filter of instructions that are often possible. */
static void fill_capture(struct rawnet_req_capture *r)
{
	static const uint16_t codes[] = {0x06, 0x28, 0x30, 0x15, 0x25,
					 0x00, 0x02, 0x60, 0x34, 0x05};

	r->attachment = take_attachment();
	r->direction = NUMBER(3, 1, 2, 0, 4);
	r->of = take() & 1 ? take_attachment() : 0;
	r->rule = take() & 1 ? take_rule() : 0;
	r->snap = NUMBER(0, 64, 1);
	r->n_insns = NUMBER(0, 1, 3, 256, 257);
	for (uint32_t i = 0; i < r->n_insns && i < RAWNET_CAPTURE_INSNS && left; i++) {
		r->insn[i].code = codes[take() % 10];
		r->insn[i].jt = take();
		r->insn[i].jf = take();
		r->insn[i].k = NUMBER(0, 12, 0x800, 1);
	}
}

static void fill(union control_request *q, uint16_t type)
{
	switch (type) {
	case RAWNET_MSG_HELLO:
		q->HELLO.min = NUMBER(1, 0, 1, 2);
		q->HELLO.max = NUMBER(1, 1, 2, 0);
		take_label(q->HELLO.label);
		take_label(q->HELLO.program);
		break;
	case RAWNET_MSG_ATTACH: fill_attach(&q->ATTACH); break;
	case RAWNET_MSG_FLOW_ADD: fill_flow_add(&q->FLOW_ADD); break;
	case RAWNET_MSG_DETACH: q->DETACH.id = take_attachment(); break;
	case RAWNET_MSG_COPIES:
		q->COPIES.attachment = take_attachment();
		q->COPIES.copies = NUMBER(0, 1, 2, 4);
		break;
	case RAWNET_MSG_FLOW_DEL:
	case RAWNET_MSG_FLOW_CONFIRM: q->FLOW_DEL.id = take_rule(); break;
	case RAWNET_MSG_FLOW_MOVE:
		q->FLOW_MOVE.rule = take_rule();
		take_target(&q->FLOW_MOVE.target);
		break;
	case RAWNET_MSG_COUNTERS:
		q->COUNTERS.attachment = take_attachment();
		q->COUNTERS.queue = NUMBER(0, 1, RAWNET_ALL_QUEUES, 2);
		take_dev(q->COUNTERS.dev);
		break;
	case RAWNET_MSG_SUBSCRIBE: q->SUBSCRIBE.mask = NUMBER(0, 15, 2, 4); break;
	case RAWNET_MSG_CLIENT_DISCONNECT:
		q->CLIENT_DISCONNECT.id = d->next_client - take() % 8;
		break;
	case RAWNET_MSG_PORT_DRAIN:
		take_dev(q->PORT_DRAIN.dev);
		q->PORT_DRAIN.on = NUMBER(0, 1, 0, 2);
		break;
	case RAWNET_MSG_CAPTURE: fill_capture(&q->CAPTURE); break;
	case RAWNET_MSG_ROUTE:
		take_dev(q->ROUTE.dev);
		q->ROUTE.family = (uint8_t)NUMBER(4, 6, 4, 5);
		q->ROUTE.reserved[take() % 3] = take() < 0xf0 ? 0 : 1;
		for (size_t i = 0; i < sizeof(q->ROUTE.dst); i++)
			q->ROUTE.dst[i] = take();
		break;
	case RAWNET_MSG_QUOTA:
		q->QUOTA.uid = NUMBER(0, 4000, 4001, 4002);
		q->QUOTA.self = take() & 1;
		break;
	default: fill_list(&q->FLOW_LIST);
	}
}

uint32_t control_request(union control_request *q, const struct rn_daemon *of, uint16_t type)
{
	d = of;
	memset(q, 0, sizeof(*q));
	fill(q, type);
	q->hdr = (struct rawnet_hdr) {.size = sizes[type].request, .type = type, .id = take()};
	return q->hdr.size;
}

uint32_t control_reply_size(unsigned type)
{
	return type < TYPES ? sizes[type].reply : 0;
}

uint16_t control_type(uint8_t b)
{
	return (uint16_t)(1 + b % (TYPES - 1));
}
