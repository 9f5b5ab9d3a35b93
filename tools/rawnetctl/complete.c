/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the shell offers behind the words that stand there already, one candidate a line: objects,
 * verbs, key words from the tables, and what the daemon knows where it may be asked.
 */
#include "ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The key words of rawnet/flow.h's grammar. */
static const char *const match_words[] = {"dmac",  "smac",  "vlan", "ethertype", "dst",	   "src",
					  "proto", "tcp",   "udp",  "sctp",	 "icmp",   "icmpv6",
					  "sport", "dport", "addr", "macvlan",	 "ipvlan", NULL};

static int offer_devs(struct ctl *c)
{
	struct ctl_list list;
	int rc = ctl_list(c, RAWNET_MSG_PORT_LIST, NULL, sizeof(struct rawnet_port_info), &list);

	for (size_t i = 0; !rc && i < list.n; i++)
		puts(((const struct rawnet_port_info *)ctl_entry(&list, i))->dev);
	ctl_list_free(&list);
	return rc;
}

static int offer_clients(struct ctl *c)
{
	struct ctl_list list;
	int rc = ctl_find_clients(c, NULL, &list);

	for (size_t i = 0; !rc && i < list.n; i++) {
		const struct rawnet_client_info *info = ctl_entry(&list, i);

		if (info->label[0])
			puts(info->label);
		else
			printf("%u\n", info->client);
	}
	ctl_list_free(&list);
	return rc;
}

static int offer_rules(struct ctl *c)
{
	struct ctl_list list;
	int rc = ctl_list(c, RAWNET_MSG_FLOW_LIST, NULL, sizeof(struct rawnet_flow_info), &list);

	for (size_t i = 0; !rc && i < list.n; i++)
		printf("%" PRIu64 "\n",
		       ((const struct rawnet_flow_info *)ctl_entry(&list, i))->rule);
	ctl_list_free(&list);
	return rc;
}

static int offer(struct ctl *c, enum ctl_offer what)
{
	switch (what) {
	case CTL_DEVS: return offer_devs(c);
	case CTL_CLIENTS: return offer_clients(c);
	case CTL_RULES: return offer_rules(c);
	case CTL_GAPS: puts("kernel\ndrop"); return CTL_OK;
	default: return CTL_OK;
	}
}

/* ---- arguments ---- */

static const struct ctl_arg *find_key(const struct ctl_verb *verb, const char *word)
{
	const struct ctl_arg *arg = verb->args;

	for (; arg->name; arg++)
		if ((arg->kind == CTL_VALUE || arg->kind == CTL_FLAG) && !strcmp(arg->name, word))
			return arg;
	return NULL;
}

static bool said(const char *name, char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(words[i], name))
			return true;
	return false;
}

/* A key word was the last: its value. Otherwise everything that was not said yet. */
static int offer_arguments(struct ctl *c, const struct ctl_verb *verb, char *const *words,
			   unsigned n)
{
	const struct ctl_arg *last = n ? find_key(verb, words[n - 1]) : NULL;
	int rc = CTL_OK;

	if (last && last->kind == CTL_VALUE)
		return offer(c, last->offer);
	for (const struct ctl_arg *arg = verb->args; !rc && arg->name; arg++) {
		if (arg->kind == CTL_PLAIN && !n)
			rc = offer(c, arg->offer);
		else if (arg->kind == CTL_MATCH && said("dev", words, n) && !said("to", words, n))
			for (unsigned i = 0; match_words[i]; i++)
				puts(match_words[i]);
		else if (arg->kind != CTL_PLAIN && arg->kind != CTL_MATCH &&
			 !said(arg->name, words, n))
			puts(arg->name);
	}
	return rc;
}

int ctl_complete(struct ctl *c, char *const *words, unsigned n)
{
	const struct ctl_object *object = ctl_objects;
	const struct ctl_verb *verb;

	for (; !n && object->name; object++)
		puts(object->name);
	if (!n)
		return CTL_OK;
	while (object->name && strcmp(object->name, words[0]) != 0)
		object++;
	if (!object->name)
		return CTL_USAGE;
	verb = object->verbs;
	if (!verb->name)
		return offer_arguments(c, verb, words + 1, n - 1);
	for (; n == 1 && verb->run; verb++)
		puts(verb->name);
	if (n == 1)
		return CTL_OK;
	while (verb->run && strcmp(verb->name, words[1]) != 0)
		verb++;
	return verb->run ? offer_arguments(c, verb, words + 2, n - 2) : CTL_USAGE;
}
