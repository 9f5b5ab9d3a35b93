/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local switching: what a client sends to another client of the same port goes there at once, as
 * between the functions of a NIC (a VEB, IEEE 802.1Q; macvlan's bridge mode). Switched off for a
 * port (local_switching), all frames leave, and the switch at the other end decides (VEPA).
 *
 * Unicast. Of a frame that may go out (it was copied, checked, policed, paid, and its offloads are
 * done) the rule table says whose it is, as of one from the wire. A rule of another attachment gets
 * it, and the wire does not. What is the sender's own by its rules, or nobody's, leaves as ever: a
 * program never gets back what it sent, as with a NIC's self-loopback block. What the receiver has
 * no room for is dropped and counted there; the sender's packet was sent in any case.
 *
 * Broadcast and multicast leave, and those who subscribed to copies get one, but for the sender.
 * Each sending queue has its share of the port's copy_rate for that. Questions (ARP, ND) for an
 * address that the port leased are answered to the asker.
 *
 * Which packets are looked at. A poller asks rn_switch_may() of the first bytes of each: a load and
 * a comparison with the port's MAC, and where rules name others a multiplication and a bit of a
 * filter of 512 bytes; 1 to 3 cycles. With one attachment on the port not even that. The bytes
 * that are asked are a copy, and go out as they are: a client that rewrites the destination
 * meanwhile gains nothing. What may be local is taken by the way of whole copies (rn_tx_copy), of
 * which the same is asked.
 *
 * The receiver's queue is one of the sender's poller, so nothing changes threads. Poller only.
 */
#ifndef RN_SWITCH_H
#define RN_SWITCH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "port.h"
#include "queue.h"
#include "steer.h"

/* The MACs that may be local, or NULL: all that is sent leaves. Once a burst. */
static inline const struct rn_macs *rn_switch_on(const struct rn_port *port)
{
	if (!port->config.local_switching ||
	    __atomic_load_n(&port->n_attachments, __ATOMIC_RELAXED) < 2)
		return NULL;
	return rn_steer_macs(port->steer);
}

/* Behind a look at the filter: is it one of these MACs, or a group that somebody here wants? */
bool rn_switch_look(const struct rn_queue *from, uint64_t mac);

/* May the frame be for somebody here? head: its first 8 bytes. */
static inline bool rn_switch_may(const struct rn_queue *from, const struct rn_macs *m,
				 const uint8_t *head)
{
	uint64_t mac;
	bool may;

	memcpy(&mac, head, sizeof(mac));
	mac &= 0xffffffffffffu; /* little-endian: the first six bytes */
	may = mac == __atomic_load_n(&m->own, __ATOMIC_RELAXED) || (mac & 1);
	for (uint32_t i = 0; i < __atomic_load_n(&m->n_masks, __ATOMIC_RELAXED); i++)
		may |= rn_macs_bit(m, mac & __atomic_load_n(&m->mask[i], __ATOMIC_RELAXED));
	return __builtin_expect(may, 0) && rn_switch_look(from, mac);
}

/* A frame of daemon memory, complete as it would go out; flags: RAWNET_RX_L3_OK and L4_OK if the
 * daemon made these checksums. True: it was for somebody here, and does not go out. */
bool rn_switch_frame(struct rn_queue *from, const uint8_t *frame, uint32_t len, uint16_t flags);

#endif
