/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the configuration: ports. */
#include <libconfig.h>
#include <string.h>

#include "config_sections.h"

static int port_pollers(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_port_config *p = base;

	if (!config_setting_is_array(s) && !config_setting_is_list(s))
		return rn_read_fail(r, s, "pollers: indexes of pollers [ 0, ... ] are needed");
	p->n_pollers = (uint32_t)config_setting_length(s);
	if (!p->n_pollers || p->n_pollers > RN_PORT_POLLERS)
		return rn_read_fail(r, s, "pollers: 1 to %u are possible", RN_PORT_POLLERS);
	for (uint32_t i = 0; i < p->n_pollers; i++) {
		const config_setting_t *elem = config_setting_get_elem(s, i);
		int index = config_setting_get_int(elem);

		if (config_setting_type(elem) != CONFIG_TYPE_INT || index < 0)
			return rn_read_fail(r, s, "pollers: indexes count from 0");
		p->pollers[i] = (uint32_t)index;
		for (uint32_t k = 0; k < i; k++)
			if (p->pollers[k] == p->pollers[i])
				return rn_read_fail(r, s, "pollers: %d stands there twice", index);
	}
	return 0;
}

static const char *const xdp_modes[] = {"auto", "native", "generic", NULL};

const struct rn_setting rn_port_settings[] = {
	{.name = "dev", .kind = RN_TEXT, .offset = AT(rn_port_config, dev), .most = RAWNET_DEV},
	{.name = "backend", .kind = RN_TEXT, .offset = AT(rn_port_config, backend), .most = 16},
	{.name = "pollers", .kind = RN_OTHER, .read = port_pollers},
	{.name = "hw_queues",
	 .kind = RN_U32,
	 .offset = AT(rn_port_config, hw_queues),
	 .most = RN_PORT_HWQ},
	{.name = "xdp_mode",
	 .kind = RN_WORD,
	 .offset = AT(rn_port_config, xdp_mode),
	 .words = xdp_modes},
	{.name = "police", .kind = RN_BOOL, .offset = AT(rn_port_config, police)},
	{.name = "nic_policing", .kind = RN_BOOL, .offset = AT(rn_port_config, nic_policing)},
	{.name = "local_switching", .kind = RN_BOOL, .offset = AT(rn_port_config, local_switching)},
	{.name = "copy_rate",
	 .kind = RN_U32,
	 .offset = AT(rn_port_config, copy_rate),
	 .most = 100000000},
	{.name = "allow_mutable_memory",
	 .kind = RN_BOOL,
	 .offset = AT(rn_port_config, allow_mutable_memory)},
	{.name = "peer", .kind = RN_TEXT, .offset = AT(rn_port_config, peer), .most = RAWNET_DEV},
	{.name = "reflect", .kind = RN_BOOL, .offset = AT(rn_port_config, reflect)},
	{.name = "sink", .kind = RN_BOOL, .offset = AT(rn_port_config, sink)},
	{.name = "pcap_in", .kind = RN_STRING, .offset = AT(rn_port_config, pcap_in)},
	{.name = "pcap_out", .kind = RN_STRING, .offset = AT(rn_port_config, pcap_out)},
	{.name = "pcap_repeat", .kind = RN_BOOL, .offset = AT(rn_port_config, pcap_repeat)},
	{.name = "mtu",
	 .kind = RN_U32,
	 .offset = AT(rn_port_config, mtu),
	 .least = 68,
	 .most = 9216},
	{0},
};

static void port_init(void *element)
{
	struct rn_port_config *p = element;

	strcpy(p->backend, "auto");
	p->police = true;
	p->local_switching = true;
	p->n_pollers = 1;
}

bool rn_config_same_port(const struct rn_port_config *a, const struct rn_port_config *b)
{
	return rn_read_same(rn_port_settings, a, b) && a->n_pollers == b->n_pollers &&
	       !memcmp(a->pollers, b->pollers, sizeof(a->pollers));
}

int rn_read_ports(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_config *c = base;
	int rc = rn_read_list(r, s, rn_port_settings, sizeof(*c->ports), port_init,
			      (void **)&c->ports, &c->n_ports);

	for (uint32_t i = 0; !rc && i < c->n_ports; i++) {
		const config_setting_t *elem = config_setting_get_elem(s, i);

		if (!c->ports[i].dev[0])
			return rn_read_fail(r, elem, "port: dev is missing");
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(c->ports[k].dev, c->ports[i].dev))
				return rn_read_fail(r, elem, "port: dev \"%s\" stands there twice",
						    c->ports[i].dev);
		if (c->ports[i].reflect + c->ports[i].sink + (c->ports[i].peer[0] != 0) > 1)
			return rn_read_fail(r, elem,
					    "port: peer, reflect and sink exclude each other");
	}
	return rc;
}
