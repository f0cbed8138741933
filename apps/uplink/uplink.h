/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Linux interface (a bridge port, a NIC, one end of a veth pair) as a port of a switch. To the
 * switch an uplink is a vNIC like any other, so all of a port's rules hold for it. Its driver is
 * two threads of the process that opens it, one each way, between the vNIC and a packet socket.
 * Neither ever waits for that process's own thread, the owner, nor the owner for them.
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

/* What may fail when one is opened. */
#define UPLINK_SOCKET  "a packet socket"
#define UPLINK_VNIC    "its vNIC"
#define UPLINK_THREADS "its threads"

/* Is this a name that an interface may have? Here none has a comma. */
int uplink_is_name(const char *name);

/*
 * Makes the vNIC, of most_bytes at most, by this transport, and the socket; the interface may come
 * later. seen, all 0, is the owner's, and outlives it. 0, or -errno; *what is what failed. -EPERM
 * of the socket: CAP_NET_RAW is missing.
 */
int uplink_open(struct uplink **uplink, const char *interface,
		const struct rvif_transport *transport, const char *where, uint64_t most_bytes,
		struct uplink_seen *seen, const char **what);
/* The switch has let go of the vNIC, or does so when its transport is closed. */
void uplink_close(struct uplink *uplink);

/* The owner looks now and then: at the switch's answer, and whether the interface is there. What is
 * to be said of it; NULL: nothing. */
const char *uplink_look(struct uplink *uplink, double now);

const struct rvif_vnic *uplink_vnic(const struct uplink *uplink);

/* Its interface, state and counters, for reports: "uplink" of an object. */
void uplink_report(json_object *port, const char *interface, const struct uplink_seen *seen);
/* A line of text about the same. */
void uplink_print(FILE *to, const char *interface, const struct uplink_seen *seen);
/* The counters of all, as OpenMetrics; of: what is seen of a port's uplink, NULL: it has none. */
void uplink_metrics(FILE *to, const struct see *see,
		    const struct uplink_seen *(*of)(const void *owner, uint32_t port));

#endif
