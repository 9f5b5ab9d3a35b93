/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of settings with a meaning of their own: users, groups, matches. See config_read.h. */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <libconfig.h>
#include <pwd.h>
#include <stdlib.h>

#include "config.h"
#include "config_read.h"
#include "match.h"

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

int rn_read_user(struct rn_reader *r, const config_setting_t *s, uid_t *uid)
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

int rn_read_gid(struct rn_reader *r, const config_setting_t *s, gid_t *gid)
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

int rn_read_match(struct rn_reader *r, const config_setting_t *s, struct rawnet_match *m)
{
	const char *text = rn_read_text(r, s);
	char why[160];

	if (!text)
		return -EINVAL;
	if (rn_match_parse(text, m, why, sizeof(why)))
		return rn_read_fail(r, s, "\"%.64s\": %s", text, why);
	return 0;
}

int rn_read_matches(struct rn_reader *r, const config_setting_t *s, struct rawnet_match **array,
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
		int rc = rn_read_match(r, config_setting_get_elem(s, i), &(*array)[i]);

		if (rc)
			return rc;
	}
	return 0;
}
