/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capturing. The owner chooses the ports. An observer reads the records; it may be another process
 * that has the ring only. No sender can tell what an observer does, or whether there is one.
 */
#include "capture.h"

int rvs_capture(struct rvs *rvs, uint32_t port, int is_on)
{
	if (!rvs->config.records)
		return -RVS_BAD_CONFIG;
	if (port >= rvs->config.ports)
		return -RVS_BAD_PORT;
	rvif_store(&rvs_port_at(rvs, port)->captured, !!is_on);
	return 0;
}

int rvs_observe(struct rvs_observer *observer, const void *memory, uint64_t size)
{
	const struct rvs_capture *ring = memory;
	uint64_t records;

	if (size < sizeof(*ring) || (uintptr_t)memory % RVS_ALIGNMENT ||
	    rvs_load64(&ring->magic) != RVS_CAPTURE_MAGIC)
		return -RVS_BAD_MEMORY;
	records = rvs_load64(&ring->records);
	if (!records || (records & (records - 1)) ||
	    records > (size - sizeof(*ring)) / sizeof(ring->record[0]))
		return -RVS_BAD_MEMORY;
	observer->ring = ring;
	observer->records = records;
	observer->next = rvs_load64(&ring->last) + 1;
	observer->waits_for = 0;
	return 0;
}

/* Copies a record, if it is complete before and after the copy. */
static int read_record(const struct rvs_record *record, uint64_t number, struct rvs_copy *copy)
{
	const uint64_t word = number << RVS_WRITER_BITS;

	if (__atomic_load_n(&record->word, __ATOMIC_ACQUIRE) != word)
		return 0;
	rvs_record_copy((uint8_t *)copy, (const uint8_t *)&record->port,
			offsetof(struct rvs_copy, bytes));
	if (copy->size > RVS_SNAP)
		return 0;
	rvs_record_copy(copy->bytes, record->bytes, copy->size);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return rvs_load64(&record->word) == word;
}

int rvs_observed(struct rvs_observer *observer, struct rvs_copy *copy)
{
	const struct rvs_capture *ring = observer->ring;
	const uint64_t last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);

	if (last >= observer->next + observer->records) /* unread records were overwritten */
		observer->next = last - observer->records + 1;
	while (observer->next <= last) {
		const uint64_t number = observer->next;
		const struct rvs_record *record =
			&ring->record[rvs_record_place(number, observer->records)];

		if (read_record(record, number, copy)) {
			observer->next++;
			return 1;
		}
		/* its sender may still be writing it, and gets time until the next call */
		if (observer->waits_for != number &&
		    rvs_load64(&record->word) >> RVS_WRITER_BITS <= number) {
			observer->waits_for = number;
			return 0;
		}
		observer->next++;
	}
	return 0;
}

uint64_t rvs_observable(const struct rvs_observer *observer, uint32_t port)
{
	const struct rvs_capture *ring = observer->ring;

	return port < RVS_MAX_PORTS ? rvs_load64(&ring->frames[port]) : 0;
}
