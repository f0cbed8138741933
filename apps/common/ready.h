/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the starter of the program that it is ready: by a line in a file that --ready-fd names, and
 * by systemd's notification (Type=notify). Neither waits for a reader.
 *
 * The notification is one datagram, of a protocol that sd_notify(3) promises to keep and shows in a
 * few lines. libsystemd would bring five libraries into processes that hold /dev/elisa.
 */
#ifndef COMMON_READY_H
#define COMMON_READY_H

#include "options.h"

option_reader option_ready_fd; /* int; 0: none */

#define OPTION_READY_FD(member)                                                                 \
	OPTION_READ("ready-fd", "FD", "the number of an open file, 3 or more", option_ready_fd, \
		    member,                                                                     \
		    "write \"READY=1\" there when it is ready, "                                \
		    "and close it")

/* Tells it to fd, unless fd is 0, and to systemd, if systemd started the program. Returns 0, or
 * -errno: one of them was not told. */
int ready_tell(int fd);

/* Tells systemd that the start, or the end, goes on and may take so much longer. */
void ready_not_yet(uint32_t seconds);

#endif
