/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetd: the command line. See rawnetd(8). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "backend/backend.h"
#include "config.h"
#include "daemon.h"
#include "log.h"
#include "probes.h"

static const char usage[] =
	"Usage: rawnetd [-c FILE] [-v]\n"
	"       rawnetd --check FILE\n"
	"\n"
	"Serves raw packets of network interfaces to unprivileged programs.\n"
	"\n"
	"  -c, --config FILE   configuration (default: " RN_CONFIG_DEFAULT ")\n"
	"      --check FILE    check a configuration, say what starting would do, and exit\n"
	"  -v, --verbose       log everything\n"
	"  -V, --version       print the version and exit\n"
	"  -h, --help          print this and exit\n"
	"\n"
	"SIGHUP reloads policy and rules; SIGTERM and SIGINT stop. See rawnetd(8), "
	"rawnetd.conf(5).\n";

/* What starting would do, without doing it: 0, or how many ports cannot be served. */
static int check_ports(const struct rn_config *config)
{
	int bad = 0;

	for (uint32_t i = 0; i < config->n_ports; i++) {
		const struct rn_backend *be;
		struct rn_err err = {0};

		if (rn_port_choose(&config->ports[i], &be, &err)) {
			printf("cannot be served: %s\n", err.text);
			bad++;
		} else if (be->plan) {
			be->plan(&config->ports[i], stdout);
		}
	}
	return bad;
}

static int check(const char *path)
{
	struct rn_config *config;
	struct rn_err err = {0};
	int bad;

	if (rn_config_load(path, &config, &err)) {
		fprintf(stderr, "rawnetd: %s\n", err.text);
		return 1;
	}
	bad = check_ports(config);
	printf("%s: %s\n", path,
	       bad ? "well formed, but not everything can be served here" : "good");
	rn_config_free(config);
	return bad ? 1 : 0;
}

static int serve(const char *path, bool verbose)
{
	struct rn_daemon *daemon;
	struct rn_config *config;
	struct rn_err err = {0};
	int rc;

	if (rn_config_load(path, &config, &err)) {
		rn_error("%s", err.text);
		return EX_CONFIG;
	}
	if (verbose)
		rn_log_everything();
	if (rn_daemon_create(config, &daemon, &err)) {
		rn_error("%s", err.text);
		return 1;
	}
	rn_probes_touch();
	rc = rn_daemon_run(daemon);
	if (rc)
		rn_error("event loop: %s", strerror(-rc));
	if (!rc && rn_daemon_hands_over(daemon)) {
		rn_daemon_hand_over(daemon);
		exit(0);
	}
	rn_daemon_destroy(daemon);
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"check", required_argument, NULL, 'k'},
		{"verbose", no_argument, NULL, 'v'},	  {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	const char *path = RN_CONFIG_DEFAULT;
	bool verbose = false;
	int o;

	while ((o = getopt_long(argc, argv, "c:vVh", options, NULL)) != -1) {
		switch (o) {
		case 'c': path = optarg; break;
		case 'k': return check(optarg);
		case 'v': verbose = true; break;
		case 'V': puts(RN_VERSION_TEXT); return 0;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "rawnetd: \"%s\" is not an option\n%s", argv[optind], usage);
		return 2;
	}
	return serve(path, verbose);
}
