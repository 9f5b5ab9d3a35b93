/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the tests' client: a table of them, each with its words split off. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

/* The next word of the line, or "". */
char *word(char **line)
{
	char *w = *line + strspn(*line, " ");
	size_t n = strcspn(w, " ");

	*line = w[n] ? w + n + 1 : w + n;
	w[n] = '\0';
	return w;
}

uint64_t number(char **line)
{
	return strtoull(word(line), NULL, 0);
}

static void answer(int rc)
{
	if (rc < 0)
		say_err(rc);
	else
		say_ok("%d", rc);
}

/* ---- attachment ---- */

/* attach DEV [queues N] [copies N] [rx N] [tx N] [bufs N] [size N] [flags N] */
static void do_attach(char *line)
{
	struct rawnet_attach_options o = {.size = sizeof(o)};
	const struct rawnet_rep_attach *i;
	const char *dev = word(&line), *key;
	int rc;

	while (*(key = word(&line))) {
		uint32_t v = (uint32_t)number(&line);

		*(!strcmp(key, "queues")   ? &o.n_queues
		  : !strcmp(key, "copies") ? &o.copies
		  : !strcmp(key, "rx")	   ? &o.rx_size
		  : !strcmp(key, "tx")	   ? &o.tx_size
		  : !strcmp(key, "bufs")   ? &o.n_bufs
		  : !strcmp(key, "size")   ? &o.buf_size
					   : &o.flags) = v;
	}
	rc = rawnet_attach(me.rn, dev, &o, &me.at);
	if (rc) {
		say_err(rc);
		return;
	}
	i = rawnet_attachment_info(me.at);
	me.n_queues = i->n_queues;
	say_ok("%u %u %u", i->attachment, i->n_queues, i->mtu);
}

static void do_detach(char *line)
{
	struct rawnet_attachment *at = me.at;

	(void)line;
	me.at = NULL;
	answer(rawnet_detach(at));
}

static void do_copies(char *line)
{
	answer(rawnet_copies(me.at, (uint32_t)number(&line)));
}

/* ---- rules ---- */

/* [persist] [group] [force] [check] [confirm N] [attachment N] [label L] match MATCH... */
static int read_rule(char *line, struct rawnet_flow_options *o, struct rawnet_match *m)
{
	const char *key;

	*o = (struct rawnet_flow_options) {.size = sizeof(*o)};
	while (*(key = word(&line)) && strcmp(key, "match") != 0) {
		if (!strcmp(key, "confirm"))
			o->confirm = (uint32_t)number(&line);
		else if (!strcmp(key, "attachment"))
			o->attachment = (uint32_t)number(&line);
		else if (!strcmp(key, "label"))
			o->label = word(&line);
		else
			o->flags |= !strcmp(key, "persist") ? RAWNET_FLOW_PERSIST
				    : !strcmp(key, "group") ? RAWNET_FLOW_GROUP
				    : !strcmp(key, "force") ? RAWNET_FLOW_FORCE
							    : RAWNET_FLOW_CHECK;
	}
	return rawnet_match_parse(line, m);
}

static void do_add(char *line)
{
	struct rawnet_flow_options o;
	struct rawnet_match m;
	uint64_t rule = 0;
	int rc = read_rule(line, &o, &m);

	if (!rc)
		rc = rawnet_flow_add(me.at, &m, &o, &rule);
	if (rc)
		say_err(rc);
	else
		say_ok("%" PRIu64, rule);
}

/* many N RULE: n rules that differ in their source, 11.0.0.0 and up. */
static void do_many(char *line)
{
	uint32_t n = (uint32_t)number(&line);
	struct rawnet_match *m = calloc(n, sizeof(*m));
	struct rawnet_flow_options o;
	int rc = m ? read_rule(line, &o, m) : -ENOMEM;

	for (uint32_t i = n; i-- > 0 && !rc;) {
		const uint8_t src[4] = {11, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

		m[i] = m[0];
		m[i].fields |= RAWNET_M_SRC;
		m[i].family = 4;
		m[i].src_len = 32;
		memcpy(m[i].src, src, sizeof(src));
	}
	answer(rc ? rc : rawnet_flow_add_many(me.at, m, n, &o, NULL));
	free(m);
}

static void do_del(char *line)
{
	answer(rawnet_flow_del(me.rn, number(&line)));
}

static void do_confirm(char *line)
{
	answer(rawnet_flow_confirm(me.rn, number(&line)));
}

/* move RULE N ATTACHMENT...: n moves, to each of the attachments in turn. */
static void do_move(char *line)
{
	uint64_t rule = number(&line), n = number(&line);
	struct rawnet_target to[8] = {{0}};
	uint32_t n_to = 0;
	int rc = 0;

	for (uint32_t id; n_to < 8 && (id = (uint32_t)number(&line));)
		to[n_to++].attachment = id;
	for (uint64_t i = 0; i < n && !rc && n_to; i++)
		rc = rawnet_flow_move(me.rn, rule, &to[i % n_to]);
	answer(rc);
}

/* ---- telling ---- */

/* wait QUEUE MS: until there is something to read; 0 when the time is over. */
static void do_wait(char *line)
{
	struct rawnet_queue *q = rawnet_queue(me.at, (uint32_t)number(&line));

	answer(rawnet_wait(q, RAWNET_WAIT_RX, (int)number(&line)));
}

static void do_counters(char *line)
{
	uint64_t v[RAWNET_COUNTERS_SPACE];
	const char *queue = word(&line);
	int rc = rawnet_counters(me.at, *queue ? (uint32_t)atoi(queue) : RAWNET_ALL_QUEUES, v);

	if (rc) {
		say_err(rc);
		return;
	}
	printf("ok {");
	for (unsigned c = 0; c < RAWNET_Q_COUNT; c++)
		printf("%s\"%s\":%" PRIu64, c ? "," : "", rawnet_queue_counter_info(c)->name, v[c]);
	puts("}");
	fflush(stdout);
}

static void do_port(char *line)
{
	struct rawnet_req_counters req = {.hdr.type = RAWNET_MSG_COUNTERS};
	struct rawnet_rep_counters rep;
	int rc;

	strncpy(req.dev, word(&line), sizeof(req.dev) - 1);
	rc = rawnet_request(me.rn, &req, sizeof(req), &rep, sizeof(rep));
	if (rc) {
		say_err(rc);
		return;
	}
	printf("ok {");
	for (unsigned c = 0; c < RAWNET_P_COUNT; c++)
		printf("%s\"%s\":%" PRIu64, c ? "," : "", rawnet_port_counter_info(c)->name,
		       rep.v[c]);
	puts("}");
	fflush(stdout);
}

/* Entries so far. */
struct list {
	FILE *out;
	uint32_t n;
};

static int print_port(void *arg, const void *entry)
{
	const struct rawnet_port_info *p = entry;
	struct list *l = arg;

	fprintf(l->out,
		"%s{\"dev\":\"%s\",\"backend\":\"%s\",\"mode\":\"%s\",\"present\":%u,\"up\":%u,"
		"\"mtu\":%u,\"rules\":%u,\"shapes\":%u,\"hw_queues\":%u,\"ifindex\":%u}",
		l->n++ ? "," : "", p->dev, p->backend, p->mode, p->present, p->link_up, p->mtu,
		p->n_rules, p->n_shapes, p->n_hw_queues, p->ifindex);
	return 0;
}

static int print_client(void *arg, const void *entry)
{
	const struct rawnet_client_info *c = entry;
	struct list *l = arg;

	fprintf(l->out,
		"%s{\"client\":%u,\"uid\":%u,\"pid\":%u,\"label\":\"%s\",\"socket\":\"%s\","
		"\"attachments\":%u,\"rules\":%u}",
		l->n++ ? "," : "", c->client, c->uid, c->pid, c->label, c->socket, c->n_attachments,
		c->n_rules);
	return 0;
}

static int print_flow(void *arg, const void *entry)
{
	const struct rawnet_flow_info *f = entry;
	char text[RAWNET_MATCH_TEXT];
	struct list *l = arg;

	rawnet_match_format(&f->match, text, sizeof(text));
	fprintf(l->out,
		"%s{\"rule\":%" PRIu64
		",\"match\":\"%s\",\"uid\":%u,\"flags\":%u,\"confirm_left\":%u,"
		"\"n_targets\":%u,\"label\":\"%s\"}",
		l->n++ ? "," : "", f->rule, text, f->uid, f->flags, f->confirm_left, f->n_targets,
		f->label);
	return 0;
}

static void do_list(char *line)
{
	static const struct {
		const char *what;
		enum rawnet_msg type;
		size_t size;
		int (*print)(void *list, const void *entry);
	} lists[] = {
		{"ports", RAWNET_MSG_PORT_LIST, sizeof(struct rawnet_port_info), print_port},
		{"clients", RAWNET_MSG_CLIENT_LIST, sizeof(struct rawnet_client_info),
		 print_client},
		{"flows", RAWNET_MSG_FLOW_LIST, sizeof(struct rawnet_flow_info), print_flow},
	};
	const char *what = word(&line);
	struct list l = {0};
	size_t size, i = 0;
	char *text;
	int rc;

	while (i < 2 && strcmp(what, lists[i].what) != 0)
		i++;
	l.out = open_memstream(&text, &size);
	rc = rawnet_list_each(me.rn, lists[i].type, NULL, lists[i].size, lists[i].print, &l);
	fclose(l.out);
	if (rc < 0)
		say_err(rc);
	else
		say_ok("[%s]", text);
	free(text);
}

static void do_stats(char *line)
{
	(void)line;
	printf("ok {\"seen\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"left_alone\":%" PRIu64
	       ",\"copies\":%" PRIu64 ",\"queues\":[",
	       me.seen, me.answered, me.left_alone, me.copies);
	for (uint32_t i = 0; i < me.n_queues; i++)
		printf("%s%" PRIu64, i ? "," : "", me.of_queue[i]);
	puts("]}");
	fflush(stdout);
}

static void do_gap(char *line)
{
	struct rawnet_gap_info g = {.size = sizeof(g)};

	(void)line;
	rawnet_gap(me.rn, &g);
	say_ok("{\"restarts\":%u,\"last_ns\":%" PRIu64 ",\"tx_lost\":%" PRIu64
	       ",\"rx_lost\":%" PRIu64 "}",
	       g.restarts, g.last_ns, g.tx_lost, g.rx_lost);
}

/* ---- the table ---- */

static void do_disconnect(char *line)
{
	struct rawnet_req_id req = {.hdr.type = RAWNET_MSG_CLIENT_DISCONNECT};
	struct rawnet_hdr rep;

	req.id = number(&line);
	answer(rawnet_request(me.rn, &req, sizeof(req), &rep, sizeof(rep)));
}

static const struct {
	const char *name;
	void (*run)(char *line);
} commands[] = {
	{"attach", do_attach},
	{"detach", do_detach},
	{"copies", do_copies},
	{"add", do_add},
	{"many", do_many},
	{"del", do_del},
	{"move", do_move},
	{"confirm", do_confirm},
	{"wait", do_wait},
	{"counters", do_counters},
	{"port", do_port},
	{"list", do_list},
	{"stats", do_stats},
	{"gap", do_gap},
	{"mode", do_mode},
	{"frames", do_frames},
	{"stamps", do_stamps},
	{"send", do_send},
	{"disconnect", do_disconnect},
};

bool command_run(char *line)
{
	const char *name = word(&line);

	if (!strcmp(name, "quit"))
		return false;
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(name, commands[i].name)) {
			commands[i].run(line);
			return true;
		}
	printf("err EINVAL no command \"%s\"\n", name);
	fflush(stdout);
	return true;
}
