/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a frame, at any address. Frames are copied by elisa_copy(). */
#ifndef RVS_COPY_H
#define RVS_COPY_H

#include <elisa/copy.h>

static inline uint64_t rvs_get(const uint8_t *at)
{
	return elisa_copy_get(at);
}

/* One read, whatever the compiler would like to do with the value. */
static inline uint64_t rvs_get_once(const uint8_t *at)
{
	return ((const volatile struct elisa_word *)at)->value;
}

static inline void rvs_put(uint8_t *at, uint64_t value)
{
	elisa_copy_put(at, value);
}

#endif
