/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The observers that capture a switch's ports. An observer is another process. It asks for a port
 * through the owner's control socket, and gets the file of the capture ring, to read. It must ask
 * again before the time is over, so that a dead observer soon costs nothing. The owner copies
 * nothing, and never waits for an observer.
 */
#ifndef COMMON_CAPTURES_H
#define COMMON_CAPTURES_H

#include <json-c/json.h>
#include <stddef.h>
#include <rvs/rvs.h>

#define CAPTURE_SECONDS 10 /* seconds for which a port is captured after a request */

struct captures {
	struct rvs *rvs;
	int ring;		     /* the file; -1: none */
	double until[RVS_MAX_PORTS]; /* when a port's capture ends; 0: it is not captured */
};

/*
 * Allocates memory for a switch of this configuration, behind `head` bytes for the caller, a
 * multiple of a page. It is all zero, and stays until the process ends. If the switch has a ring,
 * the ring's pages belong to a file that no other process can change. *size: bytes of all. Returns
 * NULL with errno.
 */
void *captures_memory(struct captures *captures, size_t head, const struct rvs_config *config,
		      size_t *size);

/* Captures the port for CAPTURE_SECONDS from now on. Returns what an observer has to know, or NULL:
 * no memory. */
json_object *captures_port(struct captures *captures, uint32_t port, double now);
/* Ends the capture of the port. */
void captures_end(struct captures *captures, uint32_t port);
/* Tells whether the port is captured. */
int captures_is_on(const struct captures *captures, uint32_t port);
/* Ends captures that are over. */
void captures_look(struct captures *captures, double now);

#endif
