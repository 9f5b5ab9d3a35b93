/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnet-pktgen: makes frames at a rate, and measures what comes of them. */
#include <stdio.h>
#include <stdlib.h>

#include "gen.h"
#include "tool.h"

static int run_once(struct gen *g)
{
	struct gen_result r;
	int rc;

	if (gen_run(g, gen_frames_per_second(&g->options, &g->options.rate), &r))
		return 1;
	rc = gen_report(g, &r);
	track_free(&r.track);
	return rc;
}

int main(int argc, char **argv)
{
	static struct gen g;
	int rc = gen_options(&g.options, argc, argv);

	if (rc)
		return rc < 0 ? 2 : 0;
	g.stream = &g.options.stream;
	g.stop_fd = tool_catch_signals();
	rc = gen_open(&g);
	if (rc)
		rc = 1;
	else
		rc = g.options.mode == GEN_SEARCH ? gen_search(&g) : run_once(&g);
	gen_replay_free(g.replay);
	rawnet_close(g.rn);
	return rc;
}
