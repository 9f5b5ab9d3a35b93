/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mlx5dv matchers: match parameters written by hand (fte_match_param of Linux's mlx5_ifc.h),
 * actions, the egress side. Rules: guide 5.2.
 */
#include <errno.h>

#include "rules.h"

static const struct frame_attr udp4 = {.payload = 32}, tcp4 = {.tcp = true, .payload = 32},
			       udp6 = {.six = true, .payload = 32},
			       tagged = {.vlan = 0x2005, .payload = 32};

#define OUTER 1
#define MISC  2
#define MISC2 8
#define MISC3 16

/* Byte offsets in the outer headers. */
#define TYPE	 6
#define DMAC	 8
#define PROTO	 16
#define TAGS	 18 /* cvlan 0x80, svlan 0x40, frag 0x20, version << 1, TCP flags 9 bits to 19 */
#define TCPFLAGS 19
#define TCPPORT	 20
#define TTL	 27
#define UDPPORT	 28
#define SRC4	 44
#define DST4	 60
#define SQN	 64 + 1 /* source_sqn in misc */
#define SECOND	 64 + 12 /* outer_second_cvlan_tag 0x80, svlan 0x20 in misc */
#define META	 0xf0 /* metadata_reg_a in misc2 */
#define ICMP6	 0x120 + 2 /* icmpv6_type in misc3 */

struct params {
	size_t size;
	uint64_t b[64];
};

static void set(struct params *mask, struct params *value, uint32_t at, uint32_t len, uint32_t v)
{
	uint8_t *m = (uint8_t *)mask->b, *w = (uint8_t *)value->b;
	uint32_t i;

	mask->size = value->size = 512;
	for (i = 0; i < len; i++) {
		m[at + i] = 0xff;
		w[at + i] = (uint8_t)(v >> 8 * (len - 1 - i));
	}
}

static void set_bits(struct params *mask, struct params *value, uint32_t at, uint8_t m, uint8_t v)
{
	mask->size = value->size = 512;
	((uint8_t *)mask->b)[at] |= m;
	((uint8_t *)value->b)[at] |= v;
}

struct match {
	struct mlx5dv_flow_matcher *matcher;
	struct ibv_flow *flow;
};

static struct mlx5dv_flow_matcher *matcher(struct params *mask, uint32_t prio, uint8_t criteria,
					   bool egress)
{
	struct mlx5dv_flow_matcher_attr a = {
		.type = IBV_FLOW_ATTR_NORMAL,
		.priority = (uint16_t)prio,
		.match_criteria_enable = criteria,
		.match_mask = (struct mlx5dv_flow_match_parameters *)mask,
		.flags = egress ? IBV_FLOW_ATTR_FLAGS_EGRESS : 0,
	};

	return mlx5dv_create_flow_matcher(rules_lab.ctx, &a);
}

static struct ibv_flow *flow(struct mlx5dv_flow_matcher *m, struct params *value, size_t n,
			     struct mlx5dv_flow_action_attr *actions)
{
	return mlx5dv_create_flow(m, (struct mlx5dv_flow_match_parameters *)value, n, actions);
}

/* The frames that match go to queue 1. */
static struct match to_queue(struct params *mask, struct params *value)
{
	struct mlx5dv_flow_action_attr a = {.type = MLX5DV_FLOW_ACTION_DEST_IBV_QP,
					    .qp = rules_rq[1].qp};
	struct match m;

	m.matcher = matcher(mask, 1, OUTER | MISC | MISC3, false);
	assert_non_null(m.matcher);
	m.flow = flow(m.matcher, value, 1, &a);
	assert_non_null(m.flow);
	return m;
}

static void end(struct match *m)
{
	rule_destroy(m->flow);
	assert_int_equal(mlx5dv_destroy_flow_matcher(m->matcher), 0);
}

static void untagged_only(void **state)
{
	struct params mask = {0}, value = {0};
	struct match m;

	(void)state;
	set_bits(&mask, &value, TAGS, 0xc0, 0);
	set(&mask, &value, TYPE, 2, 0x0800);
	m = to_queue(&mask, &value);
	assert_int_equal(goes(&udp4), 2);
	assert_int_equal(goes(&tagged), 0); /* what ibv_create_flow cannot say */
	lab_put16(goes_frame.b + 12, 0x88a8);
	assert_int_equal(goes_again(), 0);
	assert_int_equal(goes(&udp6), 0);
	end(&m);
}

/* One tag and no second one, of either kind. */
static void one_tag_only(void **state)
{
	struct params mask = {0}, value = {0};
	struct match m;

	(void)state;
	set_bits(&mask, &value, TAGS, 0x80, 0x80);
	set_bits(&mask, &value, SECOND, 0xa0, 0);
	m = to_queue(&mask, &value);
	assert_int_equal(goes(&udp4), 0);
	assert_int_equal(goes(&tagged), 2);
	lab_put16(goes_frame.b + 16, 0x8100);
	assert_int_equal(goes_again(), 0);
	lab_put16(goes_frame.b + 16, 0x88a8);
	assert_int_equal(goes_again(), 0);
	end(&m);
}

static void icmp6_types(void **state)
{
	struct params mask = {0}, value = {0};
	struct match m;

	(void)state;
	set(&mask, &value, PROTO, 1, 58);
	set(&mask, &value, ICMP6, 1, 135);
	m = to_queue(&mask, &value);
	assert_int_equal(goes(&udp6), 0);
	goes_frame.b[goes_frame.l3 + 6] = 58;
	goes_frame.b[goes_frame.l3 + 40] = 135;
	assert_int_equal(goes_again(), 2);
	goes_frame.b[goes_frame.l3 + 40] = 128;
	assert_int_equal(goes_again(), 0);
	end(&m);
}

static void fragments(void **state)
{
	struct params mask = {0}, value = {0};
	struct match m;

	(void)state;
	set_bits(&mask, &value, TAGS, 0x20, 0x20);
	m = to_queue(&mask, &value);
	assert_int_equal(goes(&udp4), 0);
	lab_put16(goes_frame.b + goes_frame.l3 + 6, 0x2000); /* the first */
	assert_int_equal(goes_again(), 2);
	lab_put16(goes_frame.b + goes_frame.l3 + 6, 0x0040); /* the last */
	assert_int_equal(goes_again(), 2);
	lab_put16(goes_frame.b + goes_frame.l3 + 6, 0x4000); /* only "do not fragment" */
	assert_int_equal(goes_again(), 0);
	end(&m);
}

static void addresses_and_ports(void **state)
{
	struct params mask = {0}, value = {0};
	struct match m;

	(void)state;
	set_bits(&mask, &value, TAGS, 0x1e, 4 << 1);
	set(&mask, &value, PROTO, 1, 17);
	set(&mask, &value, SRC4, 4, 0x0a000001);
	set(&mask, &value, DST4, 4, 0x0a000002);
	set(&mask, &value, UDPPORT, 4, 1000u << 16 | 2000);
	m = to_queue(&mask, &value);
	assert_int_equal(goes(&udp4), 2);
	assert_int_equal(goes(&tagged), 2);
	assert_int_equal(goes(&tcp4), 0);
	assert_int_equal(goes(&(struct frame_attr) {.from = 5}), 0);
	assert_int_equal(goes(&(struct frame_attr) {.sport = 1001}), 0);
	end(&m);
}

static void tcp_flags_and_ttl(void **state)
{
	struct params mask = {0}, value = {0};
	struct match m;

	(void)state;
	set_bits(&mask, &value, TCPFLAGS, 0x12, 0x02); /* SYN without ACK */
	set(&mask, &value, TTL, 1, 64);
	set(&mask, &value, TCPPORT + 2, 2, 2000);
	m = to_queue(&mask, &value);
	assert_int_equal(goes(&(struct frame_attr) {.tcp = true, .flags = 0x02}), 2);
	assert_int_equal(goes(&(struct frame_attr) {.tcp = true, .flags = 0x12}), 0);
	assert_int_equal(goes(&tcp4), 0);
	frame_make(&goes_frame, &(struct frame_attr) {.tcp = true, .flags = 0x02});
	goes_frame.b[goes_frame.l3 + 8] = 63;
	assert_int_equal(goes_again(), 0);
	end(&m);
}

static void actions(void **state)
{
	struct mlx5dv_flow_action_attr a[2] = {
		{.type = MLX5DV_FLOW_ACTION_DEST_IBV_QP, .qp = rules_rq[1].qp},
		{.type = MLX5DV_FLOW_ACTION_TAG, .tag_value = 0x123456}};
	struct params mask = {0}, value = {0};
	struct match m;
	struct ibv_flow *f;

	(void)state;
	a[0].qp = rules_rq[1].qp;
	set_bits(&mask, &value, TAGS, 0x1e, 4 << 1);
	m.matcher = matcher(&mask, 1, OUTER, false);
	assert_non_null(m.matcher);
	f = flow(m.matcher, &value, 2, a);
	assert_non_null(f);
	assert_int_equal(goes(&udp4), 2);
	assert_int_equal(goes_tag(), 0x123456);
	assert_int_equal(mlx5dv_destroy_flow_matcher(m.matcher), EBUSY);
	rule_destroy(f);
	a[0].type = MLX5DV_FLOW_ACTION_DROP;
	f = flow(m.matcher, &value, 1, a);
	assert_non_null(f);
	assert_int_equal(goes(&udp4), 0);
	rule_destroy(f);
	assert_int_equal(mlx5dv_destroy_flow_matcher(m.matcher), 0);
}

/* On to the kernel: lower rules do not see it, default rules do. */
static void default_miss(void **state)
{
	struct mlx5dv_flow_action_attr a = {.type = MLX5DV_FLOW_ACTION_DEFAULT_MISS};
	struct params mask = {0}, value = {0};
	struct ibv_flow *lower, *miss;
	struct mlx5dv_flow_matcher *m;
	struct rule r;

	(void)state;
	rule_start(&r, 5);
	rule_eth(&r);
	lower = rule_create(&r, 0);
	set(&mask, &value, PROTO, 1, 17);
	m = matcher(&mask, 1, OUTER, false);
	miss = flow(m, &value, 1, &a);
	assert_non_null(miss);
	assert_int_equal(goes(&udp4), 0);
	assert_int_equal(goes(&tcp4), 1);
	rule_destroy(miss);
	assert_int_equal(mlx5dv_destroy_flow_matcher(m), 0);
	rule_destroy(lower);
}

/* Sending: a rule on the source queue, and one that drops what is left (guide 5.5). */
static void egress_by_source_queue(void **state)
{
	struct mlx5dv_flow_action_attr drop = {.type = MLX5DV_FLOW_ACTION_DROP};
	struct params mask = {0}, value = {0};
	struct mlx5dv_flow_matcher *m;
	struct lab_sq good, bad;
	struct ibv_flow *f;
	uint8_t got[64];

	(void)state;
	lab_sq_new(&rules_lab, &good, 16);
	lab_sq_new(&rules_lab, &bad, 16);
	set(&mask, &value, SQN, 3, bad.dv.sqn);
	m = matcher(&mask, 0, MISC, true);
	assert_non_null(m);
	f = flow(m, &value, 1, &drop);
	assert_non_null(f);
	lab_send(&rules_lab, &bad, 0, 60);
	lab_cqe(&bad.cq, MLX5_CQE_REQ); /* dropped behind the queue: it completes */
	lab_no_capture();
	assert_int_equal(lab_stat("tx_denied"), 1);
	lab_send(&rules_lab, &good, 0, 60);
	lab_cqe(&good.cq, MLX5_CQE_REQ);
	assert_int_equal(lab_capture(got, sizeof(got)), 60);
	rule_destroy(f);
	lab_send(&rules_lab, &bad, 0, 60);
	lab_cqe(&bad.cq, MLX5_CQE_REQ);
	assert_int_equal(lab_capture(got, sizeof(got)), 60);
	assert_int_equal(mlx5dv_destroy_flow_matcher(m), 0);
	lab_sq_free(&good);
	lab_sq_free(&bad);
}

/* What the Ethernet segment of a request says (flow_table_metadata) is matched as metadata_reg_a.
 * The same match twice is one entry, which goes with the last of its rules (fs_core.c,
 * create_flow_handle). */
static void egress_by_metadata(void **state)
{
	struct mlx5dv_flow_action_attr drop = {.type = MLX5DV_FLOW_ACTION_DROP};
	struct params mask = {0}, value = {0}, all = {0}, mine = {0};
	struct mlx5dv_flow_matcher *marked, *rest;
	struct ibv_flow *allow, *deny[2];
	struct lab_sq sq;
	uint8_t got[64];

	(void)state;
	lab_sq_new(&rules_lab, &sq, 16);
	set(&mask, &value, SQN, 3, sq.dv.sqn);
	set(&mask, &value, META, 4, 0xabcd);
	set(&all, &mine, SQN, 3, sq.dv.sqn);
	marked = matcher(&mask, 0, MISC | MISC2, true);
	rest = matcher(&all, 1, MISC, true);
	assert_true(marked && rest);
	allow = flow(marked, &value, 0, NULL);
	deny[0] = flow(rest, &mine, 1, &drop);
	deny[1] = flow(rest, &mine, 1, &drop);
	assert_true(allow && deny[0] && deny[1]);
	assert_null(flow(rest, &mine, 0, NULL)); /* dropped and allowed */
	assert_int_equal(errno, EEXIST);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *wqe = lab_wqe(&sq, MLX5_OPCODE_SEND, 3);

		lab_put32(wqe + 24, 0xabcd + i);
		lab_data(wqe + 32, &rules_lab, 0, 60);
		lab_ring(&sq, 3);
		lab_cqe(&sq.cq, MLX5_CQE_REQ);
		if (!i)
			assert_int_equal(lab_capture(got, sizeof(got)), 60);
	}
	lab_no_capture();
	rule_destroy(deny[0]);
	lab_send(&rules_lab, &sq, 0, 60);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	lab_no_capture();
	rule_destroy(deny[1]);
	lab_send(&rules_lab, &sq, 0, 60);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	assert_int_equal(lab_capture(got, sizeof(got)), 60);
	rule_destroy(allow);
	assert_int_equal(mlx5dv_destroy_flow_matcher(marked), 0);
	assert_int_equal(mlx5dv_destroy_flow_matcher(rest), 0);
	lab_sq_free(&sq);
}

/* Egress by ibv_create_flow: what the rule names may pass, an ACTION_DROP below drops the rest. */
static void egress_by_create_flow(void **state)
{
	static const uint8_t mine[6] = {2, 0, 0, 0, 0, 5};
	struct ibv_flow_spec_eth *s;
	struct ibv_flow *allow, *deny;
	struct lab_sq sq;
	struct rule r;
	uint8_t got[64];

	(void)state;
	lab_sq_new(&rules_lab, &sq, 16);
	rule_start(&r, 0);
	r.attr.flags = IBV_FLOW_ATTR_FLAGS_EGRESS;
	s = rule_eth(&r);
	memcpy(s->val.src_mac, mine, 6);
	memset(s->mask.src_mac, 0xff, 6);
	allow = rule_create(&r, 0);
	rule_start(&r, 1);
	r.attr.flags = IBV_FLOW_ATTR_FLAGS_EGRESS;
	rule_eth(&r);
	rule_add(&r, IBV_FLOW_SPEC_ACTION_DROP, sizeof(struct ibv_flow_spec_action_drop));
	deny = rule_create(&r, 0);
	memcpy(rules_lab.mem + 6, mine, 6);
	lab_send(&rules_lab, &sq, 0, 60);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	assert_int_equal(lab_capture(got, sizeof(got)), 60);
	rules_lab.mem[6] ^= 8;
	lab_send(&rules_lab, &sq, 0, 60);
	lab_cqe(&sq.cq, MLX5_CQE_REQ);
	lab_no_capture();
	rule_destroy(deny);
	rule_destroy(allow);
	lab_sq_free(&sq);
}

static void wrong_matchers_are_refused(void **state)
{
	struct params mask = {0}, value = {0};

	(void)state;
	set(&mask, &value, TYPE, 2, 0x0800);
	assert_null(matcher(&mask, 16, OUTER, false)); /* priorities end at 15 */
	set(&mask, &value, 300, 1, 1); /* in misc3, but no type of ICMP */
	assert_null(matcher(&mask, 1, OUTER | MISC3, false));
	assert_int_equal(errno, EOPNOTSUPP);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rules_setup, rules_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(untagged_only),
		T(one_tag_only),
		T(icmp6_types),
		T(fragments),
		T(addresses_and_ports),
		T(tcp_flags_and_ttl),
		T(actions),
		T(default_miss),
		T(egress_by_source_queue),
		T(egress_by_metadata),
		T(egress_by_create_flow),
		T(wrong_matchers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
