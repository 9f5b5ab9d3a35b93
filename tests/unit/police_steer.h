/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port's own rule table behind the functions of police_table.h: policing as the daemon has it.
 * What the table refuses (the same match twice) is not remembered, so the oracle does not count on
 * it either.
 */
#ifndef POLICE_STEER_H
#define POLICE_STEER_H

#include <stdio.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "attachment.h"
#include "match.h"
#include "port.h"
#include "queue.h"
#include "steer.h"
#include "tx.h"

#define TABLE_MAX 16

static const uint8_t table_port_mac[6] = {2, 0, 0, 0, 0, 0x10};
static struct rn_rule table_rule[TABLE_MAX]; /* their matches */
static struct rn_rule *table_real[TABLE_MAX];
static const struct rn_attachment *table_owner[TABLE_MAX];
static unsigned table_n;
static struct rn_steer *table_steer;
static uint64_t table_ids;

static inline void table_clear(void)
{
	if (!table_steer && rn_steer_create(NULL, NULL, table_port_mac, &table_ids, &table_steer))
		abort();
	while (table_n)
		rn_steer_del(table_steer, table_real[--table_n]);
	rn_police_changed();
	rcu_quiescent_state();
}

static inline bool table_add(const char *text, struct rn_attachment *at)
{
	struct rn_rule *r = &table_rule[table_n];
	struct rn_steer_request q = {.match = &r->match, .at = at, .uid = 1000};
	struct rn_err err = {0};
	uint32_t index;

	if (rn_match_parse(text, &r->match, err.text, sizeof(err.text))) {
		fprintf(stderr, "%s: %s\n", text, err.text);
		return false;
	}
	at->port->steer = table_steer;
	if (rn_steer_add(table_steer, &q, &table_real[table_n], &index, &err))
		return err.code == -EEXIST || err.code == -EBUSY || err.code == -EADDRINUSE;
	table_owner[table_n++] = at;
	rn_police_changed();
	return true;
}
#endif
