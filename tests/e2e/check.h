/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the end-to-end programs: a failure says where and what, and counts. */
#ifndef ELISA_E2E_CHECK_H
#define ELISA_E2E_CHECK_H

#include <stdio.h>

static int failures;

#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (a_ != b_) {                                                                    \
			printf("FAILED %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #a, a_, \
			       b_);                                                                \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

/* A refusal: the errno, the reason, and a text that says something. */
#define CHECK_REFUSED(handle, call, error, reason)               \
	do {                                                     \
		CHECK_EQ(call, error);                           \
		CHECK_EQ(elisa_error_why(handle, NULL), reason); \
		printf("refused: %s\n", elisa_error(handle));    \
	} while (0)

#endif
