/* SPDX-License-Identifier: Apache-2.0 */
/* Follows a port's file or uplink, and its driver, as they come and go. */
#include "fwd.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "output.h"

enum {
	UPLINK_MIB = 16, /* the most memory of an uplink */
};

/* Prints a message. The file's owner and the driver decide how often, so there is a limit. */
void port_say(struct port *port, const char *what)
{
	if (limit_allows(&port->limit, monotonic()))
		output_print(STDERR_FILENO, "rvs-fwd: %s: %s\n", port->path, what);
}

void ports_say_left_out(struct fwd *fwd, double now)
{
	for (uint32_t i = 0; i < fwd->port_count; i++) {
		const uint64_t lines = limit_left_out(&fwd->port[i].limit, now);

		if (lines)
			output_print(STDERR_FILENO, "rvs-fwd: %s: %llu messages were left out\n",
				     fwd->port[i].path, (unsigned long long)lines);
	}
}

/* Detaches the port. This thread is the only sender, so none is inside: "busy" means to go on. */
int port_let_go(struct fwd *fwd, const struct port *port)
{
	int error;

	do
		error = rvs_port_detach(fwd->rvs, port_number(fwd, port));
	while (error == -RVS_BUSY);
	return error;
}

void port_detach(struct fwd *fwd, struct port *port)
{
	if (port->attached && port_let_go(fwd, port) < 0)
		port_say(port, "detaching failed");
	port->attached = false;
}

/* Prints why the file cannot be used, unless the reason is the same as at the last look. */
static void cannot_use(struct port *port, const char *why)
{
	if (!strcmp(why, port->why_not))
		return;
	snprintf(port->why_not, sizeof(port->why_not), "%s", why);
	port_say(port, why);
}

/*
 * Tells whether the path's folder exists. A missing file may come later, but a missing folder is
 * more likely a mistake.
 */
static bool has_folder(const char *path)
{
	char folder[PATH_MAX];

	if ((size_t)snprintf(folder, sizeof(folder), "%s", path) >= sizeof(folder))
		return true;
	return !access(dirname(folder), F_OK);
}

static void map_file(struct port *port)
{
	const char *why;
	const int error = rvif_map(&port->map, port->path, &why);

	if (error == -EAGAIN)
		return;
	if (error && (error != -ENOENT || !has_folder(port->path))) {
		cannot_use(port, error == -ENOENT ? "there is no such folder" : why);
		return;
	}
	port->why_not[0] = 0;
	port->refused = false;
}

static void attach(struct fwd *fwd, struct port *port, uint32_t epoch)
{
	const uint32_t number = port_number(fwd, port);
	int error =
		rvs_port_attach(fwd->rvs, number, port->map.region, port->map.size, &port->policy);
	struct rvs_port_info info;

	if (error == -RVIF_NOT_UP || (port->refused && port->epoch == epoch && error))
		return;
	port->epoch = epoch;
	port->refused = error != 0;
	if (error) {
		port_say(port, rvif_strreason(-error));
		return;
	}
	port->attached = true;
	rvs_port_info(fwd->rvs, number, &info);
	port->queues = info.tx_queues;
	memset(&port->before, 0, sizeof(port->before));
	memset(port->patience, 0, sizeof(port->patience));
	/* an earlier switch may have been killed after it gave frames, and before it woke the
	 * receiver; the ring may be full of them */
	wake_port(fwd, number);
}

/* Follows an uplink. Its driver is in this process, and starts once. */
static void look_at_uplink(struct fwd *fwd, struct port *port, double now)
{
	const char *what;

	if (!port->attached)
		attach(fwd, port, rvif_load(&rvif_header(uplink_vnic(port->uplink))->driver.epoch));
	what = uplink_look(port->uplink, now);
	if (what)
		port_say(port, what);
}

void port_look(struct fwd *fwd, struct port *port, double now)
{
	const struct rvif_header *header;
	uint32_t state, epoch;

	if (port->uplink) {
		look_at_uplink(fwd, port, now);
		return;
	}
	if (port->map.is_open && rvif_map_is_old(&port->map, port->path)) {
		port_detach(fwd, port);
		rvif_unmap(&port->map);
	}
	if (!port->map.region)
		map_file(port);
	if (!port->map.region)
		return;
	header = (const struct rvif_header *)(const void *)port->map.region;
	state = rvif_load_acquire(&header->driver.state);
	epoch = rvif_load(&header->driver.epoch);
	if (port->attached && (state != RVIF_DRIVER_UP || epoch != port->epoch))
		port_detach(fwd, port);
	if (!port->attached && state == RVIF_DRIVER_UP)
		attach(fwd, port, epoch);
}

/*
 * Opens an uplink. Stations behind it have any addresses, so sources are not checked. The uplink
 * keeps all offloads, because the kernel cannot be told to do without them. The switch does the
 * work for ports without offloads.
 */
int port_open_uplink(struct port *port)
{
	const char *what;
	int error;

	port->policy.flags &= ~(uint32_t)RVS_CHECK_SOURCE;
	port->policy.features = RVIF_F_ALL;
	if (!uplink_is_name(port->path))
		return options_wrong(&program, "--uplink: '%s' is no name of an interface",
				     port->path);
	error = uplink_open(&port->uplink, port->path, &rvif_private_memory, "", UPLINK_MIB << 20,
			    &port->seen, &what);
	if (error) {
		fprintf(stderr, "rvs-fwd: uplink %s: %s: %s%s\n", port->path, what,
			strerrordesc_np(-error), error == -EPERM ? "; this needs CAP_NET_RAW" : "");
		return 1;
	}
	port->map.region = uplink_vnic(port->uplink)->region;
	port->map.size = uplink_vnic(port->uplink)->size;
	return 0;
}

void ports_close(struct fwd *fwd)
{
	for (uint32_t i = 0; i < fwd->port_count; i++) {
		struct port *port = &fwd->port[i];

		port_detach(fwd, port);
		if (port->uplink)
			uplink_close(port->uplink);
		else
			rvif_unmap(&port->map);
	}
}
