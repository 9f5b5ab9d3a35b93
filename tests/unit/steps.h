/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What something costs, as a number of instructions: no clock, so no noise. A child runs the scene,
 * and its parent traces it step by step where the scene says so. Only the thread that says it is
 * counted.
 */
#ifndef STEPS_H
#define STEPS_H

#include <stdbool.h>

/* Between the two, in the scene. end: whether it is to be done again. */
void steps_begin(void);
bool steps_end(void);
/* scene(many), in a child of its own, does not cost `each` instructions more for each of the many
 * than scene(few) does: what a walk would cost at least. It is done again until that is so: tables
 * grow in threads behind it, and before they have, their chains are longer. A scene that fails
 * calls abort(). */
void steps_do_not_grow(void (*scene)(unsigned size), unsigned few, unsigned many, unsigned each);

#endif
