/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration: what the file says, checked and turned into structs. rawnetd.conf(5) describes
 * the file; conf/rawnetd.conf has every setting. Control thread only.
 */
#ifndef RN_CONFIG_H
#define RN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "rawnet/proto.h"
#include "err.h"
#include "poller.h"
#include "port.h"

#define RN_CONFIG_DEFAULT "/etc/rawnet/rawnetd.conf"

struct rn_socket_config {
	char path[108]; /* sockaddr_un */
	uid_t owner;
	gid_t group;
	uint32_t mode;
};

enum rn_who {
	RN_WHO_ANY,
	RN_WHO_USER,
	RN_WHO_GROUP,
	RN_WHO_SOCKET
};

/* One entry of `policy`: who, on which port, may do what. */
struct rn_policy_entry {
	enum rn_who who;
	uid_t uid;
	gid_t gid;
	char socket[108];
	char dev[RAWNET_DEV]; /* empty: every port */
	struct rawnet_match *allow, *deny; /* allow NULL: any match that deny does not cover */
	uint32_t n_allow, n_deny;
	struct rawnet_quota limit;
	uint64_t packet_rate, byte_rate; /* a second, for each attachment; 0: no bound */
	uint32_t weight;
	bool spoof, huge, force;
};

/* One entry of `rules`. */
struct rn_static_rule {
	char dev[RAWNET_DEV];
	struct rawnet_match match;
	char to[RAWNET_LABEL];
	uid_t uid;
	uint32_t gap;
};

struct rn_config {
	char path[256];
	int log_level;
	gid_t admin_group; /* -1: none */
	gid_t monitor_group; /* may see others' clients and counters; -1: none */
	gid_t capture_group; /* may capture others' packets; -1: none */
	bool store; /* what clients have outlives a restart, where the service manager can */
	bool sandbox; /* gives up privileges before serving (isolate.h) */
	struct rn_socket_config *sockets;
	struct rn_poller_config *pollers;
	struct rn_port_config *ports;
	struct rn_policy_entry *policy;
	struct rn_static_rule *rules;
	struct rawnet_match *protect;
	uint32_t n_sockets, n_pollers, n_ports, n_policy, n_rules, n_protect;
	void *memory; /* everything that was allocated, for rn_config_free */
};

/* The grammar by sections, for those who must know every setting; ends with a name of NULL. */
struct rn_section {
	const char *name;
	const struct rn_setting *settings; /* config_read.h */
};
extern const struct rn_section rn_config_sections[];

/* 0, or -errno with "FILE:LINE: what is wrong". */
int rn_config_load(const char *path, struct rn_config **config, struct rn_err *err);
void rn_config_free(struct rn_config *config);
bool rn_config_same_port(const struct rn_port_config *a, const struct rn_port_config *b);

#endif
