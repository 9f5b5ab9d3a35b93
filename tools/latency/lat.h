/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnet-latency: one thread that sends probes to whoever sends them back, one after the other or
 * at a rate, and measures how long each was on its way. One clock, so nothing has to be
 * synchronized.
 */
#ifndef LAT_H
#define LAT_H

#include "stream.h"

struct lat_options {
	const char *socket, *label; /* NULL: the library's default, none */
	const char *dev;
	struct stream stream;
	bool json, sleeps;
	double interval; /* seconds between lines on the way; 0: none */
	double seconds; /* 0: without end */
	double wait; /* seconds, for an answer */
	uint64_t count; /* probes; 0: without end */
	uint32_t size; /* of the frame without FCS; 0: the shortest */
	double rate; /* probes a second; 0: one at a time */
};

struct lat_result {
	uint64_t sent, late;
	uint64_t began_ns, ended_ns;
	struct track track;
};

/* options.c: 0; 1 for -h or -V, which were printed; or -EINVAL, having said what is wrong. */
int lat_options(struct lat_options *o, int argc, char **argv);

/* run.c: until count, seconds or a signal, and then what is still on its way. 0, or -errno and said
 * why. */
int lat_run(struct lat_options *o, int stop_fd, struct lat_result *r);

/* result.c: an exit code. */
int lat_report(const struct lat_options *o, const struct lat_result *r);
/* A line on the way, on stderr: what happened since `before`. */
void lat_report_line(const struct lat_result *r, const struct lat_result *before);

#endif
