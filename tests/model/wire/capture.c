/* SPDX-License-Identifier: BSD-2-Clause */
/* capture.h: contract. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "capture.h"
#include "wire.h"

struct cx_capture {
	pcap_t *pcap;
	pcap_dumper_t *file;
	bool dirty;
};

int cx_capture_open(const char *path, struct cx_capture **out, char *err, size_t size)
{
	struct cx_capture *c = calloc(1, sizeof(*c));

	if (!c)
		goto no_memory;
	c->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, CX_FRAME_MAX,
						       PCAP_TSTAMP_PRECISION_NANO);
	if (!c->pcap)
		goto free_capture;
	c->file = pcap_dump_open(c->pcap, path);
	if (!c->file) {
		snprintf(err, size, "capture: %s", pcap_geterr(c->pcap));
		pcap_close(c->pcap);
		free(c);
		return -EIO;
	}
	*out = c;
	return 0;
free_capture:
	free(c);
no_memory:
	snprintf(err, size, "capture: no memory");
	return -ENOMEM;
}

void cx_capture_frame(struct cx_capture *c, const uint8_t *frame, uint32_t len)
{
	struct pcap_pkthdr h = {.caplen = len, .len = len};
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	h.ts.tv_sec = ts.tv_sec;
	h.ts.tv_usec = ts.tv_nsec;
	pcap_dump((u_char *)c->file, &h, frame);
	c->dirty = true;
}

void cx_capture_flush(struct cx_capture *c)
{
	if (c->dirty)
		pcap_dump_flush(c->file);
	c->dirty = false;
}

void cx_capture_close(struct cx_capture *c)
{
	pcap_dump_close(c->file);
	pcap_close(c->pcap);
	free(c);
}
