/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of frames beside <elisa/copy.h>'s: 4 bytes, and reads of memory that changes meanwhile. */
#ifndef RVS_WORDS_H
#define RVS_WORDS_H

#include <elisa/copy.h>

/* Reads 8 bytes once: the compiler cannot read them again. */
static inline uint64_t rvs_get_once(const uint8_t *at)
{
	return ((const volatile struct elisa_word *)at)->value;
}

static inline uint32_t rvs_get_half_once(const uint8_t *at)
{
	return ((const volatile struct elisa_half_word *)at)->value;
}

static inline uint32_t rvs_get_half(const uint8_t *at)
{
	return ((const struct elisa_half_word *)at)->value;
}

static inline void rvs_put_half(uint8_t *at, uint32_t value)
{
	((struct elisa_half_word *)at)->value = value;
}

#endif
