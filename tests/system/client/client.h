/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client that the system tests steer: reads one command a line, answers one line each ("ok ..."
 * or "err ERRNO sentence"), and meanwhile does with received frames what its mode says. One thread
 * besides the library's own.
 */
#ifndef TEST_CLIENT_H
#define TEST_CLIENT_H

#include <rawnet/client.h>
#include <stdbool.h>

enum mode {
	MODE_KEEP, /* frames are kept for the command "frames" */
	MODE_ECHO, /* UDP is answered in place, the rest is left alone */
	MODE_COUNT, /* frames are counted by UDP destination port and dropped */
	MODE_STALL, /* nothing is read */
};

#define KEPT	  256u
#define KEPT_SIZE 9216u

struct kept {
	uint32_t len;
	uint16_t flags, tci, rule;
	uint64_t stamp;
	uint8_t data[KEPT_SIZE];
};

struct client {
	struct rawnet *rn;
	struct rawnet_attachment *at;
	uint32_t n_queues;
	enum mode mode;
	uint64_t seen, answered, left_alone, copies;
	uint64_t of_queue[RAWNET_QUEUES_MAX];
	uint32_t n_kept;
	struct kept kept[KEPT];
};

extern struct client me;

/* Runs one line; prints its answer. False: the client shall end. */
bool command_run(char *line);

/* Prints "ok", a rest by printf, and a newline; or what the library said. */
void say_ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_err(int rc);

/* The next word of the line, or ""; the next number. */
char *word(char **line);
uint64_t number(char **line);

/* frames.c */
void do_mode(char *line);
void do_frames(char *line);
void do_stamps(char *line);
void do_send(char *line);

#endif
