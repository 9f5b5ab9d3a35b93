/* SPDX-License-Identifier: BSD-2-Clause */
/* command.h: contract. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "driver.h"
#include "room.h"

#define WORDS_MAX 16

struct command {
	const char *name;
	const char *args;
	int min, max; /* number of arguments */
	int (*run)(char **arg, int n, char *out, size_t size);
	const char *what;
};

static struct cx_end *find(const char *name, char *out, size_t size)
{
	struct cx_end *e = cx_room_find(name);

	if (!e)
		snprintf(out, size, "there is no end '%.32s'", name);
	return e;
}

/* ---- status ---- */

static json_t *wire_json(const struct cx_end *e)
{
	switch (e->wire) {
	case CX_WIRE_LOOP: return json_pack("{s:s}", "kind", "loop");
	case CX_WIRE_CABLE: return json_pack("{s:s,s:s}", "kind", "cable", "end", e->peer->name);
	case CX_WIRE_IFACE:
		return json_pack("{s:s,s:s,s:b}", "kind", "interface", "name",
				 cx_iface_name(e->iface), "carrier", e->carrier);
	case CX_WIRE_NONE: break;
	}
	return json_pack("{s:s}", "kind", "none");
}

static json_t *end_json(const struct cx_end *e)
{
	json_t *count = json_object(), *o;
	char mac[18];
	int i;

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", e->mac[0], e->mac[1], e->mac[2],
		 e->mac[3], e->mac[4], e->mac[5]);
	for (i = 0; i < CX_COUNTS; i++)
		json_object_set_new(count, cx_count_names[i],
				    json_integer((json_int_t)e->count[i]));
	o = json_pack("{s:s,s:s*,s:s,s:i,s:b,s:b,s:o,s:o}", "name", e->name, "netdev",
		      e->netdev[0] ? e->netdev : NULL, "mac", mac, "mtu", (int)e->mtu, "link",
		      e->link, "plugged", e->plugged, "wire", wire_json(e), "counters", count);
	if (e->driver)
		json_object_set_new(o, "driver", json_integer(cx_driver_pid(e->driver)));
	json_object_set_new(o, "fault-in", cx_fault_json(&e->fault[CX_IN]));
	json_object_set_new(o, "fault-out", cx_fault_json(&e->fault[CX_OUT]));
	return o;
}

static int status(char **arg, int n, char *out, size_t size)
{
	json_t *ends = json_array(), *all;
	char *text;
	unsigned int i;

	for (i = 0; i < cx_room.ends; i++) {
		if (n == 0 || strcmp(arg[0], cx_room.end[i].name) == 0)
			json_array_append_new(ends, end_json(&cx_room.end[i]));
	}
	if (n && json_array_size(ends) == 0) {
		json_decref(ends);
		find(arg[0], out, size);
		return -ENOENT;
	}
	all = json_pack("{s:i,s:o}", "pid", (int)getpid(), "ends", ends);
	text = json_dumps(all, JSON_INDENT(2));
	snprintf(out, size, "%s\n", text ? text : "");
	free(text);
	json_decref(all);
	return 0;
}

/* ---- what changes something ---- */

static int set_link(char **arg, int n, char *out, size_t size)
{
	struct cx_end *e = find(arg[0], out, size);
	bool up = strcmp(arg[1], "up") == 0;

	(void)n;
	if (!e)
		return -ENOENT;
	if (!up && strcmp(arg[1], "down")) {
		snprintf(out, size, "link is 'up' or 'down', not '%s'", arg[1]);
		return -EINVAL;
	}
	e->plugged = up;
	cx_end_update_link(e);
	return 0;
}

static int set_fault(char **arg, int n, char *out, size_t size)
{
	struct cx_end *e = find(arg[0], out, size);
	enum cx_direction dir = strcmp(arg[1], "in") == 0 ? CX_IN : CX_OUT;
	int i, code = 0;

	if (!e)
		return -ENOENT;
	if (dir == CX_OUT && strcmp(arg[1], "out")) {
		snprintf(out, size, "direction is 'in' or 'out', not '%s'", arg[1]);
		return -EINVAL;
	}
	if (strcmp(arg[2], "off") == 0) {
		cx_fault_clear(&e->fault[dir]);
		return 0;
	}
	for (i = 2; code == 0 && i < n; i++)
		code = cx_fault_set(&e->fault[dir], arg[i], out, size);
	return code;
}

static int set_capture(char **arg, int n, char *out, size_t size)
{
	struct cx_end *e = find(arg[0], out, size);
	struct cx_capture *c = NULL;
	int code = 0;

	(void)n;
	if (!e)
		return -ENOENT;
	if (strcmp(arg[1], "off"))
		code = cx_capture_open(arg[1], &c, out, size);
	if (code)
		return code;
	if (e->capture)
		cx_capture_close(e->capture);
	e->capture = c;
	return 0;
}

static int stop(char **arg, int n, char *out, size_t size)
{
	(void)arg;
	(void)n;
	(void)out;
	(void)size;
	cx_room.stop = true;
	return 0;
}

static int help(char **arg, int n, char *out, size_t size);

static const struct command commands[] = {
	{"status", "[END]", 0, 1, status, "ends, links, drivers and counters, as JSON"},
	{"link", "END up|down", 2, 2, set_link, "pull or plug the cable"},
	{"fault", "END in|out SETTING...", 3, WORDS_MAX, set_fault,
	 "drop=, corrupt=, duplicate=, delay= (percent), delay-us=, seed=; or off"},
	{"capture", "END FILE|off", 2, 2, set_capture, "what is on the wire, into a pcap file"},
	{"stop", "", 0, 0, stop, "end the wire process"},
	{"help", "", 0, 0, help, "this list"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(char **arg, int n, char *out, size_t size)
{
	size_t i, at = 0;

	(void)arg;
	(void)n;
	for (i = 0; i < COMMANDS; i++)
		at += (size_t)snprintf(out + at, size - at, "%-8s %-22s %s\n", commands[i].name,
				       commands[i].args, commands[i].what);
	return 0;
}

int cx_command_run(char *line, char *out, size_t size)
{
	char *word[WORDS_MAX], *w;
	int n = 0;
	size_t i;

	while (n < WORDS_MAX && (w = strsep(&line, " "))) {
		if (*w)
			word[n++] = w;
	}
	for (i = 0; n && i < COMMANDS; i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, word[0]))
			continue;
		if (n - 1 >= c->min && n - 1 <= c->max && !line)
			return c->run(word + 1, n - 1, out, size);
		snprintf(out, size, "usage: %s %s", c->name, c->args);
		return -EINVAL;
	}
	snprintf(out, size, "unknown command '%.32s' (try help)", n ? word[0] : "");
	return -EINVAL;
}
