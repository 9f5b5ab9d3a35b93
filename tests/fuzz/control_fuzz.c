/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control channel, with its state: clients of several users connect, say HELLO, ask anything in
 * any order, do not read, hang up, while the configuration is reloaded. After each step what the
 * daemon keeps must add up (control_check.c), every reply must have its form, and when all have
 * gone nothing is left of them.
 *
 * The input is a program: one byte says what happens, the next one to which client; requests take
 * their fields from what follows, ids from what exists, so that most of them mean something.
 *
 * Seen to fail without its defence, by the seeds alone: rules not given back in rn_usage_sub().
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "backend/backend.h"
#include "client.h"
#include "control_fuzz.h"
#include "fuzz.h"
#include "log.h"
#include "match.h"

#define CLIENTS 4
#define STEPS	48

const struct rn_backend *const rn_backends[] = {NULL};

static struct rn_daemon *d;
static int client[CLIENTS] = {-1, -1, -1, -1};
static char conf_path[64];
static unsigned policy_now;

/* ---- the daemon ---- */

#define FIXED                                                                                      \
	"daemon = { sandbox = false; log_level = \"error\"; admin_group = \"4000\"; sockets = ( "  \
	"{ path = \"/tmp/rawnet-fuzz-%d.sock\"; } ); };\n"                                         \
	"ports = ( { dev = \"a\"; backend = \"loop\"; peer = \"b\"; allow_mutable_memory = true; " \
	"},\n"                                                                                     \
	"  { dev = \"b\"; backend = \"loop\"; peer = \"a\"; allow_mutable_memory = true; } );\n"
#define RULES(port)                                                                               \
	"rules = ( { dev = \"a\"; match = \"udp dport " port                                      \
	"\"; to = \"one\"; user = \"4001\"; },\n"                                                 \
	"  { dev = \"b\"; match = \"macvlan 02:00:00:00:00:09\"; to = \"two\"; user = \"4002\"; " \
	"} );\n"

static const char *const policies[] = {
	"policy = ( { user = \"4001\"; memory = \"4M\"; queues = 5; attachments = 3; rules = 6; "
	"connections = 2; },\n"
	"  { deny = ( \"udp dport 53\" ); memory = \"8M\"; rules = 40; } );\n" RULES("7"),
	"policy = ( { user = \"4001\"; dev = \"a\"; allow = ( \"udp\" ); rules = 3; memory = "
	"\"2M\"; },\n"
	"  { user = \"4000\"; force = true; memory = \"8M\"; spoof = true; rate = 1000; } "
	");\n" RULES("8"),
	"policy = ( { user = \"4000\"; rules = 0; }, { user = \"4002\"; memory = \"3M\"; } );\n",
	"policy = ( { rules = -1; } );\n", /* not taken */
};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

static void configure(unsigned policy)
{
	FILE *f = fopen(conf_path, "w");

	must(f);
	fprintf(f, FIXED, (int)getpid());
	fputs(policies[policy % POLICIES], f);
	must(!fclose(f));
}

static void turn(void)
{
	int rc;

	do {
		rc = sd_event_run(d->event, 0);
		must(rc >= 0);
	} while (rc > 0);
	control_check(d);
}

static void reload(unsigned policy)
{
	policy_now = policy;
	configure(policy);
	must(!rn_daemon_on_reload(NULL, NULL, d));
}

static void clean_up(void)
{
	rn_daemon_destroy(d);
	unlink(conf_path);
}

static void start(void)
{
	struct rn_config *config;
	struct rn_err err = {0};

	if (d)
		return;
	snprintf(conf_path, sizeof(conf_path), "/tmp/rawnet-fuzz-%d.conf", (int)getpid());
	configure(0);
	if (rn_config_load(conf_path, &config, &err) || rn_daemon_create(config, &d, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	atexit(clean_up);
}

/* ---- the kernel's word for who connects ---- */

static uid_t next_uid;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	struct ucred *cred = value;

	if (level != SOL_SOCKET || name != SO_PEERCRED)
		return __real_getsockopt(fd, level, name, value, size);
	*cred = (struct ucred) {.pid = 1, .uid = next_uid, .gid = next_uid};
	return 0;
}

/* ---- input ---- */

static const uint8_t *input;
static size_t left;

static uint8_t take(void)
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

union request {
	struct rawnet_hdr hdr;
#define MEMBER(NAME, number, request, reply) struct request NAME;
	RAWNET_REQUESTS(MEMBER)
#undef MEMBER
	uint8_t bytes[RAWNET_MSG_MAX];
};

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

static void fill(union request *q, uint16_t type)
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

static void check_message(const uint8_t *bytes, size_t size)
{
	const struct rawnet_hdr *hdr = (const void *)bytes;
	unsigned type = hdr->type & ~RAWNET_REPLY;

	must(size >= sizeof(*hdr) && hdr->size == size);
	if (hdr->type == RAWNET_MSG_EVENT) {
		must(size == sizeof(struct rawnet_event));
	} else if (hdr->type == RAWNET_MSG_DISCONNECT) {
		must(size == sizeof(struct rawnet_disconnect));
	} else if (hdr->error) {
		const struct rawnet_refusal *no = (const void *)bytes;

		must((hdr->type & RAWNET_REPLY) && hdr->error < 0 && hdr->error > -4096);
		must(size == sizeof(*no) && no->text[0] && memchr(no->text, 0, sizeof(no->text)));
	} else {
		must((hdr->type & RAWNET_REPLY) && type < TYPES && size == sizes[type].reply);
	}
}

/* All that is there to read; descriptors are closed by the kernel, there is no room for them. */
static void read_all(int *fd)
{
	_Alignas(16) uint8_t bytes[RAWNET_MSG_MAX];
	ssize_t n;

	while (*fd >= 0 && (n = recv(*fd, bytes, sizeof(bytes), MSG_DONTWAIT)) != -1) {
		if (n > 0) {
			check_message(bytes, (size_t)n);
			continue;
		}
		close(*fd);
		*fd = -1;
	}
}

/* ---- steps ---- */

static void hang_up(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void do_connect(int *fd)
{
	static const uid_t uids[] = {4000, 4001, 4002, 4001};
	int ends[2];

	hang_up(fd);
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
	next_uid = uids[take() % 4];
	rn_client_accept(d, ends[1], "/fuzz");
	*fd = ends[0];
}

static void send_to(int fd, const void *bytes, size_t size)
{
	if (fd >= 0)
		(void)!send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void do_request(int fd, uint16_t type)
{
	union request q;
	uint32_t size = sizes[type].request;

	memset(&q, 0, sizeof(q));
	fill(&q, type);
	q.hdr = (struct rawnet_hdr) {.size = size, .type = type, .id = take()};
	send_to(fd, &q, size);
}

static void do_raw(int fd)
{
	_Alignas(16) uint8_t bytes[RAWNET_MSG_MAX];
	struct rawnet_hdr *hdr = (void *)bytes;
	size_t size = take() | (size_t)(take() & 7) << 8;

	for (size_t i = 0; i < size; i++)
		bytes[i] = take();
	if (size >= sizeof(*hdr) && take() < 0xe0)
		hdr->size = (uint32_t)size;
	send_to(fd, bytes, size);
}

static void step(void)
{
	uint8_t what = take();
	int *fd = &client[take() % CLIENTS];

	switch (what % 16) {
	case 0: do_connect(fd); break;
	case 1: hang_up(fd); break;
	case 2: read_all(fd); break;
	case 3: do_raw(*fd); break;
	case 4: reload(take()); break;
	case 5: do_request(*fd, RAWNET_MSG_HELLO); break;
	case 6:
	case 7: do_request(*fd, RAWNET_MSG_ATTACH); break;
	case 8:
	case 9:
	case 10: do_request(*fd, RAWNET_MSG_FLOW_ADD); break;
	default: do_request(*fd, (uint16_t)(1 + take() % (TYPES - 1)));
	}
	if (what < 0xc0) /* else several things come at once */
		turn();
}

/* Nothing is left of those who have gone, but what was meant to stay; that goes here. */
static void finish(void)
{
	static unsigned runs;

	for (int i = 0; i < CLIENTS; i++) {
		read_all(&client[i]);
		hang_up(&client[i]);
	}
	turn();
	must(d->n_clients == 0);
	for (uint32_t i = 0; i < d->n_served; i++) {
		struct rn_served *s = &d->served[i];
		struct rn_rule *rule;

		must(s->port->n_attachments == 0);
		s->port->draining = false;
		while ((rule = rn_steer_next(s->port->steer, NULL))) {
			must(rule->members->n == 0 &&
			     (rule->flags & (RAWNET_FLOW_PERSIST | RAWNET_FLOW_STATIC)));
			rn_rules_del(d, s, rule, "deleted");
		}
	}
	must(cds_list_empty(&d->tentative));
	must(cds_list_empty(&d->usages));
	if (!(++runs % 64))
		rcu_barrier(); /* what waits for readers is bounded; this takes a while */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	if (policy_now)
		reload(0);
	else
		rn_rules_static(d);
	input = data;
	left = size;
	for (int i = 0; i < STEPS && left; i++)
		step();
	finish();
	return 0;
}
