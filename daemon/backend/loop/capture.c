/* SPDX-License-Identifier: BSD-2-Clause */
/* See capture.h. */
#include "capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct rn_capture {
	/* loaded */
	uint8_t *bytes;
	size_t n_bytes, max_bytes;
	size_t *start; /* of each frame, and the end of the last */
	uint32_t n, max;
	/* being written */
	pcap_t *pcap;
	pcap_dumper_t *dumper;
	pthread_mutex_t lock; /* of dumper */
};

static int grow(struct rn_capture *c, size_t len)
{
	void *p;

	if (c->n + 2 > c->max) {
		c->max = c->max ? 2 * c->max : 1024;
		p = realloc(c->start, c->max * sizeof(*c->start));
		if (!p)
			return -ENOMEM;
		c->start = p;
	}
	if (c->n_bytes + len >= c->max_bytes) {
		c->max_bytes = 2 * (c->n_bytes + len) + 2048;
		p = realloc(c->bytes, c->max_bytes);
		if (!p)
			return -ENOMEM;
		c->bytes = p;
	}
	return 0;
}

static int append(struct rn_capture *c, const uint8_t *frame, size_t len)
{
	int rc = grow(c, len);

	if (rc)
		return rc;
	c->start[c->n++] = c->n_bytes;
	memcpy(c->bytes + c->n_bytes, frame, len);
	c->n_bytes += len;
	c->start[c->n] = c->n_bytes;
	return 0;
}

static int load_frames(struct rn_capture *c, pcap_t *pcap, const char *path, uint32_t max_frame,
		       struct rn_err *err)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int rc;

	while ((rc = pcap_next_ex(pcap, &header, &data)) == 1) {
		if (header->caplen != header->len || header->len > max_frame)
			return rn_fail(err, -EMSGSIZE,
				       "%s: frame %u: %u bytes of %u (the port takes up to %u)",
				       path, c->n + 1, header->caplen, header->len, max_frame);
		if (append(c, data, header->len))
			return rn_fail(err, -ENOMEM, "%s: out of memory", path);
	}
	if (rc == PCAP_ERROR)
		return rn_fail(err, -EINVAL, "%s: %s", path, pcap_geterr(pcap));
	if (!c->n)
		return rn_fail(err, -ENODATA, "%s: no frames", path);
	return 0;
}

int rn_capture_load(const char *path, uint32_t max_frame, struct rn_capture **out,
		    struct rn_err *err)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, text);
	struct rn_capture *c;
	int rc;

	if (!pcap)
		return rn_fail(err, -ENOENT, "%.200s", text);
	c = calloc(1, sizeof(*c));
	if (!c)
		rc = rn_fail(err, -ENOMEM, "%s: out of memory", path);
	else if (pcap_datalink(pcap) != DLT_EN10MB)
		rc = rn_fail(err, -EINVAL, "%s: not a capture of Ethernet frames", path);
	else
		rc = load_frames(c, pcap, path, max_frame, err);
	pcap_close(pcap);
	if (rc)
		rn_capture_close(c);
	else
		*out = c;
	return rc;
}

int rn_capture_create(const char *path, struct rn_capture **out, struct rn_err *err)
{
	struct rn_capture *c = calloc(1, sizeof(*c));

	if (!c)
		return rn_fail(err, -ENOMEM, "%s: out of memory", path);
	pthread_mutex_init(&c->lock, NULL);
	c->pcap =
		pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 65536, PCAP_TSTAMP_PRECISION_NANO);
	if (c->pcap)
		c->dumper = pcap_dump_open(c->pcap, path);
	if (!c->dumper) {
		rn_fail(err, -EIO, "%s: %s", path, c->pcap ? pcap_geterr(c->pcap) : "no memory");
		rn_capture_close(c);
		return -EIO;
	}
	*out = c;
	return 0;
}

void rn_capture_close(struct rn_capture *c)
{
	if (!c)
		return;
	if (c->dumper)
		pcap_dump_close(c->dumper);
	if (c->pcap)
		pcap_close(c->pcap);
	free(c->bytes);
	free(c->start);
	free(c);
}

uint32_t rn_capture_count(const struct rn_capture *c)
{
	return c->n;
}

struct rn_capture_frames rn_capture_frames(const struct rn_capture *c)
{
	return (struct rn_capture_frames) {c->bytes, c->start};
}

void rn_capture_write(struct rn_capture *c, const uint8_t *frame, uint32_t len)
{
	struct pcap_pkthdr header = {.caplen = len, .len = len};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	header.ts.tv_sec = now.tv_sec;
	header.ts.tv_usec = now.tv_nsec; /* nanosecond file */
	pthread_mutex_lock(&c->lock);
	pcap_dump((u_char *)c->dumper, &header, frame);
	pcap_dump_flush(c->dumper);
	pthread_mutex_unlock(&c->lock);
}
