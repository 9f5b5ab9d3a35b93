/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See program.h. Rules are entries of one BPF hash table for each shape, with a filter and a cache
 * in front (front.h). A table begins small and is replaced by a larger copy when it is full; the
 * array of tables is switched in one store, so a packet sees either.
 *
 * The order of shapes is double buffered (shared.h). Before the idle buffer is filled again every
 * program that may still read it has ended: an update of an array of maps returns only after that
 * (kernel/bpf/syscall.c, maybe_wait_bpf_programs).
 */
#include "program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "front.h"
#include "shared.h"

#include "rn_xdp_prog.skel.h" /* uses the structs above */

#define FIRST_ROOM 1024u
#define GROWTH	   8u
#define ROOM_MAX   (1u << RN_HANDLE_BITS)

#define WAIT_EVERY_NS 1000000000u /* for room in the cache, at most */

struct table {
	int fd; /* -1: none */
	uint32_t n, room;
};

struct rn_xdp_program {
	struct rn_xdp_prog *skel;
	struct bpf_program *prog;
	int link; /* -1: not attached */
	uint32_t cookie;
	char dev[RAWNET_DEV];
	bool readers; /* programs may still read the idle order */
	uint64_t waited; /* for room in the cache, last, ns */
	struct rn_front front;
	struct table table[RN_XDP_SHAPES];
};

_Static_assert(RN_XDP_SHAPES == RN_SHAPES, "a table for each shape");
_Static_assert(RN_XDP_QUEUES == RN_PORT_HWQ, "a socket for each hardware queue");

/* What libbpf says while it loads is part of the error, and of nothing else. */
static char verifier[160];

__attribute__((format(printf, 2, 0))) static int keep_words(enum libbpf_print_level level,
							    const char *fmt, va_list args)
{
	if (level == LIBBPF_WARN && !verifier[0])
		vsnprintf(verifier, sizeof(verifier), fmt, args);
	return 0;
}

/* ---- life ---- */

static int load(struct rn_xdp_program *p, bool frags, uint32_t longest)
{
	struct bpf_program *other = frags ? p->skel->progs.rawnet : p->skel->progs.rawnet_frags;

	p->prog = frags ? p->skel->progs.rawnet_frags : p->skel->progs.rawnet;
	bpf_program__set_autoload(other, false);
	if (getrandom(&p->cookie, sizeof(p->cookie), 0) != sizeof(p->cookie))
		return -EIO;
	p->cookie |= 1; /* never zero, which is what fresh memory holds */
	p->skel->rodata->cookie = p->cookie;
	p->skel->rodata->longest = longest;
	return rn_xdp_prog__load(p->skel);
}

int rn_xdp_program_load(const char *dev, bool frags, uint32_t longest, const uint8_t mac[6],
			struct rn_xdp_program **out, struct rn_err *err)
{
	struct rn_xdp_program *p = calloc(1, sizeof(*p));
	int rc = -ENOMEM;

	if (!p)
		return rn_fail(err, rc, "%s: out of memory", dev);
	p->link = -1;
	strncpy(p->dev, dev, sizeof(p->dev) - 1);
	for (unsigned i = 0; i < RN_XDP_SHAPES; i++)
		p->table[i].fd = -1;
	verifier[0] = 0;
	libbpf_set_print(keep_words);
	p->skel = rn_xdp_prog__open();
	if (p->skel)
		rc = load(p, frags, longest);
	if (rc) {
		rn_xdp_program_free(p);
		verifier[strcspn(verifier, "\n")] = 0;
		if (rc == -EPERM)
			return rn_fail(err, rc,
				       "%s: loading the XDP program needs CAP_BPF, CAP_PERFMON and "
				       "CAP_NET_ADMIN",
				       dev);
		return rn_fail(err, rc, "%s: the kernel refused the XDP program: %s: %.150s", dev,
			       strerror(-rc), verifier);
	}
	rn_front_init(&p->front, &p->skel->bss->front);
	rn_xdp_program_set_mac(p, mac);
	*out = p;
	return 0;
}

void rn_xdp_program_free(struct rn_xdp_program *p)
{
	if (!p)
		return;
	rn_xdp_program_detach(p);
	for (unsigned i = 0; i < RN_XDP_SHAPES; i++)
		if (p->table[i].fd >= 0)
			close(p->table[i].fd);
	rn_front_free(&p->front);
	rn_xdp_prog__destroy(p->skel);
	free(p);
}

/* ---- attaching ---- */

static int link_create(const struct rn_xdp_program *p, uint32_t ifindex, bool native)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts,
			    .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	const struct timespec pause = {.tv_nsec = RN_XDP_PAUSE_NS};
	int fd = -EBUSY;

	for (int i = 0; i < RN_XDP_TRIES && (fd == -EBUSY || fd == -EEXIST); i++) {
		if (i)
			nanosleep(&pause, NULL);
		fd = bpf_link_create(bpf_program__fd(p->prog), (int)ifindex, BPF_XDP, &opts);
	}
	return fd;
}

int rn_xdp_program_attach(struct rn_xdp_program *p, const char *dev, uint32_t ifindex, bool native,
			  struct rn_err *err)
{
	int fd = link_create(p, ifindex, native);

	if (fd == -EBUSY || fd == -EEXIST)
		return rn_fail(err, -EBUSY,
			       "%s: another XDP program is attached (\"bpftool net show dev %s\" "
			       "names it): detach it, or serve another interface",
			       dev, dev);
	if (fd == -EOPNOTSUPP || fd == -EINVAL)
		return rn_fail(err, -EOPNOTSUPP, "%s: its driver refuses XDP in %s mode", dev,
			       native ? "native" : "generic");
	if (fd < 0)
		return rn_fail(err, fd, "%s: attaching the XDP program: %s", dev, strerror(-fd));
	p->link = fd;
	return 0;
}

void rn_xdp_program_detach(struct rn_xdp_program *p)
{
	if (p->link >= 0)
		close(p->link);
	p->link = -1;
}

int rn_xdp_program_link(const struct rn_xdp_program *p)
{
	return p->link;
}

int rn_xdp_program_adopt(struct rn_xdp_program *p, int link, uint32_t ifindex)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &size))
		return -errno;
	if (info.type != BPF_LINK_TYPE_XDP || info.xdp.ifindex != ifindex)
		return -ENODEV; /* the interface went, and came back as another */
	p->link = link;
	return 0;
}

int rn_xdp_program_replace(struct rn_xdp_program *p, struct rn_err *err)
{
	if (!bpf_link_update(p->link, bpf_program__fd(p->prog), NULL))
		return 0;
	return rn_fail(err, -errno, "%s: replacing the XDP program: %s", p->dev, strerror(errno));
}

int rn_xdp_program_socket(struct rn_xdp_program *p, uint32_t queue, int fd)
{
	int map = bpf_map__fd(p->skel->maps.sockets);

	if (fd < 0)
		return bpf_map_delete_elem(map, &queue) ? -errno : 0;
	return bpf_map_update_elem(map, &queue, &fd, BPF_ANY) ? -errno : 0;
}

/* ---- rules ---- */

static int table_make(uint32_t room)
{
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "rn_rules", sizeof(struct rn_key),
				sizeof(uint32_t), room, &opts);

	return fd < 0 ? -errno : fd;
}

static int table_open(struct rn_xdp_program *p, uint32_t slot)
{
	struct table *t = &p->table[slot];
	int fd = table_make(FIRST_ROOM);

	if (fd < 0)
		return fd;
	if (rn_front_open(&p->front, slot)) {
		close(fd);
		return -ENOMEM;
	}
	t->fd = fd;
	t->room = FIRST_ROOM;
	return 0;
}

/* The kernel has waited for programs that ran. */
static void programs_ended(struct rn_xdp_program *p)
{
	p->readers = false;
	rn_front_waited(&p->front);
}

/* The program finds this table in the slot from now on; waits for programs that run. */
static int table_publish(struct rn_xdp_program *p, uint32_t slot, int fd)
{
	if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.shapes), &slot, &fd, BPF_ANY))
		return -errno;
	programs_ended(p);
	return 0;
}

/* Without a table there is no rule, and programs look at nothing that changes. */
static int wait_for_programs(struct rn_xdp_program *p)
{
	uint32_t slot = 0;

	while (slot < RN_XDP_SHAPES && p->table[slot].fd < 0)
		slot++;
	return slot < RN_XDP_SHAPES ? table_publish(p, slot, p->table[slot].fd) : 0;
}

static void table_drop(struct rn_xdp_program *p, uint32_t slot)
{
	rn_front_close(&p->front, slot);
	if (!bpf_map_delete_elem(bpf_map__fd(p->skel->maps.shapes), &slot))
		programs_ended(p);
	close(p->table[slot].fd);
	p->table[slot] = (struct table) {.fd = -1};
}

static int table_copy(int from, int to)
{
	struct rn_key key, *at = NULL;
	uint32_t handle;
	int rc = 0;

	while (!rc && !bpf_map_get_next_key(from, at, &key)) {
		if (bpf_map_lookup_elem(from, &key, &handle) ||
		    bpf_map_update_elem(to, &key, &handle, BPF_ANY))
			rc = -errno;
		at = &key;
	}
	return rc;
}

static int table_grow(struct rn_xdp_program *p, uint32_t slot)
{
	struct table *t = &p->table[slot];
	uint32_t room = t->room >= ROOM_MAX / GROWTH ? ROOM_MAX : t->room * GROWTH;
	int fd = table_make(room), rc;

	if (fd < 0)
		return fd;
	rc = table_copy(t->fd, fd);
	if (!rc)
		rc = table_publish(p, slot, fd);
	if (rc) {
		close(fd);
		return rc;
	}
	close(t->fd);
	t->fd = fd;
	t->room = room;
	return 0;
}

/* The wait takes some 10 ms, rules come by the ten thousand. Where it fails there is no room. */
static void wait_for_room(struct rn_xdp_program *p)
{
	uint64_t now = rn_mono_ns();

	if (!rn_front_wants_wait(&p->front) || now - p->waited < WAIT_EVERY_NS)
		return;
	p->waited = now;
	wait_for_programs(p);
}

int rn_xdp_program_add(struct rn_xdp_program *p, const struct rn_rule *rule, struct rn_err *err)
{
	struct table *t = &p->table[rule->shape->slot];
	int rc = 0;

	if (t->n == t->room)
		rc = t->room == ROOM_MAX ? -ENOSPC : table_grow(p, rule->shape->slot);
	if (!rc && bpf_map_update_elem(t->fd, &rule->key, &rule->handle, BPF_ANY))
		rc = -errno;
	if (rc)
		return rn_fail(err, rc, "%s: the kernel's table refused rule number %u: %s", p->dev,
			       t->n + 1, strerror(-rc));
	t->n++;
	wait_for_room(p);
	rn_front_add(&p->front, rule);
	return 0;
}

void rn_xdp_program_del(struct rn_xdp_program *p, const struct rn_rule *rule)
{
	struct table *t = &p->table[rule->shape->slot];

	rn_front_hide(&p->front, rule);
	if (bpf_map_delete_elem(t->fd, &rule->key))
		return;
	t->n--;
	rn_front_del(&p->front, rule);
}

/* ---- the order of shapes ---- */

static void order_turn(struct rn_xdp_program *p)
{
	__atomic_store_n(&p->skel->bss->current, !p->skel->bss->current, __ATOMIC_RELEASE);
	p->readers = true;
}

/* The order that no program reads: waits for those that began before the last turn, unless a table
 * was published since. -errno: the wait failed, and one may read it. */
static int order_idle(struct rn_xdp_program *p, struct rn_xdp_order **idle)
{
	int rc = p->readers ? wait_for_programs(p) : 0;

	if (rc)
		return rc;
	p->readers = false;
	*idle = &p->skel->bss->orders[!p->skel->bss->current];
	return 0;
}

static void order_fill(struct rn_xdp_order *to, const struct rn_shape *const *order, unsigned n)
{
	memset(to, 0, sizeof(*to));
	to->n = (int)n;
	for (unsigned i = 0; i < n; i++) {
		to->slot[i] = order[i]->slot;
		to->mask[i] = order[i]->mask;
	}
}

static int tables_for(struct rn_xdp_program *p, const struct rn_shape *const *order, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct table *t = &p->table[order[i]->slot];
		int rc;

		if (t->fd >= 0)
			continue;
		rc = table_open(p, order[i]->slot);
		if (rc)
			return rc;
		rc = table_publish(p, order[i]->slot, t->fd);
		if (rc) {
			table_drop(p, order[i]->slot);
			return rc;
		}
	}
	return 0;
}

static void drop_others(struct rn_xdp_program *p, const struct rn_shape *const *order, unsigned n)
{
	bool used[RN_XDP_SHAPES] = {false};

	for (unsigned i = 0; i < n; i++)
		used[order[i]->slot] = true;
	for (uint32_t slot = 0; slot < RN_XDP_SHAPES; slot++)
		if (!used[slot] && p->table[slot].fd >= 0)
			table_drop(p, slot);
}

/* A new table is published behind a wait: where one was made, order_idle() cannot fail. */
int rn_xdp_program_shapes(struct rn_xdp_program *p, const struct rn_shape *const *order, unsigned n,
			  struct rn_err *err)
{
	struct rn_xdp_order *idle;
	int rc = tables_for(p, order, n);

	if (!rc)
		rc = order_idle(p, &idle);
	if (rc)
		return rn_fail(err, rc, "%s: a table for this kind of match: %s", p->dev,
			       strerror(-rc));
	order_fill(idle, order, n);
	order_turn(p);
	drop_others(p, order, n);
	return 0;
}

/* One store: a packet sees the old one or the new one. */
void rn_xdp_program_set_mac(struct rn_xdp_program *p, const uint8_t mac[6])
{
	uint64_t word = 0;

	memcpy(&word, mac, 6);
	__atomic_store_n(&p->skel->bss->port_mac, word, __ATOMIC_RELAXED);
}

/* ---- telling ---- */

uint32_t rn_xdp_program_cookie(const struct rn_xdp_program *p)
{
	return p->cookie;
}

void rn_xdp_program_counters(const struct rn_xdp_program *p, uint64_t v[RAWNET_COUNTERS_SPACE])
{
	int n = libbpf_num_possible_cpus();
	const uint32_t zero = 0;
	struct rn_xdp_counts *counts;

	counts = n > 0 ? calloc((size_t)n, sizeof(*counts)) : NULL;
	if (!counts)
		return;
	if (!bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.counts), &zero, counts))
		for (int i = 0; i < n; i++) {
			v[RAWNET_P_RX_DROP_NO_SOCKET] += counts[i].no_socket;
			v[RAWNET_P_RX_DROP_LONG] += counts[i].too_long;
			v[RAWNET_P_RX_UNMATCHED] += counts[i].passed;
		}
	free(counts);
}

int rn_xdp_program_fd(const struct rn_xdp_program *p)
{
	return bpf_program__fd(p->prog);
}
