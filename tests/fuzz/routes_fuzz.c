/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of routes of rawnet-l3fwd, and the tables made from it: what is refused has a sentence
 * with a line; what passes is found again, each route at the first address that no longer one has.
 */
#include <string.h>

#include "fuzz.h"
#include "routes.h"

/* Of the routes that cover the address, the longest. */
static uint32_t oracle4(const struct l3_routes *r, uint32_t addr)
{
	uint32_t value = 0;

	for (size_t i = 0; i < r->n4; i++) /* short ones come first */
		if (!r->v4[i].len || !((addr ^ r->v4[i].addr) >> (32 - r->v4[i].len)))
			value = r->v4[i].value;
	return value;
}

static bool covers6(const struct lpm6_route *r, struct lpm6_key k)
{
	uint64_t hi = k.hi ^ r->addr.hi, lo = k.lo ^ r->addr.lo;

	if (r->len <= 64)
		return !r->len || !(hi >> (64 - r->len));
	return !hi && !(lo >> (128 - r->len));
}

static uint32_t oracle6(const struct l3_routes *r, struct lpm6_key k)
{
	uint32_t value = 0;

	for (size_t i = 0; i < r->n6; i++) /* what covers stands in front */
		if (covers6(&r->v6[i], k))
			value = r->v6[i].value;
	return value;
}

static void check_routes(const struct l3_routes *r)
{
	struct lpm4 t4;
	struct lpm6 t6;

	must(!lpm4_build(&t4, r->v4, r->n4) && !lpm6_build(&t6, r->v6, r->n6));
	for (size_t i = 0; i < r->n4; i++) {
		must(r->v4[i].value && r->v4[i].value < r->hops.n && r->v4[i].len <= 32);
		must(lpm4_find(&t4, r->v4[i].addr) == oracle4(r, r->v4[i].addr));
		must(lpm4_find(&t4, r->v4[i].addr - 1) == oracle4(r, r->v4[i].addr - 1));
	}
	for (size_t i = 0; i < r->n6; i++) {
		struct lpm6_key k = r->v6[i].addr, before = {k.hi - !k.lo, k.lo - 1};

		must(r->v6[i].value && r->v6[i].value < r->hops.n && r->v6[i].len <= 128);
		must(lpm6_find(&t6, k) == oracle6(r, k));
		must(lpm6_find(&t6, before) == oracle6(r, before));
	}
	lpm4_free(&t4);
	lpm6_free(&t6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct l3_names names = {.dev = {"eth0", "eth1"}, .n = 2};
	struct l3_routes r;
	char why[200] = "";
	FILE *in;

	if (!size)
		return 0;
	names.learn = data[0] & 1;
	in = fmemopen((void *)(uintptr_t)data, size, "r");
	must(in);
	if (l3_routes_read(&r, in, &names, why, sizeof(why))) {
		must(why[0] >= '0' && why[0] <= '9' && strstr(why, ": ") && !r.v4 && !r.hops.hop);
	} else {
		check_routes(&r);
		l3_routes_free(&r);
	}
	fclose(in);
	return 0;
}
