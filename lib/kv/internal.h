/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of libelisa-kv share. A call takes a slot: a part of the exchange buffer for the
 * key, and for the value or the reply. A thread that has one keeps the attachment as it is: before
 * the attachment ends, all slots have to be free.
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
#define KV_SLOT_REPLIES 4096u /* to several keys, which are before them */

/* A line of its own, which the thread that has it writes. */
struct kv_slot {
	uint32_t taken;
} __attribute__((aligned(64)));

struct elisa_kv {
	struct elisa_attachment stub; /* a copy: outlives the attachment */
	uint8_t *exchange;
	uint32_t slots;
	uint32_t slot_mask; /* for kv_hint */
	uint32_t space;
	uint32_t connected; /* set and reset with the lock held, read with a slot taken */
	bool general;	    /* calls may leave vector registers alone */
	uint32_t flags;
	char *store;
	struct elisa *handle;

	pthread_mutex_t lock;		     /* protects what follows, and attaching */
	struct elisa_attachment *attachment; /* NULL: none */
	uint64_t next_try;		     /* milliseconds; not earlier */

	pthread_mutex_t upload; /* while a value travels in pieces: uploads are few */
	struct kv_slot slot[];
};

/* One operation: what it needs of an open store. */
struct kv_use {
	struct elisa_kv *kv;
	uint32_t slot;
	uint8_t *key;	/* of the slot */
	uint8_t *value; /* the same, KV_SLOT_ROOM bytes */
};

/* attach.c: a slot of an attachment that is there. 0 or an error, with its text. */
int kv_begin(struct elisa_kv *kv, struct kv_use *use);

/*
 * attach.c: where a thread looks for a slot first: threads keep to slots of their own. 0 until the
 * thread has found a slot taken.
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

/* kv_begin() if the thread's own slot is free and the attachment there. False: it is not. */
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
/* The attachment has ended. */
void kv_lost(struct elisa_kv *kv);

/* call.c: what a call has beside its slot. */
struct kv_request {
	enum kv_op op;
	size_t key_length;
	uint64_t key_number; /* instead of the key's place, of KV_UPLOAD_PIECE */
	uint64_t value;	     /* instead of the value's, of KV_UPLOAD_END */
	size_t length;
	uint64_t number;
	uint64_t meta;
};

/* The result, or an error with its text. A store that is busy is asked again for a while. */
long kv_call(const struct kv_use *use, const struct kv_request *request);
/* The same, of a request that was made once already, with this result. */
long kv_call_again(const struct kv_use *use, const struct kv_request *request,
		   struct elisa_result result);
/* The same, of an operation that may fail: the text of what failed before stays. */
void kv_call_quietly(const struct kv_use *use, const struct kv_request *request);
/* A key at its place, or an error. */
int kv_put_key(const struct kv_use *use, const void *key, size_t key_length);

/* What only reads can be done again, when a call of it was ended or its attachment was. */
#define KV_ATTEMPTS 2
static inline bool kv_is_final(int error)
{
	return __builtin_expect(error != -ENOTCONN && error != -EIO, 1);
}

/* error.c: as it is returned; the text is made when it is asked for. */
int kv_fail(int error);
int kv_fail_key(size_t length);
int kv_fail_text(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ticket.c */
int kv_read_ticket(const char *file, uint8_t ticket[ELISA_TICKET_SIZE]);

/* A time to live of the library's in the store's words. */
static inline uint32_t kv_ttl(int64_t ttl)
{
	if (ttl < 0)
		return KV_TTL_PAST;
	return ttl > KV_TTL_MAX ? KV_TTL_MAX : (uint32_t)ttl;
}

#endif
