/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manager's daemon without a host and a switch: its ports are the daemon's own code, and what
 * they ask of the host and of the switch is noted here and answered as a test wants it.
 */
#ifndef FAKE_MANAGER_H
#define FAKE_MANAGER_H

#include "daemon.h"

#define FAKE_PORTS 4 /* that there is room for */
#define FAKE_CALLS 64

struct fake_manager {
	struct daemon *daemon;
	/* The manager's calls, in the order they came; attachment: of GONE and ABORTED. */
	struct {
		long op, port, attachment;
	} calls[FAKE_CALLS];
	unsigned int count;
	long link; /* what LOOK returns */
	long held; /* queues, by the call that was aborted */
	/* Calls of this operation end with this error, so often. */
	struct {
		long op, error;
		unsigned int times;
	} fails;
	uint8_t tickets[FAKE_PORTS + 1][ELISA_TICKET_SIZE]; /* of the places; all 0: none */
	unsigned int tickets_fail; /* so many of the next ones are not taken */
	uint64_t evicted;	   /* the last attachment that was */
	uint32_t evict_why;	   /* enum elisa_why: why that fails */
	/* what elisa_events_read() gives; above 0: all that there is room for, so often */
	int events_result;
	/* uplinks' processes that there are, and how often one was started, told to end, killed */
	int uplinks, uplinks_started, uplinks_told, uplinks_killed;
	bool uplinks_fail;   /* none can be started */
	bool uplink_is_deaf; /* it does not end when it is told to */
	bool uplink_ends;    /* it does, or did so by itself */
	/* of the last one */
	char uplink_interface[IFNAMSIZ];
	uint8_t uplink_ticket[ELISA_TICKET_SIZE];
	char said[256];	       /* what was printed last */
	unsigned int lines;    /* that were printed */
	unsigned int left_out; /* that were said to be */
};

extern struct fake_manager fake;

/* For cmocka: a manager of three ports, "first", "second" and "third". */
int fake_start(void **unused);
int fake_end(void **unused);

struct net;
/* The switch of these vNICs becomes the daemon's, with its capture ring; until the process ends. */
void fake_switch(struct net *net);

/* The host says so; an abort is the first one of vCPU 2. */
void event(uint32_t type, uint64_t attachment, int64_t value);
/* The guest's first call: from then on the switch knows the attachment. */
void joins(uint32_t place, uint64_t attachment);
/* What the calls since the last time were, as "L1:0 G2:7 ". */
void assert_calls(const char *expected);
/* The next calls of this operation fail. */
void call_fails(long op, long error, unsigned int times);
/* So many calls of the attachment were stopped in a delivery. */
void stall(uint64_t attachment, int times);

#endif
