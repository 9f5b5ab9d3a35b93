/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon as a whole: what it serves, who is connected, and the way from start to stop. Control
 * thread only; it is a registered QSBR reader that is offline while it waits for events.
 */
#ifndef RN_DAEMON_H
#define RN_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <urcu/list.h>

#include "bucket.h"
#include "config.h"
#include "neigh.h"
#include "netdev.h"
#include "policy.h"
#include "port.h"
#include "steer.h"
#include "waker.h"

#define RN_VERSION_TEXT "rawnetd " RAWNET_VERSION

struct rn_asker;
struct rn_client;
struct rn_listener;

/* A port with what the control side keeps for it. */
struct rn_served {
	struct rn_port *port;
	struct rn_daemon *daemon;
	sd_event_source *device_source; /* the device's news; NULL: it has none */
	sd_event_source *reopen_source; /* due while given_up: tries again */
	bool given_up; /* the port's device failed, and nobody listens to a new one yet */
	uint32_t reopens; /* attempts in vain */
	struct rn_neigh *neigh; /* NULL: not a Linux interface */
	sd_event_source *neigh_source;
	int neigh_fd; /* what neigh_source watches; -1: nothing */
};

struct rn_daemon {
	struct rn_config *config;
	sd_event *event;
	struct rn_waker *waker;
	struct rn_poller **poller;
	uint32_t n_pollers;
	struct rn_served *served;
	uint32_t n_served;
	struct rn_monitor *monitor;
	struct rn_asker *asker;
	int fault_fd;

	struct rn_listener *listeners;
	uint32_t n_listeners;
	struct cds_list_head clients;
	struct cds_list_head usages;
	struct cds_list_head tentative; /* rules that go back unless confirmed */
	sd_event_source *reaper; /* runs when clients died in this turn of the loop */
	uint32_t n_clients, next_client;
	struct rn_attachment **attachments; /* attachments.c */
	uint32_t n_attachments, max_attachments;
	uint32_t n_leaving; /* dead ones whose rules are not all deleted yet */

	struct rn_bucket resolve; /* neighbours that clients may make the kernel ask for */
	uint64_t rule_ids;
	uint64_t instance;
	uint64_t started_ns;
	uint32_t reloads;
	bool stopping;
	bool unsaid; /* that it is ready */
};

/* Starts everything that the configuration says; takes it over. After a failure with a service
 * manager's store the process is to exit, as after rn_daemon_hand_over. */
int rn_daemon_create(struct rn_config *config, struct rn_daemon **daemon, struct rn_err *err);
/* Serves until SIGTERM or SIGINT: 0, or -errno of the event loop. */
int rn_daemon_run(struct rn_daemon *daemon);
void rn_daemon_destroy(struct rn_daemon *daemon);
/* SIGHUP: takes over policy and rules of the file, or keeps what there is (reload.c). */
int rn_daemon_on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *daemon);
/* Looks at the pollers from time to time, and feeds the watchdog while all progress (watch.c). */
int rn_daemon_watch(struct rn_daemon *daemon);
/* Tells the service manager; `also` follows in the status. What cannot be said is said again. */
void rn_daemon_say_ready(struct rn_daemon *daemon, const char *also);
/* With a service manager's store: the next daemon goes on where this one stops. Ends the pollers,
 * and nothing else; the process is to exit. */
bool rn_daemon_hands_over(const struct rn_daemon *daemon);
void rn_daemon_hand_over(struct rn_daemon *daemon);

/* A queue's fault or sickness was told by fault_fd (repair.c). */
int rn_daemon_on_fault(sd_event_source *source, int fd, uint32_t revents, void *daemon);
/* Listens to what the port's device says of itself, if it does (repair.c). */
int rn_daemon_watch_device(struct rn_daemon *daemon, struct rn_served *served, struct rn_err *err);
/* Follows what the kernel tells of the ports' interfaces (interfaces.c). */
int rn_daemon_watch_interfaces(struct rn_daemon *daemon, struct rn_err *err);
/* Those of the interface, anew. */
void rn_daemon_load_addresses(struct rn_port *port);

/* By name or by rule; NULL: none. */
struct rn_served *rn_daemon_port(const struct rn_daemon *daemon, const char *dev);
/* By what stands in a request; NULL: none, and the sentence names those that there are. */
struct rn_served *rn_daemon_find_port(const struct rn_daemon *daemon, const char dev[RAWNET_DEV],
				      struct rn_err *err);
struct rn_rule *rn_daemon_rule(const struct rn_daemon *daemon, uint64_t id,
			       struct rn_served **served);

/* ---- rules, with all that hangs on them (rules*.c) ---- */

struct rn_rule_request {
	struct rn_served *served;
	struct rn_steer_request steer;
	uint32_t confirm; /* seconds */
};
int rn_rules_add(struct rn_daemon *daemon, const struct rn_rule_request *request,
		 struct rn_rule **rule, uint32_t *index, struct rn_err *err);
/* Can the port do that with a rule's packets while no daemon runs? */
int rn_rules_check_gap(const struct rn_served *served, uint32_t gap, struct rn_err *err);
void rn_rules_del(struct rn_daemon *daemon, struct rn_served *served, struct rn_rule *rule,
		  const char *why);
/* The rule changed: the journal follows. */
void rn_rules_keep(struct rn_daemon *daemon, const struct rn_served *served, struct rn_rule *rule);
/* Rules changed with the attachments that came and went: the journal follows. */
void rn_rules_sync(struct rn_daemon *daemon);
/* Rules of the last daemon, when its attachments are there again: how many. */
unsigned rn_rules_restore(struct rn_daemon *daemon);
/* For rn_attachment_retire: arg is the daemon. */
void rn_rules_gone(void *daemon, struct rn_rule *rule);
int rn_rules_confirm(struct rn_daemon *daemon, uint64_t id);
/* Seconds until it goes back; 0: for good. */
uint32_t rn_rules_left(const struct rn_rule *rule);
/* Makes the static rules those of the configuration: how many could not be added (logged). */
unsigned rn_rules_static(struct rn_daemon *daemon);
void rn_rules_forget_all(struct rn_daemon *daemon);
/* The interface is another one now: the responder listens on it. */
void rn_rules_reopen_neigh(struct rn_daemon *daemon, struct rn_served *served);

#endif
