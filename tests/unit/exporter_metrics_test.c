/* SPDX-License-Identifier: BSD-2-Clause */
/* The exporter's page from what a daemon says. tests/system/exporter_test reads whole pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics.h"

static struct page page;

static const char *text(void)
{
	assert_true(page_ok(&page));
	return page.text;
}

static void has(const char *line)
{
	if (!strstr(text(), line))
		fail_msg("no \"%s\" in:\n%s", line, text());
}

static unsigned times(const char *word)
{
	unsigned n = 0;

	for (const char *at = text(); (at = strstr(at, word)); at += strlen(word))
		n++;
	return n;
}

static void a_daemon_that_is_away(void **state)
{
	const struct scrape s = {.took_ns = 1500000000};

	(void)state;
	page_clear(&page);
	metrics_write(&page, &s);
	has("\nrawnet_up 0\n");
	has("\nrawnet_exporter_scrape_seconds 1.500000000\n");
	assert_string_equal(text() + page.len - 6, "# EOF\n");
	assert_int_equal(times("rawnet_port"), 0);
}

static void every_counter(void **state)
{
	struct scrape_set ports[2] = {
		{.of.port = {.dev = "eth0",
			     .backend = "xdp",
			     .mode = "native",
			     .present = 1,
			     .link_up = 1},
		 .n = RAWNET_P_COUNT},
		{.of.port = {.dev = "eth1", .backend = "xdp", .mode = "a \"b\"\\\n\xff"},
		 .n = RAWNET_P_RX_DROP_STALE + 1},
	};
	struct scrape_set clients[1] = {
		{.of.attachment =
			 {.attachment = 7, .client = 5, .uid = 1000, .dev = "eth0", .label = "web"},
		 .n = RAWNET_Q_COUNT},
	};
	const struct scrape s = {.up = true,
				 .status = {.version = "rawnetd 0.1.0", .clients = 3},
				 .ports = {.set = ports, .n = 2},
				 .attachments = {.set = clients, .n = 1, .left_out = 9}};

	(void)state;
	for (unsigned i = 0; i < RAWNET_COUNTERS_SPACE; i++) {
		ports[0].v[i] = 100 + i;
		ports[1].v[i] = 200 + i;
		clients[0].v[i] = 300 + i;
	}
	clients[0].v[RAWNET_Q_RX_BYTES] = UINT64_MAX;
	page_clear(&page);
	metrics_write(&page, &s);
	has("# TYPE rawnet_client_rx_bytes counter\n# UNIT rawnet_client_rx_bytes bytes\n"
	    "# HELP rawnet_client_rx_bytes delivered to the client\n"
	    "rawnet_client_rx_bytes_total{port=\"eth0\",client=\"5\",attachment=\"7\","
	    "label=\"web\",uid=\"1000\"} 18446744073709551615\n");
	has("\nrawnet_client_rx_dropped_packets_total{port=\"eth0\",client=\"5\",attachment=\"7\","
	    "label=\"web\",uid=\"1000\",cause=\"full\"} 305\n");
	has("; full: no buffer"); /* causes are explained */
	has("\nrawnet_port_rx_dropped_packets_total{port=\"eth1\",cause=\"stale\"} 204\n");
	has("\nrawnet_port_copy_drop_total{port=\"eth0\"} 115\n");
	has("\nrawnet_port_up{port=\"eth0\"} 1\nrawnet_port_up{port=\"eth1\"} 0\n");
	has("mode=\"a \\\"b\\\"\\\\\\n?\"} 1\n");
	has("\nrawnet_exporter_left_out 9\n");
	/* What a daemon does not have is not there; what it has is there once. */
	assert_int_equal(times("{port=\"eth0\"") - 2 - 2, RAWNET_P_COUNT - 1 + RAWNET_Q_COUNT);
	assert_int_equal(times("_total{port=\"eth1\""), RAWNET_P_RX_DROP_STALE + 1);
	assert_int_equal(times("# TYPE rawnet_client_tx_dropped_packets "), 1);
}

static void a_page_is_bounded(void **state)
{
	struct page big = {0};

	(void)state;
	for (unsigned i = 0; i < PAGE_MOST / 1000 + 2; i++)
		page_print(&big, "%1000d", 1);
	assert_false(page_ok(&big));
	assert_true(big.len <= PAGE_MOST);
	page_clear(&big);
	page_print(&big, "x");
	assert_true(page_ok(&big));
	page_free(&big);
	assert_null(big.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_daemon_that_is_away),
		cmocka_unit_test(every_counter),
		cmocka_unit_test(a_page_is_bounded),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	page_free(&page);
	return failed;
}
