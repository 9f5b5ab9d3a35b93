/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rule table for the tests and the benchmark of policing: a list that is searched from its start,
 * with the same promises as the port's table.
 */
#ifndef POLICE_TABLE_H
#define POLICE_TABLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attachment.h"
#include "match.h"
#include "port.h"
#include "queue.h"
#include "steer.h"
#include "tx.h"

#define TABLE_MAX 16

static const uint8_t table_port_mac[6] = {2, 0, 0, 0, 0, 0x10};
static struct rn_shape table_shape[TABLE_MAX];
static struct rn_rule table_rule[TABLE_MAX];
static const struct rn_attachment *table_owner[TABLE_MAX];
static unsigned table_n;

static inline void table_clear(void)
{
	table_n = 0;
	rn_police_changed();
}

/* False: the text is no match. */
static inline bool table_add(const char *text, struct rn_attachment *at)
{
	struct rn_rule *r = &table_rule[table_n];
	char err[200];

	memset(r, 0, sizeof(*r));
	if (rn_match_parse(text, &r->match, err, sizeof(err))) {
		fprintf(stderr, "%s: %s\n", text, err);
		return false;
	}
	r->shape = &table_shape[table_n];
	rn_match_key(&r->match, table_port_mac, &r->key, &r->shape->mask);
	table_owner[table_n++] = at;
	rn_police_changed();
	return true;
}

static inline struct rn_key table_mirrored(const struct rn_key *key)
{
	struct rn_key m = *key;

	memcpy(m.dmac, key->smac, 6);
	memcpy(m.smac, key->dmac, 6);
	memcpy(m.dst, key->src, 16);
	memcpy(m.src, key->dst, 16);
	m.sport = key->dport;
	m.dport = key->sport;
	return m;
}

static inline bool table_matches(const struct rn_rule *r, const struct rn_key *key)
{
	const uint8_t *k = (const uint8_t *)key, *want = (const uint8_t *)&r->key;
	const uint8_t *mask = (const uint8_t *)&r->shape->mask;

	for (size_t i = 0; i < sizeof(*key); i++) {
		if ((k[i] & mask[i]) != want[i])
			return false;
	}
	return true;
}

struct rn_rule *rn_steer_mirror_after(const struct rn_steer *steer, const struct rn_key *key,
				      const struct rn_attachment *at, const struct rn_rule *after)
{
	struct rn_key m = table_mirrored(key);

	(void)steer;
	for (unsigned i = after ? (unsigned)(after - table_rule) + 1 : 0; i < table_n; i++) {
		if (table_owner[i] == at && table_matches(&table_rule[i], &m))
			return &table_rule[i];
	}
	return NULL;
}

struct rn_rule *rn_steer_mirror(const struct rn_steer *steer, const struct rn_key *key,
				const struct rn_attachment *at)
{
	return rn_steer_mirror_after(steer, key, at, NULL);
}
#endif
