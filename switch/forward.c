/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwards frames, and cleans up after a sender that was stopped while it forwarded. A sender works
 * under the lock of the queue that it empties. The lock word names the sender, and the clean-up
 * needs to know no more.
 */
#include "run.h"

static int lock_sender(struct rvs *rvs, struct rvs_txq *txq, uint32_t sender, uint32_t port)
{
	if (rvs_likely(rvs_lock_for(rvs, &txq->lock, sender + 1)))
		return 0;
	if (rvif_load(&txq->lock) != RVS_LOCK_DEAD)
		return -RVS_BUSY;
	return rvif_load(&rvs_port_at(rvs, port)->tx_queues) ? -RVS_BAD_QUEUE : -RVS_BAD_PORT;
}

static void begin(struct rvs_sender *s, struct rvs *rvs, struct rvs_result *result)
{
	s->rvs = rvs;
	s->result = result;
	s->bad_count = 0; /* a stopped call may have left any value */
	result->held = 0;
	result->frames = 0;
	result->delivered = 0;
	result->dropped = 0;
	result->pending = 0;
	result->wakes = 0;
	result->more_wakes = 0;
}

/*
 * Takes a batch of frames of any kind, and delivers it. Returns how many descriptors the batch had,
 * or 0 if its first frame is held.
 */
static __attribute__((noinline)) uint32_t move_batch(struct rvs_sender *s, uint32_t next,
						     uint32_t posted, uint32_t limit)
{
	rvs_take(s, next, posted, limit);
	rvs_deliver(s);
	s->result->frames += s->batch.frames;
	return s->batch.descs;
}

int rvs_forward(struct rvs *rvs, uint32_t sender, uint32_t port, uint32_t queue, uint32_t budget,
		uint32_t now, struct rvs_result *result)
{
	struct rvs_sender *s;
	struct rvs_txq *txq;
	struct rvif_queue *control;
	uint32_t next, posted;
	int error;

	if (rvs_unlikely(sender >= rvs->config.senders))
		return -RVS_BAD_SENDER;
	if (rvs_unlikely(port >= rvs->config.ports))
		return -RVS_BAD_PORT;
	if (rvs_unlikely(queue >= rvs->config.queues))
		return -RVS_BAD_QUEUE;
	s = rvs_sender_at(rvs, sender);
	begin(s, rvs, result);
	s->number = sender;
	s->port_number = port;
	s->txq_number = port * rvs->config.queues + queue;
	s->now = now;
	s->hold = budget & RVS_HOLD;
	budget &= ~RVS_HOLD;
	s->port = rvs_port_at(rvs, port);
	s->txq = txq = rvs_txq_at(rvs, s->txq_number);
	error = lock_sender(rvs, txq, sender, port);
	if (rvs_unlikely(error))
		return error;

	control = txq->control;
	next = rvs_taken_now(txq)->next;
	posted = rvs_posted(control, next, s->port->tx_mask);
	while (posted && result->frames < budget) {
		const uint32_t limit = budget - result->frames;
		uint32_t used = rvs_run(s, next, rvs_min(posted, limit));

		if (rvs_likely(used))
			result->frames += used;
		else
			used = move_batch(s, next, posted, limit);
		if (rvs_unlikely(!used)) {
			result->held = 1;
			break;
		}
		next += used;
		posted -= used;
		rvif_publish(&control->completed, next);
	}
	result->pending = posted;
	result->next = next;
	rvs_unlock(&txq->lock);
	return 0;
}

/* ------------------------------------------------------------------- a sender that is gone */

/* Completes a stopped delivery, whether its record counts already or not. */
static int release_receiver(struct rvs *rvs, uint32_t number, uint32_t queue, uint32_t lock)
{
	struct rvs_rxq *rxq = rvs_rxq_at(rvs, number * rvs->config.queues + queue);
	const struct rvs_given *given = rvs_given_now(rxq);
	const struct rvs_port *sender = rvs_port_at(rvs, given->from / rvs->config.queues);
	struct rvs_txq *txq = rvs_txq_at(rvs, given->from);

	if (rvif_load_acquire(&rxq->lock) != lock)
		return 0;
	/* The record may be an older one, of this or of another sender. */
	if (rvif_load(&txq->lock) == lock && given->from_generation == sender->generation &&
	    (int64_t)(given->delivered_after - txq->delivered) > 0)
		rvs_store64(&txq->delivered, given->delivered_after);
	rvif_publish(&rxq->control->completed, given->next);
	rvs_unlock(&rxq->lock);
	return 1;
}

/* Releases a stopped sender's queue. Frames that were taken and did not arrive are lost. */
static int release_queue(struct rvs *rvs, uint32_t number, uint32_t queue, uint32_t lock)
{
	struct rvs_txq *txq = rvs_txq_at(rvs, number * rvs->config.queues + queue);
	const struct rvs_taken *taken = rvs_taken_now(txq);
	uint64_t lost;

	if (rvif_load_acquire(&txq->lock) != lock)
		return 0;
	lost = taken->frames + txq->copies - txq->delivered;
	for (uint32_t reason = 0; reason < RVS_DROPS; reason++)
		lost -= txq->drops[reason];
	if (lost)
		rvs_count(&txq->drops[RVS_DROP_ABANDONED], lost);
	rvif_publish(&txq->control->completed, taken->next);
	rvs_unlock(&txq->lock);
	return 1;
}

int rvs_sender_holds(struct rvs *rvs, uint32_t sender)
{
	int held = 0;

	if (sender >= rvs->config.senders)
		return -RVS_BAD_SENDER;
	for (uint32_t q = 0; q < rvs->config.ports * rvs->config.queues; q++)
		held += rvif_load(&rvs_rxq_at(rvs, q)->lock) == sender + 1;
	return held;
}

int rvs_sender_gone(struct rvs *rvs, uint32_t sender)
{
	int held = 0;

	if (sender >= rvs->config.senders)
		return -RVS_BAD_SENDER;
	if (rvs->config.records)
		rvs_record_release(rvs, sender);
	/* receivers first: their records bring the senders' counts up to date */
	for (uint32_t p = 0; p < rvs->config.ports; p++) {
		struct rvs_port *port = rvs_port_at(rvs, p);

		for (uint32_t queue = 0; port->attached && queue < port->rx_queues; queue++)
			held += release_receiver(rvs, p, queue, sender + 1);
	}
	for (uint32_t p = 0; p < rvs->config.ports; p++) {
		struct rvs_port *port = rvs_port_at(rvs, p);

		for (uint32_t queue = 0; port->attached && queue < port->tx_queues; queue++)
			held += release_queue(rvs, p, queue, sender + 1);
	}
	return held;
}
