/* SPDX-License-Identifier: BSD-2-Clause */
/* See ask.h. Prints one JSON object on one line for the device, then one for each answer. */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"

static const struct question {
	const char *name, *text;
	void (*ask)(struct ask *a, struct answer *r);
} questions[] = {
	{"min-inline", "How much of a frame must stand in the request?", ask_min_inline},
	{"checksum-preset", "What must stand in a checksum that the device computes?",
	 ask_checksum_preset},
	{"dont-trap", "Can a rule copy, and let the frame go on?", ask_dont_trap},
	{"loopback", "Does a port hear itself?", ask_loopback},
	{"compression", "How many completions has a session at most?", ask_compression},
	{"rule-rate", "How fast do rules come and go, and how many fit?", ask_rule_rate},
	{"receive-errors", "Which errors stop a receive queue?", ask_receive_errors},
	{"multi-packet", "Does multi-packet send work on queues of libibverbs?", ask_multi_packet},
	{"zero-length", "What is a segment of length 0?", ask_zero_length},
	{"foreign-key", "Does the device confine a queue to its protection domain?",
	 ask_foreign_key},
	{"egress", "Do the egress tables tell send queues and requests apart?", ask_egress},
	{"malformed-request", "What does the device say to a malformed request?", ask_malformed},
	{"rule-order", "Which of two rules of one priority takes a frame?", ask_rule_order},
};
#define N_QUESTIONS (sizeof(questions) / sizeof(questions[0]))

/* ---- answers ---- */

static __attribute__((format(printf, 3, 0))) void append(char *text, size_t size, const char *fmt,
							 va_list args)
{
	const size_t len = strlen(text);

	vsnprintf(text + len, size - len, fmt, args);
}

void say(struct answer *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	append(r->text, sizeof(r->text), fmt, args);
	va_end(args);
}

void assume(struct answer *r, bool holds, const char *fmt, ...)
{
	va_list args;

	r->as_assumed = holds;
	va_start(args, fmt);
	append(r->assumed, sizeof(r->assumed), fmt, args);
	va_end(args);
}

void cannot(struct answer *r, const char *fmt, ...)
{
	va_list args;

	r->asked = false;
	r->text[0] = '\0';
	va_start(args, fmt);
	append(r->text, sizeof(r->text), fmt, args);
	va_end(args);
}

/* ---- output ---- */

static void emit(json_t *json)
{
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout); /* what a later question brings down does not take it along */
	json_decref(json);
}

static void emit_device(const struct ask_port *port)
{
	const struct ibv_device_attr *attr = &port->attr.orig_attr;

	emit(json_pack("{s:s, s:s, s:i, s:s, s:b, s:b, s:i}", "device", port->device, "firmware",
		       attr->fw_ver, "part", (int)attr->vendor_part_id, "netdev", port->netdev,
		       "multi_packet_send", !!(port->dv.flags & MLX5DV_CONTEXT_FLAGS_ENHANCED_MPW),
		       "completions_v1", !!(port->dv.flags & MLX5DV_CONTEXT_FLAGS_CQE_V1),
		       "compression_most", (int)port->dv.cqe_comp_caps.max_num));
}

static void emit_answer(const struct question *q, const struct answer *r)
{
	json_t *json = json_pack("{s:s, s:s, s:b, s:s}", "name", q->name, "question", q->text,
				 "asked", r->asked, "answer", r->text);

	if (r->asked && r->assumed[0])
		json_object_update_new(json, json_pack("{s:s, s:b}", "assumed", r->assumed,
						       "as_assumed", r->as_assumed));
	emit(json);
}

/* ---- the command line ---- */

static const char usage[] = "Usage: qualify-device [-n RULES] [-f] DEVICE NETDEV MAC [DEVICE "
			    "NETDEV MAC] [-- QUESTION...]\n"
			    "\n"
			    "  -n RULES  for the rate of insertion (1000)\n"
			    "  -f        rules until the table is full\n"
			    "\n"
			    "Two ports are connected by a cable; one gets back what it sends.\n"
			    "Questions:";

static int print_usage(FILE *out)
{
	fputs(usage, out);
	for (unsigned i = 0; i < N_QUESTIONS; i++)
		fprintf(out, " %s", questions[i].name);
	fputc('\n', out);
	return 2;
}

static int read_port(struct ask_port *port, char **words)
{
	port->device = words[0];
	port->netdev = words[1];
	return sscanf(words[2], "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &port->mac[0], &port->mac[1],
		      &port->mac[2], &port->mac[3], &port->mac[4], &port->mac[5]) == 6
		       ? 0
		       : -EINVAL;
}

static bool wanted(const struct question *q, char **names)
{
	if (!*names)
		return true;
	while (*names && strcmp(*names, q->name) != 0)
		names++;
	return *names;
}

static int open_ports(struct ask *a, int n)
{
	for (int i = 0; i < n; i++) {
		int rc = ask_port_open(&a->port[i]);

		if (rc) {
			fprintf(stderr, "qualify-device: %s: %s\n", a->port[i].device,
				strerror(-rc));
			return 1;
		}
		emit_device(&a->port[i]);
	}
	return 0;
}

static int open_marker(struct ask *a)
{
	const int rc = ask_marker_open(a);

	if (rc == -ETIMEDOUT)
		fprintf(stderr,
			"qualify-device: nothing that %s sends arrives at %s: is the cable in?\n",
			a->from->netdev, a->to->netdev);
	else if (rc)
		fprintf(stderr, "qualify-device: %s: queues or rule refused: %s\n", a->from->netdev,
			strerror(-rc));
	return rc ? 1 : 0;
}

/* The ports of the command line, and the names behind "--". */
static int read_words(struct ask *a, char **words, char ***names)
{
	int n = 0;

	while (words[n] && strcmp(words[n], "--") != 0)
		n++;
	*names = words[n] ? &words[n + 1] : &words[n];
	for (char **name = *names; *name; name++) {
		unsigned i = 0;

		while (i < N_QUESTIONS && strcmp(questions[i].name, *name) != 0)
			i++;
		if (i == N_QUESTIONS)
			return -EINVAL;
	}
	if ((n != 3 && n != 6) || read_port(&a->port[0], words) ||
	    (n == 6 && read_port(&a->port[1], words + 3)))
		return -EINVAL;
	a->from = &a->port[0];
	a->to = &a->port[n == 6];
	return n / 3;
}

int main(int argc, char **argv)
{
	static struct ask a = {.rules = 1000};
	char **names;
	int o, n, rc;

	while ((o = getopt(argc, argv, "+n:f")) != -1) {
		if (o == 'n' && atoi(optarg) > 0)
			a.rules = (uint32_t)atoi(optarg);
		else if (o == 'f')
			a.fill = true;
		else
			return print_usage(stderr);
	}
	n = read_words(&a, argv + optind, &names);
	if (n < 0)
		return print_usage(stderr);
	rc = open_ports(&a, n);
	if (!rc)
		rc = open_marker(&a);
	for (unsigned i = 0; i < N_QUESTIONS && !rc; i++) {
		struct answer r = {.asked = true};

		if (!wanted(&questions[i], names))
			continue;
		questions[i].ask(&a, &r);
		emit_answer(&questions[i], &r);
	}
	ask_marker_close(&a);
	for (int i = 0; i < n; i++)
		ask_port_close(&a.port[i]);
	return rc;
}
