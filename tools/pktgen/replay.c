/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures, read whole before the first frame is sent. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"

struct frame {
	uint8_t *bytes;
	uint32_t len;
	uint64_t ns; /* after the first frame */
};

struct gen_replay {
	struct frame *frames;
	uint64_t n, room;
};

static int fail(const char *path, const char *why)
{
	fprintf(stderr, "rawnet-pktgen: %s: %s\n", path, why);
	return -EINVAL;
}

static int append(struct gen_replay *r, const struct pcap_pkthdr *h, const uint8_t *bytes,
		  uint64_t ns)
{
	struct frame *f;

	if (r->n == r->room) {
		r->room = r->room ? 2 * r->room : 256;
		f = reallocarray(r->frames, r->room, sizeof(*f));
		if (!f)
			return -ENOMEM;
		r->frames = f;
	}
	f = &r->frames[r->n];
	f->bytes = malloc(h->caplen);
	if (!f->bytes)
		return -ENOMEM;
	memcpy(f->bytes, bytes, h->caplen);
	f->len = h->caplen;
	f->ns = ns;
	r->n++;
	return 0;
}

/* Frames that were captured whole. Time never goes back. */
static int read_frames(struct gen_replay *r, pcap_t *pcap, const char *path, uint32_t max_frame)
{
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	uint64_t first = 0, last = 0, now;
	char why[80];
	int rc;

	while ((rc = pcap_next_ex(pcap, &h, &bytes)) == 1) {
		if (h->caplen < h->len || h->len < 14 || h->len > max_frame) {
			snprintf(why, sizeof(why),
				 "frame %llu: %u of %u bytes; 14 to %u are possible",
				 (unsigned long long)r->n + 1, h->caplen, h->len, max_frame);
			return fail(path, why);
		}
		/* A nanosecond reading: see pcap_open_offline_with_tstamp_precision(3PCAP). */
		now = (uint64_t)h->ts.tv_sec * 1000000000u + (uint64_t)h->ts.tv_usec;
		if (r->n == 0)
			first = last = now;
		if (now > last)
			last = now;
		if (append(r, h, bytes, last - first))
			return fail(path, "out of memory");
	}
	if (rc == PCAP_ERROR)
		return fail(path, pcap_geterr(pcap));
	return r->n ? 0 : fail(path, "no frames");
}

int gen_replay_load(const char *path, uint32_t max_frame, struct gen_replay **replay)
{
	char why[PCAP_ERRBUF_SIZE];
	struct gen_replay *r;
	pcap_t *pcap;
	int rc;

	pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!pcap)
		return fail(path, why);
	r = calloc(1, sizeof(*r));
	if (!r)
		rc = fail(path, "out of memory");
	else if (pcap_datalink(pcap) != DLT_EN10MB)
		rc = fail(path, "not a capture of Ethernet frames");
	else
		rc = read_frames(r, pcap, path, max_frame);
	pcap_close(pcap);
	if (rc) {
		gen_replay_free(r);
		return rc;
	}
	*replay = r;
	return 0;
}

void gen_replay_free(struct gen_replay *r)
{
	if (!r)
		return;
	for (uint64_t i = 0; i < r->n; i++)
		free(r->frames[i].bytes);
	free(r->frames);
	free(r);
}

const uint8_t *gen_replay_frame(const struct gen_replay *r, uint64_t k, uint32_t *len)
{
	const struct frame *f = &r->frames[k % r->n];

	*len = f->len;
	return f->bytes;
}

/* A repetition follows the one before after the mean gap. */
uint64_t gen_replay_due(const struct gen_replay *r, uint64_t k, double speed)
{
	const uint64_t span = r->frames[r->n - 1].ns;
	const uint64_t gap = r->n > 1 ? span / (r->n - 1) : 0;

	const uint64_t round = k / r->n;

	return (uint64_t)((double)(round * (span + gap) + r->frames[k % r->n].ns) / speed);
}

uint64_t gen_replay_count(const struct gen_replay *r)
{
	return r->n;
}
