/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying frames. Reads and writes exactly the given ranges; what the source holds may change while
 * it is read. With general registers only or with SSE2, as the compiler is told.
 */
#ifndef RVS_COPY_H
#define RVS_COPY_H

#include <stddef.h>
#include <stdint.h>

/* Any alignment, any type behind it. */
struct rvs_word {
	uint64_t value;
} __attribute__((packed, may_alias));
struct rvs_half {
	uint32_t value;
} __attribute__((packed, may_alias));

static inline uint64_t rvs_get(const uint8_t *at)
{
	return ((const struct rvs_word *)at)->value;
}

/* One read, whatever the compiler would like to do with the value. */
static inline uint64_t rvs_get_once(const uint8_t *at)
{
	return ((const volatile struct rvs_word *)at)->value;
}

static inline uint32_t rvs_get_half_once(const uint8_t *at)
{
	return ((const volatile struct rvs_half *)at)->value;
}

static inline void rvs_put_half(uint8_t *at, uint32_t value)
{
	((struct rvs_half *)at)->value = value;
}

static inline void rvs_put(uint8_t *at, uint64_t value)
{
	((struct rvs_word *)at)->value = value;
}

#ifdef __SSE2__
#include <emmintrin.h>

static inline void rvs_copy16(uint8_t *to, const uint8_t *from)
{
	_mm_storeu_si128((__m128i_u *)to, _mm_loadu_si128((const __m128i_u *)from));
}

static inline void rvs_copy64(uint8_t *to, const uint8_t *from)
{
	__m128i a = _mm_loadu_si128((const __m128i_u *)from);
	__m128i b = _mm_loadu_si128((const __m128i_u *)(from + 16));
	__m128i c = _mm_loadu_si128((const __m128i_u *)(from + 32));
	__m128i d = _mm_loadu_si128((const __m128i_u *)(from + 48));

	_mm_storeu_si128((__m128i_u *)to, a);
	_mm_storeu_si128((__m128i_u *)(to + 16), b);
	_mm_storeu_si128((__m128i_u *)(to + 32), c);
	_mm_storeu_si128((__m128i_u *)(to + 48), d);
}
static inline int rvs_copy_at_once(uint8_t *to, const uint8_t *from, size_t length)
{
	(void)to;
	(void)from;
	(void)length;
	return 0;
}
#else
static inline void rvs_copy16(uint8_t *to, const uint8_t *from)
{
	uint64_t a = rvs_get(from), b = rvs_get(from + 8);

	rvs_put(to, a);
	rvs_put(to + 8, b);
}

static inline void rvs_copy64(uint8_t *to, const uint8_t *from)
{
	rvs_copy16(to, from);
	rvs_copy16(to + 16, from + 16);
	rvs_copy16(to + 32, from + 32);
	rvs_copy16(to + 48, from + 48);
}

/*
 * The CPU's own copy takes its time to begin; behind that it is faster than 8 bytes at a time.
 * (16 at a time are as fast: measured.)
 */
static inline int rvs_copy_at_once(uint8_t *to, const uint8_t *from, size_t length)
{
	if (length < 512)
		return 0;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
	return 1;
}
#endif

static inline void rvs_copy_long(uint8_t *to, const uint8_t *from, size_t length)
{
	size_t at = 0;

	if (rvs_copy_at_once(to, from, length))
		return;
	for (; at + 64 < length; at += 64)
		rvs_copy64(to + at, from + at);
	rvs_copy64(to + length - 64, from + length - 64);
}

static inline void rvs_copy32(uint8_t *to, const uint8_t *from)
{
	rvs_copy16(to, from);
	rvs_copy16(to + 16, from + 16);
}

static inline void rvs_copy_short(uint8_t *to, const uint8_t *from, size_t length)
{
	if (length >= 8) {
		uint64_t first = rvs_get(from), last = rvs_get(from + length - 8);

		rvs_put(to, first);
		rvs_put(to + length - 8, last);
	} else if (length >= 4) {
		uint32_t first = ((const struct rvs_half *)from)->value;
		uint32_t last = ((const struct rvs_half *)(from + length - 4))->value;

		rvs_put_half(to, first);
		rvs_put_half(to + length - 4, last);
	} else {
		while (length) {
			length--;
			((volatile uint8_t *)to)[length] = from[length];
		}
	}
}

/* The end is copied in overlapping pieces, so that there is no loop over single bytes. */
static inline void rvs_copy(uint8_t *to, const uint8_t *from, size_t length)
{
	if (length > 64) {
		rvs_copy_long(to, from, length);
	} else if (length >= 32) {
		rvs_copy32(to, from);
		rvs_copy32(to + length - 32, from + length - 32);
	} else if (length >= 16) {
		rvs_copy16(to, from);
		rvs_copy16(to + length - 16, from + length - 16);
	} else {
		rvs_copy_short(to, from, length);
	}
}

#endif
