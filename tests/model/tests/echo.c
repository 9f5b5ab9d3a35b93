/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cx-echo PORT [SECONDS]: takes UDP to PORT off the wire with a flow rule, and sends it back from a
 * queue of its own, marked: the first payload byte becomes '*'. Until SIGTERM, or for so many
 * seconds. Everything else is the kernel's.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain.h"

static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t t[16];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

/* IPv4 without options: addresses and ports change places, the UDP checksum is left out. */
static bool turn_around(uint8_t *p, uint32_t len)
{
	if (len < 43 || p[12] != 0x08 || p[13] || p[14] != 0x45)
		return false;
	swap(p, p + 6, 6);
	swap(p + 26, p + 30, 4);
	swap(p + 34, p + 36, 2);
	p[40] = p[41] = 0;
	p[42] = '*';
	return true;
}

static void send_back(struct ibv_qp *qp, uint64_t buffer, uint32_t len)
{
	struct ibv_sge sge = {(uintptr_t)plain.mem + buffer * PLAIN_ROOM, len, plain.mr->lkey};
	struct ibv_send_wr wr = {.wr_id = buffer,
				 .sg_list = &sge,
				 .num_sge = 1,
				 .opcode = IBV_WR_SEND,
				 .send_flags = IBV_SEND_SIGNALED},
			   *bad;

	plain_check(!ibv_post_send(qp, &wr, &bad), "ibv_post_send");
}

/* A buffer goes to the receive queue, to the send queue, and back. */
static void work(struct plain_receiver *r, struct ibv_qp *qp)
{
	struct ibv_wc wc[PLAIN_BATCH];
	uint32_t i, n = plain_poll(wc);

	for (i = 0; i < n; i++) {
		uint8_t *p = plain.mem + wc[i].wr_id * PLAIN_ROOM;

		if (wc[i].opcode == IBV_WC_RECV && turn_around(p, wc[i].byte_len))
			send_back(qp, wc[i].wr_id, wc[i].byte_len);
		else
			plain_post(r->wq, wc[i].wr_id, 1);
	}
	if (!n)
		usleep(100);
}

int main(int argc, char **argv)
{
	struct plain_receiver r;
	struct ibv_qp *qp;
	uint64_t i;

	if (argc < 2) {
		fprintf(stderr, "usage: cx-echo PORT [SECONDS]\n");
		return 2;
	}
	signal(SIGTERM, on_signal);
	signal(SIGALRM, on_signal);
	plain_open();
	qp = plain_sender();
	plain_receiver(&r, (uint16_t)atoi(argv[1]));
	for (i = 0; i < PLAIN_DEPTH / 2; i += PLAIN_BATCH)
		plain_post(r.wq, i, PLAIN_BATCH);
	puts("ready");
	fflush(stdout);
	if (argc > 2)
		alarm((unsigned int)atoi(argv[2]));
	while (!ended)
		work(&r, qp);
	plain_receiver_end(&r);
	plain_check(!ibv_destroy_qp(qp), "ibv_destroy_qp");
	plain_close();
	return 0;
}
