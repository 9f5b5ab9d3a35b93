/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classes of hardware, and the settings that come in the environment.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

struct cx_settings cx_settings;

/* Part numbers as in drivers/net/ethernet/mellanox/mlx5/core/main.c (mlx5_core_pci_table). */
static const struct cx_personality table[] = {
	{.name = "cx5",
	 .part_id = 0x1017,
	 .empw = true,
	 .vlan_insert = true,
	 .multi_path = true,
	 .comp_formats = 3,
	 .comp_max = 64,
	 .max_tso = 262144,
	 .log_ft_size = 16},
	{.name = "cx5-nocomp",
	 .part_id = 0x1017,
	 .empw = true,
	 .vlan_insert = true,
	 .multi_path = true,
	 .max_tso = 262144,
	 .log_ft_size = 16},
	{.name = "cx6dx",
	 .part_id = 0x101d,
	 .empw = true,
	 .vlan_insert = true,
	 .multi_path = true,
	 .comp_formats = 3,
	 .comp_max = 64,
	 .max_tso = 262144,
	 .log_ft_size = 16},
	{.name = "cx4lx",
	 .part_id = 0x1015,
	 .min_inline = 18,
	 .legacy_mpw = true,
	 .multi_path = true,
	 .comp_formats = 3,
	 .comp_max = 64,
	 .max_tso = 262144,
	 .log_ft_size = 16},
};
#define COUNT (sizeof(table) / sizeof(table[0]))

const struct cx_personality *cx_personality_find(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

const char *cx_personality_names(void)
{
	return "cx5, cx5-nocomp, cx6dx, cx4lx";
}

static int parse_wire(struct cx_config *c, const char *v)
{
	static const char *const names[] = {
		[CX_WIRE_LOOP] = "loop",
		[CX_WIRE_SINK] = "sink",
		[CX_WIRE_GEN] = "gen",
		[CX_WIRE_TEST] = "test",
	};
	const char *colon = strrchr(v, ':');
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(v, names[i]) == 0) {
			c->wire = (enum cx_wire_kind)i;
			return 0;
		}
	if (!colon || colon == v || !colon[1] || (size_t)(colon - v) >= sizeof(c->wire_path) ||
	    strlen(colon + 1) >= sizeof(c->wire_end))
		return -EINVAL;
	c->wire = CX_WIRE_END;
	memcpy(c->wire_path, v, (size_t)(colon - v));
	c->wire_path[colon - v] = '\0';
	strcpy(c->wire_end, colon + 1);
	return 0;
}

static int parse_number(const char *v, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(v, &end, 0);
	return errno || end == v || *end || *v == '-' || *out < min || *out > max ? -EINVAL : 0;
}

static int parse_name(const char *v, char out[16])
{
	if (!*v || strlen(v) >= 16 || strchr(v, '/'))
		return -EINVAL;
	strcpy(out, v);
	return 0;
}

static int parse_mac(const char *v, uint8_t mac[6])
{
	unsigned int m[6];
	int i, n = 0;

	if (sscanf(v, "%2x:%2x:%2x:%2x:%2x:%2x%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &n) !=
		    6 ||
	    v[n] || (m[0] & 1))
		return -EINVAL;
	for (i = 0; i < 6; i++)
		mac[i] = (uint8_t)m[i];
	return 0;
}

static int parse_generator(struct cx_config *c, const char *key, const char *v)
{
	uint64_t n = 0;
	int err;

	if (strcmp(key, "proto") == 0) {
		c->gen_tcp = strncmp(v, "tcp", 3) == 0;
		c->gen_ip6 = v[0] && v[3] == '6';
		return strcmp(v, "tcp") && strcmp(v, "udp") && strcmp(v, "tcp6") &&
				       strcmp(v, "udp6")
			       ? -EINVAL
			       : 0;
	}
	if (strcmp(key, "flows") == 0) {
		err = parse_number(v, 1, 65536, &n);
		c->gen_flows = (uint32_t)n;
	} else if (strcmp(key, "len") == 0) {
		err = parse_number(v, 60, 9018, &n);
		c->gen_len = (uint32_t)n;
	} else if (strcmp(key, "vlan") == 0) {
		err = parse_number(v, 1, 4094, &n);
		c->gen_vlan = (uint32_t)n;
	} else if (strcmp(key, "rate") == 0) {
		err = parse_number(v, 1, 1000000000, &c->gen_rate);
	} else if (strcmp(key, "count") == 0) {
		err = parse_number(v, 1, UINT64_MAX, &c->gen_count);
	} else {
		return -ENOENT;
	}
	return err;
}

static int parse_one(struct cx_config *c, const char *key, const char *v)
{
	uint64_t n = 0;
	int err = 0;

	if (strcmp(key, "personality") == 0) {
		c->pers = cx_personality_find(v);
		return c->pers ? 0 : -EINVAL;
	}
	if (strcmp(key, "wire") == 0)
		return parse_wire(c, v);
	if (strcmp(key, "name") == 0)
		return parse_name(v, c->name);
	if (strcmp(key, "netdev") == 0)
		return parse_name(v, c->netdev);
	if (strcmp(key, "mac") == 0)
		return parse_mac(v, c->mac);
	if (strcmp(key, "mtu") == 0) {
		err = parse_number(v, 68, 9978, &n);
		c->mtu = (uint32_t)n;
		return err;
	}
	if (strcmp(key, "log_ft_size") == 0) {
		err = parse_number(v, 3, 24, &n);
		c->log_ft_size = (uint32_t)n;
		return err;
	}
	return parse_generator(c, key, v);
}

static void defaults(struct cx_config *c, int index)
{
	static const uint8_t mac[6] = {0x02, 0xc5, 0x00, 0x00, 0x00, 0x01};

	*c = (struct cx_config) {.pers = &table[0], .mtu = 1500, .gen_flows = 1, .gen_len = 60};
	snprintf(c->name, sizeof(c->name), "mlx5_%d", index);
	memcpy(c->mac, mac, 6);
	c->mac[5] = (uint8_t)(index + 1);
}

int cx_config_device(struct cx_config *c, int index, const char *spec, char *err, size_t size)
{
	char copy[1024], *save = NULL, *word;

	defaults(c, index);
	if (strlen(spec) >= sizeof(copy)) {
		snprintf(err, size, "device %d: the description is too long", index);
		return -EINVAL;
	}
	strcpy(copy, spec);
	for (word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(word, '=');
		int ret = -ENOENT;

		if (eq) {
			*eq = '\0';
			ret = parse_one(c, word, eq + 1);
		}
		if (!ret)
			continue;
		if (ret == -ENOENT)
			snprintf(err, size, "device %d: there is no setting '%s'", index, word);
		else if (strcmp(word, "personality") == 0)
			snprintf(err, size, "device %d: personality '%s' is unknown; there are %s",
				 index, eq + 1, cx_personality_names());
		else
			snprintf(err, size, "device %d: '%s' is no value for %s", index, eq + 1,
				 word);
		return -EINVAL;
	}
	if (!c->log_ft_size)
		c->log_ft_size = c->pers->log_ft_size;
	return 0;
}

/* One of several words, by number; -1: none of them. */
static int choice(const char *name, const char *const *words, char *err, size_t size)
{
	const char *v = getenv(name);
	int i;

	if (!v || !*v)
		return 0;
	for (i = 0; words[i]; i++)
		if (strcmp(v, words[i]) == 0)
			return i;
	snprintf(err, size, "%s: '%s' is none of %s, %s%s%s", name, v, words[0], words[1],
		 words[2] ? ", " : "", words[2] ? words[2] : "");
	return -1;
}

static int config_modes(struct cx_settings *s, char *err, size_t size)
{
	static const char *const paths[] = {"ioctl", "write", NULL};
	static const char *const uars[] = {"dynamic", "static", NULL};
	static const char *const leaks[] = {"0", "1", NULL};
	static const char *const modes[] = {"report", "abort", "count", NULL};
	int path = choice("CX_UVERBS", paths, err, size);
	int uar = path < 0 ? -1 : choice("CX_UAR", uars, err, size);
	int leak = uar < 0 ? -1 : choice("CX_LEAKS", leaks, err, size);
	int mode = leak < 0 ? -1 : choice("CX_REFEREE", modes, err, size);

	if (mode < 0)
		return -EINVAL;
	s->write_path = path;
	s->static_uar = uar || path; /* dynamic UARs need the ioctl */
	s->leaks = leak;
	s->referee = (enum cx_referee_mode)mode;
	return 0;
}

int cx_config_env(struct cx_settings *s, char *err, size_t size)
{
	const char *env = getenv("CX_DEVICES");
	char copy[4096], *save = NULL, *spec;

	s->report = getenv("CX_REPORT");
	s->control = getenv("CX_CONTROL");
	s->faults = getenv("CX_FAULTS");
	if (!env)
		env = "wire=loop";
	if (strlen(env) >= sizeof(copy)) {
		snprintf(err, size, "CX_DEVICES is too long");
		return -EINVAL;
	}
	strcpy(copy, env);
	for (spec = strtok_r(copy, ";", &save); spec; spec = strtok_r(NULL, ";", &save)) {
		if (s->devs == CX_MAX_DEVS) {
			snprintf(err, size, "CX_DEVICES: at most %d devices", CX_MAX_DEVS);
			return -EINVAL;
		}
		if (cx_config_device(&s->dev[s->devs], s->devs, spec, err, size) < 0)
			return -EINVAL;
		s->devs++;
	}
	return config_modes(s, err, size);
}
