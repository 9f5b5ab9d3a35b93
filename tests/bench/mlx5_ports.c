/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many attachments on one poller, and packets from port to port; figures in common with
 * mlx5_paths.c.
 */
#include <stdlib.h>
#include <string.h>

#include "mlx5_bare.h"
#include "mlx5_lab.h"
#include "mlx5_parts.h"

#include "backend/mlx5/mlx5.h"

#define MANY	   256u
#define MANY_BURST 8u
#define MANY_RING  64u

void part_keep_fast(struct bench_samples *s)
{
	if (!s->n)
		return;
	bench_quantile(s, 0); /* sorts */
	s->n = (s->n + 3) / 4;
}

/* At 3 GHz the cycles would be nanoseconds / 3: of a core as fast as this one's clock says. */
void part_report(const char *what, const struct bench_samples *ours, double bound, const char *note)
{
	struct bench_figure f = {.bench = "mlx5",
				 .what = what,
				 .unit = "cycles a packet",
				 .ours = ours,
				 .sense = bound > 0 ? BENCH_AT_MOST : BENCH_INFO,
				 .bound = bound,
				 .of_value = true,
				 .note = note};
	double cycles = bench_median(ours);

	bench_report(&f);
	fprintf(stderr,
		"   %-46s %5.1f cycles: %4.0f Mpps for a core at 3 GHz; a budget with warm "
		"caches\n",
		what, cycles, 3000 / cycles);
}

/* ---- many attachments ---- */

/* The model walked over memory of its own, and over packets, to write what is measured now. The
 * lines that a poller reads of its queues are brought back, which a poller that served them a
 * moment ago would still have. The completion behind the next burst is none of those: nobody has
 * touched it for a pass over the ring. */
static void warm(const struct lab_port *l, uint32_t active)
{
	const struct rn_backend *be = l->port->backend;

	for (uint32_t i = 0; i < active; i++) {
		const struct rn_queue *q = &l->client[i].at->queue[0];
		struct rn_mlx5_rx *rx = &rn_mlx5_queue_of(q)->rx;
		const uint16_t last = rx->last;

		for (unsigned k = 0; k < 8 && be->queue_waits(q); k++)
			__builtin_prefetch((const uint8_t *)q->hw + 64 * k);
		rx->last = 0;
		be->queue_ahead(q);
		rx->last = last;
		__builtin_prefetch(q->count);
		__builtin_prefetch(q->state);
	}
}

/* Each of `active` clients gets MANY_BURST packets. A sample is a turn that moved `most` of them,
 * so many as fit into one. */
static void all_window(const struct lab_port *l, uint32_t active, unsigned most,
		       struct bench_samples *s)
{
	uint32_t packets = active * MANY_BURST, all = 0;
	unsigned work;

	if (lab_receive(l, packets) != packets)
		bench_die("the device gave too few packets");
	warm(l, active);
	for (unsigned i = 0; all < packets && i < 10000; i++) {
		bool quiet = lab_undisturbed();
		uint64_t ticks = lab_turn(l, &work);

		if (work == most && quiet && lab_undisturbed())
			bench_add(s, (double)ticks / work);
		all += work;
	}
	for (uint32_t i = 0; i < active; i++)
		lab_take(&l->client[i]);
}

static void many_figure(const char *what, const struct bench_samples *ours,
			const struct bench_samples *one, double bound, const char *note)
{
	bench_report(&(struct bench_figure) {.bench = "mlx5",
					     .what = what,
					     .unit = "cycles a packet",
					     .against = "one attachment",
					     .ours = ours,
					     .theirs = one,
					     .sense = BENCH_AT_MOST,
					     .bound = bound,
					     .note = note});
}

/*
 * One active of 256 is compared with one alone on its poller, on a device that has 255 other
 * queues, of a poller that does nothing: to write a packet the model walks over all of a device's
 * queues, so that the caches of both are alike. All active of 256 is compared with one on a device
 * of its own.
 */
void part_many(unsigned rounds)
{
	static const struct lab_plan alone = {0, "mlx5", true, 1, MANY_RING, 0, NULL, NULL};
	static const struct lab_plan one = {1, "mlx5",		 true, 1, MANY_RING,
					    0, "udp sport 1024", NULL};
	static const struct lab_plan others = {1, "mlx5", true, MANY - 1, MANY_RING, 0, NULL, NULL};
	static const struct lab_plan idle = {2, "mlx5", true, MANY, MANY_RING, 0, NULL, NULL};
	static const struct lab_plan busy = {3, "mlx5", true, MANY, MANY_RING, 0, NULL, NULL};
	static struct bench_samples s[4];
	struct lab_port l[4], o;

	lab_open();
	lab_port(&l[0], &alone);
	lab_port(&l[1], &one);
	lab_port(&o, &others);
	lab_port(&l[2], &idle);
	lab_port(&l[3], &busy);
	for (unsigned r = 0; r < rounds; r++) {
		for (int i = 0; i < 4; i++) {
			/* As many samples of one attachment as of all. */
			for (uint32_t k = 0; k < (i < 3 ? 8 : 1); k++)
				all_window(&l[i], i < 3 ? 1 : MANY, i < 3 ? MANY_BURST : 256,
					   &s[i]);
			if (r == 8)
				s[i].n = 0; /* warm */
		}
	}
	for (int i = 0; i < 4; i++)
		part_keep_fast(&s[i]);
	part_report("receive, one attachment, bursts of 8", &s[0], 0, "compressed completions");
	many_figure("one active of 256 attachments, bursts of 8", &s[2], &s[1], 1.1,
		    "255 others on another poller of the device in both");
	many_figure("256 active attachments, bursts of 8", &s[3], &s[0], 1.4, NULL);
}

/* ---- from port to port ---- */

struct cross {
	struct lab_port in, out;
	struct bench_samples s;
};

/* Poller and client take turns on this core; both are counted, from LAB_WARM bursts on until all is
 * forwarded: a turn receives some packets and sends those that were forwarded before it. */
static void cross_window(struct cross *x)
{
	const uint32_t packets = LAB_WINDOW * LAB_BURST, warm = LAB_WARM * LAB_BURST;
	uint32_t forwarded = 0, before = 0;
	uint64_t ticks = 0, start, took;
	unsigned work;
	bool quiet;

	if (lab_receive(&x->in, packets) != packets)
		bench_die("the device gave too few packets");
	quiet = lab_undisturbed();
	for (uint32_t i = 0; i < packets && forwarded < packets; i++) {
		took = lab_turn(&x->in, &work);
		start = bench_ticks();
		forwarded += lab_forward(&x->in.client[0], &x->out.client[0]);
		took += bench_ticks() - start;
		if (before)
			ticks += took;
		else if (forwarded >= warm)
			before = forwarded;
	}
	quiet = quiet && lab_undisturbed();
	for (uint32_t i = 0; i < LAB_WINDOW; i++)
		lab_turn(&x->in, &work); /* the last ones leave */
	lab_settle();
	if (forwarded == packets && quiet)
		bench_add(&x->s, (double)ticks / (packets - before));
}

/* The same by calls of libibverbs alone. */
static void bare_window(struct bare *b, int in, struct bench_samples *s)
{
	const uint32_t packets = LAB_WINDOW * LAB_BURST;
	const struct lab_port l = {.plan = {.device = in}};
	uint64_t ticks = 0, start;
	uint32_t moved = 0;
	bool quiet;

	if (lab_receive(&l, packets) != packets)
		bench_die("the device gave too few packets");
	quiet = lab_undisturbed();
	for (uint32_t i = 0; i < LAB_WINDOW; i++) {
		start = bench_ticks();
		moved += bare_turn(b);
		ticks += i < LAB_WARM ? 0 : bench_ticks() - start;
	}
	quiet = quiet && lab_undisturbed();
	lab_settle();
	if (moved == packets && quiet)
		bench_add(s, (double)ticks / LAB_COUNTED);
}

/* All of them send to the device that swallows everything. */
#define CROSS_OUT 3

static void cross_open(struct cross *x, const char *backend, int in)
{
	/* The mirror of the generator's frames (tests/model/generator.c). */
	const struct lab_plan receives = {in, backend, true, 1, 256, 0, NULL, NULL};
	const struct lab_plan sends = {CROSS_OUT,
				       backend,
				       true,
				       1,
				       256,
				       0,
				       "dmac 02:c5:00:00:01:00 udp src 10.0.0.2 dst 10.0.0.1 "
				       "sport 5000",
				       &x->in};

	lab_port(&x->in, &receives);
	lab_port(&x->out, &sends);
}

static void cross_check(const struct cross *x, unsigned rounds)
{
	uint64_t sent = rig_counter(&x->out.client[0], RAWNET_Q_TX_PACKETS);

	if (sent != (uint64_t)rounds * LAB_WINDOW * LAB_BURST)
		bench_die("%lu packets left of %u", sent, rounds * LAB_WINDOW * LAB_BURST);
}

void part_cross(unsigned rounds)
{
	static struct bench_samples alone;
	static struct cross x[2];
	struct bare *b;

	lab_open();
	cross_open(&x[0], "mlx5", 0);
	cross_open(&x[1], "verbs", 1);
	b = bare_open(lab_dev[2], lab_dev[CROSS_OUT]);
	for (unsigned r = 0; r < rounds; r++) {
		for (int i = 0; i < 2; i++)
			cross_window(&x[i]);
		bare_window(b, 2, &alone);
	}
	for (int i = 0; i < 2; i++) {
		cross_check(&x[i], rounds);
		part_keep_fast(&x[i].s);
	}
	part_keep_fast(&alone);
	part_report("cross-connect 60 B, poller and client, mlx5", &x[0].s, 80,
		    "policing: copy; two ports, copied once by the client");
	part_report("cross-connect 60 B, poller and client, verbs", &x[1].s, 150,
		    "policing: copy; two ports, copied once by the client");
	bench_report(&(struct bench_figure) {.bench = "mlx5",
					     .what = "cross-connect 60 B, poller and client, verbs",
					     .unit = "cycles a packet",
					     .against = "libibverbs alone",
					     .ours = &x[1].s,
					     .theirs = &alone,
					     .sense = BENCH_INFO,
					     .note = "alone: the same calls, one copy, no client, "
						     "nothing checked"});
	fprintf(stderr, "   of these, libibverbs and the provider alone %21.1f cycles\n",
		bench_median(&alone));
}
