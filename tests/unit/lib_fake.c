/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../must.h"
#include "lib_fake.h"

void fake_path(char path[100])
{
	char dir[] = "/tmp/rawnet-lib-XXXXXX";

	if (!mkdtemp(dir))
		abort();
	snprintf(path, 100, "%s/sock", dir);
}

void fake_unpath(const char *path)
{
	char dir[100];

	unlink(path);
	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	rmdir(dir);
}

unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

void fake_refuse(struct fake_reply *rep, int err, const char *text)
{
	struct rawnet_refusal r = {.hdr = rep->hdr};

	r.hdr.size = sizeof(r);
	r.hdr.error = err;
	snprintf(r.text, sizeof(r.text), "%s", text);
	memcpy(rep->bytes, &r, sizeof(r));
	rep->size = sizeof(r);
	for (uint32_t i = 0; i < rep->n_fds; i++)
		close(rep->fds[i]);
	rep->n_fds = 0;
}

/* ---- attachments ---- */

static void *make_memfd(uint64_t size, int *fd)
{
	void *p;

	*fd = memfd_create("fake", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)size))
		abort();
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (p == MAP_FAILED)
		abort();
	return p;
}

static uint32_t lay_out(struct fake_attachment *a, const struct rawnet_req_attach *req,
			struct rawnet_rings *h)
{
	uint32_t off = (sizeof(*h) + RAWNET_LINE - 1) / RAWNET_LINE * RAWNET_LINE;
	const uint32_t rx = req->rx_size ? req->rx_size : 1024;
	const uint32_t tx = req->tx_size ? req->tx_size : 1024;

	for (uint32_t i = 0; i < a->n_queues; i++) {
		struct rawnet_queue_desc *d = &h->queue[i];

		d->rx_ctl = off;
		d->tx_ctl = d->rx_ctl + (uint32_t)sizeof(struct rawnet_ring_ctl);
		d->rx_slots = d->tx_ctl + (uint32_t)sizeof(struct rawnet_ring_ctl);
		d->tx_slots = d->rx_slots + rx * 16;
		off = d->tx_slots + tx * 16;
		if (req->flags & RAWNET_ATTACH_STAMP) {
			d->rx_stamp = off;
			off += rx * 8;
		}
		off = (off + RAWNET_LINE - 1) / RAWNET_LINE * RAWNET_LINE;
		d->rx_size = rx;
		d->tx_size = tx;
	}
	return off;
}

static void open_queue(struct fake_attachment *a, const struct rawnet_queue_desc *d, uint32_t i,
		       struct fake_reply *rep)
{
	struct fake_queue *q = &a->q[i];
	int sv[2];

	*q = (struct fake_queue) {.rx_ctl = (void *)(a->rings + d->rx_ctl),
				  .tx_ctl = (void *)(a->rings + d->tx_ctl),
				  .rx = (void *)(a->rings + d->rx_slots),
				  .tx = (void *)(a->rings + d->tx_slots),
				  .rx_size = d->rx_size,
				  .tx_size = d->tx_size};
	if (d->rx_stamp)
		q->stamps = (void *)(a->rings + d->rx_stamp);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		abort();
	q->wake_fd = sv[0];
	rep->fds[rep->n_fds++] = sv[1];
}

static void attach(struct fake *f, int owner, const struct rawnet_req_attach *req,
		   struct fake_reply *out)
{
	struct rawnet_rep_attach rep = {.hdr = out->hdr};
	struct fake_attachment *a = f->at;
	struct rawnet_rings h = {.magic = RAWNET_ABI_MAGIC, .version = RAWNET_ABI_VERSION};

	while (a->id)
		a++;
	must(a < f->at + FAKE_ATTACHMENTS);
	a->id = ++f->next_attachment;
	a->owner = owner;
	a->n_queues = req->n_queues > f->min_queues ? req->n_queues : f->min_queues;
	a->buf_size = req->buf_size ? req->buf_size : 2048;
	a->n_bufs = req->n_bufs ? req->n_bufs : a->n_queues * 2048;
	a->headroom = req->headroom ? req->headroom : 128;
	h.n_queues = a->n_queues;
	h.flags = f->busy;
	h.buf_size = a->buf_size;
	h.n_bufs = a->n_bufs;
	h.headroom = a->headroom;
	h.max_frame = 1518;
	h.size = a->rings_size = lay_out(a, req, &h);
	a->packets_size = (uint64_t)a->n_bufs * a->buf_size;
	a->counters_size = sizeof(struct rawnet_counters);
	a->rings = make_memfd(a->rings_size, &out->fds[0]);
	a->packets = make_memfd(a->packets_size, &out->fds[1]);
	a->counters = make_memfd(a->counters_size, &out->fds[2]);
	out->n_fds = 3;
	memcpy(a->rings, &h, sizeof(h));
	a->counters->magic = RAWNET_ABI_MAGIC;
	a->counters->version = RAWNET_ABI_VERSION;
	a->counters->n_queues = a->n_queues;
	a->counters->n_counters = RAWNET_Q_COUNT;
	for (uint32_t i = 0; i < a->n_queues; i++)
		open_queue(a, &h.queue[i], i, out);
	rep.hdr.size = sizeof(rep);
	rep.attachment = a->id;
	rep.n_queues = a->n_queues;
	rep.rings_size = a->rings_size;
	rep.packets_size = a->packets_size;
	rep.counters_size = a->counters_size;
	memcpy(out->bytes, &rep, sizeof(rep));
	out->size = sizeof(rep);
}

static void detach(struct fake_attachment *a)
{
	munmap(a->rings, a->rings_size);
	munmap(a->packets, a->packets_size);
	munmap(a->counters, a->counters_size);
	for (uint32_t i = 0; i < a->n_queues; i++)
		close(a->q[i].wake_fd);
	a->id = 0;
}

/* ---- rules and lists ---- */

static void flow_add(struct fake *f, const struct rawnet_req_flow_add *req, struct fake_reply *out)
{
	struct rawnet_rep_flow rep = {.hdr = out->hdr};

	if (!(req->flags & RAWNET_FLOW_CHECK)) {
		must(f->n_rules < FAKE_RULES);
		rep.rule = ++f->next_rule;
		for (uint32_t i = 0; i < f->n_rules && (req->flags & RAWNET_FLOW_GROUP); i++)
			if (!memcmp(&f->rules[i].req.match, &req->match, sizeof(req->match)))
				rep.rule = f->rules[i].id;
		f->rules[f->n_rules++] = (struct fake_rule) {.id = rep.rule, .req = *req};
	}
	rep.hdr.size = sizeof(rep);
	memcpy(out->bytes, &rep, sizeof(rep));
	out->size = sizeof(rep);
}

static void flow_del(struct fake *f, uint64_t id, struct fake_reply *out)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < f->n_rules; i++)
		if (f->rules[i].id != id)
			f->rules[kept++] = f->rules[i];
	if (kept == f->n_rules)
		fake_refuse(out, -ENOENT, "id: no such rule");
	f->n_rules = kept;
}

static void flow_list(struct fake *f, const struct rawnet_req_list *req, struct fake_reply *out)
{
	struct rawnet_rep_flow_list rep = {.list.hdr = out->hdr};
	uint32_t from = (uint32_t)req->cursor;

	rep.list.entry_size = sizeof(rep.entry[0]);
	while (rep.list.n < 16 && from + rep.list.n < f->n_rules) {
		rep.entry[rep.list.n].rule = f->rules[from + rep.list.n].id;
		rep.entry[rep.list.n].match = f->rules[from + rep.list.n].req.match;
		rep.list.n++;
	}
	if (from + rep.list.n < f->n_rules)
		rep.list.next = from + rep.list.n;
	rep.list.hdr.size = sizeof(rep);
	memcpy(out->bytes, &rep, sizeof(rep));
	out->size = sizeof(rep);
}

static void hello(struct fake_reply *out)
{
	struct rawnet_rep_hello rep = {.hdr = out->hdr,
				       .version = 1,
				       .client = 7,
				       .instance = (uint64_t)random(),
				       .abi = RAWNET_ABI_VERSION,
				       .daemon = "fake"};

	rep.hdr.size = sizeof(rep);
	memcpy(out->bytes, &rep, sizeof(rep));
	out->size = sizeof(rep);
}

static void answer(struct fake *f, int client, const struct rawnet_hdr *req, struct fake_reply *out)
{
	const struct rawnet_req_id *by_id = (const void *)req;

	switch (req->type) {
	case RAWNET_MSG_HELLO: hello(out); break;
	case RAWNET_MSG_ATTACH: attach(f, client, (const void *)req, out); break;
	case RAWNET_MSG_DETACH:
		for (int i = 0; i < FAKE_ATTACHMENTS; i++)
			if (f->at[i].id == by_id->id)
				detach(&f->at[i]);
		break;
	case RAWNET_MSG_FLOW_ADD: flow_add(f, (const void *)req, out); break;
	case RAWNET_MSG_FLOW_DEL: flow_del(f, by_id->id, out); break;
	case RAWNET_MSG_FLOW_LIST: flow_list(f, (const void *)req, out); break;
	case RAWNET_MSG_SUBSCRIBE:
		f->events_mask = ((const struct rawnet_req_subscribe *)(const void *)req)->mask;
		break;
	default: break;
	}
}

/* ---- the socket ---- */

static void send_reply(int fd, const struct fake_reply *rep)
{
	char control[CMSG_SPACE(FAKE_FDS * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)rep->bytes, .iov_len = rep->size};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (rep->n_fds) {
		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(rep->n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(rep->n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), rep->fds, rep->n_fds * sizeof(int));
	}
	sendmsg(fd, &h, MSG_NOSIGNAL);
}

static void drop_client(struct fake *f, int i)
{
	close(f->clients[i]);
	f->clients[i] = -1;
	for (int k = 0; k < FAKE_ATTACHMENTS; k++)
		if (f->at[k].id && f->at[k].owner == i)
			detach(&f->at[k]);
}

static void serve(struct fake *f, int i)
{
	union {
		struct rawnet_hdr hdr;
		uint8_t bytes[RAWNET_MSG_MAX];
	} req;
	struct fake_reply rep = {.size = sizeof(struct rawnet_rep_plain)};

	if (recv(f->clients[i], &req, sizeof(req), 0) < (ssize_t)sizeof(req.hdr)) {
		drop_client(f, i);
		return;
	}
	rep.hdr = (struct rawnet_hdr) {
		.size = rep.size, .type = req.hdr.type | RAWNET_REPLY, .id = req.hdr.id};
	f->requests[req.hdr.type % 32]++;
	answer(f, i, &req.hdr, &rep);
	if (f->hook)
		f->hook(f, &req.hdr, &rep);
	if (!rep.silent && !rep.hang_up)
		send_reply(f->clients[i], &rep);
	for (uint32_t k = 0; k < rep.n_fds; k++)
		close(rep.fds[k]);
	if (rep.hang_up)
		drop_client(f, i);
}

static void accept_client(struct fake *f)
{
	int i = 0, fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	while (f->clients[i] >= 0)
		i++;
	f->clients[i] = fd;
}

static void *run(void *arg)
{
	struct fake *f = arg;
	struct pollfd p[2 + FAKE_CLIENTS];

	for (;;) {
		p[0] = (struct pollfd) {.fd = f->stop_fd, .events = POLLIN};
		p[1] = (struct pollfd) {.fd = f->listen_fd, .events = POLLIN};
		pthread_mutex_lock(&f->lock);
		for (int i = 0; i < FAKE_CLIENTS; i++)
			p[2 + i] = (struct pollfd) {.fd = f->clients[i], .events = POLLIN};
		pthread_mutex_unlock(&f->lock);
		poll(p, 2 + FAKE_CLIENTS, -1);
		if (p[0].revents)
			return NULL;
		pthread_mutex_lock(&f->lock);
		for (int i = 0; i < FAKE_CLIENTS; i++)
			if (f->clients[i] >= 0 && p[2 + i].revents)
				serve(f, i);
		if (p[1].revents)
			accept_client(f);
		pthread_mutex_unlock(&f->lock);
	}
}

void fake_init(struct fake *f, const char *path)
{
	char kept[sizeof(f->path)];

	if (path)
		snprintf(kept, sizeof(kept), "%s", path); /* perhaps f's own */
	else
		fake_path(kept);
	memset(f, 0, sizeof(*f));
	memcpy(f->path, kept, sizeof(kept));
	pthread_mutex_init(&f->lock, NULL);
	for (int i = 0; i < FAKE_CLIENTS; i++)
		f->clients[i] = -1;
	f->min_queues = 1;
	f->rules = calloc(FAKE_RULES, sizeof(*f->rules));
}

void fake_run(struct fake *f)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(addr.sun_path, f->path);
	unlink(f->path);
	f->stop_fd = eventfd(0, EFD_CLOEXEC);
	f->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(f->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(f->listen_fd, 16))
		abort();
	if (pthread_create(&f->thread, NULL, run, f))
		abort();
}

void fake_kill(struct fake *f)
{
	uint64_t one = 1;

	if (write(f->stop_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	pthread_join(f->thread, NULL);
	close(f->listen_fd);
	close(f->stop_fd);
	for (int i = 0; i < FAKE_CLIENTS; i++)
		if (f->clients[i] >= 0)
			drop_client(f, i);
	free(f->rules);
	pthread_mutex_destroy(&f->lock);
}

void fake_end(struct fake *f)
{
	fake_kill(f);
	fake_unpath(f->path);
}

void fake_set_hook(struct fake *f, fake_hook *hook, void *arg)
{
	pthread_mutex_lock(&f->lock);
	f->hook = hook;
	f->arg = arg;
	pthread_mutex_unlock(&f->lock);
}

void fake_sync(struct fake *f)
{
	pthread_mutex_lock(&f->lock);
	pthread_mutex_unlock(&f->lock);
}

void fake_send_all(struct fake *f, const void *msg, size_t size)
{
	pthread_mutex_lock(&f->lock);
	for (int i = 0; i < FAKE_CLIENTS; i++)
		if (f->clients[i] >= 0)
			send(f->clients[i], msg, size, MSG_NOSIGNAL);
	pthread_mutex_unlock(&f->lock);
}

uint32_t fake_count(struct fake *f, enum rawnet_msg type)
{
	uint32_t n;

	pthread_mutex_lock(&f->lock);
	n = f->requests[type % 32];
	pthread_mutex_unlock(&f->lock);
	return n;
}

uint32_t fake_rules(struct fake *f)
{
	uint32_t n;

	pthread_mutex_lock(&f->lock);
	n = f->n_rules;
	pthread_mutex_unlock(&f->lock);
	return n;
}

struct fake_attachment *fake_at(struct fake *f, unsigned nth)
{
	struct fake_attachment *a = NULL;

	pthread_mutex_lock(&f->lock);
	for (int i = 0; i < FAKE_ATTACHMENTS && !a; i++)
		if (f->at[i].id && nth-- == 0)
			a = &f->at[i];
	pthread_mutex_unlock(&f->lock);
	return a;
}
