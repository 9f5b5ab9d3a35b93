/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a daemon needs to go on after its own restart, and trusts alone for that. No client ever
 * gets a descriptor of it.
 *
 * struct rn_state, one memfd for each attachment: its shape, its owner, and the private indexes of
 * its queues, which are stored before the shared ones are published, so that after a crash they are
 * never behind what a client saw.
 *
 * struct rn_state_journal, one memfd for the daemon: all rules, in records of one size. A rule is
 * one or more records with its id. A change writes all of them anew with a higher version, the
 * `rule` field last, and then wipes the old ones: after a crash in between the higher complete
 * version counts.
 */
#ifndef RN_STATE_H
#define RN_STATE_H

#include <stdint.h>

#include "rawnet/proto.h"

#define RN_STATE_MAGIC	 0x524e5354u /* "RNST" */
#define RN_STATE_VERSION 2u /* members may be added where it is zero, if that says what was */

/* Written by the queue's poller. */
struct rn_queue_state {
	_Alignas(64) uint32_t rx_daemon; /* private indexes at the last publication */
	uint32_t rx_client;
	uint32_t tx_daemon;
	uint32_t tx_client;
	uint32_t tx_segment;
	/* Owned queues: slots from here on name the buffers that the device has. Of those before, a
	 * packet that the device did not write took one out of turn (deliver.c). */
	uint32_t rx_true;
	/* Of the packet at tx_daemon, what is paid for and not sent. Zeros of a daemon that does
	 * not know them: it is paid again. */
	uint32_t tx_paid, tx_paid_bytes;
};

struct rn_state {
	uint32_t magic;
	uint32_t version;
	uint64_t size;
	uint32_t attachment;
	uint32_t uid;
	uint32_t n_queues;
	uint32_t rx_size, tx_size, buf_size, n_bufs, headroom;
	uint32_t flags; /* RAWNET_ATTACH_* */
	uint32_t copies; /* RAWNET_COPY_* */
	uint32_t immutable; /* the shared memory is */
	uint32_t known; /* 1: the client was told of the attachment */
	uint64_t memory;
	char label[RAWNET_LABEL];
	char dev[RAWNET_DEV];
	/* the client, the same in all of its attachments */
	uint32_t client; /* id */
	uint32_t events; /* RAWNET_EVENT_* asked for */
	uint32_t pending_id; /* of the request under way */
	uint32_t pending_type; /* 0: none */
	char program[RAWNET_LABEL];
	uint64_t connected_ns;
	struct rn_queue_state queue[RAWNET_QUEUES_MAX];
};
_Static_assert(sizeof(struct rn_queue_state) == 64, "one line for each queue");

enum rn_state_kind {
	RN_STATE_RULE = 1, /* comes first: u.rule */
	RN_STATE_MEMBERS, /* u.member, more of them */
	RN_STATE_TABLE, /* u.table: the group's indirection table */
};

struct rn_state_member {
	uint32_t attachment;
	uint32_t index;
};

#define RN_STATE_MEMBERS_EACH 27u

struct rn_state_record {
	uint64_t rule; /* id; 0: unused */
	uint32_t version;
	uint16_t kind; /* enum rn_state_kind */
	uint16_t n; /* members in this record */
	uint32_t records; /* of the rule in all */
	uint32_t part; /* of them, from 0 */
	union {
		struct {
			struct rawnet_match match;
			uint32_t flags;
			uint32_t gap;
			uint32_t uid;
			uint32_t reserved;
			uint64_t confirm_end; /* ns CLOCK_MONOTONIC; 0: for good */
			char dev[RAWNET_DEV];
			char label[RAWNET_LABEL];
			uint64_t entry; /* as in struct rn_rule; 0: of a daemon that did not say */
		} rule;
		struct rn_state_member member[RN_STATE_MEMBERS_EACH];
		uint8_t table[128];
	} u;
};
_Static_assert(sizeof(struct rn_state_record) == 240, "records of one size");

struct rn_state_journal {
	uint32_t magic;
	uint32_t version;
	uint64_t rule_ids; /* the last id that was given out */
	uint32_t client_ids, attachment_ids;
	uint32_t max; /* records that follow */
	uint32_t reserved[9];
	struct rn_state_record record[];
};
_Static_assert(sizeof(struct rn_state_journal) == 64, "records begin on a line");

#endif
