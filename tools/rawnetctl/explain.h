/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnetctl explain: what its files share. A frame, from a capture or made from words, is shown to
 * the daemon, which says what its rule table does with it; why the other rules do not get it is
 * found here, by comparing the packet as the daemon sees it with each of them.
 */
#ifndef RAWNETCTL_EXPLAIN_H
#define RAWNETCTL_EXPLAIN_H

#include "ctl.h"

#define EXPLAIN_REASONS (RAWNET_FIELD_COUNT + 1u)
#define EXPLAIN_REASON	96u

/* Why one rule does not get the packet. */
struct explain_other {
	const struct rawnet_flow_info *flow;
	unsigned n; /* reasons; the fewer, the nearer */
	char reason[EXPLAIN_REASONS][EXPLAIN_REASON];
};

struct explain {
	struct ctl *c;
	struct rawnet_req_explain req;
	struct rawnet_rep_explain rep;
	struct rawnet_port_info port;
	struct ctl_list flows; /* of the port, as far as the asker sees them */
	struct ctl_list attachments;
	struct explain_other *others; /* nearest first */
	size_t n_others;
	size_t left_out; /* further ones */
};

/* ---- explain_frame.c ---- */

/* The frame that the words mean; what they leave open is filled in. CTL_*. */
int explain_make(struct explain *e, const char *words);
/* The first packet of a capture. */
int explain_read(struct explain *e, const char *path);

/* ---- explain_why.c ---- */

/* Fills in others: all of `client`, or (0) the nearest of all. */
int explain_others(struct explain *e, uint32_t client);
/* A rule's field names by enum rawnet_field. */
extern const char *const explain_fields[RAWNET_FIELD_COUNT];
/* "udp 10.0.0.2:9 > 10.0.0.1:53" and so on. */
void explain_packet_text(const struct rawnet_seen *seen, char *text, size_t size);
const char *explain_address(const struct rawnet_seen *seen, const uint8_t *address, char *text,
			    size_t size);
const struct rawnet_attachment_info *explain_attachment(const struct explain *e, uint32_t id);
const struct rawnet_flow_info *explain_flow(const struct explain *e, uint64_t rule);

/* ---- explain_json.c ---- */

int explain_emit(struct explain *e);

#endif
