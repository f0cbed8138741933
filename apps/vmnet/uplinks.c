/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports that are Linux interfaces of this VM. To the switch such a port is as any other: a place
 * whose memory is donated, here by this process itself, by a ticket that no other one learns. Its
 * two threads call the switch as a guest's do. So all that is said of attachments holds for it:
 * the operator may evict it, and it comes back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <rvif/elisa.h>
#include "daemon.h"

#define TRY_EVERY 5 /* seconds */

/* What the transport reads it from: a file without a name. */
static int put_ticket(const uint8_t ticket[ELISA_TICKET_SIZE])
{
	char text[2 * ELISA_TICKET_SIZE + 2];
	int fd = memfd_create("ticket", MFD_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	for (int i = 0; i < ELISA_TICKET_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", ticket[i]);
	text[2 * ELISA_TICKET_SIZE] = '\n';
	n = write(fd, text, 2 * ELISA_TICKET_SIZE + 1);
	explicit_bzero(text, sizeof(text));
	if (n == 2 * ELISA_TICKET_SIZE + 1)
		return fd;
	close(fd);
	return -EIO;
}

static const char *hint(int error)
{
	switch (error) {
	case -EPERM:
		return "; this needs CAP_NET_RAW";
	case -EAFNOSUPPORT:
		return "; its unit must allow AF_PACKET (RestrictAddressFamilies)";
	default:
		return "";
	}
}

static void say_failure(struct daemon *d, uint32_t place, const char *what, int error)
{
	const bool is_vnic = !strcmp(what, UPLINK_VNIC); /* of which the library knows more */

	say(d, place, STDERR_FILENO, "uplink %s: %s: %s%s", d->config.port[place - 1].uplink, what,
	    is_vnic ? rvif_elisa_error() : strerrordesc_np(-error), is_vnic ? "" : hint(error));
}

static int open_uplink(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];
	const char *what = "its ticket";
	char where[32];
	int error;

	port->uplink_next = d->now + TRY_EVERY;
	error = put_ticket(port->ticket.bytes);
	if (error >= 0) {
		port->uplink_ticket = error;
		snprintf(where, sizeof(where), "/proc/self/fd/%d", port->uplink_ticket);
		error = uplink_open(&port->uplink, d->config.port[place - 1].uplink,
				    &rvif_over_elisa, where, (uint64_t)d->config.port_mib << 20,
				    &what);
		if (error)
			close(port->uplink_ticket);
	}
	if (error)
		say_failure(d, place, what, error);
	return error;
}

static void close_uplink(struct port *port)
{
	uplink_close(port->uplink);
	close(port->uplink_ticket);
	port->uplink = NULL;
}

static bool is_wanted(const struct daemon *d, uint32_t place)
{
	return config_has(&d->config, place) && d->config.port[place - 1].uplink[0] &&
	       !tickets_is_changing(d, place);
}

static void look(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];
	const char *what;

	if (port->uplink && (!is_wanted(d, place) || strcmp(uplink_interface(port->uplink),
							    d->config.port[place - 1].uplink)))
		close_uplink(port);
	if (!port->uplink && is_wanted(d, place) && d->now >= port->uplink_next)
		open_uplink(d, place);
	if (!port->uplink)
		return;
	what = uplink_look(port->uplink, d->now);
	if (what)
		say(d, place, STDOUT_FILENO, "%s", what);
}

int uplinks_begin(struct daemon *d)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		if (is_wanted(d, place) && open_uplink(d, place))
			return -1;
	return 0;
}

void uplinks_look(struct daemon *d)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		look(d, place);
}

void uplinks_close(struct daemon *d)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		if (d->port[place].uplink)
			close_uplink(&d->port[place]);
}
