/* SPDX-License-Identifier: BSD-2-Clause */
/* Acts on what belongs to others: every request that names a thing, for every id there may be. */
#include "hostile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct session s;
static uint64_t own_rule;

static int ask_id(uint16_t type, uint64_t id)
{
	struct rawnet_req_id req = {.id = id};

	return session_ask(&s, &req, sizeof(req), type, NULL, 0, NULL);
}

static int delete_rule(uint64_t id)
{
	return id == own_rule ? -EPERM : ask_id(RAWNET_MSG_FLOW_DEL, id);
}

static int confirm_rule(uint64_t id)
{
	return id == own_rule ? -EPERM : ask_id(RAWNET_MSG_FLOW_CONFIRM, id);
}

static int move_rule(uint64_t id)
{
	struct rawnet_req_flow_move req = {.rule = id, .target.attachment = s.at.attachment};

	return id == own_rule
		       ? -EPERM
		       : session_ask(&s, &req, sizeof(req), RAWNET_MSG_FLOW_MOVE, NULL, 0, NULL);
}

static int give_rule(uint64_t id)
{
	struct rawnet_req_flow_add req = {.target.attachment = (uint32_t)id};

	if (id == s.at.attachment)
		return -EPERM;
	rawnet_match_parse("udp dport 7055", &req.match);
	strncpy(req.dev, orders.dev, sizeof(req.dev) - 1);
	return session_ask(&s, &req, sizeof(req), RAWNET_MSG_FLOW_ADD, NULL, 0, NULL);
}

static int detach(uint64_t id)
{
	return id == s.at.attachment ? -EPERM : ask_id(RAWNET_MSG_DETACH, id);
}

static int set_copies(uint64_t id)
{
	struct rawnet_req_copies req = {.attachment = (uint32_t)id,
					.copies = RAWNET_COPY_BROADCAST};

	return id == s.at.attachment
		       ? -EPERM
		       : session_ask(&s, &req, sizeof(req), RAWNET_MSG_COPIES, NULL, 0, NULL);
}

static int read_counters(uint64_t id)
{
	struct rawnet_req_counters req = {.attachment = (uint32_t)id, .queue = RAWNET_ALL_QUEUES};

	return id == s.at.attachment
		       ? -EPERM
		       : session_ask(&s, &req, sizeof(req), RAWNET_MSG_COUNTERS, NULL, 0, NULL);
}

static int capture(uint64_t id)
{
	struct rawnet_req_capture req = {
		.attachment = s.at.attachment, .direction = 3, .of = (uint32_t)id};

	return id == s.at.attachment
		       ? -EPERM
		       : session_ask(&s, &req, sizeof(req), RAWNET_MSG_CAPTURE, NULL, 0, NULL);
}

static int capture_all(uint64_t id)
{
	return id == 1 ? capture(0) : -EPERM;
}

static int disconnect(uint64_t id)
{
	return id == s.hello.client ? -EPERM : ask_id(RAWNET_MSG_CLIENT_DISCONNECT, id);
}

static int drain(uint64_t id)
{
	struct rawnet_req_drain req = {.on = 1};

	strncpy(req.dev, orders.dev, sizeof(req.dev) - 1);
	return id != 1 ? -EPERM
		       : session_ask(&s, &req, sizeof(req), RAWNET_MSG_PORT_DRAIN, NULL, 0, NULL);
}

/* {"uid": as the daemon knows us, "FLOW_DEL": how many were granted, ...} */
static int meddle(void)
{
	static const struct {
		const char *name;
		int (*try)(uint64_t id);
	} tries[] = {
		{"FLOW_DEL", delete_rule},    {"FLOW_CONFIRM", confirm_rule},
		{"FLOW_MOVE", move_rule},     {"FLOW_ADD", give_rule},
		{"DETACH", detach},	      {"COPIES", set_copies},
		{"COUNTERS", read_counters},  {"CAPTURE", capture},
		{"CAPTURE all", capture_all}, {"CLIENT_DISCONNECT", disconnect},
		{"PORT_DRAIN", drain},
	};

	session_dial(&s);
	session_hello(&s, "victim"); /* the label of another proves nothing */
	if (session_attach(&s, NULL) || session_rule(&s, orders.match, &own_rule))
		die("not even its own");
	printf("{\"uid\": %u, \"admin\": %u", s.hello.uid, s.hello.admin);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		unsigned granted = 0;

		for (uint64_t id = 0; id <= orders.count && !s.lost && !s.ended; id++)
			granted += tries[i].try(id) == 0;
		printf(", \"%s\": %u", tries[i].name, granted);
	}
	printf(", \"lost\": %d}\n", s.lost || s.ended);
	session_close(&s);
	return 0;
}

const struct act meddle_acts[] = {
	{"meddle", "asks for everything that belongs to others, ids up to the number", meddle},
	{0},
};
