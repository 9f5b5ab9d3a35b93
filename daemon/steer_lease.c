/* SPDX-License-Identifier: BSD-2-Clause */
/* Leases: addresses that a rule gives to its client, and that the daemon answers for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steer_impl.h"

struct lease_key {
	uint8_t addr[16];
	uint16_t vlan;
	uint8_t family;
};

static int match_lease(struct cds_lfht_node *node, const void *key)
{
	const struct lease *l = caa_container_of(node, struct lease, node);
	const struct lease_key *k = key;

	return l->family == k->family && l->vlan == k->vlan &&
	       !memcmp(l->addr, k->addr, sizeof(l->addr));
}

static unsigned long lease_hash(const struct lease_key *k)
{
	uint64_t words[3] = {0, 0, (uint64_t)k->family << 16 | k->vlan};

	memcpy(words, k->addr, sizeof(k->addr));
	return rn_siphash(&rn_steer_secret, words, 3);
}

static struct lease *find_lease(const struct rn_steer *s, const struct lease_key *k)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	cds_lfht_lookup(s->leases, lease_hash(k), match_lease, k, &iter);
	node = cds_lfht_iter_get_node(&iter);
	return node ? caa_container_of(node, struct lease, node) : NULL;
}

/* The addresses that a match leases: how many of the two. */
static unsigned lease_keys(const struct rawnet_match *m, struct lease_key k[2])
{
	unsigned n = 0;

	memset(k, 0, 2 * sizeof(*k));
	if (m->model == RAWNET_MODEL_IPVLAN) {
		k[0].family = m->family;
		memcpy(k[0].addr, m->dst, 16);
		n = 1;
	}
	if (m->model == RAWNET_MODEL_MACVLAN && (m->fields & RAWNET_M_ADDR4)) {
		k[n].family = 4;
		memcpy(k[n++].addr, m->addr4, 4);
	}
	if (m->model == RAWNET_MODEL_MACVLAN && (m->fields & RAWNET_M_ADDR6)) {
		k[n].family = 6;
		memcpy(k[n++].addr, m->addr6, 16);
	}
	for (unsigned i = 0; i < n; i++)
		k[i].vlan = (m->fields & RAWNET_M_VLAN) ? m->vlan : 0;
	return n;
}

int rn_leases_check(const struct rn_steer *s, const struct rawnet_match *m, uint32_t uid,
		    struct rn_err *err)
{
	struct lease_key k[2];
	unsigned n = lease_keys(m, k);

	if (m->model == RAWNET_MODEL_MACVLAN && !memcmp(m->dmac, s->mac, 6))
		return rn_fail(err, -EINVAL, "macvlan: this is the port's own MAC");
	for (unsigned i = 0; i < n; i++) {
		const struct lease *l = find_lease(s, &k[i]);

		if (l && (l->rule->uid != uid || memcmp(l->rule->match.dmac, m->dmac, 6) != 0))
			return rn_fail(err, -EEXIST, "%s: rule %llu has this address already",
				       m->model == RAWNET_MODEL_IPVLAN ? "ipvlan" : "addr",
				       (unsigned long long)l->rule->id);
	}
	return 0;
}

int rn_leases_add(struct rn_steer *s, struct rule *r)
{
	struct lease_key k[2];
	unsigned n = lease_keys(&r->pub.match, k);

	for (unsigned i = 0; i < n; i++) {
		r->lease[i] = calloc(1, sizeof(*r->lease[i]));
		if (!r->lease[i])
			return -ENOMEM;
		memcpy(r->lease[i]->addr, k[i].addr, 16);
		r->lease[i]->vlan = k[i].vlan;
		r->lease[i]->family = k[i].family;
		r->lease[i]->rule = &r->pub;
		cds_lfht_add(s->leases, lease_hash(&k[i]), &r->lease[i]->node);
		__atomic_store_n(&s->macs.leases, s->macs.leases + 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static void free_lease(struct rcu_head *head)
{
	free(caa_container_of(head, struct lease, rcu));
}

void rn_leases_del(struct rn_steer *s, struct rule *r)
{
	for (unsigned i = 0; i < 2; i++) {
		if (!r->lease[i])
			continue;
		cds_lfht_del(s->leases, &r->lease[i]->node);
		__atomic_store_n(&s->macs.leases, s->macs.leases - 1, __ATOMIC_RELAXED);
		call_rcu(&r->lease[i]->rcu, free_lease);
		r->lease[i] = NULL;
	}
}

struct rn_rule *rn_steer_lease(const struct rn_steer *s, int family, const uint8_t *addr,
			       uint16_t vlan, uint8_t mac[6])
{
	struct lease_key k = {.vlan = vlan, .family = (uint8_t)family};
	const struct lease *l;

	memcpy(k.addr, addr, family == 4 ? 4 : 16);
	l = find_lease(s, &k);
	if (!l)
		return NULL;
	memcpy(mac, (l->rule->match.fields & RAWNET_M_DMAC) ? l->rule->match.dmac : s->mac, 6);
	return l->rule;
}
