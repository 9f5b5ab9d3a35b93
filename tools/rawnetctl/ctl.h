/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnetctl: what its files share. A command is OBJECT VERB and arguments; each object has a file
 * with its verbs and a table that says which arguments each verb takes. The tables drive parsing
 * (words.c), the usage and the shell's completion (complete.c).
 *
 * A verb first looks at its words, so that a wrong word is reported without a daemon, then asks the
 * daemon (daemon.c), which connects at the first question. One thread.
 */
#ifndef RAWNETCTL_H
#define RAWNETCTL_H

#include <jansson.h>
#include <stdbool.h>

#include <rawnet/client.h>

/* Exit codes. */
enum {
	CTL_OK,
	CTL_REFUSED, /* by the daemon, or not there */
	CTL_USAGE,
	CTL_NO_DAEMON
};

#define CTL_ARGS  12u /* of one verb, with the end of its table */
#define CTL_WORDS 64u /* of one command */

enum ctl_kind {
	CTL_PLAIN, /* a word that stands where it stands */
	CTL_VALUE, /* a key word and a word behind it */
	CTL_FLAG, /* a key word alone */
	CTL_MATCH /* all words until a key word */
};

/* What the shell can offer for a word. */
enum ctl_offer {
	CTL_NOTHING,
	CTL_DEVS,
	CTL_CLIENTS,
	CTL_RULES,
	CTL_GAPS
};

struct ctl_arg {
	const char *name; /* the key word; of others, what the usage calls it */
	enum ctl_kind kind;
	bool needed;
	enum ctl_offer offer;
	const char *value; /* what the usage calls the value of a CTL_VALUE */
};

struct ctl;

/* The words of a command, by the names in the verb's table; NULL: not given. */
struct ctl_args {
	const struct ctl_arg *table;
	const char *value[CTL_ARGS];
	char match[RAWNET_MATCH_TEXT];
};

struct ctl_verb {
	const char *name; /* NULL: the object is the whole command */
	const char *help;
	int (*run)(struct ctl *c, const struct ctl_args *args); /* CTL_* */
	struct ctl_arg args[CTL_ARGS];
};

/* Its first verb is the one that is meant if none is named; verbs end with one without run. */
struct ctl_object {
	const char *name;
	const struct ctl_verb *verbs;
};

extern const struct ctl_verb ctl_status_verbs[], ctl_port_verbs[], ctl_client_verbs[],
	ctl_flow_verbs[], ctl_poller_verbs[], ctl_quota_verbs[], ctl_counters_verbs[],
	ctl_monitor_verbs[], ctl_capture_verbs[], ctl_top_verbs[], ctl_explain_verbs[],
	ctl_route_verbs[];
extern const struct ctl_object ctl_objects[]; /* ends with one without name */

struct ctl {
	const char *socket; /* NULL: the library's default */
	bool json, stats, go_on;
	struct rawnet *rn; /* NULL: not connected yet */
	/* monitor: what the next connection calls for each event */
	void (*event)(void *ctl, const struct rawnet_event *event);
	char where[300]; /* "file:3: " in a batch, else empty */
	char what[48]; /* "flow add: ", once it is known */
};

/* ---- words.c ---- */

/* Runs one command: CTL_*. */
int ctl_run(struct ctl *c, char *const *words, unsigned n);
/* The word of an argument that the verb's table has; NULL if it was not given. */
const char *ctl_word(const struct ctl_args *args, const char *name);
/* "rawnetctl: flow add: sentence" on stderr; CTL_USAGE and CTL_REFUSED, for return. */
__attribute__((format(printf, 2, 3))) int ctl_usage(const struct ctl *c, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) int ctl_refuse(const struct ctl *c, const char *fmt, ...);
/* A decimal number up to `most`; CTL_OK or CTL_USAGE. */
int ctl_number(const struct ctl *c, const char *word, uint64_t most, uint64_t *v);
bool ctl_is_number(const char *word);

/* ---- daemon.c: each connects if need be, and has said what is wrong unless it returns CTL_OK ----
 */

int ctl_connect(struct ctl *c);
void ctl_close(struct ctl *c);
/* What an error of the library means, which rawnet_error() has the sentence of. */
int ctl_failed(struct ctl *c, int err);
int ctl_request(struct ctl *c, enum rawnet_msg type, void *req, size_t req_size, void *rep,
		size_t rep_size);

/* A list in memory. */
struct ctl_list {
	size_t entry_size, n, room;
	uint8_t *entries;
};
int ctl_list(struct ctl *c, enum rawnet_msg type, const struct rawnet_req_list *filter,
	     size_t entry_size, struct ctl_list *list);
void ctl_list_free(struct ctl_list *list);
static inline const void *ctl_entry(const struct ctl_list *list, size_t i)
{
	return list->entries + i * list->entry_size;
}

/* The clients that a word means, an id or else a label, this one excepted; NULL: all. None is a
 * refusal if a word was given. */
int ctl_find_clients(struct ctl *c, const char *word, struct ctl_list *clients);
/* The attachments of a client, or (0) of all. */
int ctl_attachments(struct ctl *c, uint32_t client, struct ctl_list *attachments);
/* Where packets of `dev` go when a word says to whom. */
int ctl_target(struct ctl *c, const char *word, const char *dev, struct rawnet_target *target);
/* A name of the system's, cut to the size of the field; CTL_USAGE if it is too long for one. */
int ctl_dev(const struct ctl *c, const char *word, char dev[RAWNET_DEV]);

/* ---- out.c ---- */

/* Prints and frees one JSON object, with its "schema", on one line; NULL: out of memory. */
int ctl_emit(struct ctl *c, json_t *object);
/* For text: each returns a buffer of its own, good for eight more calls. */
const char *ctl_bytes(uint64_t bytes);
/* At most six columns: 950, 12.3k, 4.56M. */
const char *ctl_short(double v);
const char *ctl_duration(uint64_t ns);
const char *ctl_user(uint32_t uid);
const char *ctl_mac(const uint8_t mac[6]);
json_t *ctl_user_json(uint32_t uid);
/* Bounds that are none are null, or "no bound". */
json_t *ctl_bound_json(uint64_t v, uint64_t none);
const char *ctl_plural(uint64_t n, const char *noun);

/* ---- counters.c ---- */

/* Asks for a port's counters, or (dev NULL) an attachment's; as JSON with every counter, as text
 * with a title in front, and those that are not zero, or all and what they mean. */
struct ctl_layout {
	const char *indent;
	const char *title; /* NULL: none */
	bool all;
};
json_t *ctl_counters_json(struct ctl *c, const char *dev, uint32_t attachment, uint32_t queue,
			  int *rc);
int ctl_counters_text(struct ctl *c, const char *dev, uint32_t attachment, uint32_t queue,
		      const struct ctl_layout *layout);

/* ---- flow.c ---- */

json_t *ctl_flow_json(const struct rawnet_flow_info *f);
/* With `prefix` in front; the attachments are those that it may lead to. */
void ctl_flow_text(const struct ctl *c, const struct rawnet_flow_info *f,
		   const struct ctl_list *attachments, const char *prefix);

/* ---- poller.c ---- */

/* Prints them, or puts them into an object under `key`. */
int ctl_pollers(struct ctl *c, json_t *object, const char *key);

#define CTL_NO_CPU UINT32_MAX /* of a poller: not pinned */

/* ---- complete.c ---- */

/* Prints what may stand behind these words, one a line. */
int ctl_complete(struct ctl *c, char *const *words, unsigned n);

#endif
