/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces as Linux tells of them, on veth pairs in a namespace of the test's own.
 *
 * Promise: a question that the kernel does not answer stops the control thread for seconds at most.
 * Seen to fail without its defence:
 *   SO_RCVTIMEO: no_answer waited until the alarm ended it
 *   rn_netdev_get() by the asker's socket: in two_ask one had the other's answer, -ETIMEDOUT
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_sandbox.h"
#include "netdev.h"
#include "netdev_link.h"

#define EVENTS 512

/* What the monitor told last of each interface, and how often anything was told. */
struct seen {
	struct rn_netdev nd;
	bool present;
	uint32_t n4, n6;
	uint8_t v4[4];
	unsigned links, addresses;
};
static struct seen seen[EVENTS];

static struct seen *seen_at(uint32_t ifindex)
{
	assert_true(ifindex < EVENTS);
	return &seen[ifindex];
}

static void on_link(void *arg, const struct rn_netdev *nd, bool present)
{
	struct seen *s = seen_at(nd->ifindex);

	assert_ptr_equal(arg, seen);
	s->nd = *nd;
	s->present = present;
	s->links++;
}

static void on_addresses(void *arg, uint32_t ifindex, struct rn_addresses *a)
{
	struct seen *s = seen_at(ifindex);

	assert_ptr_equal(arg, seen);
	s->n4 = a->n4;
	s->n6 = a->n6;
	if (a->n4)
		memcpy(s->v4, a->v4[0], 4);
	s->addresses++;
	free(a);
}

static const struct rn_monitor_ops ops = {.link = on_link, .addresses = on_addresses};

static struct rn_netdev get(const char *dev)
{
	struct rn_netdev nd;
	struct rn_err err = {0};

	assert_int_equal(rn_netdev_get(dev, &nd, &err), 0);
	return nd;
}

static void make_pair(void)
{
	assert_int_equal(sh("ip link add net0 address 02:00:00:00:00:10 numrxqueues 4 "
			    "numtxqueues 4 type veth peer name net1"),
			 0);
}

static void drop_pair(void)
{
	assert_int_equal(sh("ip link del net0"), 0);
}

static void one_interface(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x10};
	struct rn_netdev nd;

	(void)state;
	make_pair();
	nd = get("net0");
	assert_string_equal(nd.dev, "net0");
	assert_string_equal(nd.kind, "veth");
	assert_string_equal(nd.driver, "veth");
	assert_memory_equal(nd.mac, mac, 6);
	assert_int_equal(nd.mtu, 1500);
	assert_true(nd.rx_queues >= 1 && nd.rx_queues <= 4);
	assert_int_equal(nd.xdp_prog, 0);
	assert_false(nd.up || nd.admin_up);
	assert_true(rn_netdev_local(&nd));
	assert_int_equal(sh("ip link set net0 up mtu 3000"), 0);
	nd = get("net0");
	assert_true(nd.admin_up);
	assert_false(nd.up); /* the peer is down: no carrier */
	assert_int_equal(nd.mtu, 3000);
	assert_int_equal(sh("ip link set net1 up"), 0);
	nd = get("net0");
	assert_true(nd.up);
	drop_pair();
	nd = get("lo");
	assert_string_equal(nd.kind, "");
	assert_false(rn_netdev_local(&nd));
}

static void no_interface(void **state)
{
	struct rn_netdev nd;
	struct rn_err err = {0};

	(void)state;
	assert_int_equal(rn_netdev_get("nosuch0", &nd, &err), -ENODEV);
	assert_string_equal(err.text, "dev nosuch0: no such interface");
	assert_int_equal(rn_netdev_get("", &nd, &err), -EINVAL);
	assert_int_equal(rn_netdev_get("a-name-that-is-far-too-long", &nd, &err), -EINVAL);
	assert_int_equal(rn_netdev_get("nosuch0", &nd, NULL), -ENODEV);
}

static void alternative_name(void **state)
{
	struct rn_netdev nd;
	struct rn_err err = {0};

	(void)state;
	make_pair();
	assert_int_equal(sh("ip link property add dev net0 altname other0"), 0);
	assert_int_equal(rn_netdev_get("other0", &nd, &err), -ENODEV);
	drop_pair();
}

static void rxvlan(void **state)
{
	struct rn_err err = {0};
	bool on, fixed;

	(void)state;
	make_pair();
	assert_int_equal(rn_netdev_rxvlan("net0", &on, &fixed, &err), 0);
	assert_true(on);
	assert_false(fixed);
	assert_int_equal(rn_netdev_set_rxvlan("net0", false, &err), 0);
	assert_int_equal(rn_netdev_rxvlan("net0", &on, &fixed, &err), 0);
	assert_false(on);
	assert_int_equal(rn_netdev_set_rxvlan("net0", false, &err), 0);
	assert_int_equal(rn_netdev_set_rxvlan("net0", true, &err), 0);
	assert_int_equal(rn_netdev_rxvlan("net0", &on, &fixed, &err), 0);
	assert_true(on);
	drop_pair();
	/* loopback has no tags to strip */
	assert_int_equal(rn_netdev_rxvlan("lo", &on, &fixed, &err), 0);
	assert_true(fixed && !on);
	assert_int_equal(rn_netdev_set_rxvlan("lo", true, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "fixed"));
	assert_int_equal(rn_netdev_rxvlan("nosuch0", &on, &fixed, &err), -ENODEV);
}

static void addresses(void **state)
{
	static const uint8_t v4[4] = {10, 9, 8, 7};
	static const uint8_t v6[16] = {0xfd, 0, [15] = 7};
	struct rn_addresses *a;
	struct rn_err err = {0};

	(void)state;
	make_pair();
	assert_int_equal(rn_netdev_addresses(get("net0").ifindex, &a, &err), 0);
	assert_int_equal(a->n4 + a->n6, 0);
	free(a);
	assert_int_equal(sh("ip addr add 10.9.8.7/24 dev net0 && "
			    "ip addr add 10.9.8.8 peer 10.9.8.9 dev net1 && "
			    "ip addr add fd00::7/64 dev net0"),
			 0);
	assert_int_equal(rn_netdev_addresses(get("net0").ifindex, &a, &err), 0);
	assert_int_equal(a->n4, 1);
	assert_memory_equal(a->v4[0], v4, 4);
	assert_int_equal(a->n6, 1);
	assert_memory_equal(a->v6[0], v6, 16);
	free(a);
	assert_int_equal(rn_netdev_addresses(get("net1").ifindex, &a, &err), 0);
	assert_int_equal(a->n4, 1);
	assert_int_equal(a->v4[0][3], 8); /* its own, not the peer's */
	free(a);
	drop_pair();
}

static void monitor(void **state)
{
	struct rn_err err = {0};
	struct rn_monitor *m;
	struct pollfd pfd;
	uint32_t i;

	(void)state;
	memset(seen, 0, sizeof(seen));
	assert_int_equal(rn_monitor_create(&ops, seen, &m, &err), 0);
	pfd = (struct pollfd) {.fd = rn_monitor_fd(m), .events = POLLIN};
	assert_int_equal(poll(&pfd, 1, 0), 0);
	rn_monitor_dispatch(m); /* nothing there: does not block */
	make_pair();
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	rn_monitor_dispatch(m);
	i = get("net0").ifindex;
	assert_true(seen[i].present);
	assert_string_equal(seen[i].nd.driver, "veth");
	assert_int_equal(seen[i].addresses, 1);
	assert_int_equal(seen[i].n4, 0);

	assert_int_equal(sh("ip addr add 10.1.2.3/24 dev net0"), 0);
	rn_monitor_dispatch(m);
	assert_int_equal(seen[i].n4, 1);
	assert_int_equal(seen[i].v4[3], 3);
	assert_int_equal(sh("ip link set net0 up; ip link set net1 up"), 0);
	/* The kernel tells of the carrier a moment later. */
	for (int tries = 0; tries < 600 && !seen[i].nd.up; tries++) {
		poll(&pfd, 1, 100);
		rn_monitor_dispatch(m);
	}
	assert_true(seen[i].nd.up);
	assert_int_equal(sh("ip link set net1 down"), 0);
	for (int tries = 0; tries < 600 && seen[i].nd.up; tries++) {
		poll(&pfd, 1, 100);
		rn_monitor_dispatch(m);
	}
	assert_true(seen[i].nd.admin_up && !seen[i].nd.up);
	assert_int_equal(sh("ip addr del 10.1.2.3/24 dev net0"), 0);
	rn_monitor_dispatch(m);
	assert_int_equal(seen[i].n4, 0);

	drop_pair();
	rn_monitor_dispatch(m);
	assert_false(seen[i].present);
	assert_string_equal(seen[i].nd.dev, "net0");
	rn_monitor_destroy(m);
}

/* A rename is one interface that went and one that came; a bridge port that leaves is still there.
 */
static void monitor_edges(void **state)
{
	struct rn_monitor *m;
	unsigned links;
	uint32_t i;

	(void)state;
	memset(seen, 0, sizeof(seen));
	make_pair();
	i = get("net0").ifindex;
	assert_int_equal(rn_monitor_create(&ops, seen, &m, NULL), 0);
	assert_int_equal(rn_monitor_refresh(m, NULL), 0);
	assert_true(seen[i].present && seen[i].addresses == 1);
	links = seen[i].links;
	assert_int_equal(sh("ip link set net0 name net2"), 0);
	rn_monitor_dispatch(m);
	assert_true(seen[i].links >= links + 2);
	assert_string_equal(seen[i].nd.dev, "net2");
	assert_true(seen[i].present);
	assert_int_equal(sh("ip link set net2 name net0; ip link add net9 type bridge && "
			    "ip link set net0 master net9 && ip link set net0 nomaster"),
			 0);
	rn_monitor_dispatch(m);
	assert_string_equal(seen[i].nd.dev, "net0");
	assert_true(seen[i].present);
	assert_int_equal(sh("ip link del net9"), 0);
	drop_pair();
	rn_monitor_destroy(m);
}

/* The socket's buffer is made too small for what happens: the truth is told all the same. */
static void monitor_overrun(void **state)
{
	struct rn_err err = {0};
	struct rn_monitor *m;
	int small = 2048, fd;
	uint32_t i;

	(void)state;
	memset(seen, 0, sizeof(seen));
	make_pair();
	i = get("net0").ifindex;
	assert_int_equal(rn_monitor_create(&ops, seen, &m, &err), 0);
	fd = rn_monitor_fd(m);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(rn_monitor_refresh(m, &err), 0);
	assert_true(seen[i].present);
	assert_int_equal(sh("for i in 1 2 3 4 5 6 7 8 9; do ip link set net0 up; "
			    "ip link set net0 down; done; ip addr add 10.0.0.1/24 dev net0"),
			 0);
	drop_pair();
	assert_int_equal(sh("ip link add net3 type bridge && ip addr add 10.0.0.3/24 dev net3"), 0);
	rn_monitor_dispatch(m);
	assert_false(seen[i].present);
	i = get("net3").ifindex;
	assert_true(seen[i].present);
	assert_int_equal(seen[i].n4, 1);
	assert_int_equal(sh("ip link del net3"), 0);
	rn_monitor_destroy(m);
}

/* A message that asks for no answer gets none (netlink_rcv_skb()): what is asked next is answered.
 */
static void no_answer(void **state)
{
	_Alignas(8) uint8_t buf[MNL_NLMSG_HDRLEN] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rn_netdev nd;

	(void)state;
	nlh->nlmsg_type = NLMSG_NOOP;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	alarm(60);
	assert_int_equal(rn_netlink_ask(nlh, NULL, NULL), -ETIMEDOUT);
	alarm(0);
	assert_int_equal(rn_netdev_get("lo", &nd, NULL), 0);
	assert_string_equal(nd.dev, "lo");
}

static int not_known(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	(void)data;
	return MNL_CB_OK;
}

/* As the asker does, until it is told to end: the errno of the first question that failed. */
static void *ask_on(void *arg)
{
	const bool *stop = arg;
	intptr_t rc = 0;

	while (!rc && !__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		_Alignas(8) uint8_t buf[MNL_NLMSG_HDRLEN + 64] = {0};
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
		struct ifinfomsg *about = mnl_nlmsg_put_extra_header(nlh, sizeof(*about));

		nlh->nlmsg_type = RTM_GETLINK;
		nlh->nlmsg_flags = NLM_F_REQUEST;
		about->ifi_index = 1;
		rc = rn_netlink_ask(nlh, not_known, NULL);
	}
	return (void *)rc;
}

/* The control thread and the asker ask at the same time. */
static void two_ask(void **state)
{
	bool stop = false;
	pthread_t thread;
	void *rc;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, ask_on, &stop), 0);
	for (unsigned i = 0; i < 20000; i++) {
		struct rn_netdev nd;

		assert_int_equal(rn_netdev_get("lo", &nd, NULL), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, &rc);
	assert_int_equal((intptr_t)rc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_interface),    cmocka_unit_test(no_interface),
		cmocka_unit_test(alternative_name), cmocka_unit_test(rxvlan),
		cmocka_unit_test(addresses),	    cmocka_unit_test(monitor),
		cmocka_unit_test(monitor_edges),    cmocka_unit_test(monitor_overrun),
		cmocka_unit_test(no_answer),	    cmocka_unit_test(two_ask),
	};

	sandbox();
	return cmocka_run_group_tests_name("netdev", tests, NULL, NULL);
}
