/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of steering: rules put together from specifications, and the set of queues that a
 * frame reaches. Three queues, all posted.
 */
#ifndef RULES_H
#define RULES_H

#include "frames.h"
#include "lab.h"

#define RULES_QUEUES 3

extern struct lab rules_lab;
extern struct lab_rq rules_rq[RULES_QUEUES];

int rules_setup(void **state);
int rules_teardown(void **state);

struct rule {
	struct ibv_flow_attr attr;
	uint8_t specs[512];
};

void rule_start(struct rule *r, uint32_t prio);
void *rule_add(struct rule *r, uint32_t type, size_t size);
struct ibv_flow_spec_eth *rule_eth(struct rule *r);
struct ibv_flow_spec_ipv4_ext *rule_ip4(struct rule *r);
struct ibv_flow_spec_ipv6 *rule_ip6(struct rule *r);
struct ibv_flow_spec_tcp_udp *rule_udp(struct rule *r);
void rule_tag(struct rule *r, uint32_t tag);
struct ibv_flow *rule_create(struct rule *r, uint32_t queue);
void rule_refused(struct rule *r, uint32_t queue, int err);
void rule_destroy(struct ibv_flow *flow);

/* Makes a frame and lets it come; the queues that got it, as bits. */
uint32_t goes(const struct frame_attr *a);
uint32_t goes_again(void); /* goes_frame, as it is now */
uint32_t goes_tag(void); /* of the last CQE */
extern struct frame goes_frame;
extern struct mlx5_cqe64 goes_cqe;

#endif
