/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that text is JSON by RFC 8259, and that no key comes twice. The library that parses it is
 * less strict. */
#ifndef COMMON_STRICT_H
#define COMMON_STRICT_H

#include <stddef.h>

/* The first fault, and where it is. */
struct strict_fault {
	unsigned int line, column; /* from 1; characters */
	const char *what;
};

/* Checks that the text is one JSON value, with only white space around it. The text ends with a NUL
 * after `length` bytes. Returns 0, or -1. */
int strict_check(const char *text, size_t length, struct strict_fault *fault);

#endif
