/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl flow: the rules that say whose packets are whose. */
#include "ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY 86400u /* longest time to confirm a rule */

static const char *const gaps[] = {"kernel", "drop"};
_Static_assert(sizeof(gaps) / sizeof(gaps[0]) == RAWNET_GAP_COUNT, "a word for each");

/* ---- show ---- */

static const char *gap_name(uint32_t gap)
{
	return gap < RAWNET_GAP_COUNT ? gaps[gap] : "unknown";
}

json_t *ctl_flow_json(const struct rawnet_flow_info *f)
{
	char match[RAWNET_MATCH_TEXT];
	json_t *targets = json_array();

	rawnet_match_format(&f->match, match, sizeof(match));
	for (uint32_t i = 0; i < f->n_targets && i < 8; i++)
		json_array_append_new(targets, json_integer(f->targets[i]));
	return json_pack(
		"{s:I, s:s, s:s, s:s, s:I, s:o, s:o, s:i, s:i, s:i, s:s, s:b, s:b, s:b, "
		"s:b, s:b, s:i}",
		"rule", (json_int_t)f->rule, "dev", f->dev, "match", match, "label", f->label,
		"uid", (json_int_t)f->uid, "user", ctl_user_json(f->uid), "attachments", targets,
		"n_attachments", (int)f->n_targets, "shape", (int)f->shape, "index", (int)f->index,
		"gap", gap_name(f->gap), "persist", (int)(f->flags & RAWNET_FLOW_PERSIST), "group",
		(int)(f->flags & RAWNET_FLOW_GROUP), "static", (int)(f->flags & RAWNET_FLOW_STATIC),
		"waiting", (int)(f->flags & RAWNET_FLOW_WAITING), "tentative",
		(int)(f->flags & RAWNET_FLOW_TENTATIVE), "confirm_left", (int)f->confirm_left);
}

/* The client of the attachment that a rule leads to; 0 if it is not in the list. */
static uint32_t client_of(const struct rawnet_flow_info *f, const struct ctl_list *attachments)
{
	for (size_t i = 0; f->n_targets && i < attachments->n; i++) {
		const struct rawnet_attachment_info *at = ctl_entry(attachments, i);

		if (at->attachment == f->targets[0])
			return at->client;
	}
	return 0;
}

/* In the words that would add it, and behind "#" what else there is to say. */
void ctl_flow_text(const struct ctl *c, const struct rawnet_flow_info *f,
		   const struct ctl_list *attachments, const char *prefix)
{
	char match[RAWNET_MATCH_TEXT];

	rawnet_match_format(&f->match, match, sizeof(match));
	printf("%s%" PRIu64 ": dev %s %s to ", prefix, f->rule, f->dev, match);
	if (f->label[0])
		printf("%s", f->label);
	else
		printf("%u", client_of(f, attachments));
	printf("%s%s", f->flags & RAWNET_FLOW_PERSIST ? " persist" : "",
	       f->flags & RAWNET_FLOW_GROUP ? " group" : "");
	if (f->gap)
		printf(" gap %s", gap_name(f->gap));
	if (f->flags & RAWNET_FLOW_TENTATIVE)
		printf(" # goes back in %s", ctl_duration(f->confirm_left * 1000000000ull));
	if (f->flags & RAWNET_FLOW_WAITING)
		printf(" # waits for its client");
	if (f->flags & RAWNET_FLOW_STATIC)
		printf(" # of the configuration");
	putchar('\n');
	if (c->stats)
		printf("%*s    uid %s, shape %u, %s\n", (int)strspn(prefix, " "), "",
		       ctl_user(f->uid), f->shape, ctl_plural(f->n_targets, "attachment"));
}

static int print_rules(struct ctl *c, const struct ctl_list *rules, json_t *array)
{
	struct ctl_list attachments = {.n = 0};
	int rc = c->json ? CTL_OK : ctl_attachments(c, 0, &attachments);

	for (size_t i = 0; !rc && i < rules->n; i++) {
		if (c->json)
			json_array_append_new(array, ctl_flow_json(ctl_entry(rules, i)));
		else
			ctl_flow_text(c, ctl_entry(rules, i), &attachments, "");
	}
	ctl_list_free(&attachments);
	return rc;
}

/* The rules that a filter lets through, of each client or of all. */
static int print_filtered(struct ctl *c, struct rawnet_req_list *filter, const char *client,
			  json_t *array)
{
	struct ctl_list clients = {.n = 0}, rules;
	size_t i = 0;
	int rc = client ? ctl_find_clients(c, client, &clients) : CTL_OK;

	if (rc)
		return rc;
	do {
		if (client)
			filter->client =
				((const struct rawnet_client_info *)ctl_entry(&clients, i))->client;
		rc = ctl_list(c, RAWNET_MSG_FLOW_LIST, filter, sizeof(struct rawnet_flow_info),
			      &rules);
		if (!rc && filter->id && !rules.n)
			rc = ctl_refuse(c, "no rule %" PRIu64, filter->id);
		if (!rc)
			rc = print_rules(c, &rules, array);
		ctl_list_free(&rules);
	} while (!rc && ++i < clients.n);
	ctl_list_free(&clients);
	return rc;
}

static int show(struct ctl *c, const struct ctl_args *args)
{
	const char *id = ctl_word(args, "RULE"), *dev = ctl_word(args, "dev");
	struct rawnet_req_list filter = {.cursor = 0};
	json_t *array;
	int rc = id ? ctl_number(c, id, UINT64_MAX, &filter.id) : CTL_OK;

	if (!rc && dev)
		rc = ctl_dev(c, dev, filter.dev);
	if (rc)
		return rc;
	array = c->json ? json_array() : NULL;
	rc = print_filtered(c, &filter, ctl_word(args, "client"), array);
	if (!rc && c->json)
		return ctl_emit(c, json_pack("{s:o}", "rules", array));
	json_decref(array);
	return rc;
}

/* ---- add and check ---- */

static int read_gap(const struct ctl *c, const char *word, uint32_t *gap)
{
	for (*gap = 0; word && *gap < RAWNET_GAP_COUNT; ++*gap)
		if (!strcmp(word, gaps[*gap]))
			return CTL_OK;
	if (word)
		return ctl_usage(c, "\"%s\": gap is kernel or drop", word);
	return CTL_OK;
}

static int read_rule(const struct ctl *c, const struct ctl_args *args,
		     struct rawnet_req_flow_add *req)
{
	uint64_t confirm = 0;
	int rc = ctl_dev(c, ctl_word(args, "dev"), req->dev);

	if (rc)
		return rc;
	if (rawnet_match_parse(args->match, &req->match))
		return ctl_usage(c, "%s", rawnet_error());
	if (ctl_word(args, "confirm") && ctl_number(c, ctl_word(args, "confirm"), DAY, &confirm))
		return CTL_USAGE;
	req->confirm = (uint32_t)confirm;
	if (ctl_word(args, "persist"))
		req->flags |= RAWNET_FLOW_PERSIST;
	if (ctl_word(args, "group"))
		req->flags |= RAWNET_FLOW_GROUP;
	if (ctl_word(args, "force"))
		req->flags |= RAWNET_FLOW_FORCE;
	return read_gap(c, ctl_word(args, "gap"), &req->gap);
}

static int add_or_check(struct ctl *c, const struct ctl_args *args, uint32_t flags,
			struct rawnet_rep_flow *rep)
{
	struct rawnet_req_flow_add req = {.flags = flags};
	int rc = read_rule(c, args, &req);

	if (!rc)
		rc = ctl_target(c, ctl_word(args, "to"), req.dev, &req.target);
	return rc ? rc : ctl_request(c, RAWNET_MSG_FLOW_ADD, &req, sizeof(req), rep, sizeof(*rep));
}

static int add(struct ctl *c, const struct ctl_args *args)
{
	struct rawnet_rep_flow rep;
	int rc = add_or_check(c, args, 0, &rep);

	if (rc)
		return rc;
	if (c->json)
		return ctl_emit(c, json_pack("{s:I, s:i, s:i}", "rule", (json_int_t)rep.rule,
					     "shape", (int)rep.shape, "index", (int)rep.index));
	printf("rule %" PRIu64 "\n", rep.rule);
	return CTL_OK;
}

static int check(struct ctl *c, const struct ctl_args *args)
{
	struct rawnet_rep_flow rep;
	int rc = add_or_check(c, args, RAWNET_FLOW_CHECK, &rep);

	if (rc)
		return rc;
	if (c->json)
		return ctl_emit(c, json_pack("{s:b}", "possible", 1));
	puts("it could be added");
	return CTL_OK;
}

/* ---- del, confirm, move ---- */

static int by_id(struct ctl *c, const struct ctl_args *args, enum rawnet_msg type)
{
	struct rawnet_req_id req = {.id = 0};
	int rc = ctl_number(c, ctl_word(args, "RULE"), UINT64_MAX, &req.id);

	if (!rc)
		rc = ctl_request(c, type, &req, sizeof(req), NULL, 0);
	if (rc || !c->json)
		return rc;
	return ctl_emit(c, json_pack("{s:I}", "rule", (json_int_t)req.id));
}

static int del(struct ctl *c, const struct ctl_args *args)
{
	return by_id(c, args, RAWNET_MSG_FLOW_DEL);
}

static int confirm(struct ctl *c, const struct ctl_args *args)
{
	return by_id(c, args, RAWNET_MSG_FLOW_CONFIRM);
}

/* The port of a rule, where the target's attachment is looked for. */
static int dev_of(struct ctl *c, uint64_t rule, char dev[RAWNET_DEV])
{
	const struct rawnet_req_list filter = {.id = rule};
	struct ctl_list list;
	int rc = ctl_list(c, RAWNET_MSG_FLOW_LIST, &filter, sizeof(struct rawnet_flow_info), &list);

	if (rc)
		return rc;
	if (list.n)
		memcpy(dev, ((const struct rawnet_flow_info *)ctl_entry(&list, 0))->dev,
		       RAWNET_DEV);
	else
		rc = ctl_refuse(c, "no rule %" PRIu64, rule);
	ctl_list_free(&list);
	return rc;
}

static int move(struct ctl *c, const struct ctl_args *args)
{
	struct rawnet_req_flow_move req = {.rule = 0};
	char dev[RAWNET_DEV];
	int rc = ctl_number(c, ctl_word(args, "RULE"), UINT64_MAX, &req.rule);

	if (!rc)
		rc = dev_of(c, req.rule, dev);
	if (!rc)
		rc = ctl_target(c, ctl_word(args, "to"), dev, &req.target);
	if (!rc)
		rc = ctl_request(c, RAWNET_MSG_FLOW_MOVE, &req, sizeof(req), NULL, 0);
	if (rc || !c->json)
		return rc;
	return ctl_emit(c, json_pack("{s:I}", "rule", (json_int_t)req.rule));
}

#define DEV                                             \
	{                                               \
		"dev", CTL_VALUE, true, CTL_DEVS, "DEV" \
	}
#define MATCH                                               \
	{                                                   \
		"MATCH", CTL_MATCH, true, CTL_NOTHING, NULL \
	}
#define TO                                                   \
	{                                                    \
		"to", CTL_VALUE, true, CTL_CLIENTS, "CLIENT" \
	}
#define PERSIST                                               \
	{                                                     \
		"persist", CTL_FLAG, false, CTL_NOTHING, NULL \
	}
#define GROUP                                               \
	{                                                   \
		"group", CTL_FLAG, false, CTL_NOTHING, NULL \
	}
#define CONFIRM                                                     \
	{                                                           \
		"confirm", CTL_VALUE, false, CTL_NOTHING, "SECONDS" \
	}
#define FORCE                                               \
	{                                                   \
		"force", CTL_FLAG, false, CTL_NOTHING, NULL \
	}
#define GAP                                                      \
	{                                                        \
		"gap", CTL_VALUE, false, CTL_GAPS, "kernel|drop" \
	}
#define RULE                                             \
	{                                                \
		"RULE", CTL_PLAIN, true, CTL_RULES, NULL \
	}

const struct ctl_verb ctl_flow_verbs[] = {
	{"show",
	 "rules; -s: owner, shape and attachments",
	 show,
	 {{"RULE", CTL_PLAIN, false, CTL_RULES, NULL},
	  {"dev", CTL_VALUE, false, CTL_DEVS, "DEV"},
	  {"client", CTL_VALUE, false, CTL_CLIENTS, "CLIENT"}}},
	{"add",
	 "give what matches to a client",
	 add,
	 {DEV, MATCH, TO, PERSIST, GROUP, CONFIRM, FORCE, GAP}},
	{"check",
	 "would that be possible? Changes nothing",
	 check,
	 {DEV, MATCH, TO, PERSIST, GROUP, CONFIRM, FORCE, GAP}},
	{"confirm", "keep a rule that was added with confirm", confirm, {RULE}},
	{"del", "delete a rule", del, {RULE}},
	{"move", "give a rule to another client of its user", move, {RULE, TO}},
	{0},
};
