/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How memory of a driver's comes to the switch that maps its file: by a socket beside the file,
 * whose name has the file's inode, so that none is taken for that of another file. A switch
 * connects, and gets one message: a struct shared_piece for each piece, and the descriptors.
 */
#ifndef RVIF_SHARING_H
#define RVIF_SHARING_H

#include <rvif/driver.h>

struct shared_piece {
	uint64_t at;
	uint64_t size;
};

/* Driver: a socket that listens, with this access. The descriptor or -errno. */
int sharing_listen(const char *path, uint64_t inode, const struct rvif_access *access);
/* Driver: gives the memory to all that have asked. */
void sharing_serve(int listener, const struct rvif_sharing *sharing);
void sharing_remove(const char *path, uint64_t inode);

/* Switch: asks. The descriptor or -errno. */
int sharing_ask(const char *path, uint64_t inode);
/* Switch: the answer. Returns how many pieces there are, whose descriptors are then the caller's,
 * -EAGAIN if it has not come, or another -errno. Of a piece fd, at and size are set, as the driver
 * says. */
int sharing_receive(int socket, struct rvif_memory *memory);

#endif
