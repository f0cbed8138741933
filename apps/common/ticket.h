/* SPDX-License-Identifier: Apache-2.0 */
/* A ticket as operators write it, in files and on command lines: two hexadecimal digits for each
 * byte, which rvif_parse_hex() reads. */
#ifndef COMMON_TICKET_H
#define COMMON_TICKET_H

#include <stdint.h>
#include <elisa/abi.h>

#define TICKET_TEXT_SIZE (2 * ELISA_TICKET_SIZE + 1)

static inline void ticket_text(const uint8_t ticket[ELISA_TICKET_SIZE], char text[TICKET_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < ELISA_TICKET_SIZE; i++) {
		text[2 * i] = digits[ticket[i] >> 4];
		text[2 * i + 1] = digits[ticket[i] & 15];
	}
	text[2 * ELISA_TICKET_SIZE] = 0;
}

#endif
