/* SPDX-License-Identifier: BSD-2-Clause */
/* room.h: contract. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "loop.h"
#include "room.h"

#define MTU_MIN	    68
#define MTU_MAX	    (CX_FRAME_MAX - 22)
#define MTU_DEFAULT 1500
/* How long the thread looks again before it sleeps: a wake-up costs the other side more than this,
 * and the two cores are shared with it. */
#define SPIN_NS 20000

struct cx_room cx_room;

struct cx_end *cx_room_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < cx_room.ends; i++) {
		if (strcmp(cx_room.end[i].name, name) == 0)
			return &cx_room.end[i];
	}
	return NULL;
}

/* ---- options ---- */

__attribute__((format(printf, 3, 4))) static int refuse(char *err, size_t size, const char *fmt,
							...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* A locally administered address that stays the same for the same name (FNV-1a). */
static void default_mac(struct cx_end *e)
{
	uint32_t hash = 2166136261u;
	const char *p;

	for (p = e->name; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	e->mac[0] = 0x02;
	e->mac[1] = 0x43;
	memcpy(e->mac + 2, &hash, 4);
}

static int parse_mac(const char *text, uint8_t mac[6])
{
	char rest;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5], &rest) != 6)
		return -EINVAL;
	return mac[0] & 1 ? -EINVAL : 0;
}

static int set_option(struct cx_end *e, const char *word, char *err, size_t size)
{
	char *rest;

	if (strncmp(word, "netdev=", 7) == 0) {
		if (!word[7] || strlen(word + 7) >= CX_NAME_MAX || strchr(word + 7, '/'))
			return refuse(err, size, "end '%s': '%s' is no name for a netdev", e->name,
				      word + 7);
		snprintf(e->netdev, sizeof(e->netdev), "%s",
			 strcmp(word + 7, "none") ? word + 7 : "");
	} else if (strncmp(word, "mac=", 4) == 0) {
		if (parse_mac(word + 4, e->mac))
			return refuse(err, size, "end '%s': '%s' is no unicast MAC address",
				      e->name, word + 4);
	} else if (strncmp(word, "mtu=", 4) == 0) {
		e->mtu = (uint32_t)strtoul(word + 4, &rest, 10);
		if (!word[4] || *rest || e->mtu < MTU_MIN || e->mtu > MTU_MAX)
			return refuse(err, size, "end '%s': mtu '%s' is not in %d..%d", e->name,
				      word + 4, MTU_MIN, MTU_MAX);
	} else {
		return refuse(err, size, "end '%s': unknown option '%s'", e->name, word);
	}
	return 0;
}

int cx_room_add_end(char *spec, char *err, size_t size)
{
	struct cx_end *e = &cx_room.end[cx_room.ends];
	char *name = strsep(&spec, ","), *word;
	int code = 0;

	if (cx_room.ends == CX_ENDS_MAX)
		return refuse(err, size, "end '%s': there are %d already", name, CX_ENDS_MAX);
	if (!*name || strlen(name) >= CX_NAME_MAX || strpbrk(name, "/ "))
		return refuse(err, size, "end '%s': a name has 1 to %d characters, no '/'", name,
			      CX_NAME_MAX - 1);
	if (cx_room_find(name))
		return refuse(err, size, "end '%s': the name is given twice", name);
	memcpy(e->name, name, strlen(name) + 1);
	memcpy(e->netdev, name, strlen(name) + 1);
	e->mtu = MTU_DEFAULT;
	e->plugged = e->carrier = true;
	e->tap.fd = e->iface_source.fd = -1;
	default_mac(e);
	while (code == 0 && (word = strsep(&spec, ",")))
		code = set_option(e, word, err, size);
	cx_room.ends += code == 0;
	return code;
}

/* The end that a wire is to be joined to. */
static struct cx_end *free_end(const char *name, char *err, size_t size)
{
	struct cx_end *e = cx_room_find(name);

	if (!e)
		refuse(err, size, "wire: there is no end '%s' (give --end first)", name);
	else if (e->wire != CX_WIRE_NONE)
		refuse(err, size, "wire: end '%s' has a wire already", name);
	return e && e->wire == CX_WIRE_NONE ? e : NULL;
}

int cx_room_add_cable(char *spec, char *err, size_t size)
{
	char *first = strsep(&spec, ",");
	struct cx_end *a = free_end(first, err, size), *b;

	if (!a)
		return -EINVAL;
	b = free_end(spec ? spec : "", err, size);
	if (!b)
		return -EINVAL;
	if (a == b)
		return refuse(err, size, "cable: both ends are '%s'", first);
	a->wire = b->wire = CX_WIRE_CABLE;
	a->peer = b;
	b->peer = a;
	return 0;
}

int cx_room_add_iface(char *spec, char *err, size_t size)
{
	char *name = strsep(&spec, ",");
	struct cx_end *e = free_end(name, err, size);

	if (!e)
		return -EINVAL;
	if (!spec || !*spec || strlen(spec) >= CX_NAME_MAX)
		return refuse(err, size, "wire of end '%s': '%s' is no name of an interface", name,
			      spec ? spec : "");
	e->wire = CX_WIRE_IFACE;
	memcpy(cx_room.iface[e - cx_room.end], spec, strlen(spec) + 1);
	return 0;
}

int cx_room_add_loop(char *spec, char *err, size_t size)
{
	struct cx_end *e = free_end(spec, err, size);

	if (!e)
		return -EINVAL;
	e->wire = CX_WIRE_LOOP;
	return 0;
}

int cx_room_open(char *err, size_t size)
{
	unsigned int i;
	int code = 0;

	for (i = 0; code == 0 && i < cx_room.ends; i++)
		code = cx_end_open(&cx_room.end[i], cx_room.iface[i], err, size);
	for (i = 0; code == 0 && i < cx_room.ends; i++)
		cx_end_update_link(&cx_room.end[i]);
	return code;
}

void cx_room_close(void)
{
	unsigned int i;

	for (i = 0; i < cx_room.ends; i++)
		cx_end_close(&cx_room.end[i]);
}

/* ---- the turn ---- */

/* What the drivers sent, then what that gives the wires and the drivers; frames moved. */
static int work(uint64_t now)
{
	unsigned int i;
	int n = 0;

	for (i = 0; i < cx_room.ends; i++) {
		if (cx_room.end[i].driver)
			n += cx_driver_poll(cx_room.end[i].driver);
	}
	for (i = 0; i < cx_room.ends; i++)
		n += cx_end_work(&cx_room.end[i], now);
	for (i = 0; i < cx_room.ends; i++) {
		if (cx_room.end[i].driver)
			cx_driver_flush(cx_room.end[i].driver);
	}
	return n;
}

/* How long the loop may block, having told the drivers to wake us: 0 if not at all. */
static int64_t prepare_sleep(uint64_t now)
{
	uint64_t due = UINT64_MAX;
	bool idle = true;
	unsigned int i;

	for (i = 0; i < cx_room.ends; i++) {
		struct cx_end *e = &cx_room.end[i];

		if (e->capture)
			cx_capture_flush(e->capture);
		if (e->driver && !cx_driver_sleep(e->driver))
			idle = false;
		if (cx_end_due(e) < due)
			due = cx_end_due(e);
	}
	if (!idle || due <= now)
		return 0;
	return due == UINT64_MAX ? -1 : (int64_t)(due - now);
}

static void end_sleep(void)
{
	unsigned int i;

	for (i = 0; i < cx_room.ends; i++) {
		if (cx_room.end[i].driver)
			cx_driver_wake(cx_room.end[i].driver);
	}
}

void cx_room_run(void)
{
	uint64_t busy = 0; /* when there was work last */

	while (!cx_room.stop) {
		uint64_t now = cx_loop_now();
		bool sleepy = now - busy > SPIN_NS;
		int n = cx_loop_turn(sleepy ? prepare_sleep(now) : 0);

		if (sleepy)
			end_sleep();
		now = cx_loop_now();
		if (work(now) + n > 0)
			busy = now;
	}
}
