/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which RDMA device belongs to an interface, what it can do, and what stands in the way.
 *
 * An interface and an RDMA device of the same PCI function have the same `device` in sysfs, and the
 * function's folder lists both. What has no function of its own (bond, VLAN, bridge) is refused
 * with the name of what could be served; a representor shares its function with the port that it
 * belongs to, and its packets do not come to queues of that function.
 */
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rdma.h"

/* ---- finding ---- */

static bool exists(const char *dev, const char *what)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", dev, what);
	return !access(path, F_OK);
}

/* First word of a file about the interface; false: none or empty. */
static bool word(const char *dev, const char *what, char out[64])
{
	char path[128];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", dev, what);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fscanf(f, "%63s", out) == 1;
	fclose(f);
	return ok;
}

static int refuse_kind(const char *dev, struct rn_err *err)
{
	if (exists(dev, "bonding"))
		return rn_fail(err, -ENODEV,
			       "%s is a bond: name the interfaces below it, or backend = \"xdp\"",
			       dev);
	if (exists(dev, "bridge"))
		return rn_fail(err, -ENODEV,
			       "%s is a bridge: name an interface of its, or backend = \"xdp\"",
			       dev);
	if (!if_nametoindex(dev))
		return rn_fail(err, -ENODEV, "%s: there is no such interface", dev);
	return rn_fail(err, -ENODEV,
		       "%s belongs to no device (a VLAN or other virtual interface?): name the one "
		       "below it and put the VLAN into the rules, or backend = \"xdp\"",
		       dev);
}

/* Name of the RDMA device of the interface's PCI function. */
static int device_name(const char *dev, char name[64], struct rn_err *err)
{
	char path[128], port_name[64];
	struct dirent *e;
	DIR *dir;

	if (!exists(dev, "device"))
		return refuse_kind(dev, err);
	if (word(dev, "phys_port_name", port_name) && strstr(port_name, "pf") &&
	    (strstr(port_name, "vf") || strstr(port_name, "sf")))
		return rn_fail(err, -ENODEV,
			       "%s is the representor %s: serve the function that it stands for, "
			       "or backend = \"xdp\"",
			       dev, port_name);
	snprintf(path, sizeof(path), "/sys/class/net/%s/device/infiniband", dev);
	dir = opendir(path);
	name[0] = 0;
	while (dir && !name[0] && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			snprintf(name, 64, "%.63s", e->d_name);
	if (dir)
		closedir(dir);
	if (!name[0])
		return rn_fail(err, -ENODEV, "%s: its device has no RDMA driver", dev);
	return 0;
}

static int open_named(const char *dev, const char *name, struct ibv_context **ctx,
		      struct rn_err *err)
{
	int n, rc = -ENODEV;
	struct ibv_device **list = ibv_get_device_list(&n);

	if (!list)
		return rn_fail(err, -errno, "%s: no list of RDMA devices: %s", dev,
			       strerror(errno));
	*ctx = NULL;
	for (int i = 0; i < n && !*ctx; i++) {
		if (strcmp(ibv_get_device_name(list[i]), name) != 0)
			continue;
		*ctx = ibv_open_device(list[i]);
		rc = -errno;
	}
	ibv_free_device_list(list);
	if (*ctx)
		return 0;
	return rn_fail(err, rc,
		       rc == -ENODEV
			       ? "%s: libibverbs does not know %s (is its provider installed, "
				 "ib_uverbs loaded?)%s"
			       : "%s: %s cannot be opened: %s",
		       dev, name, rc == -ENODEV ? "" : strerror(-rc));
}

/* ---- what it can do ---- */

static int check_port(const char *dev, struct ibv_context *ctx, struct rn_err *err)
{
	struct ibv_port_attr port;
	int rc = ibv_query_port(ctx, 1, &port);

	if (rc)
		return rn_fail(err, -rc, "%s: its port cannot be queried: %s", dev, strerror(rc));
	if (port.link_layer != IBV_LINK_LAYER_ETHERNET)
		return rn_fail(err, -ENODEV, "%s: the link is InfiniBand, not Ethernet", dev);
	return 0;
}

static bool raw(uint32_t types)
{
	return types >> IBV_QPT_RAW_PACKET & 1;
}

static int check_caps(const char *dev, struct ibv_context *ctx, struct rn_rdma_caps *c,
		      struct rn_err *err)
{
	struct ibv_device_attr_ex a = {0};
	int rc = ibv_query_device_ex(ctx, NULL, &a);

	if (rc)
		return rn_fail(err, -rc, "%s: its device cannot be queried: %s", dev, strerror(rc));
	if (!a.orig_attr.max_qp || !a.max_wq_type_rq || !raw(a.rss_caps.supported_qpts))
		return rn_fail(err, -EOPNOTSUPP,
			       "%s: the device has no raw packet queues with receive side scaling",
			       dev);
	*c = (struct rn_rdma_caps) {
		.part = a.orig_attr.vendor_part_id,
		.max_wr = (uint32_t)a.orig_attr.max_qp_wr,
		.max_cqe = (uint32_t)a.orig_attr.max_cqe,
		.max_indirection = a.rss_caps.max_rwq_indirection_table_size,
		.max_sge = (uint32_t)a.orig_attr.max_sge,
		.csum = a.raw_packet_caps & IBV_RAW_PACKET_CAP_IP_CSUM,
		.max_tso = raw(a.tso_caps.supported_qpts) ? a.tso_caps.max_tso : 0,
		.stamps = a.completion_timestamp_mask,
	};
	memcpy(c->fw, a.orig_attr.fw_ver, sizeof(c->fw));
	c->fw[sizeof(c->fw) - 1] = 0;
	return 0;
}

int rn_rdma_find(const struct rn_port_config *config, struct ibv_context **ctx,
		 struct rn_rdma_caps *caps, struct rn_err *err)
{
	char name[64];
	int rc = device_name(config->dev, name, err);

	*ctx = NULL;

	if (!rc)
		rc = open_named(config->dev, name, ctx, err);
	if (rc || !*ctx)
		return rc;
	rc = check_port(config->dev, *ctx, err);
	if (!rc)
		rc = check_caps(config->dev, *ctx, caps, err);
	if (rc)
		rn_rdma_close_device(*ctx);
	return rc;
}

void rn_rdma_close_device(struct ibv_context *ctx)
{
	if (ctx)
		ibv_close_device(ctx);
}

/* ---- telling ---- */

void rn_rdma_report(const struct rn_port *port, FILE *out)
{
	const struct rn_rdma *rdma = rn_rdma_of(port);
	const struct rn_rdma_caps *c = &rdma->caps;

	fprintf(out, "device %s, part 0x%x, firmware %s\n", ibv_get_device_name(rdma->ctx->device),
		c->part, c->fw);
	if (exists(port->config.dev, "device/physfn"))
		fprintf(out,
			"a virtual function: MAC addresses of clients need it to be trusted\n");
	fprintf(out, "queues of %u requests, completion queues of %u, spread over %u entries\n",
		c->max_wr, c->max_cqe, c->max_indirection);
	rn_rdma_say(out, "checksums of sent packets", c->csum, "by the device",
		    "the device does not offer them; by software");
	rn_rdma_say(out, "segmentation", c->csum && c->max_tso, "by the device",
		    "the device does not offer it; by software");
	fprintf(out,
		"flows: %u priorities for kinds of match, one above them for the kernel's own\n",
		RN_RDMA_PRIORITIES - 1);
}

/* ---- rights ---- */

static bool capable(unsigned cap)
{
	unsigned long long effective = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			break;
	if (f)
		fclose(f);
	return effective >> cap & 1;
}

int rn_rdma_rights(const struct rn_port_config *config, struct rn_err *err)
{
	enum {
		NET_RAW = 13,
		IPC_LOCK = 14,
		LEAST = 64 << 20
	};
	struct rlimit lock;

	if (!capable(NET_RAW))
		return rn_fail(err, -EPERM, "%s: raw packet queues need CAP_NET_RAW", config->dev);
	if (!capable(IPC_LOCK) && !getrlimit(RLIMIT_MEMLOCK, &lock) && lock.rlim_cur < LEAST)
		return rn_fail(err, -EPERM,
			       "%s: the device pins the memory of clients: RLIMIT_MEMLOCK is %llu "
			       "KiB, CAP_IPC_LOCK or LimitMEMLOCK=infinity is needed",
			       config->dev, (unsigned long long)lock.rlim_cur / 1024);
	return 0;
}
