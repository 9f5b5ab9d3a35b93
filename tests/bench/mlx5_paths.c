/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the poller takes for a packet, way by way. Those that are compared take turns, window by
 * window.
 *
 * Devices: 0 and 1 give packets, with and without compressed completions, 2 gives them to verbs, 3
 * swallows what is sent.
 */
#include <stdlib.h>
#include <string.h>

#include "mlx5_lab.h"
#include "mlx5_parts.h"

#define RING 256u

struct way {
	const char *name;
	struct lab_plan plan;
	uint32_t len; /* of what is sent; 0: receives */
	bool settle;
	struct lab_port l;
	uint8_t frame[1600];
	struct bench_samples s;
};

static struct way ways[] = {
	{"rx-compressed", {0, "mlx5", true, 1, RING, 0, NULL, NULL}, .len = 0},
	{"rx-plain", {1, "mlx5", true, 1, RING, 0, NULL, NULL}, .len = 0},
	{"rx-verbs", {2, "verbs", true, 1, RING, 0, NULL, NULL}, .len = 0},
	{"tx-reference", {3, "mlx5", false, 1, RING, 6001, NULL, NULL}, .len = 64},
	{"tx-nic", {3, "mlx5", LAB_BY_NIC, 1, RING, 6008, NULL, NULL}, .len = 64},
	{"tx-inline", {3, "mlx5", true, 1, RING, 6002, NULL, NULL}, .len = 64},
	{"tx-head", {3, "mlx5", true, 1, RING, 6003, NULL, NULL}, .len = 512},
	{"tx-inline-settled",
	 {3, "mlx5", true, 1, RING, 6004, NULL, NULL},
	 .len = 64,
	 .settle = true},
	{"tx-head-settled",
	 {3, "mlx5", true, 1, RING, 6005, NULL, NULL},
	 .len = 512,
	 .settle = true},
	{"tx-verbs", {3, "verbs", true, 1, RING, 6006, NULL, NULL}, .len = 64, .settle = true},
	{"tx-verbs-head",
	 {3, "verbs", true, 1, RING, 6007, NULL, NULL},
	 .len = 512,
	 .settle = true},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static struct way *way(const char *name)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	bench_die("there is no way '%s'", name);
}

static void window(struct way *w)
{
	double ticks = w->len ? lab_tx_window(&w->l, w->frame, w->len, w->settle)
			      : lab_rx_window(&w->l);

	if (ticks > 0)
		bench_add(&w->s, ticks);
}

static void open_way(struct way *w)
{
	lab_port(&w->l, &w->plan);
	if (w->len)
		lab_frame(&w->l, w->frame, w->len);
	for (int i = 0; i < 8; i++)
		window(w); /* warm */
	w->s.n = 0;
}

unsigned part_count(const char *name, unsigned rounds)
{
	struct way *w = way(name);

	lab_open();
	open_way(w);
	for (unsigned i = 0; i < rounds; i++)
		window(w);
	return (rounds + 8) * LAB_WINDOW * LAB_BURST;
}

/* ---- DPDK ---- */

/* Lines "rx TICKS" and "tx TICKS"; of several runs, each behind a line "run", the fastest. */
static void read_dpdk(const char *path, struct bench_samples *rx, struct bench_samples *tx)
{
	static struct bench_samples run[2];
	struct bench_samples *best[2] = {rx, tx};
	char line[64];
	FILE *f = fopen(path, "r");

	if (!f)
		bench_die("cannot read %s", path);
	for (bool more = true; more;) {
		more = fgets(line, sizeof(line), f) != NULL;
		for (int i = 0; i < 2 && (!more || !strncmp(line, "run", 3)); i++) {
			part_keep_fast(&run[i]);
			if (run[i].n &&
			    (!best[i]->n || bench_median(&run[i]) < bench_median(best[i])))
				*best[i] = run[i];
			run[i].n = 0;
		}
		if (more && (line[0] == 'r' || line[0] == 't') && line[1] == 'x')
			bench_add(&run[line[0] == 't'], strtod(line + 3, NULL));
	}
	fclose(f);
}

static void less_than(const char *what, const char *against, const struct bench_samples *ours,
		      const struct bench_samples *theirs, double bound, const char *note)
{
	bench_report(&(struct bench_figure) {.bench = "mlx5",
					     .what = what,
					     .unit = "cycles a packet",
					     .against = against,
					     .ours = ours,
					     .theirs = theirs,
					     .sense = bound > 0 ? BENCH_AT_MOST : BENCH_INFO,
					     .bound = bound,
					     .note = note});
}

static void compare_dpdk(const char *path, const char *why)
{
	static struct bench_samples rx, tx, both, ours;

	if (path)
		read_dpdk(path, &rx, &tx);
	if (!path || !rx.n || !tx.n) {
		bench_add(&both, 0);
		bench_report(&(struct bench_figure) {.bench = "mlx5",
						     .what = "against DPDK",
						     .unit = "cycles a packet",
						     .ours = &both,
						     .sense = BENCH_INFO,
						     .note = why ? why : "DPDK measured nothing"});
		return;
	}
	less_than("receive, compressed", "DPDK", &way("rx-compressed")->s, &rx, 1,
		  "DPDK 22.11 net_mlx5, the fastest of its modes that run");
	less_than("receive, not compressed", "DPDK", &way("rx-plain")->s, &rx, 1, "DPDK as above");
	less_than("transmit by reference, not policed", "DPDK", &way("tx-reference")->s, &tx, 1,
		  "DPDK polices nothing");
	bench_add(&both, bench_median(&rx) + bench_median(&tx));
	bench_add(&ours,
		  bench_median(&way("rx-compressed")->s) + bench_median(&way("tx-inline")->s));
	less_than("receive and transmit, policed", "DPDK", &ours, &both, 0,
		  "rawnet copies and checks 64 bytes, DPDK polices nothing");
}

/* ---- figures ---- */

void part_paths(unsigned rounds, const char *dpdk, const char *no_dpdk)
{
	static struct bench_samples ours, theirs;

	lab_open();
	for (unsigned i = 0; i < WAYS; i++)
		open_way(&ways[i]);
	for (unsigned r = 0; r < rounds; r++)
		for (unsigned i = 0; i < WAYS; i++)
			window(&ways[i]);
	for (unsigned i = 0; i < WAYS; i++)
		part_keep_fast(&ways[i].s);
	part_report("receive, compressed completions", &way("rx-compressed")->s, 12,
		    "completion to published slot, refill included");
	part_report("receive, not compressed", &way("rx-plain")->s, 20,
		    "completion to published slot, refill included");
	part_report("transmit 64 B by reference", &way("tx-reference")->s, 15,
		    "policing: none; slot to WQE, doorbell included");
	part_report("transmit 64 B by reference, policed by the NIC", &way("tx-nic")->s, 15,
		    "slot to WQE, doorbell included");
	part_report("transmit 64 B copied, checked, inline", &way("tx-inline")->s, 30,
		    "policing: copy, the default for 64 B");
	part_report("transmit 512 B, headers copied and checked", &way("tx-head")->s, 0,
		    "policing: copied headers");
	part_report("receive, verbs", &way("rx-verbs")->s, 0, NULL);
	less_than("receive, compressed", "verbs", &way("rx-compressed")->s, &way("rx-verbs")->s,
		  1. / 3, NULL);
	less_than("receive, not compressed", "verbs", &way("rx-plain")->s, &way("rx-verbs")->s,
		  1. / 3, NULL);
	less_than("transmit 64 B, policed", "verbs", &way("tx-inline-settled")->s,
		  &way("tx-verbs")->s, 0, "the device works behind each burst");
	less_than("transmit 512 B, policed", "verbs", &way("tx-head-settled")->s,
		  &way("tx-verbs-head")->s, 0, "the device works behind each burst");
	bench_add(&ours, bench_median(&way("rx-compressed")->s) +
				 bench_median(&way("tx-inline-settled")->s));
	bench_add(&theirs, bench_median(&way("rx-verbs")->s) + bench_median(&way("tx-verbs")->s));
	less_than("receive and transmit 64 B, policed", "verbs", &ours, &theirs, 1. / 3,
		  "the sums of the lines above");
	compare_dpdk(dpdk, no_dpdk);
}
