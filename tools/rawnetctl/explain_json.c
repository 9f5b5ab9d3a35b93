/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl -j explain. */
#include <netinet/in.h>

#include "explain.h"

static json_t *or_null(uint64_t id)
{
	return id ? json_integer((json_int_t)id) : json_null();
}

static json_t *packet_json(const struct rawnet_seen *p)
{
	char dst[INET6_ADDRSTRLEN], src[INET6_ADDRSTRLEN];

	return json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:i, s:o, s:o, s:b}", "dmac",
			 ctl_mac(p->dmac), "smac", ctl_mac(p->smac), "vlan", p->vlan, "ethertype",
			 p->ethertype, "dst", explain_address(p, p->dst, dst, sizeof(dst)), "src",
			 explain_address(p, p->src, src, sizeof(src)), "proto", p->proto, "dport",
			 or_null(p->dport), "sport", or_null(p->sport), "fragment", p->fragment);
}

static json_t *shape_json(const struct rawnet_tried *t, unsigned place)
{
	json_t *bits = json_object();

	for (unsigned i = 0; i < RAWNET_FIELD_COUNT; i++)
		if (t->bits[i])
			json_object_set_new(bits, explain_fields[i], json_integer(t->bits[i]));
	return json_pack("{s:i, s:b, s:b, s:o, s:o, s:o}", "place", (int)place, "matches",
			 t->matches, "hidden", t->hidden, "bits", bits, "rules",
			 or_null(t->n_rules), "rule", or_null(t->rule));
}

static json_t *other_json(const struct explain_other *o)
{
	json_t *reasons = json_array();

	for (unsigned i = 0; i < o->n; i++)
		json_array_append_new(reasons, json_string(o->reason[i]));
	return json_pack("{s:I, s:s, s:o}", "rule", (json_int_t)o->flow->rule, "label",
			 o->flow->label, "why", reasons);
}

int explain_emit(struct explain *e)
{
	static const char *const verdicts[RAWNET_VERDICT_COUNT] = {"rule", "waiting", "no rule",
								   "group", "neighbour"};
	const struct rawnet_rep_explain *r = &e->rep;
	const struct rawnet_attachment_info *at = explain_attachment(e, r->attachment);
	json_t *shapes = json_array(), *others = json_array();

	for (unsigned i = 0; i < r->n_tried; i++)
		json_array_append_new(shapes, shape_json(&r->tried[i], i));
	for (size_t i = 0; i < e->n_others; i++)
		json_array_append_new(others, other_json(&e->others[i]));
	return ctl_emit(e->c,
			json_pack("{s:s, s:o, s:b, s:o, s:o, s:o, s:s, s:i, s:I, s:o, s:o, s:o, "
				  "s:I}",
				  "verdict",
				  r->verdict < RAWNET_VERDICT_COUNT ? verdicts[r->verdict] : "?",
				  "rule", or_null(r->rule), "hidden", (int)r->hidden, "attachment",
				  or_null(r->attachment), "client", or_null(r->client), "label",
				  at ? json_string(at->label) : json_null(), "dev", e->port.dev,
				  "members", (int)r->n_members, "hash", (json_int_t)r->hash,
				  "packet", packet_json(&r->seen), "shapes", shapes, "others",
				  others, "left_out", (json_int_t)e->left_out));
}
