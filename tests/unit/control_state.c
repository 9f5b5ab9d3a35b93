/* SPDX-License-Identifier: BSD-2-Clause */
/* See control_rig.h: requests that tests make often, and what the daemon keeps, as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client.h"
#include "control_rig.h"
#include "match.h"

uint32_t control_attach(struct control *c, int fd, const char *dev)
{
	struct rawnet_req_attach req = {.rx_size = 64, .tx_size = 64};
	struct rawnet_rep_attach rep;

	strncpy(req.dev, dev, sizeof(req.dev) - 1);
	if (CONTROL_ASK(c, fd, ATTACH, &req, &rep))
		fail_msg("attach to %s: %s", dev, c->text);
	return rep.attachment;
}

struct rawnet_req_flow_add control_flow_request(const char *dev, const char *match,
						uint32_t attachment, uint32_t flags)
{
	struct rawnet_req_flow_add req = {.flags = flags};
	char why[200];

	strncpy(req.dev, dev, sizeof(req.dev) - 1);
	req.target.attachment = attachment;
	if (rn_match_parse(match, &req.match, why, sizeof(why)))
		fail_msg("%s", why);
	return req;
}

uint64_t control_flow(struct control *c, int fd, const char *dev, const char *match,
		      uint32_t attachment, uint32_t flags)
{
	struct rawnet_req_flow_add req = control_flow_request(dev, match, attachment, flags);
	struct rawnet_rep_flow rep;

	if (CONTROL_ASK(c, fd, FLOW_ADD, &req, &rep))
		fail_msg("%s: %s", match, c->text);
	return rep.rule;
}

int control_del(struct control *c, int fd, uint64_t rule)
{
	struct rawnet_req_id req = {.id = rule};
	struct rawnet_rep_plain rep;

	return CONTROL_ASK(c, fd, FLOW_DEL, &req, &rep);
}

bool control_find(struct control *c, int fd, uint64_t rule, struct rawnet_flow_info *info)
{
	struct rawnet_req_list req = {.id = rule};
	struct rawnet_rep_flow_list rep;

	assert_int_equal(CONTROL_ASK(c, fd, FLOW_LIST, &req, &rep), 0);
	assert_true(rep.list.n <= 1);
	assert_int_equal(rep.list.entry_size, sizeof(rep.entry[0]));
	assert_int_equal(rep.list.next, 0);
	if (!rep.list.n)
		return false;
	assert_int_equal(rep.entry[0].rule, rule);
	*info = rep.entry[0];
	return true;
}

/* ---- state ---- */

static void print_quota(FILE *f, const struct rawnet_quota *q)
{
	fprintf(f, " memory %llu queues %u rules %u attachments %u connections %u\n",
		(unsigned long long)q->memory, q->queues, q->rules, q->attachments, q->connections);
}

static void print_rule(FILE *f, const struct rn_rule *rule)
{
	char text[RAWNET_MATCH_TEXT];

	rn_match_format(&rule->match, text, sizeof(text));
	fprintf(f, "  rule %llu uid %u flags 0x%x gap %u handle 0x%x label %s to",
		(unsigned long long)rule->id, rule->uid, rule->flags, rule->gap, rule->handle,
		rule->label);
	for (uint32_t i = 0; i < rule->members->n; i++)
		fprintf(f, " %u[%u]", rule->members->m[i].at->id, rule->members->m[i].index);
	fprintf(f, ": %s\n", text);
}

static void print_port(FILE *f, const struct rn_port *port)
{
	const struct rn_attachment *at;
	struct rn_rule *rule = NULL;
	unsigned shapes, n = rn_steer_count(port->steer, &shapes);

	fprintf(f, "port %s draining %d rules %u shapes %u\n", port->config.dev, port->draining, n,
		shapes);
	while ((rule = rn_steer_next(port->steer, rule)))
		print_rule(f, rule);
	cds_list_for_each_entry (at, &port->attachments, list)
		fprintf(f, "  attachment %u uid %u label %s queues %u rules %u copies %u\n", at->id,
			at->uid, at->label, at->n_queues, at->n_rules, at->copies);
}

char *control_state(const struct rn_daemon *d)
{
	const struct rn_client *c;
	const struct rn_usage *u;
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	for (uint32_t i = 0; i < d->n_served; i++)
		print_port(f, d->served[i].port);
	cds_list_for_each_entry (c, &d->clients, list) {
		fprintf(f,
			"client %u uid %u greeted %d dead %d label %s program %s events %u:", c->id,
			c->peer.uid, c->greeted, c->dead, c->label, c->program, c->events);
		for (uint32_t i = 0; i < c->n_attachments; i++)
			fprintf(f, " %u", c->attachments[i]->id);
		fputc('\n', f);
	}
	cds_list_for_each_entry (u, &d->usages, list) {
		fprintf(f, "uid %u", u->uid);
		print_quota(f, &u->used);
	}
	fclose(f);
	return text;
}
