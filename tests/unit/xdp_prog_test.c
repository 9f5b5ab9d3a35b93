/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program against the reference classifier: random rules of many shapes, random frames made
 * of few values so that rules hit often, both asked who takes the frame. The program runs in the
 * kernel by BPF_PROG_TEST_RUN (Documentation/bpf/bpf_prog_run.rst): without a socket it drops what
 * a rule takes, and its verdict stands in front of the frame that comes back.
 *
 * Promise: the program takes what the classifier in C takes, and nothing else. Seen to fail without
 * it (prog.bpf.c): ports read of a first fragment; VLANs of eleven bits; the first shape passed
 * over; a filter that looks at half of its bits; AH measured as other extension headers; a rule
 * that left the table and not the cache (front.c).
 *
 * Promise: nothing is written that a program may still read. Seen to fail without it (program.c):
 * order_idle() that goes on when the wait failed: the shape left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

#include "backend/xdp/program.h"
#include "backend/xdp/shared.h"
#include "match.h"
#include "steer.h"
#include "xdp_random.h"
#include "xdp_table.h"

#define FRAMES	4000
#define LONGEST (FRAME_MAX - 1u)

const struct rn_backend *const rn_backends[] = {NULL};

static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 1};
static struct rn_xdp_program *program;
static struct rn_steer *table;
static uint64_t ids;

/* ---- a kernel that has no memory to wait for programs ---- */

static bool refuses;

int __real_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	if (!refuses)
		return __real_bpf_map_update_elem(fd, key, value, flags);
	errno = ENOMEM;
	return -ENOMEM;
}

/* ---- table and program ---- */

static int open_with(bool frags)
{
	struct rn_err err = {0};
	int rc = rn_xdp_program_load("test", frags, LONGEST, port_mac, &program, &err);

	if (rc) {
		printf("%s: %s\n", rc == -EPERM ? "SKIP" : "failed", err.text);
		return rc;
	}
	return rn_steer_create(&xdp_table, program, port_mac, &ids, &table);
}

static void shut(void)
{
	rn_steer_destroy(table);
	rn_xdp_program_free(program);
}

static struct rn_rule *try_add(const char *text)
{
	struct rn_steer_request request = {.uid = 1000, .label = "t"};
	struct rawnet_match match;
	struct rn_rule *rule = NULL;
	struct rn_err err = {0};
	char why[200];
	uint32_t index;

	if (rn_match_parse(text, &match, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
	request.match = &match;
	request.flags = RAWNET_FLOW_PERSIST;
	return rn_steer_add(table, &request, &rule, &index, &err) ? NULL : rule;
}

/* ---- comparing ---- */

static struct rn_rule *by_program(const struct bytes *f)
{
	uint8_t out[FRAME_MAX + 64];
	struct rn_xdp_verdict v;
	struct rn_rule *rule;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = f->b, .data_size_in = f->n, .data_out = out,
		    .data_size_out = sizeof(out));

	assert_int_equal(bpf_prog_test_run_opts(rn_xdp_program_fd(program), &run), 0);
	if (run.retval == XDP_PASS) {
		assert_int_equal(run.data_size_out, f->n);
		return NULL;
	}
	assert_int_equal(run.retval, XDP_DROP);
	assert_int_equal(run.data_size_out, f->n + sizeof(v));
	memcpy(&v, out, sizeof(v));
	assert_int_equal(v.cookie, rn_xdp_program_cookie(program));
	assert_memory_equal(out + sizeof(v), f->b, f->n);
	rule = rn_steer_handle(table, v.handle);
	assert_non_null(rule);
	return rule;
}

static struct rn_rule *by_reference(const struct bytes *f)
{
	struct rn_headers headers;
	struct rn_key key;

	rn_key_parse(f->b, f->n, -1, &key, &headers);
	return rn_steer_classify(table, &key, headers.flags);
}

static unsigned compare(unsigned frames)
{
	unsigned taken = 0;
	struct bytes f;

	for (unsigned i = 0; i < frames; i++) {
		struct rn_rule *a, *b;

		random_frame(&f);
		a = by_program(&f);
		b = by_reference(&f);
		if (a != b) {
			for (uint32_t k = 0; k < f.n; k++)
				printf("%02x", f.b[k]);
			fail_msg(": the program says rule %lu, the reference %lu",
				 a ? (unsigned long)a->id : 0, b ? (unsigned long)b->id : 0);
		}
		taken += a != NULL;
	}
	return taken;
}

/* ---- tests ---- */

static void random_rules(void **unused)
{
	unsigned taken = 0;
	uint64_t v[RAWNET_COUNTERS_SPACE] = {0};

	(void)unused;
	assert_int_equal(compare(200), 0); /* no rule: everything is the kernel's */
	for (int round = 0; round < 12; round++) {
		struct rn_rule *rule;
		char text[160];

		for (int i = 0; i < 30; i++) {
			random_match(text, sizeof(text));
			try_add(text);
		}
		taken += compare(FRAMES / 12);
		while ((rule = rn_steer_next(table, NULL)) && roll(40))
			rn_steer_del(table, rule);
		taken += compare(FRAMES / 12);
	}
	rn_xdp_program_counters(program, v);
	assert_int_equal(v[RAWNET_P_RX_DROP_NO_SOCKET], taken);
	assert_int_equal(v[RAWNET_P_RX_UNMATCHED], 200 + 24 * (FRAMES / 12) - taken);
	assert_int_equal(v[RAWNET_P_RX_DROP_LONG], 0);
	assert_true(taken > FRAMES / 20);
	printf("%u of %u frames taken\n", taken, 2 * FRAMES);
}

/* A table that grows under its rules loses none, and other shapes are not touched. */
static void growth(void **unused)
{
	static const uint8_t probe[] = {
		2, 0,  0,  0, 0, 1,  2, 0, 0, 0,  0, 9, 8, 0, 0x45, 0, 0, 28, 0, 0, 0,
		0, 64, 17, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1, 0, 7,    0, 7, 0,  8, 0, 0,
	};
	struct bytes f = {.n = sizeof(probe)};
	unsigned n = 20000, found = 0;
	char text[96];

	(void)unused;
	assert_non_null(try_add("dst 10.0.0.1 udp sport 7 dport 7"));
	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "udp src 10.1.%u.%u dport %u", i >> 8 & 255, i & 255,
			 1 + (i >> 16));
		assert_non_null(try_add(text));
	}
	memcpy(f.b, probe, sizeof(probe));
	assert_ptr_equal(by_program(&f), by_reference(&f));
	assert_non_null(by_program(&f));
	for (unsigned i = 0; i < n; i += 37) {
		f.b[27] = 1;
		f.b[28] = (uint8_t)(i >> 8);
		f.b[29] = (uint8_t)i;
		f.b[35] = 9; /* not the first rule's source port */
		f.b[36] = 0;
		f.b[37] = (uint8_t)(1 + (i >> 16));
		assert_ptr_equal(by_program(&f), by_reference(&f));
		found += by_program(&f) != NULL;
	}
	assert_int_equal(found, (n + 36) / 37);
}

/* Of 20,000 rules some 1,500 share their bit of the filter with another: half of all rules deleted,
 * the other half is found, and no deleted one is. */
static void shared_bits(void **unused)
{
	static const uint8_t probe[] = {
		2, 0,  0,  0, 0, 1,  2, 0, 0, 0,  0, 9, 8, 0, 0x45, 0, 0, 28, 0, 0, 0,
		0, 64, 17, 0, 0, 10, 1, 0, 0, 10, 0, 0, 1, 0, 9,    0, 7, 0,  8, 0, 0,
	};
	struct bytes f = {.n = sizeof(probe)};
	static struct rn_rule *rule[20000];
	char text[96];

	(void)unused;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "udp src 10.1.%u.%u dport 7", i >> 8, i & 255);
		rule[i] = try_add(text);
		assert_non_null(rule[i]);
	}
	for (unsigned i = 0; i < 20000; i++) {
		if (!roll(2))
			continue;
		rn_steer_del(table, rule[i]);
		rule[i] = NULL;
	}
	memcpy(f.b, probe, sizeof(probe));
	for (unsigned i = 0; i < 20000; i++) {
		f.b[28] = (uint8_t)(i >> 8);
		f.b[29] = (uint8_t)i;
		assert_ptr_equal(by_program(&f), rule[i]);
	}
}

/* Rules that come and go, many more than the cache has room for: each is found while it is there,
 * and beside it one that stays. */
static void churn(void **unused)
{
	static const uint8_t probe[] = {
		2, 0,  0,  0, 0, 1,  2, 0, 0, 0,  0, 9, 8, 0, 0x45, 0, 0, 28, 0, 0, 0,
		0, 64, 17, 0, 0, 10, 1, 0, 0, 10, 0, 0, 1, 0, 9,    0, 7, 0,  8, 0, 0,
	};
	struct bytes f = {.n = sizeof(probe)};
	struct rn_rule *stays, *comes;
	char text[96];

	(void)unused;
	memcpy(f.b, probe, sizeof(probe));
	stays = try_add("udp src 10.1.255.255 dport 7");
	for (unsigned i = 0; i < 8 * RN_XDP_CACHED; i++) {
		snprintf(text, sizeof(text), "udp src 10.1.%u.%u dport 7", i >> 8, i & 255);
		comes = try_add(text);
		f.b[28] = (uint8_t)(i >> 8);
		f.b[29] = (uint8_t)i;
		assert_ptr_equal(by_program(&f), comes);
		rn_steer_del(table, comes);
		assert_null(by_program(&f));
		f.b[28] = f.b[29] = 255;
		assert_ptr_equal(by_program(&f), stays);
	}
}

/* What a rule takes must fit the sockets; what it does not take may be of any length. */
static void too_long(void **unused)
{
	uint64_t v[RAWNET_COUNTERS_SPACE] = {0};
	struct bytes f = {.n = LONGEST + 1};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = f.b, .data_size_in = f.n);

	(void)unused;
	memcpy(f.b, port_mac, 6);
	f.b[12] = 0x12;
	assert_null(by_program(&f));
	assert_non_null(try_add("ethertype 0x1200"));
	assert_int_equal(bpf_prog_test_run_opts(rn_xdp_program_fd(program), &run), 0);
	assert_int_equal(run.retval, XDP_DROP);
	f.n = LONGEST;
	assert_non_null(by_program(&f));
	rn_xdp_program_counters(program, v);
	assert_int_equal(v[RAWNET_P_RX_DROP_LONG], 1);
	assert_int_equal(v[RAWNET_P_RX_UNMATCHED], 1);
	assert_int_equal(v[RAWNET_P_RX_DROP_NO_SOCKET], 1);
}

/* ARP to the port's own MAC is the kernel's, also after the MAC changed. */
static void mac_change(void **unused)
{
	static const uint8_t other[6] = {2, 0, 0, 0, 0, 2};
	struct bytes f = {.n = 42};

	(void)unused;
	memcpy(f.b, other, 6);
	f.b[6] = 2;
	f.b[12] = 8;
	f.b[13] = 6;
	assert_non_null(try_add("dmac 02:00:00:00:00:02"));
	assert_non_null(by_program(&f)); /* a macvlan's own ARP */
	rn_xdp_program_set_mac(program, other);
	assert_null(by_program(&f));
	rn_xdp_program_set_mac(program, port_mac);
	assert_non_null(by_program(&f));
}

static unsigned shapes(void)
{
	unsigned n;

	rn_steer_count(table, &n);
	return n;
}

/* A shape leaves when no program reads it: until then it stays, and takes nothing. */
static void shape_that_may_be_read(void **unused)
{
	struct rn_rule *leaves;

	(void)unused;
	assert_non_null(try_add("udp dport 7"));
	leaves = try_add("tcp sport 7");
	refuses = true;
	rn_steer_del(table, leaves);
	assert_int_equal(shapes(), 2);
	assert_null(try_add("udp src 10.0.0.1"));
	assert_int_equal(shapes(), 2);
	refuses = false;
	compare(200);
	rn_steer_del(table, try_add("udp src 10.0.0.1"));
	assert_int_equal(shapes(), 1);
	compare(200);
}

static int setup(void **unused)
{
	(void)unused;
	return open_with(false);
}

static int setup_frags(void **unused)
{
	(void)unused;
	return open_with(true);
}

static int teardown(void **unused)
{
	(void)unused;
	shut();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(random_rules, setup_frags, teardown),
		cmocka_unit_test_setup_teardown(growth, setup, teardown),
		cmocka_unit_test_setup_teardown(shared_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(churn, setup, teardown),
		cmocka_unit_test_setup_teardown(too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(too_long, setup_frags, teardown),
		cmocka_unit_test_setup_teardown(mac_change, setup, teardown),
		cmocka_unit_test_setup_teardown(shape_that_may_be_read, setup, teardown),
	};
	int rc;

	rcu_register_thread();
	if (open_with(false) == -EPERM)
		return 77;
	shut();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return rc;
}
