/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Path names: what the program asks for under /sys and /dev, and where it really lies.
 *
 * SYSFS_PATH in the environment names the tree; libibverbs honours it by itself, libmlx5, perftest
 * and programs that walk /sys/class/net use absolute names, which are mapped here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "sysfs.h"

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool is_ours(const char *path)
{
	char dir[64];
	int i;

	if (below(path, "/sys/class/infiniband") || below(path, "/sys/class/infiniband_verbs"))
		return true;
	for (i = 0; i < cx_settings.devs; i++) {
		if (!cx_settings.dev[i].netdev[0])
			continue;
		snprintf(dir, sizeof(dir), "/sys/class/net/%s/device", cx_settings.dev[i].netdev);
		if (below(path, dir))
			return true;
	}
	return false;
}

const char *cx_sysfs_map(const char *path, char buf[PATH_MAX])
{
	const char *tree = getenv("SYSFS_PATH");

	if (!path || !tree || strncmp(path, "/sys/", 5) != 0 || !is_ours(path))
		return path;
	if (snprintf(buf, PATH_MAX, "%s%s", tree, path + 4) >= PATH_MAX)
		return path;
	return buf;
}

void cx_sysfs_unmap(char *path)
{
	const char *tree = getenv("SYSFS_PATH");
	size_t n = tree ? strlen(tree) : 0;

	if (n < 4 || strncmp(path, tree, n) != 0)
		return;
	memmove(path + 4, path + n, strlen(path + n) + 1);
	memcpy(path, "/sys", 4);
}

int cx_sysfs_node(const char *path)
{
	static const char node[] = "/dev/infiniband/uverbs";
	int i;

	if (!path || strncmp(path, node, sizeof(node) - 1) != 0)
		return -1;
	i = path[sizeof(node) - 1] - '0';
	return i >= 0 && i < cx_settings.devs && !path[sizeof(node)] ? i : -1;
}
