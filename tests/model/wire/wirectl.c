/* SPDX-License-Identifier: BSD-2-Clause */
/* cx-wirectl: sends one command line to a wire process and prints the answer (command.c). */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

#define LINE_MAX_LEN 1000

struct packet {
	struct cx_msg m;
	char text[CX_TEXT_MAX + 1];
};

static struct packet packet;

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "cx-wirectl: %s%s%s\n", what, *why ? ": " : "", why);
	return 1;
}

/* The words, joined; the file of a capture is the wire process's to open, so it is made absolute.
 */
static int join(char **words, int n)
{
	char cwd[PATH_MAX] = "";
	size_t at = 0;
	int i;

	for (i = 0; i < n; i++) {
		bool relative = i == 2 && strcmp(words[0], "capture") == 0 && words[2][0] != '/' &&
				strcmp(words[2], "off");

		if (strpbrk(words[i], " "))
			return fail(words[i], "no argument may hold a space");
		if (relative && !getcwd(cwd, sizeof(cwd)))
			return fail("working directory", strerror(errno));
		at += (size_t)snprintf(packet.text + at, LINE_MAX_LEN - at, "%s%s%s%s",
				       i ? " " : "", relative ? cwd : "", relative ? "/" : "",
				       words[i]);
		if (at >= LINE_MAX_LEN)
			return fail("the command line is too long", "");
	}
	packet.m = (struct cx_msg) {.magic = CX_WIRE_MAGIC,
				    .version = CX_WIRE_VERSION,
				    .type = CX_MSG_COMMAND,
				    .len = (uint32_t)at};
	return 0;
}

static int talk(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ssize_t n;

	if (strlen(path) >= sizeof(to.sun_path))
		return fail(path, "the path is too long");
	memcpy(to.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fail(path, errno == ECONNREFUSED ? "no wire process listens there"
							: strerror(errno));
	if (send(fd, &packet, sizeof(packet.m) + packet.m.len, MSG_NOSIGNAL) < 0)
		return fail(path, strerror(errno));
	n = recv(fd, &packet, sizeof(packet) - 1, 0);
	close(fd);
	if (n < (ssize_t)sizeof(packet.m) || packet.m.magic != CX_WIRE_MAGIC)
		return fail(path, "no sensible answer");
	((char *)&packet)[n] = '\0';
	if (packet.m.err)
		return fail(packet.text, "");
	fputs(packet.text, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 4 || strcmp(argv[1], "--socket")) {
		fprintf(stderr, "usage: cx-wirectl --socket PATH COMMAND [ARGUMENT...] "
				"(COMMAND help lists them)\n");
		return 2;
	}
	return join(argv + 3, argc - 3) || talk(argv[2]);
}
