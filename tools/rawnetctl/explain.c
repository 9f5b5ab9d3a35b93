/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl explain: who gets this packet, and why nobody else does. */
#include "explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

static void print_who(const struct explain *e)
{
	const struct rawnet_rep_explain *r = &e->rep;
	const struct rawnet_attachment_info *at = explain_attachment(e, r->attachment);

	if (at)
		printf("client %u (%s, uid %s), attachment %u", r->client,
		       at->label[0] ? at->label : "without label", ctl_user(at->uid),
		       r->attachment);
	else
		printf("client %u, attachment %u", r->client, r->attachment);
	if (r->n_members > 1)
		printf(", one of %u by the flow's hash 0x%08x", r->n_members, r->hash);
}

static void print_rule(const struct explain *e, uint64_t rule)
{
	const struct rawnet_flow_info *f = explain_flow(e, rule);
	char match[RAWNET_MATCH_TEXT] = "";

	if (f)
		rawnet_match_format(&f->match, match, sizeof(match));
	printf("rule %" PRIu64 "%s%s", rule, f ? ": " : "", match);
}

static void print_copies(const struct explain *e)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const uint32_t kind = memcmp(e->rep.seen.dmac, broadcast, 6) ? RAWNET_COPY_MULTICAST
								     : RAWNET_COPY_BROADCAST;

	for (size_t i = 0; i < e->attachments.n; i++) {
		const struct rawnet_attachment_info *at = ctl_entry(&e->attachments, i);

		if ((at->copies & kind) && !strcmp(at->dev, e->port.dev))
			printf("  a copy goes to client %u (%s), which asked for them\n",
			       at->client, at->label[0] ? at->label : "without label");
	}
}

static void print_verdict(const struct explain *e)
{
	const struct rawnet_rep_explain *r = &e->rep;

	if (r->hidden) {
		puts("taken by a rule of another user");
		return;
	}
	switch (r->verdict) {
	case RAWNET_VERDICT_RULE:
		printf("goes to ");
		print_who(e);
		printf("\n  by ");
		print_rule(e, r->rule);
		putchar('\n');
		break;
	case RAWNET_VERDICT_WAITS:
		printf("is dropped (rx_drop_stale): its client is not there\n  by ");
		print_rule(e, r->rule);
		putchar('\n');
		break;
	case RAWNET_VERDICT_GROUP:
		puts("stays with the kernel: no rule takes packets to a group address");
		print_copies(e);
		break;
	case RAWNET_VERDICT_NEIGH:
		puts("stays with the kernel: no rule takes ARP and neighbour discovery to the "
		     "port's own MAC");
		break;
	default: puts("stays with the kernel: no rule matches"); break;
	}
}

static void print_shape(const struct explain *e, unsigned i, bool decided)
{
	const struct rawnet_tried *t = &e->rep.tried[i];

	printf("  %u:", i);
	if (t->hidden) {
		printf(" a kind of match that is not yours to see");
	} else {
		for (unsigned f = 0; f < RAWNET_FIELD_COUNT; f++) {
			if (!t->bits[f])
				continue;
			printf(" %s", explain_fields[f]);
			if (f == RAWNET_FIELD_DST || f == RAWNET_FIELD_SRC)
				printf("/%u", t->bits[f]);
		}
		if (t->n_rules)
			printf(" (%s)", ctl_plural(t->n_rules, "rule"));
	}
	if (!t->matches)
		printf(": no match\n");
	else if (t->rule)
		printf(": rule %" PRIu64 " %s\n", t->rule, decided ? "would match" : "matches");
	else
		printf(": a rule of another user %s\n", decided ? "would match" : "matches");
}

static void print_tried(const struct explain *e)
{
	bool decided = false;

	if (e->rep.n_tried)
		puts("shapes, in the order in which they are tried:");
	for (unsigned i = 0; i < e->rep.n_tried; i++) {
		print_shape(e, i, decided);
		decided |= e->rep.tried[i].matches;
	}
}

static void print_others(const struct explain *e)
{
	if (e->n_others)
		puts("why not another rule:");
	for (size_t i = 0; i < e->n_others; i++) {
		const struct explain_other *o = &e->others[i];

		printf("  rule %" PRIu64 " (%s): ", o->flow->rule,
		       o->flow->label[0] ? o->flow->label : "without label");
		for (unsigned n = 0; n < o->n; n++)
			printf("%s%s", n ? "; " : "", o->reason[n]);
		putchar('\n');
	}
	if (e->left_out)
		printf("  and %s that fit less\n", ctl_plural(e->left_out, "rule"));
}

static void print(const struct explain *e)
{
	char text[320];

	explain_packet_text(&e->rep.seen, text, sizeof(text));
	printf("packet in %s: %s\n", e->port.dev, text);
	if (!e->port.present || !e->port.link_up)
		printf("%s: nothing arrives now\n",
		       e->port.present ? "the link is down" : "the interface is gone");
	print_verdict(e);
	print_tried(e);
	print_others(e);
}

/* What the host sends through the port is not looked at by rules, and neither is what it sends to
 * itself: a port is a connection to the wire. */
static int outwards(struct ctl *c, const struct explain *e)
{
	if (c->json)
		return ctl_emit(c, json_pack("{s:s, s:s}", "verdict", "out", "dev", e->port.dev));
	printf("packet of this host out of %s: leaves for the wire, no rule is asked\n"
	       "  Programs of this host get what arrives on the wire: see \"This host and its "
	       "programs\" in flows.md\n",
	       e->port.dev);
	return CTL_OK;
}

/* ---- asking ---- */

static int find_port(struct explain *e, const char *dev)
{
	struct rawnet_req_list filter = {.cursor = 0};
	struct ctl_list list;
	int rc = ctl_dev(e->c, dev, filter.dev);

	if (rc)
		return rc;
	memcpy(e->req.dev, filter.dev, sizeof(e->req.dev));
	rc = ctl_list(e->c, RAWNET_MSG_PORT_LIST, &filter, sizeof(e->port), &list);
	if (rc)
		return rc;
	if (list.n)
		memcpy(&e->port, ctl_entry(&list, 0), sizeof(e->port));
	else
		rc = ctl_refuse(e->c, "no port \"%s\"", dev);
	ctl_list_free(&list);
	return rc;
}

static int find_client(struct ctl *c, const char *word, uint32_t *client)
{
	struct ctl_list list;
	int rc = word ? ctl_find_clients(c, word, &list) : CTL_OK;

	*client = 0;
	if (rc || !word)
		return rc;
	if (list.n > 1)
		rc = ctl_refuse(c, "\"%s\": %zu clients have this label, name one by its id", word,
				list.n);
	*client = ((const struct rawnet_client_info *)ctl_entry(&list, 0))->client;
	ctl_list_free(&list);
	return rc;
}

static int ask(struct explain *e, const char *client)
{
	struct rawnet_req_list filter = {.cursor = 0};
	uint32_t id;
	int rc = find_client(e->c, client, &id);

	memcpy(filter.dev, e->req.dev, sizeof(filter.dev));
	if (!rc)
		rc = ctl_request(e->c, RAWNET_MSG_EXPLAIN, &e->req, sizeof(e->req), &e->rep,
				 sizeof(e->rep));
	if (!rc)
		rc = ctl_list(e->c, RAWNET_MSG_FLOW_LIST, &filter, sizeof(struct rawnet_flow_info),
			      &e->flows);
	if (!rc)
		rc = ctl_attachments(e->c, 0, &e->attachments);
	return rc ? rc : explain_others(e, id);
}

static int check_words(const struct ctl *c, const struct ctl_args *args)
{
	struct rawnet_match match;

	if (args->match[0] && ctl_word(args, "file"))
		return ctl_usage(c, "\"file\": the packet is said in words already");
	if (!args->match[0] && !ctl_word(args, "file"))
		return ctl_usage(c, "MATCH or file is missing: which packet?");
	if (ctl_word(args, "in") && ctl_word(args, "out"))
		return ctl_usage(c, "\"out\": in or out, not both");
	if (args->match[0] && rawnet_match_parse(args->match, &match))
		return ctl_usage(c, "%s", rawnet_error());
	return CTL_OK;
}

static int explain(struct ctl *c, const struct ctl_args *args)
{
	const char *file = ctl_word(args, "file");
	struct explain *e;
	int rc = check_words(c, args);

	if (rc)
		return rc;
	e = calloc(1, sizeof(*e));
	if (!e)
		return ctl_refuse(c, "out of memory");
	e->c = c;
	rc = find_port(e, ctl_word(args, "dev"));
	if (!rc)
		rc = file ? explain_read(e, file) : explain_make(e, args->match);
	if (!rc && ctl_word(args, "out")) {
		rc = outwards(c, e);
	} else if (!rc) {
		rc = ask(e, ctl_word(args, "client"));
		if (!rc && c->json)
			rc = explain_emit(e);
		else if (!rc)
			print(e);
	}
	ctl_list_free(&e->flows);
	ctl_list_free(&e->attachments);
	free(e->others);
	free(e);
	return rc;
}

const struct ctl_verb ctl_explain_verbs[] = {
	{NULL,
	 "who gets this packet (said in words, or the first of a capture), and why nobody else",
	 explain,
	 {{"in", CTL_FLAG, false, CTL_NOTHING, NULL},
	  {"out", CTL_FLAG, false, CTL_NOTHING, NULL},
	  {"dev", CTL_VALUE, true, CTL_DEVS, "DEV"},
	  {"client", CTL_VALUE, false, CTL_CLIENTS, "CLIENT"},
	  {"file", CTL_VALUE, false, CTL_NOTHING, "PCAP"},
	  {"MATCH", CTL_MATCH, false, CTL_NOTHING, NULL}}},
	{0},
};
