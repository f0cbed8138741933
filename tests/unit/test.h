/* SPDX-License-Identifier: Apache-2.0 */
/* The headers that cmocka needs before its own. */
#ifndef ELISA_TEST_H
#define ELISA_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
