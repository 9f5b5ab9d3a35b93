/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnet-latency's command line: options, a port, then keys with values in any order. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lat.h"

#define LONGEST 9234u /* frame */

static const char usage[] =
	"Usage: rawnet-latency [OPTIONS] DEV src ADDRESS dst ADDRESS [KEY VALUE]...\n"
	"\n"
	"  -n COUNT    probes to send\n"
	"  -t SECONDS  how long\n"
	"  -w SECONDS  how long to wait for an answer (1)\n"
	"  -i SECONDS  a line in each interval (on a terminal: 1)\n"
	"  -s          sleep while waiting, instead of polling\n"
	"  -j          JSON\n"
	"  -l LABEL    what the client calls itself\n"
	"  -S SOCKET   the daemon's socket\n"
	"\n"
	"Keys: [sport PORT] [dport PORT] [dmac MAC | to DEV] [smac MAC] [vlan ID] [queue N]\n"
	"      [size N] [rate PROBES-A-SECOND]\n"
	"\n"
	"Without a rate one probe is on its way at a time. See rawnet-latency(1).\n";

static bool key_size(void *object, const char *word)
{
	uint64_t v;
	bool good = value_number(word, 60, LONGEST, &v);

	((struct lat_options *)object)->size = (uint32_t)v;
	return good;
}

static bool key_rate(void *object, const char *word)
{
	struct value_rate rate;
	bool good = value_rate(word, &rate) && !rate.bits;

	((struct lat_options *)object)->rate = good ? rate.per_second : 0;
	return good;
}

static const struct key keys[] = {
	{"size", key_size, "60 to 9234"},
	{"rate", key_rate, "probes a second (20k)"},
};

static int read_option(struct lat_options *o, int option, const char *word)
{
	switch (option) {
	case 'n':
		return value_number(word, 1, UINT64_MAX, &o->count)
			       ? 0
			       : keys_wrong("\"%s\": -n: a count is needed", word);
	case 't': return value_seconds(option, word, &o->seconds);
	case 'w': return value_seconds(option, word, &o->wait);
	case 'i': return value_seconds(option, word, &o->interval);
	case 's': o->sleeps = true; return 0;
	case 'j': o->json = true; return 0;
	case 'l': o->label = word; return 0;
	case 'S': o->socket = word; return 0;
	case 'h': fputs(usage, stdout); return 1;
	case 'V': printf("rawnet-latency %s\n", rawnet_version()); return 1;
	default: return -EINVAL; /* getopt has said so */
	}
}

int lat_options(struct lat_options *o, int argc, char **argv)
{
	const struct key_table own = {keys, sizeof(keys) / sizeof(keys[0]), o};
	int option, rc = 0;

	*o = (struct lat_options) {.wait = 1};
	stream_init(&o->stream);
	while (!rc && (option = getopt(argc, argv, "+n:t:w:i:sjl:S:hV")) != -1)
		rc = read_option(o, option, optarg);
	if (rc)
		return rc;
	if (optind == argc) {
		fputs(usage, stderr);
		return -EINVAL;
	}
	o->dev = argv[optind];
	if (!(o->interval > 0) && !o->json && isatty(STDERR_FILENO))
		o->interval = 1;
	rc = keys_read((const struct key_table[]) {stream_keys(&o->stream), own}, 2,
		       argv + optind + 1);
	return rc ? rc : stream_check(&o->stream);
}
