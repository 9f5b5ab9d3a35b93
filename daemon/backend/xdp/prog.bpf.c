// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The XDP program: parses a frame into its key like flow/key.c does, tries the shapes in order, and
 * sends what a rule takes to the AF_XDP socket of its receive queue, with the rule's handle as
 * metadata. Everything else goes on to the kernel.
 *
 * A packet that a rule takes but no socket wants is dropped and counted: given to the kernel it
 * would be answered with RST or ICMP. So is one that is longer than the port's largest frame: in
 * generic mode the kernel shows what a local sender left unsegmented (GSO) as one frame.
 *
 * Headers are read where the frame is contiguous (data..data_end, at least the first buffer of a
 * frame of several); what lies beyond counts as absent. Twice the same program: `frags` accepts
 * frames of several buffers (kernel 5.18), the other runs on older kernels.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "shared.h"
#include "wire.h"

#define inline_always static inline __attribute__((always_inline))

/* One load each, not one for each byte: the kernel allows it where the machine reads words anywhere
 * (x86, arm64). */
inline_always __u16 load16(const __u8 *p)
{
	return *(const __u16 *)p;
}

inline_always __u32 load32(const __u8 *p)
{
	return *(const __u32 *)p;
}

inline_always __u64 load64(const __u8 *p)
{
	return *(const __u64 *)p;
}

inline_always __u16 get16(const __u8 *p)
{
	return bpf_ntohs(load16(p));
}

/* Bytes of a word of the key: n of them from `at` on, as they stand in memory. */
inline_always __u64 bytes(__u64 v, int at, int n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	(void)n;
	return v << (8 * at);
#else
	return v << (8 * (8 - at - n));
#endif
}

/* The words of struct rn_key. They are written whole: the word that find() loads could not be
 * forwarded from several stores, and would wait for all of them. */
enum word {
	W_MACS, /* dmac, smac[0..1] */
	W_TYPE, /* smac[2..5], vlan, ethertype */
	W_DST,
	W_SRC = W_DST + 2,
	W_L4 = W_SRC + 2, /* proto, l4, sport, dport */
	WORDS
};

_Static_assert(__builtin_offsetof(struct rn_key, vlan) == 8 * W_TYPE + 4, "layout of the key");
_Static_assert(__builtin_offsetof(struct rn_key, dst) == 8 * W_DST, "layout of the key");
_Static_assert(__builtin_offsetof(struct rn_key, src) == 8 * W_SRC, "layout of the key");
_Static_assert(__builtin_offsetof(struct rn_key, proto) == 8 * W_L4, "layout of the key");
_Static_assert(__builtin_offsetof(struct rn_key, sport) == 8 * W_L4 + 2, "layout of the key");
_Static_assert(sizeof(struct rn_key) == 8 * WORDS, "layout of the key");

/* Only its type: what is looked up are the daemon's tables. */
struct rules {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct rn_key);
	__type(value, __u32);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RN_XDP_SHAPES);
	__type(key, __u32);
	__array(values, struct rules);
} shapes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, RN_XDP_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rn_xdp_counts);
} counts SEC(".maps");

const volatile __u32 cookie = 0;
const volatile __u32 longest = 0; /* frame that the sockets take */
volatile __u32 current = 0;
volatile __u64 port_mac = 0; /* as W_MACS has it: ARP and ND to it stay with the kernel */
struct rn_xdp_order orders[2] = {};
struct rn_xdp_front front = {};

/* Where the parser stands: p and at are the same place, as pointer and as offset. */
struct cursor {
	__u8 *p;
	__u8 *data_end;
	__u32 at;
	__u32 end; /* of the frame; of the IP packet once that is known */
};

/* Are n bytes there, both by the frame's own lengths and in memory? */
#define has(c, n) ((c)->at + (n) <= (c)->end && (c)->p + (n) <= (c)->data_end)

inline_always void advance(struct cursor *c, __u32 n)
{
	c->p += n;
	c->at += n;
}

/* True: a neighbour message, which a rule of the port's own MAC does not take. */
inline_always int parse_l4(struct cursor *c, __u64 *key, __u8 proto, int v6)
{
	__u32 least = proto == PROTO_TCP ? 20 : proto == PROTO_UDP ? 8 : 12;

	key[W_L4] = bytes(proto, 0, 1);
	if (v6 && proto == PROTO_ICMP6)
		return has(c, 4) && c->p[0] >= 133 && c->p[0] <= 137;
	if (proto != PROTO_TCP && proto != PROTO_UDP && proto != PROTO_SCTP)
		return 0;
	if (c->at + least > c->end || c->p + 4 > c->data_end)
		return 0;
	key[W_L4] = bytes(proto, 0, 1) | bytes(1, 1, 1) | bytes(load32(c->p), 2, 4);
	return 0;
}

inline_always void parse_ipv4(struct cursor *c, __u64 *key)
{
	__u8 *p = c->p;
	__u32 hlen, total;

	if (!has(c, 20) || p[0] >> 4 != 4)
		return;
	hlen = (__u32)(p[0] & 15) * 4;
	total = get16(p + 2);
	if (hlen < 20 || total < hlen || c->at + total > c->end)
		return;
	key[W_SRC] = bytes(load32(p + 12), 0, 4);
	key[W_DST] = bytes(load32(p + 16), 0, 4);
	c->end = c->at + total;
	if (get16(p + 6) & 0x3fff) { /* more fragments, or an offset */
		key[W_L4] = bytes(p[9], 0, 1);
		return;
	}
	advance(c, hlen);
	parse_l4(c, key, p[9], 0);
}

/* Size of the extension header of this type at the cursor; 0: it is none, or is cut off. */
inline_always __u32 extension_size(struct cursor *c, __u8 type)
{
	if (type != PROTO_HOPOPTS && type != PROTO_ROUTING && type != PROTO_DSTOPTS &&
	    type != PROTO_AH)
		return 0;
	if (!has(c, 8))
		return 0;
	if (type == PROTO_AH)
		return ((__u32)c->p[1] + 2) * 4;
	return ((__u32)c->p[1] + 1) * 8;
}

inline_always int is_extension(__u8 type)
{
	return type == PROTO_HOPOPTS || type == PROTO_ROUTING || type == PROTO_DSTOPTS ||
	       type == PROTO_AH || type == PROTO_FRAGMENT;
}

inline_always int parse_ipv6(struct cursor *c, __u64 *key)
{
	__u8 *p = c->p, next;
	__u32 total;

	if (!has(c, 40) || p[0] >> 4 != 6)
		return 0;
	total = 40 + get16(p + 4);
	if (c->at + total > c->end)
		return 0;
	key[W_SRC] = load64(p + 8);
	key[W_SRC + 1] = load64(p + 16);
	key[W_DST] = load64(p + 24);
	key[W_DST + 1] = load64(p + 32);
	next = p[6];
	c->end = c->at + total;
	advance(c, 40);
	for (int i = 0; i < RN_KEY_EXT_MAX; i++) {
		__u32 size;

		if (next == PROTO_FRAGMENT && has(c, 8)) {
			key[W_L4] = bytes(c->p[0], 0, 1);
			return 0;
		}
		size = extension_size(c, next);
		if (!size || !has(c, size))
			break;
		next = c->p[0];
		advance(c, size);
	}
	if (is_extension(next))
		return 0; /* cut short, or too many */
	return parse_l4(c, key, next, 1);
}

/* Fills the key; true: no rule takes this frame, or none of the port's own MAC if *neigh. */
inline_always int parse(struct cursor *c, __u64 *key, int *neigh)
{
	__u16 type, vlan = 0;
	__u64 smac;

	if (!has(c, 14) || c->p[0] & 1)
		return 1;
	key[W_MACS] = load64(c->p);
	smac = bytes(load32(c->p + 8), 0, 4);
	type = get16(c->p + 12);
	advance(c, 14);
	if ((type == TYPE_TAG || type == TYPE_STAG) && has(c, 4)) {
		vlan = bpf_htons(get16(c->p) & 0xfff);
		type = get16(c->p + 2);
		advance(c, 4);
	}
	key[W_TYPE] = smac | bytes(vlan, 4, 2) | bytes(bpf_htons(type), 6, 2);
	if (type == TYPE_ARP)
		*neigh = 1;
	else if (type == TYPE_IP4)
		parse_ipv4(c, key);
	else if (type == TYPE_IP6)
		*neigh = parse_ipv6(c, key);
	return 0;
}

/* May the table of this slot have the key? */
inline_always int maybe(__u32 slot, __u32 bit)
{
	return front.filter[slot & (RN_XDP_SHAPES - 1)][bit >> 6] >> (bit & 63) & 1;
}

/* Is the key's rule cached? The entry's address hangs on what the place holds, so that no processor
 * reads the entry first. */
inline_always const struct rn_xdp_cached *cached(__u32 slot, __u32 hash, const __u64 *key)
{
	const __u8 *place = &front.place[rn_xdp_place(slot, hash)];
	__u32 n = *(const volatile __u8 *)place;
	const struct rn_xdp_cached *c = &front.cached[n & (RN_XDP_CACHED - 1)];
	const __u64 *k = (const void *)&c->key;
	__u64 differs = c->slot ^ slot;

	if (!n)
		return NULL;
	barrier(); /* the words come back from the stack: no register is kept for them till here */
#pragma unroll
	for (int w = 0; w < (int)(sizeof(c->key) / 8); w++)
		differs |= k[w] ^ key[w];
	return differs ? NULL : c;
}

#define NO_RULE (~0ull)

/* The handle of the rule that takes the frame, in orders[which]. A global function (Linux 5.12) is
 * verified once and by itself, not behind each way through the parser, which tripled the time that
 * the program took to load, and with it the gap of a restart. */
__attribute__((noinline)) __u64 find(const struct rn_key *key, __u32 which)
{
	const struct rn_xdp_order *order = &orders[which & 1];
	struct rn_key masked;
	const __u64 *k = (const void *)key;
	__u64 *to = (void *)&masked;

	if (!key)
		return NO_RULE; /* for the verifier */
	for (int i = 0; i < RN_XDP_SHAPES && i < order->n; i++) {
		const __u64 *m = (const void *)&order->mask[i];
		const struct rn_xdp_cached *c;
		__u32 slot = order->slot[i], hash, *handle;
		void *rules;

#pragma unroll
		for (int w = 0; w < (int)(sizeof(*key) / 8); w++)
			to[w] = k[w] & m[w];
		hash = rn_xdp_hash((const void *)to);
		if (!maybe(slot, hash))
			continue;
		c = cached(slot, hash, to);
		if (c)
			return c->handle;
		rules = bpf_map_lookup_elem(&shapes, &slot);
		if (!rules)
			continue;
		handle = bpf_map_lookup_elem(rules, &masked);
		if (handle)
			return *handle;
	}
	return NO_RULE;
}

inline_always struct rn_xdp_counts *my_counts(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

inline_always int pass(void)
{
	struct rn_xdp_counts *count = my_counts();

	if (count)
		count->passed++;
	return XDP_PASS;
}

inline_always int drop_long(void)
{
	struct rn_xdp_counts *count = my_counts();

	if (count)
		count->too_long++;
	return XDP_DROP;
}

inline_always int take(struct xdp_md *ctx, __u32 handle)
{
	struct rn_xdp_counts *count;
	int action;

	if (!bpf_xdp_adjust_meta(ctx, -(int)sizeof(struct rn_xdp_verdict))) {
		struct rn_xdp_verdict *v = (void *)(long)ctx->data_meta;

		if ((void *)(v + 1) <= (void *)(long)ctx->data) {
			v->handle = handle;
			v->cookie = cookie;
		}
	}
	action = bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_DROP);
	if (action == XDP_REDIRECT)
		return action;
	count = my_counts();
	if (count)
		count->no_socket++;
	return XDP_DROP;
}

inline_always int classify(struct xdp_md *ctx, __u32 len)
{
	const __u32 which = current;
	struct cursor c = {
		.p = (void *)(long)ctx->data,
		.data_end = (void *)(long)ctx->data_end,
		.end = len,
	};
	union {
		struct rn_key key;
		__u64 word[WORDS];
	} all = {.word = {0}};
	__u64 handle;
	int neigh = 0;

	if (!orders[which & 1].n || parse(&c, all.word, &neigh))
		return pass();
	if (neigh && (all.word[W_MACS] & bytes(0xffffffffffff, 0, 6)) == port_mac)
		return pass();
	handle = find(&all.key, which);
	if (handle == NO_RULE)
		return pass();
	return len > longest ? drop_long() : take(ctx, (__u32)handle);
}

SEC("xdp")
int rawnet(struct xdp_md *ctx)
{
	return classify(ctx, ctx->data_end - ctx->data);
}

SEC("xdp.frags")
int rawnet_frags(struct xdp_md *ctx)
{
	return classify(ctx, bpf_xdp_get_buff_len(ctx));
}

char _license[] SEC("license") = "Dual BSD/GPL";
