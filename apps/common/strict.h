/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that text is JSON by RFC 8259 and has no key twice. The library that reads it is less
 * strict. */
#ifndef COMMON_STRICT_H
#define COMMON_STRICT_H

#include <stddef.h>

/* Where and what the first thing is that is wrong. */
struct strict_fault {
	unsigned int line, column; /* from 1; characters */
	const char *what;
};

/* Is text, which ends with a 0 after length bytes, one value of JSON, with nothing but white space
 * around it? 0, or -1. */
int strict_check(const char *text, size_t length, struct strict_fault *fault);

#endif
