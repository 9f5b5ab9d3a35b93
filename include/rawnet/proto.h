/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control channel: messages between rawnetd and its clients on a UNIX SOCK_SEQPACKET socket.
 *
 * Every message is one packet of the socket and starts with struct rawnet_hdr. Its structs have a
 * fixed size; `size` is that of the whole message, so that a later version may append fields: a
 * receiver takes what it knows and reads missing fields as zero. A request carries an id that its
 * reply repeats; its reply's type is the request's with RAWNET_REPLY. Replies come in the order of
 * the requests, so requests may be pipelined. A refused request gets a struct rawnet_refusal,
 * `error` is then -errno and `text` a sentence that names the offending field. Requests that change
 * something are idempotent where that makes sense: detaching or deleting what is gone is ENOENT and
 * changes nothing.
 *
 * The first request is HELLO. The daemon takes no file descriptors; it sends some with the reply to
 * ATTACH, in this order: rings, packets, counters, then one wake-up socket for each queue.
 * Texts are NUL-terminated and padded with zeros. Byte order is the machine's.
 */
#ifndef RAWNET_PROTO_H
#define RAWNET_PROTO_H

#include "abi.h"
#include "counters.h"
#include "flow.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RAWNET_PROTO_MIN      1u
#define RAWNET_PROTO_MAX      1u
#define RAWNET_MSG_MAX	      4096u /* bytes of the longest message */
#define RAWNET_LABEL	      32u /* a label with its NUL: letters, digits, "-_.:@" */
#define RAWNET_DEV	      16u /* IFNAMSIZ */
#define RAWNET_DEFAULT_SOCKET "/run/rawnet/rawnetd.sock"

struct rawnet_hdr {
	uint32_t size; /* of the whole message */
	uint16_t type; /* enum rawnet_msg, with RAWNET_REPLY in a reply */
	uint16_t reserved;
	uint32_t id; /* chosen by the client; 0 in what the daemon sends unasked */
	int32_t error; /* reply: 0 or -errno; request: 0 */
};
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_hdr) == 16, "header is 16 bytes");

#define RAWNET_REPLY 0x8000u

/* X(NAME, number, request struct, reply struct). */
#define RAWNET_REQUESTS(X)                                                  \
	X(HELLO, 1, rawnet_req_hello, rawnet_rep_hello)                     \
	X(STATUS, 2, rawnet_req_plain, rawnet_rep_status)                   \
	X(ATTACH, 3, rawnet_req_attach, rawnet_rep_attach)                  \
	X(DETACH, 4, rawnet_req_id, rawnet_rep_plain)                       \
	X(COPIES, 5, rawnet_req_copies, rawnet_rep_plain)                   \
	X(FLOW_ADD, 6, rawnet_req_flow_add, rawnet_rep_flow)                \
	X(FLOW_DEL, 7, rawnet_req_id, rawnet_rep_plain)                     \
	X(FLOW_MOVE, 8, rawnet_req_flow_move, rawnet_rep_plain)             \
	X(FLOW_CONFIRM, 9, rawnet_req_id, rawnet_rep_plain)                 \
	X(FLOW_LIST, 10, rawnet_req_list, rawnet_rep_flow_list)             \
	X(PORT_LIST, 11, rawnet_req_list, rawnet_rep_port_list)             \
	X(CLIENT_LIST, 12, rawnet_req_list, rawnet_rep_client_list)         \
	X(ATTACHMENT_LIST, 13, rawnet_req_list, rawnet_rep_attachment_list) \
	X(COUNTERS, 14, rawnet_req_counters, rawnet_rep_counters)           \
	X(SUBSCRIBE, 15, rawnet_req_subscribe, rawnet_rep_plain)            \
	X(CLIENT_DISCONNECT, 16, rawnet_req_id, rawnet_rep_plain)           \
	X(PORT_DRAIN, 17, rawnet_req_drain, rawnet_rep_plain)               \
	X(QUOTA, 18, rawnet_req_quota, rawnet_rep_quota)                    \
	X(POLLER_LIST, 19, rawnet_req_list, rawnet_rep_poller_list)         \
	X(CAPTURE, 20, rawnet_req_capture, rawnet_rep_plain)                \
	X(EXPLAIN, 21, rawnet_req_explain, rawnet_rep_explain)              \
	X(ROUTE, 22, rawnet_req_route, rawnet_rep_route)

enum rawnet_msg {
#define RAWNET_MSG_ENUM(NAME, number, req, rep) RAWNET_MSG_##NAME = number,
	RAWNET_REQUESTS(RAWNET_MSG_ENUM)
#undef RAWNET_MSG_ENUM
	RAWNET_MSG_EVENT = 100, /* daemon to client, unasked: struct rawnet_event */
	RAWNET_MSG_DISCONNECT = 101, /* daemon to client, last message: struct rawnet_disconnect */
};

/* A refused request. */
struct rawnet_refusal {
	struct rawnet_hdr hdr;
	char text[240];
};

struct rawnet_req_plain {
	struct rawnet_hdr hdr;
};

struct rawnet_rep_plain {
	struct rawnet_hdr hdr;
};

/* DETACH: attachment id; FLOW_DEL, FLOW_CONFIRM: rule id; CLIENT_DISCONNECT: client id. */
struct rawnet_req_id {
	struct rawnet_hdr hdr;
	uint64_t id;
};

struct rawnet_req_hello {
	struct rawnet_hdr hdr;
	uint32_t min, max; /* versions of this protocol that the client speaks */
	char label[RAWNET_LABEL]; /* what the client calls itself; may be empty */
	char program[RAWNET_LABEL]; /* name and version of the program or library */
};

struct rawnet_rep_hello {
	struct rawnet_hdr hdr;
	uint32_t version; /* the one spoken from now on */
	uint32_t client; /* this connection's id */
	uint64_t instance; /* differs from one start of the daemon to the next */
	uint32_t uid, gid; /* who the kernel says you are */
	uint32_t admin; /* 1: may act for others */
	uint32_t abi; /* RAWNET_ABI_VERSION of the daemon */
	char daemon[RAWNET_LABEL]; /* name and version */
};

struct rawnet_rep_status {
	struct rawnet_hdr hdr;
	uint64_t instance;
	uint64_t uptime_ns;
	uint32_t pid;
	uint32_t ports, pollers, clients, attachments, rules;
	uint64_t memory; /* bytes of packet memory and rings handed out */
	uint32_t reloads; /* configurations taken since the start */
	uint32_t reserved;
	char version[RAWNET_LABEL];
	char config[128]; /* path of the configuration */
};

/* ---- attach ---- */

#define RAWNET_ATTACH_STAMP 0x1u /* timestamps for received packets */
#define RAWNET_ATTACH_HUGE  0x2u /* huge pages for packet memory, if policy and system allow */

/* Copies of what stays with the kernel. */
#define RAWNET_COPY_BROADCAST 0x1u /* ARP included */
#define RAWNET_COPY_MULTICAST 0x2u /* neighbour discovery included */
#define RAWNET_COPY_KNOWN     0x3u

struct rawnet_req_attach {
	struct rawnet_hdr hdr;
	char dev[RAWNET_DEV];
	uint32_t n_queues; /* 0: one for each poller of the port; more are given if the port needs
			      them */
	uint32_t rx_size; /* slots, a power of two; 0: 1024 */
	uint32_t tx_size; /* slots, a power of two; 0: 1024 */
	uint32_t buf_size; /* power of two; 0: the smallest that holds the port's largest frame */
	uint32_t n_bufs; /* 0: n_queues * (rx_size + tx_size) */
	uint32_t headroom; /* bytes in front of a received packet, multiple of 64; 0: 128 */
	uint32_t flags; /* RAWNET_ATTACH_* */
	uint32_t copies; /* RAWNET_COPY_* */
};

struct rawnet_rep_attach {
	struct rawnet_hdr hdr;
	uint32_t attachment; /* id */
	uint32_t n_queues;
	uint32_t ifindex;
	uint32_t mtu;
	uint8_t mac[6];
	uint8_t link_up;
	uint8_t reserved;
	char backend[RAWNET_LABEL];
	uint64_t rings_size, packets_size, counters_size;
	uint32_t rx_offloads; /* RAWNET_RX_* flags that this port may set */
	uint32_t tx_offloads; /* RAWNET_TX_* flags that the device itself does; all are honoured */
};

struct rawnet_req_copies {
	struct rawnet_hdr hdr;
	uint32_t attachment;
	uint32_t copies; /* RAWNET_COPY_*, replaces what was asked before */
};

/* ---- flow rules ---- */

#define RAWNET_FLOW_PERSIST   0x01u /* outlives its target: waits for its label and uid */
#define RAWNET_FLOW_GROUP     0x02u /* joins the rule of this match and uid: shared by hash */
#define RAWNET_FLOW_FORCE     0x04u /* a protected match, for those who may */
#define RAWNET_FLOW_CHECK     0x08u /* says what would happen, changes nothing */
#define RAWNET_FLOW_STATIC    0x10u /* listed only: stands in the configuration */
#define RAWNET_FLOW_WAITING   0x20u /* listed only: its target is not there, packets are dropped */
#define RAWNET_FLOW_TENTATIVE 0x40u /* listed only: goes back unless confirmed in time */

enum rawnet_gap {
	RAWNET_GAP_KERNEL,
	RAWNET_GAP_DROP,
	RAWNET_GAP_COUNT
};

/* Where a rule's packets go: an attachment by id, or the attachment to `dev` of the client with
 * this label (and, unless an admin asks, of the asker's uid). */
struct rawnet_target {
	uint32_t attachment; /* id; 0: by label */
	char label[RAWNET_LABEL];
};

struct rawnet_req_flow_add {
	struct rawnet_hdr hdr;
	char dev[RAWNET_DEV];
	struct rawnet_match match;
	struct rawnet_target target;
	uint32_t flags; /* RAWNET_FLOW_PERSIST | GROUP | FORCE | CHECK */
	uint32_t confirm; /* seconds; 0: at once for good. Not for who joins a group */
	uint32_t gap; /* enum rawnet_gap: while no daemon runs */
};

struct rawnet_rep_flow {
	struct rawnet_hdr hdr;
	uint64_t rule; /* id, never used again; 0 for a check */
	uint32_t
		index; /* within the attachment: what u.rx.rule says; 0xffff and more say nothing */
	uint32_t shape; /* place of its shape in the order, 0 is tried first */
};

struct rawnet_req_flow_move {
	struct rawnet_hdr hdr;
	uint64_t rule;
	struct rawnet_target target;
};

/* ---- lists: ask with cursor 0, then with the `next` of each reply, until it is 0 ---- */

struct rawnet_req_list {
	struct rawnet_hdr hdr;
	uint64_t cursor;
	uint64_t id; /* only this rule, client or attachment; 0: all */
	uint32_t attachment; /* rules: only with this target; 0: all */
	uint32_t client; /* attachments and rules: only this client's; 0: all */
	char dev[RAWNET_DEV]; /* only this port's; empty: all */
};

struct rawnet_list {
	struct rawnet_hdr hdr;
	uint64_t next; /* 0: that was all */
	uint32_t n; /* entries that follow */
	uint32_t entry_size;
};

struct rawnet_flow_info {
	uint64_t rule;
	char dev[RAWNET_DEV];
	struct rawnet_match match;
	uint32_t uid;
	uint32_t flags; /* RAWNET_FLOW_* */
	uint32_t gap;
	uint32_t confirm_left; /* seconds until it goes back; 0: for good */
	uint32_t shape;
	uint32_t index;
	uint32_t n_targets; /* members of the group; 0: waiting */
	uint32_t targets[8]; /* attachment ids, the first eight */
	char label[RAWNET_LABEL]; /* of the (first) target, or the one waited for */
};

struct rawnet_port_info {
	char dev[RAWNET_DEV];
	char backend[RAWNET_LABEL];
	uint32_t ifindex;
	uint32_t mtu;
	uint8_t mac[6];
	uint8_t link_up;
	uint8_t draining;
	uint32_t present; /* 0: the interface is gone, waited for */
	uint32_t n_pollers, n_hw_queues, n_attachments, n_rules, n_shapes;
	uint32_t max_rules; /* 0: no bound but memory */
	char mode[96]; /* e.g. "generic: veth, native costs its receiver" */
};

struct rawnet_client_info {
	uint32_t client;
	uint32_t uid, gid, pid;
	char label[RAWNET_LABEL];
	char program[RAWNET_LABEL];
	char socket[64]; /* path it connected to */
	uint32_t n_attachments, n_rules;
	uint64_t memory;
	uint64_t connected_ns; /* since */
};

struct rawnet_attachment_info {
	uint32_t attachment, client;
	uint32_t uid;
	uint32_t n_queues, n_rules;
	uint32_t rx_size, tx_size, buf_size, n_bufs;
	uint32_t copies;
	char dev[RAWNET_DEV];
	char label[RAWNET_LABEL];
	uint64_t memory;
};

struct rawnet_poller_info {
	uint32_t poller;
	uint32_t cpu;
	uint32_t busy; /* 1: busy, 0: adaptive */
	uint32_t queues, hot;
	uint32_t reserved;
	uint64_t turns, busy_turns, sleeps;
	/* Turns with work since the start, one in 64 measured: the longest, and what 99 of 100 take
	 * at most. */
	uint64_t turn_max_ns;
	uint64_t cpu_ns; /* that its thread used since the start */
	uint64_t turn_p99_ns;
};

#define RAWNET_LIST_REPLY(name, type, count) \
	struct rawnet_rep_##name {           \
		struct rawnet_list list;     \
		struct type entry[count];    \
	};                                   \
	RAWNET_STATIC_ASSERT(sizeof(struct rawnet_rep_##name) <= RAWNET_MSG_MAX, #name " fits")

RAWNET_LIST_REPLY(flow_list, rawnet_flow_info, 16);
RAWNET_LIST_REPLY(port_list, rawnet_port_info, 16);
RAWNET_LIST_REPLY(client_list, rawnet_client_info, 16);
RAWNET_LIST_REPLY(attachment_list, rawnet_attachment_info, 24);
RAWNET_LIST_REPLY(poller_list, rawnet_poller_info, 32);

/* ---- counters ---- */

struct rawnet_req_counters {
	struct rawnet_hdr hdr;
	uint32_t attachment; /* its queues' counters ... */
	uint32_t queue; /* ... of this queue, or RAWNET_ALL_QUEUES for their sum */
	char dev[RAWNET_DEV]; /* with attachment 0: this port's counters */
};
#define RAWNET_ALL_QUEUES 0xffffffffu

struct rawnet_rep_counters {
	struct rawnet_hdr hdr;
	uint32_t n; /* RAWNET_Q_COUNT or RAWNET_P_COUNT of the daemon */
	uint32_t reserved;
	uint64_t v[RAWNET_COUNTERS_SPACE];
};

/* ---- events ---- */

#define RAWNET_EVENT_LINK   0x1u /* up, down, MTU or address changed, gone, back */
#define RAWNET_EVENT_FLOW   0x2u /* added, deleted, moved, confirmed, rolled back */
#define RAWNET_EVENT_CLIENT 0x4u /* connected, left, attached, detached, ended */
#define RAWNET_EVENT_PORT   0x8u /* draining, degraded, resumed */
#define RAWNET_EVENT_KNOWN  0xfu

struct rawnet_req_subscribe {
	struct rawnet_hdr hdr;
	uint32_t mask; /* RAWNET_EVENT_*, replaces what was asked before; 0: none */
	uint32_t reserved;
};

/* Clients see events of their own attachments and rules and of ports; admins see all. */
struct rawnet_event {
	struct rawnet_hdr hdr;
	uint32_t kind; /* one RAWNET_EVENT_* */
	uint32_t lost; /* events that did not fit the socket before this one */
	uint64_t id; /* rule or client */
	uint32_t attachment;
	uint32_t uid;
	char dev[RAWNET_DEV];
	char what[RAWNET_LABEL]; /* one word: "up", "added", "left", ... */
	char text[128];
};

/* ---- capture ---- */

#define RAWNET_CAPTURE_RX    0x1u /* what clients get */
#define RAWNET_CAPTURE_TX    0x2u /* what clients send, as it goes out */
#define RAWNET_CAPTURE_INSNS 256u

/* One instruction of a classic BPF program, as pcap_compile(3) makes them. */
struct rawnet_bpf_insn {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

/* Packets of the attachment's port are copied into its rx rings (RAWNET_RX_CAPTURE). Asked again,
 * the new request replaces the old one; direction 0 ends it, and so does the detach. What does not
 * fit the rings is counted there as rx_drop_full. Admins and the capture group see everything,
 * others what is their own: an attachment or a rule of theirs must be named. A restart of the
 * daemon ends it. */
struct rawnet_req_capture {
	struct rawnet_hdr hdr;
	uint32_t attachment; /* yours, which gets the copies */
	uint32_t direction; /* RAWNET_CAPTURE_*; 0: no more */
	uint32_t of; /* only this attachment's packets; 0: all of the port */
	uint32_t snap; /* bytes kept of each; 0: what fits a buffer */
	uint64_t rule; /* only this rule's packets; 0: all */
	uint32_t n_insns; /* of the filter; 0: none */
	uint32_t reserved;
	struct rawnet_bpf_insn insn[RAWNET_CAPTURE_INSNS];
};
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_req_capture) <= RAWNET_MSG_MAX, "capture fits");

/* ---- explain ---- */

#define RAWNET_EXPLAIN_KEPT 2048u
#define RAWNET_EXPLAIN_MAX  16384u

/* Who would get this frame if it arrived from the wire now? Nothing is sent or counted. */
struct rawnet_req_explain {
	struct rawnet_hdr hdr;
	char dev[RAWNET_DEV];
	uint32_t len; /* of the frame, at most RAWNET_EXPLAIN_MAX */
	uint32_t kept; /* bytes of it that follow; those behind count as zeros */
	uint8_t frame[RAWNET_EXPLAIN_KEPT];
};
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_req_explain) <= RAWNET_MSG_MAX, "explain fits");

enum rawnet_verdict {
	RAWNET_VERDICT_RULE, /* a rule takes it and has a target, or is hidden */
	RAWNET_VERDICT_WAITS, /* a rule takes it and waits for its target: dropped */
	RAWNET_VERDICT_NONE, /* no rule matches: the kernel's */
	RAWNET_VERDICT_GROUP, /* to a group address: the kernel's, copies for who asked */
	RAWNET_VERDICT_NEIGH, /* ARP or ND to the port's own MAC: the kernel's */
	RAWNET_VERDICT_COUNT
};

/* What a match can fix, in the order in which shapes compare (flow.h). */
enum rawnet_field {
	RAWNET_FIELD_DPORT,
	RAWNET_FIELD_SPORT,
	RAWNET_FIELD_DST,
	RAWNET_FIELD_SRC,
	RAWNET_FIELD_PROTO,
	RAWNET_FIELD_WHOLE, /* no fragments, and ports known */
	RAWNET_FIELD_ETHERTYPE,
	RAWNET_FIELD_VLAN,
	RAWNET_FIELD_SMAC,
	RAWNET_FIELD_DMAC,
	RAWNET_FIELD_COUNT
};

/* The frame as rules see it: addresses as in a match, numbers in the machine's order. */
struct rawnet_seen {
	uint8_t dmac[6], smac[6];
	uint16_t vlan; /* 0: untagged */
	uint16_t ethertype;
	uint8_t dst[16], src[16];
	uint16_t sport, dport;
	uint8_t proto;
	uint8_t whole; /* 1: unfragmented TCP, UDP or SCTP */
	uint8_t fragment;
	uint8_t reserved;
};

/* One shape, and the one rule of it that could match. */
struct rawnet_tried {
	uint64_t rule; /* 0: none, or not the asker's to see */
	uint32_t n_rules; /* of this shape */
	uint8_t matches; /* 1: a rule of this shape matches */
	uint8_t hidden; /* 1: others' rules: bits, n_rules and rule are zero */
	uint8_t bits[RAWNET_FIELD_COUNT]; /* fixed in each field */
};

/* Only admins see others' rules and shapes: to the rest they are hidden. */
struct rawnet_rep_explain {
	struct rawnet_hdr hdr;
	uint32_t verdict; /* enum rawnet_verdict */
	uint32_t hash; /* which chooses the member of a group */
	uint64_t rule; /* that takes it; 0: none, or hidden */
	uint32_t hidden; /* 1: the rule is another user's */
	uint32_t attachment, client; /* who gets it; 0: nobody, or hidden */
	uint32_t n_members; /* of the rule's group */
	uint8_t mac[6]; /* the port's */
	uint8_t reserved[2];
	struct rawnet_seen seen;
	uint32_t n_tried;
	uint32_t reserved2;
	struct rawnet_tried tried[16]; /* all shapes in order; the first that matches decides */
};
RAWNET_STATIC_ASSERT(sizeof(struct rawnet_rep_explain) <= RAWNET_MSG_MAX, "explain fits");

enum rawnet_reason {
	RAWNET_BYE_SHUTDOWN, /* the daemon stops */
	RAWNET_BYE_ADMIN, /* an admin ended the client */
	RAWNET_BYE_PROTOCOL, /* a message broke the protocol */
	RAWNET_BYE_RING, /* a ring index ran ahead or back, or a chain was not finished */
	RAWNET_BYE_MEMORY, /* shared memory was tampered with */
	RAWNET_BYE_POLICY, /* the policy no longer allows the client */
	RAWNET_BYE_SLOW, /* the client does not read its socket */
	RAWNET_BYE_DEVICE, /* the port's device failed, or failed the client's queue */
	RAWNET_BYE_BUSY, /* memory or descriptors were out when the client connected */
	RAWNET_BYE_COUNT
};

struct rawnet_disconnect {
	struct rawnet_hdr hdr;
	uint32_t reason; /* enum rawnet_reason */
	uint32_t reserved;
	char text[240];
};

/* ---- routes ---- */

/* How would the kernel send to this address through this port? */
struct rawnet_req_route {
	struct rawnet_hdr hdr;
	char dev[RAWNET_DEV];
	uint8_t family; /* 4 or 6 */
	uint8_t reserved[3];
	uint8_t dst[16]; /* the first 4 bytes for IPv4 */
};

enum rawnet_hop {
	RAWNET_HOP_READY, /* dmac is the next hop's */
	RAWNET_HOP_ASKED, /* the kernel asks the network for it: ask again */
	RAWNET_HOP_FAILED, /* nobody answered the last time; it is asked for again */
	RAWNET_HOP_COUNT
};

struct rawnet_rep_route {
	struct rawnet_hdr hdr;
	uint32_t state; /* enum rawnet_hop */
	uint32_t mtu; /* longest IP packet, in bytes */
	uint16_t vlan; /* id of the tag; 0: untagged */
	uint8_t smac[6]; /* the port's, or its VLAN interface's */
	uint8_t dmac[6];
	uint8_t via_family; /* 4 or 6, which may differ from the destination's */
	uint8_t has_src;
	uint8_t src[16]; /* which the host would send from, of the destination's family */
	uint8_t via[16]; /* the gateway, or the destination itself */
};

/* ---- administration ---- */

struct rawnet_req_drain {
	struct rawnet_hdr hdr;
	char dev[RAWNET_DEV];
	uint32_t on; /* 1: no new attachments and rules; 0: again */
	uint32_t reserved;
};

struct rawnet_req_quota {
	struct rawnet_hdr hdr;
	uint32_t uid;
	uint32_t self; /* 1: the asker's own uid */
};

struct rawnet_quota {
	uint64_t memory; /* bytes */
	uint32_t queues, rules, attachments, connections;
	uint32_t users; /* that the policy's entry for connecting serves at once, all together */
	uint32_t reserved;
};

struct rawnet_rep_quota {
	struct rawnet_hdr hdr;
	uint32_t uid;
	uint32_t reserved;
	struct rawnet_quota used, limit;
};

#ifdef __cplusplus
}
#endif
#endif
