/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cx-misuse receive|send: frees a buffer while the device has it. For checker_test.sh: with a
 * checker the device's access names free_too_early(); without one nobody notices. Wire: loop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"

#define SIZE 8192
#define AT   4096 /* away from what malloc keeps at the ends of free memory */
#define LEN  60

static uint8_t *buffer, *behind;
static struct ibv_mr *mr;

__attribute__((noinline)) static void free_too_early(void)
{
	free(buffer);
	__asm__ volatile("" ::: "memory"); /* no tail call: the name is in the report */
}

static void make_buffer(void)
{
	buffer = malloc(SIZE);
	behind = malloc(SIZE); /* so that the buffer stays a piece by itself */
	plain_check(buffer && behind, "malloc");
	memset(buffer, 0x55, SIZE);
	mr = ibv_reg_mr(plain.pd, buffer, SIZE, IBV_ACCESS_LOCAL_WRITE);
	plain_check(mr != NULL, "ibv_reg_mr");
}

static void send_from(struct ibv_qp *qp, uint64_t addr, uint32_t lkey)
{
	struct ibv_sge sge = {addr, LEN, lkey};
	struct ibv_send_wr wr = {.sg_list = &sge,
				 .num_sge = 1,
				 .opcode = IBV_WR_SEND,
				 .send_flags = IBV_SEND_SIGNALED},
			   *bad;

	plain_check(!ibv_post_send(qp, &wr, &bad), "ibv_post_send");
}

static void receive_into(struct ibv_wq *wq, uint64_t addr, uint32_t lkey)
{
	struct ibv_sge sge = {addr, PLAIN_ROOM, lkey};
	struct ibv_recv_wr wr = {.sg_list = &sge, .num_sge = 1}, *bad;

	plain_check(!ibv_post_wq_recv(wq, &wr, &bad), "ibv_post_wq_recv");
}

int main(int argc, char **argv)
{
	bool send = argc == 2 && strcmp(argv[1], "send") == 0;
	struct ibv_wc wc[PLAIN_BATCH];
	struct plain_receiver r;
	struct ibv_qp *qp;
	uint32_t done = 0;
	uint64_t wrong;

	if (argc != 2 || (!send && strcmp(argv[1], "receive") != 0)) {
		fprintf(stderr, "usage: cx-misuse receive|send\n");
		return 2;
	}
	plain_open();
	plain_receiver(&r, 0);
	qp = plain_sender();
	make_buffer();
	wrong = (uintptr_t)buffer + AT;
	if (send) {
		plain_post(r.wq, 0, 1);
		free_too_early();
		send_from(qp, wrong, mr->lkey);
	} else {
		receive_into(r.wq, wrong, mr->lkey);
		free_too_early();
		send_from(qp, (uintptr_t)plain.mem, plain.mr->lkey);
	}
	while (done < 2)
		done += plain_poll(wc);
	printf("sent and received\n");
	plain_check(!ibv_destroy_qp(qp), "ibv_destroy_qp");
	plain_receiver_end(&r);
	plain_check(!ibv_dereg_mr(mr), "ibv_dereg_mr");
	plain_close();
	free(behind);
	return 0;
}
