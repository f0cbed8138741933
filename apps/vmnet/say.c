/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages about a port. The port's VM decides how often there is something to say. So each port
 * has a limit of its own: a VM can fill neither the log nor the share of other ports in it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "daemon.h"
#include "output.h"

void say(struct daemon *d, uint32_t place, int fd, const char *format, ...)
{
	va_list arguments;
	char what[512];

	if (!limit_allows(&d->port[place].limit, d->now))
		return;
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	if (place && config_has(&d->config, place))
		output_print(fd, "%sport %s: %s\n", fd == STDERR_FILENO ? "elisa-vmnet: " : "",
			     d->config.port[place - 1].name, what);
	/* the port was removed */
	else if (place)
		output_print(fd, "%splace %u: %s\n", fd == STDERR_FILENO ? "elisa-vmnet: " : "",
			     place, what);
	else
		output_print(fd, "elisa-vmnet: %s\n", what);
}

void say_left_out(struct daemon *d)
{
	for (uint32_t place = 0; place <= d->config.port_count; place++) {
		const uint64_t lines = limit_left_out(&d->port[place].limit, d->now);

		if (lines)
			say(d, place, STDERR_FILENO, "%llu messages were left out",
			    (unsigned long long)lines);
	}
}
