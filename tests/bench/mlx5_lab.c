/* SPDX-License-Identifier: BSD-2-Clause */
/* See mlx5_lab.h. */
#include "mlx5_lab.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <urcu-qsbr.h>

#include "../model/cx-test.h"
#include "attachment.h"
#include "backend/backend.h"
#include "move.h"
#include "steer.h"
#include "tx.h"

#define BUFFERS 64u /* that a client sends from */

const struct rn_backend *const rn_backends[] = {&rn_backend_mlx5, &rn_backend_verbs, NULL};
const char *const lab_dev[LAB_DEVICES] = {"cx0", "cx1", "cx2", "cx3"};

static const struct rn_poller_config driven = {.cpu = -1, .busy = true, .driven = true};
static struct rn_waker *waker;
static int fault_fd;
static uint32_t pollers;
static uint64_t rule_ids, clock_ticks;

/* ---- the device's part ---- */

uint32_t lab_command(const char *fmt, ...)
{
	char line[128], out[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!cx_control)
		bench_die("not on the device model");
	if (cx_control(line, out, sizeof(out)))
		bench_die("model: %s: %s", line, out);
	return (uint32_t)strtoul(out, NULL, 10);
}

void lab_settle(void)
{
	lab_command("resume");
	lab_command("sync");
	lab_command("pause");
}

uint32_t lab_receive(const struct lab_port *l, uint32_t packets)
{
	return lab_command("prewrite rx %u %d", packets, l->plan.device);
}

/* ---- setting up ---- */

static void learn_undisturbed(void);

void lab_open(void)
{
	struct rn_err err = {0};

	rcu_register_thread();
	fault_fd = eventfd(0, EFD_NONBLOCK);
	if (rn_waker_create(8, &waker, &err))
		bench_die("%s", err.text);
	clock_ticks = UINT64_MAX;
	for (int i = 0; i < 10000; i++) {
		uint64_t start = bench_ticks(), took = bench_ticks() - start;

		clock_ticks = took < clock_ticks ? took : clock_ticks;
	}
	learn_undisturbed();
	lab_command("freeze rx"); /* packets come when lab_receive() asks */
	lab_command("pause");
}

/* The generator's frames go to 10.0.0.2: that is the interface's own address. */
static void own_address(struct rn_port *port)
{
	static const uint8_t four[4] = {10, 0, 0, 2};
	struct rn_addresses *a = malloc(sizeof(*a) + sizeof(four));

	if (!a)
		bench_die("out of memory");
	*a = (struct rn_addresses) {.n4 = 1, .v4 = (void *)(a + 1)};
	memcpy(a + 1, four, sizeof(four));
	rn_port_set_addresses(port, a);
}

static void rule(struct lab_port *l, uint32_t i)
{
	const struct lab_plan *plan = &l->plan;
	char text[64] = "udp dport 5000"; /* where the generator sends */

	if (plan->sport)
		snprintf(text, sizeof(text), "udp dport %u", plan->sport);
	else if (plan->clients > 1)
		snprintf(text, sizeof(text), "udp sport %u dport 5000", 1024 + i);
	rig_rule(l->port, &l->client[i], plan->match ? plan->match : text);
}

void lab_port(struct lab_port *l, const struct lab_plan *plan)
{
	struct rn_port_config config = {
		.police = plan->police, .nic_policing = plan->police == LAB_BY_NIC, .n_pollers = 1};
	struct rn_err err = {0};

	*l = (struct lab_port) {.plan = *plan};
	l->client = calloc(plan->clients, sizeof(*l->client));
	if (!l->client)
		bench_die("out of memory");
	if (plan->with)
		l->poller = plan->with->poller;
	else if (rn_poller_create(pollers++, &driven, waker, fault_fd, &l->poller, &err))
		bench_die("%s", err.text);
	strcpy(config.dev, lab_dev[plan->device]);
	strcpy(config.backend, plan->backend);
	if (rn_port_open(&config, &l->poller, &rule_ids, &l->port, &err))
		bench_die("%s", err.text);
	own_address(l->port);
	for (uint32_t i = 0; i < plan->clients; i++) {
		rig_attach(NULL, l->port, plan->ring, plan->ring, &l->client[i]);
		rn_poller_turn(l->poller); /* buffers are posted: a rule waits for them */
		rule(l, i);
	}
	/* Whoever has nothing to do grows cold. */
	for (unsigned i = 0; i < 5000 && plan->clients > 1; i++)
		rn_poller_turn(l->poller);
	for (unsigned i = 0; i < 4; i++)
		rn_poller_turn(l->poller);
}

/* ---- the poller's part ---- */

uint64_t lab_turn(const struct lab_port *l, unsigned *work)
{
	uint64_t start = bench_ticks(), took;

	*work = rn_poller_turn(l->poller);
	took = bench_ticks() - start;
	return took > clock_ticks ? took - clock_ticks : 0;
}

/* ---- the client's part ---- */

uint32_t lab_take(struct rig_client *c)
{
	uint32_t n = rawnet_rx_avail(&c->rx);

	for (uint32_t i = 0; i < n; i++)
		if (rawnet_rx_slot(&c->rx, i)->flags & RAWNET_RX_ERROR)
			bench_die("a buffer came back unused");
	if (!n)
		return 0;
	rawnet_rx_release(&c->rx, n);
	rawnet_ring_publish(&c->rx);
	return n;
}

void lab_frame(const struct lab_port *l, uint8_t *frame, uint32_t len)
{
	static const uint8_t peer[6] = {2, 0, 0, 0, 0, 9};

	rig_udp(frame, peer, l->port->mac, 2, 1, l->plan.sport, 1024, len - 42);
}

void lab_send(struct rig_client *c, const uint8_t *frame, uint32_t len, uint32_t n)
{
	uint32_t room = rawnet_tx_room(&c->tx, n);

	if (room < n)
		bench_die("the tx ring has room for %u of %u", room, n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = c->tx.client + i;
		struct rawnet_slot *s = rawnet_tx_slot(&c->tx, i);

		/* At four different lines of the buffers, which are all alike to a cache. */
		*s = (struct rawnet_slot) {
			.off = (c->rx.mask + 1 + k % BUFFERS) * c->buf_size + 128 + k % 4 * 64,
			.len = (uint16_t)len,
		};
		memcpy(c->mem + s->off, frame, len);
	}
	rawnet_tx_fill(&c->tx, n);
	rawnet_ring_publish(&c->tx);
}

/* As rawnet-xconnect does it. */
uint32_t lab_forward(struct rig_client *from, struct rig_client *to)
{
	uint32_t n = rawnet_rx_avail(&from->rx), room = rawnet_tx_room(&to->tx, n);

	n = n < room ? n : room;
	for (uint32_t i = 0; i < n; i++) {
		const struct rawnet_slot *rx = rawnet_rx_slot(&from->rx, i);
		struct rawnet_slot *tx = rawnet_tx_slot(&to->tx, i);
		uint32_t off = tx->off & ~(to->buf_size - 1);

		tool_copy(to->mem + off, from->mem + rx->off, rx->len);
		*tx = (struct rawnet_slot) {.off = off, .len = rx->len};
	}
	if (!n)
		return 0;
	rawnet_rx_release(&from->rx, n);
	rawnet_tx_fill(&to->tx, n);
	rawnet_ring_publish(&from->rx);
	rawnet_ring_publish(&to->tx);
	return n;
}

/* ---- windows ---- */

#define STEPS 64u

/* Additions, each waiting for the one before; and four times as many that do not. */
static uint64_t chain(uint32_t n)
{
	uint64_t a = 0, start = bench_ticks();

	for (uint32_t i = 0; i < n; i += 8) {
#pragma GCC unroll 8
		for (int k = 0; k < 8; k++) {
			a += i;
			__asm__ volatile("" : "+r"(a));
		}
	}
	return bench_ticks() - start;
}

static uint64_t chains(uint32_t n)
{
	uint64_t a = 0, b = 0, c = 0, d = 0, start = bench_ticks();

	for (uint32_t i = 0; i < n; i += 8) {
#pragma GCC unroll 8
		for (int k = 0; k < 8; k++) {
			a += i;
			b += i;
			c += i;
			d += i;
			__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
		}
	}
	return bench_ticks() - start;
}

static double parallel(void)
{
	double one = (double)(chain(STEPS * 8) - chain(STEPS)) / (STEPS * 7);
	double four = (double)(chains(STEPS * 8) - chains(STEPS)) / (STEPS * 7 * 4);

	return four > 0 ? one / four : 0;
}

/* What this machine does when nobody disturbs: nearly the best of many. */
static double undisturbed;

static void learn_undisturbed(void)
{
	static struct bench_samples s;

	for (unsigned i = 0; i < 4000; i++)
		bench_add(&s, parallel());
	undisturbed = bench_quantile(&s, 0.95);
}

bool lab_undisturbed(void)
{
	return parallel() >= 0.88 * undisturbed;
}

double lab_rx_window(const struct lab_port *l)
{
	uint64_t ticks = 0;
	unsigned work, all = 0;
	bool quiet;

	if (lab_receive(l, LAB_WINDOW * LAB_BURST) != LAB_WINDOW * LAB_BURST)
		return 0;
	quiet = lab_undisturbed();
	for (uint32_t i = 0; i < LAB_WINDOW; i++) {
		uint64_t took = lab_turn(l, &work);

		ticks += i < LAB_WARM ? 0 : took;
		all += work;
		lab_take(&l->client[0]);
	}
	quiet = quiet && lab_undisturbed();
	return all == LAB_WINDOW * LAB_BURST && quiet ? (double)ticks / LAB_COUNTED : 0;
}

double lab_tx_window(const struct lab_port *l, const uint8_t *frame, uint32_t len, bool settle)
{
	uint64_t ticks = 0;
	unsigned work, all = 0;
	bool quiet = lab_undisturbed();

	for (uint32_t i = 0; i < LAB_WINDOW; i++) {
		uint64_t took;

		lab_send(&l->client[0], frame, len, LAB_BURST);
		took = lab_turn(l, &work);
		ticks += i < LAB_WARM ? 0 : took;
		all += work;
		if (settle || i + 1 == LAB_WINDOW)
			lab_settle();
	}
	quiet = quiet && lab_undisturbed();
	return all == LAB_WINDOW * LAB_BURST && quiet ? (double)ticks / LAB_COUNTED : 0;
}
