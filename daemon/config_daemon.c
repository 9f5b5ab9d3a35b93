/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the configuration: the daemon itself, its sockets, its pollers. */
#include <errno.h>
#include <grp.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_sections.h"
#include "log.h"
#include "match.h"

/* ---- daemon { sockets } ---- */

static int socket_owner(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return rn_read_user(r, s, &((struct rn_socket_config *)base)->owner);
}

static int socket_group(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return rn_read_gid(r, s, &((struct rn_socket_config *)base)->group);
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

const struct rn_setting rn_socket_settings[] = {
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

	return rn_read_list(r, s, rn_socket_settings, sizeof(*c->sockets), socket_init,
			    (void **)&c->sockets, &c->n_sockets);
}

static int admin_group(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return rn_read_gid(r, s, &((struct rn_config *)base)->admin_group);
}

static int monitor_group(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return rn_read_gid(r, s, &((struct rn_config *)base)->monitor_group);
}

static int capture_group(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return rn_read_gid(r, s, &((struct rn_config *)base)->capture_group);
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

	return rn_read_matches(r, s, &c->protect, &c->n_protect);
}

const struct rn_setting rn_daemon_settings[] = {
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

int rn_read_daemon(struct rn_reader *r, const config_setting_t *s, void *base)
{
	return rn_read_group(r, s, rn_daemon_settings, base);
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

const struct rn_setting rn_poller_settings[] = {
	{.name = "cpu", .kind = RN_U32, .offset = AT(rn_poller_config, cpu), .most = 4095},
	{.name = "mode", .kind = RN_OTHER, .read = poller_mode},
	{0},
};

static void poller_init(void *element)
{
	((struct rn_poller_config *)element)->cpu = -1;
}

int rn_read_pollers(struct rn_reader *r, const config_setting_t *s, void *base)
{
	struct rn_config *c = base;

	return rn_read_list(r, s, rn_poller_settings, sizeof(*c->pollers), poller_init,
			    (void **)&c->pollers, &c->n_pollers);
}

/* ---- what holds without a setting ---- */

/* The packages make it; nobody has to. */
static gid_t default_monitor_group(void)
{
	const struct group *gr = getgrnam("rawnet-monitor");

	return gr ? gr->gr_gid : (gid_t)-1;
}

void rn_config_init(struct rn_config *c)
{
	c->log_level = RN_LOG_INFO;
	c->admin_group = (gid_t)-1;
	c->monitor_group = default_monitor_group();
	c->capture_group = (gid_t)-1;
	c->sandbox = true;
	c->store = true;
}

int rn_config_defaults(struct rn_reader *r)
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
