/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The observers that capture a switch's ports. An observer is another process. It asks for a port
 * through the owner's control socket, and gets the file of the capture ring, to read. It must ask
 * again before the time is over, so that a dead observer costs nothing soon. The owner copies
 * nothing, and never waits for an observer.
 */
#ifndef COMMON_CAPTURES_H
#define COMMON_CAPTURES_H

#include <json-c/json.h>
#include <stddef.h>
#include <rvs/rvs.h>

#define CAPTURE_SECONDS 10 /* for which a port is captured, once that was asked for */

struct captures {
	struct rvs *rvs;
	int ring;		     /* the file; -1: none */
	double until[RVS_MAX_PORTS]; /* 0: the port is not captured */
};

/*
 * Memory for the switch of this configuration, behind "head" bytes of the caller's, a multiple of
 * a page; all zero, and the process's until it ends. If the switch has a ring, its pages are those
 * of a file that no other process can change. *size: of all of it. NULL with errno.
 */
void *captures_memory(struct captures *captures, size_t head, const struct rvs_config *config,
		      size_t *size);

/* The port is captured for a time from now on. What an observer has to know, or NULL: no memory. */
json_object *captures_port(struct captures *captures, uint32_t port, double now);
/* It is not any more. */
void captures_end(struct captures *captures, uint32_t port);
/* Is it? */
int captures_is_on(const struct captures *captures, uint32_t port);
/* Ends those whose time is over. */
void captures_look(struct captures *captures, double now);

#endif
