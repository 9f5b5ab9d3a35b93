/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The referee: every rule that a driver can break has a name (referee.c has the list, README.md
 * explains it). Lock held.
 */
#ifndef CX_REFEREE_H
#define CX_REFEREE_H

#include <stddef.h>
#include <stdint.h>

/* wqe, len: the work request in question, printed in hexadecimal; NULL: none. */
__attribute__((format(printf, 4, 5))) void cx_violation(const char *rule, const void *wqe,
							size_t len, const char *fmt, ...);
uint64_t cx_violation_count(const char *rule); /* NULL: of all rules */
void cx_violation_clear(void);
size_t cx_violation_list(char *out, size_t size);
/* The process ends: a failing status if rules were broken and the mode says so. */
void cx_referee_finish(void);

#endif
