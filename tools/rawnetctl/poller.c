/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl poller: the daemon's threads that move packets. */
#include "ctl.h"

#include <inttypes.h>
#include <stdio.h>

static json_t *object(const struct rawnet_poller_info *p)
{
	return json_pack("{s:i, s:o, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:f}", "poller",
			 (int)p->poller, "cpu", ctl_bound_json(p->cpu, CTL_NO_CPU), "mode",
			 p->busy ? "busy" : "adaptive", "queues", (int)p->queues, "hot",
			 (int)p->hot, "turns", (json_int_t)p->turns, "busy_turns",
			 (json_int_t)p->busy_turns, "sleeps", (json_int_t)p->sleeps, "turn_max_ns",
			 (json_int_t)p->turn_max_ns, "turn_p99_ns", (json_int_t)p->turn_p99_ns,
			 "cpu_time", (double)p->cpu_ns / 1e9);
}

static void text(const struct ctl *c, const struct rawnet_poller_info *p)
{
	printf("poller %u: %s, ", p->poller, p->busy ? "busy" : "adaptive");
	if (p->cpu == CTL_NO_CPU)
		printf("any cpu, ");
	else
		printf("cpu %u, ", p->cpu);
	printf("%s, %u hot\n", ctl_plural(p->queues, "queue"), p->hot);
	if (c->stats)
		printf("    turns %" PRIu64 ", with work %" PRIu64 ", sleeps %" PRIu64
		       ", p99 of a turn %.1f us, longest %.1f us, %s of cpu time\n",
		       p->turns, p->busy_turns, p->sleeps, (double)p->turn_p99_ns / 1e3,
		       (double)p->turn_max_ns / 1e3, ctl_duration(p->cpu_ns));
}

int ctl_pollers(struct ctl *c, json_t *json, const char *key)
{
	json_t *array = c->json ? json_array() : NULL;
	struct ctl_list list;
	int rc =
		ctl_list(c, RAWNET_MSG_POLLER_LIST, NULL, sizeof(struct rawnet_poller_info), &list);

	for (size_t i = 0; !rc && i < list.n; i++) {
		if (c->json)
			json_array_append_new(array, object(ctl_entry(&list, i)));
		else
			text(c, ctl_entry(&list, i));
	}
	ctl_list_free(&list);
	json_object_set_new(json, key, array);
	return rc;
}

static int show(struct ctl *c, const struct ctl_args *args)
{
	json_t *json = c->json ? json_object() : NULL;
	int rc = ctl_pollers(c, json, "pollers");

	(void)args;
	if (!rc && c->json)
		return ctl_emit(c, json);
	json_decref(json);
	return rc;
}

const struct ctl_verb ctl_poller_verbs[] = {
	{"show", "pollers; -s: their turns and sleeps", show, {{0}}},
	{0},
};
