/* SPDX-License-Identifier: BSD-2-Clause */
/* What every fuzz target shares. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
