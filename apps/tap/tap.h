/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvif-tap: an rvif vNIC as a network interface of Linux. The main thread follows the switch's
 * state. Two threads for each queue move frames. A word that more than one thread uses is atomic.
 */
#ifndef RVIF_TAP_H
#define RVIF_TAP_H

#include <net/if.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <rvif/driver.h>
#include "frames.h"
#include "options.h"

enum {
	MIN_RING = RVIF_MAX_CHAIN,
	MIN_BUFFER = 1024,	     /* so that a chain has room for the longest frame */
	BATCH = 64,		     /* frames between two publications */
	ETHER_OVERHEAD = 14 + 2 * 4, /* Ethernet header and two VLAN tags */
	MIN_MTU = 68,
	MAX_MTU = RVIF_MAX_FRAME - ETHER_OVERHEAD,
	RETRY_MS = 100,
};

struct options {
	const char *where;
	char name[IFNAMSIZ];
	uint32_t queues;
	uint32_t ring;
	uint32_t buffer;
	uint32_t hold; /* milliseconds */
	uint32_t mtu;
	uint8_t mac[6];
	bool has_mac;
	struct rvif_access access;
	bool no_csum, no_tso, promiscuous;
	uint32_t drop; /* out of 1000 received frames, for tests */
	bool stats, json;
	int ready_fd;
};

/* Counters; each is written by one thread. report.c has their names. */
struct sent_stats {
	uint64_t frames, bytes, gso, kicks, kick_errors, sleeps, full;
	uint64_t dropped_length, dropped_offload;
};

struct received_stats {
	uint64_t frames, bytes, gso, sleeps, wakeups;
	uint64_t dropped_bad, dropped_down, dropped_refused, dropped_on_purpose;
};

struct daemon;

struct __attribute__((aligned(RVIF_LINE))) queue {
	struct daemon *daemon;
	uint32_t number;
	int fd; /* a file of the interface */
	pthread_t transmitter, receiver;
	bool transmits, receives; /* the thread runs */

	struct frames tx __attribute__((aligned(RVIF_LINE)));
	struct sent_stats sent;

	struct frames rx __attribute__((aligned(RVIF_LINE)));
	struct received_stats received;
	uint64_t random;
};

struct daemon {
	struct options options;
	struct rvif_vnic vnic;
	struct queue *queues;
	int wake;	  /* an eventfd that wakes the main thread */
	uint32_t granted; /* features of the last attach */
	bool lost;	  /* a kick found that the switch is gone */
	bool gone;	  /* the interface is gone */
	bool stop;
	/* only the main thread uses these */
	bool started, carrier;
	uint32_t generation;  /* the attach that gave the interface its features */
	uint8_t mac[6];	      /* the interface's: its first address, then the one that the switch
			       * named */
	uint64_t next_try_ms; /* earliest time of the next try to reconnect */
	int why_not;	      /* error of the last try to reconnect */
};

/* options.c. Returns false if the program must end with *status. */
extern const struct program program;
bool read_command_line(struct options *options, int argc, char **argv, int *status);

/* interface.c: these return 0, or -1 after a message. */
int interface_open(struct daemon *d);
void interface_close(struct daemon *d);
/* Lets the kernel pass frames that need what the switch granted. */
int interface_set_features(const struct daemon *d, uint32_t features);
int interface_get_mac(const struct daemon *d, uint8_t mac[6]);
int interface_set_mac(const struct daemon *d, const uint8_t mac[6]);
int interface_set_carrier(const struct daemon *d, bool on);
/* Returns the interface's present name: the administrator may have renamed it. */
const char *interface_name(struct daemon *d);

/* transmit.c and receive.c: main functions of the threads. Argument: their queue. */
void *transmit(void *queue);
void *receive(void *queue);

/* report.c: prints to the standard output, without waiting for its reader. */
void report(struct daemon *d);

static inline void count(uint64_t *counter, uint64_t more)
{
	__atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

static inline bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

/* main.c: sets the flag and wakes the main thread. */
void tell(struct daemon *d, bool *flag);

#endif
