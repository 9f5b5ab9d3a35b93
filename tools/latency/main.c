/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnet-latency: how long a packet takes there and back. */
#include <errno.h>

#include "lat.h"
#include "tool.h"

static int open_stream(struct lat_options *o, struct rawnet *rn)
{
	int rc = stream_open(&o->stream, rn, o->dev);
	uint32_t least, most;

	if (rc)
		return rc;
	least = probe_least(&o->stream.frame);
	most = stream_most(&o->stream);
	if (!o->size)
		o->size = least;
	return o->size >= least && o->size <= most
		       ? 0
		       : keys_wrong("size: %u to %u are possible here", least, most);
}

int main(int argc, char **argv)
{
	static struct lat_options o;
	static struct lat_result r;
	struct rawnet_options options = {.size = sizeof(options)};
	struct rawnet *rn;
	int stop_fd, rc = lat_options(&o, argc, argv);

	if (rc)
		return rc < 0 ? 2 : 0;
	stop_fd = tool_catch_signals();
	options.socket = o.socket;
	options.label = o.label;
	if (rawnet_connect(&rn, &options))
		return tool_fail();
	rc = open_stream(&o, rn);
	if (!rc)
		rc = lat_run(&o, stop_fd, &r);
	rc = rc ? 1 : lat_report(&o, &r);
	track_free(&r.track);
	rawnet_close(rn);
	return rc;
}
