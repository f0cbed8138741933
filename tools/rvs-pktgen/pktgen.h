/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvs-pktgen: a packet generator and receiver on a vNIC that it creates. Each pair of queues has a
 * thread, with its data in a struct pktgen of its own. The first thread prints for all of them.
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
	IMIX = 0, /* used as a size */
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
	bool has_mac; /* --mac was given; otherwise the default is used */
	uint32_t size, batch, queues;
	double count, time, rate, interval, wait; /* 0: no limit, or none */
	bool json, poll, latency;
	struct udp_option {
		bool is_on;
		uint8_t from[4], to[4];
	} udp;
	uint32_t flows; /* UDP source ports, used in turn */
	struct rvif_access access;
};

struct pktgen {
	struct options options; /* count and rate are this thread's share */
	struct rvif_vnic *vnic;
	uint32_t queue;
	struct pktgen *all; /* one for each queue, with this one */
	pthread_t thread;
	bool is_running;
	/* only in the first one, for all threads */
	double start;
	bool over; /* receivers are to end */
	struct rvif_ring tx, rx;
	uint8_t mac[6]; /* the vNIC's address: that of the options, then the one that the switch
			 * named */
	uint64_t run;	/* the run of its first flow; differs for each start of a sender */

	uint64_t sent, received, bytes, foreign; /* the first thread reads these while this thread
						  * counts */
	struct sequence sequence;		 /* of this program's frames that came */
	struct latency latency;			 /* of frames with a time */
	uint32_t idle;				 /* rounds without a frame */

	/* for ping */
	uint64_t unanswered;
	uint64_t expected, answered; /* sequence of the frame on its way; when it came back, or 0 */
	uint64_t *samples;	     /* round trips in ns, room for MAX_SAMPLES */
	uint32_t sample_count;
};

#define TEST_MAGIC 0x6e656774656b7072ull /* "rpketgen" */

/* The data of a frame of this program. */
struct test_mark {
	uint64_t magic;
	uint64_t sequence;
	uint64_t run;
	uint64_t sent_ns; /* CLOCK_MONOTONIC; 0: not given */
} __attribute__((packed));

/* The shortest frame: an Ethernet header, and the mark. */
struct test_frame {
	uint8_t to[6];
	uint8_t from[6];
	uint8_t type[2];
	uint16_t flags;
	struct test_mark mark;
} __attribute__((packed));

/* A frame with IP and UDP headers between these. */
struct udp_frame {
	uint8_t to[6];
	uint8_t from[6];
	uint8_t type[2];
	uint8_t ip[20];
	uint8_t udp[8];
	struct test_mark mark;
} __attribute__((packed));

/* Adds to a counter that other threads read. */
static inline void count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* main.c: set by a signal, or when the work cannot continue. */
extern volatile sig_atomic_t stop;

/* options.c. Returns false if the program must end with *status. */
extern const struct program program;
bool read_command_line(struct options *options, int argc, char **argv, int *status);

/* vnic.c: these return 0, or -1 after a message. */
int vnic_open(struct pktgen *p);
int vnic_wait_for_switch(struct pktgen *p);
void vnic_close(struct pktgen *p);

/* frames.c */
uint32_t buffers_of_frame(const struct pktgen *p);
/* Returns for how many frames there is room, at most `frames`. */
uint32_t tx_room(struct pktgen *p, uint32_t frames);
/* Fills the next descriptors with a frame of number 1 or more, without publishing. Each flow is a
 * run with numbers of its own, because the switch keeps the order only within a flow. */
void put_frame(struct pktgen *p, uint64_t sequence);
/* Does the same with a copy of a frame of one buffer, back to its sender. */
void put_answer(struct pktgen *p, const struct test_frame *frame, uint32_t length);
/* Returns the mark of a frame, which has at least a struct test_frame; NULL: it is not from this
 * program. */
const struct test_mark *mark_of(const struct test_frame *frame, uint32_t length);
void publish_tx(struct pktgen *p);
/* Posts all free receive buffers. */
void post_rx(struct pktgen *p);
/* Calls with() for each complete frame that came, and gives the buffers back. Returns how many
 * frames. */
uint32_t take_frames(struct pktgen *p,
		     void (*with)(struct pktgen *p, const struct test_frame *frame,
				  uint32_t length));
/* Sleeps, because no frames came for a while. */
void sleep_a_little(struct pktgen *p);

/* run.c: runs the command to its end, in a thread for each queue, and prints. Returns 0, or -1
 * after a message. */
int run_command(struct pktgen *all);

/* ping.c: sends a frame there and back; answer() is for take_frames(). */
void ping(struct pktgen *p);
void answer(struct pktgen *p, const struct test_frame *frame, uint32_t length);

/* report.c: prints to the standard output, without waiting for its reader. */
void print_latency(struct pktgen *p);
struct totals {
	uint64_t sent, received, bytes, foreign, lost, reordered, duplicated;
	struct latency latency;
};
/* Prints rates of frames and bytes since the last time; at the end, also the totals. */
void print_rates(const struct pktgen *p, const struct totals *totals, double seconds,
		 uint64_t frames, uint64_t bytes, bool is_end);

#endif
