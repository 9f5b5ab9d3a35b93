/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policing against its oracle: a byte that chooses rules, two of tag (0xffff: none), two that say
 * which byte of the frame is changed under the hint and how, then the frame.
 *
 * Seen to fail without its defence, by the seeds alone: the source address left out of the hint
 * (hint_ip()), options of neighbour discovery not looked at (nd_options()).
 */
#include <string.h>

#include "fuzz.h"
#include "../unit/police_oracle.h"
#include "../unit/police_table.h"

static const char *const rules[8] = {
	"udp dport 53",
	"dst 10.0.0.0/24",
	"ipvlan fd00::50",
	"vlan 7 ethertype ipv4",
	"dmac 02:00:00:00:00:77 vlan 7 ethertype 0x8100",
	"macvlan 02:00:00:00:00:77",
	"macvlan 02:00:00:00:00:78 addr 10.0.0.50 addr fd00::50",
	"dmac 02:00:00:00:00:78 tcp src 10.0.0.0/8 sport 80",
};
static uint8_t v4[1][4] = {{10, 0, 0, 1}};
static uint8_t v6[1][16] = {{0xfd, 0, [15] = 1}};
static struct rn_addresses addresses = {1, 1, v4, v6};
static struct rn_port port = {.addresses = &addresses};
static struct rn_attachment client = {.port = &port};
static struct oracle_port seen = {.v4 = {{10, 0, 0, 1}, {10, 0, 0, 1}}, .v6 = {0xfd, 0, [15] = 1}};

static int verdict(const uint8_t *f, uint32_t len, int tci)
{
	if (len < 14)
		return RAWNET_Q_TX_DROP_SPOOF;
	if (oracle_link(f, (int)len))
		return RAWNET_Q_TX_DROP_LINK;
	for (unsigned i = 0; i < table_n; i++) {
		if (oracle_allows(&seen, &table_rule[i].match, f, (int)len, tci))
			return 0;
	}
	return RAWNET_Q_TX_DROP_SPOOF;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rn_queue hot = {.at = &client}, cold = {.at = &client};
	uint32_t len;
	uint8_t *frame;
	int tci;

	if (size < 5 || size > 4096)
		return 0;
	memcpy(seen.mac, table_port_mac, 6);
	table_clear();
	for (int i = 0; i < 8; i++) {
		if (data[0] >> i & 1)
			must(table_add(rules[i], &client));
	}
	tci = data[1] == 0xff && data[2] == 0xff ? -1 : data[1] << 8 | data[2];
	len = (uint32_t)size - 5;
	frame = malloc(len ? len : 1);
	must(frame);
	memcpy(frame, data + 5, len);
	must(rn_police(&hot, frame, len, tci) == verdict(frame, len, tci));
	if (len)
		frame[data[3] % len] = data[4];
	must(rn_police(&hot, frame, len, tci) == verdict(frame, len, tci));
	must(rn_police(&cold, frame, len, tci) == verdict(frame, len, tci));
	free(frame);
	return 0;
}
