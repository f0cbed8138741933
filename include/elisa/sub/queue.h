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
	int64_t entries; /* distance from here to the first one */
	uint32_t size;	 /* of an entry, bytes */
	uint32_t mask;
	uint8_t unused[48];
	uint32_t put; /* entries so far; by the producer */
	uint8_t unused_too[60];
	uint32_t taken; /* by the consumer */
	uint8_t unused_as_well[60];
};

/*
 * Manager, once. entries: memory of count * size bytes. -EINVAL: count is no power of two, or size
 * is 0.
 */
int elisa_queue_init(struct elisa_queue *queue, void *entries, uint32_t count, uint32_t size);

/* Producer: an entry of the queue's size. -EAGAIN: there is no room. */
int elisa_queue_put(struct elisa_queue *queue, const void *entry);

/* Consumer: *entry: out. -EAGAIN: there is none. */
int elisa_queue_take(struct elisa_queue *queue, void *entry);

#ifdef __cplusplus
}
#endif

#endif
