/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Matches from outside, as text and (first byte 0) as a struct. What is refused has a sentence;
 * what passes is unchanged by a second check, and is the same after text and back.
 */
#include <string.h>

#include "fuzz.h"
#include "match.h"

static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 1};

static void survives(const struct rawnet_match *m)
{
	struct rawnet_match again = *m, back;
	char err[200] = "", text[RAWNET_MATCH_TEXT];
	struct rn_key key, mask;

	must(!rn_match_check(&again, err, sizeof(err)) && !memcmp(&again, m, sizeof(*m)));
	must(rn_match_format(m, text, sizeof(text)) < (int)sizeof(text));
	must(!rn_match_parse(text, &back, err, sizeof(err)));
	must(!memcmp(&back, m, sizeof(*m)));
	rn_match_key(m, port_mac, &key, &mask);
	for (size_t i = 0; i < sizeof(key); i++)
		must(!(((uint8_t *)&key)[i] & ~((uint8_t *)&mask)[i]));
	must(rn_match_covers(m, &back, port_mac) && rn_match_intersects(m, &back, port_mac));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rawnet_match m = {0};
	char err[200] = "";
	char *text;
	int rc;

	if (size && !data[0]) {
		memcpy(&m, data + 1, size - 1 < sizeof(m) ? size - 1 : sizeof(m));
		m.size = sizeof(m);
		rc = rn_match_check(&m, err, sizeof(err));
	} else {
		text = malloc(size + 1);
		must(text);
		memcpy(text, data, size);
		text[size] = 0;
		rc = rn_match_parse(text, &m, err, sizeof(err));
		free(text);
	}
	if (!rc)
		survives(&m);
	else
		must(rc < 0 && err[0] && strlen(err) < sizeof(err) - 1);
	return 0;
}
