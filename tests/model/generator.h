/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A source of flows in the device (wire=gen). Lock held.
 */
#ifndef CX_GENERATOR_H
#define CX_GENERATOR_H

#include "model.h"

struct cx_gen;

int cx_gen_new(struct cx_dev *dev, struct cx_gen **gen);
void cx_gen_free(struct cx_gen *gen); /* NULL is allowed */
/* Emits up to budget frames; returns how many. */
int cx_gen_run(struct cx_gen *gen, struct cx_dev *dev, int budget);

#endif
