/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that may be ARP requests or neighbour solicitations: whoever asks well gets an answer. */
#include <string.h>

#include "fuzz.h"
#include "neigh_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x77};
	uint8_t out[RN_NEIGH_FRAME];
	struct rn_question q, back;
	uint32_t len;

	if (size > 4096 || !rn_question_parse(data, (uint32_t)size, &q))
		return 0;
	must(q.family == 4 || q.family == 6);
	must(!(q.mac[0] & 1));
	len = rn_question_answer(&q, mac, 0, out);
	must(len == (q.family == 4 ? 42u : 86u));
	must(!memcmp(out + 6, mac, 6));
	must(!rn_question_parse(out, len, &back)); /* an answer is no question */
	must(rn_question_answer(&q, mac, 4095, out) == len + 4);
	len = rn_neigh_announcement(q.family, q.target, mac, 0, out);
	must(!rn_question_parse(out, len, &back));
	return 0;
}
