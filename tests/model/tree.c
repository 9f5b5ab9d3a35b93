/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes the private sysfs tree of the configured devices. Used by the launcher.
 *
 * The names are those that libibverbs (init.c, sysfs.c), libmlx5 (mlx5.c: device/modalias, numa)
 * and perftest read. Every uverbs device has the number of /dev/zero, which stands in for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "sysfs.h"

/* Makes all directories above path. */
static int make_parents(char *path)
{
	char *p;

	for (p = path + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

__attribute__((format(printf, 3, 4))) static int put(const char *dir, const char *name,
						     const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	FILE *f;
	int err;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	err = make_parents(path);
	if (err)
		return err;
	f = fopen(path, "w");
	if (!f)
		return -errno;
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fputc('\n', f);
	return fclose(f) ? -errno : 0;
}

static int put_link(const char *dir, const char *name, const char *to)
{
	char path[PATH_MAX];
	int err;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	err = make_parents(path);
	if (err)
		return err;
	return symlink(to, path) < 0 ? -errno : 0;
}

static int write_pci(const char *dir, const struct cx_config *c, int i)
{
	int err;

	err = put(dir, "modalias", "pci:v000015B3d%08Xsv000015B3sd00000016bc02sc00i00",
		  c->pers->part_id);
	err = err ? err : put(dir, "vendor", "0x15b3");
	err = err ? err : put(dir, "device", "0x%04x", c->pers->part_id);
	err = err ? err : put(dir, "numa_node", "-1");
	err = err ? err : put(dir, "uevent", "DRIVER=mlx5_core\nPCI_SLOT_NAME=0000:c%d:00.0", i);
	return err;
}

static int write_verbs(const char *dir, const struct cx_config *c)
{
	int err;

	err = put(dir, "ibdev", "%s", c->name);
	err = err ? err : put(dir, "dev", "1:5");
	return err ? err : put(dir, "abi_version", "1");
}

static int write_ib(const char *dir, const struct cx_config *c)
{
	const uint8_t *m = c->mac;
	char guid[32];
	int err;

	snprintf(guid, sizeof(guid), "%02x%02x:%02xff:fe%02x:%02x%02x", m[0] ^ 2, m[1], m[2], m[3],
		 m[4], m[5]);
	err = put(dir, "node_type", "1: CA");
	err = err ? err : put(dir, "node_guid", "%s", guid);
	err = err ? err : put(dir, "sys_image_guid", "%s", guid);
	err = err ? err : put(dir, "fw_ver", "16.35.2000");
	err = err ? err : put(dir, "board_id", "CX_SOFTWARE");
	err = err ? err : put(dir, "hca_type", "MT%u", c->pers->part_id);
	err = err ? err : put(dir, "ports/1/gids/0", "fe80:0000:0000:0000:%s", guid);
	err = err ? err : put(dir, "ports/1/gid_attrs/types/0", "RoCE v2");
	err = err ? err : put(dir, "ports/1/gid_attrs/ndevs/0", "%s", c->netdev);
	err = err ? err : put(dir, "ports/1/link_layer", "Ethernet");
	err = err ? err : put(dir, "ports/1/state", "4: ACTIVE");
	return err ? err : put(dir, "ports/1/pkeys/0", "0xffff");
}

static int write_device(const char *tree, const struct cx_config *c, int i)
{
	char dir[PATH_MAX], pci[64], to[128];
	int err;

	snprintf(pci, sizeof(pci), "devices/pci0000:c%d/0000:c%d:00.0", i, i);
	snprintf(dir, sizeof(dir), "%s/%s", tree, pci);
	err = write_pci(dir, c, i);
	snprintf(to, sizeof(to), "../../../%s", pci);

	snprintf(dir, sizeof(dir), "%s/class/infiniband_verbs/uverbs%d", tree, i);
	err = err ? err : write_verbs(dir, c);
	err = err ? err : put_link(dir, "device", to);

	snprintf(dir, sizeof(dir), "%s/class/infiniband/%s", tree, c->name);
	err = err ? err : write_ib(dir, c);
	err = err ? err : put_link(dir, "device", to);

	snprintf(dir, sizeof(dir), "%s/%s/infiniband/%s", tree, pci, c->name);
	err = err ? err : put(dir, "node_type", "1: CA");
	if (!c->netdev[0] || err)
		return err;
	snprintf(dir, sizeof(dir), "%s/%s/net/%s", tree, pci, c->netdev);
	err = put(dir, "dev_port", "0");
	snprintf(dir, sizeof(dir), "%s/class/net/%s", tree, c->netdev);
	return err ? err : put_link(dir, "device", to);
}

int cx_tree_write(const char *dir, const struct cx_config *devs, int count)
{
	int i, err;

	err = put(dir, "class/infiniband_verbs/abi_version", "6");
	for (i = 0; i < count && !err; i++)
		err = write_device(dir, &devs[i], i);
	return err;
}
