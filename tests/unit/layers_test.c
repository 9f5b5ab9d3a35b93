/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shapes as priorities of a NIC, by themselves: at any time, in the middle of a move too, two
 * shapes that can meet in a packet stand in the table's order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/verbs/rdma.h"

static struct rn_port port = {.config = {.dev = "dev0"}};
static struct rn_rdma rdma;
static struct rn_shape shape[RN_SHAPES];
static const struct rn_shape *order[RN_SHAPES];
static unsigned n_shapes, moves, fail_at;
static struct rn_layer settled[RN_SHAPES]; /* the rules that are there: without the one to come */

/* Both places of a shape that moves. */
static void check(const struct rn_shape *moving, const struct rn_place *to);

int rn_rdma_move_shape(struct rn_rdma *r, const struct rn_shape *s, const struct rn_place *to,
		       struct rn_err *err)
{
	assert_ptr_equal(r, &rdma);
	if (fail_at && ++moves == fail_at)
		return rn_fail(err, -ENOSPC, "full");
	check(s, to);
	return 0;
}

static bool can_meet(const struct rn_layer *a, const struct rn_layer *b)
{
	const uint8_t *a1 = (const void *)&a->ones, *a0 = (const void *)&a->zeros;
	const uint8_t *b1 = (const void *)&b->ones, *b0 = (const void *)&b->zeros;

	for (size_t i = 0; i < sizeof(a->ones); i++)
		if ((a1[i] & b0[i]) | (a0[i] & b1[i]))
			return false;
	return a->rules && b->rules;
}

static unsigned end_of(const struct rn_place *p)
{
	return (unsigned)p->priority + p->levels + p->spare;
}

static void check_pair(const struct rn_place *first, const struct rn_place *second)
{
	assert_true(first->priority >= 1 && end_of(first) <= RN_RDMA_PRIORITIES);
	assert_true(second->priority >= 1 && end_of(second) <= RN_RDMA_PRIORITIES);
	assert_true(end_of(first) <= second->priority);
}

static void check(const struct rn_shape *moving, const struct rn_place *to)
{
	for (unsigned j = 0; j < rdma.n_layers; j++)
		for (unsigned i = 0; i < j; i++) {
			const struct rn_layer *a = &rdma.layer[rdma.order[i]];
			const struct rn_layer *b = &rdma.layer[rdma.order[j]];

			if (!a->place.levels || !b->place.levels ||
			    !can_meet(&settled[rdma.order[i]], &settled[rdma.order[j]]))
				continue;
			check_pair(&a->place, &b->place);
			if (a->shape == moving)
				check_pair(to, &b->place);
			if (b->shape == moving)
				check_pair(&a->place, to);
		}
}

static void begin(void)
{
	memset(&rdma, 0, sizeof(rdma));
	memset(shape, 0, sizeof(shape));
	rdma.port = &port;
	n_shapes = moves = fail_at = 0;
}

/* A new shape at this place of the order. */
static struct rn_shape *add_shape(unsigned at, const struct rn_key *mask)
{
	struct rn_shape *s = &shape[n_shapes];

	s->mask = *mask;
	s->slot = n_shapes;
	memmove(order + at + 1, order + at, (n_shapes - at) * sizeof(order[0]));
	order[at] = s;
	n_shapes++;
	assert_int_equal(rn_layers_set(&rdma, order, n_shapes), 0);
	return s;
}

static int admit(struct rn_shape *s, const struct rn_key *key, struct rn_err *err)
{
	struct rn_rule rule = {.shape = s, .key = *key};
	int rc;

	memcpy(settled, rdma.layer, sizeof(settled));
	rc = rn_layers_admit(&rdma, &rule, err);
	memcpy(settled, rdma.layer, sizeof(settled));
	check(NULL, NULL);
	return rc;
}

/* ---- */

static void shapes_that_meet_have_an_order(void **state)
{
	struct rn_key mask = {.ethertype = 0xffff, .proto = 0xff},
		      key = {.ethertype = htons(0x0800), .proto = 17};
	struct rn_err err = {0};
	unsigned n;

	(void)state;
	begin();
	for (n = 0; n < RN_SHAPES; n++) {
		mask.src[n] = 0xff; /* nested: each more specific than those before */
		if (admit(add_shape(0, &mask), &key, &err))
			break;
	}
	/* One level and no spare each: as many as there are priorities. */
	assert_int_equal(n, RN_RDMA_PRIORITIES - 1);
	assert_int_equal(err.code, -ENOSPC);
	assert_non_null(strstr(err.text, "15 priorities"));
}

static void shapes_that_cannot_meet_share(void **state)
{
	struct rn_key mask = {.ethertype = 0xffff, .proto = 0xff}, key = {.proto = 17};

	(void)state;
	begin();
	for (unsigned n = 0; n < RN_SHAPES; n++) {
		key.ethertype = htons(n & 1 ? 0x0800 : 0x86dd);
		mask.src[n / 2] = 0xff;
		assert_int_equal(admit(add_shape(n & 1 ? 1 : 0, &mask), &key, NULL), 0);
	}
	assert_int_equal(rdma.n_layers, RN_SHAPES);
}

/* Shapes that shared meet when one of them gets a rule that the other's can meet. */
static void sharing_ends(void **state)
{
	struct rn_key mask = {.ethertype = 0xffff, .proto = 0xff, .dport = 0xffff}, other,
		      key = {.ethertype = htons(0x0800), .proto = 17, .dport = htons(1)};
	struct rn_shape *a, *b;

	(void)state;
	begin();
	a = add_shape(0, &mask);
	assert_int_equal(admit(a, &key, NULL), 0);
	other = mask;
	other.sport = 0xffff;
	key.dport = htons(2);
	b = add_shape(0, &other);
	assert_int_equal(admit(b, &key, NULL), 0);
	assert_false(can_meet(&rdma.layer[a->slot], &rdma.layer[b->slot]));
	key.dport = htons(1);
	assert_int_equal(admit(b, &key, NULL), 0);
	assert_true(can_meet(&rdma.layer[a->slot], &rdma.layer[b->slot]));
	check_pair(&rdma.layer[b->slot].place, &rdma.layer[a->slot].place);
}

static void random_mask(struct rn_key *mask)
{
	memset(mask, 0, sizeof(*mask));
	memset(mask->dmac, 0xff, 6);
	if (rand() % 3)
		mask->ethertype = 0xffff;
	if (mask->ethertype && rand() % 2)
		mask->proto = 0xff;
	if (mask->proto && rand() % 2)
		mask->dport = 0xffff;
	if (mask->ethertype && rand() % 2)
		memset(mask->src, 0xff, (size_t)(1 + rand() % 4));
}

static void random_key(struct rn_key *key, const struct rn_key *mask)
{
	memset(key, 0, sizeof(*key));
	key->dmac[5] = (uint8_t)(rand() % 2);
	key->ethertype = mask->ethertype ? htons(rand() % 2 ? 0x0800 : 0x86dd) : 0;
	key->proto = mask->proto ? (rand() % 2 ? 6 : 17) : 0;
	key->dport = mask->dport ? htons((uint16_t)(rand() % 3)) : 0;
	for (unsigned i = 0; i < 4; i++)
		key->src[i] = mask->src[i] & (uint8_t)(rand() % 2);
}

/* Whatever comes, refused or not, and when a move fails on its way: the order holds. */
static void any_order_of_arrival(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 600; round++) {
		srand(round);
		begin();
		fail_at = round % 3 ? 0 : 1 + (unsigned)rand() % 6;
		for (unsigned n = 0; n < 60; n++) {
			struct rn_key mask, key;
			struct rn_err err = {0};
			unsigned s = (unsigned)rand() % RN_SHAPES;

			if (s >= n_shapes && n_shapes < RN_SHAPES) {
				random_mask(&mask);
				s = n_shapes;
				add_shape((unsigned)rand() % (n_shapes + 1), &mask);
			}
			random_key(&key, &shape[s].mask);
			admit(&shape[s], &key, &err);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_that_meet_have_an_order),
		cmocka_unit_test(shapes_that_cannot_meet_share),
		cmocka_unit_test(sharing_ends),
		cmocka_unit_test(any_order_of_arrival),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
