/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads that a guest sends in pieces, by a handle. upload.c has the story. Each call takes the
 * upload's lock, so two threads of a guest may send pieces of one value.
 *
 * The cells of an upload hold old bytes of other items. Pieces come without a gap, and an upload
 * becomes an item only when all bytes were sent. So no reader gets the old bytes.
 */
#include "upload.h"

static int is_of(const struct kv_call *call, const struct kv_upload *upload, uint64_t handle)
{
	return handle && kv_load(&upload->owner) == call->attachment &&
	       kv_load(&upload->handle) == handle;
}

static struct kv_upload *at(const struct kv_call *call, uint32_t number)
{
	return kv_upload_at(call, call->place, number);
}

/* Finds the attachment's upload of this handle, and locks it. */
static int find(const struct kv_call *call, uint64_t handle, struct kv_upload **found)
{
	for (uint32_t i = 0; i < KV_UPLOADS; i++) {
		struct kv_upload *one = at(call, i);
		int error;

		if (!is_of(call, one, handle))
			continue;
		error = kv_upload_lock(call, one, ELISA_LOCK_SPINS);
		if (error)
			return error;
		*found = one;
		if (is_of(call, one, handle))
			return 0;
		elisa_lock_release(&one->lock);
	}
	return -EBADF;
}

/* ------------------------------------------------------------------------------ beginning */

/* Returns the upload's handle if it belongs to the calling attachment. Returns 0 if the upload is
 * empty, has no handle, or is another attachment's. */
static uint64_t value_of(const struct kv_call *call, const struct kv_upload *upload)
{
	return kv_load(&upload->owner) == call->attachment ? kv_load(&upload->handle) : 0;
}

/* Locks the upload, if it still has this value. */
static int lock_if(const struct kv_call *call, struct kv_upload *upload, uint64_t value)
{
	const int error = kv_upload_lock(call, upload, 0);

	if (error || value_of(call, upload) == value)
		return error;
	elisa_lock_release(&upload->lock);
	return -EBUSY;
}

/* Chooses an upload that is not in use, or else the oldest one, and locks it. */
static int choose(const struct kv_call *call, struct kv_upload **chosen)
{
	struct kv_upload *oldest = at(call, 0);

	for (uint32_t i = 0; i < KV_UPLOADS; i++) {
		*chosen = at(call, i);
		if (!value_of(call, *chosen) && !lock_if(call, *chosen, 0))
			return 0;
		if (value_of(call, *chosen) < value_of(call, oldest))
			oldest = *chosen;
	}
	*chosen = oldest;
	return lock_if(call, oldest, value_of(call, oldest));
}

long kv_upload(const struct kv_call *call, const struct kv_put *put)
{
	struct kv_made made = {.length = put->length, .meta = put->meta};
	struct kv_upload *upload;
	uint64_t handle;
	int error;

	if (put->length > KV_VALUE_MAX)
		return -EFBIG;
	error = choose(call, &upload);
	if (error)
		return error;
	made.cells = kv_cells_for(call->space, put->key->length, put->length);
	error = kv_upload_clear(call, upload, &handle);
	if (!error)
		error = kv_upload_reserve(call, upload, made.cells);
	if (error) {
		kv_upload_drop(call, upload);
		return error;
	}
	made.first = KV_LOW(upload->chain);
	made.last = KV_HIGH(upload->chain);
	kv_item_make(call, put->key, &made);
	kv_store_word(&upload->cursor, KV_PAIR(made.first, 0));
	kv_store_word(&upload->sent, 0);
	/* from here on the upload stays if this call dies */
	__atomic_store_n(&upload->handle, handle, __ATOMIC_RELEASE);
	elisa_lock_release(&upload->lock);
	return (long)handle;
}

/* ------------------------------------------------------------------------------ a piece */

/* Returns which cell of an item has the byte, and where that cell's bytes begin. */
static uint32_t cell_of(const struct kv_space *space, uint64_t byte, uint64_t *begin)
{
	const uint32_t first = (1u << space->cell_shift) - KV_ITEM_HEAD;
	const uint32_t other = (1u << space->cell_shift) - KV_CELL_HEAD;
	uint32_t number;

	*begin = 0;
	if (byte < first)
		return 0;
	number = (uint32_t)((byte - first) / other);
	*begin = first + (uint64_t)number * other;
	return number + 1;
}

/*
 * Begins a walk at this byte. Pieces mostly come in order, so the cursor keeps where the last one
 * ended. The cursor is one word, so a caller that dies leaves a cell and its number that belong
 * together.
 */
static int walk_to(const struct kv_call *call, const struct kv_upload *upload, uint64_t byte,
		   struct kv_walk *walk)
{
	const struct kv_space *space = call->space;
	struct kv_head *head = kv_head(space, KV_LOW(upload->chain));
	const uint64_t cursor = kv_load(&upload->cursor);
	uint64_t begin, skipped = 0;
	const uint32_t number = cell_of(space, byte, &begin);

	kv_walk_from(walk, space, head);
	if (KV_HIGH(cursor) && KV_HIGH(cursor) <= number) {
		walk->cell = (uint8_t *)kv_cell(space, KV_LOW(cursor));
		walk->at = KV_CELL_HEAD;
		skipped = (1u << space->cell_shift) - KV_ITEM_HEAD +
			  (uint64_t)(KV_HIGH(cursor) - 1) *
				  ((1u << space->cell_shift) - KV_CELL_HEAD);
	}
	return kv_walk_skip(walk, byte - skipped);
}

/* Notes that the value has come up to this byte, where the walk has ended. */
static void set_sent(const struct kv_call *call, struct kv_upload *upload, uint64_t byte,
		     const struct kv_walk *walk)
{
	const uintptr_t distance = (uintptr_t)walk->cell - (uintptr_t)kv_cell(call->space, 0);
	const uint64_t sent = byte + 1 - kv_head(call->space, KV_LOW(upload->chain))->key_length;
	uint64_t begin;

	kv_store_word(&upload->cursor, KV_PAIR(distance >> call->space->cell_shift,
					       cell_of(call->space, byte, &begin)));
	if (sent > upload->sent)
		kv_store_word(&upload->sent, sent);
}

long kv_upload_piece(const struct kv_call *call, uint64_t handle, uint64_t offset,
		     const void *value, uint64_t length)
{
	struct kv_upload *upload;
	const struct kv_head *head;
	struct kv_walk walk;
	uint64_t byte;
	long error = find(call, handle, &upload);

	if (error)
		return error;
	head = kv_head(call->space, KV_LOW(upload->chain));
	byte = head->key_length + offset;
	if (offset > upload->sent || length > head->length - offset)
		error = -EINVAL;
	if (!error && length) {
		error = walk_to(call, upload, byte, &walk);
		if (!error)
			error = kv_walk_in(&walk, value, length);
		if (!error)
			set_sent(call, upload, byte + length - 1, &walk);
	}
	elisa_lock_release(&upload->lock);
	return error;
}

/* ------------------------------------------------------------------------------ the end */

long kv_upload_end(const struct kv_call *call, uint64_t handle, enum kv_op op, uint64_t cas)
{
	struct kv_upload *upload;
	struct kv_own_key own;
	long error;

	if (op != KV_SET && op != KV_ADD && op != KV_REPLACE)
		return -EINVAL;
	error = find(call, handle, &upload);
	if (error)
		return error;
	if (upload->sent != kv_head(call->space, KV_LOW(upload->chain))->length) {
		elisa_lock_release(&upload->lock);
		return -ENODATA;
	}
	kv_item_key(call->space, kv_head(call->space, KV_LOW(upload->chain)), &own);
	return kv_upload_link(call, upload, op, &own.key, cas);
}

long kv_upload_cancel(const struct kv_call *call, uint64_t handle)
{
	struct kv_upload *upload;
	const int error = find(call, handle, &upload);

	if (error)
		return error;
	kv_upload_drop(call, upload);
	return 0;
}
