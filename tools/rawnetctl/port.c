/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl port: the interfaces that the daemon serves. */
#include "ctl.h"

#include <stdio.h>

static json_t *object(struct ctl *c, const struct rawnet_port_info *p, int *rc)
{
	json_t *json = json_pack(
		"{s:s, s:s, s:s, s:i, s:i, s:s, s:b, s:b, s:b, s:i, s:i, s:i, s:i, s:i, s:o}",
		"dev", p->dev, "backend", p->backend, "mode", p->mode, "ifindex", (int)p->ifindex,
		"mtu", (int)p->mtu, "mac", ctl_mac(p->mac), "link_up", p->link_up, "draining",
		p->draining, "present", (int)p->present, "pollers", (int)p->n_pollers, "hw_queues",
		(int)p->n_hw_queues, "attachments", (int)p->n_attachments, "rules", (int)p->n_rules,
		"shapes", (int)p->n_shapes, "max_rules", ctl_bound_json(p->max_rules, 0));

	if (c->stats)
		json_object_set_new(json, "counters", ctl_counters_json(c, p->dev, 0, 0, rc));
	return json;
}

static int text(struct ctl *c, const struct rawnet_port_info *p)
{
	const struct ctl_layout layout = {.indent = "    "};

	printf("%s: %s, link %s, mtu %u, mac %s%s\n", p->dev,
	       p->present ? "present" : "the interface is gone", p->link_up ? "up" : "down", p->mtu,
	       ctl_mac(p->mac), p->draining ? ", draining" : "");
	printf("    backend %s (%s), %s on ", p->backend, p->mode,
	       ctl_plural(p->n_hw_queues, "hardware queue"));
	printf("%s\n", ctl_plural(p->n_pollers, "poller"));
	printf("    %s, %s in ", ctl_plural(p->n_attachments, "attachment"),
	       ctl_plural(p->n_rules, "rule"));
	printf("%s", ctl_plural(p->n_shapes, "shape"));
	if (p->max_rules)
		printf(", at most %u rules", p->max_rules);
	putchar('\n');
	return c->stats ? ctl_counters_text(c, p->dev, 0, 0, &layout) : CTL_OK;
}

static int show(struct ctl *c, const struct ctl_args *args)
{
	const char *word = ctl_word(args, "DEV");
	struct rawnet_req_list filter = {.cursor = 0};
	json_t *array = NULL;
	struct ctl_list list;
	int rc = word ? ctl_dev(c, word, filter.dev) : CTL_OK;

	if (rc)
		return rc;
	rc = ctl_list(c, RAWNET_MSG_PORT_LIST, &filter, sizeof(struct rawnet_port_info), &list);
	if (rc)
		return rc;
	if (word && !list.n)
		return ctl_refuse(c, "no port \"%s\"", word);
	if (c->json)
		array = json_array();
	for (size_t i = 0; !rc && i < list.n; i++) {
		if (c->json)
			json_array_append_new(array, object(c, ctl_entry(&list, i), &rc));
		else
			rc = text(c, ctl_entry(&list, i));
	}
	ctl_list_free(&list);
	if (!rc && c->json)
		return ctl_emit(c, json_pack("{s:o}", "ports", array));
	json_decref(array);
	return rc;
}

static int drain_or_resume(struct ctl *c, const struct ctl_args *args, bool on)
{
	struct rawnet_req_drain req = {.on = on};
	int rc = ctl_dev(c, ctl_word(args, "DEV"), req.dev);

	if (!rc)
		rc = ctl_request(c, RAWNET_MSG_PORT_DRAIN, &req, sizeof(req), NULL, 0);
	if (rc || !c->json)
		return rc;
	return ctl_emit(c, json_pack("{s:s, s:b}", "dev", req.dev, "draining", on));
}

static int drain(struct ctl *c, const struct ctl_args *args)
{
	return drain_or_resume(c, args, true);
}

static int resume(struct ctl *c, const struct ctl_args *args)
{
	return drain_or_resume(c, args, false);
}

const struct ctl_verb ctl_port_verbs[] = {
	{"show",
	 "ports; -s: their counters too",
	 show,
	 {{"DEV", CTL_PLAIN, false, CTL_DEVS, NULL}}},
	{"drain",
	 "take no new attachments and rules",
	 drain,
	 {{"DEV", CTL_PLAIN, true, CTL_DEVS, NULL}}},
	{"resume", "take them again", resume, {{"DEV", CTL_PLAIN, true, CTL_DEVS, NULL}}},
	{0},
};
