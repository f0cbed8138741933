/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvs-pktgen: a packet generator and receiver on a vNIC that it makes. Each pair of queues has a
 * thread, and what that knows is in a struct pktgen of its own. The first one prints for all.
 */
#ifndef RVS_PKTGEN_H
#define RVS_PKTGEN_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <rvif/driver.h>
#include "clock.h"
#include "latency.h"
#include "options.h"
#include "sequence.h"

enum {
	RING = 512,
	BUFFER = 2048,
	MIN_SIZE = 64,
	MIN_UDP_SIZE = 80, /* with IP and UDP headers before the mark */
	MAX_FLOWS = 1024,
	MAX_QUEUES = 16,
	MAX_SIZE = 9216,
	MAX_BATCH = 256,
	MAX_SAMPLES = 1000000,
	IMIX = 0, /* as a size */
};

enum command {
	TX,
	RX,
	PING,
	PONG
};

struct options {
	enum command command;
	const char *path;
	uint8_t mac[6], to[6];
	bool has_mac; /* by --mac, else the default */
	uint32_t size, batch, queues;
	double count, time, rate, interval, wait; /* 0: no limit, or none */
	bool json, poll, latency;
	struct udp_option {
		bool is_on;
		uint8_t from[4], to[4];
	} udp;
	uint32_t flows; /* source ports of UDP, in turn */
	struct rvif_access access;
};

struct pktgen {
	struct options options; /* count and rate: of this thread */
	struct rvif_vnic *vnic;
	uint32_t queue;
	struct pktgen *all; /* of all queues, this one among them */
	pthread_t thread;
	bool is_running;
	/* of the first one, for all */
	double start;
	bool over; /* a receiver ends */
	struct rvif_ring tx, rx;
	uint8_t mac[6]; /* the vNIC's: of the options, then what the switch named */
	uint64_t run;	/* of its first flow; differs for each run of a sender */

	uint64_t sent, received, bytes, foreign; /* the first one looks at them meanwhile */
	struct sequence sequence;		 /* of the frames of ours that came */
	struct latency latency;			 /* of those that have a time */
	uint32_t idle;				 /* rounds without a frame */

	/* ping */
	uint64_t unanswered;
	uint64_t expected, answered; /* sequence of the frame on its way; when it came back, or 0 */
	uint64_t *samples;	     /* round trips in ns, room for MAX_SAMPLES */
	uint32_t sample_count;
};

#define TEST_MAGIC 0x6e656774656b7072ull /* "rpketgen" */

/* What a frame of ours holds. */
struct test_mark {
	uint64_t magic;
	uint64_t sequence;
	uint64_t run;
	uint64_t sent_ns; /* of CLOCK_MONOTONIC; 0: it does not say */
} __attribute__((packed));

/* The shortest frame: a head, and the mark. */
struct test_frame {
	uint8_t to[6];
	uint8_t from[6];
	uint8_t type[2];
	uint16_t flags;
	struct test_mark mark;
} __attribute__((packed));

/* With IP and UDP headers between them. */
struct udp_frame {
	uint8_t to[6];
	uint8_t from[6];
	uint8_t type[2];
	uint8_t ip[20];
	uint8_t udp[8];
	struct test_mark mark;
} __attribute__((packed));

/* Of a counter that others look at. */
static inline void count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* main.c: set by a signal, or when the work cannot go on. */
extern volatile sig_atomic_t stop;

/* options.c. False: the program ends with *status. */
extern const struct program program;
bool read_command_line(struct options *options, int argc, char **argv, int *status);

/* vnic.c: 0, or -1 after a message. */
int vnic_open(struct pktgen *p);
int vnic_wait_for_switch(struct pktgen *p);
void vnic_close(struct pktgen *p);

/* frames.c */
uint32_t buffers_of_frame(const struct pktgen *p);
/* Room for so many frames, or less. */
uint32_t tx_room(struct pktgen *p, uint32_t frames);
/* Fills the next descriptors with a frame, whose number is 1 or more; does not publish. Each flow
 * is a run with its own numbers: what the switch keeps in order is a flow. */
void put_frame(struct pktgen *p, uint64_t sequence);
/* The same with a copy of a frame of one buffer, back to its sender. */
void put_answer(struct pktgen *p, const struct test_frame *frame, uint32_t length);
/* The mark of a frame of at least a struct test_frame; NULL: it is none of ours. */
const struct test_mark *mark_of(const struct test_frame *frame, uint32_t length);
void publish_tx(struct pktgen *p);
/* Gives all buffers that are free to the switch. */
void post_rx(struct pktgen *p);
/* Calls with each whole frame that came; gives the buffers back. Returns how many. */
uint32_t take_frames(struct pktgen *p,
		     void (*with)(struct pktgen *p, const struct test_frame *frame,
				  uint32_t length));
/* Nothing came for a while. */
void sleep_a_little(struct pktgen *p);

/* run.c: does the command until its end, in as many threads as there are queues, and prints. 0, or
 * -1 after a message. */
int run_command(struct pktgen *all);

/* ping.c: one frame there and back; for take_frames(), the answer. */
void ping(struct pktgen *p);
void answer(struct pktgen *p, const struct test_frame *frame, uint32_t length);

/* report.c: to the standard output, without waiting for its reader. */
void print_latency(struct pktgen *p);
struct totals {
	uint64_t sent, received, bytes, foreign, lost, reordered, duplicated;
	struct latency latency;
};
/* Of frames and bytes since the last time; of what the totals say at the end. */
void print_rates(const struct pktgen *p, const struct totals *totals, double seconds,
		 uint64_t frames, uint64_t bytes, bool is_end);

#endif
