/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libc as it is below the interposed symbols (preload.c). Everything in the library that opens,
 * maps, stats or closes goes through this table, so that it never meets itself.
 */
#ifndef CX_SYS_H
#define CX_SYS_H

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

struct cx_libc {
	int (*open)(const char *, int, ...);
	int (*openat)(int, const char *, int, ...);
	FILE *(*fopen)(const char *, const char *);
	int (*stat)(const char *, struct stat *);
	int (*lstat)(const char *, struct stat *);
	int (*access)(const char *, int);
	ssize_t (*readlink)(const char *, char *, size_t);
	char *(*realpath)(const char *, char *);
	DIR *(*opendir)(const char *);
	ssize_t (*write)(int, const void *, size_t);
	int (*ioctl)(int, unsigned long, ...);
	void *(*mmap)(void *, size_t, int, int, int, off_t);
	int (*munmap)(void *, size_t);
	int (*close)(int);
	int (*socket)(int, int, int);
};

extern struct cx_libc cx_libc;
void cx_libc_init(void); /* any thread, any number of times */
/* The device's descriptors are known by number. */
#define CX_MAX_FD 65536
void cx_fd_mark(int fd, _Bool ours);

#endif
