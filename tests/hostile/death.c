/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that dies by SIGKILL at named points of its life, thousands of times: each cycle is a
 * child that goes its way up to the point that is its turn. Or it stops there.
 */
#include "hostile.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const points[] = {
	"connected",	 "HELLO sent",	 "known",	"half a message sent",
	"ATTACH sent",	 "attached",	 "posted",	"FLOW_ADD sent",
	"rule there",	 "slot written", "published",	"chain open",
	"under way",	 "received",	 "asleep",	"socket full",
	"FLOW_DEL sent", "DETACH sent",	 "index a lie", "hung up",
};
#define POINTS (sizeof(points) / sizeof(points[0]))

static uint32_t doomed; /* the point of this life */
static int fate = SIGKILL;

static void reach(const char *point)
{
	if (!strcmp(point, points[doomed]))
		kill(getpid(), fate);
}

static void say(struct session *s, void *req, uint32_t size, uint16_t type)
{
	struct rawnet_hdr *hdr = req;

	*hdr = (struct rawnet_hdr) {.size = size, .type = type, .id = ++s->next_id};
	send(s->sock, req, size, MSG_NOSIGNAL);
}

static void come(struct session *s)
{
	struct rawnet_req_hello hello = {.min = RAWNET_PROTO_MIN, .max = RAWNET_PROTO_MAX};
	struct rawnet_req_attach attach = {.rx_size = 64, .tx_size = 64};

	session_dial(s);
	reach("connected");
	if (!strcmp(points[doomed], "HELLO sent")) {
		say(s, &hello, sizeof(hello), RAWNET_MSG_HELLO);
		reach("HELLO sent");
	}
	session_hello(s, "mortal");
	reach("known");
	strncpy(attach.dev, orders.dev, sizeof(attach.dev) - 1);
	if (!strcmp(points[doomed], "half a message sent")) {
		send(s->sock, &attach, sizeof(attach) / 2, MSG_NOSIGNAL);
		reach("half a message sent");
	}
	if (!strcmp(points[doomed], "ATTACH sent")) {
		say(s, &attach, sizeof(attach), RAWNET_MSG_ATTACH);
		reach("ATTACH sent");
	}
	if (session_attach(s, NULL))
		_exit(2);
	reach("attached");
	session_post(s);
	reach("posted");
}

static void add_rule(struct session *s, uint64_t *rule)
{
	int rc;

	if (!strcmp(points[doomed], "FLOW_ADD sent")) {
		struct rawnet_req_flow_add add = {.target.attachment = s->at.attachment};

		rawnet_match_parse(orders.match, &add.match);
		strncpy(add.dev, orders.dev, sizeof(add.dev) - 1);
		say(s, &add, sizeof(add), RAWNET_MSG_FLOW_ADD);
		reach("FLOW_ADD sent");
	}
	/* The rule of the one before goes with it: soon. */
	while ((rc = session_rule(s, orders.match, rule)) == -EEXIST)
		usleep(500);
	if (rc)
		_exit(3);
	reach("rule there");
}

static void transmit(struct session *s)
{
	session_send(s, orders.frame, orders.frame_len);
	reach("slot written");
	session_kick(s);
	reach("published");
	session_drained(s);
	for (int i = 0; i < 3; i++) {
		session_send(s, orders.frame, orders.frame_len);
		s->tx.slots[(s->tx.client - 1) & s->tx.mask].flags = RAWNET_TX_MORE;
	}
	if (!strcmp(points[doomed], "chain open")) {
		session_kick(s);
		reach("chain open");
	}
	s->tx.slots[(s->tx.client - 1) & s->tx.mask].flags = 0;
	while (rawnet_tx_room(&s->tx, 1))
		session_send(s, orders.frame, orders.frame_len);
	session_kick(s);
	reach("under way");
}

static void leave(struct session *s, uint64_t rule)
{
	static const char bytes[4096];
	struct rawnet_req_id id = {.id = rule};

	s->rx.ctl->sleep.client = 1;
	reach("asleep");
	while (send(s->fds[3], bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	reach("socket full");
	if (!strcmp(points[doomed], "index a lie")) {
		s->tx.client += 1u << 20;
		session_kick(s);
		reach("index a lie");
	}
	say(s, &id, sizeof(id), RAWNET_MSG_FLOW_DEL);
	reach("FLOW_DEL sent");
	id.id = s->at.attachment;
	say(s, &id, sizeof(id), RAWNET_MSG_DETACH);
	reach("DETACH sent");
	shutdown(s->sock, SHUT_RDWR);
	reach("hung up");
}

static void live(void)
{
	struct session s;
	uint64_t rule;
	double end = now() + 0.05;

	come(&s);
	add_rule(&s, &rule);
	transmit(&s);
	while (!rawnet_ring_load(&s.rx.ctl->daemon) && now() < end)
		;
	reach("received");
	leave(&s, rule);
	_exit(4);
}

static int die_often(void)
{
	uint64_t killed[POINTS] = {0}, other = 0;

	for (uint64_t i = 0; i < orders.count; i++) {
		int status;
		pid_t pid;

		doomed = (uint32_t)(i % POINTS);
		pid = fork();
		if (!pid) {
			random_seed(i);
			live();
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			die("fork: %s", strerror(errno));
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			killed[doomed]++;
		else
			other++;
	}
	for (size_t i = 0; i < POINTS; i++)
		printf("%c\"%s\": %llu", i ? ',' : '{', points[i], (unsigned long long)killed[i]);
	printf(", \"lived on\": %llu}\n", (unsigned long long)other);
	return 0;
}

/* Each with a rule of its own: they are all there at once. */
static void live_beside_others(void)
{
	const uint16_t port = (uint16_t)(7100 + doomed);
	char match[32];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(match, sizeof(match), "udp dport %u", port);
	orders.match = match;
	orders.frame[34] = (uint8_t)(port >> 8);
	orders.frame[35] = (uint8_t)port;
	live();
}

static int stop_everywhere(void)
{
	unsigned stopped = 0;

	fate = SIGSTOP;
	for (doomed = 0; doomed < POINTS; doomed++) {
		int status;
		pid_t pid = fork();

		if (!pid)
			live_beside_others();
		if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid)
			die("fork: %s", strerror(errno));
		stopped += WIFSTOPPED(status);
	}
	printf("{\"stopped\": %u, \"points\": %zu}\n", stopped, POINTS);
	fflush(stdout);
	pause();
	return 0;
}

const struct act death_acts[] = {
	{"die", "is killed at each named point of its life in turn, so many times in all",
	 die_often},
	{"stop", "stops at each of them, each time another one; stays until killed",
	 stop_everywhere},
	{0},
};
