/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of the socket by which a driver shares memory with a switch; see sharing.h. No function
 * here waits. */
#include "sharing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The descriptors of one message. The kernel takes no more in one message (SCM_MAX_FD). */
union descriptors {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(RVIF_MAX_MEMORY * sizeof(int))];
};

uint64_t rvif_place(struct rvif_memory *memory, uint32_t count, uint64_t end)
{
	for (uint32_t i = 0; i < count; i++) {
		struct rvif_memory *piece = &memory[i];
		const uint64_t page = piece->page;

		if (!page || page & (page - 1) || page > RVIF_MAX_REGION || !piece->size ||
		    piece->size > RVIF_MAX_REGION || (piece->size | piece->at) & (page - 1))
			return 0;
		piece->offset = (end + page - 1) & ~(page - 1);
		end = piece->offset + piece->size;
		if (end > RVIF_MAX_REGION)
			return 0;
	}
	return end;
}

static int name_socket(struct sockaddr_un *name, const char *path, uint64_t inode)
{
	name->sun_family = AF_UNIX;
	if ((size_t)snprintf(name->sun_path, sizeof(name->sun_path), "%s.%llu", path,
			     (unsigned long long)inode) >= sizeof(name->sun_path))
		return -ENAMETOOLONG;
	return 0;
}

void sharing_remove(const char *path, uint64_t inode)
{
	struct sockaddr_un name;

	if (!name_socket(&name, path, inode))
		unlink(name.sun_path);
}

static int open_socket(void)
{
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/* Listens only after the access of the socket is set, so that no other user can connect before. */
int sharing_listen(const char *path, uint64_t inode, const struct rvif_access *access)
{
	struct sockaddr_un name;
	const int error = name_socket(&name, path, inode), fd = error ? error : open_socket();

	if (fd < 0)
		return fd;
	unlink(name.sun_path); /* left by a dead driver; its file had the same inode */
	if (!bind(fd, (struct sockaddr *)&name, sizeof(name)) &&
	    !chmod(name.sun_path, access->mode ? access->mode : 0600) &&
	    (!access->has_group || !chown(name.sun_path, (uid_t)-1, access->group)) &&
	    !listen(fd, 8))
		return fd;

	const int failed = -errno;

	close(fd);
	unlink(name.sun_path);
	return failed;
}

static void send_memory(int to, const struct rvif_sharing *sharing)
{
	struct shared_piece pieces[RVIF_MAX_MEMORY];
	union descriptors descriptors;
	struct iovec data = {pieces, sharing->count * sizeof(*pieces)};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &descriptors,
		.msg_controllen = CMSG_SPACE(sharing->count * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	memset(&descriptors, 0, sizeof(descriptors));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sharing->count * sizeof(int));
	for (uint32_t i = 0; i < sharing->count; i++) {
		const struct rvif_memory *piece = &sharing->memory[i];

		pieces[i] = (struct shared_piece){piece->at, piece->size};
		memcpy(CMSG_DATA(header) + i * sizeof(int), &piece->fd, sizeof(int));
	}
	/* if this fails, the switch sees the end of the connection, and asks again or refuses the
	 * vNIC */
	(void)!sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void sharing_serve(int listener, const struct rvif_sharing *sharing)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		send_memory(fd, sharing);
		close(fd);
	}
}

int sharing_ask(const char *path, uint64_t inode)
{
	struct sockaddr_un name;
	const int error = name_socket(&name, path, inode), fd = error ? error : open_socket();

	if (fd < 0 || !connect(fd, (struct sockaddr *)&name, sizeof(name)))
		return fd;

	const int failed = -errno;

	close(fd);
	return failed;
}

int sharing_receive(int socket, struct rvif_memory *memory)
{
	struct shared_piece pieces[RVIF_MAX_MEMORY];
	union descriptors descriptors;
	struct iovec data = {pieces, sizeof(pieces)};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &descriptors,
		.msg_controllen = sizeof(descriptors),
	};
	const ssize_t size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = size < 0 ? NULL : CMSG_FIRSTHDR(&message);
	uint32_t count = 0;

	if (size < 0)
		return -errno;
	/* the buffer has room for one control header only, so there is no second one */
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		count = (uint32_t)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	for (uint32_t i = 0; i < count; i++) {
		memory[i] = (struct rvif_memory){.at = pieces[i].at, .size = pieces[i].size};
		memcpy(&memory[i].fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
	}
	if (count && (size_t)size == count * sizeof(*pieces) &&
	    !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return (int)count;
	while (count--)
		close(memory[count].fd);
	return -EPROTO;
}
