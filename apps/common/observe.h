/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The observer of a captured port (captures.h): it asks the switch's owner for the port, reads the
 * ring, and prints or writes the frames that pass a filter. The filter is libpcap's, and runs here:
 * ports may send any bytes, and only this process looks at them.
 */
#ifndef COMMON_OBSERVE_H
#define COMMON_OBSERVE_H

#include <stdint.h>

struct observation {
	const char *program; /* for messages */
	const char *socket;  /* the owner's socket */
	const char *port;
	const char *file; /* pcapng; "-": the standard output; NULL: a line for each frame */
	uint64_t count;	  /* frames until it ends; 0: it ends at a signal */
	char **filter;	  /* words of the filter, then a NULL */
};

/* Observes until a signal comes. Returns the exit status: 0; 1 after a message; 2 if the filter is
 * invalid. */
int observe(const struct observation *what);

#endif
