/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl quota: what a user has of the daemon, and may have. */
#include "ctl.h"

#include <pwd.h>
#include <stdio.h>

static json_t *object(const struct rawnet_quota *q)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "memory",
			 ctl_bound_json(q->memory, UINT64_MAX), "queues",
			 ctl_bound_json(q->queues, UINT32_MAX), "rules",
			 ctl_bound_json(q->rules, UINT32_MAX), "attachments",
			 ctl_bound_json(q->attachments, UINT32_MAX), "connections",
			 ctl_bound_json(q->connections, UINT32_MAX), "users",
			 ctl_bound_json(q->users, UINT32_MAX));
}

static void line(const char *name, uint32_t used, uint32_t limit)
{
	if (limit == UINT32_MAX)
		printf("    %-12s %10u of any number\n", name, used);
	else
		printf("    %-12s %10u of %u\n", name, used, limit);
}

static void text(const struct rawnet_rep_quota *rep)
{
	const struct rawnet_quota *used = &rep->used, *limit = &rep->limit;

	printf("uid %s:\n", ctl_user(rep->uid));
	printf("    %-12s %10s of %s\n", "memory", ctl_bytes(used->memory),
	       limit->memory == UINT64_MAX ? "any size" : ctl_bytes(limit->memory));
	line("queues", used->queues, limit->queues);
	line("rules", used->rules, limit->rules);
	line("attachments", used->attachments, limit->attachments);
	line("connections", used->connections, limit->connections);
	line("users", used->users, limit->users);
}

static int user_id(struct ctl *c, const char *word, uint32_t *uid)
{
	const struct passwd *pw = getpwnam(word);
	uint64_t v;

	if (pw) {
		*uid = pw->pw_uid;
		return CTL_OK;
	}
	if (!ctl_is_number(word))
		return ctl_usage(c, "\"%s\": there is no such user", word);
	if (ctl_number(c, word, UINT32_MAX - 1, &v))
		return CTL_USAGE;
	*uid = (uint32_t)v;
	return CTL_OK;
}

static int quota(struct ctl *c, const struct ctl_args *args)
{
	const char *word = ctl_word(args, "USER");
	struct rawnet_req_quota req = {.self = !word};
	struct rawnet_rep_quota rep;
	int rc = word ? user_id(c, word, &req.uid) : CTL_OK;

	if (!rc)
		rc = ctl_request(c, RAWNET_MSG_QUOTA, &req, sizeof(req), &rep, sizeof(rep));
	if (rc)
		return rc;
	if (!c->json) {
		text(&rep);
		return CTL_OK;
	}
	return ctl_emit(c, json_pack("{s:I, s:o, s:o, s:o}", "uid", (json_int_t)rep.uid, "user",
				     ctl_user_json(rep.uid), "used", object(&rep.used), "limit",
				     object(&rep.limit)));
}

const struct ctl_verb ctl_quota_verbs[] = {
	{NULL,
	 "what a user has and may have; of yourself if none is named",
	 quota,
	 {{"USER", CTL_PLAIN, false, CTL_NOTHING, NULL}}},
	{0},
};
