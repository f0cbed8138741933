/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of entries; <elisa/sub/queue.h> has the story. */
#include <elisa/sub/queue.h>

static void *entry_at(struct elisa_queue *queue, uint32_t number)
{
	return (void *)((uintptr_t)queue + (uintptr_t)queue->entries +
			(uintptr_t)(number & queue->mask) * queue->size);
}

int elisa_queue_init(struct elisa_queue *queue, void *entries, uint32_t count, uint32_t size)
{
	if (!count || count & (count - 1) || !size)
		return -EINVAL;
	queue->entries = (int64_t)((uintptr_t)entries - (uintptr_t)queue);
	queue->size = size;
	queue->mask = count - 1;
	queue->put = 0;
	queue->taken = 0;
	return 0;
}

int elisa_queue_put(struct elisa_queue *queue, const void *entry)
{
	const uint32_t put = queue->put;

	if (put - __atomic_load_n(&queue->taken, __ATOMIC_ACQUIRE) > queue->mask)
		return -EAGAIN;
	elisa_copy(entry_at(queue, put), entry, queue->size);
	__atomic_store_n(&queue->put, put + 1, __ATOMIC_RELEASE);
	return 0;
}

int elisa_queue_take(struct elisa_queue *queue, void *entry)
{
	const uint32_t taken = queue->taken;

	if (__atomic_load_n(&queue->put, __ATOMIC_ACQUIRE) == taken)
		return -EAGAIN;
	elisa_copy(entry, entry_at(queue, taken), queue->size);
	__atomic_store_n(&queue->taken, taken + 1, __ATOMIC_RELEASE);
	return 0;
}
