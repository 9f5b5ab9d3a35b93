/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering by ibv_create_flow: specifications, actions, tags. Rules: guide 5.2.
 */
#include <errno.h>

#include "rules.h"

static const struct frame_attr udp4 = {.payload = 32}, tcp4 = {.tcp = true, .payload = 32},
			       udp6 = {.six = true, .payload = 32},
			       tagged = {.vlan = 0x2005, .payload = 32};

/* ---- specifications ---- */

static void by_destination_mac(void **state)
{
	static const uint8_t other[6] = {2, 0xc5, 0, 0, 0, 9};
	struct ibv_flow_spec_eth *s;
	struct ibv_flow *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	s = rule_eth(&r);
	memcpy(s->val.dst_mac, port_mac, 6);
	memset(s->mask.dst_mac, 0xff, 6);
	flow = rule_create(&r, 0);
	assert_int_equal(goes(&udp4), 1);
	assert_int_equal(goes(&tagged), 1); /* no VLAN in the rule: tagged and untagged */
	assert_int_equal(goes(&(struct frame_attr) {.dst = other}), 0);
	rule_destroy(flow);
	assert_int_equal(goes(&udp4), 0);
}

static void by_source_mac_and_type(void **state)
{
	static const uint8_t from[6] = {2, 0, 0, 0, 0, 0x42};
	struct ibv_flow_spec_eth *s;
	struct ibv_flow *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	s = rule_eth(&r);
	memcpy(s->val.src_mac, from, 6);
	memset(s->mask.src_mac, 0xff, 6);
	s->val.ether_type = htobe16(0x86dd);
	s->mask.ether_type = 0xffff;
	flow = rule_create(&r, 1);
	assert_int_equal(goes(&(struct frame_attr) {.src = from, .six = true}), 2);
	assert_int_equal(goes(&(struct frame_attr) {.src = from}), 0);
	/* The type is the one behind the tag. */
	assert_int_equal(goes(&(struct frame_attr) {.src = from, .six = true, .vlan = 7}), 2);
	rule_destroy(flow);
}

static void by_vlan(void **state)
{
	struct ibv_flow_spec_eth *s;
	struct ibv_flow *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	s = rule_eth(&r);
	s->val.vlan_tag = htobe16(5);
	s->mask.vlan_tag = htobe16(0xfff);
	flow = rule_create(&r, 0);
	assert_int_equal(goes(&tagged), 1); /* VLAN 5, priority 1: only the number was asked for */
	assert_int_equal(goes(&(struct frame_attr) {.vlan = 6}), 0);
	assert_int_equal(goes(&udp4), 0);
	rule_destroy(flow);
	s->val.vlan_tag = htobe16(0xe000);
	s->mask.vlan_tag = htobe16(0xe000);
	flow = rule_create(&r, 0);
	assert_int_equal(goes(&tagged), 0);
	assert_int_equal(goes(&(struct frame_attr) {.vlan = 0xe005}), 1);
	rule_destroy(flow);
}

static void by_ipv4(void **state)
{
	struct ibv_flow_spec_ipv4_ext *s;
	struct ibv_flow *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	rule_eth(&r);
	s = rule_ip4(&r);
	s->val.dst_ip = htobe32(0x0a000000);
	s->mask.dst_ip = htobe32(0xffffff00);
	s->val.tos = 0x10;
	s->mask.tos = 0xff;
	s->val.proto = 17;
	s->mask.proto = 0xff;
	flow = rule_create(&r, 0);
	assert_int_equal(goes(&(struct frame_attr) {.tos = 0x10, .to = 0x0a0000fe}), 1);
	assert_int_equal(goes(&(struct frame_attr) {.tos = 0x10, .to = 0x0a0001fe}), 0);
	assert_int_equal(goes(&(struct frame_attr) {.tos = 0x11, .to = 0x0a0000fe}), 0);
	assert_int_equal(goes(&(struct frame_attr) {.tos = 0x10, .tcp = true}), 0);
	assert_int_equal(goes(&(struct frame_attr) {.tos = 0x10, .six = true}), 0);
	rule_destroy(flow);
	s->mask.ttl = 0xff; /* the kernel's driver does not take it */
	rule_refused(&r, 0, EOPNOTSUPP);
}

static void by_ipv6(void **state)
{
	struct ibv_flow_spec_ipv6 *s;
	struct ibv_flow *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	rule_eth(&r);
	s = rule_ip6(&r);
	s->val.dst_ip[0] = 0xfd;
	s->val.dst_ip[15] = 2;
	memset(s->mask.dst_ip, 0xff, 16);
	s->val.next_hdr = 17;
	s->mask.next_hdr = 0xff;
	s->val.traffic_class = 0x20;
	s->mask.traffic_class = 0xff;
	flow = rule_create(&r, 2);
	assert_int_equal(goes(&(struct frame_attr) {.six = true, .tos = 0x20}), 4);
	assert_int_equal(goes(&(struct frame_attr) {.six = true, .tos = 0x21}), 0);
	assert_int_equal(goes(&(struct frame_attr) {.six = true, .tos = 0x20, .to = 3}), 0);
	assert_int_equal(goes(&(struct frame_attr) {.six = true, .tos = 0x20, .tcp = true}), 0);
	rule_destroy(flow);
	rule_start(&r, 0);
	rule_eth(&r);
	s = rule_ip6(&r);
	s->val.flow_label = htobe32(0x12345);
	s->mask.flow_label = htobe32(0xfffff);
	flow = rule_create(&r, 2);
	assert_int_equal(goes(&udp6), 0);
	lab_put32(goes_frame.b + 14, 0x60012345);
	assert_int_equal(goes_again(), 4);
	rule_destroy(flow);
}

static void by_ports(void **state)
{
	struct ibv_flow_spec_tcp_udp *s;
	struct ibv_flow *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	rule_eth(&r);
	s = rule_udp(&r); /* no IP specification: both versions */
	s->val.dst_port = htobe16(2000);
	s->mask.dst_port = 0xffff;
	flow = rule_create(&r, 0);
	assert_int_equal(goes(&udp4), 1);
	assert_int_equal(goes(&udp6), 1);
	assert_int_equal(goes(&tagged), 1);
	assert_int_equal(goes(&tcp4), 0);
	assert_int_equal(goes(&(struct frame_attr) {.dport = 2001}), 0);
	rule_destroy(flow);
	rule_start(&r, 0);
	rule_eth(&r);
	s = rule_add(&r, IBV_FLOW_SPEC_TCP, sizeof(*s));
	s->val.src_port = htobe16(1000);
	s->mask.src_port = 0xffff;
	flow = rule_create(&r, 0);
	assert_int_equal(goes(&tcp4), 1);
	assert_int_equal(goes(&udp4), 0);
	rule_destroy(flow);
}

/* Ports are in the first fragment only; no rule on ports takes the others, nor, here, the first. */
static void fragments_are_not_taken_by_ports(void **state)
{
	struct ibv_flow_spec_tcp_udp *s;
	struct ibv_flow *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	rule_eth(&r);
	s = rule_udp(&r);
	s->val.dst_port = htobe16(2000);
	s->mask.dst_port = 0xffff;
	flow = rule_create(&r, 0);
	frame_make(&goes_frame, &udp4);
	lab_put16(goes_frame.b + goes_frame.l3 + 6, 0x0010);
	assert_int_equal(goes_again(), 0);
	rule_destroy(flow);
}

static void by_vxlan(void **state)
{
	struct ibv_flow_spec_tunnel *s;
	struct ibv_flow *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	rule_eth(&r);
	rule_udp(&r);
	s = rule_add(&r, IBV_FLOW_SPEC_VXLAN_TUNNEL, sizeof(*s));
	s->val.tunnel_id = htobe32(77);
	s->mask.tunnel_id = htobe32(0xffffff);
	flow = rule_create(&r, 0);
	frame_make(&goes_frame, &(struct frame_attr) {.dport = 4789, .payload = 60});
	lab_put32(goes_frame.b + goes_frame.payload + 4, 77 << 8);
	assert_int_equal(goes_again(), 1);
	lab_put32(goes_frame.b + goes_frame.payload + 4, 78 << 8);
	assert_int_equal(goes_again(), 0);
	rule_destroy(flow);
}

static void a_dropping_rule(void **state)
{
	struct ibv_flow *all, *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 1);
	rule_eth(&r);
	all = rule_create(&r, 0);
	rule_start(&r, 0);
	rule_eth(&r);
	rule_udp(&r);
	rule_add(&r, IBV_FLOW_SPEC_ACTION_DROP, sizeof(struct ibv_flow_spec_action_drop));
	flow = rule_create(&r, 0);
	assert_int_equal(goes(&udp4), 0);
	assert_int_equal(goes(&tcp4), 1);
	rule_destroy(flow);
	assert_int_equal(goes(&udp4), 1);
	rule_destroy(all);
}

/* ---- tags ---- */

static void tags(void **state)
{
	struct ibv_flow *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	rule_eth(&r);
	rule_tag(&r, 0xabcdef);
	flow = rule_create(&r, 0);
	assert_int_equal(goes(&udp4), 1);
	assert_int_equal(goes_tag(), 0xabcdef);
	rule_destroy(flow);
	rule_start(&r, 0);
	rule_eth(&r);
	rule_tag(&r, 0x1000000); /* 24 bits are all */
	rule_refused(&r, 0, EINVAL);
}

/* The drop counter shares the word with the tag (guide, pitfall 14). */
static void the_tag_and_the_drop_counter(void **state)
{
	struct ibv_wq_attr reset = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RESET};
	struct ibv_wq_attr ready = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RDY};
	struct ibv_flow *flow;
	struct rule r;

	(void)state;
	rule_start(&r, 0);
	rule_eth(&r);
	rule_tag(&r, 0xffffff);
	flow = rule_create(&r, 0);
	assert_int_equal(ibv_modify_wq(rules_rq[0].wq, &reset), 0);
	assert_int_equal(ibv_modify_wq(rules_rq[0].wq, &ready), 0);
	rules_rq[0].pi = 0;
	assert_int_equal(goes(&udp4), 0); /* nothing is posted */
	lab_post(&rules_lab, &rules_rq[0], 0, 2048);
	assert_int_equal(goes(&udp4), 1);
	assert_int_equal(be32toh(goes_cqe.sop_drop_qpn), 1u << 24 | 0xffffff);
	rule_destroy(flow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_destination_mac, rules_setup, rules_teardown),
		cmocka_unit_test_setup_teardown(by_source_mac_and_type, rules_setup,
						rules_teardown),
		cmocka_unit_test_setup_teardown(by_vlan, rules_setup, rules_teardown),
		cmocka_unit_test_setup_teardown(by_ipv4, rules_setup, rules_teardown),
		cmocka_unit_test_setup_teardown(by_ipv6, rules_setup, rules_teardown),
		cmocka_unit_test_setup_teardown(by_ports, rules_setup, rules_teardown),
		cmocka_unit_test_setup_teardown(fragments_are_not_taken_by_ports, rules_setup,
						rules_teardown),
		cmocka_unit_test_setup_teardown(by_vxlan, rules_setup, rules_teardown),
		cmocka_unit_test_setup_teardown(a_dropping_rule, rules_setup, rules_teardown),
		cmocka_unit_test_setup_teardown(tags, rules_setup, rules_teardown),
		cmocka_unit_test_setup_teardown(the_tag_and_the_drop_counter, rules_setup,
						rules_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
