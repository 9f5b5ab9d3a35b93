/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DPDK's mlx5 driver on the device model: what rte_eth_rx_burst() and rte_eth_tx_burst() take for a
 * packet, in the same circumstances as bench-mlx5, which runs this program under cx-run. Verbs mode
 * (dv_flow_en=0), one queue, bursts of 32; what was received is sent, and comes back to the pool
 * when tx_burst finds it done.
 *
 *   bench-mlx5-dpdk COMPRESS VECTOR ROUNDS
 *
 * COMPRESS and VECTOR are 0 or 1: the driver's rxq_cqe_comp_en and rx_vec_en. The environment's
 * SYSFS_PCI_DEVICES stands for /sys/bus/pci/devices. Prints "rx TICKS" and "tx TICKS" for each
 * window.
 */
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <unistd.h>

#include "../model/cx-test.h"
#include "bench.h"

#define BURST  32u
#define BURSTS 6u /* of a window; the first, which warms the caches, is not counted */

static void command(const char *line)
{
	char out[4096];

	if (!cx_control || cx_control(line, out, sizeof(out)))
		bench_die("model: %s", line);
}

static void open_port(int compress, int vector)
{
	char device[80];
	char *argv[] = {(char *)(uintptr_t) "dpdk",
			(char *)(uintptr_t) "--no-huge",
			(char *)(uintptr_t) "-m",
			(char *)(uintptr_t) "256",
			(char *)(uintptr_t) "--no-shconf",
			(char *)(uintptr_t) "--no-telemetry",
			(char *)(uintptr_t) "--log-level=3",
			(char *)(uintptr_t) "-a",
			device};
	struct rte_eth_conf conf = {0};
	struct rte_mempool *pool;

	snprintf(device, sizeof(device),
		 "0000:c0:00.0,dv_flow_en=0,rxq_cqe_comp_en=%d,rx_vec_en=%d", compress, vector);
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv) < 0)
		bench_die("DPDK does not start: %s", rte_strerror(rte_errno));
	if (!rte_eth_dev_count_avail())
		bench_die("DPDK's mlx5 driver does not take the device");
	pool = rte_pktmbuf_pool_create("bench", 2047, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (!pool || rte_eth_dev_configure(0, 1, 1, &conf) ||
	    rte_eth_rx_queue_setup(0, 0, 512, 0, NULL, pool) ||
	    rte_eth_tx_queue_setup(0, 0, 512, 0, NULL) || rte_eth_dev_start(0))
		bench_die("DPDK's mlx5 driver does not start the port");
}

/* Ticks of reading the clock twice. */
static uint64_t clock_ticks(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 10000; i++) {
		uint64_t start = bench_ticks(), took = bench_ticks() - start;

		least = took < least ? took : least;
	}
	return least;
}

static void window(uint64_t less)
{
	uint64_t rx = 0, tx = 0, t0, t1, t2;
	struct rte_mbuf *m[BURST];
	uint16_t n, sent;

	for (unsigned i = 0; i < BURSTS; i++) {
		t0 = bench_ticks();
		n = rte_eth_rx_burst(0, 0, m, BURST);
		t1 = bench_ticks();
		sent = rte_eth_tx_burst(0, 0, m, n);
		t2 = bench_ticks();
		if (n != BURST || sent != BURST)
			bench_die("DPDK received %u and sent %u of %u", n, sent, BURST);
		rx += i ? t1 - t0 - less : 0;
		tx += i ? t2 - t1 - less : 0;
	}
	printf("rx %.2f\ntx %.2f\n", (double)rx / ((BURSTS - 1) * BURST),
	       (double)tx / ((BURSTS - 1) * BURST));
}

int main(int argc, char **argv)
{
	if (argc != 4)
		bench_die("is run by bench-mlx5");
	open_port(atoi(argv[1]), atoi(argv[2]));
	command("pause");
	bench_first(0, 2);
	for (int i = 0; i < atoi(argv[3]); i++) {
		command("resume"); /* sends what was posted, and fills the receive queue */
		command("sync");
		command("pause");
		window(clock_ticks());
	}
	fflush(stdout);
	_exit(0); /* the device goes with the process */
}
