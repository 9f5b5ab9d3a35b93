/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Matches as text, by the grammar in rawnet/flow.h. One table has the words; each word that takes a
 * value has a function that reads it. Format writes the terms in the table's order.
 */
#include "match.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"

#define WORD_MAX 64

struct text {
	const char *at;
	char word[WORD_MAX];
	char *err;
	size_t errlen;
};

struct term {
	const char *word;
	int (*read)(struct text *t, const struct term *term, struct rawnet_match *m);
	uint16_t field;
	uint8_t value; /* of words that are short for a value */
};

/* The sentence goes to terminals and logs, so it is printable whatever the word is. */
static int refuse(struct text *t, const char *what, const char *why)
{
	char shown[WORD_MAX];
	size_t n = 0;

	for (; n < sizeof(shown) - 1 && what[n]; n++)
		shown[n] = isascii((unsigned char)what[n]) && isprint((unsigned char)what[n])
				   ? what[n]
				   : '?';
	shown[n] = 0;
	if (t->err && t->errlen)
		snprintf(t->err, t->errlen, "\"%s\": %s", shown, why);
	return -EINVAL;
}

/* The next word into t->word: 1, 0 at the end, or -EINVAL if it is too long. */
static int next_word(struct text *t)
{
	size_t n = 0;

	while (isspace((unsigned char)*t->at))
		t->at++;
	while (t->at[n] && !isspace((unsigned char)t->at[n]))
		n++;
	if (n >= WORD_MAX) {
		memcpy(t->word, t->at, WORD_MAX - 1);
		t->word[WORD_MAX - 1] = 0;
		return refuse(t, t->word, "too long a word");
	}
	memcpy(t->word, t->at, n);
	t->word[n] = 0;
	t->at += n;
	return n > 0;
}

static int value_of(struct text *t, const struct term *term)
{
	int rc = next_word(t);

	return rc < 0 ? rc : rc ? 0 : refuse(t, term->word, "a value is missing behind it");
}

/* A whole number in this range, decimal or 0x; *v is unchanged on error. */
static bool number(const char *word, unsigned long least, unsigned long most, unsigned long *v)
{
	char *end;
	unsigned long got;

	if (!isdigit((unsigned char)word[0]))
		return false;
	errno = 0;
	got = strtoul(word, &end, word[0] == '0' && (word[1] | 32) == 'x' ? 16 : 10);
	if (errno || *end || got < least || got > most)
		return false;
	*v = got;
	return true;
}

/* ---- values ---- */

static bool scan_mac(const char *word, uint8_t mac[6])
{
	for (int i = 0; i < 6; i++) {
		if (!isxdigit((unsigned char)word[0]) || !isxdigit((unsigned char)word[1]))
			return false;
		mac[i] = (uint8_t)strtoul((char[]) {word[0], word[1], 0}, NULL, 16);
		word += 2;
		if (i < 5 && *word++ != ':')
			return false;
	}
	return !*word;
}

static int read_mac(struct text *t, const struct term *term, struct rawnet_match *m)
{
	bool dst = term->field == RAWNET_M_DMAC;
	uint8_t *mac = dst ? m->dmac : m->smac, *mask = dst ? m->dmac_mask : m->smac_mask;
	char *slash;
	int rc = value_of(t, term);

	if (rc)
		return rc;
	slash = strchr(t->word, '/');
	memset(mask, 0xff, 6);
	if (slash && !scan_mac(slash + 1, mask))
		return refuse(t, t->word, "the mask is not a MAC address");
	if (slash)
		*slash = 0;
	if (!scan_mac(t->word, mac))
		return refuse(t, t->word, "not a MAC address (02:00:00:00:00:01)");
	for (int i = 0; i < 6; i++)
		if (mac[i] & ~mask[i])
			return refuse(t, t->word, "has bits outside its mask");
	return 0;
}

static int read_prefix(struct text *t, const struct term *term, struct rawnet_match *m)
{
	bool to = term->field == RAWNET_M_DST;
	uint8_t *addr = to ? m->dst : m->src, *len = to ? &m->dst_len : &m->src_len;
	unsigned long bits;
	uint8_t family;
	char *slash;
	int rc = value_of(t, term);

	if (rc)
		return rc;
	slash = strchr(t->word, '/');
	if (slash)
		*slash++ = 0;
	family = strchr(t->word, ':') ? 6 : 4;
	if (inet_pton(family == 4 ? AF_INET : AF_INET6, t->word, addr) != 1)
		return refuse(t, t->word, "not an IPv4 or IPv6 address");
	if (m->family && m->family != family)
		return refuse(t, t->word, "src and dst are of different families");
	m->family = family;
	bits = family == 4 ? 32 : 128;
	if (slash && !number(slash, 1, bits, &bits))
		return refuse(t, slash,
			      family == 4 ? "prefix length, 1 to 32 is possible"
					  : "prefix length, 1 to 128 is possible");
	*len = (uint8_t)bits;
	for (unsigned i = *len; i < 128; i++)
		if (addr[i / 8] & (0x80u >> i % 8))
			return refuse(t, t->word, "has bits outside its prefix");
	return 0;
}

static int read_vlan(struct text *t, const struct term *term, struct rawnet_match *m)
{
	unsigned long v;
	int rc = value_of(t, term);

	if (rc)
		return rc;
	if (!number(t->word, 1, 4094, &v))
		return refuse(t, t->word, "vlan, 1 to 4094 is possible");
	m->vlan = (uint16_t)v;
	return 0;
}

struct name {
	const char *name;
	uint16_t value;
};

static const struct name types[] = {{"ipv4", 0x0800}, {"ipv6", 0x86dd}, {"arp", 0x0806}, {NULL, 0}};
static const struct name protos[] = {{"tcp", 6},  {"udp", 17},	  {"sctp", 132},
				     {"icmp", 1}, {"icmpv6", 58}, {NULL, 0}};

static bool named(const struct name *names, const char *word, unsigned long *v)
{
	for (; names->name; names++)
		if (!strcmp(names->name, word)) {
			*v = names->value;
			return true;
		}
	return false;
}

static int read_type(struct text *t, const struct term *term, struct rawnet_match *m)
{
	unsigned long v;
	int rc = value_of(t, term);

	if (rc)
		return rc;
	if (!named(types, t->word, &v) && !number(t->word, 0x600, 0xffff, &v))
		return refuse(t, t->word, "ethertype, ipv4, ipv6, arp or 0x0600 to 0xffff");
	m->ethertype = (uint16_t)v;
	return 0;
}

static int read_proto(struct text *t, const struct term *term, struct rawnet_match *m)
{
	unsigned long v;
	int rc = value_of(t, term);

	if (rc)
		return rc;
	if (!named(protos, t->word, &v) && !number(t->word, 0, 255, &v))
		return refuse(t, t->word, "proto, tcp, udp, sctp, icmp, icmpv6 or 0 to 255");
	m->proto = (uint8_t)v;
	return 0;
}

static int short_proto(struct text *t, const struct term *term, struct rawnet_match *m)
{
	(void)t;
	m->proto = term->value;
	return 0;
}

static int read_port(struct text *t, const struct term *term, struct rawnet_match *m)
{
	unsigned long v;
	int rc = value_of(t, term);

	if (rc)
		return rc;
	if (!number(t->word, 1, 65535, &v))
		return refuse(t, t->word, "port, 1 to 65535 is possible");
	*(term->field == RAWNET_M_SPORT ? &m->sport : &m->dport) = (uint16_t)v;
	return 0;
}

/* "addr" is two fields, one for each family. */
static int read_addr(struct text *t, const struct term *term, struct rawnet_match *m)
{
	int rc = value_of(t, term);
	bool v6;

	if (rc)
		return rc;
	v6 = strchr(t->word, ':') != NULL;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, t->word, v6 ? m->addr6 : m->addr4) != 1)
		return refuse(t, t->word, "not an IPv4 or IPv6 address");
	if (m->fields & (v6 ? RAWNET_M_ADDR6 : RAWNET_M_ADDR4))
		return refuse(t, t->word, "a second address of this family");
	m->fields |= v6 ? RAWNET_M_ADDR6 : RAWNET_M_ADDR4;
	return 0;
}

/* ---- the grammar ---- */

static const struct term terms[] = {
	{"dmac", read_mac, RAWNET_M_DMAC, 0},
	{"smac", read_mac, RAWNET_M_SMAC, 0},
	{"vlan", read_vlan, RAWNET_M_VLAN, 0},
	{"ethertype", read_type, RAWNET_M_ETHERTYPE, 0},
	{"dst", read_prefix, RAWNET_M_DST, 0},
	{"src", read_prefix, RAWNET_M_SRC, 0},
	{"proto", read_proto, RAWNET_M_PROTO, 0},
	{"tcp", short_proto, RAWNET_M_PROTO, 6},
	{"udp", short_proto, RAWNET_M_PROTO, 17},
	{"sctp", short_proto, RAWNET_M_PROTO, 132},
	{"icmp", short_proto, RAWNET_M_PROTO, 1},
	{"icmpv6", short_proto, RAWNET_M_PROTO, 58},
	{"sport", read_port, RAWNET_M_SPORT, 0},
	{"dport", read_port, RAWNET_M_DPORT, 0},
	{"addr", read_addr, 0, 0},
};
#define N_TERMS (sizeof(terms) / sizeof(terms[0]))

/* The models' arguments are terms under another name. */
static const struct term macvlan_arg = {"macvlan", read_mac, RAWNET_M_DMAC, 0};
static const struct term ipvlan_arg = {"ipvlan", read_prefix, RAWNET_M_DST, 0};

static int parse_term(struct text *t, const struct term *term, struct rawnet_match *m)
{
	if (term->field && (m->fields & term->field))
		return refuse(t, term->word, "was said before");
	m->fields |= term->field;
	return term->read(t, term, m);
}

static int parse_model(struct text *t, struct rawnet_match *m, bool *was)
{
	*was = true;
	if (!strcmp(t->word, "macvlan")) {
		m->model = RAWNET_MODEL_MACVLAN;
		return parse_term(t, &macvlan_arg, m);
	}
	if (!strcmp(t->word, "ipvlan")) {
		m->model = RAWNET_MODEL_IPVLAN;
		return parse_term(t, &ipvlan_arg, m);
	}
	*was = !strcmp(t->word, "tuple");
	return 0;
}

static int refuse_word(struct text *t)
{
	struct rn_nearest near = {.word = t->word};
	char why[64] = "not a word of a match";

	if (!strcmp(t->word, "macvlan") || !strcmp(t->word, "ipvlan") || !strcmp(t->word, "tuple"))
		return refuse(t, t->word, "stands in front of all other words or nowhere");
	for (size_t i = 0; i < N_TERMS; i++)
		rn_nearest_offer(&near, terms[i].word);
	if (near.best)
		snprintf(why, sizeof(why), "not a word of a match, did you mean \"%s\"?",
			 near.best);
	return refuse(t, t->word, why);
}

static int parse_word(struct text *t, struct rawnet_match *m)
{
	for (size_t i = 0; i < N_TERMS; i++)
		if (!strcmp(t->word, terms[i].word))
			return parse_term(t, &terms[i], m);
	return refuse_word(t);
}

int rn_match_parse(const char *text, struct rawnet_match *m, char *err, size_t errlen)
{
	struct text t = {.at = text, .err = err, .errlen = errlen};
	bool first = true, model;
	int rc;

	memset(m, 0, sizeof(*m));
	m->size = sizeof(*m);
	while ((rc = next_word(&t)) > 0) {
		model = false;
		if (first)
			rc = parse_model(&t, m, &model);
		first = false;
		if (rc >= 0 && !model)
			rc = parse_word(&t, m);
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? rc : rn_match_check(m, err, errlen);
}

/* ---- format ---- */

struct out {
	char *text;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(o->len < o->size ? o->text + o->len : NULL,
		      o->len < o->size ? o->size - o->len : 0, fmt, args);
	va_end(args);
	o->len += n > 0 ? (size_t)n : 0;
}

static void put_mac(struct out *o, const char *word, const uint8_t mac[6], const uint8_t mask[6])
{
	static const uint8_t whole[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	put(o, " %s %02x:%02x:%02x:%02x:%02x:%02x", word, mac[0], mac[1], mac[2], mac[3], mac[4],
	    mac[5]);
	if (memcmp(mask, whole, 6) != 0)
		put(o, "/%02x:%02x:%02x:%02x:%02x:%02x", mask[0], mask[1], mask[2], mask[3],
		    mask[4], mask[5]);
}

static void put_prefix(struct out *o, const char *word, int family, const uint8_t *addr,
		       unsigned len)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family == 4 ? AF_INET : AF_INET6, addr, text, sizeof(text));
	put(o, " %s %s", word, text);
	if (len != (family == 4 ? 32u : 128u))
		put(o, "/%u", len);
}

static void put_value(struct out *o, const char *word, const struct name *names, unsigned value,
		      bool hex)
{
	put(o, " %s ", word);
	for (; names->name; names++)
		if (names->value == value) {
			put(o, "%s", names->name);
			return;
		}
	put(o, hex ? "0x%04x" : "%u", value);
}

static void put_l2(struct out *o, const struct rawnet_match *m)
{
	if (m->model == RAWNET_MODEL_MACVLAN)
		put_mac(o, "macvlan", m->dmac, m->dmac_mask);
	if (m->model == RAWNET_MODEL_IPVLAN)
		put_prefix(o, "ipvlan", m->family, m->dst, m->dst_len);
	if ((m->fields & RAWNET_M_DMAC) && m->model != RAWNET_MODEL_MACVLAN)
		put_mac(o, "dmac", m->dmac, m->dmac_mask);
	if (m->fields & RAWNET_M_SMAC)
		put_mac(o, "smac", m->smac, m->smac_mask);
	if (m->fields & RAWNET_M_VLAN)
		put(o, " vlan %u", m->vlan);
	if ((m->fields & RAWNET_M_ETHERTYPE) && !(m->fields & (RAWNET_M_DST | RAWNET_M_SRC)))
		put_value(o, "ethertype", types, m->ethertype, true);
}

int rn_match_format(const struct rawnet_match *m, char *text, size_t size)
{
	struct out o = {.text = text, .size = size};

	if (size)
		text[0] = 0;
	put_l2(&o, m);
	if ((m->fields & RAWNET_M_DST) && m->model != RAWNET_MODEL_IPVLAN)
		put_prefix(&o, "dst", m->family, m->dst, m->dst_len);
	if (m->fields & RAWNET_M_SRC)
		put_prefix(&o, "src", m->family, m->src, m->src_len);
	if (m->fields & RAWNET_M_PROTO)
		put_value(&o, "proto", protos, m->proto, false);
	if (m->fields & RAWNET_M_SPORT)
		put(&o, " sport %u", m->sport);
	if (m->fields & RAWNET_M_DPORT)
		put(&o, " dport %u", m->dport);
	if (m->fields & RAWNET_M_ADDR4)
		put_prefix(&o, "addr", 4, m->addr4, 32);
	if (m->fields & RAWNET_M_ADDR6)
		put_prefix(&o, "addr", 6, m->addr6, 128);
	if (size && o.len) /* the first blank */
		memmove(text, text + 1, o.len < size ? o.len : size - 1);
	return o.len ? (int)o.len - 1 : 0;
}
