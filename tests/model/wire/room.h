/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine room: all ends of one wire process, and the turn that serves them.
 */
#ifndef CX_ROOM_H
#define CX_ROOM_H

#include "end.h"

#define CX_ENDS_MAX 32

struct cx_room {
	struct cx_end end[CX_ENDS_MAX];
	char iface[CX_ENDS_MAX][CX_NAME_MAX]; /* of each end's wire, CX_WIRE_IFACE */
	unsigned int ends;
	bool stop;
};

extern struct cx_room cx_room;

struct cx_end *cx_room_find(const char *name);

/* Options of the command line: "NAME[,netdev=NAME|none][,mac=MAC][,mtu=N]", "END,END", "END,IFACE",
 * "END". 0, or -EINVAL with a sentence. */
int cx_room_add_end(char *spec, char *err, size_t size);
int cx_room_add_cable(char *spec, char *err, size_t size);
int cx_room_add_iface(char *spec, char *err, size_t size);
int cx_room_add_loop(char *spec, char *err, size_t size);

/* Creates what the options asked for. */
int cx_room_open(char *err, size_t size);
void cx_room_close(void);

/* Serves until cx_room.stop. */
void cx_room_run(void);

#endif
