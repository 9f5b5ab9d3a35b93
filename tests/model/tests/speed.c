/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cx-speed send|receive COUNT: what a plain verbs program gets through the software ConnectX, in
 * millions of 60-byte frames a second (64 bytes with their FCS). Run it under cx-run, with
 * wire=sink or wire=gen. Exit status 1 if a frame failed or was lost.
 *
 * One queue, lists of 64 work requests, one completion for each list sent. The CPU times include
 * waiting for the other side, which neither does asleep: the larger one is the limit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plain.h"

#define BATCH PLAIN_BATCH
#define LEN   60

static double seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double run_send(uint64_t count)
{
	static struct ibv_send_wr wr[BATCH];
	static struct ibv_sge sge[BATCH];
	struct ibv_qp *qp = plain_sender();
	struct ibv_wc wc[BATCH];
	uint64_t sent = 0, done = 0;
	double start;
	uint32_t i;

	for (i = 0; i < BATCH; i++) {
		sge[i] = (struct ibv_sge) {(uintptr_t)plain.mem + (uint64_t)i * PLAIN_ROOM, LEN,
					   plain.mr->lkey};
		wr[i] = (struct ibv_send_wr) {.sg_list = &sge[i],
					      .num_sge = 1,
					      .opcode = IBV_WR_SEND,
					      .next = i + 1 < BATCH ? &wr[i + 1] : NULL,
					      .send_flags = i + 1 < BATCH ? 0 : IBV_SEND_SIGNALED};
	}
	start = seconds(CLOCK_MONOTONIC);
	while (done < count) {
		struct ibv_send_wr *bad;

		if (sent < count && sent - done < PLAIN_DEPTH) {
			plain_check(!ibv_post_send(qp, wr, &bad), "ibv_post_send");
			sent += BATCH;
		}
		done += (uint64_t)BATCH * plain_poll(wc);
	}
	start = seconds(CLOCK_MONOTONIC) - start;
	plain_check(!ibv_destroy_qp(qp), "ibv_destroy_qp");
	return start;
}

static double run_receive(uint64_t count)
{
	struct plain_receiver r;
	struct ibv_wc wc[BATCH];
	uint64_t got = 0, posted = 0;
	double start;

	plain_receiver(&r, 0);
	for (; posted < PLAIN_DEPTH; posted += BATCH)
		plain_post(r.wq, posted, BATCH);
	start = seconds(CLOCK_MONOTONIC);
	while (got < count) {
		uint32_t n = plain_poll(wc);

		if (!n)
			continue;
		got += n;
		plain_post(r.wq, posted, n);
		posted += n;
	}
	start = seconds(CLOCK_MONOTONIC) - start;
	plain_receiver_end(&r);
	return start;
}

int main(int argc, char **argv)
{
	uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	bool send = argc == 3 && strcmp(argv[1], "send") == 0;
	double took, mine, all;

	if (!count || (!send && strcmp(argv[1], "receive") != 0)) {
		fprintf(stderr, "usage: cx-speed send|receive COUNT\n");
		return 2;
	}
	plain_open();
	took = send ? run_send(count) : run_receive(count);
	plain_close();
	mine = seconds(CLOCK_THREAD_CPUTIME_ID);
	all = seconds(CLOCK_PROCESS_CPUTIME_ID);
	printf("%s %.2f Mpps; CPU time a frame: program %.0f ns, device %.0f ns\n", argv[1],
	       (double)count / took * 1e-6, mine / (double)count * 1e9,
	       (all - mine) / (double)count * 1e9);
	return 0;
}
