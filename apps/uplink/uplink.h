/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Linux interface (a bridge port, a NIC, one end of a veth pair) as a port of a switch. To the
 * switch an uplink is a vNIC like any other, so all of a port's rules hold for it. Its driver is
 * two threads of the process that opens it, one for each direction, between the vNIC and a packet
 * socket. The threads never wait for the thread of the owner, which opened the uplink, nor does the
 * owner wait for them.
 */
#ifndef UPLINK_H
#define UPLINK_H

#include <json-c/json.h>
#include <net/if.h>
#include <stdint.h>
#include <rvif/driver.h>
#include "see.h"
#include "seen.h"

struct uplink;

/* What can fail when an uplink is opened. */
#define UPLINK_SOCKET  "a packet socket"
#define UPLINK_VNIC    "its vNIC"
#define UPLINK_THREADS "its threads"

/* Tells whether an interface may have this name. Here, names have no comma. */
int uplink_is_name(const char *name);

/*
 * Makes the vNIC, of most_bytes at most, by this transport, and the socket. The interface may come
 * later. `seen`, all 0, is the owner's, and outlives the uplink. Returns 0, or -errno and *what,
 * which names what failed. -EPERM of the socket: CAP_NET_RAW is missing.
 */
int uplink_open(struct uplink **uplink, const char *interface,
		const struct rvif_transport *transport, const char *where, uint64_t most_bytes,
		struct uplink_seen *seen, const char **what);
/* Closes the uplink. The switch has let go of the vNIC, or does so when its transport is closed. */
void uplink_close(struct uplink *uplink);

/* Looks at the switch's answer, and whether the interface is there. The owner calls it now and
 * then. Returns what is to be logged; NULL: nothing. */
const char *uplink_look(struct uplink *uplink, double now);

const struct rvif_vnic *uplink_vnic(const struct uplink *uplink);

/* Adds "uplink" to an object for reports: its interface, state and counters. */
void uplink_report(json_object *port, const char *interface, const struct uplink_seen *seen);
/* Prints a line about these. */
void uplink_print(FILE *to, const char *interface, const struct uplink_seen *seen);
/* Prints the counters of all uplinks, as OpenMetrics. of: returns what is visible of a port's
 * uplink; NULL: it has none. */
void uplink_metrics(FILE *to, const struct see *see,
		    const struct uplink_seen *(*of)(const void *owner, uint32_t port));

#endif
