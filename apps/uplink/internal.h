/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of an uplink share. The owner's thread writes the state and what it has granted.
 * Each of the two other threads writes its own counters and its ring. A word that more than one
 * thread uses is atomic.
 */
#ifndef UPLINK_INTERNAL_H
#define UPLINK_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include "frames.h"
#include "uplink.h"

struct uplink {
	/* set before the threads start */
	struct uplink_seen *seen; /* in the owner's memory */
	struct rvif_vnic vnic;
	int socket;
	int wake; /* an eventfd that tells the threads to end */
	pthread_t inward, outward;
	/* only the owner's thread uses these */
	char name[IFNAMSIZ]; /* the configured name, by which it is looked for */
	int index;	     /* the interface's index; 0: none */
	bool looked;	     /* the owner has looked at least once */
	int why_not;	     /* -errno: why it could not be used at the last look */
	char said[256];
	bool said_lost; /* it was reported that frames are lost */
	double next_look, next_try;
	/* from the owner to the threads */
	uint32_t granted; /* granted features while the switch serves the vNIC; else NOT_SERVED */
	bool stop;
	/* from the threads to the owner */
	bool lost; /* a call found that the switch is gone */

	struct frames tx __attribute__((aligned(RVIF_LINE))); /* for the inward thread */
	struct frames rx __attribute__((aligned(RVIF_LINE))); /* for the outward thread */
};

#define NOT_SERVED UINT32_MAX

enum {
	UPLINK_BATCH = 64, /* frames between two publications */
	UPLINK_RETRY_MS = 100,
	UPLINK_TAG = 4, /* bytes of a VLAN's tag */
};

/* packet.c: opens the socket, for all kinds of frames. Returns 0, or -errno. */
int packet_open(struct uplink *u);
/* Binds the socket to this interface. */
int packet_bind(const struct uplink *u, int index);
/* Return the index of the interface of that name, or its flags; below 0: -errno. */
int packet_find(const struct uplink *u);
int packet_flags(const struct uplink *u);
/*
 * Receives the next frame from the interface: its header, and its data in these parts; the last
 * part is for bytes beyond the limit. *tag: the VLAN tag, with the type before it, if the kernel
 * took it out of the frame; else 0. Returns the bytes of data, or -errno.
 */
int packet_receive(const struct uplink *u, struct virtio_net_hdr *header, struct iovec *parts,
		   uint32_t count, uint32_t *tag);
/* Sends a frame. parts: the header, then the data. Returns 0, or -errno. */
int packet_send(const struct uplink *u, struct iovec *parts, uint32_t count);
/* Returns how many frames the kernel had no room for since the last call. */
uint32_t packet_missed(const struct uplink *u);

/* inward.c, outward.c: main functions of the threads. Argument: the uplink. */
void *uplink_inward(void *uplink);
void *uplink_outward(void *uplink);

static inline void count(uint64_t *counter, uint64_t more)
{
	__atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

static inline bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

#endif
