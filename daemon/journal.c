/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See journal.h. Records that nobody uses are found again by a stack of their numbers. The file
 * only grows: rules come and go within it.
 */
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attachment.h"
#include "log.h"
#include "store.h"

#define NAME	  "rn.journal"
#define FIRST_MAX 256u

static struct {
	int fd;
	size_t size;
	struct rn_state_journal *map; /* NULL: there is none */
	uint32_t *free;
	uint32_t n_free;
	uint32_t *sorted; /* while restoring: records in use, by_place() */
	uint32_t n_sorted;
	uint8_t *owned; /* while restoring: of each record, whether a rule has it */
	bool goes_on; /* it is the last daemon's */
} j = {.fd = -1};

static size_t bytes(uint32_t max)
{
	return sizeof(struct rn_state_journal) + (size_t)max * sizeof(struct rn_state_record);
}

static bool sort_records(void);

/* ---- life ---- */

static int map_all(size_t size)
{
	void *map = j.map ? mremap(j.map, j.size, size, MREMAP_MAYMOVE)
			  : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, j.fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	j.map = map;
	j.size = size;
	return 0;
}

static int grow(void)
{
	uint32_t old = j.map ? j.map->max : 0, max = old ? 2 * old : FIRST_MAX;
	uint32_t *free_stack = realloc(j.free, max * sizeof(*j.free));
	int rc;

	if (!free_stack)
		return -ENOMEM;
	j.free = free_stack;
	if (ftruncate(j.fd, (off_t)bytes(max)) < 0)
		return -errno;
	rc = map_all(bytes(max));
	if (rc)
		return rc;
	j.map->max = max;
	for (uint32_t i = max; i > old; i--)
		j.free[j.n_free++] = i - 1;
	return 0;
}

static int start_new(void)
{
	int rc;

	j.fd = memfd_create("rawnet-journal", MFD_CLOEXEC);
	if (j.fd < 0)
		return -errno;
	rc = grow();
	if (rc)
		return rc;
	j.map->magic = RN_STATE_MAGIC;
	j.map->version = RN_STATE_VERSION;
	rn_store_put(NAME, j.fd);
	return 0;
}

/* 1: goes on; 0: there is none, or it is of another version or not whole; -errno: it may be good,
 * but cannot be read now. */
static int take_over(void)
{
	struct stat st;
	int rc;

	j.fd = rn_store_take(NAME);
	if (j.fd < 0)
		return 0;
	if (fstat(j.fd, &st) < 0)
		return -errno;
	if ((size_t)st.st_size < bytes(0))
		return 0;
	rc = map_all((size_t)st.st_size);
	if (rc)
		return rc;
	if (j.map->magic != RN_STATE_MAGIC || j.map->version != RN_STATE_VERSION ||
	    j.size < bytes(j.map->max))
		return 0;
	j.free = calloc(j.map->max, sizeof(*j.free));
	j.owned = calloc(j.map->max, 1);
	j.goes_on = j.free && j.owned && sort_records();
	return j.goes_on ? 1 : -ENOMEM;
}

int rn_journal_open(struct rn_err *err)
{
	int rc;

	if (!rn_store_works())
		return 0;
	rc = take_over();
	if (rc)
		return rc > 0 ? 0
			      : rn_fail(err, rc, "journal: the rules of the last daemon: %s",
					strerror(-rc));
	if (j.fd >= 0) {
		rn_warn("store: the rules of the last daemon cannot be read");
		rn_journal_close();
		rn_store_drop(NAME);
	}
	rc = start_new();
	return rc ? rn_fail(err, rc, "journal: %s", strerror(-rc)) : 0;
}

void rn_journal_close(void)
{
	if (j.map)
		munmap(j.map, j.size);
	if (j.fd >= 0)
		close(j.fd);
	free(j.free);
	free(j.owned);
	free(j.sorted);
	memset(&j, 0, sizeof(j));
	j.fd = -1;
}

bool rn_journal_goes_on(void)
{
	return j.goes_on;
}

const struct rn_state_journal *rn_journal(void)
{
	return j.map;
}

void rn_journal_ids(uint64_t rules, uint32_t clients, uint32_t attachments)
{
	if (!j.map)
		return;
	j.map->rule_ids = rules;
	j.map->client_ids = clients;
	j.map->attachment_ids = attachments;
}

/* ---- writing ---- */

static void wipe(uint32_t at)
{
	__atomic_store_n(&j.map->record[at].rule, 0, __ATOMIC_RELEASE);
	j.free[j.n_free++] = at;
}

static void write_rule(struct rn_state_record *r, const char *dev, const struct rn_rule *rule,
		       uint64_t confirm_end)
{
	r->kind = RN_STATE_RULE;
	r->u.rule.match = rule->match;
	r->u.rule.flags = rule->flags;
	r->u.rule.gap = rule->gap;
	r->u.rule.uid = rule->uid;
	r->u.rule.entry = rule->entry;
	r->u.rule.confirm_end = confirm_end;
	strncpy(r->u.rule.dev, dev, sizeof(r->u.rule.dev) - 1);
	memcpy(r->u.rule.label, rule->label, sizeof(r->u.rule.label));
}

static void write_members(struct rn_state_record *r, const struct rn_members *m, uint32_t from)
{
	r->kind = RN_STATE_MEMBERS;
	for (uint32_t i = from; i < m->n && r->n < RN_STATE_MEMBERS_EACH; i++)
		r->u.member[r->n++] = (struct rn_state_member) {.attachment = m->m[i].at->id,
								.index = m->m[i].index};
}

static unsigned records_for(const struct rn_members *m)
{
	return 1 + (m->n + RN_STATE_MEMBERS_EACH - 1) / RN_STATE_MEMBERS_EACH + (m->n > 1);
}

static void fill(struct rn_state_record *r, unsigned part, const char *dev,
		 const struct rn_rule *rule, uint64_t confirm_end)
{
	const struct rn_members *m = rule->members;
	unsigned n = records_for(m);

	memset(r, 0, sizeof(*r));
	r->version = rule->kept_version + 1;
	r->records = n;
	r->part = part;
	if (!part) {
		write_rule(r, dev, rule, confirm_end);
	} else if (m->n > 1 && part == n - 1) {
		r->kind = RN_STATE_TABLE;
		memcpy(r->u.table, m->table, sizeof(r->u.table));
	} else {
		write_members(r, m, (part - 1) * RN_STATE_MEMBERS_EACH);
	}
}

void rn_journal_keep(const char *dev, struct rn_rule *rule, uint64_t confirm_end)
{
	unsigned n = records_for(rule->members);
	uint32_t at[RN_KEPT];

	if (!j.map)
		return;
	while (j.n_free < n)
		if (grow()) {
			rn_error("rule %llu would not outlive a restart: %s",
				 (unsigned long long)rule->id, strerror(errno));
			return;
		}
	for (unsigned i = 0; i < n; i++) {
		at[i] = j.free[--j.n_free];
		fill(&j.map->record[at[i]], i, dev, rule, confirm_end);
	}
	for (unsigned i = 0; i < n; i++)
		__atomic_store_n(&j.map->record[at[i]].rule, rule->id, __ATOMIC_RELEASE);
	rn_journal_drop(rule);
	memcpy(rule->kept, at, n * sizeof(at[0]));
	rule->n_kept = n;
	rule->kept_version++;
	cds_list_del_init(&rule->unkept);
}

void rn_journal_drop(struct rn_rule *rule)
{
	for (uint32_t i = 0; i < rule->n_kept && j.map; i++)
		wipe(rule->kept[i]);
	rule->n_kept = 0;
}

/* ---- reading what came back ---- */

/* By id, newest version first, and the parts of a version in their order. */
static int by_place(const void *a, const void *b)
{
	const struct rn_state_record *x = &j.map->record[*(const uint32_t *)a];
	const struct rn_state_record *y = &j.map->record[*(const uint32_t *)b];

	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	if (x->version != y->version)
		return x->version > y->version ? -1 : 1;
	return (int)x->part - (int)y->part;
}

static bool sort_records(void)
{
	j.sorted = calloc(j.map->max, sizeof(*j.sorted));
	if (!j.sorted)
		return false;
	for (uint32_t i = 0; i < j.map->max; i++)
		if (j.map->record[i].rule)
			j.sorted[j.n_sorted++] = i;
	qsort(j.sorted, j.n_sorted, sizeof(*j.sorted), by_place);
	return true;
}

/* The records of one version from *at on; true: all of them are there. */
static bool gather(struct rn_journal_walk *w, uint32_t *at)
{
	const struct rn_state_record *first = &j.map->record[j.sorted[*at]], *r;
	uint32_t n = 0;

	for (; *at < j.n_sorted; (*at)++, n++) {
		r = &j.map->record[j.sorted[*at]];
		if (r->rule != first->rule || r->version != first->version)
			break;
		if (n < RN_KEPT) {
			w->record[n] = r;
			w->at[n] = j.sorted[*at];
		}
	}
	w->n = n;
	return n <= RN_KEPT && n == first->records && first->kind == RN_STATE_RULE;
}

bool rn_journal_next(struct rn_journal_walk *w)
{
	uint64_t id = w->n ? w->record[0]->rule : 0;

	while (w->next < j.n_sorted) {
		bool older = j.map->record[j.sorted[w->next]].rule == id;
		bool whole = gather(w, &w->next);

		if (whole && !older)
			return true;
		if (!whole && !older)
			id = 0; /* the version before may be whole */
	}
	return false;
}

void rn_journal_restored(struct rn_rule *rule, const struct rn_journal_walk *w)
{
	rule->n_kept = w->n;
	rule->kept_version = w->record[0]->version;
	memcpy(rule->kept, w->at, rule->n_kept * sizeof(w->at[0]));
	for (uint32_t i = 0; i < rule->n_kept; i++)
		j.owned[w->at[i]] = 1;
}

void rn_journal_sweep(void)
{
	if (!j.owned)
		return;
	for (uint32_t i = 0; i < j.map->max; i++)
		if (!j.owned[i])
			wipe(i);
	free(j.owned);
	free(j.sorted);
	j.owned = NULL;
	j.sorted = NULL;
	j.n_sorted = 0;
}
