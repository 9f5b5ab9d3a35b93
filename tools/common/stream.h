/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stream of probes (probe.h): sent on one queue of a port, received on all queues of what comes
 * back to it, or of another port. Its addresses come from the command line.
 */
#ifndef STREAM_H
#define STREAM_H

#include <rawnet/client.h>

#include "keys.h"
#include "probe.h"
#include "track.h"

#define STREAM_BURST 32u

struct stream {
	/* From the command line. */
	struct probe_addresses addresses;
	bool has_dmac, has_smac;
	uint16_t vlan; /* 0: untagged */
	uint32_t queue; /* to send on */
	const char *to; /* the port to receive on; NULL: what comes back */
	/* Open. */
	struct probe_template frame;
	struct rawnet_queue *tx; /* NULL: only receives */
	struct rawnet_queue *rx[RAWNET_QUEUES_MAX];
	uint32_t n_rx;
	uint32_t magic; /* of what is received; 0: the first that comes decides */
};

void stream_init(struct stream *s);

/* Keys for the addresses. Then whether all that is needed was there: 0, or -EINVAL and said. */
struct key_table stream_keys(struct stream *s);
int stream_check(const struct stream *s);

/* Attaches to dev, and to `to`, with the rules that it takes: 0, or -errno and said why. */
int stream_open(struct stream *s, struct rawnet *rn, const char *dev);
/* The queues of an attachment are those to receive on. */
void stream_receive_from(struct stream *s, struct rawnet_attachment *at);

/* The longest frame that can be sent, without tag. */
uint32_t stream_most(const struct stream *s);

/* Each run has a magic of its own, so that what is late of the last is not taken for this one's. */
void stream_new_magic(struct stream *s);

/* A probe into a tx slot, whose buffer was only ever used for this. */
void stream_write(const struct stream *s, struct rawnet_slot *slot, uint32_t len,
		  const struct probe_mark *mark);

/* Up to a burst of one queue, into the track: how many frames; if any, *now is when. */
uint32_t stream_receive(struct stream *s, struct rawnet_queue *q, struct track *t, uint64_t *now);

/* Nanoseconds CLOCK_MONOTONIC. */
uint64_t stream_now(void);

#endif
