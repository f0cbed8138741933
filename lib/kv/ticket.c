/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file with a ticket: its bytes as hexadecimal digits, and at most one end of line. */
#include <string.h>
#include <rvif/driver.h>
#include "internal.h"

int kv_read_ticket(const char *file, uint8_t ticket[ELISA_TICKET_SIZE])
{
	const int error = rvif_read_hex(file, ticket, ELISA_TICKET_SIZE);

	if (error == -EINVAL)
		return kv_fail_text(error, "ticket %s: it does not hold %d hexadecimal digits",
				    file, 2 * ELISA_TICKET_SIZE);
	return error ? kv_fail_text(error, "ticket %s: %s", file, strerrordesc_np(-error)) : 0;
}
