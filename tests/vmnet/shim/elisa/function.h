/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of the header for an export's code: the test is told who is rung. */
#ifndef ELISA_FUNCTION_H
#define ELISA_FUNCTION_H

#include <stdint.h>
#include <elisa/abi.h>

static inline const struct elisa_self *elisa_self(void)
{
	return (const struct elisa_self *)ELISA_SELF_ADDRESS;
}

void elisa_ring(uint32_t place);

#endif
