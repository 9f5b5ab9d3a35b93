/* SPDX-License-Identifier: BSD-2-Clause */
/* What a mode attaches to, and the rule that it needs there. */
#include <errno.h>
#include <stdio.h>

#include "gen.h"
#include "tool.h"

static int check_sizes(struct gen *g)
{
	struct gen_options *o = &g->options;
	const uint32_t least = probe_least(&g->stream->frame), most = stream_most(g->stream);

	if (!o->size_max)
		o->size_min = o->size_max = least;
	if (o->size_min >= least && o->size_max <= most && (!o->imix || most >= 1514))
		return 0;
	fprintf(stderr, "rawnet-pktgen: size: %u to %u are possible here\n", least, most);
	return -EINVAL;
}

static int open_sender(struct gen *g)
{
	int rc = stream_open(g->stream, g->rn, g->options.dev);

	return rc ? rc : check_sizes(g);
}

static int open_receiver(struct gen *g)
{
	struct rawnet_attachment *at;
	struct rawnet_match m;
	uint64_t rule;
	int rc = rawnet_match_parse(g->options.match, &m);

	if (!rc)
		rc = rawnet_attach(g->rn, g->options.dev, NULL, &at);
	if (!rc)
		rc = rawnet_flow_add(at, &m, NULL, &rule);
	if (rc)
		return tool_fail(), rc;
	stream_receive_from(g->stream, at);
	return 0;
}

static int open_replay(struct gen *g)
{
	struct rawnet_attachment *at;
	int rc = rawnet_attach(g->rn, g->options.dev, NULL, &at);

	if (rc)
		return tool_fail(), rc;
	g->stream->tx = rawnet_queue(at, 0);
	rc = gen_replay_load(g->options.file, stream_most(g->stream), &g->replay);
	if (!rc && !g->options.count)
		g->options.count = gen_replay_count(g->replay) * g->options.times;
	return rc;
}

int gen_open(struct gen *g)
{
	const struct rawnet_options options = {
		.size = sizeof(options), .socket = g->options.socket, .label = g->options.label};
	int rc = rawnet_connect(&g->rn, &options);

	if (rc)
		return tool_fail(), rc;
	if (g->options.mode == GEN_RECEIVE)
		return open_receiver(g);
	return g->options.mode == GEN_REPLAY ? open_replay(g) : open_sender(g);
}
