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
	/* from the start on */
	struct uplink_seen *seen; /* of the owner's memory */
	struct rvif_vnic vnic;
	int socket;
	int wake; /* an eventfd: it is to end */
	pthread_t inward, outward;
	/* the owner's */
	char name[IFNAMSIZ]; /* as it was called, and is looked for */
	int index;	     /* of the interface; 0: none */
	bool looked;	     /* at least once */
	int why_not;	     /* it could not be used the last time: -errno */
	char said[256];
	bool said_lost; /* that frames are */
	double next_look, next_try;
	/* of the owner for the threads */
	uint32_t granted; /* features, while the switch serves the vNIC; NOT_SERVED */
	bool stop;
	/* of the threads for the owner */
	bool lost; /* a call said that the switch is gone */

	struct frames tx __attribute__((aligned(RVIF_LINE))); /* inward */
	struct frames rx __attribute__((aligned(RVIF_LINE))); /* outward */
};

#define NOT_SERVED UINT32_MAX

enum {
	UPLINK_BATCH = 64, /* frames between two publications */
	UPLINK_RETRY_MS = 100,
	UPLINK_TAG = 4, /* bytes of a VLAN's tag */
};

/* packet.c: the socket, of all kinds of frames. 0, or -errno. */
int packet_open(struct uplink *u);
/* From now on it is that of this interface. */
int packet_bind(const struct uplink *u, int index);
/* The index of the interface of that name, or its flags; below 0: -errno. */
int packet_find(const struct uplink *u);
int packet_flags(const struct uplink *u);
/*
 * The next frame from the interface: its header, and its data in these parts, of which the last one
 * is for what is too long. *tag is its VLAN's tag, if the kernel took it out of the frame, with the
 * type before it; else 0. Bytes of data, or -errno.
 */
int packet_receive(const struct uplink *u, struct virtio_net_hdr *header, struct iovec *parts,
		   uint32_t count, uint32_t *tag);
/* A frame; parts: the header, then the data. 0, or -errno. */
int packet_send(const struct uplink *u, struct iovec *parts, uint32_t count);
/* Frames that the kernel had no room for since the last call. */
uint32_t packet_missed(const struct uplink *u);

/* inward.c, outward.c: threads; argument: the uplink. */
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
