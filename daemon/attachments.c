/* SPDX-License-Identifier: BSD-2-Clause */
/* All attachments that clients have, in the order of their ids. Control thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "daemon.h"

uint32_t rn_attachments_behind(const struct rn_daemon *d, uint64_t id)
{
	uint32_t low = 0, high = d->n_attachments;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (d->attachments[middle]->id <= id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Ids grow, so a new one comes last; those of the last daemon come in any order. */
int rn_attachments_add(struct rn_daemon *d, struct rn_attachment *at)
{
	uint32_t i = rn_attachments_behind(d, at->id);

	if (d->n_attachments == d->max_attachments) {
		uint32_t more = d->max_attachments ? 2 * d->max_attachments : 64;
		void *p = realloc(d->attachments, more * sizeof(*d->attachments));

		if (!p)
			return -ENOMEM;
		d->attachments = p;
		d->max_attachments = more;
	}
	memmove(&d->attachments[i + 1], &d->attachments[i],
		(d->n_attachments++ - i) * sizeof(*d->attachments));
	d->attachments[i] = at;
	return 0;
}

void rn_attachments_remove(struct rn_daemon *d, const struct rn_attachment *at)
{
	uint32_t i = rn_attachments_behind(d, at->id);

	memmove(&d->attachments[i - 1], &d->attachments[i],
		(d->n_attachments-- - i) * sizeof(*d->attachments));
}

/* Its rules are being deleted: nobody finds it any more, to give it others. */
static bool is_going(const struct rn_attachment *at)
{
	const struct rn_client *c = at->client;

	return c->dead || c->detaching == at;
}

struct rn_attachment *rn_attachment_by_id(const struct rn_daemon *d, uint32_t id)
{
	uint32_t i = rn_attachments_behind(d, id);
	struct rn_attachment *at = i ? d->attachments[i - 1] : NULL;

	return at && at->id == id && !is_going(at) ? at : NULL;
}

struct rn_attachment *rn_attachment_by_label(const struct rn_daemon *d, const char *dev,
					     const char *label, uint32_t uid, bool any)
{
	const struct rn_served *s = rn_daemon_port(d, dev);
	struct rn_attachment *at;

	if (!s || !label[0])
		return NULL;
	cds_list_for_each_entry (at, &s->port->attachments, list) {
		if (!is_going(at) && (any || at->uid == uid) && !strcmp(at->label, label))
			return at;
	}
	return NULL;
}
