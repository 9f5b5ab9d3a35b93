/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * litter.h. The directory of a socket is locked (flock) while somebody looks whether it is in use,
 * removes it, or binds: so two that start together see each other, and a janitor does not remove
 * the socket of one that has just taken the path.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "litter.h"

#define SWEEPS	       100
#define SWEEP_PAUSE_US 20000

/* ---- sockets ---- */

static int lock_directory(const struct sockaddr_un *at)
{
	char dir[sizeof(at->sun_path)];
	int fd;

	memcpy(dir, at->sun_path, sizeof(dir));
	fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			int err = -errno;

			close(fd);
			return err;
		}
	return fd;
}

static bool is_alive(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EAGAIN;

	close(fd);
	return alive;
}

int cx_socket_listen(int fd, const struct sockaddr_un *at, bool take_over)
{
	int lock = lock_directory(at), code = 0;
	struct stat st;

	if (lock < 0)
		return lock;
	if (lstat(at->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		code = -EEXIST;
	else if (!take_over && is_alive(at))
		code = -EADDRINUSE;
	if (code == 0)
		unlink(at->sun_path);
	if (code == 0 &&
	    (bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 || listen(fd, 16) < 0))
		code = -errno;
	close(lock);
	return code;
}

/* Removes a socket that nobody listens on. False if somebody does. */
static bool sweep_socket(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	bool alive = false;
	struct stat st;
	int lock;

	if (!*path || strlen(path) >= sizeof(at.sun_path))
		return true;
	memcpy(at.sun_path, path, strlen(path));
	lock = lock_directory(&at);
	if (lock < 0)
		return true;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		alive = is_alive(&at);
		if (!alive)
			unlink(path);
	}
	close(lock);
	return !alive;
}

/* ---- the janitor ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void run(int alive, int ready, struct cx_litter *l)
{
	struct pollfd p = {.fd = alive, .events = POLLIN};
	int i;

	setsid();
	prctl(PR_SET_NAME, "cx-janitor");
	for (i = 1; i < NSIG; i++)
		if (i != SIGCHLD)
			signal(i, SIG_IGN);
	if (l->dir[0] && !mkdtemp(l->dir))
		_exit(1);
	(void)!write(ready, "", 1);
	for (i = 0; i < 1024; i++)
		if (i != alive)
			close(i);
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	if (l->dir[0])
		nftw(l->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	/* The kernel closes a dying process's descriptors one after another: the pipe may hang up
	 * while the socket still listens. One that goes on listening is somebody else's. */
	for (i = 0; i < SWEEPS && !sweep_socket(l->socket); i++)
		usleep(SWEEP_PAUSE_US);
	_exit(0);
}

/* It is forked twice over, so that whoever leaves it does not inherit it. */
static int leave(int alive, int ready[2], struct cx_litter *shared)
{
	char byte;
	ssize_t n;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (fork() == 0)
			run(alive, ready[1], shared);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(ready[1]);
	ready[1] = -1;
	while ((n = read(ready[0], &byte, 1)) < 0 && errno == EINTR)
		;
	return n == 1 ? 0 : -EIO;
}

int cx_janitor_leave(int alive, struct cx_litter *litter)
{
	struct cx_litter *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ready[2], code;

	if (shared == MAP_FAILED)
		return -errno;
	*shared = *litter;
	code = pipe2(ready, O_CLOEXEC) < 0 ? -errno : 0;
	if (code == 0) {
		code = leave(alive, ready, shared);
		close(ready[0]);
		if (ready[1] >= 0)
			close(ready[1]);
	}
	if (code == 0)
		*litter = *shared;
	munmap(shared, sizeof(*shared));
	return code;
}
