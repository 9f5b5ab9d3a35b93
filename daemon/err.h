/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An error on its way to a person: an errno and a sentence that names what was wrong. Whoever finds
 * the fault writes the sentence; everybody above passes it on. Any thread, the struct is the
 * caller's.
 */
#ifndef RN_ERR_H
#define RN_ERR_H

struct rn_err {
	int code; /* 0 or -errno */
	char text[240];
};

/* Writes code (-errno) and text into err (may be NULL), returns code. */
int rn_fail(struct rn_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
