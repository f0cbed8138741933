/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and their hash. The hash is of the kind of <elisa/sub/hash.h>: it has a secret, so that no
 * guest can choose keys with the same hash. The hash reads a last word that overlaps the one
 * before; so does the comparison of keys.
 *
 * An operation that changes something copies the key first (kv_key_copy()), because a guest may
 * change its buffer. A get does not. By changing the key meanwhile, a guest could only get another
 * item of the same space, which it may read anyway.
 */
#ifndef KV_KEY_H
#define KV_KEY_H

#include <elisa/sub/hash.h>
#include "../exchange.h"

struct kv_key {
	uint64_t hash;
	uint32_t length; /* 1 to KV_KEY_MAX */
	const uint8_t *bytes;
};

struct kv_own_key {
	struct kv_key key;
	uint8_t bytes[KV_KEY_MAX + 6];
};

static inline __attribute__((always_inline)) uint64_t kv_hash(const uint8_t *bytes, uint32_t length,
							      uint64_t secret)
{
	const uint64_t factor = secret | 1;
	uint64_t hash = secret ^ length, word;

	if (__builtin_expect(length >= 8, 1)) {
		const uint8_t *last = bytes + length - 8;

		for (; bytes < last; bytes += 8)
			hash = elisa_hash_fold(hash ^ elisa_copy_get(bytes), factor);
		word = elisa_copy_get(last);
	} else {
		word = elisa_hash_tail(bytes, length);
	}
	hash = elisa_hash_fold(hash ^ word, factor);
	return elisa_hash_fold(hash, factor ^ 0x9e3779b97f4a7c14ull);
}

static inline __attribute__((always_inline)) void kv_key(struct kv_key *key, uint64_t secret,
							 const void *bytes, uint32_t length)
{
	key->length = length;
	key->bytes = (const uint8_t *)bytes;
	key->hash = kv_hash(key->bytes, length, secret);
}

static inline void kv_key_copy(struct kv_own_key *own, uint64_t secret, const void *bytes,
			       uint32_t length)
{
	elisa_copy(own->bytes, bytes, length);
	kv_key(&own->key, secret, own->bytes, length);
}

/* Tells whether these are the key's bytes. There must be as many. */
static inline int kv_key_is(const struct kv_key *key, const uint8_t *with)
{
	const uint8_t *bytes = key->bytes, *last = bytes + key->length - 8;

	if (__builtin_expect(key->length < 8, 0))
		return elisa_hash_tail(bytes, key->length) == elisa_hash_tail(with, key->length);
	for (; bytes < last; bytes += 8, with += 8)
		if (elisa_copy_get(bytes) != elisa_copy_get(with))
			return 0;
	return elisa_copy_get(last) == elisa_copy_get(with - (bytes - last));
}

#endif
