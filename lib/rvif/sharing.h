/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the memory of a driver comes to the switch that maps the driver's file. The driver listens at
 * a socket beside the file. The socket's name contains the file's inode number, so a switch never
 * takes it for the socket of another file. A switch connects and gets one message: a struct
 * shared_piece and a descriptor for each piece.
 */
#ifndef RVIF_SHARING_H
#define RVIF_SHARING_H

#include <rvif/driver.h>

struct shared_piece {
	uint64_t at;
	uint64_t size;
};

/* Driver: returns the descriptor of a socket that listens, with this access, or -errno. */
int sharing_listen(const char *path, uint64_t inode, const struct rvif_access *access);
/* Driver: sends the memory to each switch that has connected. */
void sharing_serve(int listener, const struct rvif_sharing *sharing);
void sharing_remove(const char *path, uint64_t inode);

/* Switch: connects. Returns the descriptor of the connection, or -errno. */
int sharing_ask(const char *path, uint64_t inode);
/* Switch: receives the answer. Returns the number of pieces, -EAGAIN if no answer has come yet, or
 * another -errno. The descriptors of the pieces then belong to the caller. Of each piece, fd, at
 * and size are set to what the driver says; nothing of it is checked. */
int sharing_receive(int socket, struct rvif_memory *memory);

#endif
