/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes captured frames as a pcapng file (draft-ietf-opsawg-pcapng): one interface, a block for
 * each frame, and at the end how many there were and how many were lost. libpcap reads this format
 * and does not write it. Its own format has no place for losses, directions and reasons.
 */
#ifndef COMMON_PCAPNG_H
#define COMMON_PCAPNG_H

#include <stdint.h>
#include <stdio.h>

struct pcapng_frame {
	uint64_t ns;	     /* since 1970 */
	const uint8_t *data; /* the first `size` bytes of the frame */
	uint32_t size, length;
	int is_outbound;
	const char *comment; /* NULL: none */
};

struct pcapng_counts {
	uint64_t begin_ns, end_ns;
	uint64_t received, lost, accepted, written;
};

/* Return 0, or -errno. */
int pcapng_begin(FILE *to, const char *program, const char *interface, uint32_t snap);
int pcapng_frame(FILE *to, const struct pcapng_frame *frame);
int pcapng_end(FILE *to, const struct pcapng_counts *counts);

#endif
