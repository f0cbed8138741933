/* SPDX-License-Identifier: Apache-2.0 */
/* An uplink's life, and what its owner sees of it; see uplink.h. */
#include "uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "internal.h"
#include "interrupt.h"

#define LOOK_EVERY 0.1 /* seconds; a look costs two system calls */
#define TRY_EVERY  0.5 /* seconds between tries to go to the successor of a switch that is gone */
#define BUFFER	   4096u
#define MOST_RING  1024u
#define LEAST_RING 32u /* more than the longest frame needs */

int uplink_is_name(const char *name)
{
	const size_t length = strlen(name);

	return length && length < IFNAMSIZ && !strpbrk(name, "/:, \t\n") && strcmp(name, ".") &&
	       strcmp(name, "..");
}

/* -------------------------------------------------------------------------------- open, close */

/* Makes rings as large as there is room for. */
static int configure(struct rvif_config *config, uint64_t most_bytes)
{
	uint32_t ring = MOST_RING;
	int error;

	*config = (struct rvif_config){
		.tx_queues = 1,
		.rx_queues = 1,
		.buffer_size = BUFFER,
		.max_frame = RVIF_MAX_FRAME,
		.features = RVIF_F_ALL,
	};
	do {
		config->tx_ring = config->rx_ring = ring;
		error = rvif_configure(config, 2 * ring * frames_stride(BUFFER));
		ring /= 2;
	} while (!error && config->region_size > most_bytes && ring > LEAST_RING);
	return !error && config->region_size > most_bytes ? -RVIF_TOO_SHORT : error;
}

static void start(struct uplink *u)
{
	const uint32_t ring = u->vnic.config.tx_ring;

	rvif_start(&u->vnic);
	rvif_store(&rvif_header(&u->vnic)->driver.rx_mode, RVIF_RX_ALLMULTI | RVIF_RX_PROMISCUOUS);
	rvif_tx_ring_init(&u->tx.ring, &u->vnic, 0);
	rvif_rx_ring_init(&u->rx.ring, &u->vnic, 0);
	u->tx.region = u->rx.region = u->vnic.region;
	u->tx.buffer = u->rx.buffer = BUFFER;
	u->tx.first = u->vnic.layout.buffers;
	u->rx.first = u->tx.first + ring * frames_stride(BUFFER);
	frames_post_all(&u->rx);
}

static int start_threads(struct uplink *u)
{
	int error = interrupt_start(&u->inward, uplink_inward, u);

	if (error)
		return error;
	error = interrupt_start(&u->outward, uplink_outward, u);
	if (!error)
		return 0;
	__atomic_store_n(&u->stop, true, __ATOMIC_RELAXED);
	interrupt_join(u->inward);
	return error;
}

static int open_all(struct uplink *u, const struct rvif_transport *transport, const char *where,
		    uint64_t most_bytes, const char **what)
{
	struct rvif_config config;
	int error;

	*what = UPLINK_SOCKET;
	error = packet_open(u);
	if (error)
		return error;
	*what = UPLINK_VNIC;
	if (configure(&config, most_bytes))
		return -ENOBUFS;
	u->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (u->wake < 0)
		return -errno;
	error = rvif_open(&u->vnic, transport, where, &config);
	if (error)
		return error;
	start(u);
	*what = UPLINK_THREADS;
	return start_threads(u);
}

static void release(struct uplink *u)
{
	if (u->vnic.region)
		rvif_close(&u->vnic);
	if (u->socket >= 0)
		close(u->socket);
	if (u->wake >= 0)
		close(u->wake);
	free(u);
}

int uplink_open(struct uplink **uplink, const char *interface,
		const struct rvif_transport *transport, const char *where, uint64_t most_bytes,
		struct uplink_seen *seen, const char **what)
{
	struct uplink *u = aligned_alloc(RVIF_LINE, sizeof(*u));
	int error;

	*what = UPLINK_VNIC;
	if (!u)
		return -ENOMEM;
	memset(u, 0, sizeof(*u));
	u->socket = u->wake = -1;
	u->granted = NOT_SERVED;
	u->seen = seen;
	snprintf(u->name, sizeof(u->name), "%s", interface);
	error = open_all(u, transport, where, most_bytes, what);
	if (error)
		release(u);
	else
		*uplink = u;
	return error;
}

void uplink_close(struct uplink *u)
{
	const uint64_t one = 1;

	__atomic_store_n(&u->stop, true, __ATOMIC_RELAXED);
	if (write(u->wake, &one, sizeof(one)) == sizeof(one))
		interrupt_join(u->inward);
	interrupt_join(u->outward);
	release(u);
}

/* -------------------------------------------------------------------------------------- look */

/* Follows the switch's state. While no switch serves the vNIC, the threads take frames and discard
 * them. */
static void follow_switch(struct uplink *u, double now)
{
	const bool is_served = rvif_attached(&u->vnic) == 1 && !is_set(&u->lost);

	rvif_store(&u->granted,
		   is_served ? rvif_load(&rvif_header(&u->vnic)->sw.features) : NOT_SERVED);
	if (!is_set(&u->lost) || now < u->next_try)
		return;
	u->next_try = now + TRY_EVERY;
	if (rvif_reconnect(&u->vnic) >= 0)
		__atomic_store_n(&u->lost, false, __ATOMIC_RELAXED);
}

static const char *say(struct uplink *u, const char *what)
{
	snprintf(u->said, sizeof(u->said), "uplink %s: %s", u->name, what);
	return u->said;
}

static const char *const said_of[] = {
	[UPLINK_GONE] = "there is no such interface",
	[UPLINK_DOWN] = "the interface is down",
	[UPLINK_UP] = "the interface is up",
};

/* Takes the interface of that name if it is another one than before. Returns 0 if it can be
 * used. */
static int take_interface(struct uplink *u, int index)
{
	const int error = packet_bind(u, index);

	if (!error)
		u->index = index;
	return error;
}

static enum uplink_state state_of(struct uplink *u, int *error)
{
	int flags = u->index ? packet_flags(u) : -ENODEV, index;

	*error = 0;
	if (flags < 0) {
		u->index = 0;
		index = packet_find(u);
		if (index < 0)
			return UPLINK_GONE;
		*error = take_interface(u, index);
		flags = *error ? -ENODEV : packet_flags(u);
	}
	if (flags < 0)
		return UPLINK_GONE;
	return flags & IFF_UP ? UPLINK_UP : UPLINK_DOWN;
}

/* Reports lost frames, once. The kernel can cut such frames before they come here. */
static const char *look_for_lost(struct uplink *u)
{
	if (u->said_lost || !__atomic_load_n(&u->seen->in.dropped_offload, __ATOMIC_RELAXED))
		return NULL;
	u->said_lost = true;
	return say(u, "frames with an offload that no port has are lost, as datagrams in one "
		      "piece: at its other end, ethtool -K PEER tx-udp-segmentation off");
}

/* Follows the interface's state. Each change is reported once. */
static const char *follow_interface(struct uplink *u)
{
	const bool is_first = !u->looked;
	enum uplink_state state;
	int error;

	state = state_of(u, &error);
	if (state == u->seen->state && !is_first && error == u->why_not)
		return NULL;
	u->looked = true;
	u->why_not = error;
	__atomic_store_n(&u->seen->state, state, __ATOMIC_RELAXED);
	if (error == -EPROTONOSUPPORT)
		return say(u, "this is no Ethernet interface");
	return say(u, error ? strerrordesc_np(-error) : said_of[state]);
}

const char *uplink_look(struct uplink *u, double now)
{
	const char *what;

	if (now < u->next_look)
		return NULL;
	u->next_look = now + LOOK_EVERY;
	follow_switch(u, now);
	count(&u->seen->in.missed, packet_missed(u));
	what = follow_interface(u);
	return what ? what : look_for_lost(u);
}

const struct rvif_vnic *uplink_vnic(const struct uplink *u)
{
	return &u->vnic;
}
