/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules, and what happens to who breaks them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "referee.h"
#include "sys.h"

#define PRINT_MAX 10 /* of each rule */
#define STATUS	  86 /* of a process that broke rules */

static struct rule {
	const char *name, *text;
	uint64_t count;
} rules[] = {
	{"doorbell.number", "a doorbell names a send queue that exists", 0},
	{"doorbell.uar", "a send queue is rung on the register page it was created with", 0},
	{"doorbell.record", "the doorbell record is written before the register", 0},
	{"arm.number", "an arm doorbell names a completion queue that exists", 0},
	{"arm.sequence", "each arming after an event has the next sequence number", 0},
	{"cq.overrun", "a completion queue is never full, unless it ignores overrun", 0},
	{"sq.state", "a send queue is rung in state RTS only", 0},
	{"sq.backwards", "a doorbell record never goes back", 0},
	{"sq.overrun", "WQEBBs are reused only when a completion has covered them", 0},
	{"sq.index", "a WQE holds its own index, in WQEBBs, modulo 2^16", 0},
	{"sq.number", "a WQE holds the number of its queue", 0},
	{"sq.ds", "ds counts the WQE's 16-byte units, all of them rung", 0},
	{"sq.opcode", "only NOP, SEND, TSO and, where the device has it, multi-packet send", 0},
	{"sq.inline", "inline data ends within the WQE", 0},
	{"sq.min-inline", "a SEND carries the header bytes that the device wants inline", 0},
	{"sq.zero-length", "no pointer segment of length 0", 0},
	{"sq.length", "a frame has 14 bytes to MTU + 22", 0},
	{"sq.vlan", "VLAN insertion only where the device has it", 0},
	{"sq.mss", "a SEND has no segment size", 0},
	{"tso.header", "TSO carries Ethernet, IP and TCP headers inline, exactly, and a size", 0},
	{"tso.csum", "TSO asks for both checksums", 0},
	{"empw.header", "multi-packet send has packets, no inline header, tag or size", 0},
	{"rq.record", "a receive doorbell record is a count of 16 bits, big-endian", 0},
	{"rq.overrun", "a receive doorbell record is at most the ring's size ahead", 0},
	{"mr.key", "a data segment's key is that of a registered region", 0},
	{"mr.pd", "a data segment's region belongs to the queue's protection domain", 0},
	{"mr.range", "a data segment lies within its region", 0},
	{"mr.access", "a receive buffer's region was registered for local write", 0},
	{"mr.posted", "a region is deregistered only when no WQE that is posted names it", 0},
	{"qp.port", "a QP goes from RESET to INIT with its port", 0},
	{"flow.no-queue", "a flow's destination has a receive queue", 0},
	{"exit.leak", "all objects are destroyed before the device is closed (CX_LEAKS=1)", 0},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

static struct rule *find(const char *name)
{
	size_t i;

	for (i = 0; i < RULES; i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	abort(); /* a rule without an entry in the table: a bug of the model */
}

static size_t hex(char *out, size_t size, const uint8_t *p, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len && n + 16 < size; i++) {
		if (i % 16 == 0)
			n += (size_t)snprintf(out + n, size - n, "\n  %03zx:", i);
		n += (size_t)snprintf(out + n, size - n, "%s%02x", i % 4 ? "" : " ", p[i]);
	}
	out[n++] = '\n';
	return n;
}

static void print(const char *text, size_t len)
{
	int fd;

	(void)!cx_libc.write(STDERR_FILENO, text, len);
	if (!cx_settings.report)
		return;
	fd = cx_libc.open(cx_settings.report, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	(void)!cx_libc.write(fd, text, len);
	cx_libc.close(fd);
}

void cx_violation(const char *name, const void *wqe, size_t len, const char *fmt, ...)
{
	struct rule *r = find(name);
	char text[4096];
	va_list ap;
	size_t n;

	r->count++;
	if (cx_settings.referee == CX_REFEREE_COUNT || r->count > PRINT_MAX)
		return;
	n = (size_t)snprintf(text, sizeof(text), "cx: broken rule %s: %s\n  ", r->name, r->text);
	va_start(ap, fmt);
	n += (size_t)vsnprintf(text + n, 512, fmt, ap);
	va_end(ap);
	if (wqe)
		n += hex(text + n, sizeof(text) - n, wqe, len);
	else
		text[n++] = '\n';
	print(text, n);
	if (cx_settings.referee == CX_REFEREE_ABORT)
		abort();
}

uint64_t cx_violation_count(const char *name)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < RULES; i++)
		if (!name || strcmp(rules[i].name, name) == 0)
			n += rules[i].count;
	return n;
}

void cx_violation_clear(void)
{
	size_t i;

	for (i = 0; i < RULES; i++)
		rules[i].count = 0;
}

size_t cx_violation_list(char *out, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < RULES && n < size; i++)
		if (rules[i].count)
			n += (size_t)snprintf(out + n, size - n, "%s %llu\n", rules[i].name,
					      (unsigned long long)rules[i].count);
	if (!n)
		n = (size_t)snprintf(out, size, "none\n");
	return n;
}

void cx_referee_finish(void)
{
	if (cx_settings.referee == CX_REFEREE_COUNT || !cx_violation_count(NULL))
		return;
	fflush(NULL);
	_exit(STATUS);
}
