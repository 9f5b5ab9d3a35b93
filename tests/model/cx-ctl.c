/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cx-ctl SOCKET command...: sends one command to a software device, prints the answer.
 * Exit status 0, 1 when the device refused, 2 when it could not be asked.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char line[256] = "", out[16384];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), i;
	ssize_t n;

	if (argc < 3 || strlen(argv[1]) >= sizeof(to.sun_path)) {
		fprintf(stderr, "usage: cx-ctl SOCKET command [argument...]\n");
		return 2;
	}
	for (i = 2; i < argc; i++) {
		if (strlen(line) + strlen(argv[i]) + 2 > sizeof(line))
			return 2;
		strcat(strcat(line, i > 2 ? " " : ""), argv[i]);
	}
	strcpy(to.sun_path, argv[1]);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    send(fd, line, strlen(line), MSG_NOSIGNAL) < 0) {
		perror(argv[1]);
		return 2;
	}
	n = recv(fd, out, sizeof(out) - 1, 0);
	close(fd);
	if (n <= 0)
		return 2;
	out[n] = '\0';
	if (strncmp(out, "ok\n", 3) == 0) {
		fputs(out + 3, stdout);
		return 0;
	}
	fputs(strchr(out, '\n') ? strchr(out, '\n') + 1 : out, stderr);
	fputc('\n', stderr);
	return 1;
}
