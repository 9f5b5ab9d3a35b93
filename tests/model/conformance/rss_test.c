/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spreading by hash: Toeplitz against the published vectors, fields, indirection tables.
 *
 * Vectors: Microsoft, "Verifying the RSS Hash Calculation" (Windows Hardware Development, NDIS);
 * lab.c has the key that belongs to them.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "frames.h"
#include "lab.h"

static struct lab lab;
static struct lab_rq rq[4];

#define IP4   (IBV_RX_HASH_SRC_IPV4 | IBV_RX_HASH_DST_IPV4)
#define IP6   (IBV_RX_HASH_SRC_IPV6 | IBV_RX_HASH_DST_IPV6)
#define PORTS (IBV_RX_HASH_SRC_PORT_TCP | IBV_RX_HASH_DST_PORT_TCP)
#define UDP   (IBV_RX_HASH_SRC_PORT_UDP | IBV_RX_HASH_DST_PORT_UDP)

static int setup(void **state)
{
	uint32_t i, k;

	(void)state;
	lab_open(&lab, NULL);
	for (i = 0; i < 4; i++) {
		lab_rq_new(&lab, &rq[i], &(struct lab_rq_attr) {.no_qp = true});
		for (k = 0; k < 64; k++)
			lab_post(&lab, &rq[i], i * 2048, 2048);
	}
	return 0;
}

static int teardown(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		lab_rq_free(&rq[i]);
	lab_close(&lab);
	lab_clean();
	return 0;
}

static struct ibv_rwq_ind_table *table(uint32_t log, const uint8_t *queue)
{
	struct ibv_wq *wq[16];
	struct ibv_rwq_ind_table_init_attr a = {.log_ind_tbl_size = log, .ind_tbl = wq};
	struct ibv_rwq_ind_table *t;
	uint32_t i;

	for (i = 0; i < 1u << log; i++)
		wq[i] = rq[queue[i]].wq;
	t = ibv_create_rwq_ind_table(lab.ctx, &a);
	assert_non_null(t);
	return t;
}

/* Through a table of one queue; returns the CQE's hash and type. */
static uint32_t hash_of(const struct frame *f, uint64_t fields, uint8_t *type)
{
	struct ibv_rwq_ind_table *t = table(0, (uint8_t[]) {0});
	struct ibv_qp *qp = lab_rss(&lab, t, fields, 0);
	struct ibv_flow *flow = lab_flow_all(qp);
	struct mlx5_cqe64 c;

	lab_inject(f->b, f->len);
	c = lab_cqe(&rq[0].cq, MLX5_CQE_RESP_SEND);
	lab_post(&lab, &rq[0], 0, 2048);
	assert_int_equal(ibv_destroy_flow(flow), 0);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_destroy_rwq_ind_table(t), 0);
	*type = ((uint8_t *)&c)[0x10];
	return lab_get32((uint8_t *)&c + 0x0c);
}

struct vector {
	const char *to, *from;
	uint16_t dport, sport;
	uint32_t ip, tcp; /* hash of the addresses, and with ports */
};

static const struct vector v4[] = {
	{"161.142.100.80", "66.9.149.187", 1766, 2794, 0x323e8fc2, 0x51ccc178},
	{"65.69.140.83", "199.92.111.2", 4739, 14230, 0xd718262a, 0xc626b0ea},
	{"12.22.207.184", "24.19.198.95", 38024, 12898, 0xd2d0a5de, 0x5c2b394a},
	{"209.142.163.6", "38.27.205.30", 2217, 48228, 0x82989176, 0xafc7327f},
	{"202.188.127.2", "153.39.163.191", 1303, 44251, 0x5d1809c5, 0x10e828a2},
};

static const struct vector v6[] = {
	{"3ffe:2501:200:3::1", "3ffe:2501:200:1fff::7", 1766, 2794, 0x2cc18cd5, 0x40207d3d},
	{"ff02::1", "3ffe:501:8::260:97ff:fe40:efab", 4739, 14230, 0x0f0c461c, 0xdde51bbf},
	{"fe80::200:f8ff:fe21:67cf", "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 38024, 44251,
	 0x4b61e985, 0x02d1feef},
};

static void published_vectors_ipv4(void **state)
{
	struct frame f;
	uint8_t type;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(v4) / sizeof(v4[0]); i++) {
		const struct vector *v = &v4[i];
		struct frame_attr a = {.tcp = true,
				       .from = ntohl(inet_addr(v->from)),
				       .to = ntohl(inet_addr(v->to)),
				       .sport = v->sport,
				       .dport = v->dport};

		frame_make(&f, &a);
		assert_int_equal(hash_of(&f, IP4, &type), v->ip);
		assert_int_equal(type, 0x04);
		assert_int_equal(hash_of(&f, IP4 | PORTS, &type), v->tcp);
		assert_int_equal(type, 0x44);
		a.tcp = false; /* the hash does not know the protocol */
		frame_make(&f, &a);
		assert_int_equal(hash_of(&f, IP4 | UDP, &type), v->tcp);
		assert_int_equal(type, 0x84);
	}
}

static void published_vectors_ipv6(void **state)
{
	struct frame f;
	uint8_t type;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(v6) / sizeof(v6[0]); i++) {
		const struct vector *v = &v6[i];

		frame_make(&f,
			   &(struct frame_attr) {
				   .six = true, .tcp = true, .sport = v->sport, .dport = v->dport});
		assert_int_equal(inet_pton(AF_INET6, v->from, f.b + f.l3 + 8), 1);
		assert_int_equal(inet_pton(AF_INET6, v->to, f.b + f.l3 + 24), 1);
		assert_int_equal(hash_of(&f, IP6, &type), v->ip);
		assert_int_equal(type, 0x08);
		assert_int_equal(hash_of(&f, IP6 | PORTS, &type), v->tcp);
		assert_int_equal(type, 0x48);
	}
}

/* What the fields do not cover: other protocols get the hash of the addresses, or none. */
static void frames_without_the_fields(void **state)
{
	struct frame f;
	uint8_t type;
	uint32_t ip;

	(void)state;
	frame_make(&f, &(struct frame_attr) {.payload = 30});
	ip = hash_of(&f, IP4, &type);
	assert_int_equal(hash_of(&f, IP4 | PORTS, &type), ip); /* UDP frame, TCP ports asked */
	assert_int_equal(type, 0x04);
	lab_put16(f.b + f.l3 + 6, 0x2000); /* a fragment has no ports */
	assert_int_equal(hash_of(&f, IP4 | UDP, &type), ip);
	assert_int_equal(type, 0x04);
	frame_make(&f, &(struct frame_attr) {.six = true, .payload = 30});
	assert_int_equal(hash_of(&f, IP4 | UDP, &type), 0); /* the other version: nothing */
	assert_int_equal(type, 0);
	lab_put16(f.b + 12, 0x88b5);
	assert_int_equal(hash_of(&f, IP4 | UDP, &type), 0);
	assert_int_equal(type, 0);
}

/* The low bits of the hash select the entry. */
static void the_table_selects_by_the_hash(void **state)
{
	static const uint8_t order[8] = {3, 1, 2, 0, 0, 2, 1, 3};
	struct ibv_rwq_ind_table *t = table(3, order);
	struct ibv_qp *qp = lab_rss(&lab, t, IP4 | UDP, 0);
	struct ibv_flow *flow = lab_flow_all(qp);
	uint32_t i, seen = 0;
	struct frame f;

	(void)state;
	for (i = 0; i < 60; i++) {
		struct mlx5_cqe64 c;
		uint32_t want;
		uint8_t type;

		frame_make(&f, &(struct frame_attr) {.sport = (uint16_t)(5000 + i)});
		assert_int_equal(ibv_destroy_flow(flow), 0);
		want = order[hash_of(&f, IP4 | UDP, &type) & 7];
		flow = lab_flow_all(qp);
		lab_inject(f.b, f.len);
		c = lab_cqe(&rq[want].cq, MLX5_CQE_RESP_SEND);
		assert_int_equal(order[lab_get32((uint8_t *)&c + 0x0c) & 7], want);
		lab_post(&lab, &rq[want], want * 2048, 2048);
		seen |= 1u << want;
	}
	assert_int_equal(seen, 15); /* 60 flows reach all four */
	assert_int_equal(ibv_destroy_flow(flow), 0);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_destroy_rwq_ind_table(t), 0);
}

/* The kernel takes keys of 40 bytes, Toeplitz, and one IP version and L4 protocol (guide 1.3). */
static void wrong_hashes_are_refused(void **state)
{
	static const struct {
		uint32_t key;
		uint64_t fields;
		uint8_t function;
	} wrong[] = {{32, IP4, IBV_RX_HASH_FUNC_TOEPLITZ},
		     {40, IP4 | IP6, IBV_RX_HASH_FUNC_TOEPLITZ},
		     {40, IP4 | PORTS | UDP, IBV_RX_HASH_FUNC_TOEPLITZ},
		     {40, IP4, 2}};
	struct ibv_rwq_ind_table *t = table(0, (uint8_t[]) {0});
	uint8_t key[40] = {1};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct ibv_qp_init_attr_ex a = {
			.qp_type = IBV_QPT_RAW_PACKET,
			.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_IND_TABLE |
				     IBV_QP_INIT_ATTR_RX_HASH,
			.pd = lab.pd,
			.rwq_ind_tbl = t,
			.rx_hash_conf = {.rx_hash_function = wrong[i].function,
					 .rx_hash_key_len = (uint8_t)wrong[i].key,
					 .rx_hash_key = key,
					 .rx_hash_fields_mask = wrong[i].fields},
		};

		assert_null(ibv_create_qp_ex(lab.ctx, &a));
	}
	assert_int_equal(ibv_destroy_rwq_ind_table(t), 0);
}

/* An RSS QP has no states (guide 1.3). */
static void an_rss_qp_is_not_modified(void **state)
{
	struct ibv_rwq_ind_table *t = table(0, (uint8_t[]) {0});
	struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT, .port_num = 1};
	struct ibv_qp *qp = lab_rss(&lab, t, IP4, 0);

	(void)state;
	assert_int_not_equal(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	assert_int_equal(ibv_destroy_rwq_ind_table(t), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(published_vectors_ipv4),    T(published_vectors_ipv6),
		T(frames_without_the_fields), T(the_table_selects_by_the_hash),
		T(wrong_hashes_are_refused),  T(an_rss_qp_is_not_modified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
