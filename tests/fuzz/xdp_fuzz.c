/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program, run by the kernel (BPF_PROG_TEST_RUN), against the reference classifier: a byte
 * chooses one of four tables of rules, the rest is the frame. Both must name the same rule, and a
 * frame that no rule takes must go on unchanged. Needs CAP_BPF; without, the target is skipped.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "backend/backend.h"
#include "backend/xdp/shared.h"
#include "fuzz.h"
#include "match.h"
#include "steer.h"
#include "../unit/xdp_table.h"

#define RULES	16u
#define TABLES	4u
#define LONGEST 2048u

const struct rn_backend *const rn_backends[] = {NULL};

static const char *const text[RULES] = {
	"udp dport 7",
	"udp dport 7 sport 9",
	"tcp dport 80",
	"ethertype ipv4 dst 10.0.0.0/8",
	"ethertype ipv4 dst 10.0.0.1",
	"ethertype ipv4 src 10.0.0.0/24 proto 1",
	"ethertype ipv6 dst fd00::/16",
	"ethertype ipv6 dst fd00::1 proto udp dport 7",
	"ethertype ipv6 src fd00::2 proto tcp",
	"vlan 5 ethertype ipv4",
	"vlan 5 ethertype ipv6 proto udp dport 7",
	"dmac 02:00:00:00:00:02",
	"dmac 02:00:00:00:00:02 vlan 6",
	"dmac 02:00:00:00:00:00/ff:ff:ff:ff:ff:f0 ethertype 0x88b5",
	"ethertype 0x88b5",
	"proto sctp dport 7",
};
static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 1};
static const unsigned chosen[TABLES] = {0xffff, 0x5555, 0xaaaa, 0x0c31};
static struct {
	struct rn_xdp_program *program;
	struct rn_steer *steer;
} table[TABLES];
static uint64_t ids;

static void add(struct rn_steer *steer, const char *rule_text)
{
	struct rawnet_match match;
	struct rn_steer_request request = {
		.match = &match, .uid = 1000, .label = "f", .flags = RAWNET_FLOW_PERSIST};
	struct rn_err err = {0};
	struct rn_rule *rule;
	char why[200] = "";
	uint32_t index;

	if (rn_match_parse(rule_text, &match, why, sizeof(why)) ||
	    rn_steer_add(steer, &request, &rule, &index, &err)) {
		fprintf(stderr, "%s: %s %s\n", rule_text, why, err.text);
		abort();
	}
}

/* What stands in tables of liburcu is not found from outside: a leak, to the sanitizer. */
static void finish(void)
{
	for (unsigned k = 0; k < TABLES; k++) {
		rn_steer_destroy(table[k].steer);
		rn_xdp_program_free(table[k].program);
	}
	rcu_barrier();
	rcu_unregister_thread();
}

static void start(void)
{
	struct rn_err err = {0};

	if (table[0].program)
		return;
	rcu_register_thread();
	for (unsigned k = 0; k < TABLES; k++) {
		int rc = rn_xdp_program_load("fuzz", false, LONGEST, port_mac, &table[k].program,
					     &err);

		if (rc) {
			printf("%s: %s\n", rc == -EPERM ? "SKIP" : "failed", err.text);
			exit(rc == -EPERM ? 77 : 1);
		}
		must(!rn_steer_create(&xdp_table, table[k].program, port_mac, &ids,
				      &table[k].steer));
		for (unsigned i = 0; i < RULES; i++)
			if (chosen[k] >> i & 1)
				add(table[k].steer, text[i]);
	}
	atexit(finish);
}

static struct rn_rule *by_program(unsigned k, const uint8_t *frame, uint32_t len)
{
	static uint8_t out[LONGEST + 64];
	struct rn_xdp_verdict v;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = len, .data_out = out,
		    .data_size_out = sizeof(out));

	must(!bpf_prog_test_run_opts(rn_xdp_program_fd(table[k].program), &run));
	if (run.retval == XDP_PASS) {
		must(run.data_size_out == len && !memcmp(out, frame, len));
		return NULL;
	}
	must(run.retval == XDP_DROP && run.data_size_out == len + sizeof(v));
	memcpy(&v, out, sizeof(v));
	must(v.cookie == rn_xdp_program_cookie(table[k].program) &&
	     !memcmp(out + sizeof(v), frame, len));
	return rn_steer_handle(table[k].steer, v.handle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rn_headers headers;
	struct rn_rule *expected;
	struct rn_key key;

	unsigned k;

	start();
	if (size < 1 + 14 || size > 1 + LONGEST) /* the kernel's test run wants a whole header */
		return 0;
	k = data[0] % TABLES;
	rn_key_parse(data + 1, (uint32_t)size - 1, -1, &key, &headers);
	expected = rn_steer_classify(table[k].steer, &key, headers.flags);
	must(by_program(k, data + 1, (uint32_t)size - 1) == expected);
	return 0;
}
