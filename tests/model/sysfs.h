/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The private sysfs tree: the launcher writes it (tree.c), programs read it under the real names.
 */
#ifndef CX_SYSFS_H
#define CX_SYSFS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct cx_config;

/* The path to use instead of path: path itself, or one in the tree, written to buf. Any thread. */
const char *cx_sysfs_map(const char *path, char buf[PATH_MAX]);
/* Takes the tree's prefix off a resolved path. */
void cx_sysfs_unmap(char *path);
/* The device whose node path is, or -1. */
int cx_sysfs_node(const char *path);

/* ---- tree.c, for the launcher ---- */
int cx_tree_write(const char *dir, const struct cx_config *devs, int count);

#endif
