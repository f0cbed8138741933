/* SPDX-License-Identifier: Apache-2.0 */
/* The two copies, each repeated many times. measured.c is built in both register modes. */
#ifndef BENCH_MEASURED_H
#define BENCH_MEASURED_H

#include <stddef.h>
#include <stdint.h>

typedef void bench_copy(void *to, const void *from, size_t size, uint32_t copies);
bench_copy bench_memcpy, bench_switch;

#endif
