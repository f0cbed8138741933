/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling a receive queue. A sender locks the queue, fills it, and makes the given frames count. It
 * holds one such lock at a time, and never waits for a lock without end.
 */
#ifndef RVS_RECEIVER_H
#define RVS_RECEIVER_H

#include "internal.h"
#include "words.h"

/* A receive queue while this sender holds its lock. */
struct rvs_receiver {
	struct rvs_port *port;
	struct rvs_rxq *rxq;
	struct rvif_queue *control;
	struct rvif_desc *ring;
	uint32_t next;
	uint32_t room;
	uint32_t frames;
	uint32_t missed;   /* frames without a buffer */
	uint32_t captured; /* the port's frames are recorded */
	uint32_t number;   /* the port's */
	uint64_t bytes;
};

/* Locks the queue, and waits a little for other senders. Returns RVS_GOOD if it is locked. */
static inline uint32_t rvs_receiver_lock(const struct rvs_sender *s, struct rvs_rxq *rxq)
{
	for (uint32_t spins = 0;; spins++) {
		uint32_t holder;

		if (rvs_likely(rvs_lock_for(s->rvs, &rxq->lock, s->number + 1)))
			return RVS_GOOD;
		holder = rvif_load(&rxq->lock);
		if (holder == RVS_LOCK_DEAD)
			return RVS_DROP_DETACHED;
		/* this sender's own lock: a call was stopped, and is not yet cleaned up */
		if (holder == s->number + 1 || spins == RVS_SPINS)
			return RVS_DROP_BUSY;
		__builtin_ia32_pause();
	}
}

/* Reads the queue's state. Port and queue are set, and the queue is locked. */
static inline void rvs_receiver_open(struct rvs_receiver *r)
{
	r->control = r->rxq->control;
	r->ring = r->rxq->ring;
	r->next = rvs_given_now(r->rxq)->next;
	r->room = rvs_posted(r->control, r->next, r->port->rx_mask);
}

/* Tells whether so few descriptors are left that senders have to share them. */
static inline int rvs_receiver_is_crowded(const struct rvs_receiver *r)
{
	return r->room < r->port->crowded;
}

/* share.c: reduces the room of a crowded ring to this sender's share. */
void rvs_share(const struct rvs_sender *s, struct rvs_receiver *r);

/*
 * Writes the checked head of a frame, because the sender may have changed its own copy since. `dst`
 * has the first 6 bytes, and `rest` the next 8.
 */
static inline void rvs_put_head(uint8_t *to, uint64_t dst, uint64_t rest)
{
	elisa_copy_put(to, dst | rest << 48);
	elisa_copy_put(to + 6, rest);
}

/* deliver.c: notes in the result which receiver to wake */
void rvs_add_wake(struct rvs_result *result, uint32_t port, uint32_t queue);

/*
 * Makes the given frames count and be seen. One store makes the record count, and the other words
 * follow from the record. If the sender stops in between, rvs_sender_gone() writes these words.
 */
static inline void rvs_receiver_finish(const struct rvs_sender *s, struct rvs_receiver *r,
				       uint32_t number, uint32_t queue)
{
	struct rvs_rxq *rxq = r->rxq;
	const uint32_t current = rxq->current;
	const struct rvs_given *now = &rxq->given[current & 1];
	struct rvs_given *next = &rxq->given[~current & 1];
	const uint64_t delivered = s->txq->delivered + r->frames;
	uint32_t sleep;

	rvs_store64(&next->frames, now->frames + r->frames);
	rvs_store64(&next->bytes, now->bytes + r->bytes);
	next->delivered_after = delivered;
	next->from = s->txq_number;
	next->from_generation = s->port->generation;
	next->next = r->next;
	rvs_commit(&rxq->current, current + 1);
	rvs_store64(&s->txq->delivered, delivered);
	s->result->delivered += r->frames;
	if (rvs_likely(!(r->port->features & RVIF_F_NOTIFY))) {
		rvif_publish(&r->control->completed, r->next);
		return;
	}
	__atomic_exchange_n(&r->control->completed, r->next, __ATOMIC_SEQ_CST);
	sleep = rvif_load(&r->control->need_notify);
	/* a receiver that is woken without a frame sleeps on, and is not notified again */
	if (sleep && sleep != rxq->notified && r->frames) {
		rxq->notified = sleep;
		rvs_add_wake(s->result, number, queue);
	}
}

#endif
