/* SPDX-License-Identifier: BSD-2-Clause */
/* See ask.h: completions, and the frame that says that one does not come. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "barrier.h"

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static bool take(struct ask_cq *cq, struct rn_cqe *e)
{
	struct rn_cqe *at = &cq->ring[cq->ci & ((1u << cq->log) - 1)];

	if (!rn_cqe_ours(rn_cqe_op_own(at), cq->ci, cq->log))
		return false;
	rn_dma_read();
	*e = *at;
	cq->ci++;
	return true;
}

static void nap(void)
{
	nanosleep(&(struct timespec) {.tv_nsec = 100000}, NULL);
}

/* Sends a frame from queue to queue, and waits for it or for a completion of `cq`, which is true.
 */
static bool until_marker(struct ask *a, struct ask_cq *cq, struct rn_cqe *e)
{
	const uint64_t end = now_ms() + DEAD_MS;
	uint8_t *frame = a->from->mem + MEM / 2 - SLOT;
	struct rn_cqe marker;

	memset(frame, 0, 64);
	memcpy(frame, a->to->mac, 6);
	memcpy(frame + 6, a->from->mac, 6);
	frame[12] = ETHERTYPE >> 8;
	frame[13] = ETHERTYPE & 0xff;
	while (take(&a->marker_rx.cq, &marker)) /* of a wait that did not need it */
		ask_post(a->to, &a->marker_rx);
	ask_send(a, &a->marker_tx, MEM / 2 - SLOT, 64);
	while (now_ms() < end) {
		if (cq && take(cq, e))
			return true;
		if (take(&a->marker_rx.cq, &marker)) {
			ask_post(a->to, &a->marker_rx);
			return !cq;
		}
		nap();
	}
	return false;
}

bool ask_completion(struct ask *a, struct ask_cq *cq, struct rn_cqe *e)
{
	uint64_t end = now_ms() + GRACE_MS;

	while (now_ms() < end) {
		if (take(cq, e))
			return true;
		nap();
	}
	if (until_marker(a, cq, e))
		return true;
	end = now_ms() + GRACE_MS;
	while (now_ms() < end) {
		if (take(cq, e))
			return true;
		nap();
	}
	return false;
}

int ask_marker_open(struct ask *a)
{
	int rc = ask_tx_open(a->from, &a->marker_tx);

	if (!rc)
		rc = ask_rx_open(a->to, &a->marker_rx, false);
	if (rc)
		return rc;
	a->marker_rule = ask_ether_rule(&a->marker_rx, a->to->mac);
	if (!a->marker_rule)
		return -errno;
	for (unsigned i = 0; i < ENTRIES / 2; i++)
		ask_post(a->to, &a->marker_rx);
	return until_marker(a, NULL, NULL) ? 0 : -ETIMEDOUT;
}

void ask_marker_close(struct ask *a)
{
	if (a->marker_rule)
		ibv_destroy_flow(a->marker_rule);
	ask_tx_close(&a->marker_tx);
	ask_rx_close(&a->marker_rx);
}

uint8_t ask_syndrome(const struct rn_cqe *e)
{
	struct rn_cqe_error error;

	memcpy(&error, e, sizeof(error));
	switch (RN_CQE_KIND(e->op_own)) {
	case RN_CQE_SEND_ERROR:
	case RN_CQE_RECEIVE_ERROR: return error.syndrome;
	default: return 0;
	}
}

const char *ask_outcome(bool came, const struct rn_cqe *e)
{
	static char text[4][64];
	static unsigned turn;
	char *t = text[turn++ % 4];

	if (!came)
		return "no completion";
	if (!ask_syndrome(e))
		return "done";
	snprintf(t, sizeof(text[0]), "error, syndrome 0x%02x", ask_syndrome(e));
	return t;
}

uint8_t *ask_received(struct ask_port *port, const struct rn_cqe *e)
{
	return port->mem + MEM / 2 + (be16toh(e->wqe_counter) % (MEM / 2 / SLOT)) * SLOT;
}
