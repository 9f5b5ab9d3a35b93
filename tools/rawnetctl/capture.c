/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnetctl capture: what the clients of a port get and send, to a file or a pipe in the pcapng
 * format. The daemon copies it into the rings of an attachment of ours; what those have no room for
 * is counted and said at the end.
 */
#include "ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pcapng.h"
#include "tool.h"

#define BURST	 64u
#define SLOTS	 4096u
#define SNAP_MAX 262144u /* what tcpdump takes by default */

struct capture {
	struct ctl *c;
	struct rawnet_attachment *at;
	struct ctl_list owners; /* attachments, as they were when last looked */
	FILE *out;
	const char *dev;
	uint64_t packets, bytes; /* written */
	uint64_t most_packets, most_bytes; /* 0: no bound */
	int stop_fd;
};

/* ---- what to capture ---- */

static int compile(struct ctl *c, const char *filter, struct rawnet_req_capture *req)
{
	struct bpf_program program;
	pcap_t *p = pcap_open_dead(DLT_EN10MB, SNAP_MAX);
	int rc = CTL_OK;

	if (!p)
		return ctl_refuse(c, "out of memory");
	if (pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN)) {
		rc = ctl_usage(c, "filter \"%s\": %s", filter, pcap_geterr(p));
		pcap_close(p);
		return rc;
	}
	if (program.bf_len > RAWNET_CAPTURE_INSNS)
		rc = ctl_usage(c, "filter: compiles to %u instructions, at most %u are possible",
			       program.bf_len, RAWNET_CAPTURE_INSNS);
	for (unsigned i = 0; !rc && i < program.bf_len; i++)
		req->insn[i] = (struct rawnet_bpf_insn) {.code = program.bf_insns[i].code,
							 .jt = program.bf_insns[i].jt,
							 .jf = program.bf_insns[i].jf,
							 .k = program.bf_insns[i].k};
	req->n_insns = program.bf_len;
	pcap_freecode(&program);
	pcap_close(p);
	return rc;
}

static int read_number(struct ctl *c, const struct ctl_args *args, const char *name, uint64_t most,
		       uint64_t *v)
{
	const char *word = ctl_word(args, name);

	*v = 0;
	return word ? ctl_number(c, word, most, v) : CTL_OK;
}

static int read_words(struct capture *k, const struct ctl_args *args,
		      struct rawnet_req_capture *req)
{
	struct ctl *c = k->c;
	uint64_t snap;
	int rc = read_number(c, args, "snap", SNAP_MAX, &snap);

	if (!rc)
		rc = read_number(c, args, "packets", UINT64_MAX, &k->most_packets);
	if (!rc)
		rc = read_number(c, args, "bytes", UINT64_MAX, &k->most_bytes);
	if (!rc)
		rc = read_number(c, args, "rule", UINT64_MAX, &req->rule);
	if (!rc && args->match[0])
		rc = compile(c, args->match, req);
	req->snap = (uint32_t)snap;
	req->direction = (ctl_word(args, "rx") ? RAWNET_CAPTURE_RX : 0) |
			 (ctl_word(args, "tx") ? RAWNET_CAPTURE_TX : 0);
	if (!req->direction)
		req->direction = RAWNET_CAPTURE_RX | RAWNET_CAPTURE_TX;
	return rc;
}

/* The client's attachment to our port. */
static int find_attachment(struct capture *k, const char *client, uint32_t *of)
{
	struct ctl_list clients, attachments = {.n = 0};
	int rc = ctl_find_clients(k->c, client, &clients);

	for (size_t i = 0; !rc && i < clients.n && !*of; i++) {
		const struct rawnet_client_info *info = ctl_entry(&clients, i);

		rc = ctl_attachments(k->c, info->client, &attachments);
		for (size_t a = 0; !rc && a < attachments.n && !*of; a++) {
			const struct rawnet_attachment_info *at = ctl_entry(&attachments, a);

			if (!strcmp(at->dev, k->dev))
				*of = at->attachment;
		}
		ctl_list_free(&attachments);
	}
	if (rc)
		return rc;
	ctl_list_free(&clients);
	return *of ? CTL_OK : ctl_refuse(k->c, "client %s is not attached to %s", client, k->dev);
}

static int start(struct capture *k, const struct ctl_args *args, struct rawnet_req_capture *req)
{
	const struct rawnet_attach_options options = {
		.size = sizeof(options), .rx_size = SLOTS, .tx_size = RAWNET_RING_MIN};
	const char *client = ctl_word(args, "client");
	int rc = ctl_connect(k->c);

	if (!rc && client)
		rc = find_attachment(k, client, &req->of);
	if (rc)
		return rc;
	rc = rawnet_attach(k->c->rn, k->dev, &options, &k->at);
	if (rc)
		return ctl_failed(k->c, rc);
	req->attachment = rawnet_attachment_info(k->at)->attachment;
	return ctl_request(k->c, RAWNET_MSG_CAPTURE, req, sizeof(*req), NULL, 0);
}

/* ---- whose packet it is ---- */

static const struct rawnet_attachment_info *find_owner(const struct capture *k, uint32_t id)
{
	for (size_t i = 0; i < k->owners.n; i++) {
		const struct rawnet_attachment_info *a = ctl_entry(&k->owners, i);

		if (a->attachment == id)
			return a;
	}
	return NULL;
}

static void describe(struct capture *k, const struct rawnet_capture *p, char *text, size_t size)
{
	const struct rawnet_attachment_info *a = find_owner(k, p->attachment);
	int n;

	if (!a) { /* a new one: ask who that is */
		ctl_list_free(&k->owners);
		ctl_attachments(k->c, 0, &k->owners);
		a = find_owner(k, p->attachment);
	}
	n = snprintf(text, size, "client %s, uid %u, attachment %u",
		     a && a->label[0] ? a->label : "without a label", a ? a->uid : 0,
		     p->attachment);
	if (p->rule)
		snprintf(text + n, size - (size_t)n, ", rule %" PRIu64, p->rule);
}

/* ---- writing ---- */

static bool full(const struct capture *k)
{
	return (k->most_packets && k->packets >= k->most_packets) ||
	       (k->most_bytes && k->bytes >= k->most_bytes);
}

static void write_one(struct capture *k, const struct rawnet_packet *p)
{
	struct rawnet_capture info;
	char owner[160];

	if (!(p->flags & RAWNET_RX_CAPTURE) || full(k))
		return;
	memcpy(&info, p->data - sizeof(info), sizeof(info));
	describe(k, &info, owner, sizeof(owner));
	k->bytes += pcapng_packet(k->out, &(struct pcapng_packet) {.stamp = info.stamp,
								   .data = p->data,
								   .kept = p->len,
								   .len = info.len,
								   .outbound = info.direction ==
									       RAWNET_CAPTURE_TX,
								   .comment = owner});
	k->packets++;
}

static uint32_t drain(struct capture *k, struct rawnet_queue *q)
{
	struct rawnet_packet p[BURST];
	uint32_t n = rawnet_rx_burst(q, p, BURST);

	for (uint32_t i = 0; i < n; i++) {
		write_one(k, &p[i]);
		rawnet_buf_put(q, p[i].data);
	}
	return n;
}

/* Until something comes or a signal: 0; or the library's error. What was written goes out first. */
static int pause_until(struct capture *k, uint32_t queues)
{
	struct pollfd fds[RAWNET_QUEUES_MAX + 2];
	int err = 0, armed = 0;
	uint32_t n = 0;

	fflush(k->out);
	for (; n < queues && !err; n++) {
		struct rawnet_queue *q = rawnet_queue(k->at, n);

		fds[n] = (struct pollfd) {.fd = rawnet_queue_fd(q), .events = POLLIN};
		err = rawnet_arm(q, RAWNET_WAIT_RX); /* 1: there is something */
		armed++;
	}
	fds[n++] = (struct pollfd) {.fd = k->stop_fd, .events = POLLIN};
	fds[n] = (struct pollfd) {.fd = rawnet_fd(k->c->rn), .events = POLLIN};
	if (!err)
		poll(fds, n + 1, -1);
	if (err < 0 || (!err && fds[n].revents)) /* the library knows why */
		err = rawnet_process(k->c->rn);
	while (armed-- > 0)
		rawnet_disarm(rawnet_queue(k->at, (uint32_t)armed));
	return err < 0 ? err : 0;
}

static int copy_packets(struct capture *k)
{
	uint32_t queues = rawnet_attachment_info(k->at)->n_queues;
	int err = 0;

	while (!err && !tool_stop && !full(k) && !ferror(k->out)) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < queues; i++)
			n += drain(k, rawnet_queue(k->at, i));
		if (!n)
			err = pause_until(k, queues);
	}
	return err;
}

static void summarize(const struct capture *k)
{
	uint64_t v[RAWNET_COUNTERS_SPACE] = {0};

	rawnet_counters(k->at, RAWNET_ALL_QUEUES, v);
	fprintf(stderr, "%s captured", ctl_plural(k->packets, "packet"));
	if (v[RAWNET_Q_RX_DROP_FULL])
		fprintf(stderr, ", %" PRIu64 " lost: this reader was too slow",
			v[RAWNET_Q_RX_DROP_FULL]);
	fputc('\n', stderr);
}

static int open_file(struct capture *k, const char *path)
{
	if (path && strcmp(path, "-") != 0) {
		k->out = fopen(path, "we");
		return k->out ? CTL_OK : ctl_refuse(k->c, "%s: %s", path, strerror(errno));
	}
	if (isatty(STDOUT_FILENO))
		return ctl_usage(k->c, "would write to a terminal: | tcpdump -r - shows packets, "
				       "write FILE keeps them");
	k->out = stdout;
	return CTL_OK;
}

static int run(struct ctl *c, const struct ctl_args *args)
{
	struct capture k = {.c = c, .dev = ctl_word(args, "dev")};
	struct rawnet_req_capture req = {0};
	char dev[RAWNET_DEV];
	int rc = ctl_dev(c, k.dev, dev), err;

	if (!rc)
		rc = read_words(&k, args, &req);
	if (!rc)
		rc = open_file(&k, ctl_word(args, "write"));
	if (rc)
		return rc;
	signal(SIGPIPE, SIG_IGN); /* a reader that has enough is no error */
	k.stop_fd = tool_catch_signals();
	rc = start(&k, args, &req);
	if (!rc) {
		pcapng_begin(k.out, "rawnetctl", k.dev, req.snap);
		err = copy_packets(&k);
		fflush(k.out);
		summarize(&k);
		rc = err ? ctl_failed(c, err) : CTL_OK; /* closes the connection */
	}
	if (k.out != stdout && fclose(k.out) && !rc)
		rc = ctl_refuse(c, "%s: %s", ctl_word(args, "write"), strerror(errno));
	else if (k.out == stdout && ferror(stdout))
		clearerr(stdout);
	ctl_list_free(&k.owners);
	ctl_close(c);
	return rc;
}

const struct ctl_verb ctl_capture_verbs[] = {
	{NULL,
	 "packets of a port's clients, to a file or a pipe (pcapng); FILTER as tcpdump's",
	 run,
	 {{"dev", CTL_VALUE, true, CTL_DEVS, "DEV"},
	  {"client", CTL_VALUE, false, CTL_CLIENTS, "CLIENT"},
	  {"rule", CTL_VALUE, false, CTL_RULES, "ID"},
	  {"rx", CTL_FLAG, false, CTL_NOTHING, NULL},
	  {"tx", CTL_FLAG, false, CTL_NOTHING, NULL},
	  {"snap", CTL_VALUE, false, CTL_NOTHING, "BYTES"},
	  {"packets", CTL_VALUE, false, CTL_NOTHING, "N"},
	  {"bytes", CTL_VALUE, false, CTL_NOTHING, "N"},
	  {"write", CTL_VALUE, false, CTL_NOTHING, "FILE"},
	  {"FILTER", CTL_MATCH, false, CTL_NOTHING, NULL}}},
	{0},
};
