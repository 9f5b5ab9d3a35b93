/* SPDX-License-Identifier: BSD-2-Clause */
/* See options.h. Behind the options stands a mode, a port, what the mode needs, then keys with
 * values in any order, by the table below. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char usage[] =
	"Usage: rawnet-pktgen [OPTIONS] send DEV KEY VALUE...\n"
	"       rawnet-pktgen [OPTIONS] search DEV LOW HIGH KEY VALUE...\n"
	"       rawnet-pktgen [OPTIONS] receive DEV MATCH...\n"
	"       rawnet-pktgen [OPTIONS] replay DEV FILE [KEY VALUE]...\n"
	"\n"
	"  -n COUNT    frames to send or to receive\n"
	"  -t SECONDS  how long (search: each trial)\n"
	"  -w SECONDS  how long to wait for what is under way (0.25)\n"
	"  -i SECONDS  a line in each interval\n"
	"  -j          JSON\n"
	"  -l LABEL    what the client calls itself\n"
	"  -S SOCKET   the daemon's socket\n"
	"\n"
	"send, search:  src ADDRESS dst ADDRESS [sport PORT] [dport PORT] [flows COUNT]\n"
	"               [dmac MAC | to DEV] [smac MAC] [vlan ID] [queue N]\n"
	"               [size N | N-M | imix] [rate RATE]\n"
	"replay:        [rate RATE | speed FACTOR] [times COUNT]\n"
	"\n"
	"A RATE is frames a second (20k, 1.5M), or bits (10Gbit). See rawnet-pktgen(1).\n";

/* ---- modes ---- */

static int read_send(struct gen_options *o, char *const *words)
{
	int rc = gen_keys(o, words);

	return rc ? rc : stream_check(&o->stream);
}

static int read_search(struct gen_options *o, char *const *words)
{
	struct value_rate low, high;

	if (!words[0] || !words[1])
		return keys_wrong("search: a lowest and a highest rate are needed");
	if (!value_rate(words[0], &low))
		return keys_wrong("\"%s\": a rate is needed", words[0]);
	if (!value_rate(words[1], &high))
		return keys_wrong("\"%s\": a rate is needed", words[1]);
	if (low.bits != high.bits || low.per_second > high.per_second)
		return keys_wrong("search: %s is not below %s", words[0], words[1]);
	o->low = low.per_second;
	o->high = high.per_second;
	o->rate.bits = low.bits;
	return read_send(o, words + 2);
}

static int read_receive(struct gen_options *o, char *const *words)
{
	if (!words[0])
		return keys_wrong("receive: a match is needed");
	tool_join(o->match, sizeof(o->match), words);
	return 0;
}

static int read_replay(struct gen_options *o, char *const *words)
{
	if (!words[0])
		return keys_wrong("replay: a capture file is needed");
	o->file = words[0];
	return gen_keys(o, words + 1);
}

static const struct {
	const char *name;
	int (*read)(struct gen_options *o, char *const *words);
} modes[] = {
	[GEN_SEND] = {"send", read_send},
	[GEN_SEARCH] = {"search", read_search},
	[GEN_RECEIVE] = {"receive", read_receive},
	[GEN_REPLAY] = {"replay", read_replay},
};
#define N_MODES (sizeof(modes) / sizeof(modes[0]))

static int read_words(struct gen_options *o, char *const *words)
{
	const char *names[N_MODES + 1], *near;
	size_t i = 0;

	for (; i < N_MODES && strcmp(words[0], modes[i].name) != 0; i++)
		names[i] = modes[i].name;
	if (i == N_MODES) {
		names[i] = NULL;
		near = rawnet_nearest_word(words[0], names);
		return near ? keys_wrong("\"%s\": did you mean \"%s\"?", words[0], near)
			    : keys_wrong("\"%s\": send, search, receive or replay is needed",
					 words[0]);
	}
	o->mode = (enum gen_mode)i;
	if (!words[1])
		return keys_wrong("%s: a port is needed", words[0]);
	o->dev = words[1];
	return modes[i].read(o, words + 2);
}

static int read_option(struct gen_options *o, int option, const char *word)
{
	switch (option) {
	case 'n':
		return value_number(word, 1, UINT64_MAX, &o->count)
			       ? 0
			       : keys_wrong("\"%s\": -n: a count is needed", word);
	case 't': return value_seconds(option, word, &o->seconds);
	case 'w': return value_seconds(option, word, &o->wait);
	case 'i': return value_seconds(option, word, &o->interval);
	case 'j': o->json = true; return 0;
	case 'l': o->label = word; return 0;
	case 'S': o->socket = word; return 0;
	case 'h': fputs(usage, stdout); return 1;
	case 'V': printf("rawnet-pktgen %s\n", rawnet_version()); return 1;
	default: return -EINVAL; /* getopt has said so */
	}
}

int gen_options(struct gen_options *o, int argc, char **argv)
{
	int option, rc = 0;

	*o = (struct gen_options) {.wait = 0.25, .times = 1, .speed = 1};
	stream_init(&o->stream);
	while (!rc && (option = getopt(argc, argv, "+n:t:w:i:jl:S:hV")) != -1)
		rc = read_option(o, option, optarg);
	if (rc)
		return rc;
	if (optind == argc) {
		fputs(usage, stderr);
		return -EINVAL;
	}
	return read_words(o, argv + optind);
}
