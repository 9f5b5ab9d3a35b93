/* SPDX-License-Identifier: BSD-2-Clause */
/* What of the configuration must fit together across its sections. See config.h. */
#include <errno.h>
#include <libconfig.h>
#include <stdbool.h>
#include <string.h>

#include "config.h"
#include "config_read.h"

/* Entry i of this list, for its line. */
static const config_setting_t *entry(const config_t *file, const char *list, uint32_t i)
{
	return config_setting_get_elem(config_lookup(file, list), i);
}

static bool is_port(const struct rn_config *c, const char *dev)
{
	for (uint32_t i = 0; i < c->n_ports; i++)
		if (!strcmp(c->ports[i].dev, dev))
			return true;
	return false;
}

static bool is_socket(const struct rn_config *c, const char *path)
{
	for (uint32_t i = 0; i < c->n_sockets; i++)
		if (!strcmp(c->sockets[i].path, path))
			return true;
	return false;
}

static int check_ports(struct rn_reader *r, const config_t *file)
{
	const struct rn_config *c = r->config;

	if (!c->n_ports)
		return rn_fail(r->err, -EINVAL, "%s: no ports: nothing to serve", r->path);
	for (uint32_t i = 0; i < c->n_ports; i++)
		for (uint32_t k = 0; k < c->ports[i].n_pollers; k++)
			if (c->ports[i].pollers[k] >= c->n_pollers)
				return rn_read_fail(r, entry(file, "ports", i),
						    "port %s: there is no poller %u",
						    c->ports[i].dev, c->ports[i].pollers[k]);
	return 0;
}

static int check_sockets(struct rn_reader *r, const config_t *file)
{
	const struct rn_config *c = r->config;

	for (uint32_t i = 0; i < c->n_sockets; i++)
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(c->sockets[k].path, c->sockets[i].path))
				return rn_read_fail(r, entry(file, "daemon.sockets", i),
						    "socket: path \"%s\" stands there twice",
						    c->sockets[i].path);
	return 0;
}

/* An entry that can fit nobody is a slip of the pen, and what it denies is allowed by the next. */
static int check_policy(struct rn_reader *r, const config_t *file)
{
	const struct rn_config *c = r->config;

	for (uint32_t i = 0; i < c->n_policy; i++) {
		const struct rn_policy_entry *e = &c->policy[i];

		if (e->dev[0] && !is_port(c, e->dev))
			return rn_read_fail(r, entry(file, "policy", i),
					    "policy: \"%s\" is not a port", e->dev);
		if (e->who == RN_WHO_SOCKET && !is_socket(c, e->socket))
			return rn_read_fail(r, entry(file, "policy", i),
					    "policy: \"%s\" is not one of the sockets", e->socket);
	}
	return 0;
}

static int check_rules(struct rn_reader *r, const config_t *file)
{
	const struct rn_config *c = r->config;

	for (uint32_t i = 0; i < c->n_rules; i++)
		if (!is_port(c, c->rules[i].dev))
			return rn_read_fail(r, entry(file, "rules", i),
					    "rule to %s: \"%s\" is not a port", c->rules[i].to,
					    c->rules[i].dev);
	return 0;
}

int rn_config_check(struct rn_reader *r, const config_t *file)
{
	static int (*const checks[])(struct rn_reader *, const config_t *) = {
		check_ports, check_sockets, check_policy, check_rules};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(checks) / sizeof(checks[0]); i++)
		rc = checks[i](r, file);
	return rc;
}
