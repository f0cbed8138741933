/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvs-pktgen: a packet generator and receiver on a vNIC that it makes. One thread does everything;
 * what it knows is in struct pktgen, but for the flag that a signal sets.
 */
#ifndef RVS_PKTGEN_H
#define RVS_PKTGEN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <rvif/driver.h>
#include "clock.h"
#include "options.h"

enum {
	RING = 512,
	BUFFER = 2048,
	MIN_SIZE = 64,
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
	uint32_t size, batch;
	double count, time, rate, interval, wait; /* 0: no limit, or none */
	bool json, poll;
	struct rvif_access access;
};

struct pktgen {
	struct options options;
	struct rvif_vnic vnic;
	struct rvif_ring tx, rx;
	uint8_t mac[6]; /* the vNIC's: of the options, then what the switch named */
	uint64_t run;	/* differs for each run of a sender */

	uint64_t sent, received, bytes, lost, disordered, foreign;
	uint64_t last, last_run; /* sequence and run of the last frame of ours that came */
	uint32_t idle;		 /* rounds without a frame */

	/* ping */
	uint64_t expected, answered; /* sequence of the frame on its way; when it came back, or 0 */
	uint64_t *samples;	     /* round trips in ns, room for MAX_SAMPLES */
	uint32_t sample_count;
};

#define TEST_MAGIC 0x6e656774656b7072ull /* "rpketgen" */

/* What a frame of ours holds. */
struct test_frame {
	uint8_t to[6];
	uint8_t from[6];
	uint8_t type[2];
	uint16_t flags;
	uint64_t magic;
	uint64_t sequence;
	uint64_t run;
} __attribute__((packed));

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
/* Fills the next descriptors with a frame; does not publish. */
void put_frame(struct pktgen *p, uint64_t sequence);
/* The same with a copy of a frame of one buffer, back to its sender. */
void put_answer(struct pktgen *p, const struct test_frame *frame, uint32_t length);
void publish_tx(struct pktgen *p);
/* Gives all buffers that are free to the switch. */
void post_rx(struct pktgen *p);
/* Calls with each whole frame that came; gives the buffers back. Returns how many. */
uint32_t take_frames(struct pktgen *p,
		     void (*with)(struct pktgen *p, const struct test_frame *frame,
				  uint32_t length));
/* Nothing came for a while. */
void sleep_a_little(struct pktgen *p);

/* run.c: does the command until its end, and prints. */
void run_command(struct pktgen *p);

/* ping.c: one frame there and back; for take_frames(), the answer. */
void ping(struct pktgen *p);
void answer(struct pktgen *p, const struct test_frame *frame, uint32_t length);

/* report.c: to the standard output, without waiting for its reader. */
void print_latency(struct pktgen *p);
void print_rates(const struct pktgen *p, double seconds, uint64_t frames, uint64_t bytes,
		 bool total);

#endif
