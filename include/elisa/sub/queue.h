/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of entries of one size, from one producer at a time to one consumer at a time, without a
 * lock. Several producers, or several consumers, take a lock around it. That lock needs no repair
 * after a death. The producer copies an entry in and then puts it by one store. The consumer copies
 * an entry out and then takes it by one store. So a producer that dies has put the entry or has
 * not. If a consumer dies before its store, the entry comes again.
 */
#ifndef ELISA_SUB_QUEUE_H
#define ELISA_SUB_QUEUE_H

#include <errno.h>
#include <elisa/copy.h>

#ifdef __cplusplus
extern "C" {
#endif

struct elisa_queue {
	int64_t entries; /* distance from here to the first entry */
	uint32_t size;	 /* bytes of an entry */
	uint32_t mask;
	uint8_t unused[48];
	uint32_t put; /* entries put so far; the producer writes it */
	uint8_t unused_too[60];
	uint32_t taken; /* entries taken so far; the consumer writes it */
	uint8_t unused_as_well[60];
};

/*
 * Prepares a queue. The manager calls it once. entries: memory of count * size bytes. Errors:
 * -EINVAL (count is no power of two, or size is 0).
 */
int elisa_queue_init(struct elisa_queue *queue, void *entries, uint32_t count, uint32_t size);

/* Puts an entry of the queue's size. The producer calls it. Returns -EAGAIN if there is no room. */
int elisa_queue_put(struct elisa_queue *queue, const void *entry);

/* Takes an entry. The consumer calls it. *entry: out. Returns -EAGAIN if there is none. */
int elisa_queue_take(struct elisa_queue *queue, void *entry);

#ifdef __cplusplus
}
#endif

#endif
