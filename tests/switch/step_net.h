/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A switch of three vNICs for tests that stop or disturb a forward at each instruction: one that
 * sends, one that gets single frames, and one of small buffers that wants to be woken.
 */
#ifndef STEP_NET_H
#define STEP_NET_H

#include "step.h"

enum {
	SENDER = 0,
	ONE = 1,  /* gets single frames */
	MANY = 2, /* small buffers, wants to be woken */

	STEP_SEGMENTS = 2,	 /* of step_post_segments() */
	STEP_TCP_LENGTH_AT = 46, /* of their header: the byte with its length */
};

/* Of the next switches: small, for all of one is copied for each instruction. */
void step_config(int one_thread);
/* The sender's flags (enum rvs_port_flag), and its limit of each kind; 0: none. */
struct net *step_net(uint32_t sender_flags, uint64_t limit);
/* The sender may send what is to be cut, and no receiver takes it whole. */
struct net *step_net_that_cuts(void);
/* Posts a frame of TCP from the sender to ONE that is to be cut into STEP_SEGMENTS. */
void step_post_segments(struct net *net);
/* Returns how many segments came, each with the header that was sent. */
uint32_t step_take_segments(struct net *net);

#endif
