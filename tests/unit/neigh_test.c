/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The neighbour responder over a veth pair: a kernel in a second namespace with an empty neighbour
 * table must find leased addresses.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "neigh.h"
#include "neigh_frames.h"
#include "net_stubs.h"
#include "steer.h"

/* Stands for the rule table: the leases of the test. */
static struct rn_rule rules[4];
static unsigned n_rules;
static struct rn_neigh *neigh;

struct rn_rule *rn_steer_lease(const struct rn_steer *steer, int family, const uint8_t *addr,
			       uint16_t vlan, uint8_t mac[6])
{
	(void)steer;
	for (unsigned i = 0; i < n_rules; i++) {
		const struct rawnet_match *m = &rules[i].match;
		bool mine = m->model == RAWNET_MODEL_MACVLAN;
		const uint8_t *a = !mine ? m->dst : family == 4 ? m->addr4 : m->addr6;
		bool has = mine ? m->fields & (family == 4 ? RAWNET_M_ADDR4 : RAWNET_M_ADDR6)
				: m->family == family;

		if (!has || m->vlan != vlan || memcmp(a, addr, family == 4 ? 4 : 16) != 0)
			continue;
		memcpy(mac, mine ? m->dmac : port.mac, 6);
		return &rules[i];
	}
	return NULL;
}

static struct rn_rule *macvlan(const char *addr4, const char *addr6, uint16_t vlan)
{
	struct rn_rule *r = &rules[n_rules++];

	memset(r, 0, sizeof(*r));
	r->id = n_rules;
	r->match.model = RAWNET_MODEL_MACVLAN;
	r->match.fields = RAWNET_M_DMAC;
	memcpy(r->match.dmac, own_mac, 6);
	memset(r->match.dmac_mask, 0xff, 6);
	if (addr4 && inet_pton(AF_INET, addr4, r->match.addr4))
		r->match.fields |= RAWNET_M_ADDR4;
	if (addr6 && inet_pton(AF_INET6, addr6, r->match.addr6))
		r->match.fields |= RAWNET_M_ADDR6;
	if (vlan)
		r->match.fields |= RAWNET_M_VLAN;
	r->match.vlan = vlan;
	return r;
}

static struct rn_rule *ipvlan(const char *addr)
{
	struct rn_rule *r = &rules[n_rules++];

	memset(r, 0, sizeof(*r));
	r->id = n_rules;
	r->match.model = RAWNET_MODEL_IPVLAN;
	r->match.fields = RAWNET_M_DST;
	r->match.family = strchr(addr, ':') ? 6 : 4;
	inet_pton(r->match.family == 6 ? AF_INET6 : AF_INET, addr, r->match.dst);
	return r;
}

static int setup(void **state)
{
	(void)state;
	n_rules = 0;
	return pair_make() || port_make() || rn_neigh_create(&port, &neigh, NULL);
}

static int teardown(void **state)
{
	(void)state;
	rn_neigh_destroy(neigh);
	return pair_drop();
}

/* ---- over the wire ---- */

/* Answers what comes, for as long as it takes a kernel to ask. */
static void serve(int ms)
{
	struct pollfd pfd = {.fd = rn_neigh_fd(neigh), .events = POLLIN};

	while (poll(&pfd, 1, ms) == 1)
		rn_neigh_dispatch(neigh);
}

static void vlans_and_hosts(void **state)
{
	static const uint8_t v4[4] = {10, 0, 0, 51};
	struct rn_addresses host = {.n4 = 1};
	uint8_t f[200], in[2000], addr[1][4];
	int peer = raw_open("net1");

	(void)state;
	assert_int_equal(rn_neigh_fd(neigh), -1);
	assert_int_equal(rn_neigh_add(neigh, macvlan("10.0.0.50", NULL, 7), NULL), 0);
	assert_int_equal(raw_next(peer, in, sizeof(in), 1000), 46 - 4); /* told, tag taken out */
	/* untagged: not leased there */
	send(peer, f, arp_request(f, "10.0.0.2", "10.0.0.50"), 0);
	serve(50);
	assert_int_equal(raw_next(peer, in, sizeof(in), 0), 0);
	/* tagged 7 */
	memmove(f + 16, f + 12, 60 - 12);
	be16(be16(f + 12, 0x8100), 7);
	send(peer, f, 64, 0);
	serve(50);
	assert_int_equal(raw_next(peer, in, sizeof(in), 1000), 42);
	assert_memory_equal(in + 6, own_mac, 6);
	assert_int_equal(port_counters.v[RAWNET_P_NEIGH_REPLIES], 1);
	/* tagged by a provider bridge: another network */
	be16(f + 12, 0x88a8);
	send(peer, f, 64, 0);
	serve(50);
	assert_int_equal(raw_next(peer, in, sizeof(in), 0), 0);
	/* an address that the host itself has */
	memcpy(addr[0], v4, 4);
	host.v4 = addr;
	port.addresses = &host;
	assert_int_equal(rn_neigh_add(neigh, ipvlan("10.0.0.51"), NULL), 0);
	send(peer, f, arp_request(f, "10.0.0.2", "10.0.0.51"), 0);
	serve(50);
	assert_int_equal(raw_next(peer, in, sizeof(in), 0), 0);
	port.addresses = &no_addresses;
	send(peer, f, 60, 0);
	serve(50);
	assert_int_equal(raw_next(peer, in, sizeof(in), 1000), 42);
	assert_memory_equal(in + 6, port.mac, 6);
	/* a frame of ours that comes back; one that the host sends itself */
	memcpy(f + 6, port.mac, 6);
	memcpy(f + 22, port.mac, 6);
	send(peer, f, 60, 0);
	serve(50);
	assert_int_equal(raw_next(peer, in, sizeof(in), 0), 0);
	close(peer);
}

static void own_questions(void **state)
{
	uint8_t f[200], in[2000];
	int own = raw_open("net0"), peer;

	(void)state;
	assert_int_equal(rn_neigh_add(neigh, ipvlan("10.0.0.51"), NULL), 0);
	peer = raw_open("net1");
	send(own, f, arp_request(f, "10.0.0.2", "10.0.0.51"), 0);
	serve(50);
	assert_int_equal(raw_next(peer, in, sizeof(in), 1000), 60);
	assert_int_equal(raw_next(peer, in, sizeof(in), 50), 0);
	assert_int_equal(port_counters.v[RAWNET_P_NEIGH_REPLIES], 0);
	close(own);
	close(peer);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void flood(void **state)
{
	uint8_t f[200];
	int peer = raw_open("net1");
	uint64_t start = now_ms();

	(void)state;
	assert_int_equal(rn_neigh_add(neigh, ipvlan("10.0.0.51"), NULL), 0);
	arp_request(f, "10.0.0.2", "10.0.0.51");
	for (int i = 0; i < 2000; i++) {
		send(peer, f, 60, 0);
		if (i % 50 == 0)
			rn_neigh_dispatch(neigh);
	}
	serve(50);
	assert_true(port_counters.v[RAWNET_P_NEIGH_REPLIES] > 0);
	/* 200 at once, 1,000 a second, however long it took */
	assert_true(port_counters.v[RAWNET_P_NEIGH_REPLIES] <= 201 + now_ms() - start);
	close(peer);
}

static bool admitted(const char *what)
{
	return !sh("bridge fdb show dev net0 | grep -q '^%s '", what);
}

static void memberships(void **state)
{
	struct rn_rule *a = macvlan("10.0.0.50", "fd00::1:50", 0);
	struct rn_rule *b = macvlan("10.0.0.51", NULL, 0), tuple = {.id = 99};
	struct rn_rule *c = ipvlan("10.0.0.52");

	(void)state;
	assert_int_equal(rn_neigh_add(neigh, &tuple, NULL), 0);
	assert_int_equal(rn_neigh_fd(neigh), -1); /* leases nothing */
	assert_int_equal(rn_neigh_add(neigh, a, NULL), 0);
	assert_int_equal(rn_neigh_add(neigh, a, NULL), 0); /* a group is joined */
	assert_int_equal(rn_neigh_add(neigh, b, NULL), 0);
	assert_true(admitted("02:00:00:00:00:77"));
	assert_true(admitted("33:33:ff:01:00:50"));
	rn_neigh_del(neigh, a);
	assert_true(admitted("02:00:00:00:00:77"));
	assert_false(admitted("33:33:ff:01:00:50"));
	assert_int_equal(rn_neigh_add(neigh, c, NULL), 0);
	rn_neigh_del(neigh, b);
	assert_false(admitted("02:00:00:00:00:77"));
	assert_true(rn_neigh_fd(neigh) >= 0);
	rn_neigh_del(neigh, &tuple);
	rn_neigh_del(neigh, c);
	assert_int_equal(rn_neigh_fd(neigh), -1);
}

static void gone_and_back(void **state)
{
	uint8_t f[200], in[2000];
	int peer;

	(void)state;
	port.present = false;
	assert_int_equal(rn_neigh_add(neigh, macvlan("10.0.0.50", NULL, 0), NULL), 0);
	assert_int_equal(rn_neigh_fd(neigh), -1);
	assert_int_equal(pair_drop(), 0);
	assert_int_equal(pair_make(), 0);
	port.ifindex = if_nametoindex("net0");
	port.present = true;
	rn_neigh_reopen(neigh);
	assert_true(admitted("02:00:00:00:00:77"));
	peer = raw_open("net1");
	send(peer, f, arp_request(f, "10.0.0.2", "10.0.0.50"), 0);
	serve(50);
	assert_int_equal(raw_next(peer, in, sizeof(in), 1000), 42);
	close(peer);
}

static void no_interface(void **state)
{
	struct rn_err err = {0};
	uint32_t ifindex = port.ifindex;

	(void)state;
	port.ifindex = 0x7ffffff0;
	assert_int_equal(rn_neigh_add(neigh, ipvlan("10.0.0.51"), &err), -ENODEV);
	assert_non_null(strstr(err.text, "net0"));
	assert_int_equal(rn_neigh_fd(neigh), -1);
	port.ifindex = ifindex;
}

/* ---- a kernel as peer ---- */

static pid_t peer_start(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!unshare(CLONE_NEWNET) && write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

/* Makes the peer's kernel look for address, and says which MAC it found. */
static bool resolves(pid_t pid, const char *address, const char *mac)
{
	sh("nsenter -t %d -n bash -c 'echo x >/dev/udp/%s/9' 2>/dev/null", (int)pid, address);
	serve(200);
	return !sh("nsenter -t %d -n ip neigh show %s dev net1 | grep -q 'lladdr %s '", (int)pid,
		   address, mac);
}

static void empty_table(void **state)
{
	struct rn_rule *r[4];
	pid_t pid = peer_start();
	int left = 50;

	(void)state;
	assert_true(pid > 0);
	assert_int_equal(sh("ip link set net1 netns %d && nsenter -t %d -n sh -c '"
			    "echo 0 >/proc/sys/net/ipv6/conf/net1/disable_ipv6; "
			    "ip addr add 10.0.0.2/24 dev net1; ip link set net1 up; "
			    "ip addr add fd00::2/64 dev net1 nodad'",
			    (int)pid, (int)pid),
			 0);
	assert_int_equal(sh("ip link set net0 up"), 0);
	r[0] = macvlan("10.0.0.50", "fd00::50", 0);
	r[1] = ipvlan("10.0.0.51");
	r[2] = ipvlan("fd00::51");
	for (int i = 0; i < 3; i++)
		assert_int_equal(rn_neigh_add(neigh, r[i], NULL), 0);
	serve(100);
	assert_true(resolves(pid, "10.0.0.50", "02:00:00:00:00:77"));
	assert_true(resolves(pid, "fd00::50", "02:00:00:00:00:77"));
	assert_true(resolves(pid, "10.0.0.51", "02:00:00:00:00:10"));
	assert_true(resolves(pid, "fd00::51", "02:00:00:00:00:10"));
	assert_false(resolves(pid, "10.0.0.52", "02:"));
	assert_false(resolves(pid, "fd00::52", "02:"));
	/* the peer takes a leased address for itself and is told that it is in use */
	assert_int_equal(sh("nsenter -t %d -n ip addr add fd00::50/64 dev net1", (int)pid), 0);
	while (left-- &&
	       sh("nsenter -t %d -n ip -6 addr show dev net1 | grep -q dadfailed", (int)pid))
		serve(100);
	assert_true(left >= 0);
	/* back where teardown looks for it */
	assert_int_equal(sh("nsenter -t %d -n ip link set net1 netns %d", (int)pid, (int)getpid()),
			 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(vlans_and_hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(own_questions, setup, teardown),
		cmocka_unit_test_setup_teardown(flood, setup, teardown),
		cmocka_unit_test_setup_teardown(memberships, setup, teardown),
		cmocka_unit_test_setup_teardown(gone_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(no_interface, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_table, setup, teardown),
	};

	sandbox();
	return cmocka_run_group_tests_name("neigh", tests, NULL, NULL);
}
