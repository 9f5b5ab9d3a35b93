/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sections of the configuration: the settings of each (its table ends with one without a name),
 * and what reads it into the struct rn_config that is `base`.
 */
#ifndef RN_CONFIG_SECTIONS_H
#define RN_CONFIG_SECTIONS_H

#include "config.h"
#include "config_read.h"

#define AT(type, member) offsetof(struct type, member) /* of what a setting is written into */

/* ---- config_daemon.c ---- */
extern const struct rn_setting rn_daemon_settings[], rn_socket_settings[], rn_poller_settings[];
int rn_read_daemon(struct rn_reader *r, const struct config_setting_t *s, void *base);
int rn_read_pollers(struct rn_reader *r, const struct config_setting_t *s, void *base);
/* Before the file is read; and what it left out, after that: 0, or -errno and an error. */
void rn_config_init(struct rn_config *c);
int rn_config_defaults(struct rn_reader *r);

/* ---- config_ports.c ---- */
extern const struct rn_setting rn_port_settings[];
int rn_read_ports(struct rn_reader *r, const struct config_setting_t *s, void *base);

/* ---- config_policy.c ---- */
extern const struct rn_setting rn_policy_settings[], rn_rule_settings[];
int rn_read_policy(struct rn_reader *r, const struct config_setting_t *s, void *base);
int rn_read_rules(struct rn_reader *r, const struct config_setting_t *s, void *base);

#endif
