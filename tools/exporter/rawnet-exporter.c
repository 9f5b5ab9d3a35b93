/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawnet-exporter: the counters of rawnetd as OpenMetrics, for whoever scrapes. It needs no
 * privilege but to connect to rawnetd, and membership in its monitor_group to see all clients.
 *
 * One thread (serve.h); a scrape asks the daemon, within bounds (scrape.h). It lives on when the
 * daemon does not answer: the page then says so.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "listen.h"
#include "metrics.h"
#include "scrape.h"
#include "serve.h"
#include "tool.h"

#define DEFAULT_ADDRESS "127.0.0.1:9748"

static const char usage[] =
	"Usage: rawnet-exporter [-S SOCKET] [-l ADDRESS]...\n"
	"       rawnet-exporter -1 [-S SOCKET]\n"
	"\n"
	"  -S SOCKET    the daemon's socket\n"
	"  -l ADDRESS   /path, 127.0.0.1:port, [::1]:port or :port; default: the sockets\n"
	"               that were passed, or " DEFAULT_ADDRESS "\n"
	"  -1           print one page and exit\n"
	"  -h           print this and exit\n"
	"  -V           print the version and exit\n";

struct exporter {
	struct rawnet *rn;
	const char *socket;
};

static int make(void *arg, struct page *page)
{
	struct exporter *e = arg;
	struct scrape s;
	int rc = scrape_run(&e->rn, e->socket, &s);

	if (!rc)
		metrics_write(page, &s);
	scrape_free(&s);
	return rc;
}

static int print_one(struct exporter *e)
{
	struct page page = {0};
	int rc = make(e, &page);

	if (!rc && page_ok(&page)) {
		fwrite(page.text, 1, page.len, stdout);
		rc = e->rn ? 0 : 1;
	} else {
		fputs("rawnet-exporter: out of memory\n", stderr);
		rc = 1;
	}
	page_free(&page);
	rawnet_close(e->rn);
	return fflush(stdout) ? 1 : rc;
}

int main(int argc, char **argv)
{
	struct exporter e = {0};
	struct serve s = {.make = make, .arg = &e};
	int o, rc, stop_fd;
	bool once = false;

	while ((o = getopt(argc, argv, "1S:l:hV")) != -1) {
		switch (o) {
		case '1': once = true; break;
		case 'S': e.socket = optarg; break;
		case 'l':
			if (listen_on(&s, optarg))
				return 1;
			break;
		case 'h': fputs(usage, stdout); return 0;
		case 'V': printf("rawnet-exporter %s\n", rawnet_version()); return 0;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (optind != argc || (once && s.n_listeners)) {
		fputs(usage, stderr);
		return 2;
	}
	if (once)
		return print_one(&e);
	stop_fd = tool_catch_signals();
	if (stop_fd < 0 || listen_passed(&s) < 0 ||
	    (!s.n_listeners && listen_on(&s, DEFAULT_ADDRESS)))
		return 1;
	rc = serve_run(&s, stop_fd);
	if (rc)
		fprintf(stderr, "rawnet-exporter: %s\n", strerror(-rc));
	listen_end();
	rawnet_close(e.rn);
	return rc ? 1 : 0;
}
