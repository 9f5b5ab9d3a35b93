/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnet-l3fwd: the command line, the ports, and the main thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "l3fwd.h"
#include "tool.h"

static const char usage[] =
	"Usage: rawnet-l3fwd [OPTIONS] -r ROUTES DEV [MATCH...] [and DEV [MATCH...]]...\n"
	"       rawnet-l3fwd -c -r ROUTES [ADDRESS]...\n"
	"\n"
	"  -r ROUTES   file of routes, as ip route prints them; read again on SIGHUP\n"
	"  -c          only read it, and say where these addresses go\n"
	"  -w COUNT    threads that forward (1)\n"
	"  -b          they never sleep\n"
	"  -i SECONDS  a line of rates in each interval (1 on a terminal, else none)\n"
	"  -l LABEL    what the client calls itself\n"
	"  -S SOCKET   the daemon's socket\n"
	"\n"
	"What MATCH takes from DEV is forwarded. The same DEV may come again with another MATCH.\n"
	"See rawnet-l3fwd(1).\n";

struct arguments {
	struct rawnet_options connection;
	const char *routes;
	bool check;
	double interval; /* 0: none */
	char **words;
};

/* ---- the command line ---- */

/* Says what is wrong with the command line; its exit code. */
__attribute__((format(printf, 1, 2))) static int wrong(const char *fmt, ...)
{
	va_list args;

	fputs("rawnet-l3fwd: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return 2;
}

static int read_option(struct l3fwd *l, struct arguments *a, int option)
{
	unsigned long n;
	char *end;

	switch (option) {
	case 'r': a->routes = optarg; return 0;
	case 'c': a->check = true; return 0;
	case 'b': l->busy = true; return 0;
	case 'l': a->connection.label = optarg; return 0;
	case 'S': a->connection.socket = optarg; return 0;
	case 'w':
		n = strtoul(optarg, &end, 10);
		l->n_workers = (unsigned)n;
		return *optarg >= '1' && *optarg <= '9' && !*end && n <= L3_WORKERS
			       ? 0
			       : wrong("\"%s\": -w: 1 to 16 threads", optarg);
	case 'i':
		a->interval = strtod(optarg, &end);
		return end != optarg && !*end && a->interval >= 0 && a->interval < 1e6
			       ? 0
			       : wrong("\"%s\": -i: seconds are needed", optarg);
	case 'h': fputs(usage, stdout); return -1;
	case 'V': printf("rawnet-l3fwd %s\n", rawnet_version()); return -1;
	default: return 2; /* getopt has said so */
	}
}

/* 0: go on; -1: all is done; else the exit code. */
static int read_arguments(struct l3fwd *l, struct arguments *a, int argc, char **argv)
{
	int option, rc = 0;

	a->interval = isatty(STDERR_FILENO) ? 1 : 0;
	while (!rc && (option = getopt(argc, argv, "+r:cbw:i:l:S:hV")) != -1)
		rc = read_option(l, a, option);
	if (rc)
		return rc;
	a->words = argv + optind;
	if (a->routes && (a->check || optind < argc))
		return 0;
	fputs(usage, stderr);
	return 2;
}

/* ---- -c ---- */

static int say_route(const struct l3_fib *f, const struct l3_names *names, const char *word)
{
	char via[INET6_ADDRSTRLEN];
	const struct l3_hop *hop;
	uint8_t addr[16];

	if (inet_pton(AF_INET, word, addr) == 1)
		hop = &f->hops.hop[lpm4_find(&f->v4, (uint32_t)addr[0] << 24 |
							     (uint32_t)addr[1] << 16 |
							     (uint32_t)addr[2] << 8 | addr[3])];
	else if (inet_pton(AF_INET6, word, addr) == 1)
		hop = &f->hops.hop[lpm6_find(&f->v6, lpm6_key(addr))];
	else
		return wrong("\"%s\": not an address", word);
	switch (hop->kind) {
	case L3_NO_ROUTE: printf("%s: no route\n", word); break;
	case L3_BLACKHOLE: printf("%s: blackhole\n", word); break;
	case L3_LINK: printf("%s: dev %s\n", word, names->dev[hop->port]); break;
	default:
		inet_ntop(hop->family == 4 ? AF_INET : AF_INET6, hop->addr, via, sizeof(via));
		printf("%s: via %s dev %s\n", word, via, names->dev[hop->port]);
	}
	return 0;
}

static int check(const struct arguments *a)
{
	struct l3_names names = {.learn = true};
	struct l3_fib *f = l3_fib_load(a->routes, &names);
	int rc = 0;

	if (!f)
		return 1;
	l3_fib_describe(f);
	for (char **word = a->words; *word && !rc; word++)
		rc = say_route(f, &names, *word);
	l3_fib_free(f);
	return rc;
}

/* ---- ports ---- */

/* DEV [MATCH...] [and ...]: the names first, since the file of routes has them too. */
static int each_side(struct l3fwd *l, char **words,
		     int (*each)(struct l3fwd *l, const char *dev, const char *match))
{
	char match[RAWNET_MATCH_TEXT];
	int rc = 0;

	while (!rc && *words) {
		char *rest[64] = {NULL}, *dev = *words++;

		for (unsigned n = 0; *words && strcmp(*words, "and") != 0; words++) {
			if (n < 63)
				rest[n++] = *words;
		}
		if (*words && !*++words)
			return wrong("a port is missing behind \"and\"");
		tool_join(match, sizeof(match), rest);
		rc = each(l, dev, match);
	}
	return rc;
}

static unsigned port_of(const struct l3_names *names, const char *dev)
{
	unsigned i = 0;

	while (i < names->n && strcmp(names->dev[i], dev) != 0)
		i++;
	return i;
}

static int add_name(struct l3fwd *l, const char *dev, const char *text)
{
	struct rawnet_match match;

	if (text[0] && rawnet_match_parse(text, &match))
		return wrong("%s", rawnet_error());
	if (port_of(&l->names, dev) < l->names.n)
		return 0;
	if (strlen(dev) >= L3_DEV || l->names.n == L3_PORTS)
		return wrong("\"%s\": too long for a name, or too many ports", dev);
	snprintf(l->names.dev[l->names.n++], L3_DEV, "%s", dev);
	return 0;
}

static int open_port(struct l3fwd *l, const char *dev, const char *text)
{
	const struct rawnet_attach_options options = {.size = sizeof(options),
						      .n_queues = l->n_workers};
	struct l3_port *port = &l->port[port_of(&l->names, dev)];
	struct rawnet_match match;
	uint64_t rule;

	if (!port->at) {
		if (rawnet_attach(l->rn, dev, &options, &port->at))
			return tool_fail();
		port->n_queues = rawnet_attachment_info(port->at)->n_queues;
	}
	if (text[0] &&
	    (rawnet_match_parse(text, &match) || rawnet_flow_add(port->at, &match, NULL, &rule)))
		return tool_fail();
	return 0;
}

/* ---- running ---- */

static void reload(struct l3fwd *l, const char *path)
{
	struct l3_fib *old = l->fib, *fresh = l3_fib_load(path, &l->names);

	if (!fresh) {
		fputs("rawnet-l3fwd: the routes stay as they were\n", stderr);
		return;
	}
	l3_fib_describe(fresh);
	pthread_mutex_lock(&l->resolving);
	l3_fib_inherit(fresh, old);
	__atomic_store_n(&l->fib, fresh, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&l->resolving);
	for (unsigned i = 0; i < l->n_workers; i++) {
		while (__atomic_load_n(&l->worker[i].reading, __ATOMIC_SEQ_CST) == old)
			nanosleep(&(struct timespec) {.tv_nsec = 100000}, NULL);
	}
	l3_wake_resolver(l);
	l3_fib_free(old);
}

/* Milliseconds until then, rounded up. */
static int left_ms(uint64_t then)
{
	uint64_t now = l3_now();

	return then > now ? (int)((then - now) / 1000000) + 1 : 0;
}

static void watch(struct l3fwd *l, const struct arguments *a, int hup_fd)
{
	struct pollfd fds[2] = {{.fd = l->stop_fd, .events = POLLIN},
				{.fd = hup_fd, .events = POLLIN}};
	const uint64_t every = (uint64_t)(a->interval * 1e9);
	struct signalfd_siginfo info;
	uint64_t since = l3_now(), now;
	struct l3_count before;

	l3_count_sum(l, &before);
	while (!tool_stopped()) {
		poll(fds, 2, every ? left_ms(since + every) : -1);
		if (read(hup_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
			reload(l, a->routes);
		now = l3_now();
		if (!every || now < since + every)
			continue;
		l3_report_rates(l, &before, (double)(now - since) / 1e9);
		l3_count_sum(l, &before);
		since = now;
	}
}

static int run(struct l3fwd *l, const struct arguments *a, int hup_fd)
{
	unsigned started = 0;
	int rc;

	l->hosts = l3_hosts_create();
	rc = l->hosts ? l3_resolver_start(l) : -ENOMEM;
	if (rc) {
		wrong("%s", strerror(-rc));
		return 1;
	}
	for (; started < l->n_workers && !rc; started += !rc) {
		l->worker[started].all = l;
		l->worker[started].index = started;
		rc = l3_worker_start(&l->worker[started]);
	}
	if (rc)
		raise(SIGTERM);
	else
		printf("forwarding between %u %s\n", l->names.n,
		       l->names.n == 1 ? "port" : "ports");
	watch(l, a, hup_fd);
	pthread_join(l->resolver, NULL);
	for (unsigned i = 0; i < started; i++) {
		pthread_join(l->worker[i].thread, NULL);
		if (l->worker[i].rc) {
			wrong("%s", l->worker[i].why);
			rc = l->worker[i].rc;
		}
	}
	l3_report_summary(l);
	l3_hosts_destroy(l->hosts);
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct l3fwd l = {.n_workers = 1};
	struct arguments a = {.connection = {.size = sizeof(a.connection)}};
	int rc = read_arguments(&l, &a, argc, argv), hup_fd;
	sigset_t hup;

	if (rc)
		return rc < 0 ? 0 : rc;
	setlinebuf(stdout);
	if (a.check)
		return check(&a);
	rc = each_side(&l, a.words, add_name);
	if (rc)
		return rc;
	/* Of no thread but this one, by the descriptor. */
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	sigprocmask(SIG_BLOCK, &hup, NULL);
	hup_fd = signalfd(-1, &hup, SFD_CLOEXEC | SFD_NONBLOCK);
	l.stop_fd = tool_catch_signals();
	if (hup_fd < 0 || l.stop_fd < 0) {
		wrong("signals: %s", strerror(errno));
		return 1;
	}
	l.fib = l3_fib_load(a.routes, &l.names);
	if (!l.fib)
		return 1;
	l3_fib_describe(l.fib);
	rc = rawnet_connect(&l.rn, &a.connection) ? tool_fail() : each_side(&l, a.words, open_port);
	if (!rc)
		rc = run(&l, &a, hup_fd);
	rawnet_close(l.rn);
	l3_fib_free(l.fib);
	return rc;
}
