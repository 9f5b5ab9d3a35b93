/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routes and neighbours as the kernel has them, in a namespace of the test's own: what is said of
 * each kind of route, which neighbour is asked for and which is not. VLAN interfaces, which not
 * every kernel has, by their messages.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <urcu-qsbr.h>

#include "net_stubs.h"
#include "route.h"
#include "route_msg.h"
#include "steer.h"

static const uint8_t leased[4] = {10, 9, 0, 77};

struct rn_rule *rn_steer_lease(const struct rn_steer *steer, int family, const uint8_t *addr,
			       uint16_t vlan, uint8_t mac[6])
{
	static struct rn_rule rule;

	(void)steer;
	if (family != 4 || memcmp(addr, leased, 4) != 0 || vlan)
		return NULL;
	memset(mac, 0x0a, 6);
	return &rule;
}

static bool named = true; /* may the asker know other interfaces? */
static bool local; /* do the programs of the port reach each other? */
static const uint8_t far_mac[6] = {2, 0, 0, 0, 0, 0x42};

static int setup(void **state)
{
	(void)state;
	return sh("ip link add net0 address 02:00:00:00:00:10 type veth peer name net1 && "
		  "echo 0 >/proc/sys/net/ipv6/conf/net0/accept_dad && "
		  "ip link set net1 up && ip link set net0 up mtu 1400") ||
	       sh("ip link add net2 type veth peer name net3 && ip link set net2 up && "
		  "ip link set net3 up") ||
	       sh("ip addr add 10.9.0.1/24 dev net0 && ip addr add fd09::1/64 dev net0 && "
		  "ip addr add 10.8.0.1/24 dev net2 && "
		  "ip neigh add 10.9.0.42 lladdr 02:00:00:00:00:42 dev net0 nud permanent && "
		  "ip -6 neigh add fd09::42 lladdr 02:00:00:00:00:42 dev net0 nud permanent") ||
	       /* The kernel makes the local route when duplicate address detection is over. */
	       sh("timeout 20 sh -c 'until ip -6 route get fd09::1 | grep -q ^local; do sleep "
		  "0.02; "
		  "done'") ||
	       port_make();
}

static int teardown(void **state)
{
	(void)state;
	return sh("ip link del net0; ip link del net2; ip route flush type unreachable; "
		  "ip route flush type prohibit; ip route flush type blackhole");
}

static int find(const char *dst, bool *resolve, struct rawnet_rep_route *rep, struct rn_err *err)
{
	struct rn_route_terms terms = {.resolve = *resolve, .names = named};
	struct rn_route_from from = {.ifindex = port.ifindex, .mtu = port.mtu, .local = local};
	uint8_t family = strchr(dst, ':') ? 6 : 4, addr[16];
	int rc;

	memset(rep, 0, sizeof(*rep));
	memset(err, 0, sizeof(*err));
	assert_int_equal(inet_pton(family == 4 ? AF_INET : AF_INET6, dst, addr), 1);
	strcpy(from.dev, port.config.dev);
	memcpy(from.mac, port.mac, sizeof(from.mac));
	rc = rn_route_find(&from, family, addr, &terms, rep, err);
	*resolve = terms.resolve;
	return rc;
}

static struct rawnet_rep_route found(const char *dst)
{
	struct rawnet_rep_route rep;
	struct rn_err err;
	bool resolve = true;

	if (find(dst, &resolve, &rep, &err))
		fail_msg("%s: %s", dst, err.text);
	assert_memory_equal(rep.smac, port.mac, 6);
	return rep;
}

static void not_found(const char *dst, int error, const char *words)
{
	struct rawnet_rep_route rep;
	struct rn_err err;
	bool resolve = true;
	int rc = find(dst, &resolve, &rep, &err);

	if (rc != error || !strstr(err.text, words))
		fail_msg("%s: %d \"%s\" instead of %d \"%s\"", dst, rc, err.text, error, words);
}

static void is_address(const uint8_t *addr, const char *text)
{
	uint8_t want[16];
	bool six = strchr(text, ':');

	assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, text, want), 1);
	assert_memory_equal(addr, want, six ? 16 : 4);
}

static void ready(const char *dst, const char *src, const char *via, uint32_t mtu)
{
	struct rawnet_rep_route rep = found(dst);

	assert_int_equal(rep.state, RAWNET_HOP_READY);
	assert_memory_equal(rep.dmac, far_mac, 6);
	assert_int_equal(rep.mtu, mtu);
	assert_int_equal(rep.vlan, 0);
	assert_true(rep.has_src);
	assert_int_equal(rep.via_family, strchr(via, ':') ? 6 : 4);
	is_address(rep.src, src);
	is_address(rep.via, via);
}

static void known_neighbours(void **state)
{
	(void)state;
	ready("10.9.0.42", "10.9.0.1", "10.9.0.42", 1400);
	ready("fd09::42", "fd09::1", "fd09::42", 1400);
	assert_int_equal(sh("ip route add 10.20.0.0/16 via 10.9.0.42 mtu 1300 && "
			    "ip route add 10.21.0.0/16 via 172.16.0.1 dev net0 onlink && "
			    "ip route add 10.22.0.0/16 dev net0 src 10.9.0.1 && "
			    "ip -6 route add fd20::/32 via fd09::42"),
			 0);
	assert_int_equal(sh("ip route add 10.23.0.0/16 via inet6 fd09::42 dev net0 && "
			    "ip neigh add 172.16.0.1 lladdr 02:00:00:00:00:42 dev net0 nud "
			    "permanent && ip neigh add 10.22.0.7 lladdr 02:00:00:00:00:42 dev net0 "
			    "nud permanent"),
			 0);
	ready("10.20.1.1", "10.9.0.1", "10.9.0.42", 1300);
	ready("10.21.1.1", "10.9.0.1", "172.16.0.1", 1400);
	ready("10.22.0.7", "10.9.0.1", "10.22.0.7", 1400);
	ready("fd20::1", "fd09::1", "fd09::42", 1400);
	ready("10.23.1.1", "10.9.0.1", "fd09::42", 1400);
}

static void groups(void **state)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t four[6] = {0x01, 0, 0x5e, 0x01, 0x02, 0x03};
	static const uint8_t six[6] = {0x33, 0x33, 0, 0, 0, 0xfb};
	static const struct {
		const char *dst;
		const uint8_t *mac;
	} cases[] = {{"10.9.0.255", all},
		     {"255.255.255.255", all},
		     {"239.129.2.3", four},
		     {"ff02::fb", six}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct rawnet_rep_route rep = found(cases[i].dst);

		assert_int_equal(rep.state, RAWNET_HOP_READY);
		assert_memory_equal(rep.dmac, cases[i].mac, 6);
	}
}

static bool has_entry(const char *addr)
{
	return sh("ip neigh show dev net0 | grep -q '^%s '", addr) == 0;
}

static void unknown_neighbours(void **state)
{
	static const char *const addrs[] = {"10.9.0.7", "fd09::7", "fe80::7"};
	struct rawnet_rep_route rep;
	struct rn_err err;
	bool resolve;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		resolve = false;
		assert_int_equal(find(addrs[i], &resolve, &rep, &err), 0);
		assert_int_equal(rep.state, RAWNET_HOP_ASKED);
		assert_false(resolve || has_entry(addrs[i]));
		resolve = true;
		assert_int_equal(find(addrs[i], &resolve, &rep, &err), 0);
		assert_int_equal(rep.state, RAWNET_HOP_ASKED);
		assert_true(resolve && has_entry(addrs[i]));
		/* It is being asked for: nothing more is to be done. */
		assert_int_equal(find(addrs[i], &resolve, &rep, &err), 0);
		assert_int_equal(rep.state, RAWNET_HOP_ASKED);
		assert_false(resolve);
	}
	/* An entry that failed is asked for again, one that is old is confirmed. */
	assert_int_equal(sh("ip neigh add 10.9.0.8 dev net0 nud failed && "
			    "ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:42 dev net0 nud stale"),
			 0);
	rep = found("10.9.0.8");
	assert_int_equal(rep.state, RAWNET_HOP_FAILED);
	assert_int_equal(found("10.9.0.8").state, RAWNET_HOP_ASKED);
	rep = found("10.9.0.9");
	assert_int_equal(rep.state, RAWNET_HOP_READY);
	assert_int_equal(sh("ip neigh show 10.9.0.9 dev net0 | grep -qE 'DELAY|PROBE'"), 0);
}

/* A program of the port has it: the kernel is not asked. */
static void leased_here(void **state)
{
	static const uint8_t mac[6] = {0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a};
	struct rawnet_rep_route rep;

	(void)state;
	local = true;
	rep = found("10.9.0.77");
	assert_int_equal(rep.state, RAWNET_HOP_READY);
	assert_memory_equal(rep.dmac, mac, 6);
	is_address(rep.via, "10.9.0.77");
	assert_false(has_entry("10.9.0.77"));
	ready("10.9.0.42", "10.9.0.1", "10.9.0.42", 1400);
	local = false;
	assert_int_equal(found("10.9.0.77").state, RAWNET_HOP_ASKED);
}

static void no_way(void **state)
{
	(void)state;
	assert_int_equal(sh("ip route add unreachable 10.30.0.0/16 && "
			    "ip route add prohibit 10.31.0.0/16 && "
			    "ip route add blackhole 10.32.0.0/16 && "
			    "ip -6 route add unreachable fd30::/32 && "
			    "ip -6 route add prohibit fd31::/32"),
			 0);
	not_found("10.30.0.1", -EHOSTUNREACH, "unreachable");
	not_found("10.31.0.1", -EACCES, "prohibit");
	not_found("10.32.0.1", -EINVAL, "blackhole");
	not_found("fd30::1", -EHOSTUNREACH, "unreachable");
	not_found("fd31::1", -EACCES, "prohibit");
	not_found("10.99.0.1", -ENETUNREACH, "no route");
	not_found("fd99::1", -ENETUNREACH, "no route");
	not_found("10.9.0.1", -EXDEV, "address of this host");
	not_found("fd09::1", -EXDEV, "address of this host");
	not_found("127.0.0.1", -EXDEV, "address of this host");
	not_found("10.8.0.5", -EXDEV, "leaves by net2, not by net0");
	named = false;
	not_found("10.8.0.5", -EXDEV, "leaves by another interface, not by net0");
	named = true;
	/* The port's own route counts, though the kernel prefers another one. */
	assert_int_equal(sh("ip route add 10.40.0.0/16 via 10.8.0.9 metric 1 && "
			    "ip route add 10.40.0.0/16 via 10.9.0.42 metric 2"),
			 0);
	ready("10.40.0.1", "10.9.0.1", "10.9.0.42", 1400);
}

/* ---- VLAN interfaces ---- */

static void vlan_message(uint8_t *buf, size_t size, const char *kind, uint16_t id, uint16_t proto)
{
	struct nlmsghdr *nlh;
	struct nlattr *info, *data;

	memset(buf, 0, size);
	nlh = mnl_nlmsg_put_header(buf);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(nlh, IFLA_LINK, 7);
	mnl_attr_put_u32(nlh, IFLA_MTU, 1496);
	mnl_attr_put(nlh, IFLA_ADDRESS, 6, far_mac);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u16(nlh, IFLA_VLAN_ID, id);
	mnl_attr_put_u16(nlh, IFLA_VLAN_PROTOCOL, htons(proto));
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

static void vlan_interfaces(void **state)
{
	_Alignas(8) uint8_t buf[256];
	struct rn_vlan vlan;

	(void)state;
	vlan_message(buf, sizeof(buf), "vlan", 100, ETH_P_8021Q);
	assert_true(rn_vlan_parse((void *)buf, &vlan));
	assert_int_equal(vlan.parent, 7);
	assert_int_equal(vlan.id, 100);
	assert_int_equal(vlan.mtu, 1496);
	assert_memory_equal(vlan.mac, far_mac, 6);
	vlan_message(buf, sizeof(buf), "vlan", 100, ETH_P_8021AD);
	assert_true(rn_vlan_parse((void *)buf, &vlan));
	assert_int_equal(vlan.id, 0);
	vlan_message(buf, sizeof(buf), "macvlan", 100, ETH_P_8021Q);
	assert_true(rn_vlan_parse((void *)buf, &vlan));
	assert_int_equal(vlan.id, 0);
}

/* A tagged route, where the kernel has VLAN interfaces. */
static void tagged_route(void **state)
{
	struct rawnet_rep_route rep;

	(void)state;
	if (sh("ip link add link net0 name net0.5 type vlan id 5 2>/dev/null"))
		skip();
	assert_int_equal(sh("ip link set net0.5 up && ip addr add 10.7.0.1/24 dev net0.5 && "
			    "ip neigh add 10.7.0.42 lladdr 02:00:00:00:00:42 dev net0.5 nud "
			    "permanent"),
			 0);
	rep = found("10.7.0.42");
	assert_int_equal(rep.vlan, 5);
	assert_memory_equal(rep.dmac, far_mac, 6);
}

/* Lengths that are none of an address. */
static void odd_messages(void **state)
{
	_Alignas(8) uint8_t buf[256] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rn_route route;
	struct rn_vlan vlan;
	struct rn_neighbour n;
	struct rtmsg *rt;

	(void)state;
	assert_false(rn_route_parse(nlh, &route) || rn_vlan_parse(nlh, &vlan) ||
		     rn_neighbour_parse(nlh, &n));
	rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
	assert_false(rn_route_parse(nlh, &route));
	rt->rtm_family = AF_INET;
	assert_true(rn_route_parse(nlh, &route));
	mnl_attr_put(nlh, RTA_GATEWAY, 16, "0123456789abcdef");
	assert_false(rn_route_parse(nlh, &route));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_neighbours, setup, teardown),
		cmocka_unit_test_setup_teardown(groups, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_neighbours, setup, teardown),
		cmocka_unit_test_setup_teardown(leased_here, setup, teardown),
		cmocka_unit_test_setup_teardown(no_way, setup, teardown),
		cmocka_unit_test(vlan_interfaces),
		cmocka_unit_test_setup_teardown(tagged_route, setup, teardown),
		cmocka_unit_test(odd_messages),
	};

	int rc;

	sandbox();
	rcu_register_thread(); /* as the asker */
	rcu_thread_offline();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return rc;
}
