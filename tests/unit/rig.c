/* SPDX-License-Identifier: BSD-2-Clause */
/* See rig.h. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

#include "match.h"
#include "steer.h"
#include "tx.h"

#define PATIENCE_S 60 /* a test that waits longer has failed */

static const struct rn_poller_config adaptive = {.cpu = -1, .busy = false};
static const struct rn_poller_config spinning = {.cpu = -1, .busy = true};

/* Grace periods must not wait for a thread that waits. */
static void nap(void)
{
	struct timespec ts = {.tv_nsec = 100000};

	rcu_thread_offline();
	nanosleep(&ts, NULL);
	rcu_thread_online();
}

static bool patient(time_t *since)
{
	time_t now = time(NULL);

	if (!*since)
		*since = now;
	nap();
	return now - *since < PATIENCE_S;
}

void rig_open(struct rig *rig, uint32_t n_pollers, bool busy)
{
	struct rn_err err = {0};

	memset(rig, 0, sizeof(*rig));
	rcu_register_thread();
	rig->n_pollers = n_pollers;
	rig->fault_fd = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(rn_waker_create(n_pollers, &rig->waker, &err), 0);
	for (uint32_t i = 0; i < n_pollers; i++)
		assert_int_equal(rn_poller_create(i, busy ? &spinning : &adaptive, rig->waker,
						  rig->fault_fd, &rig->poller[i], &err),
				 0);
}

void rig_close(struct rig *rig)
{
	for (uint32_t i = 0; i < rig->n_ports; i++)
		rn_port_close(rig->port[i]);
	for (uint32_t i = 0; i < rig->n_pollers; i++)
		rn_poller_destroy(rig->poller[i]);
	rn_waker_destroy(rig->waker);
	close(rig->fault_fd);
	rcu_barrier();
	rcu_unregister_thread();
}

static struct rn_port *open_port(struct rig *rig, const char *dev, struct rn_port_config *config)
{
	struct rn_err err = {0};

	strncpy(config->backend, "loop", sizeof(config->backend) - 1);
	strncpy(config->dev, dev, sizeof(config->dev) - 1);
	config->n_pollers = rig->n_pollers;
	for (uint32_t i = 0; i < rig->n_pollers; i++)
		config->pollers[i] = i;
	if (rn_port_open(config, rig->poller, &rig->rule_ids, &rig->port[rig->n_ports], &err))
		fail_msg("%s", err.text);
	return rig->port[rig->n_ports++];
}

struct rn_port *rig_source(struct rig *rig, const char *dev, const char *path)
{
	struct rn_port_config config = {.pcap_in = path, .pcap_repeat = true};

	return open_port(rig, dev, &config);
}

struct rn_port *rig_port(struct rig *rig, const char *dev, const char *peer, bool police)
{
	struct rn_port_config config = {.police = police};

	config.reflect = !strcmp(peer, "reflect");
	config.sink = !strcmp(peer, "sink");
	if (!config.reflect && !config.sink)
		strncpy(config.peer, peer, sizeof(config.peer) - 1);
	return open_port(rig, dev, &config);
}

static void view(struct rawnet_ring *r, uint8_t *base, uint32_t ctl, uint32_t slots, uint32_t size)
{
	memset(r, 0, sizeof(*r));
	r->ctl = (void *)(base + ctl);
	r->slots = (void *)(base + slots);
	r->mask = size - 1;
}

void rig_attach(struct rig *rig, struct rn_port *port, uint32_t rx_size, uint32_t tx_size,
		struct rig_client *c)
{
	struct rawnet_req_attach req = {.rx_size = rx_size, .tx_size = tx_size, .buf_size = 2048};
	struct rn_grant grant = {.label = "rig"};
	struct rn_err err = {0};
	const struct rawnet_rings *rings;
	uint64_t memory;

	(void)rig;
	if (rn_attachment_plan(port, &req, &memory, &err) ||
	    rn_attachment_create(port, &req, &grant, &c->at, &err))
		fail_msg("%s", err.text);
	rings = (void *)c->at->shm.rings.addr;
	view(&c->rx, c->at->shm.rings.addr, rings->queue[0].rx_ctl, rings->queue[0].rx_slots,
	     rings->queue[0].rx_size);
	view(&c->tx, c->at->shm.rings.addr, rings->queue[0].tx_ctl, rings->queue[0].tx_slots,
	     rings->queue[0].tx_size);
	c->mem = c->at->shm.packets.addr;
	c->buf_size = req.buf_size;
	c->fd = c->at->peer_fd[0];
	for (uint32_t i = 0; i <= c->rx.mask; i++)
		c->rx.slots[i].off = i * c->buf_size;
	for (uint32_t i = 0; i <= c->tx.mask; i++)
		c->tx.slots[i].off = (c->rx.mask + 1 + i) * c->buf_size;
	c->rx.client = c->rx.mask + 1;
	rawnet_ring_publish(&c->rx);
}

void rig_detach(struct rig_client *c)
{
	rn_attachment_retire(c->at, NULL, NULL, UINT64_MAX);
	synchronize_rcu();
	rn_attachment_free(c->at);
	c->at = NULL;
}

uint64_t rig_rule(struct rn_port *port, struct rig_client *c, const char *text)
{
	struct rawnet_match match;
	struct rn_steer_request request = {.match = &match, .at = c->at};
	struct rn_rule *rule;
	struct rn_err err = {0};
	uint32_t index;
	char why[200];

	if (rn_match_parse(text, &match, why, sizeof(why)))
		fail_msg("%s", why);
	if (rn_steer_add(port->steer, &request, &rule, &index, &err))
		fail_msg("%s", err.text);
	rn_police_changed();
	return rule->id;
}

uint32_t rig_udp(uint8_t *f, const uint8_t dmac[6], const uint8_t smac[6], uint8_t src, uint8_t dst,
		 uint16_t sport, uint16_t dport, uint32_t payload)
{
	uint16_t ip_len = (uint16_t)htons((uint16_t)(28 + payload));
	uint16_t udp_len = (uint16_t)htons((uint16_t)(8 + payload));
	uint32_t sum = 0;
	const uint8_t ip[20] = {0x45, 0, 0,  0, 0, 0,	0,  0, 64, 17,
				0,    0, 10, 0, 0, src, 10, 0, 0,  dst};

	memcpy(f, dmac, 6);
	memcpy(f + 6, smac, 6);
	f[12] = 8;
	f[13] = 0;
	memcpy(f + 14, ip, sizeof(ip));
	memcpy(f + 16, &ip_len, 2);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(f[14 + i] << 8 | f[15 + i]);
	sum = (sum & 0xffff) + (sum >> 16);
	f[24] = (uint8_t)(~sum >> 8);
	f[25] = (uint8_t)~sum;
	f[34] = (uint8_t)(sport >> 8);
	f[35] = (uint8_t)sport;
	f[36] = (uint8_t)(dport >> 8);
	f[37] = (uint8_t)dport;
	memcpy(f + 38, &udp_len, 2);
	f[40] = f[41] = 0;
	for (uint32_t i = 0; i < payload; i++)
		f[42 + i] = (uint8_t)i;
	return 42 + payload;
}

bool rig_send(struct rig_client *c, const uint8_t *frame, uint32_t len, uint16_t flags)
{
	struct rawnet_slot *s;

	if (!rawnet_tx_room(&c->tx, 1))
		return false;
	s = rawnet_tx_slot(&c->tx, 0);
	memcpy(c->mem + s->off, frame, len);
	s->len = (uint16_t)len;
	s->flags = flags;
	rawnet_tx_fill(&c->tx, 1);
	return true;
}

void rig_flush(struct rig_client *c)
{
	rawnet_ring_publish(&c->tx);
	rawnet_ring_publish(&c->rx);
	if (rawnet_ring_must_wake(&c->tx))
		(void)!send(c->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

uint32_t rig_await(struct rig_client *c, uint32_t n)
{
	time_t since = 0;

	do {
		rawnet_ring_look(&c->rx);
	} while (c->rx.daemon - c->rx.taken < n && patient(&since));
	return c->rx.daemon - c->rx.taken;
}

bool rig_drained(struct rig_client *c)
{
	time_t since = 0;

	do {
		rawnet_ring_look(&c->tx);
	} while (c->tx.daemon != c->tx.client && patient(&since));
	return c->tx.daemon == c->tx.client;
}

uint64_t rig_counter(const struct rig_client *c, enum rawnet_queue_counter counter)
{
	uint64_t v[RAWNET_COUNTERS_SPACE];

	assert_int_equal(rn_attachment_counters(c->at, 0, v), 0);
	return v[counter];
}

uint64_t rig_count_to(const struct rig_client *c, enum rawnet_queue_counter counter, uint64_t n)
{
	time_t since = 0;

	while (rig_counter(c, counter) < n && patient(&since))
		;
	return rig_counter(c, counter);
}
