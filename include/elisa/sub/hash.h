/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash of bytes, with a secret. Guests choose keys. Without the secret, a guest could choose keys
 * that have the same hash, and fill the slots that other guests need. It is not a cryptographic
 * hash.
 */
#ifndef ELISA_SUB_HASH_H
#define ELISA_SUB_HASH_H

#include <elisa/copy.h>

/* Multiplies, and combines both halves of the product. The operands are the secret, or are mixed
 * with it. */
static inline uint64_t elisa_hash_fold(uint64_t a, uint64_t b)
{
	uint64_t high;

	__asm__("mulq %2" : "+a"(a), "=d"(high) : "r"(b) : "cc");
	return a ^ high;
}

/* Returns the last 1 to 8 bytes as a number. */
static inline uint64_t elisa_hash_tail(const uint8_t *at, size_t length)
{
	uint64_t tail = 0;

	elisa_copy_short((uint8_t *)&tail, at, length);
	return tail;
}

/* Returns the hash of `length` bytes. Any caller may call it. The manager takes `secret` from
 * getrandom(2), and keeps it in the object. */
static inline uint64_t elisa_hash(const void *bytes, size_t length, uint64_t secret)
{
	const uint64_t factor = (secret ^ 0x9e3779b97f4a7c15ull) | 1;
	const uint8_t *at = (const uint8_t *)bytes;
	uint64_t hash = secret;
	size_t left = length;

	for (; left > 8; left -= 8, at += 8)
		hash = elisa_hash_fold(hash ^ elisa_copy_get(at), factor) + secret;
	hash = elisa_hash_fold(hash ^ elisa_hash_tail(at, left), factor);
	return elisa_hash_fold(hash ^ 0x8ebc6af09c88c6e3ull ^ length,
			       factor ^ 0xd1b54a32d192ed02ull);
}

#endif
