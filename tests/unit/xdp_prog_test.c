/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program against the reference classifier: random rules of many shapes, random frames made
 * of few values so that rules hit often, both asked who takes the frame. The program runs in the
 * kernel by BPF_PROG_TEST_RUN (Documentation/bpf/bpf_prog_run.rst): without a socket it drops what
 * a rule takes, and its verdict stands in front of the frame that comes back.
 *
 * Promise: the program takes what the classifier in C takes, and nothing else. Seen to fail without
 * it (prog.bpf.c): ports read of a first fragment; VLANs of eleven bits; the first shape passed
 * over; a filter that looks at half of its bits; AH measured as other extension headers.
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

#define FRAMES	  4000
#define LONGEST	  512u
#define FRAME_MAX 513 /* random ones are shorter */

const struct rn_backend *const rn_backends[] = {NULL};

static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 1};
static struct rn_xdp_program *program;
static struct rn_steer *table;
static uint64_t ids;
static uint64_t state = 88172645463325252u; /* xorshift64: the same run every time */

static uint32_t roll(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % n;
}

/* ---- table and program ---- */

static int op_shapes(void *ctx, const struct rn_shape *const *order, unsigned n, struct rn_err *err)
{
	return rn_xdp_program_shapes(ctx, order, n, err);
}

static int op_add(void *ctx, struct rn_rule *rule, struct rn_err *err)
{
	return rn_xdp_program_add(ctx, rule, err);
}

static void op_del(void *ctx, struct rn_rule *rule)
{
	rn_xdp_program_del(ctx, rule);
}

static const struct rn_steer_ops ops = {.shapes = op_shapes, .add = op_add, .del = op_del};

static int open_with(bool frags)
{
	struct rn_err err = {0};
	int rc = rn_xdp_program_load("test", frags, LONGEST, port_mac, &program, &err);

	if (rc) {
		printf("%s: %s\n", rc == -EPERM ? "SKIP" : "failed", err.text);
		return rc;
	}
	return rn_steer_create(&ops, program, port_mac, &ids, &table);
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

/* ---- rules ---- */

static const char *const net4[] = {"10.0.0.0/24", "10.0.0.1", "10.0.0.2", "10.0.0.0/8"};
static const char *const net6[] = {"fd00::/64", "fd00::1", "fd00::2", "fd00::/16"};
static const char *const protos[] = {"udp", "tcp", "sctp"};
static const uint16_t vlans[] = {5, 6, 0x805};

/* A random match of the grammar. */
static void random_match(char *text, size_t size)
{
	const char *const *net = roll(2) ? net4 : net6;
	char term[64];

	*text = 0;
#define ADD(...)                                              \
	do {                                                  \
		snprintf(term, sizeof(term), __VA_ARGS__);    \
		strncat(text, term, size - strlen(text) - 1); \
	} while (0)
	if (!roll(4))
		ADD("dmac 02:00:00:00:00:%02x ", 1 + roll(3));
	if (!roll(4))
		ADD("vlan %u ", vlans[roll(3)]);
	if (!roll(8)) {
		ADD("ethertype 0x88%02x", 0xb5 + roll(2));
		return;
	}
	ADD("ethertype %s ", net == net4 ? "ipv4" : "ipv6");
	if (roll(2))
		ADD("dst %s ", net[roll(4)]);
	if (!roll(3))
		ADD("src %s ", net[roll(4)]);
	if (!roll(3))
		return;
	ADD("%s ", protos[roll(3)]);
	if (roll(2))
		ADD("dport %u ", 7 + roll(3));
	if (!roll(3))
		ADD("sport %u ", 7 + roll(3));
}

/* ---- frames ---- */

struct bytes {
	uint8_t b[FRAME_MAX];
	uint32_t n;
};

static void put(struct bytes *f, const void *data, uint32_t n)
{
	memcpy(f->b + f->n, data, n);
	f->n += n;
}

static void put8(struct bytes *f, uint32_t v)
{
	f->b[f->n++] = (uint8_t)v;
}

static void put16(struct bytes *f, uint32_t v)
{
	put8(f, v >> 8);
	put8(f, v);
}

static uint8_t random_proto(void)
{
	static const uint8_t some[] = {17, 17, 17, 6, 6, 132, 58, 1, 50, 59};

	return some[roll(sizeof(some))];
}

static void put_l4(struct bytes *f)
{
	uint32_t n = roll(8) ? 24 : roll(24);

	if (roll(8))
		put16(f, 7 + roll(3));
	else
		put16(f, roll(65536)); /* ICMPv6 types among them */
	put16(f, 7 + roll(3));
	for (uint32_t i = 4; i < n; i++)
		put8(f, roll(256));
}

static void put_ipv4(struct bytes *f)
{
	uint32_t start = f->n, ihl = roll(6) ? 5 : roll(16);
	const uint8_t from[4] = {10, 0, (uint8_t)(roll(8) == 0), (uint8_t)roll(4)};
	const uint8_t to[4] = {10, (uint8_t)(roll(8) == 0), 0, (uint8_t)roll(4)};

	put8(f, (roll(16) ? 0x40 : roll(256)) | ihl);
	put8(f, 0);
	put16(f, 0);
	put16(f, 1);
	put16(f, roll(4) ? 0x4000 : roll(2) ? roll(65536) : roll(4) << 13 | roll(2));
	put8(f, 64);
	put8(f, random_proto());
	put16(f, 0);
	put(f, from, 4);
	put(f, to, 4);
	for (uint32_t i = 5; i < ihl; i++)
		put(f, "\1\1\1\1", 4);
	put_l4(f);
	if (roll(16)) {
		uint32_t total = f->n - start - (roll(4) ? 0 : roll(6));

		f->b[start + 2] = (uint8_t)(total >> 8);
		f->b[start + 3] = (uint8_t)total;
	}
}

static uint8_t put_extensions(struct bytes *f)
{
	static const uint8_t kinds[] = {0, 43, 60, 51, 44};
	uint32_t n = roll(3) ? 0 : roll(8);
	uint8_t first = 0, last = random_proto();
	uint32_t link = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t kind = kinds[roll(sizeof(kinds))];
		uint32_t units = kind == 44 ? 0 : roll(3);

		if (i)
			f->b[link] = kind;
		else
			first = kind;
		link = f->n;
		put8(f, last);
		put8(f, roll(12) ? units : roll(256));
		for (uint32_t k = 2; k < (kind == 51 ? (units + 2) * 4 : (units + 1) * 8); k++)
			put8(f, 0);
	}
	return n ? first : last;
}

static void put_ipv6(struct bytes *f)
{
	uint8_t addr[16] = {0xfd, 0, 0};
	uint32_t start = f->n, length;

	put(f, roll(16) ? "\x60\0\0\0" : "\x50\0\0\0", 4);
	put(f, "\0\0\0\100", 4);
	for (int i = 0; i < 2; i++) {
		addr[2] = roll(8) == 0;
		addr[15] = (uint8_t)roll(4);
		put(f, addr, 16);
	}
	f->b[start + 6] = put_extensions(f);
	put_l4(f);
	length = f->n - start - 40 - (roll(4) ? 0 : roll(6));
	if (!roll(16))
		length = roll(65536);
	f->b[start + 4] = (uint8_t)(length >> 8);
	f->b[start + 5] = (uint8_t)length;
}

static void random_frame(struct bytes *f)
{
	uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)(1 + roll(3))};
	uint32_t kind = roll(10);

	f->n = 0;
	if (!roll(20))
		mac[0] = 0xff;
	put(f, mac, 6);
	put(f, "\2\0\0\0\0\11", 6);
	for (uint32_t tags = roll(3) ? 0 : 1 + (roll(6) == 0); tags; tags--) {
		put16(f, roll(4) ? 0x8100 : 0x88a8);
		put16(f, roll(16) << 12 | (roll(3) ? vlans[roll(3)] : 0));
	}
	if (kind < 5) {
		put16(f, 0x0800);
		put_ipv4(f);
	} else if (kind < 9) {
		put16(f, 0x86dd);
		put_ipv6(f);
	} else {
		put16(f, roll(2) ? 0x0806 : 0x88b5 + roll(2));
		put_l4(f);
	}
	if (!roll(6))
		f->n = 14 + roll(f->n - 13);
	else if (!roll(4))
		put(f, "padding behind the packet", 18);
}

/* ---- comparing ---- */

static struct rn_rule *by_program(const struct bytes *f)
{
	uint8_t out[FRAME_MAX + 64];
	struct rn_xdp_verdict v;
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
	return rn_steer_handle(table, v.handle);
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
		cmocka_unit_test_setup_teardown(too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(too_long, setup_frags, teardown),
		cmocka_unit_test_setup_teardown(mac_change, setup, teardown),
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
