/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-kv: what a guest calls, and what lies in its exchange buffer. The function, the manager,
 * the guest library and the proxy all use this vocabulary.
 *
 * A call has six numbers. Keys, values and replies lie in the caller's exchange buffer, at offsets
 * that the caller chooses. Several threads use several parts of one buffer. Lengths are among the
 * six numbers, except the lengths of the keys of KV_GET_MANY, which are copied before they are
 * checked. An operation that changes an item copies the key first. A get reads the key several
 * times in the buffer (store/key.h says why that does no harm).
 *
 *     call(KV_CALL(op, space, key_length), key, value, length, number, KV_META(flags, ttl))
 *
 *     key     offset of the key
 *     value   offset of the value, or of where the reply goes
 *     length  bytes of the value, or room for the reply
 *     number  a CAS number, a difference or a handle
 *
 * A space is a name space with memory of its own. The manager says which place may do what in it
 * (enum kv_right). An item belongs to the place that stored it last, and counts for that place's
 * quota in the space.
 *
 * The result is negative if the operation was not done:
 *
 *     -ENOENT    there is no such item (for KV_ADD that is no error)
 *     -EEXIST    KV_ADD: there is one
 *     -ESTALE    the item has another CAS number than the given one
 *     -EDOM      KV_INCREMENT, KV_DECREMENT: the value is no number
 *     -EBUSY     not done now, because other callers change the same space: call again
 *     -EDQUOT    the place's quota in the space has no room for it, even if all else goes
 *     -ENOSPC    the space has no room for it
 *     -EFBIG     the value would be longer than KV_VALUE_MAX
 *     -EMSGSIZE  there is no room for the reply
 *     -EACCES    the place has no right to this in the space
 *     -EPERM     the place may change its own items only, and this is another place's
 *     -EBADF     the handle is not, or no longer, of an upload of this attachment
 *     -ENODATA   not all of an upload was sent
 *     -EFAULT    an offset or a length is outside of the exchange buffer
 *     -EINVAL    the length of the key, the space, the operation, or a count is not valid
 *     -ENODEV    the store does not know the caller's place or vCPU
 */
#ifndef KV_EXCHANGE_H
#define KV_EXCHANGE_H

#include <stdint.h>

#define KV_KEY_MAX   250u
#define KV_VALUE_MAX (1u << 20)
#define KV_MANY_MAX  64u /* keys of KV_GET_MANY */

/*
 * TTLs are seconds from now. The store's clock is coarse: an item with a TTL of one second lives
 * for up to two seconds.
 */
#define KV_TTL_NEVER 0u
#define KV_TTL_MAX   0x7fffffffu
#define KV_TTL_PAST  0xffffffffu /* expired from the beginning, as any TTL above KV_TTL_MAX */

#define KV_CALL(op, space, key_length)                                      \
	((long)((uint64_t)(op) | (uint64_t)(space) << 8 | /* 8 bits each */ \
		(uint64_t)(key_length) << 16))		  /* 16 bits */
#define KV_META(flags, ttl) ((long)((uint64_t)(uint32_t)(flags) | (uint64_t)(uint32_t)(ttl) << 32))

enum kv_op {
	/*
	 * The reply is struct kv_item, then as much of the value as there is room for. The result
	 * is the value's whole length.
	 */
	KV_GET = 1,
	/* Works as KV_GET, and gives the item a new TTL. */
	KV_GET_TOUCH,
	/*
	 * Gets a part of a value. The last argument is the offset in the value, and number is the
	 * CAS number that KV_GET returned. The reply is as of KV_GET, from the offset on. The
	 * result is the number of bytes that were copied. -ESTALE: the item has changed, so begin
	 * again.
	 */
	KV_GET_PIECE,
	/*
	 * Gets several items. key is the offset of an array of struct kv_key_at, and the key's
	 * length in KV_CALL() is its count. The reply has for each key, in their order, struct
	 * kv_item and the whole value, padded to KV_ALIGN. A key without an item has a CAS number
	 * of 0 and no value. The result is how many keys were answered. It is fewer than all if
	 * there is no room: call again for the rest. -EMSGSIZE: none was answered.
	 */
	KV_GET_MANY,

	/*
	 * The result is the CAS number of the new item. If number is not 0, the item must exist and
	 * have that CAS number (KV_SET with a number is memcached's cas). KV_APPEND and KV_PREPEND
	 * keep the item's flags and TTL.
	 */
	KV_SET,
	KV_ADD,
	KV_REPLACE,
	KV_APPEND,
	KV_PREPEND,

	/*
	 * number is the difference. The value is a decimal number of 64 bits, which wraps upwards
	 * and stops at 0 downwards. The reply is as of KV_GET, with the new value.
	 */
	KV_INCREMENT,
	KV_DECREMENT,

	/* The results are 0. KV_DELETE takes number as KV_SET does. */
	KV_TOUCH,
	KV_DELETE,
	/* Needs the space only. No item that is in it now will be found again. */
	KV_FLUSH,
	/* The reply is an array of KV_STATS numbers (enum kv_stat). The result is KV_STATS. */
	KV_STATISTICS,

	/*
	 * A value in pieces, for exchange buffers that are smaller than the value. KV_UPLOAD has
	 * the key, flags and TTL, and the whole length; the result is a handle. Readers see nothing
	 * of the item until KV_UPLOAD_END, which works as KV_SET, KV_ADD or KV_REPLACE. That
	 * operation is its `length`, and a CAS number or 0 its `value`. Pieces come without a gap;
	 * bytes that were sent may be sent again. Any error of KV_UPLOAD_END but -EBUSY and
	 * -ENODATA ends the upload.
	 *
	 * Each place may have KV_UPLOADS at a time in a space; one more ends the oldest one. A call
	 * of the place that has no room otherwise ends the oldest one, too. The end of the
	 * attachment frees them all.
	 */
	KV_UPLOAD,
	KV_UPLOAD_PIECE,  /* number: handle; key: offset in the value; the result is 0 */
	KV_UPLOAD_END,	  /* number: handle; the result is the CAS number */
	KV_UPLOAD_CANCEL, /* number: handle; the result is 0 */
	KV_OPS
};

#define KV_UPLOADS 4u

/* What a place may do in a space. The manager sets it. */
enum kv_right {
	KV_MAY_READ = 1,
	KV_MAY_WRITE = 2, /* change any item */
	KV_MAY_OWN = 4,	  /* store new items, and change those that the place stored itself */
	KV_MAY_FLUSH = 8
};

/* Parts of replies. */
struct kv_item {
	uint64_t cas; /* 1 .. 2^62 */
	uint32_t flags;
	uint32_t length; /* of the whole value */
	uint32_t ttl;	 /* seconds left, or KV_TTL_NEVER */
	uint32_t unused;
};

struct kv_key_at {
	uint32_t at; /* offset in the exchange buffer */
	uint32_t length;
};

#define KV_ALIGN 8u

/*
 * Statistics, with memcached's names. "count" numbers are counts of the caller's attachment in all
 * spaces, since the manager has heard of it; 0 before. "space" numbers are about the space. "own"
 * numbers are about the place's part of the space.
 */
#define KV_STATS_LIST(STAT)                           \
	STAT(CMD_GET, "cmd_get", count)               \
	STAT(CMD_SET, "cmd_set", count)               \
	STAT(CMD_FLUSH, "cmd_flush", count)           \
	STAT(CMD_TOUCH, "cmd_touch", count)           \
	STAT(GET_HITS, "get_hits", count)             \
	STAT(GET_MISSES, "get_misses", count)         \
	STAT(GET_EXPIRED, "get_expired", count)       \
	STAT(GET_FLUSHED, "get_flushed", count)       \
	STAT(DELETE_HITS, "delete_hits", count)       \
	STAT(DELETE_MISSES, "delete_misses", count)   \
	STAT(INCR_HITS, "incr_hits", count)           \
	STAT(INCR_MISSES, "incr_misses", count)       \
	STAT(DECR_HITS, "decr_hits", count)           \
	STAT(DECR_MISSES, "decr_misses", count)       \
	STAT(CAS_HITS, "cas_hits", count)             \
	STAT(CAS_MISSES, "cas_misses", count)         \
	STAT(CAS_BADVAL, "cas_badval", count)         \
	STAT(TOUCH_HITS, "touch_hits", count)         \
	STAT(TOUCH_MISSES, "touch_misses", count)     \
	STAT(TOTAL_ITEMS, "total_items", count)       \
	STAT(EVICTIONS, "evictions", count)           \
	STAT(RECLAIMED, "reclaimed", count)           \
	STAT(BUSY, "busy", count)                     \
	STAT(CURR_ITEMS, "curr_items", space)         \
	STAT(BYTES, "bytes", space)                   \
	STAT(LIMIT_MAXBYTES, "limit_maxbytes", space) \
	STAT(OWN_ITEMS, "own_items", own)             \
	STAT(OWN_BYTES, "own_bytes", own)             \
	STAT(OWN_ITEMS_LIMIT, "own_items_limit", own) \
	STAT(OWN_BYTES_LIMIT, "own_bytes_limit", own) \
	STAT(TIME, "store_time", space) /* seconds of the store's clock */

enum kv_stat {
#define KV_STAT_(name, text, what) KV_STAT_##name,
	KV_STATS_LIST(KV_STAT_)
#undef KV_STAT_
	KV_STATS
};

#endif
