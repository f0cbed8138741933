/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lays out the switch's memory, and attaches and detaches ports. A vNIC's configuration is copied
 * once, and only the copy is checked and used. After a port is detached, no thread may touch its
 * vNIC any more.
 */
#include "capture.h"
#include "words.h"

static uint64_t up_to(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) & ~(unit - 1);
}

static uint64_t up(uint64_t n)
{
	return up_to(n, RVS_ALIGNMENT);
}

static int config_ok(const struct rvs_config *config)
{
	return config->ports && config->ports <= RVS_MAX_PORTS && config->senders &&
	       config->senders <= RVS_MAX_SENDERS && config->queues &&
	       config->queues <= RVIF_MAX_QUEUES && config->buckets &&
	       config->buckets <= RVS_MAX_BUCKETS && !(config->buckets & (config->buckets - 1)) &&
	       config->vlans <= RVS_MAX_VLAN &&
	       (config->vlans + 1ull) * config->buckets <= RVS_MAX_BUCKETS &&
	       config->max_age <= INT32_MAX && config->one_thread <= 1 &&
	       config->records <= RVS_MAX_RECORDS && !(config->records & (config->records - 1));
}

/* Computes where everything is. It sets the offsets and the size only. */
static void place(struct rvs *rvs, const struct rvs_config *config)
{
	const uint64_t queues = (uint64_t)config->ports * config->queues;

	rvs->ports_at = up(sizeof(struct rvs));
	rvs->rules_at = rvs->ports_at + up(config->ports * sizeof(struct rvs_port));
	rvs->txqs_at = rvs->rules_at + config->ports * sizeof(struct rvs_rules);
	rvs->rxqs_at = rvs->txqs_at + up(queues * sizeof(struct rvs_txq));
	rvs->sharing_at = rvs->rxqs_at + up(queues * sizeof(struct rvs_rxq));
	rvs->buckets_at = rvs->sharing_at + up(queues * sizeof(struct rvs_sharing));
	rvs->bucket_count = (config->vlans + 1ull) * config->buckets;
	rvs->senders_at = rvs->buckets_at + up(rvs->bucket_count * sizeof(struct rvs_bucket));
	rvs->capture_at = rvs->senders_at + up(config->senders * sizeof(struct rvs_sender));
	rvs->size = rvs->capture_at;
	if (!config->records)
		return;
	rvs->capture_at = up_to(rvs->capture_at, RVS_PAGE);
	rvs->size = rvs->capture_at +
		    up_to(sizeof(struct rvs_capture) +
				  (uint64_t)config->records * sizeof(struct rvs_record),
			  RVS_PAGE);
}

uint64_t rvs_size(const struct rvs_config *config)
{
	struct rvs rvs;

	if (!config_ok(config))
		return 0;
	place(&rvs, config);
	return rvs.size;
}

uint64_t rvs_capture_offset(const struct rvs_config *config)
{
	struct rvs rvs;

	if (!config_ok(config) || !config->records)
		return 0;
	place(&rvs, config);
	return rvs.capture_at;
}

int rvs_init(void *memory, uint64_t size, const struct rvs_config *config)
{
	uint64_t need = rvs_size(config);
	struct rvs *rvs = memory;

	if (!need)
		return -RVS_BAD_CONFIG;
	if (size < need || (uintptr_t)memory % RVS_ALIGNMENT)
		return -RVS_BAD_MEMORY;
	for (uint64_t at = 0; at < need; at += 8)
		*(volatile uint64_t *)((uint8_t *)memory + at) = 0;
	place(rvs, config);
	rvs->config = *config;
	for (uint32_t p = 0; p < config->ports; p++)
		rvs_port_at(rvs, p)->rules_at =
			(uint32_t)(rvs->rules_at - rvs->ports_at +
				   p * (sizeof(struct rvs_rules) - sizeof(struct rvs_port)));
	rvs->bucket_mask = config->buckets - 1;
	rvs->bucket_shift = (uint32_t)__builtin_ctz(config->buckets);
	if (config->records) {
		rvs_capture_of(rvs)->records = config->records;
		rvs_capture_of(rvs)->magic = RVS_CAPTURE_MAGIC;
	}
	for (uint32_t q = 0; q < config->ports * config->queues; q++) {
		rvs_txq_at(rvs, q)->lock = RVS_LOCK_DEAD;
		rvs_rxq_at(rvs, q)->lock = RVS_LOCK_DEAD;
	}
	return 0;
}

/* ---------------------------------------------------------------------------------- attach */

static void copy_config(struct rvif_config *to, const struct rvif_config *from)
{
	for (size_t at = 0; at < sizeof(*to); at += 8)
		elisa_copy_put((uint8_t *)to + at, rvs_get_once((const uint8_t *)from + at));
}

/* Finds where to go on in a queue, because an earlier switch may have used it. */
static enum rvif_reason resume(const struct rvif_queue *control, uint32_t ring, uint32_t *next)
{
	*next = rvif_load(&control->completed);
	return rvif_distance(rvif_load(&control->posted), *next) <= ring ? RVIF_OK : RVIF_BAD_INDEX;
}

/* Skips frames that an earlier switch had taken. They may have arrived, and must not come twice. */
static void skip_taken(struct rvif_queue *control, uint32_t *next)
{
	const uint32_t taken = rvif_load(&control->taken);

	if (rvif_distance(taken, *next) > rvif_distance(rvif_load(&control->posted), *next))
		return;
	*next = taken;
	rvif_publish(&control->completed, taken);
}

static void clear_sharing(struct rvs_sharing *sharing)
{
	sharing->was_shared = 0;
	for (uint32_t cell = 0; cell < RVS_CELLS; cell++)
		*(volatile uint16_t *)&sharing->owner[cell] = 0; /* and no call of memset() */
}

static void clear_counts(struct rvs *rvs, uint32_t number)
{
	for (uint32_t q = 0; q < rvs->config.queues; q++) {
		struct rvs_txq *txq = rvs_txq_at(rvs, number * rvs->config.queues + q);
		struct rvs_rxq *rxq = rvs_rxq_at(rvs, number * rvs->config.queues + q);

		txq->current = 0;
		txq->taken[0] = (struct rvs_taken){.frames = 0};
		txq->copies = txq->delivered = 0;
		txq->last.bucket = rvs_port_at(rvs, number)->table;
		for (uint32_t reason = 0; reason < RVS_DROPS; reason++)
			rvs_store64(&txq->drops[reason], 0); /* and no call of memset() */
		rxq->current = 0;
		rxq->given[0] = (struct rvs_given){.frames = 0};
		rxq->missed = 0;
		rxq->notified = 0;
		clear_sharing(rvs_sharing_at(rvs, number * rvs->config.queues + q));
	}
}

static enum rvif_reason resume_queues(struct rvs *rvs, uint32_t number, const struct rvs_port *port,
				      const struct rvif_config *config)
{
	const uint32_t first = number * rvs->config.queues;

	clear_counts(rvs, number);
	for (uint32_t q = 0; q < config->tx_queues; q++) {
		struct rvif_queue *control = rvif_tx_queue(port->region, &port->layout, q);
		struct rvs_txq *txq = rvs_txq_at(rvs, first + q);

		txq->control = control;
		txq->ring = rvif_tx_ring(port->region, &port->layout, config->tx_ring, q);
		if (resume(control, config->tx_ring, &txq->taken[0].next))
			return RVIF_BAD_INDEX;
		skip_taken(control, &txq->taken[0].next);
		rvif_store(&control->kick_wanted, !!(port->flags & RVS_KICK));
	}
	for (uint32_t q = 0; q < config->rx_queues; q++) {
		struct rvif_queue *control = rvif_rx_queue(port->region, &port->layout, q);
		struct rvs_rxq *rxq = rvs_rxq_at(rvs, first + q);

		rxq->control = control;
		rxq->ring = rvif_rx_ring(port->region, &port->layout, config->rx_ring, q);
		if (resume(control, config->rx_ring, &rxq->given[0].next))
			return RVIF_BAD_INDEX;
		rvs_store64(&control->missed, 0);
	}
	return RVIF_OK;
}

/*
 * Chooses the policy's address, or else the address that the driver proposes. A driver that insists
 * on its own address is refused if it cannot have it.
 */
static enum rvif_reason choose_mac(struct rvs_port *port, const struct rvs_policy *policy,
				   const struct rvif_config *config)
{
	const uint64_t given = rvs_mac_word(policy->mac), proposed = rvs_mac_word(config->mac);

	if (given && proposed && given != proposed && !config->any_mac)
		return RVIF_MAC_NOT_ALLOWED;
	port->mac = given ? given : proposed;
	return port->mac & RVS_GROUP_BIT ? RVIF_BAD_MAC : RVIF_OK;
}

static enum rvif_reason attach(struct rvs *rvs, uint32_t number, uint64_t size,
			       const struct rvs_policy *policy)
{
	struct rvs_port *port = rvs_port_at(rvs, number);
	struct rvif_config config;
	enum rvif_reason reason;

	copy_config(&config, &((struct rvif_header *)(void *)port->region)->config);
	reason = rvif_layout(&config, &port->layout);
	if (reason)
		return reason;
	if (config.region_size > size)
		return RVIF_BAD_SIZE;
	if (config.tx_queues > rvs->config.queues || config.rx_queues > rvs->config.queues)
		return RVIF_TOO_MANY_QUEUES;
	reason = choose_mac(port, policy, &config);
	if (reason)
		return reason;
	port->flags = policy->flags;
	port->each = 0;
	rvs_filter_set(port, policy);
	rvs_meter_set(port, policy);
	reason = rvs_vlans_join(rvs, number, policy);
	if (reason)
		return reason;
	port->own_source = port->mac && !port->has_vlans && !port->each ? port->mac : RVS_NO_SOURCE;
	port->head_mask = port->has_vlans ? UINT64_MAX : RVS_MAC_MASK;
	port->size = config.region_size;
	port->max_learned = policy->max_learned;
	port->learned = 0;
	port->features = config.features & policy->features & RVIF_F_ALL;
	if (!(port->features & RVIF_F_CSUM))
		port->features &= ~(uint32_t)(RVIF_F_TSO4 | RVIF_F_TSO6);
	port->buffer_size = config.buffer_size;
	port->max_frame = config.max_frame;
	port->tx_mask = config.tx_ring - 1;
	port->rx_mask = config.rx_ring - 1;
	port->crowded = port->flags & RVS_SHARE_RING ? config.rx_ring / 2 : 0;
	port->plain_frame = rvs_min(port->max_frame, port->buffer_size);
	port->last_buffer = (uint32_t)(port->size - port->buffer_size);
	reason = resume_queues(rvs, number, port, &config);
	if (reason)
		return reason;
	if (port->mac) {
		int error = rvs_table_set(rvs, number, port->mac);

		if (error)
			return error == -RVS_EXISTS ? RVIF_MAC_IN_USE : RVIF_NO_TABLE_ROOM;
	}
	port->generation++;
	rvif_store(&port->tx_queues, config.tx_queues);
	rvif_store(&port->rx_queues, config.rx_queues);
	return RVIF_OK;
}

static void open_queues(struct rvs *rvs, uint32_t number)
{
	struct rvs_port *port = rvs_port_at(rvs, number);
	const uint32_t first = number * rvs->config.queues;

	for (uint32_t q = 0; q < port->rx_queues; q++)
		rvs_unlock(&rvs_rxq_at(rvs, first + q)->lock);
	for (uint32_t q = 0; q < port->tx_queues; q++)
		rvs_unlock(&rvs_txq_at(rvs, first + q)->lock);
	__atomic_fetch_or(&rvs->live[number / 64], 1ull << number % 64, __ATOMIC_RELEASE);
}

int rvs_port_attach(struct rvs *rvs, uint32_t number, void *region, uint64_t size,
		    const struct rvs_policy *policy)
{
	struct rvif_header *header = region;
	struct rvs_port *port;
	enum rvif_reason reason;
	uint32_t epoch;

	if ((uintptr_t)region % RVIF_LINE)
		return -RVIF_BAD_ALIGNMENT;
	if (size < RVIF_HEADER_SIZE)
		return -RVIF_TOO_SHORT;
	if (number >= rvs->config.ports || rvs_port_at(rvs, number)->attached)
		return -RVIF_NO_PORT;
	port = rvs_port_at(rvs, number);
	epoch = rvif_load_acquire(&header->driver.epoch);
	/* the owner may be stopped anywhere: from here on detaching undoes the steps below */
	port->region = region;
	rvif_publish(&port->attached, 1);
	/* from here on a driver that goes down waits for the switch; a driver that went down
	 * before this has the region for itself */
	rvif_store(&header->sw.state, RVIF_SWITCH_ATTACHING);
	rvif_full_barrier();
	if (rvif_load(&header->driver.state) != RVIF_DRIVER_UP ||
	    rvif_load(&header->driver.epoch) != epoch) {
		rvif_publish(&header->sw.state, RVIF_SWITCH_DETACHED);
		rvif_publish(&port->attached, 0);
		return -RVIF_NOT_UP;
	}
	reason = attach(rvs, number, size, policy);
	rvif_store(&header->sw.reason, reason);
	rvif_store(&header->sw.epoch, epoch);
	if (reason) {
		rvs_vlans_leave(rvs, number);
		rvif_publish(&header->sw.state, RVIF_SWITCH_REFUSED);
		rvif_publish(&port->attached, 0);
		return -(int)reason;
	}
	rvif_store(&header->sw.features, port->features);
	rvif_store(&header->sw.mbps, policy->mbps);
	rvif_store(&header->sw.link, 1);
	rvif_store(&header->sw.generation, rvif_load(&header->sw.generation) + 1);
	rvs_mac_bytes(header->sw.mac, port->mac);
	rvif_publish(&header->sw.state, RVIF_SWITCH_ATTACHED);
	open_queues(rvs, number);
	return 0;
}

/* ---------------------------------------------------------------------------------- detach */

/* Takes a free lock for ever, so that no sender gets the queue any more. */
static int take_for_good(uint32_t *lock)
{
	return rvs_lock_try(lock, RVS_LOCK_DEAD) || rvif_load(lock) == RVS_LOCK_DEAD;
}

int rvs_port_detach(struct rvs *rvs, uint32_t number)
{
	struct rvif_header *header;
	struct rvs_port *port;
	int busy = 0;

	if (number >= rvs->config.ports || !rvs_port_at(rvs, number)->attached)
		return -RVS_BAD_PORT;
	port = rvs_port_at(rvs, number);
	__atomic_fetch_and(&rvs->live[number / 64], ~(1ull << number % 64), __ATOMIC_RELAXED);
	for (uint32_t q = 0; q < rvs->config.queues; q++) {
		busy |= !take_for_good(&rvs_txq_at(rvs, number * rvs->config.queues + q)->lock);
		busy |= !take_for_good(&rvs_rxq_at(rvs, number * rvs->config.queues + q)->lock);
	}
	if (busy)
		return -RVS_BUSY;
	if (rvs_table_leave(rvs, number))
		return -RVS_BUSY;
	rvif_store(&port->rx_queues, 0);
	rvif_store(&port->tx_queues, 0);
	rvs_vlans_leave(rvs, number);
	header = (struct rvif_header *)(void *)port->region;
	rvif_store(&header->sw.link, 0);
	rvif_publish(&header->sw.state, RVIF_SWITCH_DETACHED);
	/* the owner may repeat all steps up to here */
	rvs_store64(&port->swept_to, 0);
	rvif_publish(&port->attached, 0);
	port->region = NULL;
	return 0;
}

int rvs_port_forget(struct rvs *rvs, uint32_t number)
{
	struct rvs_port *port;

	if (number >= rvs->config.ports)
		return -RVS_BAD_PORT;
	port = rvs_port_at(rvs, number);
	if (port->attached)
		return -RVS_BUSY;
	clear_counts(rvs, number);
	port->mac = 0;
	port->features = 0;
	rvif_store(&port->learned, 0);
	return 0;
}

int rvs_port_set_link(struct rvs *rvs, uint32_t number, int is_up)
{
	struct rvs_port *port;

	if (number >= rvs->config.ports || !rvs_port_at(rvs, number)->attached)
		return -RVS_BAD_PORT;
	port = rvs_port_at(rvs, number);
	rvif_store(&((struct rvif_header *)(void *)port->region)->sw.link, !!is_up);
	return 0;
}
