/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See config.h. The tables below are the grammar of the file, section by section; loading follows.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <libconfig.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "config_read.h"
#include "log.h"
#include "match.h"
#include "policy.h"

#define AT(type, member) offsetof(struct type, member)

/* ---- values with a meaning of their own ---- */

/* A user or group by number; -1 means "nobody in particular" to the kernel and to us. */
static bool is_id(const char *text, uint32_t *id)
{
	unsigned long v;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	*id = (uint32_t)v;
	return !errno && !*end && v < UINT32_MAX;
}

static int read_user(struct rn_reader *r, const config_setting_t *s, uid_t *uid)
{
	const char *name = rn_read_text(r, s);
	const struct passwd *pw = name ? getpwnam(name) : NULL;
	uint32_t id = 0;

	if (!name)
		return -EINVAL;
	if (!pw && !is_id(name, &id))
		return rn_read_fail(r, s, "there is no user \"%.32s\"", name);
	*uid = pw ? pw->pw_uid : id;
	return 0;
}

static int read_group(struct rn_reader *r, const config_setting_t *s, gid_t *gid)
{
	const char *name = rn_read_text(r, s);
	const struct group *gr = name ? getgrnam(name) : NULL;
	uint32_t id = 0;

	if (!name)
		return -EINVAL;
	if (!gr && !is_id(name, &id))
		return rn_read_fail(r, s, "there is no group \"%.32s\"", name);
	*gid = gr ? gr->gr_gid : id;
	return 0;
}

static int read_match(struct rn_reader *r, const config_setting_t *s, struct rawnet_match *m)
{
	const char *text = rn_read_text(r, s);
	char why[160];

	if (!text)
		return -EINVAL;
	if (rn_match_parse(text, m, why, sizeof(why)))
		return rn_read_fail(r, s, "\"%.64s\": %s", text, why);
	return 0;
}

static int read_matches(struct rn_reader *r, const config_setting_t *s, struct rawnet_match **array,
			uint32_t *n)
{
	*n = (uint32_t)config_setting_length(s);
	if (!config_setting_is_list(s) && !config_setting_is_array(s))
		return rn_read_fail(r, s, "%s: a list of matches ( \"...\", ... ) is needed",
				    config_setting_name(s));
	*array = rn_read_alloc(r, (*n + 1) * sizeof(**array));
	if (!*array)
		return -ENOMEM;
	for (uint32_t i = 0; i < *n; i++) {
		int rc = read_match(r, config_setting_get_elem(s, i), &(*array)[i]);

		if (rc)
			return rc;
	}
	return 0;
}

/* ---- daemon { sockets } ---- */

static int socket_owner(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return read_user(r, s, &((struct rn_socket_config *)base)->owner);
}

static int socket_group(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return read_group(r, s, &((struct rn_socket_config *)base)->group);
}

/* libconfig reads 0660 as the number 660: its digits are meant as octal, with or without quotes. */
static int socket_mode(struct rn_reader *r, const config_setting_t *s, void *base)
{
	char text[16] = "";
	const char *digits = text;
	char *end;
	unsigned long mode;

	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		digits = config_setting_get_string(s);
	else if (config_setting_type(s) == CONFIG_TYPE_INT &&
		 config_setting_get_format(s) == CONFIG_FORMAT_DEFAULT)
		snprintf(text, sizeof(text), "%d", config_setting_get_int(s));
	mode = strtoul(digits, &end, 8);
	if (*end || end == digits || mode > 0777)
		return rn_read_fail(r, s, "mode: 0000 to 0777 is possible");
	((struct rn_socket_config *)base)->mode = (uint32_t)mode;
	return 0;
}

static const struct rn_setting socket_table[] = {
	{.name = "path", .kind = RN_TEXT, .offset = AT(rn_socket_config, path), .most = 108},
	{.name = "owner", .kind = RN_OTHER, .read = socket_owner},
	{.name = "group", .kind = RN_OTHER, .read = socket_group},
	{.name = "mode", .kind = RN_OTHER, .read = socket_mode},
	{0},
};

static void socket_init(void *element)
{
	struct rn_socket_config *s = element;
	const struct group *gr = getgrnam("rawnet");

	strcpy(s->path, RAWNET_DEFAULT_SOCKET);
	s->owner = (uid_t)-1;
	s->group = gr ? gr->gr_gid : (gid_t)-1;
	s->mode = 0660;
}

static int read_sockets(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_config *c = base;

	return rn_read_list(r, s, socket_table, sizeof(*c->sockets), socket_init,
			    (void **)&c->sockets, &c->n_sockets);
}

static int admin_group(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return read_group(r, s, &((struct rn_config *)base)->admin_group);
}

static int monitor_group(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return read_group(r, s, &((struct rn_config *)base)->monitor_group);
}

/* The packages make it; nobody has to. */
static gid_t default_monitor_group(void)
{
	const struct group *gr = getgrnam("rawnet-monitor");

	return gr ? gr->gr_gid : (gid_t)-1;
}

static int capture_group(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return read_group(r, s, &((struct rn_config *)base)->capture_group);
}

static int log_level(struct rn_reader *r, const config_setting_t *s, void *base)
{
	const char *text = rn_read_text(r, s);
	int level = text ? rn_log_level_named(text) : -1;

	if (!text)
		return -EINVAL;
	if (level < 0)
		return rn_read_fail(r, s,
				    "log_level: \"%.32s\" is not one of \"error\", "
				    "\"warning\", \"info\", \"debug\"",
				    text);
	((struct rn_config *)base)->log_level = level;
	return 0;
}

static int protect(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_config *c = base;

	return read_matches(r, s, &c->protect, &c->n_protect);
}

static const struct rn_setting daemon_table[] = {
	{.name = "sockets", .kind = RN_OTHER, .read = read_sockets},
	{.name = "admin_group", .kind = RN_OTHER, .read = admin_group},
	{.name = "monitor_group", .kind = RN_OTHER, .read = monitor_group},
	{.name = "capture_group", .kind = RN_OTHER, .read = capture_group},
	{.name = "log_level", .kind = RN_OTHER, .read = log_level},
	{.name = "protect", .kind = RN_OTHER, .read = protect},
	{.name = "sandbox", .kind = RN_BOOL, .offset = AT(rn_config, sandbox)},
	{.name = "store", .kind = RN_BOOL, .offset = AT(rn_config, store)},
	{0},
};

static int read_daemon(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return rn_read_group(r, s, daemon_table, base);
}

/* ---- pollers ---- */

static int poller_mode(struct rn_reader *r, const config_setting_t *s, void *base)
{
	const char *text = rn_read_text(r, s);

	if (!text)
		return -EINVAL;
	if (strcmp(text, "adaptive") && strcmp(text, "busy"))
		return rn_read_fail(r, s, "mode: \"%.32s\" is not one of \"adaptive\", \"busy\"",
				    text);
	((struct rn_poller_config *)base)->busy = !strcmp(text, "busy");
	return 0;
}

static const struct rn_setting poller_table[] = {
	{.name = "cpu", .kind = RN_U32, .offset = AT(rn_poller_config, cpu), .most = 4095},
	{.name = "mode", .kind = RN_OTHER, .read = poller_mode},
	{0},
};

static void poller_init(void *element)
{
	((struct rn_poller_config *)element)->cpu = -1;
}

static int read_pollers(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_config *c = base;

	return rn_read_list(r, s, poller_table, sizeof(*c->pollers), poller_init,
			    (void **)&c->pollers, &c->n_pollers);
}

/* ---- ports ---- */

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

static const struct rn_setting port_table[] = {
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
	return rn_read_same(port_table, a, b) && a->n_pollers == b->n_pollers &&
	       !memcmp(a->pollers, b->pollers, sizeof(a->pollers));
}

static int read_ports(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_config *c = base;
	int rc = rn_read_list(r, s, port_table, sizeof(*c->ports), port_init, (void **)&c->ports,
			      &c->n_ports);

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

/* ---- policy ---- */

static int policy_who(struct rn_reader *r, const config_setting_t *s, struct rn_policy_entry *p,
		      enum rn_who who)
{
	if (p->who != RN_WHO_ANY)
		return rn_read_fail(r, s, "policy: one of user, group, socket is possible");
	p->who = who;
	return 0;
}

static int policy_user(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_policy_entry *p = base;
	int rc = policy_who(r, s, p, RN_WHO_USER);

	return rc ? rc : read_user(r, s, &p->uid);
}

static int policy_group(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_policy_entry *p = base;
	int rc = policy_who(r, s, p, RN_WHO_GROUP);

	return rc ? rc : read_group(r, s, &p->gid);
}

static int policy_socket(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_policy_entry *p = base;
	const char *path = rn_read_text(r, s);
	int rc = path ? policy_who(r, s, p, RN_WHO_SOCKET) : -EINVAL;

	if (!rc && strlen(path) >= sizeof(p->socket))
		rc = rn_read_fail(r, s, "socket: the path is too long");
	if (!rc)
		memcpy(p->socket, path, strlen(path) + 1);
	return rc;
}

static int policy_allow(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_policy_entry *p = base;

	return read_matches(r, s, &p->allow, &p->n_allow);
}

static int policy_deny(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_policy_entry *p = base;

	return read_matches(r, s, &p->deny, &p->n_deny);
}

static const struct rn_setting policy_table[] = {
	{.name = "user", .kind = RN_OTHER, .read = policy_user},
	{.name = "group", .kind = RN_OTHER, .read = policy_group},
	{.name = "socket", .kind = RN_OTHER, .read = policy_socket},
	{.name = "dev", .kind = RN_TEXT, .offset = AT(rn_policy_entry, dev), .most = RAWNET_DEV},
	{.name = "allow", .kind = RN_OTHER, .read = policy_allow},
	{.name = "deny", .kind = RN_OTHER, .read = policy_deny},
	{.name = "rules",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, limit.rules),
	 .most = 1u << 20},
	{.name = "memory", .kind = RN_U64, .offset = AT(rn_policy_entry, limit.memory)},
	{.name = "queues",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, limit.queues),
	 .most = 65536},
	{.name = "attachments",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, limit.attachments),
	 .most = 65536},
	{.name = "connections",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, limit.connections),
	 .most = 65536},
	{.name = "rate", .kind = RN_U64, .offset = AT(rn_policy_entry, packet_rate)},
	{.name = "byte_rate", .kind = RN_U64, .offset = AT(rn_policy_entry, byte_rate)},
	{.name = "weight",
	 .kind = RN_U32,
	 .offset = AT(rn_policy_entry, weight),
	 .least = 1,
	 .most = 64},
	{.name = "spoof", .kind = RN_BOOL, .offset = AT(rn_policy_entry, spoof)},
	{.name = "huge", .kind = RN_BOOL, .offset = AT(rn_policy_entry, huge)},
	{.name = "force", .kind = RN_BOOL, .offset = AT(rn_policy_entry, force)},
	{0},
};

static void policy_init(void *element)
{
	struct rn_policy_entry *p = element;

	p->limit = (struct rawnet_quota) {.memory = 256u << 20,
					  .queues = 64,
					  .rules = 1024,
					  .attachments = 16,
					  .connections = 64};
	p->weight = 1;
}

static int read_policy(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_config *c = base;

	return rn_read_list(r, s, policy_table, sizeof(*c->policy), policy_init,
			    (void **)&c->policy, &c->n_policy);
}

/* ---- rules ---- */

static int rule_match(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return read_match(r, s, &((struct rn_static_rule *)base)->match);
}

static int rule_user(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return read_user(r, s, &((struct rn_static_rule *)base)->uid);
}

static const char *const gaps[] = {"kernel", "drop", NULL};

static const struct rn_setting rule_table[] = {
	{.name = "dev", .kind = RN_TEXT, .offset = AT(rn_static_rule, dev), .most = RAWNET_DEV},
	{.name = "match", .kind = RN_OTHER, .read = rule_match},
	{.name = "to", .kind = RN_TEXT, .offset = AT(rn_static_rule, to), .most = RAWNET_LABEL},
	{.name = "user", .kind = RN_OTHER, .read = rule_user},
	{.name = "gap", .kind = RN_WORD, .offset = AT(rn_static_rule, gap), .words = gaps},
	{0},
};

static void rule_init(void *element)
{
	(void)element;
}

static int read_rules(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_config *c = base;
	int rc = rn_read_list(r, s, rule_table, sizeof(*c->rules), rule_init, (void **)&c->rules,
			      &c->n_rules);

	for (uint32_t i = 0; !rc && i < c->n_rules; i++) {
		const config_setting_t *elem = config_setting_get_elem(s, i);
		const struct rn_static_rule *rule = &c->rules[i];

		if (!rule->dev[0] || !rule->to[0] || !rule->match.size)
			rc = rn_read_fail(r, elem, "rule: dev, match and to are needed");
		else if (!rn_policy_is_label(rule->to))
			rc = rn_read_fail(r, elem,
					  "to: \"%s\" cannot be a label: letters, digits "
					  "and -_.:@ are possible",
					  rule->to);
	}
	return rc;
}

/* ---- the whole ---- */

static const struct rn_setting top_table[] = {
	{.name = "daemon", .kind = RN_OTHER, .read = read_daemon},
	{.name = "pollers", .kind = RN_OTHER, .read = read_pollers},
	{.name = "ports", .kind = RN_OTHER, .read = read_ports},
	{.name = "policy", .kind = RN_OTHER, .read = read_policy},
	{.name = "rules", .kind = RN_OTHER, .read = read_rules},
	{0},
};

const struct rn_section rn_config_sections[] = {
	{"daemon", daemon_table},
	{"sockets", socket_table},
	{"pollers", poller_table},
	{"ports", port_table},
	{"policy", policy_table},
	{"rules", rule_table},
	{NULL, NULL},
};

static int fill_defaults(struct rn_reader *r)
{
	static const char *const kept[] = {"tcp dport 22", "ethertype ipv6 tcp dport 22"};
	struct rn_config *c = r->config;

	if (!c->n_sockets) {
		c->sockets = rn_read_alloc(r, sizeof(*c->sockets));
		if (!c->sockets)
			return -ENOMEM;
		socket_init(&c->sockets[c->n_sockets++]);
	}
	if (!c->n_pollers) {
		c->pollers = rn_read_alloc(r, sizeof(*c->pollers));
		if (!c->pollers)
			return -ENOMEM;
		poller_init(&c->pollers[c->n_pollers++]);
	}
	if (c->protect)
		return 0;
	c->protect = rn_read_alloc(r, 2 * sizeof(*c->protect));
	if (!c->protect)
		return -ENOMEM;
	for (c->n_protect = 0; c->n_protect < 2; c->n_protect++)
		rn_match_parse(kept[c->n_protect], &c->protect[c->n_protect], NULL, 0);
	return 0;
}

static int parse(struct rn_reader *r, config_t *file)
{
	int rc;

	if (config_read_file(file, r->path) != CONFIG_TRUE) {
		if (config_error_type(file) == CONFIG_ERR_FILE_IO)
			return rn_fail(r->err, -errno ? -errno : -EIO, "%s: cannot be read: %s",
				       r->path, strerror(errno));
		return rn_fail(r->err, -EINVAL, "%s:%d: %s",
			       config_error_file(file) ? config_error_file(file) : r->path,
			       config_error_line(file), config_error_text(file));
	}
	rc = rn_read_group(r, config_root_setting(file), top_table, r->config);
	if (!rc)
		rc = fill_defaults(r);
	return rc ? rc : rn_config_check(r, file);
}

int rn_config_load(const char *path, struct rn_config **out, struct rn_err *err)
{
	struct rn_config *c = calloc(1, sizeof(*c));
	struct rn_reader r = {.path = path, .err = err, .config = c};
	config_t file;
	int rc;

	if (!c)
		return rn_fail(err, -ENOMEM, "%s: out of memory", path);
	if (strlen(path) >= sizeof(c->path)) { /* reloading must find it again */
		free(c);
		return rn_fail(err, -ENAMETOOLONG, "%s: the path is too long", path);
	}
	memcpy(c->path, path, strlen(path) + 1);
	c->log_level = RN_LOG_INFO;
	c->admin_group = (gid_t)-1;
	c->monitor_group = default_monitor_group();
	c->capture_group = (gid_t)-1;
	c->sandbox = true;
	c->store = true;
	config_init(&file);
	rc = parse(&r, &file);
	config_destroy(&file);
	if (rc)
		rn_config_free(c);
	else
		*out = c;
	return rc;
}
