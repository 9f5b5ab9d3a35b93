/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnet-pktgen's keys, and what sizes and rates come to. */
#include "options.h"

#include <string.h>

#define LONGEST 9234u /* frame */

/* ---- keys ---- */

static bool key_flows(void *object, const char *word)
{
	struct gen_options *o = object;
	uint64_t v;
	bool good = value_number(word, 1, 65535, &v);

	o->stream.addresses.flows = (uint16_t)v;
	return good;
}

static bool key_size(void *object, const char *word)
{
	struct gen_options *o = object;
	const char *dash = strchr(word, '-');
	char low[8] = "";
	uint64_t a, b;

	o->imix = !strcmp(word, "imix");
	if (o->imix)
		return true;
	if (dash && (size_t)(dash - word) < sizeof(low))
		memcpy(low, word, (size_t)(dash - word));
	if (!value_number(dash ? low : word, 60, LONGEST, &a) ||
	    !value_number(dash ? dash + 1 : word, a, LONGEST, &b))
		return false;
	o->size_min = (uint32_t)a;
	o->size_max = (uint32_t)b;
	return true;
}

static bool key_rate(void *object, const char *word)
{
	return value_rate(word, &((struct gen_options *)object)->rate);
}

static bool key_times(void *object, const char *word)
{
	return value_number(word, 1, UINT32_MAX, &((struct gen_options *)object)->times);
}

static bool key_speed(void *object, const char *word)
{
	return value_positive(word, 1e6, &((struct gen_options *)object)->speed);
}

static const struct key rate_key[] = {
	{"rate", key_rate, "frames a second (20k) or bits (10Gbit)"},
};
static const struct key sending_keys[] = {
	{"flows", key_flows, "1 to 65535"},
	{"size", key_size, "60 to 9234, a range of these, or imix"},
};
static const struct key replay_keys[] = {
	{"times", key_times, "1 or more"},
	{"speed", key_speed, "a factor above 0"},
};

int gen_keys(struct gen_options *o, char *const *words)
{
	const struct key_table rate = {rate_key, 1, o}, replay = {replay_keys, 2, o},
			       sending = {sending_keys, 2, o}, stream = stream_keys(&o->stream);

	if (o->mode == GEN_REPLAY)
		return keys_read((const struct key_table[]) {rate, replay}, 2, words);
	return keys_read((const struct key_table[]) {stream, sending, rate},
			 o->mode == GEN_SEARCH ? 2 : 3, words);
}

/* ---- sizes and rates ---- */

/* The classical mix: 7 short, 4 of middle size, 1 long, by the Ethernet frame without FCS. */
static const uint16_t mix[] = {60, 590, 60, 60, 590, 60, 1514, 60, 590, 60, 590, 60};
#define N_MIX (sizeof(mix) / sizeof(mix[0]))

uint32_t gen_size(const struct gen_options *o, uint32_t number)
{
	uint32_t size = o->size_min;

	if (o->imix)
		size = mix[number % N_MIX] > o->size_min ? mix[number % N_MIX] : o->size_min;
	else if (o->size_max > o->size_min)
		size += number % (o->size_max - o->size_min + 1);
	return size;
}

double gen_frames_per_second(const struct gen_options *o, const struct value_rate *rate)
{
	double bytes = o->size_min + o->size_max, frames = 2;

	if (o->imix) {
		bytes = frames = 0;
		for (uint32_t i = 0; i < N_MIX; i++, frames++)
			bytes += gen_size(o, i);
	}
	return rate->bits ? rate->per_second / 8 * frames / bytes : rate->per_second;
}
