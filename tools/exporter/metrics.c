/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See metrics.h. Names: rawnet_<noun>_<counter>_total, the counters as rawnet/counters.h names
 * them. Counters called <way>_drop_<cause> become one family, rawnet_<noun>_<way>_dropped_packets,
 * with the cause as a label, so that a sum over causes is a sum over one family.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME 96u
#define HELP 2048u

/* Of ports or of clients. */
struct kind {
	const char *prefix;
	const struct rawnet_counter_info *(*info)(unsigned counter);
	void (*labels)(struct page *p, const struct scrape_set *set); /* without the brace's end */
};

static void port_labels(struct page *p, const struct scrape_set *set)
{
	page_label(p, '{', "port", set->of.port.dev);
}

static void client_labels(struct page *p, const struct scrape_set *set)
{
	const struct rawnet_attachment_info *at = &set->of.attachment;

	page_label(p, '{', "port", at->dev);
	page_label_number(p, ',', "client", at->client);
	page_label_number(p, ',', "attachment", at->attachment);
	page_label(p, ',', "label", at->label);
	page_label_number(p, ',', "uid", at->uid);
}

static const struct kind of_ports = {"rawnet_port", rawnet_port_counter_info, port_labels};
static const struct kind of_clients = {"rawnet_client", rawnet_queue_counter_info, client_labels};

/* ---- counters ---- */

/* The cause behind "_drop_", and how long what stands in front of it is; NULL: no such counter. */
static const char *cause_of(const char *name, size_t *way)
{
	static const char drop[] = "_drop_";
	const char *at = strstr(name, drop);

	*way = at ? (size_t)(at - name) : 0;
	return at ? at + sizeof(drop) - 1 : NULL;
}

static bool same_family(const char *a, const char *b)
{
	size_t way_a, way_b;

	return cause_of(a, &way_a) && cause_of(b, &way_b) && way_a == way_b && !memcmp(a, b, way_a);
}

static void sample(struct page *p, const struct kind *kind, const char *family,
		   const struct scrape_sets *sets, unsigned counter, const char *cause)
{
	for (size_t i = 0; i < sets->n; i++) {
		const struct scrape_set *set = &sets->set[i];

		if (counter >= set->n)
			continue;
		page_print(p, "%s_total", family);
		kind->labels(p, set);
		if (cause)
			page_label(p, ',', "cause", cause);
		page_print(p, "} %" PRIu64 "\n", set->v[counter]);
	}
}

/* What a counter means, without what the family says of all. */
static const char *meaning(const char *help)
{
	static const char dropped[] = "dropped: ";

	return strncmp(help, dropped, sizeof(dropped) - 1) ? help : help + sizeof(dropped) - 1;
}

/* All drops of one way, from its first counter on. */
static void drops(struct page *p, const struct kind *kind, const struct scrape_sets *sets,
		  unsigned first)
{
	const char *name = kind->info(first)->name;
	const struct rawnet_counter_info *info;
	char family[NAME], help[HELP];
	size_t way, n;

	cause_of(name, &way);
	snprintf(family, sizeof(family), "%s_%.*s_dropped_packets", kind->prefix, (int)way, name);
	n = (size_t)snprintf(help, sizeof(help), "packets dropped, by cause");
	for (unsigned i = first; (info = kind->info(i)) && n < sizeof(help); i++)
		if (same_family(name, info->name))
			n += (size_t)snprintf(help + n, sizeof(help) - n, "; %s: %s",
					      cause_of(info->name, &way), meaning(info->help));
	page_family(p, family, "counter", "packets", help);
	for (unsigned i = first; (info = kind->info(i)); i++)
		if (same_family(name, info->name))
			sample(p, kind, family, sets, i, cause_of(info->name, &way));
}

static bool is_first_of_family(const struct kind *kind, unsigned counter)
{
	for (unsigned i = 0; i < counter; i++)
		if (same_family(kind->info(i)->name, kind->info(counter)->name))
			return false;
	return true;
}

static void counters(struct page *p, const struct kind *kind, const struct scrape_sets *sets)
{
	const struct rawnet_counter_info *info;
	char family[NAME];
	size_t way;

	for (unsigned i = 0; (info = kind->info(i)); i++) {
		if (!cause_of(info->name, &way)) {
			snprintf(family, sizeof(family), "%s_%s", kind->prefix, info->name);
			page_family(p, family, "counter", info->unit, info->help);
			sample(p, kind, family, sets, i, NULL);
		} else if (is_first_of_family(kind, i)) {
			drops(p, kind, sets, i);
		}
	}
}

/* ---- the rest ---- */

static void one(struct page *p, const char *name, const char *type, const char *unit,
		const char *help, uint64_t v)
{
	page_family(p, name, type, unit, help);
	page_print(p, "%s%s %" PRIu64 "\n", name, !strcmp(type, "counter") ? "_total" : "", v);
}

/* Nanoseconds, as seconds without a rounding. */
static void seconds(struct page *p, uint64_t ns)
{
	page_print(p, "%" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000u, ns % 1000000000u);
}

static void daemon_metrics(struct page *p, const struct rawnet_rep_status *st)
{
	page_family(p, "rawnet_daemon", "info", NULL, "the daemon's version");
	page_print(p, "rawnet_daemon_info");
	page_label(p, '{', "version", st->version);
	page_print(p, "} 1\n");
	page_family(p, "rawnet_uptime_seconds", "gauge", "seconds", "since the daemon's start");
	page_print(p, "rawnet_uptime_seconds ");
	seconds(p, st->uptime_ns);
	one(p, "rawnet_clients", "gauge", NULL, "connections, that of the exporter too",
	    st->clients);
	one(p, "rawnet_attachments", "gauge", NULL, "shares of ports that clients have",
	    st->attachments);
	one(p, "rawnet_rules", "gauge", NULL, "flow rules", st->rules);
	one(p, "rawnet_memory_bytes", "gauge", "bytes", "packet memory and rings handed out",
	    st->memory);
	one(p, "rawnet_reloads", "counter", NULL, "configurations taken over since the start",
	    st->reloads);
}

static void port_metrics(struct page *p, const struct scrape_sets *ports)
{
	page_family(p, "rawnet_port", "info", NULL, "how the port is served");
	for (size_t i = 0; i < ports->n; i++) {
		page_print(p, "rawnet_port_info");
		page_label(p, '{', "port", ports->set[i].of.port.dev);
		page_label(p, ',', "backend", ports->set[i].of.port.backend);
		page_label(p, ',', "mode", ports->set[i].of.port.mode);
		page_print(p, "} 1\n");
	}
	page_family(p, "rawnet_port_up", "gauge", NULL, "1: the interface is there and has a link");
	for (size_t i = 0; i < ports->n; i++) {
		page_print(p, "rawnet_port_up");
		port_labels(p, &ports->set[i]);
		page_print(p, "} %d\n",
			   ports->set[i].of.port.present && ports->set[i].of.port.link_up);
	}
	page_family(p, "rawnet_port_rules", "gauge", NULL, "flow rules of the port");
	for (size_t i = 0; i < ports->n; i++) {
		page_print(p, "rawnet_port_rules");
		port_labels(p, &ports->set[i]);
		page_print(p, "} %" PRIu32 "\n", ports->set[i].of.port.n_rules);
	}
	counters(p, &of_ports, ports);
}

static void poller_counter(struct page *p, const struct scrape *s, const char *name,
			   const char *unit, const char *help, size_t offset)
{
	uint64_t v;

	page_family(p, name, "counter", unit, help);
	for (size_t i = 0; i < s->n_pollers; i++) {
		memcpy(&v, (const char *)&s->pollers[i] + offset, sizeof(v));
		page_print(p, "%s_total", name);
		page_label_number(p, '{', "poller", s->pollers[i].poller);
		page_print(p, "} ");
		if (unit)
			seconds(p, v);
		else
			page_print(p, "%" PRIu64 "\n", v);
	}
}

static void poller_metrics(struct page *p, const struct scrape *s)
{
#define AT(member) offsetof(struct rawnet_poller_info, member)
	poller_counter(p, s, "rawnet_poller_turns", NULL, "turns", AT(turns));
	poller_counter(p, s, "rawnet_poller_busy_turns", NULL, "turns that moved packets",
		       AT(busy_turns));
	poller_counter(p, s, "rawnet_poller_sleeps", NULL, "times that it slept", AT(sleeps));
	poller_counter(p, s, "rawnet_poller_cpu_seconds", "seconds", "time of a core that it used",
		       AT(cpu_ns));
#undef AT
}

void metrics_write(struct page *p, const struct scrape *s)
{
	one(p, "rawnet_up", "gauge", NULL, "1: the daemon answers", s->up);
	if (s->up) {
		daemon_metrics(p, &s->status);
		port_metrics(p, &s->ports);
		counters(p, &of_clients, &s->attachments);
		poller_metrics(p, s);
	}
	one(p, "rawnet_exporter_left_out", "gauge", NULL,
	    "attachments that this page has no room or no time for", s->attachments.left_out);
	page_family(p, "rawnet_exporter_scrape_seconds", "gauge", "seconds",
		    "how long the daemon was asked for this page");
	page_print(p, "rawnet_exporter_scrape_seconds ");
	seconds(p, s->took_ns);
	page_end(p);
}
