/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faults.h: which command, queue or frame is to fail next.
 */
#include <errno.h>
#include <string.h>

#include "faults.h"
#include "uverbs.h"

#define MAX_COMMANDS 64

struct cx_faults cx_faults;

static struct {
	int err;
	uint32_t skip, count; /* let so many pass, then fail so many */
} commands[MAX_COMMANDS];

int cx_fault_set(int index, int err, uint32_t skip, uint32_t count)
{
	if (index < 0 || index >= MAX_COMMANDS)
		return -ENOENT;
	commands[index].err = err;
	commands[index].skip = skip;
	commands[index].count = count;
	return 0;
}

uint32_t cx_fault_left(int index)
{
	return commands[index].count;
}

int cx_fault_command(int index)
{
	if (!commands[index].count)
		return 0;
	if (commands[index].skip) {
		commands[index].skip--;
		return 0;
	}
	commands[index].count--;
	return -commands[index].err;
}

bool cx_fault_drop(uint32_t every, uint64_t *seen)
{
	return every && ++*seen % every == 0;
}

uint8_t cx_fault_sq(const struct cx_sq *sq)
{
	if (!cx_faults.sq_error_count || !cx_faults.sq_error ||
	    (cx_faults.sq_error_num && cx_faults.sq_error_num != sq->sqn))
		return 0;
	cx_faults.sq_error_count--;
	return (uint8_t)cx_faults.sq_error;
}

uint8_t cx_fault_rq(const struct cx_rq *rq)
{
	if (!cx_faults.rq_error_count || !cx_faults.rq_error ||
	    (cx_faults.rq_error_num && cx_faults.rq_error_num != rq->rqn))
		return 0;
	cx_faults.rq_error_count--;
	return (uint8_t)cx_faults.rq_error;
}
