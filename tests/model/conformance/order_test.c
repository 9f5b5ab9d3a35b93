/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering by ibv_create_flow: which rule wins, who gets a copy, how many fit. Rules: guide 5.1,
 * 5.3, 5.4.
 */
#include <errno.h>

#include "rules.h"

static const struct frame_attr udp4 = {.payload = 32};
static const uint8_t group[6] = {0x01, 0, 0x5e, 1, 2, 3},
		     everyone[6] = {255, 255, 255, 255, 255, 255};
static const struct frame_attr multicast = {.dst = group, .to = 0xe1010203, .payload = 20},
			       broadcast = {.dst = everyone, .payload = 20};

/* A rule for one destination port. */
static void port_rule(struct rule *r, uint32_t prio, uint16_t port)
{
	struct ibv_flow_spec_tcp_udp *s;

	rule_start(r, prio);
	rule_eth(r);
	s = rule_udp(r);
	s->val.dst_port = htobe16(port);
	s->mask.dst_port = 0xffff;
}

static void any_rule(struct rule *r, uint32_t prio)
{
	rule_start(r, prio);
	rule_eth(r);
}

static void mac_rule(struct rule *r, uint32_t prio, const uint8_t *mac)
{
	struct ibv_flow_spec_eth *s;

	rule_start(r, prio);
	s = rule_eth(r);
	memcpy(s->val.dst_mac, mac, 6);
	memset(s->mask.dst_mac, 0xff, 6);
}

static void the_lower_number_wins(void **state)
{
	struct ibv_flow *a, *b;
	struct rule r;

	(void)state;
	any_rule(&r, 15);
	a = rule_create(&r, 0);
	assert_int_equal(goes(&udp4), 1);
	any_rule(&r, 3);
	b = rule_create(&r, 1);
	assert_int_equal(goes(&udp4), 2);
	rule_destroy(b);
	assert_int_equal(goes(&udp4), 1);
	rule_destroy(a);
	any_rule(&r, 16);
	rule_refused(&r, 0, ENOMEM); /* as the kernel says it */
}

/* Two masks of one priority that both match: the one that was there first. Not contractual. */
static void the_older_mask_wins(void **state)
{
	struct ibv_flow *a, *b;
	struct rule r;

	(void)state;
	any_rule(&r, 0);
	a = rule_create(&r, 0);
	port_rule(&r, 0, 2000);
	b = rule_create(&r, 1);
	assert_int_equal(goes(&udp4), 1);
	rule_destroy(a);
	assert_int_equal(goes(&udp4), 2);
	any_rule(&r, 0);
	a = rule_create(&r, 0);
	assert_int_equal(goes(&udp4), 2);
	rule_destroy(a);
	rule_destroy(b);
}

/* A dont_trap rule copies, and the frame goes on; at one priority it comes before the others. */
static void copies(void **state)
{
	struct ibv_flow *trap, *copy, *more;
	struct rule r;

	(void)state;
	any_rule(&r, 2);
	trap = rule_create(&r, 0);
	r.attr.flags = IBV_FLOW_ATTR_FLAGS_DONT_TRAP;
	copy = rule_create(&r, 1);
	assert_int_equal(goes(&udp4), 3);
	any_rule(&r, 1);
	r.attr.flags = IBV_FLOW_ATTR_FLAGS_DONT_TRAP;
	more = rule_create(&r, 2);
	assert_int_equal(goes(&udp4), 7);
	rule_destroy(trap);
	assert_int_equal(goes(&udp4), 6);
	rule_destroy(copy);
	rule_destroy(more);
}

/* The same match twice: both queues get it, if tags and actions agree (guide 5.4). */
static void the_same_match_twice(void **state)
{
	struct ibv_flow *a, *b;
	struct rule r;

	(void)state;
	port_rule(&r, 0, 2000);
	rule_tag(&r, 7);
	a = rule_create(&r, 0);
	b = rule_create(&r, 1);
	assert_int_equal(goes(&udp4), 3);
	assert_int_equal(goes_tag(), 7);
	port_rule(&r, 0, 2000);
	rule_tag(&r, 8);
	rule_refused(&r, 2, EEXIST);
	port_rule(&r, 0, 2000);
	rule_add(&r, IBV_FLOW_SPEC_ACTION_DROP, sizeof(struct ibv_flow_spec_action_drop));
	rule_refused(&r, 2, EEXIST);
	rule_destroy(a);
	assert_int_equal(goes(&udp4), 2);
	port_rule(&r, 0, 2000); /* without a tag: it inherits the first one's */
	a = rule_create(&r, 0);
	assert_int_equal(goes(&udp4), 3);
	assert_int_equal(goes_tag(), 7);
	rule_destroy(a);
	rule_destroy(b);
}

/* Multicast-only rules lie below all priorities, whatever theirs is (guide 5.1). */
static void multicast_rules_come_last(void **state)
{
	struct ibv_flow *m, *any;
	struct rule r;

	(void)state;
	mac_rule(&r, 0, group);
	m = rule_create(&r, 0);
	assert_int_equal(goes(&multicast), 1);
	any_rule(&r, 15);
	any = rule_create(&r, 1);
	assert_int_equal(goes(&multicast), 2);
	rule_destroy(m);
	r.attr.flags = 0;
	mac_rule(&r, 0, group);
	r.attr.flags = IBV_FLOW_ATTR_FLAGS_DONT_TRAP; /* this one keeps its priority */
	m = rule_create(&r, 0);
	assert_int_equal(goes(&multicast), 3);
	rule_destroy(m);
	rule_destroy(any);
}

/* Only the first specification decides whether a rule is multicast-only (guide 5.1). */
static void what_counts_as_multicast(void **state)
{
	struct ibv_flow_spec_ipv4_ext *ip;
	struct ibv_flow *m, *any;
	struct rule r;

	(void)state;
	any_rule(&r, 15);
	any = rule_create(&r, 1);
	rule_start(&r, 0);
	rule_eth(&r); /* an ETH specification of nothing comes first */
	ip = rule_ip4(&r);
	ip->val.dst_ip = htobe32(0xe1010203);
	ip->mask.dst_ip = 0xffffffff;
	m = rule_create(&r, 0);
	assert_int_equal(goes(&multicast), 1); /* its priority holds */
	rule_destroy(m);
	rule_start(&r, 0);
	ip = rule_ip4(&r);
	ip->val.dst_ip = htobe32(0xe1010203);
	ip->mask.dst_ip = 0xffffffff;
	m = rule_create(&r, 0);
	assert_int_equal(goes(&multicast), 2); /* multicast-only: below priority 15 */
	rule_destroy(m);
	rule_destroy(any);
}

/* Groups are shared: the same match for several queues. */
static void several_queues_in_one_group(void **state)
{
	struct ibv_flow *flow[3];
	struct rule r;
	uint32_t i;

	(void)state;
	mac_rule(&r, 0, group);
	for (i = 0; i < 3; i++)
		flow[i] = rule_create(&r, i);
	assert_int_equal(goes(&multicast), 7);
	assert_int_equal(goes(&udp4), 0);
	for (i = 0; i < 3; i++)
		rule_destroy(flow[i]);
	mac_rule(&r, 0, everyone);
	flow[0] = rule_create(&r, 1);
	assert_int_equal(goes(&broadcast), 2);
	rule_destroy(flow[0]);
}

/* ALL_DEFAULT and MC_DEFAULT lie below every normal rule. */
static void default_rules(void **state)
{
	struct ibv_flow *all, *mc, *any;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	r.attr.type = IBV_FLOW_ATTR_ALL_DEFAULT;
	all = rule_create(&r, 0);
	assert_int_equal(goes(&udp4), 1);
	assert_int_equal(goes(&multicast), 1);
	r.attr.type = IBV_FLOW_ATTR_MC_DEFAULT;
	mc = rule_create(&r, 1);
	assert_int_equal(goes(&udp4), 1);
	assert_int_equal(goes(&multicast), 2);
	any_rule(&r, 15);
	any = rule_create(&r, 2);
	assert_int_equal(goes(&udp4), 4);
	assert_int_equal(goes(&multicast), 4);
	rule_destroy(any);
	rule_destroy(mc);
	rule_destroy(all);
	rule_start(&r, 0);
	r.attr.type = IBV_FLOW_ATTR_ALL_DEFAULT;
	rule_eth(&r);
	rule_refused(&r, 0, EINVAL); /* no specifications */
}

/* The sniffer gets a copy of what comes and of what is sent, whoever takes it. */
static void the_sniffer(void **state)
{
	struct ibv_flow *sniff, *any;
	struct lab_sq sq;
	struct rule r;
	uint8_t sent[64];

	(void)state;
	rule_start(&r, 0);
	r.attr.type = IBV_FLOW_ATTR_SNIFFER;
	sniff = rule_create(&r, 2);
	assert_int_equal(goes(&udp4), 4); /* of what nobody takes, too */
	any_rule(&r, 0);
	any = rule_create(&r, 0);
	assert_int_equal(goes(&udp4), 5);
	lab_sq_new(&rules_lab, &sq, 16);
	memcpy(rules_lab.mem + 0x30000, goes_frame.b, 60);
	lab_send(&rules_lab, &sq, 0x30000, 60);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	assert_int_equal(lab_capture(sent, sizeof(sent)), 60);
	goes_cqe = lab_cqe(&rules_rq[2].cq, MLX5_CQE_RESP_SEND);
	assert_int_equal(be32toh(goes_cqe.byte_cnt), 60);
	lab_no_cqe(&rules_rq[0].cq);
	lab_sq_free(&sq);
	rule_destroy(any);
	rule_destroy(sniff);
}

/* The device has log_ft_size=6: 64 entries, six groups of 9, then groups of one (guide 5.3). */
static void tables_are_finite(void **state)
{
	struct ibv_flow *flow[64];
	struct rule r;
	uint32_t n, i;

	(void)state;
	for (n = 0; n < 64; n++) {
		port_rule(&r, 0, (uint16_t)(2000 + n));
		flow[n] = ibv_create_flow(rules_rq[0].qp, &r.attr);
		if (!flow[n])
			break;
	}
	/* One mask: groups of 9 as long as six last; then single entries; 64 in all. */
	assert_int_equal(n, 64);
	port_rule(&r, 0, 3000);
	rule_refused(&r, 0, ENOSPC);
	port_rule(&r, 1, 3000); /* another priority is another table */
	rule_destroy(rule_create(&r, 0));
	rule_destroy(flow[10]);
	port_rule(&r, 0, 3000);
	flow[10] = rule_create(&r, 0);
	assert_int_equal(goes(&(struct frame_attr) {.dport = 3000}), 1);
	assert_int_equal(goes(&(struct frame_attr) {.dport = 2063}), 1);
	assert_int_equal(goes(&(struct frame_attr) {.dport = 2010}), 0);
	for (i = 0; i < n; i++)
		rule_destroy(flow[i]);
	port_rule(&r, 0, 2000); /* an empty table is made anew */
	rule_destroy(rule_create(&r, 0));
}

/* Masks are what is scarce: the seventh mask has groups of one entry only. */
static void masks_are_scarce(void **state)
{
	struct ibv_flow *flow[64];
	struct ibv_flow_spec_eth *s;
	struct rule r;
	uint32_t n;

	(void)state;
	for (n = 0; n < 64; n++) {
		rule_start(&r, 0);
		s = rule_eth(&r);
		s->val.src_mac[0] = 2;
		s->mask.src_mac[0] = 0xff;
		memset(s->mask.src_mac + 1, 0, 5);
		s->mask.src_mac[1 + n / 8 % 5] = (uint8_t)(1 << n % 8);
		s->val.src_mac[1 + n / 8 % 5] = (uint8_t)(1 << n % 8);
		flow[n] = ibv_create_flow(rules_rq[0].qp, &r.attr);
		if (!flow[n])
			break;
	}
	/* Six masks reserve 54 of the 64 entries; ten more fit. */
	assert_int_equal(n, 16);
	while (n--)
		rule_destroy(flow[n]);
}

/* A queue pair without receive queue is no destination; the kernel does not notice (guide 1.2). */
static void a_sender_as_destination(void **state)
{
	struct ibv_flow *flow;
	struct lab_sq sq;
	struct rule r;

	(void)state;
	lab_sq_new(&rules_lab, &sq, 16);
	any_rule(&r, 0);
	flow = ibv_create_flow(sq.qp, &r.attr);
	assert_non_null(flow);
	lab_broke("flow.no-queue");
	assert_int_equal(goes(&udp4), 0);
	rule_destroy(flow);
	lab_sq_free(&sq);
}

static void wrong_rules_are_refused(void **state)
{
	struct ibv_flow_spec_eth *s;
	struct rule r;
	uint32_t i;

	(void)state;
	any_rule(&r, 0);
	r.attr.port = 2;
	rule_refused(&r, 0, EINVAL);
	rule_start(&r, 0);
	s = rule_eth(&r); /* an ethertype that contradicts the IP specification */
	s->val.ether_type = htobe16(0x86dd);
	s->mask.ether_type = 0xffff;
	rule_ip4(&r);
	rule_refused(&r, 0, EINVAL);
	rule_start(&r, 0);
	for (i = 0; i < 11; i++)
		rule_eth(&r);
	rule_refused(&r, 0, EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rules_setup, rules_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_lower_number_wins),
		T(the_older_mask_wins),
		T(copies),
		T(the_same_match_twice),
		T(multicast_rules_come_last),
		T(what_counts_as_multicast),
		T(several_queues_in_one_group),
		T(default_rules),
		T(the_sniffer),
		T(tables_are_finite),
		T(masks_are_scarce),
		T(a_sender_as_destination),
		T(wrong_rules_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
