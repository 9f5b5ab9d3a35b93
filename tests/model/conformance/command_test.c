/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every command of the kernel's interface fails on demand: a program that makes one object of each
 * kind meets each failure, gets an error, and still leaves nothing.
 */
#include <errno.h>

#include "lab.h"

struct things {
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	struct ibv_comp_channel *ch;
	struct ibv_cq *cq;
	struct ibv_cq_ex *cq_ex;
	struct ibv_td *td;
	struct ibv_pd *parent;
	struct ibv_qp *qp, *rss;
	struct ibv_wq *wq;
	struct ibv_rwq_ind_table *ind;
	struct ibv_flow *flow, *flow_dv;
	struct mlx5dv_flow_matcher *matcher;
};

static uint8_t memory[4096];

static bool make_queues(struct things *t)
{
	struct ibv_td_init_attr none = {0};
	struct ibv_parent_domain_init_attr parent = {0};
	struct ibv_cq_init_attr_ex cq = {.cqe = 15, .wc_flags = IBV_WC_STANDARD_FLAGS};
	struct ibv_qp_init_attr qp = {
		.qp_type = IBV_QPT_RAW_PACKET,
		.cap = {.max_send_wr = 8, .max_recv_wr = 8, .max_send_sge = 1, .max_recv_sge = 1}};
	struct ibv_wq_init_attr wq = {.wq_type = IBV_WQT_RQ, .max_wr = 8, .max_sge = 1};
	struct ibv_wq_attr ready = {.attr_mask = IBV_WQ_ATTR_STATE, .wq_state = IBV_WQS_RDY};
	struct ibv_rwq_ind_table_init_attr ind = {.ind_tbl = &t->wq};
	struct ibv_modify_cq_attr moderate = {.attr_mask = IBV_CQ_ATTR_MODERATE,
					      .moderate = {1, 1}};
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT, .port_num = 1};

	t->cq = ibv_create_cq(t->ctx, 15, NULL, t->ch, 0);
	t->cq_ex = t->cq ? mlx5dv_create_cq(t->ctx, &cq, NULL) : NULL;
	t->td = t->cq_ex ? ibv_alloc_td(t->ctx, &none) : NULL;
	if (!t->td || ibv_modify_cq(t->cq, &moderate))
		return false;
	parent.pd = t->pd;
	parent.td = t->td;
	t->parent = ibv_alloc_parent_domain(t->ctx, &parent);
	if (!t->parent)
		return false;
	qp.send_cq = qp.recv_cq = t->cq;
	t->qp = ibv_create_qp(t->parent, &qp);
	if (!t->qp || ibv_modify_qp(t->qp, &attr, IBV_QP_STATE | IBV_QP_PORT) ||
	    ibv_query_qp(t->qp, &attr, IBV_QP_STATE, &init))
		return false;
	wq.pd = t->pd;
	wq.cq = t->cq;
	t->wq = ibv_create_wq(t->ctx, &wq);
	if (!t->wq || ibv_modify_wq(t->wq, &ready))
		return false;
	t->ind = ibv_create_rwq_ind_table(t->ctx, &ind);
	return t->ind;
}

static bool make_rules(struct things *t)
{
	uint8_t key[40] = {1};
	struct ibv_qp_init_attr_ex rss = {
		.qp_type = IBV_QPT_RAW_PACKET,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_IND_TABLE |
			     IBV_QP_INIT_ATTR_RX_HASH,
		.pd = t->pd,
		.rwq_ind_tbl = t->ind,
		.rx_hash_conf = {.rx_hash_function = IBV_RX_HASH_FUNC_TOEPLITZ,
				 .rx_hash_key_len = sizeof(key),
				 .rx_hash_key = key,
				 .rx_hash_fields_mask = IBV_RX_HASH_SRC_IPV4}};
	struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_eth eth;
	} rule = {.attr = {.size = sizeof(rule), .num_of_specs = 1, .port = 1},
		  .eth = {.type = IBV_FLOW_SPEC_ETH, .size = sizeof(rule.eth)}};
	struct {
		size_t size;
		uint64_t b[16];
	} mask = {.size = 128, .b = {1}}, value = {.size = 128};
	struct mlx5dv_flow_matcher_attr m = {.match_criteria_enable = 1,
					     .match_mask =
						     (struct mlx5dv_flow_match_parameters *)&mask};
	struct mlx5dv_flow_action_attr to = {.type = MLX5DV_FLOW_ACTION_DEST_IBV_QP};

	t->rss = ibv_create_qp_ex(t->ctx, &rss);
	t->flow = t->rss ? ibv_create_flow(t->rss, &rule.attr) : NULL;
	if (strcmp(getenv("CX_UVERBS"), "write") == 0)
		return t->flow; /* matchers have no write command */
	t->matcher = t->flow ? mlx5dv_create_flow_matcher(t->ctx, &m) : NULL;
	to.qp = t->rss;
	if (t->matcher)
		t->flow_dv = mlx5dv_create_flow(
			t->matcher, (struct mlx5dv_flow_match_parameters *)&value, 1, &to);
	return t->flow_dv;
}

/* Destroying may fail once, and succeeds then. */
#define GONE(t, what, call)                        \
	do {                                       \
		if ((t)->what && (call) != 0) {    \
			ok = false;                \
			assert_int_equal(call, 0); \
		}                                  \
	} while (0)

static bool unmake(struct things *t)
{
	bool ok = true;

	GONE(t, flow_dv, ibv_destroy_flow(t->flow_dv));
	GONE(t, matcher, mlx5dv_destroy_flow_matcher(t->matcher));
	GONE(t, flow, ibv_destroy_flow(t->flow));
	GONE(t, rss, ibv_destroy_qp(t->rss));
	GONE(t, ind, ibv_destroy_rwq_ind_table(t->ind));
	GONE(t, wq, ibv_destroy_wq(t->wq));
	GONE(t, qp, ibv_destroy_qp(t->qp));
	GONE(t, parent, ibv_dealloc_pd(t->parent));
	GONE(t, td, ibv_dealloc_td(t->td));
	GONE(t, cq_ex, ibv_destroy_cq(ibv_cq_ex_to_cq(t->cq_ex)));
	GONE(t, cq, ibv_destroy_cq(t->cq));
	GONE(t, ch, ibv_destroy_comp_channel(t->ch));
	GONE(t, mr, ibv_dereg_mr(t->mr));
	GONE(t, pd, ibv_dealloc_pd(t->pd));
	GONE(t, ctx, ibv_close_device(t->ctx));
	return ok;
}

/* Makes and destroys one of each; false if anything failed. */
static bool everything(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct things t = {0};
	struct ibv_device_attr_ex dev;
	struct ibv_port_attr port;
	bool ok = false;

	assert_true(list && list[0]);
	t.ctx = ibv_open_device(list[0]);
	ibv_free_device_list(list);
	if (t.ctx && !ibv_query_device_ex(t.ctx, NULL, &dev) && !ibv_query_port(t.ctx, 1, &port))
		t.pd = ibv_alloc_pd(t.ctx);
	if (t.pd)
		t.mr = ibv_reg_mr(t.pd, memory, sizeof(memory), 0);
	if (t.mr)
		t.ch = ibv_create_comp_channel(t.ctx);
	if (t.ch)
		ok = make_queues(&t) && make_rules(&t);
	return unmake(&t) && ok;
}

/* How often the command has yet to fail. */
static unsigned long left(const char *name)
{
	char out[1024];
	size_t n = strlen(name);

	assert_int_equal(cx_control("fail", out, sizeof(out)), 0);
	return strncmp(out, name, n) == 0 && out[n] == ' ' ? strtoul(out + n, NULL, 10) : 0;
}

/* To destroy is tried twice; others again and again, since libmlx5 has ways around some. */
static unsigned long times(const char *name)
{
	return strstr(name, "DESTROY") || strstr(name, "DEALLOC") || strstr(name, "DEREG") ? 1 : 9;
}

/* What libmlx5 does without: older forms of commands that it has a newer one for, and the UAR
 * objects that nobody asks for where they do not exist. A thread domain's UAR ends with the
 * context: libmlx5 asserts that this works, so it cannot be shown. */
static bool not_used(const char *name)
{
	static const char *const names[] = {"UAR_DESTROY"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void every_command_fails_on_demand(void **state)
{
	char help[4096], *list, *name, *save = NULL;
	uint32_t failed = 0;

	(void)state;
	assert_true(everything());
	assert_int_equal(cx_control("help", help, sizeof(help)), 0);
	list = strstr(help, "commands: ");
	assert_non_null(list);
	for (name = strtok_r(list + 10, " \n", &save); name; name = strtok_r(NULL, " \n", &save)) {
		if (not_used(name))
			continue;
		lab_control("fail %s EIO %lu", name, times(name));
		if (!everything())
			failed++;
		else if (left(name) != times(name))
			fail_msg("%s failed, and nobody noticed", name);
		else
			print_message("%s is not used\n", name);
		lab_control("fail %s EIO 0", name);
	}
	assert_true(failed >= 20);
	lab_clean();
}

/* Registrations fail from the second on, as with a limit on locked memory. */
static void registrations_fail_later(void **state)
{
	struct ibv_mr *mr;
	struct lab lab;

	(void)state;
	lab_open(&lab, NULL);
	lab_control("fail REG_MR ENOMEM 2 1");
	mr = ibv_reg_mr(lab.pd, memory, sizeof(memory), 0);
	assert_non_null(mr);
	assert_null(ibv_reg_mr(lab.pd, memory, sizeof(memory), 0));
	assert_int_equal(errno, ENOMEM);
	assert_null(ibv_reg_mr(lab.pd, memory, sizeof(memory), 0));
	assert_int_equal(ibv_dereg_mr(mr), 0);
	mr = ibv_reg_mr(lab.pd, memory, sizeof(memory), 0);
	assert_non_null(mr);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	lab_close(&lab);
	lab_clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_fails_on_demand),
		cmocka_unit_test(registrations_fail_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
