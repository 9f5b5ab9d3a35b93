/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rawnetd says at one moment. A scrape is bounded: in attachments, in time for each question
 * (SCRAPE_ASK_MS) and for all of them (SCRAPE_MS); what does not fit is left out and counted. The
 * connection stays between scrapes; one that broke is made again, once.
 */
#ifndef EXPORTER_SCRAPE_H
#define EXPORTER_SCRAPE_H

#include <rawnet/client.h>
#include <stdbool.h>
#include <stddef.h>

#define SCRAPE_ATTACHMENTS 4096u
#define SCRAPE_ASK_MS	   2000u
#define SCRAPE_MS	   5000u

struct scrape_set {
	union {
		struct rawnet_port_info port;
		struct rawnet_attachment_info attachment;
	} of;
	uint32_t n; /* counters that the daemon has */
	uint64_t v[RAWNET_COUNTERS_SPACE];
};

struct scrape_sets {
	struct scrape_set *set;
	size_t n, room, left_out;
};

struct scrape {
	bool up; /* the daemon answers */
	uint64_t took_ns;
	struct rawnet_rep_status status;
	struct scrape_sets ports, attachments;
	struct rawnet_poller_info *pollers;
	size_t n_pollers, room_pollers;
};

/* *rn is the connection, NULL at first. Returns 0 or -ENOMEM; a daemon that is not there, or fails
 * in between, is `up` false and a line on stderr, once for each reason. */
int scrape_run(struct rawnet **rn, const char *socket, struct scrape *s);
void scrape_free(struct scrape *s);

#endif
