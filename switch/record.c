/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records frames in the capture ring (capture.h). Senders record frames of captured ports, as they
 * were sent and as they were given. The bytes lie in memory that others may change at any time. So
 * the bytes in a record may differ from the delivered bytes. The record's lengths and its first 14
 * bytes are the checked ones.
 */
#include "capture.h"
#include "receiver.h"

/* A record that is being written. */
struct writing {
	struct rvs_record *record; /* NULL: there is no place for it */
	uint64_t number;
	uint32_t total, size;
};

/* Begins a record. The frame counts from here on, so a frame without a record counts as lost. */
static void begin(struct rvs_sender *s, uint32_t port, struct writing *w)
{
	struct rvs_capture *ring = rvs_capture_of(s->rvs);
	const uint32_t records = s->rvs->config.records;
	uint64_t word;

	__atomic_fetch_add(&ring->frames[port], 1, __ATOMIC_RELAXED);
	w->number = __atomic_add_fetch(&ring->last, 1, __ATOMIC_RELAXED);
	s->recording = rvs_record_place(w->number, records);
	w->record = &ring->record[s->recording];
	w->total = w->size = 0;
	word = rvs_load64(&w->record->word);
	/* another sender writes here, maybe for ever, or has a later record here already */
	if ((word & RVS_WRITER_MASK) || word >> RVS_WRITER_BITS > w->number ||
	    !__atomic_compare_exchange_n(&w->record->word, &word,
					 w->number << RVS_WRITER_BITS | (s->number + 1), 0,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		w->record = NULL;
}

static void put(struct writing *w, const uint8_t *data, uint32_t length)
{
	const uint32_t n = rvs_min(length, RVS_SNAP - w->size);

	rvs_record_copy(w->record->bytes + w->size, data, n);
	w->size += n;
	w->total += length;
}

static void end(const struct writing *w, uint32_t port, int given, uint32_t verdict)
{
	struct rvs_record *record = w->record;

	record->port = (uint16_t)port;
	record->length = (uint16_t)w->total;
	record->size = (uint16_t)w->size;
	record->given = (uint8_t)given;
	record->verdict = (uint8_t)verdict;
	__atomic_store_n(&record->word, w->number << RVS_WRITER_BITS, __ATOMIC_RELEASE);
}

/* Copies frame n from its sender's memory. */
static void put_frame(const struct rvs_sender *s, uint32_t n, struct writing *w)
{
	const struct rvs_frame *frame = &s->frames[n];
	const struct rvs_extra *extra = &s->extras[n];
	const uint32_t parts = frame->flags & RVS_SPECIAL ? extra->parts : 0;

	put(w, frame->data, rvs_first_length(s, n));
	for (uint32_t i = 0; i < parts; i++)
		put(w, s->parts[extra->first_part + i].data,
		    s->parts[extra->first_part + i].length);
	rvs_put_head(w->record->bytes, frame->head_dst, frame->head_rest);
}

void rvs_record_taken(struct rvs_sender *s, uint32_t n, uint32_t verdict)
{
	struct writing w;

	begin(s, s->port_number, &w);
	if (!w.record)
		return;
	put_frame(s, n, &w);
	end(&w, s->port_number, 0, verdict);
}

void rvs_record_given(struct rvs_sender *s, uint32_t port, uint32_t n, uint32_t verdict,
		      uint32_t buffers)
{
	struct writing w;

	begin(s, port, &w);
	if (!w.record)
		return;
	if (verdict != RVS_GOOD)
		put_frame(s, n, &w);
	else
		for (uint32_t i = 0; i < buffers; i++)
			put(&w, s->buffers[i].data, s->buffers[i].length);
	end(&w, port, 1, verdict);
}

void rvs_record_release(struct rvs *rvs, uint32_t sender)
{
	const uint32_t place = rvs_sender_at(rvs, sender)->recording;
	uint64_t *word = &rvs_capture_of(rvs)->record[place].word;

	if ((rvs_load64(word) & RVS_WRITER_MASK) == sender + 1)
		__atomic_store_n(word, 0, __ATOMIC_RELEASE);
}
