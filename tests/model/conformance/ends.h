/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lab that most test programs start each test with: one who sends, and one who receives
 * everything. At the end the wire is empty, and no rule was broken.
 */
#ifndef ENDS_H
#define ENDS_H

#include "lab.h"

extern struct lab lab;
extern struct lab_sq sq; /* of 64 WQEs */
extern struct lab_rq rq; /* with no buffers */
extern struct ibv_flow *flow;

int setup_sender(void **state);
int teardown_sender(void **state); /* whoever sent has captured it */
int setup_ends(void **state);
int teardown_ends(void **state); /* what is still on the wire is thrown away */

#endif
