/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet socket. The kernel says for each frame which offloads it needs (PACKET_VNET_HDR), so
 * that a frame of 64 KiB comes and goes in one piece. For an interface without these offloads, the
 * kernel cuts it and fills in checksums. A VLAN tag that the interface took out of a frame comes
 * beside the frame.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "internal.h"

#define QUEUE_BYTES (8 << 20) /* in the kernel, for each direction: dozens of the longest frames */

static int set(int fd, int option)
{
	const int on = 1;

	return setsockopt(fd, SOL_PACKET, option, &on, sizeof(on)) ? -errno : 0;
}

/* Sets the sizes of the kernel's queues: beyond the system's limit if this process may, else as
 * much as the limit allows. */
static void set_queues(int fd)
{
	const int bytes = QUEUE_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* Opens the socket with protocol 0, so that it gets no frames before it is bound. */
int packet_open(struct uplink *u)
{
	int error;

	u->socket = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->socket < 0)
		return -errno;
	set_queues(u->socket);
	error = set(u->socket, PACKET_VNET_HDR);
	if (!error)
		error = set(u->socket, PACKET_AUXDATA);
	if (!error)
		error = set(u->socket, PACKET_IGNORE_OUTGOING); /* not frames that this host
								 * sends */
	return error;
}

static int request(const struct uplink *u, unsigned long what, struct ifreq *request)
{
	return ioctl(u->socket, what, request) ? -errno : 0;
}

int packet_find(const struct uplink *u)
{
	struct ifreq its = {0};
	int error;

	memcpy(its.ifr_name, u->name, IFNAMSIZ);
	error = request(u, SIOCGIFINDEX, &its);
	return error ? error : its.ifr_ifindex;
}

/* The interface may have been renamed, so it is found by its index. */
int packet_flags(const struct uplink *u)
{
	struct ifreq its = {.ifr_ifindex = u->index};
	int error = request(u, SIOCGIFNAME, &its);

	if (!error)
		error = request(u, SIOCGIFFLAGS, &its);
	return error ? error : (unsigned short)its.ifr_flags;
}

static bool is_ethernet(const struct uplink *u)
{
	struct ifreq its = {0};

	memcpy(its.ifr_name, u->name, IFNAMSIZ);
	return !request(u, SIOCGIFHWADDR, &its) && its.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

/* Binds the socket. The interface takes frames for any address, as long as it and the socket
 * exist. */
int packet_bind(const struct uplink *u, int index)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
	const struct packet_mreq all = {.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC};

	if (!is_ethernet(u))
		return -EPROTONOSUPPORT;
	if (bind(u->socket, (const struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(u->socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)))
		return -errno;
	return 0;
}

static uint32_t tag_of(struct msghdr *message)
{
	struct tpacket_auxdata beside;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(beside)))
			continue;
		memcpy(&beside, CMSG_DATA(c), sizeof(beside));
		if (!(beside.tp_status & TP_STATUS_VLAN_VALID))
			return 0;
		return (uint32_t)(beside.tp_status & TP_STATUS_VLAN_TPID_VALID ?
					  beside.tp_vlan_tpid :
					  ETH_P_8021Q)
			       << 16 |
		       beside.tp_vlan_tci;
	}
	return 0;
}

int packet_receive(const struct uplink *u, struct virtio_net_hdr *header, struct iovec *parts,
		   uint32_t count, uint32_t *tag)
{
	union {
		struct cmsghdr first;
		uint8_t bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} beside;
	struct msghdr message = {.msg_iov = parts,
				 .msg_iovlen = count,
				 .msg_control = &beside,
				 .msg_controllen = sizeof(beside)};
	ssize_t length;

	parts[0] = (struct iovec){.iov_base = header, .iov_len = sizeof(*header)};
	length = recvmsg(u->socket, &message, 0);
	if (length < 0)
		return -errno;
	if (length < (ssize_t)sizeof(*header))
		return -EMSGSIZE;
	*tag = tag_of(&message);
	return (int)length - (int)sizeof(*header);
}

int packet_send(const struct uplink *u, struct iovec *parts, uint32_t count)
{
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};

	return sendmsg(u->socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

uint32_t packet_missed(const struct uplink *u)
{
	struct tpacket_stats stats;
	socklen_t size = sizeof(stats);

	if (getsockopt(u->socket, SOL_PACKET, PACKET_STATISTICS, &stats, &size))
		return 0;
	return stats.tp_drops;
}
