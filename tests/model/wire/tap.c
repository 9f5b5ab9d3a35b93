/* SPDX-License-Identifier: BSD-2-Clause */
/* tap.h: theory and contract. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"

static int refuse(const char *name, int code, char *err, size_t size)
{
	const char *why = strerror(-code);

	if (code == -EBUSY)
		why = "the name is in use";
	else if (code == -EPERM)
		why = "creating it needs CAP_NET_ADMIN";
	snprintf(err, size, "netdev '%s': %s", name, why);
	return code;
}

static int set_address(const char *name, const uint8_t mac[6], uint32_t mtu)
{
	struct ifreq addr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};
	struct ifreq len = {.ifr_mtu = (int)mtu};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int code = 0;

	if (sock < 0)
		return -errno;
	memcpy(addr.ifr_name, name, strlen(name) + 1);
	memcpy(len.ifr_name, name, strlen(name) + 1);
	memcpy(addr.ifr_hwaddr.sa_data, mac, 6);
	if (ioctl(sock, SIOCSIFHWADDR, &addr) || ioctl(sock, SIOCSIFMTU, &len))
		code = -errno;
	close(sock);
	return code;
}

int cx_tap_open(const char *name, const uint8_t mac[6], uint32_t mtu, char *err, size_t size)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL)};
	int fd, code;

	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		snprintf(err, size, "netdev '%s': /dev/net/tun: %s", name, strerror(errno));
		return -errno;
	}
	code = ioctl(fd, TUNSETIFF, &ifr) ? -errno : set_address(name, mac, mtu);
	if (code == 0)
		return fd;
	close(fd);
	return refuse(name, code, err, size);
}

int cx_tap_read(int fd, void *buf, uint32_t size)
{
	ssize_t n = read(fd, buf, size);

	if (n >= 0)
		return (int)n;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int cx_tap_write(int fd, const void *frame, uint32_t len)
{
	return write(fd, frame, len) < 0 ? -errno : 0;
}

void cx_tap_set_carrier(int fd, bool on)
{
	int value = on;

	ioctl(fd, TUNSETCARRIER, &value);
}
