/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold where there is no test to fail: the program ends with the line. */
#ifndef RAWNET_TEST_MUST_H
#define RAWNET_TEST_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define must(condition)                                                                 \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

#endif
