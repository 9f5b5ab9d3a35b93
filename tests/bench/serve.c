/* SPDX-License-Identifier: BSD-2-Clause */
/* See serve.h. */
#include "serve.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "net.h"

#define START_S 10

static struct serve *running;

static void clean_up(void)
{
	if (running)
		serve_stop(running);
}

void serve_prepare(struct serve *s)
{
	memset(s, 0, sizeof(*s));
	strcpy(s->dir, "/tmp/rawnet-bench.XXXXXX");
	if (!mkdtemp(s->dir))
		bench_die("cannot make a directory in /tmp");
	chmod(s->dir, 0755);
	snprintf(s->socket, sizeof(s->socket), "%s/sock", s->dir);
}

static void write_config(const struct serve *s, const char *pollers, const char *ports)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", s->dir);
	f = fopen(path, "w");
	if (!f)
		bench_die("cannot write %s", path);
	fprintf(f,
		"daemon: { sockets = ( { path = \"%s\"; } ); log_level = \"warning\"; };\n"
		"pollers = ( %s );\nports = ( %s );\n"
		"policy = ( %s { user = \"root\"; rules = 1000000; queues = 60000;\n"
		"  attachments = 60000; connections = 60000; memory = \"16G\"; } );\n",
		s->socket, pollers, ports, s->policy ? s->policy : "");
	fclose(f);
}

static void program(const char *name, char *path, size_t size)
{
	const char *bin = getenv("RAWNET_BIN");
	ssize_t n;

	if (bin) {
		snprintf(path, size, "%s/%s", bin, name);
		return;
	}
	n = readlink("/proc/self/exe", path, size - 32);
	if (n <= 0)
		bench_die("where %s is: set RAWNET_BIN", name);
	path[n] = 0;
	strcpy(strrchr(path, '/') + 1, name);
}

/* The thread of that name, or 0. */
static int find_thread(int pid, const char *name)
{
	char path[300], comm[32];
	struct dirent *e;
	int tid = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && !tid && (e = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", pid, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) && !strncmp(comm, name, strlen(name)))
			tid = atoi(e->d_name);
		fclose(f);
	}
	if (d)
		closedir(d);
	return tid;
}

int serve_spawn(const struct serve *s, const char *name, const char *const argv[])
{
	const struct sched_param ordinary = {0};
	cpu_set_t all;
	char path[300], *args[16] = {0};
	int pid;

	for (unsigned i = 0; i < 15 && argv[i]; i++)
		args[i] = strdup(argv[i]);
	program(name, path, sizeof(path));
	pid = fork();
	if (pid) {
		for (unsigned i = 0; args[i]; i++)
			free(args[i]);
		return pid;
	}
	memset(&all, 0xff, sizeof(all)); /* the benchmark itself may be pinned */
	sched_setaffinity(0, sizeof(all), &all);
	sched_setscheduler(0, SCHED_OTHER, &ordinary);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (s->in_host)
		net_enter(NET_HOST);
	dup2(STDERR_FILENO, STDOUT_FILENO); /* ours is for figures */
	execv(path, args);
	_exit(127);
}

void serve_start(struct serve *s, const char *pollers, const char *ports)
{
	char conf[100];
	const char *argv[] = {"rawnetd", "-c", conf, NULL};
	struct stat st;

	write_config(s, pollers, ports);
	snprintf(conf, sizeof(conf), "%s/conf", s->dir);
	s->pid = serve_spawn(s, "rawnetd", argv);
	if (!running)
		atexit(clean_up);
	running = s;
	for (int i = 0; i < START_S * 100 && stat(s->socket, &st); i++) {
		bench_nap_ms(10);
		if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
			s->pid = 0;
			bench_die("rawnetd does not start");
		}
	}
	bench_nap_ms(50);
	s->poller_tid = find_thread(s->pid, "rn-poller-0");
	s->waker_tid = find_thread(s->pid, "rn-waker");
	if (!s->poller_tid)
		bench_die("rawnetd has no poller");
}

void serve_stop(struct serve *s)
{
	static const char *const files[] = {"conf", "sock", "in.pcap"};
	char path[100];

	running = NULL;
	if (s->pid) {
		kill(s->pid, SIGTERM);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->dir, files[i]);
		unlink(path);
	}
	rmdir(s->dir);
}

uint64_t serve_cpu(int pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		bench_die("process %d is gone", pid);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- as a client ---- */

struct rawnet *serve_connect(const struct serve *s, const char *label)
{
	struct rawnet_options options = {
		.size = sizeof(options), .socket = s->socket, .label = label};
	struct rawnet *rn;

	if (rawnet_connect(&rn, &options))
		bench_die("connect: %s", rawnet_error());
	return rn;
}

struct rawnet_attachment *serve_attach(struct rawnet *rn, const char *dev, uint32_t ring,
				       uint32_t n_bufs)
{
	struct rawnet_attach_options options = {
		.size = sizeof(options), .rx_size = ring, .tx_size = ring, .n_bufs = n_bufs};
	struct rawnet_attachment *at;

	if (rawnet_attach(rn, dev, &options, &at))
		bench_die("attach to %s: %s", dev, rawnet_error());
	return at;
}

struct search {
	const char *dev;
	uint32_t id;
};

static int is_on(void *arg, const void *entry)
{
	const struct rawnet_attachment_info *info = entry;
	struct search *s = arg;

	if (strcmp(info->dev, s->dev) != 0)
		return 0;
	s->id = info->attachment;
	return 1;
}

uint32_t serve_find(struct rawnet *rn, const char *dev)
{
	const struct rawnet_req_list all = {0};
	struct search s = {.dev = dev};

	for (int i = 0; i < START_S * 100 && !s.id; i++) {
		bench_nap_ms(10);
		rawnet_list_each(rn, RAWNET_MSG_ATTACHMENT_LIST, &all,
				 sizeof(struct rawnet_attachment_info), is_on, &s);
	}
	if (!s.id)
		bench_die("nobody attached to %s", dev);
	return s.id;
}

uint64_t serve_counter(struct rawnet *rn, uint32_t attachment, enum rawnet_queue_counter c)
{
	struct rawnet_req_counters req = {.hdr.type = RAWNET_MSG_COUNTERS,
					  .attachment = attachment,
					  .queue = RAWNET_ALL_QUEUES};
	struct rawnet_rep_counters rep;

	if (rawnet_request(rn, &req, sizeof(req), &rep, sizeof(rep)))
		bench_die("counters of %u: %s", attachment, rawnet_error());
	return rep.v[c];
}

static int first_poller(void *arg, const void *entry)
{
	*(struct rawnet_poller_info *)arg = *(const struct rawnet_poller_info *)entry;
	return 1;
}

struct rawnet_poller_info serve_poller(struct rawnet *rn)
{
	const struct rawnet_req_list all = {0};
	struct rawnet_poller_info info = {0};

	if (rawnet_list_each(rn, RAWNET_MSG_POLLER_LIST, &all, sizeof(info), first_poller, &info) <
	    0)
		bench_die("pollers: %s", rawnet_error());
	return info;
}

uint64_t serve_rule(struct rawnet_attachment *at, const char *match)
{
	struct rawnet_match m;
	uint64_t rule;

	if (rawnet_match_parse(match, &m) || rawnet_flow_add(at, &m, NULL, &rule))
		bench_die("rule \"%s\": %s", match, rawnet_error());
	return rule;
}
