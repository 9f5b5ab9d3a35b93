/* SPDX-License-Identifier: BSD-2-Clause */
/* See ends.h. */
#include "ends.h"

struct lab lab;
struct lab_sq sq;
struct lab_rq rq;
struct ibv_flow *flow;

int setup_sender(void **state)
{
	(void)state;
	lab_open(&lab, NULL);
	lab_sq_new(&lab, &sq, 64);
	return 0;
}

int teardown_sender(void **state)
{
	(void)state;
	lab_no_capture();
	lab_sq_free(&sq);
	lab_close(&lab);
	lab_clean();
	return 0;
}

int setup_ends(void **state)
{
	setup_sender(state);
	lab_rq_new(&lab, &rq, NULL);
	flow = lab_flow_all(rq.qp);
	return 0;
}

int teardown_ends(void **state)
{
	uint8_t got[64];

	while (cx_capture(0, got, sizeof(got)) > 0)
		;
	assert_int_equal(ibv_destroy_flow(flow), 0);
	lab_rq_free(&rq);
	return teardown_sender(state);
}
