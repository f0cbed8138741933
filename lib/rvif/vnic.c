/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vNIC from its creation to its end, over any transport. It must never change the configuration
 * while the driver is up.
 *
 * The order of stores matters, because the switch may look at any moment.
 * - Start: rvif_start() zeroes the control blocks, then raises the epoch, and stores `state` last
 *   (release). So a switch that sees "up" sees all of it. An answer of the switch counts only if it
 *   carries the driver's own epoch.
 * - Stop: rvif_stop() stores "down", runs a full barrier, and then reads the switch's state. A
 *   switch that attaches stores "attaching", runs a full barrier, and then reads the driver's
 *   state. So at least one of the two sees the other one's store. The driver therefore never takes
 *   its buffers back while a switch begins to use them.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <rvif/driver.h>

int rvif_configure(struct rvif_config *config, uint64_t data_bytes)
{
	struct rvif_layout layout;
	enum rvif_reason reason;

	config->magic = RVIF_MAGIC;
	config->version = RVIF_VERSION;
	config->region_size = RVIF_MAX_REGION;
	reason = rvif_layout(config, &layout);
	if (reason)
		return -(int)reason;
	if (data_bytes > RVIF_MAX_REGION - layout.buffers)
		return -RVIF_BAD_SIZE;
	config->region_size = layout.buffers + ((data_bytes + 4095) & ~UINT64_C(4095));
	return -(int)rvif_layout(config, &layout);
}

int rvif_configure_sharing(struct rvif_config *config, struct rvif_sharing *sharing)
{
	struct rvif_layout layout;

	sharing->own = config->region_size;
	config->region_size = rvif_place(sharing->memory, sharing->count, sharing->own);
	return config->region_size ? -(int)rvif_layout(config, &layout) : -RVIF_BAD_SIZE;
}

int rvif_open_sharing(struct rvif_vnic *vnic, const struct rvif_transport *transport,
		      const char *where, const struct rvif_config *config,
		      const struct rvif_access *access, const struct rvif_sharing *sharing)
{
	int error;

	memset(vnic, 0, sizeof(*vnic));
	if (access)
		vnic->access = *access;
	if ((vnic->access.mode || vnic->access.has_group) && transport != &rvif_shared_file)
		return -EOPNOTSUPP;
	if (sharing && !transport->takes_memory)
		return -EOPNOTSUPP;
	vnic->transport = transport;
	vnic->config = *config;
	vnic->sharing = sharing;
	vnic->size = sharing ? sharing->own : config->region_size;
	if (rvif_layout(&vnic->config, &vnic->layout) || vnic->size < vnic->layout.buffers)
		return -EINVAL;
	error = transport->open(vnic, where);
	if (error)
		return error;
	rvif_header(vnic)->config = vnic->config;
	error = transport->announce(vnic);
	if (error)
		transport->close(vnic);
	return error;
}

int rvif_open_for(struct rvif_vnic *vnic, const struct rvif_transport *transport, const char *where,
		  const struct rvif_config *config, const struct rvif_access *access)
{
	return rvif_open_sharing(vnic, transport, where, config, access, NULL);
}

int rvif_open(struct rvif_vnic *vnic, const struct rvif_transport *transport, const char *where,
	      const struct rvif_config *config)
{
	return rvif_open_for(vnic, transport, where, config, NULL);
}

void rvif_close(struct rvif_vnic *vnic)
{
	if (!vnic->region)
		return;
	vnic->transport->close(vnic);
	vnic->region = NULL;
}

int rvif_reconfigure(struct rvif_vnic *vnic, const struct rvif_config *config)
{
	struct rvif_layout layout;
	enum rvif_reason reason = rvif_layout(config, &layout);

	if (!reason && config->region_size > vnic->size)
		reason = RVIF_BAD_SIZE;
	if (reason)
		return -(int)reason;
	vnic->config = *config;
	vnic->layout = layout;
	rvif_header(vnic)->config = *config;
	return 0;
}

static int changed(struct rvif_vnic *vnic)
{
	return vnic->transport->changed ? vnic->transport->changed(vnic) : 0;
}

void rvif_start(struct rvif_vnic *vnic)
{
	struct rvif_header *header = rvif_header(vnic);

	memset(vnic->region + RVIF_HEADER_SIZE, 0, vnic->layout.tx_rings - RVIF_HEADER_SIZE);
	rvif_store(&header->driver.epoch, header->driver.epoch + 1);
	rvif_publish(&header->driver.state, RVIF_DRIVER_UP);
	changed(vnic);
}

int rvif_attached(const struct rvif_vnic *vnic)
{
	const struct rvif_header *header = rvif_header(vnic);
	uint32_t state = rvif_load_acquire(&header->sw.state);

	if (rvif_load(&header->sw.epoch) != header->driver.epoch)
		return 0;
	if (state == RVIF_SWITCH_ATTACHED)
		return 1;
	return state == RVIF_SWITCH_REFUSED ? -(int)rvif_load(&header->sw.reason) : 0;
}

int rvif_stop(struct rvif_vnic *vnic, uint32_t timeout_us)
{
	struct rvif_header *header = rvif_header(vnic);
	const struct timespec nap = {.tv_nsec = 100000};

	rvif_publish(&header->driver.state, RVIF_DRIVER_DOWN);
	rvif_full_barrier();
	if (changed(vnic) == -ENOTCONN) {
		rvif_store(&header->sw.state, RVIF_SWITCH_DETACHED);
		return 0;
	}
	for (uint32_t waited = 0;; waited += 100) {
		const uint32_t state = rvif_load_acquire(&header->sw.state);

		if (state != RVIF_SWITCH_ATTACHED && state != RVIF_SWITCH_ATTACHING)
			return 0;
		if (waited >= timeout_us)
			return -ETIMEDOUT;
		nanosleep(&nap, NULL);
	}
}

int rvif_reconnect(struct rvif_vnic *vnic)
{
	return vnic->transport->reconnect ? vnic->transport->reconnect(vnic) : 0;
}
