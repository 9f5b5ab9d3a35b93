/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_FUZZ_H
#define CONTROL_FUZZ_H

#include "daemon.h"

/* Do quotas, lists and counts agree with each other? */
void control_check(const struct rn_daemon *d);

#endif
