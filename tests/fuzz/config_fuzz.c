/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration: any text is taken or refused with a sentence that names the file; what is taken
 * keeps the promises that the daemon builds on. "@include" would read files of this machine.
 *
 * Seen to fail without its defence, by the seeds alone: pollers of a port not compared with those
 * that there are (config_check.c).
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/backend.h"
#include "config.h"
#include "fuzz.h"
#include "log.h"
#include "match.h"

const struct rn_backend *const rn_backends[] = {NULL};

/* libconfig 1.5 forgets the text that it was reading when it meets a syntax error. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

#define ENDS(text) must(memchr(text, 0, sizeof(text)))

static void check_matches(const struct rawnet_match *m, uint32_t n)
{
	char why[200];

	must(!n || m);
	for (uint32_t i = 0; i < n; i++) {
		struct rawnet_match copy = m[i];

		must(!rn_match_check(&copy, why, sizeof(why)));
	}
}

static void check_ports(const struct rn_config *c)
{
	must(c->n_ports > 0);
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct rn_port_config *p = &c->ports[i];

		ENDS(p->dev);
		ENDS(p->peer);
		ENDS(p->backend);
		must(p->dev[0] && p->n_pollers > 0 && p->n_pollers <= RN_PORT_POLLERS);
		must(p->hw_queues <= RN_PORT_HWQ && p->xdp_mode <= RN_XDP_GENERIC);
		for (uint32_t k = 0; k < p->n_pollers; k++)
			must(p->pollers[k] < c->n_pollers);
	}
}

static void check_policy(const struct rn_config *c)
{
	for (uint32_t i = 0; i < c->n_policy; i++) {
		const struct rn_policy_entry *e = &c->policy[i];

		ENDS(e->dev);
		ENDS(e->socket);
		must(e->who <= RN_WHO_SOCKET && e->weight >= 1 && e->weight <= 64);
		must(e->who != RN_WHO_USER || e->uid != (uid_t)-1);
		must(e->who != RN_WHO_GROUP || e->gid != (gid_t)-1);
		check_matches(e->allow, e->n_allow);
		check_matches(e->deny, e->n_deny);
	}
}

static void check(const struct rn_config *c)
{
	must(c->n_sockets > 0 && c->n_pollers > 0);
	must(c->log_level >= 0 && c->log_level < RN_LOG_LEVELS);
	for (uint32_t i = 0; i < c->n_sockets; i++) {
		ENDS(c->sockets[i].path);
		must(c->sockets[i].path[0] && c->sockets[i].mode <= 0777);
	}
	check_ports(c);
	check_policy(c);
	check_matches(c->protect, c->n_protect);
	for (uint32_t i = 0; i < c->n_rules; i++) {
		ENDS(c->rules[i].dev);
		ENDS(c->rules[i].to);
		must(c->rules[i].dev[0] && c->rules[i].to[0] && c->rules[i].gap < RAWNET_GAP_COUNT);
		check_matches(&c->rules[i].match, 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rn_config *config = NULL;
	struct rn_err err = {0};
	char path[64];
	uint8_t *text = malloc(size + 1);
	int fd = memfd_create("config", 0), rc;

	must(text && fd >= 0);
	for (size_t i = 0; i < size; i++)
		text[i] = data[i] == '@' ? ' ' : data[i];
	must(write(fd, text, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = rn_config_load(path, &config, &err);
	if (rc) {
		must(rc < 0 && err.code == rc && !config);
		ENDS(err.text);
		must(!strncmp(err.text, path, strlen(path)) && err.text[strlen(path)] == ':');
	} else {
		check(config);
		rn_config_free(config);
	}
	close(fd);
	free(text);
	return 0;
}
