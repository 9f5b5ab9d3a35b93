/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See config.h. The grammar of the file stands in tables, section by section (config_sections.h);
 * here is what puts them together.
 */
#include "config.h"

#include <errno.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "config_sections.h"

static const struct rn_setting top_table[] = {
	{.name = "daemon", .kind = RN_OTHER, .read = rn_read_daemon},
	{.name = "pollers", .kind = RN_OTHER, .read = rn_read_pollers},
	{.name = "ports", .kind = RN_OTHER, .read = rn_read_ports},
	{.name = "policy", .kind = RN_OTHER, .read = rn_read_policy},
	{.name = "rules", .kind = RN_OTHER, .read = rn_read_rules},
	{0},
};

const struct rn_section rn_config_sections[] = {
	{"daemon", rn_daemon_settings},
	{"sockets", rn_socket_settings},
	{"pollers", rn_poller_settings},
	{"ports", rn_port_settings},
	{"policy", rn_policy_settings},
	{"rules", rn_rule_settings},
	{NULL, NULL},
};

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
		rc = rn_config_defaults(r);
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
	rn_config_init(c);
	config_init(&file);
	rc = parse(&r, &file);
	config_destroy(&file);
	if (rc)
		rn_config_free(c);
	else
		*out = c;
	return rc;
}
