/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control channel, with its state: clients of several users connect, say HELLO, ask anything in
 * any order, do not read, hang up, while the configuration is reloaded. After each step what the
 * daemon keeps must add up (control_check.c), every reply must have its form, and when all have
 * gone nothing is left of them.
 *
 * The input is a program: one byte says what happens, the next one to which client; requests take
 * their fields from what follows (control_request.c).
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

/* ---- replies ---- */

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
		must((hdr->type & RAWNET_REPLY) && size == control_reply_size(type));
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
	union control_request q;

	send_to(fd, &q, control_request(&q, d, type));
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
	default: do_request(*fd, control_type(take()));
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
	control_input(data, size);
	for (int i = 0; i < STEPS && control_left(); i++)
		step();
	finish();
	return 0;
}
