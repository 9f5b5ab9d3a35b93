/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults to inject, set by commands (control.c) before or while the program runs. Lock held.
 */
#ifndef CX_FAULTS_H
#define CX_FAULTS_H

#include <stdbool.h>
#include "model.h"

struct cx_faults {
	bool frozen_tx, frozen_rx; /* the device does not look at SQs; at the wire */
	bool paused; /* the device thread does nothing at all */
	uint32_t slow_us; /* asleep after every turn */
	uint32_t delay_us; /* between doorbell and execution */
	uint32_t command_us; /* what each command of the kernel's interface takes; without the lock
			      */
	uint32_t drop_tx, drop_rx; /* every n-th frame is lost */
	uint64_t tx_seen, rx_seen;
	uint32_t sq_error, rq_error; /* syndrome for the next WQE; 0: none */
	uint32_t sq_error_num, rq_error_num; /* of this queue only; 0: any */
	uint32_t sq_error_count, rq_error_count;
};

extern struct cx_faults cx_faults;

/* Called first by every uverbs command: -errno to fail it. */
int cx_fault_command(int index);
int cx_fault_set(int index, int err, uint32_t skip, uint32_t count);
uint32_t cx_fault_left(int index); /* how often it has yet to fail */
bool cx_fault_drop(uint32_t every, uint64_t *seen);
uint8_t cx_fault_sq(const struct cx_sq *sq);
uint8_t cx_fault_rq(const struct cx_rq *rq);

/* Executes one command line; the answer in out. 0 or -errno. Takes the lock. */
int cx_control_run(const char *line, char *out, size_t size);
void cx_control_start(const char *path);
void cx_control_stop(void);

#endif
