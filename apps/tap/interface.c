/* SPDX-License-Identifier: Apache-2.0 */
/* The TAP device: a file for each queue. Each failure is reported with the interface's name and
 * what to do. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "output.h"
#include "tap.h"

#define DEVICE "/dev/net/tun"

static int failed(const struct daemon *d, const char *what)
{
	const char *hint = "";

	if (errno == EPERM || errno == EACCES)
		hint = "; this needs CAP_NET_ADMIN";
	else if (errno == EBUSY)
		hint = "; there is an interface of this name already";
	output_print(STDERR_FILENO, "rvif-tap: %s: %s: %s%s\n", d->options.name, what,
		     strerrordesc_np(errno), hint);
	return -1;
}

static int open_queue(struct daemon *d, uint32_t number)
{
	struct ifreq request = {0};
	int header_size = sizeof(struct virtio_net_hdr);
	int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return failed(d, DEVICE);
	d->queues[number].fd = fd;
	memcpy(request.ifr_name, d->options.name, IFNAMSIZ);
	/* do not take another program's interface: it would stay when this process ends */
	request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE |
				    (number ? 0 : IFF_TUN_EXCL));
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return failed(d, "TUNSETIFF");
	memcpy(d->options.name, request.ifr_name, IFNAMSIZ);
	if (ioctl(fd, TUNSETVNETHDRSZ, &header_size) < 0)
		return failed(d, "TUNSETVNETHDRSZ");
	return 0;
}

/* Makes a request that goes to a socket, not to the device. */
static int configure(const struct daemon *d, unsigned long what, struct ifreq *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result, error;

	if (fd < 0)
		return -1;
	memcpy(request->ifr_name, d->options.name, IFNAMSIZ);
	result = ioctl(fd, what, request);
	error = errno;
	close(fd);
	errno = error;
	return result;
}

int interface_open(struct daemon *d)
{
	struct ifreq request = {.ifr_mtu = (int)d->options.mtu};

	for (uint32_t i = 0; i < d->options.queues; i++)
		if (open_queue(d, i))
			return -1;
	if (configure(d, SIOCSIFMTU, &request) < 0)
		return failed(d, "setting the MTU");
	return interface_set_carrier(d, false);
}

void interface_close(struct daemon *d)
{
	for (uint32_t i = 0; i < d->options.queues; i++)
		if (d->queues[i].fd >= 0)
			close(d->queues[i].fd);
}

int interface_set_features(const struct daemon *d, uint32_t features)
{
	unsigned int offloads = 0;

	if (features & RVIF_F_CSUM) {
		offloads |= TUN_F_CSUM;
		if (features & RVIF_F_TSO4)
			offloads |= TUN_F_TSO4;
		if (features & RVIF_F_TSO6)
			offloads |= TUN_F_TSO6;
	}
	if (ioctl(d->queues[0].fd, TUNSETOFFLOAD, offloads) < 0)
		return failed(d, "TUNSETOFFLOAD");
	return 0;
}

int interface_get_mac(const struct daemon *d, uint8_t mac[6])
{
	struct ifreq request = {0};

	if (ioctl(d->queues[0].fd, SIOCGIFHWADDR, &request) < 0)
		return failed(d, "reading the address");
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	return 0;
}

int interface_set_mac(const struct daemon *d, const uint8_t mac[6])
{
	struct ifreq request = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

	memcpy(request.ifr_hwaddr.sa_data, mac, 6);
	/* a request of the device itself, so that it also works from another network namespace */
	if (ioctl(d->queues[0].fd, SIOCSIFHWADDR, &request) < 0)
		return failed(d, "setting the address");
	return 0;
}

int interface_set_carrier(const struct daemon *d, bool on)
{
	int value = on;

	if (ioctl(d->queues[0].fd, TUNSETCARRIER, &value) < 0)
		return failed(d, "TUNSETCARRIER");
	return 0;
}

const char *interface_name(struct daemon *d)
{
	struct ifreq request = {0};

	if (ioctl(d->queues[0].fd, TUNGETIFF, &request) >= 0)
		memcpy(d->options.name, request.ifr_name, IFNAMSIZ);
	return d->options.name;
}
