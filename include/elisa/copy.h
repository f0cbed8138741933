/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying between memory that others may change meanwhile: reads and writes exactly the given
 * ranges. With general registers only or with SSE2, as the compiler is told. What was copied is a
 * copy of its own; check that, not the source.
 */
#ifndef ELISA_COPY_H
#define ELISA_COPY_H

#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Any alignment, any type behind it. */
struct elisa_word {
	uint64_t value;
} __attribute__((packed, may_alias));
struct elisa_half_word {
	uint32_t value;
} __attribute__((packed, may_alias));

static inline uint64_t elisa_copy_get(const uint8_t *at)
{
	return ((const struct elisa_word *)at)->value;
}

static inline void elisa_copy_put(uint8_t *at, uint64_t value)
{
	((struct elisa_word *)at)->value = value;
}

#ifdef __SSE2__
static inline void elisa_copy16(uint8_t *to, const uint8_t *from)
{
	_mm_storeu_si128((__m128i *)(void *)to,
			 _mm_loadu_si128((const __m128i *)(const void *)from));
}

static inline void elisa_copy64(uint8_t *to, const uint8_t *from)
{
	const __m128i *source = (const __m128i *)(const void *)from;
	__m128i *target = (__m128i *)(void *)to;
	__m128i a = _mm_loadu_si128(source), b = _mm_loadu_si128(source + 1);
	__m128i c = _mm_loadu_si128(source + 2), d = _mm_loadu_si128(source + 3);

	_mm_storeu_si128(target, a);
	_mm_storeu_si128(target + 1, b);
	_mm_storeu_si128(target + 2, c);
	_mm_storeu_si128(target + 3, d);
}

static inline int elisa_copy_at_once(uint8_t *to, const uint8_t *from, size_t length)
{
	(void)to;
	(void)from;
	(void)length;
	return 0;
}
#else
static inline void elisa_copy16(uint8_t *to, const uint8_t *from)
{
	uint64_t a = elisa_copy_get(from), b = elisa_copy_get(from + 8);

	elisa_copy_put(to, a);
	elisa_copy_put(to + 8, b);
}

static inline void elisa_copy64(uint8_t *to, const uint8_t *from)
{
	elisa_copy16(to, from);
	elisa_copy16(to + 16, from + 16);
	elisa_copy16(to + 32, from + 32);
	elisa_copy16(to + 48, from + 48);
}

/*
 * The CPU's own copy takes its time to begin; behind that it is faster than 8 bytes at a time. (16
 * at a time are as fast: measured.)
 */
static inline int elisa_copy_at_once(uint8_t *to, const uint8_t *from, size_t length)
{
	if (length < 512)
		return 0;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
	return 1;
}
#endif

static inline void elisa_copy_long(uint8_t *to, const uint8_t *from, size_t length)
{
	size_t at = 0;

	if (elisa_copy_at_once(to, from, length))
		return;
	for (; at + 64 < length; at += 64)
		elisa_copy64(to + at, from + at);
	elisa_copy64(to + length - 64, from + length - 64);
}

static inline void elisa_copy32(uint8_t *to, const uint8_t *from)
{
	elisa_copy16(to, from);
	elisa_copy16(to + 16, from + 16);
}

static inline void elisa_copy_short(uint8_t *to, const uint8_t *from, size_t length)
{
	if (length >= 8) {
		uint64_t first = elisa_copy_get(from), last = elisa_copy_get(from + length - 8);

		elisa_copy_put(to, first);
		elisa_copy_put(to + length - 8, last);
	} else if (length >= 4) {
		uint32_t first = ((const struct elisa_half_word *)from)->value;
		uint32_t last = ((const struct elisa_half_word *)(from + length - 4))->value;

		((struct elisa_half_word *)to)->value = first;
		((struct elisa_half_word *)(to + length - 4))->value = last;
	} else {
		while (length) {
			length--;
			((volatile uint8_t *)to)[length] = from[length];
		}
	}
}

/*
 * Copies length bytes; the ranges must not overlap. Any alignment. The end is copied in overlapping
 * pieces, so that there is no loop over single bytes.
 */
static inline void elisa_copy(void *to_, const void *from_, size_t length)
{
	uint8_t *to = (uint8_t *)to_;
	const uint8_t *from = (const uint8_t *)from_;

	if (length > 64) {
		elisa_copy_long(to, from, length);
	} else if (length >= 32) {
		elisa_copy32(to, from);
		elisa_copy32(to + length - 32, from + length - 32);
	} else if (length >= 16) {
		elisa_copy16(to, from);
		elisa_copy16(to + length - 16, from + length - 16);
	} else {
		elisa_copy_short(to, from, length);
	}
}

#endif
