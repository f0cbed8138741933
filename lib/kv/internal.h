/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of libelisa-kv share. A call takes a slot: a part of the exchange buffer for the
 * key, and for the value or the reply. While a thread has a slot, the attachment stays as it is:
 * before an attachment ends, all slots must be free.
 */
#ifndef ELISA_KV_INTERNAL_H
#define ELISA_KV_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <elisa/elisa.h>
#include <elisa/kv.h>
#include "../../apps/kv/exchange.h"

#define KV_SLOT_SIZE	16384u
#define KV_SLOT_VALUE	256u /* where the value or the reply begins; the key is before it */
#define KV_SLOT_ROOM	(KV_SLOT_SIZE - KV_SLOT_VALUE)
#define KV_SLOTS_MAX	64u
#define KV_SLOT_REPLIES 4096u /* replies to several keys; the keys are before */

/* Each slot has a cache line of its own, which the thread that has the slot writes. */
struct kv_slot {
	uint32_t taken;
} __attribute__((aligned(64)));

struct elisa_kv {
	struct elisa_attachment stub; /* copy of *attachment, which threads may still read later */
	uint8_t *exchange;
	uint32_t slots;
	uint32_t slot_mask; /* for kv_hint */
	uint32_t space;
	/* 1: `stub` may be called. Read it with a slot taken. Set it with the lock held. Clear it
	 * with the lock held or with a slot taken. */
	uint32_t connected;
	bool general; /* calls may skip saving and clearing vector registers */
	uint32_t flags;
	char *store;
	struct elisa *handle;

	pthread_mutex_t lock;		     /* protects the two fields below, and attaching */
	struct elisa_attachment *attachment; /* NULL: not attached */
	uint64_t next_try;		     /* milliseconds: no try to attach before */

	pthread_mutex_t upload; /* held while a value travels in pieces, because uploads are few */
	struct kv_slot slot[];
};

/* One operation of a thread: the slot that it has. */
struct kv_use {
	struct elisa_kv *kv;
	uint32_t slot;
	uint8_t *key;	/* the slot's place for a key */
	uint8_t *value; /* the slot's KV_SLOT_ROOM bytes for a value or a reply */
};

/* attach.c: takes a slot while the store is attached; attaches anew if necessary. Returns 0, or an
 * error with its text. */
int kv_begin(struct elisa_kv *kv, struct kv_use *use);

/*
 * attach.c: where a thread looks for a slot first, so that each thread keeps to a slot of its own.
 * It is 0 until the thread has found a slot taken.
 */
extern _Thread_local uint32_t kv_hint
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline void kv_use_slot(struct elisa_kv *kv, struct kv_use *use, uint32_t slot)
{
	use->kv = kv;
	use->slot = slot;
	use->key = kv->exchange + (size_t)slot * KV_SLOT_SIZE;
	use->value = use->key + KV_SLOT_VALUE;
}

static inline void kv_end(const struct kv_use *use)
{
	__atomic_store_n(&use->kv->slot[use->slot].taken, 0, __ATOMIC_RELEASE);
}

/* Works as kv_begin() if the thread's own slot is free and the store is attached. Otherwise it
 * returns false, and no slot is taken. */
static inline bool kv_begin_at_once(struct elisa_kv *kv, struct kv_use *use)
{
	const uint32_t slot = kv_hint & kv->slot_mask;

	if (__builtin_expect(__atomic_exchange_n(&kv->slot[slot].taken, 1, __ATOMIC_SEQ_CST), 0))
		return false;
	kv_use_slot(kv, use, slot);
	if (__builtin_expect(__atomic_load_n(&kv->connected, __ATOMIC_SEQ_CST), 1))
		return true;
	kv_end(use);
	return false;
}
/* Notes that the attachment has ended. The caller has a slot. */
void kv_lost(struct elisa_kv *kv);

/* call.c: what a call has beside its slot. */
struct kv_request {
	enum kv_op op;
	size_t key_length;
	uint64_t key_number; /* of KV_UPLOAD_PIECE, instead of the key's place */
	uint64_t value;	     /* of KV_UPLOAD_END, instead of the value's place */
	size_t length;
	uint64_t number;
	uint64_t meta;
};

/* Calls the store. Returns the result, or an error with its text. If the store is busy, it tries
 * again for a while. */
long kv_call(const struct kv_use *use, const struct kv_request *request);
/* Works as kv_call() for a request that was made once already, with this result. */
long kv_call_again(const struct kv_use *use, const struct kv_request *request,
		   struct elisa_result result);
/* Works as kv_call(), and ignores failures: the text of an earlier failure stays. */
void kv_call_quietly(const struct kv_use *use, const struct kv_request *request);
/* Puts the key into the slot, or returns an error. */
int kv_put_key(const struct kv_use *use, const void *key, size_t key_length);

/* How often a read is tried. It changes nothing, so it is safe to try again after the host ended
 * its call or its attachment. */
#define KV_ATTEMPTS 2
static inline bool kv_is_final(int error)
{
	return __builtin_expect(error != -ENOTCONN && error != -EIO, 1);
}

/* error.c: these note the failure and return @error. elisa_kv_error() makes the text of kv_fail()
 * when it is asked for. */
int kv_fail(int error);
int kv_fail_key(size_t length);
int kv_fail_text(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ticket.c */
int kv_read_ticket(const char *file, uint8_t ticket[ELISA_TICKET_SIZE]);

/* Converts a time to live of the library to one of the store. */
static inline uint32_t kv_ttl(int64_t ttl)
{
	if (ttl < 0)
		return KV_TTL_PAST;
	return ttl > KV_TTL_MAX ? KV_TTL_MAX : (uint32_t)ttl;
}

#endif
