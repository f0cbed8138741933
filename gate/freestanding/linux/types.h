/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What gate/pages.c takes from the kernel's header of this name, for machines that have a compiler
 * and neither a C library nor one place for the kernel's headers.
 */
#ifndef ELISA_FREESTANDING_TYPES_H
#define ELISA_FREESTANDING_TYPES_H

typedef __UINT8_TYPE__ __u8;
typedef __UINT16_TYPE__ __u16;
typedef __UINT32_TYPE__ __u32;
typedef __UINT64_TYPE__ __u64;
typedef __INT32_TYPE__ __s32;
typedef __INT64_TYPE__ __s64;

#endif
