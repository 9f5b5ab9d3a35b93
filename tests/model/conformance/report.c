/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lab.h: what the referee wrote.
 */
#include <unistd.h>

#include "lab.h"

void lab_report_start(void)
{
	assert_non_null(getenv("CX_REPORT"));
	unlink(getenv("CX_REPORT"));
}

/* The rule was broken once, and the report has its name, the sentence, and the bytes of wqe. */
void lab_said(const char *rule, const void *wqe, const char *fmt, ...)
{
	char text[4096] = "", want[256], hex[64] = "\n  000:", *at = hex + 7;
	const uint8_t *b = wqe;
	FILE *file = fopen(getenv("CX_REPORT"), "r");
	va_list ap;
	size_t i;

	lab_broke(rule);
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	unlink(getenv("CX_REPORT"));
	snprintf(want, sizeof(want), "cx: broken rule %s: ", rule);
	if (strncmp(text, want, strlen(want)))
		fail_msg("not \"%s\": %s", want, text);
	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	if (!strstr(text, want))
		fail_msg("no \"%s\" in: %s", want, text);
	for (i = 0; wqe && i < 8; i++)
		at += sprintf(at, "%s%02x", i % 4 ? "" : " ", b[i]);
	if (wqe && !strstr(text, hex))
		fail_msg("no \"%s\" in: %s", hex, text);
}
