/* SPDX-License-Identifier: Apache-2.0 */
/* A file with a ticket: its bytes as hexadecimal digits, then perhaps an end of line. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "internal.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int kv_read_ticket(const char *file, uint8_t ticket[ELISA_TICKET_SIZE])
{
	char text[2 * ELISA_TICKET_SIZE + 2];
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t length;
	int error = 0;

	if (fd < 0)
		return kv_fail_text(-errno, "ticket %s: %s", file, strerrordesc_np(errno));
	length = read(fd, text, sizeof(text));
	if (length < 0)
		error = kv_fail_text(-errno, "ticket %s: %s", file, strerrordesc_np(errno));
	close(fd);
	if (length == 2 * ELISA_TICKET_SIZE + 1 && text[length - 1] == '\n')
		length--;
	for (ssize_t i = 0; !error && i < ELISA_TICKET_SIZE; i++) {
		const int high = length == 2 * ELISA_TICKET_SIZE ? digit(text[2 * i]) : -1;
		const int low = high >= 0 ? digit(text[2 * i + 1]) : -1;

		if (low < 0)
			error = kv_fail_text(-EINVAL,
					     "ticket %s: it does not hold %d hexadecimal digits",
					     file, 2 * ELISA_TICKET_SIZE);
		else
			ticket[i] = (uint8_t)(high << 4 | low);
	}
	explicit_bzero(text, sizeof(text));
	return error;
}
